// Every function that this file exports is a task.

/** Greets someone. */
export function hello(name) {
  return `Hello, ${name}!`;
}
