// Types that modules of the dashboard share, or that would be long beside the code.

interface PageOf {
  name: string;
  pattern: RegExp;
  params?: string[];
  key?: (params: Record<string, string>) => string;
  title: (params: Record<string, string>) => string;
}

/** Options of a request. */
interface Options {
  body?: BodyInit;
  type?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  token?: string;
}

/** What a page has of an answer. */
interface Shown<P extends string> {
  path: P | null | undefined;
  data: Answer<P> | null;
  error: any;
  isLoading: boolean;
}

/** What a page has of a log. */
interface Log {
  lines: import("api-types").components["schemas"]["LogLine"][];
  more: boolean;
  error: any;
  isLoading: boolean;
}

interface LogFilter {
  text?: string;
  level?: string;
  stream?: string;
  attempt?: string;
}

/** The requests that were sent before the modules came, by their paths. */
declare var asked: Map<string, { response: Promise<Response>; stop: AbortController }> | undefined;
declare var answered: Promise<unknown> | undefined;
