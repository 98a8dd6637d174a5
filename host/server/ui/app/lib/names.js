// Which name stands for which component: read once, and again after an upload.

import { get } from "./api.js";
import { session } from "./session.js";
import { effect, signal } from "./view.js";

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
