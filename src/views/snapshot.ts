/** The rows of a view at one epoch, as a subscriber is given them first: all, in slices between turns of the event loop, or those of some keys. */
import type { Slices } from "../base/slices.ts";
import { type SqlType, typname } from "../batch/types.ts";
import { EveryViewRow, type TakeRow } from "./every-row.ts";
import { Pace, type Turn } from "./pace.ts";
import { type SnapshotRow, snapshotRows } from "./step-changes.ts";
import type { SubscriptionItem } from "./subscription-item.ts";
import type { View } from "./view.ts";
import type { WatchedView } from "./watch.ts";

/** Of one message, which ends with the row that reaches either. */
const SNAPSHOT_ROWS = 10_000;
const SNAPSHOT_CHARS = 1 << 20;
/** Made of rows before the clock is looked at, whatever their length. */
const TURN_CHARS = 64 << 10;

/**
 * `name`: what the view is called by who asks. `epoch` is pinned; rows of it may move. `keys`: as JSON text and as they were given; null: all rows.
 */
export async function* snapshot(
  name: string,
  { view, stalePosition }: WatchedView,
  { epoch, position }: { readonly epoch: number; readonly position: number },
  keys: ReadonlyMap<string, unknown> | null,
  { turn, slices, looked }: { readonly turn: Turn; readonly slices: Slices; readonly looked: () => void },
): AsyncGenerator<SubscriptionItem> {
  const head = {
    type: "snapshot" as const,
    view: name,
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
  const pace = new Pace({ turn, slices });
  const source: RowSource =
    keys !== null && view.keyColumns !== null
      ? new KeyedRows(view, epoch, [...keys.values()])
      : new EveryViewRow(view, epoch);
  let found: Iterable<SnapshotRow>[] = [];
  let foundChars = 0;
  const take: TakeRow = (encoder, slot) => {
    const { chars, rows } = snapshotRows(encoder, slot, encoder.store.weight(slot));
    found.push(rows);
    foundChars += chars;
    return foundChars >= TURN_CHARS;
  };
  try {
    while (await source.next(take)) {
      for (const { json, key } of each(found)) {
        if (keys !== null && !keys.has(key)) continue;
        rows.push(json);
        chars += json.length;
        if (rows.length < SNAPSHOT_ROWS && chars < SNAPSHOT_CHARS) continue;
        yield { ...head, rowsJson: rows, last: false };
        rows = [];
        chars = 0;
        await pace.pause();
      }
      found = [];
      foundChars = 0;
      looked();
      await pace.pause();
    }
    yield { ...head, rowsJson: rows, last: true };
  } finally {
    source.close();
  }
}

function* each<T>(lists: readonly Iterable<T>[]): Generator<T> {
  for (const list of lists) yield* list;
}

/** Where rows come from, a piece at a time. */
type RowSource = Pick<EveryViewRow, "next" | "close">;

/** Rows of a view by their keys, wherever they are. */
class KeyedRows implements RowSource {
  readonly #view: View;
  readonly #epoch: number;
  readonly #keys: unknown[];
  readonly #told = new Set<string>();

  constructor(view: View, epoch: number, keys: unknown[]) {
    this.#view = view;
    this.#epoch = epoch;
    this.#keys = keys;
  }

  async next(take: TakeRow): Promise<boolean> {
    const key = this.#keys.pop();
    if (key === undefined) return false;
    const view = this.#view;
    await view.bring(key);
    const slot = view.find(key, this.#epoch);
    if (slot < 0) return true;
    // Keys that print differently may be one.
    const text = view.encoder.keyJson(slot);
    if (!this.#told.has(text)) take(view.encoder, slot);
    this.#told.add(text);
    return true;
  }

  close(): void {}
}

/** A column as a snapshot tells it; an enum's labels, so that the other end can order by them. */
function columnMessage({ name, type }: { readonly name: string; readonly type: SqlType }) {
  const labels = type.labels ?? type.element?.labels;
  return labels === undefined ? { name, type: typname(type) } : { name, type: typname(type), labels };
}
