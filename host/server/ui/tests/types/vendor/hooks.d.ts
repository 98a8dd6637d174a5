// The hooks that the dashboard uses. A state or reference that begins as `null` may become anything.

type Set<T> = (value: T | ((old: T) => T)) => void;

export function useState(initial: null): [any, Set<any>];
export function useState<T>(initial: T | (() => T)): [T, Set<T>];
export function useRef(initial: null): { current: any };
export function useRef<T>(initial: T): { current: T };
export function useMemo<T>(make: () => T, inputs: readonly unknown[]): T;
export function useCallback<T extends (...values: any[]) => unknown>(call: T, inputs: readonly unknown[]): T;
export function useEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
export function useLayoutEffect(effect: () => void | (() => void), inputs?: readonly unknown[]): void;
