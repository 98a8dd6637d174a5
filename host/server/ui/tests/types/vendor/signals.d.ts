// A signal that begins as `null` may become anything.

export interface Signal<T> {
  value: T;
}
export function signal(initial: null): Signal<any>;
export function signal<T>(initial: T): Signal<T>;
export function computed<T>(read: () => T): Signal<T>;
export function effect(call: () => void | (() => void)): () => void;
