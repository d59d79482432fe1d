/** The rows of a view at one epoch, as a subscriber is given them first: all, in slices between turns of the event loop, or those of some keys. */
import { type SqlType, typeTag } from "../batch/types.ts";
import { Pace, type Turn } from "./pace.ts";
import { snapshotRows } from "./step-changes.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { View } from "./view.ts";
import type { WatchedView } from "./watch.ts";

/** Of one message, which ends with the row that reaches either. */
const SNAPSHOT_ROWS = 10_000;
const SNAPSHOT_CHARS = 1 << 20;
/** Slots looked at between two looks at the clock. */
const SLOTS_PER_LOOK = 64;

/** `epoch` is pinned. `keys`: as JSON text and as they were given; null: all rows. */
export async function* snapshot(
  { view, stalePosition }: WatchedView,
  epoch: number,
  position: number,
  keys: ReadonlyMap<string, unknown> | null,
  turn: Turn,
): AsyncGenerator<SubscriptionItem> {
  const { store } = view;
  const head = {
    type: "snapshot" as const,
    view: view.name,
    columns: view.fields.map(columnMessage),
    keyColumns: (view.keyColumns ?? []).map((c) => view.fields[c]!.name),
    order: view.order
      .filter((o) => o.column < view.fields.length)
      .map((o) => ({
        column: view.fields[o.column]!.name,
        descending: o.descending,
        nullsFirst: o.nullsFirst,
      })),
    position: String(stalePosition ?? position),
    ...(stalePosition === undefined ? {} : { stale: true as const }),
  };
  let rows: string[] = [];
  let chars = 0;
  const pace = new Pace({ turn });
  const found = keys === null ? null : slotsOf(view, epoch, keys);
  const slots = found?.length ?? store.highWater;
  for (let i = 0; i < slots; i++) {
    if (i % SLOTS_PER_LOOK === 0) await pace.pause();
    const slot = found === null ? i : (found[i] as number);
    if (found === null && !store.visible(slot, epoch)) continue;
    for (const { json, key } of snapshotRows(view.encoder, slot, store.weight(slot))) {
      if (keys !== null && !keys.has(key)) continue;
      rows.push(json);
      chars += json.length;
      if (rows.length < SNAPSHOT_ROWS && chars < SNAPSHOT_CHARS) continue;
      yield { ...head, rowsJson: rows, last: false };
      rows = [];
      chars = 0;
      await pace.pause();
    }
  }
  yield { ...head, rowsJson: rows, last: true };
}

/** Slots of the rows with these keys, found by the index of the view's key; null where it has none, and all rows are to be looked at. */
function slotsOf(view: View, epoch: number, keys: ReadonlyMap<string, unknown>): number[] | null {
  if (view.keyColumns === null) return null;
  const slots = new Set<number>();
  for (const key of keys.values()) slots.add(view.find(key, epoch));
  slots.delete(-1);
  return [...slots];
}

/** A column as a snapshot tells it; an enum's labels, so that the other end can order by them. */
function columnMessage({ name, type }: { readonly name: string; readonly type: SqlType }) {
  const labels = type.labels ?? type.element?.labels;
  return labels === undefined ? { name, type: typeTag(type) } : { name, type: typeTag(type), labels };
}
