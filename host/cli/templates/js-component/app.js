// The component. Every function that its world (wit/world.wit) exports is a task.

export function hello(name) {
  return `Hello, ${name}!`;
}
