// The lines of a run's log: page by page while they are there, then as they come.

import { part, request, withQuery } from "./api.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/** Lines that are asked for at once. */
const PAGE = 500;
/** The most lines that are kept; a filter, or the download, is for more. */
export const MOST = 100_000;
/** Lines that a jump to the end may load. */
const JUMP = 20_000;

const path = (run, query) => withQuery(`/runs/${part(run)}/logs`, query);

/** Calls `take` with batches of lines of a JSON Lines answer. */
async function jsonLines(response, take, signal) {
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let rest = "";
  while (!signal?.aborted) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    const items = lines.filter(Boolean).map((line) => JSON.parse(line));
    if (items.length) take(items);
  }
}

/** The log of a run, from a line on: `{lines, more, error, isLoading, load, loadToEnd}`. */
export function useLog(run, { from, filter, follows }) {
  const [state, setState] = useState({ lines: [], more: true, error: null, isLoading: true });
  const next = useRef(from);
  const key = JSON.stringify([run, from, filter]);
  const current = useRef(key);
  current.current = key;
  const busy = useRef(null);

  const read = useCallback(async () => {
    try {
      const response = await request("GET", path(run, { ...filter, from: next.current, limit: PAGE }));
      const page = await response.json();
      if (current.current !== key) return false;
      next.current = page.next;
      setState((old) => ({ lines: append(old.lines, page.items), more: page.more, error: null, isLoading: false }));
      return page.more;
    } catch (error) {
      if (current.current === key) setState((old) => ({ ...old, error, isLoading: false, more: false }));
      return false;
    }
  }, [key]);
  /** Loads the next page, or waits for the one that is on its way. Answers whether there are more. */
  const load = useCallback(() => {
    busy.current ??= read().finally(() => {
      busy.current = null;
    });
    return busy.current;
  }, [read]);

  useEffect(() => {
    next.current = from;
    busy.current = null;
    setState({ lines: [], more: true, error: null, isLoading: true });
    load();
  }, [key]);

  const { more, isLoading } = state;
  const isFollowing = follows && !more && !isLoading;
  useEffect(() => {
    if (!isFollowing) return undefined;
    const stop = new AbortController();
    const take = (items) => {
      next.current = items[items.length - 1].line + 1;
      setState((old) => ({ ...old, lines: append(old.lines, items) }));
    };
    request("GET", path(run, { ...filter, from: next.current, follow: true }), { signal: stop.signal })
      .then((response) => jsonLines(response, take, stop.signal))
      .catch(() => {});
    return () => stop.abort();
  }, [isFollowing, key]);

  const loadToEnd = useCallback(async () => {
    for (let loaded = 0; loaded < JUMP; loaded += PAGE) if (!(await load())) return;
  }, [load]);
  return { ...state, load, loadToEnd };
}

const append = (lines, items) => (lines.length >= MOST ? lines : lines.concat(items).slice(0, MOST));

/** The number of the first line with an error, or `null`. */
export async function firstError(run) {
  const response = await request("GET", path(run, { level: "error", limit: 1 }));
  const { items } = await response.json();
  return items[0]?.line ?? null;
}

/** All lines that match, as text for a file. */
export async function wholeLog(run, filter, isOver) {
  const parts = [];
  const take = (items) => {
    parts.push(items.map((line) => `${line.at} ${line.attempt} ${line.stream} ${line.level} ${line.text}\n`).join(""));
  };
  if (isOver) {
    await jsonLines(await request("GET", path(run, { ...filter, follow: true })), take);
  } else {
    for (let from = 0, more = true; more; ) {
      const page = await (await request("GET", path(run, { ...filter, from, limit: PAGE }))).json();
      take(page.items);
      ({ next: from, more } = page);
    }
  }
  return new Blob(parts, { type: "text/plain" });
}
