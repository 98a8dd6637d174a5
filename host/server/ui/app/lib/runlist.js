// A page of runs that follows what happens: states change at once, the rest soon after, and no row moves.

import { useLive, useResource } from "./resource.js";
import { onEvents } from "./events.js";
import { useEffect, useRef, useState } from "./view.js";

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

  useEffect(() => {
    isRefresh.current = false;
    born.current = 0;
    setShown(null);
    setNewer(0);
  }, [path]);

  useEffect(() => {
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
