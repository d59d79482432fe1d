/** For whom the rows of a store stay in memory: the operators that read it and cannot read where rows are cold, and the views made from them. */
import type { Store } from "../state/store.ts";
import type { Node } from "./node.ts";

/** A store of which no row may go to disk. */
export interface KeptRows {
  readonly store: Store;
  /** Whose rows these are: a table's own, a view's own, or else what is kept to make views. */
  readonly owner: { readonly kind: "table" | "view"; readonly id: number } | null;
  /**
   * Ids of views that are made from operators which need the rows there. All of them: operators are shared, and a view that goes alone may change
   * nothing.
   */
  readonly views: readonly number[];
}

export interface NamedNode {
  readonly id: number;
  readonly node: Node;
}

/** Such stores of at least `bytesMin`, the largest first. */
export function keptRows(
  nodes: Iterable<Node>,
  tables: readonly NamedNode[],
  views: readonly NamedNode[],
  bytesMin: number,
): KeptRows[] {
  const all: KeptRows[] = [];
  for (const node of nodes) {
    if (node.failed !== null) continue;
    for (const { store } of node.stores()) {
      if (store.isCoolable || store.bytes < bytesMin) continue;
      const table = tables.find((named) => named.node === node);
      const view = views.find((named) => named.node === node);
      const needed = node.storeEdges.map((edge) => edge.node).filter((reader) => needsRows(reader, node));
      // Where no reader needs it so, and it is no table's, it is there for who is made from it.
      const from = table !== undefined || needed.length > 0 ? needed : [node];
      const owner =
        table !== undefined
          ? { kind: "table" as const, id: table.id }
          : view !== undefined
            ? { kind: "view" as const, id: view.id }
            : null;
      all.push({ store, owner, views: viewsFrom(from, views) });
    }
  }
  return all.sort((a, b) => b.store.bytes - a.store.bytes);
}

/** Whether the reader needs all rows of what the node keeps in memory: it looks at slots, or asks an index and brings nothing back before. */
function needsRows(reader: Node, node: Node): boolean {
  if (reader.failed !== null) return false;
  const isBlind = reader.sources.some(
    (source, port) => source.node === node && source.kind === "store" && !reader.readsCold(port),
  );
  return isBlind || reader.indexes().some((wanted) => wanted.node === node && wanted.bringsBack !== true);
}

function viewsFrom(nodes: readonly Node[], views: readonly NamedNode[]): number[] {
  const seen = new Set(nodes);
  for (const node of seen) {
    if (node.failed !== null) seen.delete(node);
    else for (const edge of [...node.rowEdges, ...node.storeEdges]) seen.add(edge.node);
  }
  return views.flatMap(({ id, node }) => (seen.has(node) ? [id] : []));
}
