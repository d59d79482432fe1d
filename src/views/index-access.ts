/**
 * Which of the ordered indexes that a view's rows have helps a read: by how many of its first values are given, and whether it has the order asked
 * for.
 */
import type { Code } from "../state/index-range.ts";
import { IndexRange } from "../state/index-range.ts";
import type { OrderedIndex, OrderItem } from "../state/ordered-index.ts";
import type { Store } from "../state/store.ts";

export interface IndexAccess {
  readonly index: OrderedIndex;
  /** Rows come as they are wanted; otherwise they are to be sorted. */
  readonly isOrdered: boolean;
  /** Good for as long as nobody ends a step. */
  range(): IndexRange;
}

export interface WantedRows {
  /** Column -> its value, as a row holds it, made anew for each piece of work. */
  readonly equal: ReadonlyMap<number, () => Code>;
  readonly order: readonly OrderItem[];
  /** Whether what the order leaves open is settled too: by the other columns, ascending. */
  readonly settled: boolean;
}

/** Null: none is better than looking at all rows. */
export function indexAccess(store: Store, wanted: WantedRows): IndexAccess | null {
  let best: { access: IndexAccess; rank: number } | null = null;
  for (const index of store.orderedIndexes) {
    const { partition, order: items } = index.spec;
    if (partition.length > 0) continue;
    const behind = items.findIndex((item) => !wanted.equal.has(item.column));
    const equal = behind < 0 ? items.length : behind;
    const direction = directionOf(items, equal, wanted);
    if (equal === 0 && direction === null) continue;
    const rank = 2 * equal + (direction === null ? 0 : 1);
    if (best !== null && best.rank >= rank) continue;
    const values = items.slice(0, equal).map((item) => wanted.equal.get(item.column) as () => Code);
    const range = (): IndexRange =>
      new IndexRange(
        store,
        index,
        { equal: values.map((v) => v()), from: null, to: null },
        direction === "backward",
      );
    best = { rank, access: { index, isOrdered: direction !== null, range } };
  }
  return best?.access ?? null;
}

function directionOf(
  items: readonly OrderItem[],
  equal: number,
  { equal: given, order, settled }: WantedRows,
): "forward" | "backward" | null {
  const asked = order.filter((o) => !given.has(o.column));
  // What all rows wanted have in common orders none of them.
  const rest = items.slice(equal).filter((item) => !given.has(item.column));
  if (order.length === 0 || asked.length > rest.length || (settled && asked.length < rest.length))
    return null;
  const runs = (turned: boolean): boolean =>
    asked.every(
      (o, i) =>
        o.column === rest[i]!.column &&
        (o.descending !== rest[i]!.descending) === turned &&
        (o.nullsFirst !== rest[i]!.nullsFirst) === turned,
    );
  if (runs(false)) return "forward";
  return !settled && runs(true) ? "backward" : null;
}
