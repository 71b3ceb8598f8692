/** The tables of a unit as a tree from left to right: the root first, each table beside its parent. Pure. */
import type { Shape } from "../../api/client";

type Table = Shape<"UnitTableShape">;
export const BOX = { width: 168, height: 40, across: 232, down: 52 };

export interface Node {
  name: string;
  table: string;
  x: number;
  y: number;
}
export interface Edge {
  from: Node;
  to: Node;
  on: string;
  /** A second parent outside the tree's line. */
  also: boolean;
}

export const onText = (pairs: readonly (readonly unknown[])[] | undefined): string => (pairs ?? []).map(([child, parent]) => (child === parent ? String(child) : `${String(child)} = ${String(parent)}`)).join(", ");

/** Leaves lie below each other; a parent lies at the height of its first child. */
export function laidOut(tables: Table[]): { nodes: Node[]; edges: Edge[]; width: number; height: number } {
  const nodes = new Map<string, Node>();
  let row = 0;
  const place = (table: Table, depth: number) => {
    if (nodes.has(table.name)) return;
    const node = { name: table.name, table: table.table, x: depth * BOX.across, y: row * BOX.down };
    nodes.set(table.name, node);
    const children = tables.filter((one) => one.parent === table.name);
    children.forEach((child) => place(child, depth + 1));
    if (children.length === 0) row += 1;
  };
  tables.filter((one) => !one.parent).forEach((root) => place(root, 0));
  const edges = tables.flatMap((table): Edge[] => {
    const to = nodes.get(table.name);
    const parents = [[table.parent ?? "", table.on, false] as const, ...Object.entries(table.also ?? {}).map(([name, on]) => [name, on, true] as const)];
    return parents.flatMap(([name, on, also]) => {
      const from = nodes.get(name);
      return from && to ? [{ from, to, on: onText(on as unknown[][] | undefined), also }] : [];
    });
  });
  const placed = [...nodes.values()];
  const deepest = Math.max(0, ...placed.map((node) => node.x));
  return { nodes: placed, edges, width: deepest + BOX.width + 2, height: Math.max(1, row) * BOX.down };
}
