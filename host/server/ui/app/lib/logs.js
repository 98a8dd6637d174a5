// The lines of a run's log: page by page, then as they come.

import { part, request, withQuery } from "./api.js";
import { again, jsonLines } from "./stream.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/** Lines that are asked for at once. */
const PAGE = 500;
/** The most lines that are kept; a filter, or the download, is for more. */
export const MOST = 100_000;
/** Lines that a jump to the end may load. */
const JUMP = 20_000;

const path = (run, query) => withQuery(`/runs/${part(run)}/logs`, query);

/** The next page with lines, or the last one. With a filter, the server ends a page before it is full, even without a line. */
export async function nextPage(run, query, isCurrent = () => true) {
  let { from } = query;
  for (;;) {
    const page = await (await request("GET", path(run, { ...query, from }))).json();
    if (page.items.length || !page.more || page.next <= from || !isCurrent()) return page;
    from = page.next;
  }
}

/**
 * The log of a run, from a line on: `{lines, more, error, isLoading, load, loadToEnd}`. While `isLive`, lines are added as they come. When
 * the run ends (`isOver`), the stream goes on until the server ends it, which is after the last line.
 */
export function useLog(run, { from, filter, isOver, isLive }) {
  const [state, setState] = useState(/** @type {Log} */ ({ lines: [], more: true, error: null, isLoading: true }));
  const next = useRef(from);
  const key = JSON.stringify([run, from, filter]);
  const current = useRef(key);
  current.current = key;
  const busy = useRef(null);
  const [hasEnd, setHasEnd] = useState(isOver);
  const over = useRef(isOver);
  over.current = isOver;

  const read = useCallback(async () => {
    try {
      const page = await nextPage(run, { ...filter, from: next.current, limit: PAGE }, () => current.current === key);
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
    if (busy.current) return busy.current;
    const mine = read().finally(() => {
      if (busy.current === mine) busy.current = null;
    });
    busy.current = mine;
    return mine;
  }, [read]);

  useEffect(() => {
    next.current = from;
    busy.current = null;
    setHasEnd(over.current);
    setState({ lines: [], more: true, error: null, isLoading: true });
    load();
  }, [key]);

  // A run that is retried goes on.
  useEffect(() => {
    if (!isOver) setHasEnd(false);
  }, [isOver]);

  const { more, isLoading } = state;
  const isFollowing = isLive && !more && !isLoading && !hasEnd;
  useEffect(() => {
    if (!isFollowing) return undefined;
    const stop = new AbortController();
    const take = (items) => {
      next.current = items[items.length - 1].line + 1;
      setState((old) => ({ ...old, error: null, lines: append(old.lines, items) }));
    };
    again(async (soon) => {
      const before = next.current;
      try {
        const response = await request("GET", path(run, { ...filter, from: before, follow: true }), { signal: stop.signal });
        setState((old) => (old.error ? { ...old, error: null } : old));
        await jsonLines(response.body, take, stop.signal);
        // A server that closes ends the stream, too.
        if (over.current) {
          setHasEnd(true);
          return false;
        }
      } catch (error) {
        if (stop.signal.aborted) return false;
        setState((old) => ({ ...old, error }));
        // What cannot be read at all, as of a run that was removed, is not asked for again.
        if (error.status >= 400 && error.status < 500 && error.status !== 429) return false;
      }
      if (next.current > before) soon();
      return true;
    }, stop.signal);
    return () => stop.abort();
  }, [isFollowing, key]);

  const loadToEnd = useCallback(async () => {
    for (let loaded = 0; loaded < JUMP; loaded += PAGE) if (!(await load())) return;
  }, [load]);
  return { ...state, load, loadToEnd };
}

/** The lines with those after the last one. */
export function append(lines, items) {
  if (lines.length >= MOST) return lines;
  const last = lines.at(-1)?.line ?? -1;
  return lines.concat(items.filter(({ line }) => line > last)).slice(0, MOST);
}

/** The number of the first line with an error, or `null`. */
export async function firstError(run) {
  const { items } = await nextPage(run, { level: "error", from: 0, limit: 1 });
  return items[0]?.line ?? null;
}

/** All lines that match, as text for a file. */
export async function wholeLog(run, filter, isOver) {
  const parts = [];
  const take = (items) => {
    parts.push(items.map((line) => `${line.at} ${line.attempt} ${line.stream} ${line.level} ${line.text}\n`).join(""));
  };
  if (isOver) {
    await jsonLines((await request("GET", path(run, { ...filter, follow: true }))).body, take);
  } else {
    for (let from = 0, more = true; more; ) {
      const page = await (await request("GET", path(run, { ...filter, from, limit: PAGE }))).json();
      take(page.items);
      ({ next: from, more } = page);
    }
  }
  return new Blob(parts, { type: "text/plain" });
}
