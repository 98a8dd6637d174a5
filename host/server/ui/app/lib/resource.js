// What a page shows of the API: loaded, kept while it is loaded again, and loaded again when something happened.

import { get } from "./api.js";
import { onEvents, ready } from "./events.js";
import { useCallback, useEffect, useRef, useState } from "./view.js";

/** The least time between two loads that events lead to, in ms. */
const PAUSE = 1000;

/**
 * The answer of `GET path`: `{data, error, isLoading, reload}`. `data` stays while it is loaded again; it is `null` after the path has
 * changed. Without a path nothing is loaded.
 * @template {string} const P
 * @param {P | null | undefined} path
 * @returns {{data: Answer<P> | null, error: any, isLoading: boolean, reload: () => Promise<void>}}
 */
export function useResource(path) {
  const [state, setState] = useState(/** @type {Shown<P>} */ ({ path: null, data: null, error: null, isLoading: true }));
  const stop = useRef(null);
  const load = useCallback(async () => {
    stop.current?.abort();
    if (!path) return;
    const mine = new AbortController();
    stop.current = mine;
    setState((old) => ({ ...old, isLoading: true }));
    try {
      await ready();
      if (mine.signal.aborted) return;
      const data = await get(path, { signal: mine.signal });
      setState({ path, data, error: null, isLoading: false });
    } catch (error) {
      if (error.name !== "AbortError") setState((old) => ({ ...old, path, error, data: old.path === path ? old.data : null, isLoading: false }));
    }
  }, [path]);
  useEffect(() => {
    load();
    return () => stop.current?.abort();
  }, [load]);
  // One function for all paths: what was begun before the path changed loads what is shown now.
  const latest = useRef(load);
  latest.current = load;
  const reload = useCallback(() => latest.current(), []);
  const isOurs = state.path === path;
  return { data: isOurs ? state.data : null, error: isOurs ? state.error : null, isLoading: isOurs ? state.isLoading : true, reload };
}

/** Calls `action` after events that `concerns` accepts, at most once in `PAUSE` ms, and once more after the last one. */
export function useLive(concerns, action, pause = PAUSE) {
  const latest = useRef({ concerns, action });
  latest.current = { concerns, action };
  useEffect(() => {
    let timer = null;
    let last = 0;
    const run = () => {
      timer = null;
      // When the page is shown again, everything is read again.
      if (document.visibilityState === "hidden") return;
      last = performance.now();
      latest.current.action();
    };
    const end = onEvents((events, isGap) => {
      if (timer !== null || (!isGap && !events.some((event) => latest.current.concerns(event)))) return;
      timer = setTimeout(run, Math.max(0, last + pause - performance.now()));
    });
    return () => {
      end();
      clearTimeout(timer);
    };
  }, [pause]);
}
