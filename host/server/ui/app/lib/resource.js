// What a page shows of the API, loaded again when something happened. In lists of runs, states change at once, and no row moves.

import { get, session } from "./api.js";
import { onEvents, ready } from "./events.js";
import { effect, signal, useCallback, useEffect, useLayoutEffect, useRef, useState } from "./view.js";

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
    setState((old) => (old.isLoading ? old : { ...old, isLoading: true }));
    try {
      await ready();
      if (mine.signal.aborted) return;
      const data = await get(path, { signal: mine.signal });
      setState({ path, data, error: null, isLoading: false });
    } catch (error) {
      if (error.name !== "AbortError") setState((old) => ({ ...old, path, error, data: old.path === path ? old.data : null, isLoading: false }));
    }
  }, [path]);
  useLayoutEffect(() => {
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

/** How often newer runs are counted, in ms. */
const COUNTED = 250;

/** Loads a page of runs and keeps it true. `newer` counts runs that were submitted since. */
export function useRunList(path) {
  const resource = useResource(path);
  const [shown, setShown] = useState(null);
  const [newer, setNewer] = useState(0);
  const isRefresh = useRef(false);
  const born = useRef(0);
  const timer = useRef(null);
  const count = () => {
    timer.current = null;
    setNewer((old) => old + born.current);
    born.current = 0;
  };

  // Before the page is painted, so that no frame is without rows.
  useLayoutEffect(() => {
    isRefresh.current = false;
    born.current = 0;
    setShown(null);
    setNewer(0);
  }, [path]);

  useLayoutEffect(() => {
    const { data } = resource;
    if (!data) return;
    setShown((old) => {
      const keeps = isRefresh.current && old && old.items.length > 0;
      if (!keeps) return data;
      const fresh = new Map(data.items.map((run) => [run.run, run]));
      return { ...old, items: old.items.map((run) => newest(run, fresh.get(run.run))) };
    });
    isRefresh.current = false;
  }, [resource.data]);

  // States change with the frame in which their events come.
  useEffect(
    () =>
      onEvents((events) => {
        const last = new Map(events.map((event) => [event.run, event]));
        setShown((old) => {
          if (!old || !old.items.some((run) => last.has(run.run))) return old;
          return { ...old, items: old.items.map((run) => patch(run, last.get(run.run))) };
        });
        born.current += events.filter((event) => event.kind === "Born").length;
        if (born.current && timer.current === null) timer.current = setTimeout(count, COUNTED);
      }),
    [],
  );
  useEffect(() => () => clearTimeout(timer.current), []);

  const ids = useRef(new Set());
  ids.current = new Set(shown?.items.map((run) => run.run));
  const isEmpty = shown !== null && shown.items.length === 0;
  useLive(
    (event) => ids.current.has(event.run) || (isEmpty && event.kind === "Born"),
    () => {
      isRefresh.current = true;
      resource.reload();
    },
  );

  /** Shows what is newest, with new rows. */
  const renew = () => {
    born.current = 0;
    setNewer(0);
    isRefresh.current = false;
    return resource.reload();
  };
  return { ...resource, items: shown?.items ?? null, next: shown?.next ?? null, newer, renew };
}

/** The run as it was read again; the same object if nothing has changed. */
const newest = (run, fresh) => (fresh && JSON.stringify(fresh) !== JSON.stringify(run) ? fresh : run);

function patch(run, event) {
  if (!event || event.state === run.state) return run;
  const started = event.kind === "Started" ? event.at : run.started;
  return { ...run, state: event.state, started };
}

/** The tasks of named components, `null` until they are loaded. At most the first 500 names. */
export const tasks = signal(null);

/** Names by digest. */
export const names = signal(new Map());

/** Why they cannot be loaded. */
export const tasksError = signal(null);

let loading = null;

/** Loads them, unless they are there. */
export function loadTasks({ again = false } = {}) {
  if (tasks.value && !again) return Promise.resolve();
  loading ??= (async () => {
    try {
      const { items } = await get("/tasks?limit=500");
      names.value = new Map(items.map(({ digest, task }) => [digest, task.slice(0, task.indexOf("#"))]));
      tasks.value = items;
      tasksError.value = null;
    } catch (error) {
      tasksError.value = error;
    } finally {
      loading = null;
    }
  })();
  return loading;
}

effect(() => {
  if (session.value === null) {
    tasks.value = null;
    names.value = new Map();
  }
});
