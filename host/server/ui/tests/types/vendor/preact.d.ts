export interface Node {
  type: unknown;
  props: object;
}
export function createElement(type: unknown, props: object | null, ...children: unknown[]): Node;
export function render(node: Node, parent: Element): void;
export const Fragment: (props: object) => unknown;
