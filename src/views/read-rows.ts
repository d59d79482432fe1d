/**
 * Rows of a view as a reader wants them, also where some of them are on disk.
 *
 * All in memory: View.slots() finds them, and its pin keeps them there. Else
 * - by its whole key a row is brought back and found;
 * - without an order rows are given as they are met (every-row.ts);
 * - in an order those that are wanted are copied, for slots do not last, and sorted. Where a limit is given, now and then all but the first so many
 *   are thrown away; without one they have to fit in some memory. (A view with an order of its own, and one with a declared index, has all rows in
 *   memory.)
 */
import { EvertError } from "../base/errors.ts";
import type { OrderItem } from "../state/ordered-index.ts";
import { Store } from "../state/store.ts";
import { EveryViewRow } from "./every-row.ts";
import { Pace, type PaceOptions } from "./pace.ts";
import { RowEncoder } from "./row-encoder.ts";
import { sortInSlices } from "./sort-in-slices.ts";
import { type AskedRows, CHUNK_ROWS, type RowsRequest, type View } from "./view.ts";

/** Copied rows beyond twice the limit, before some are thrown away. */
const SPARE_ROWS = 4_096;
/** What copied rows may take, beside their texts. */
const COPIED_BYTES_MAX = 64 << 20;

export interface ReadOptions extends PaceOptions {
  /** Told now and then, for texts of rows from disk are to be freed. */
  readonly looked?: () => void;
}

/** What `take` makes of each wanted row, in the turn in which it is found; a row of weight n is taken n times. Pins `epoch` until its end. */
export async function* readRows<T>(
  view: View,
  epoch: number,
  request: RowsRequest,
  take: (encoder: RowEncoder, slot: number) => T,
  options: ReadOptions,
): AsyncGenerator<readonly T[]> {
  const { cold } = view.store;
  if (cold === null || cold.isEmpty) {
    yield* found(view, epoch, request, take, options);
    return;
  }
  const asked = view.asked(request);
  if (asked.limit === 0) return;
  const pin = view.store.pin(epoch, true);
  try {
    if (asked.key !== undefined) {
      await view.bring(asked.key);
      const slot = view.find(asked.key, epoch);
      if (slot >= 0 && asked.accepts(slot)) yield [take(view.encoder, slot)];
    } else if (asked.order.length === 0) yield* met(view, epoch, asked, take, options);
    else yield* sorted(view, epoch, asked, take, options);
  } finally {
    pin.release();
  }
}

async function* found<T>(
  view: View,
  epoch: number,
  request: RowsRequest,
  take: (encoder: RowEncoder, slot: number) => T,
  options: ReadOptions,
): AsyncGenerator<readonly T[]> {
  const pace = new Pace(options);
  for await (const slots of view.slots(epoch, request, options)) {
    let rows: T[] = [];
    for (const slot of slots) {
      rows.push(take(view.encoder, slot));
      // Rows may be long.
      if (!pace.isOver) continue;
      yield rows;
      rows = [];
      await pace.pause();
    }
    if (rows.length > 0) yield rows;
  }
}

async function* met<T>(
  view: View,
  epoch: number,
  { accepts, limit }: AskedRows,
  take: (encoder: RowEncoder, slot: number) => T,
  { looked = () => {}, ...options }: ReadOptions,
): AsyncGenerator<readonly T[]> {
  const pace = new Pace(options);
  const all = new EveryViewRow(view, epoch);
  let rows: T[] = [];
  let left = limit;
  const each = (encoder: RowEncoder, slot: number): boolean => {
    if (!accepts(slot, encoder)) return false;
    for (let w = encoder.store.weight(slot); w > 0 && left > 0; w--, left--) rows.push(take(encoder, slot));
    return pace.isOver;
  };
  try {
    while (left > 0 && (await all.next(each))) {
      if (rows.length >= CHUNK_ROWS) {
        yield rows;
        rows = [];
      }
      looked();
      await pace.pause();
    }
    if (rows.length > 0) yield rows;
  } finally {
    all.close();
  }
}

async function* sorted<T>(
  view: View,
  epoch: number,
  { accepts, limit, order }: AskedRows,
  take: (encoder: RowEncoder, slot: number) => T,
  { looked = () => {}, ...options }: ReadOptions,
): AsyncGenerator<readonly T[]> {
  const pace = new Pace(options);
  const all = new EveryViewRow(view, epoch);
  const copies = new Copies(view, order);
  try {
    const each = (encoder: RowEncoder, slot: number): void => {
      if (accepts(slot, encoder)) copies.add(encoder.store, slot);
    };
    while (await all.next(each)) {
      if (copies.slots.length >= 2 * limit + SPARE_ROWS) await copies.keepFirst(limit, pace);
      if (copies.bytes > COPIED_BYTES_MAX) {
        throw new EvertError("statement_too_complex", "there are too many rows to be put in order", {
          detail: `Most rows of "${view.name}" are on disk, and those that are to be sorted take more than ${COPIED_BYTES_MAX >> 20} MiB.`,
          hint: "Give a limit or a filter, or make an index in this order, which keeps the rows in memory.",
        });
      }
      looked();
      await pace.pause();
    }
    await copies.keepFirst(limit, pace);
    const { encoder } = copies;
    let rows: T[] = [];
    let left = limit;
    for (const slot of copies.slots) {
      for (let w = encoder.store.weight(slot); w > 0 && left > 0; w--, left--) {
        rows.push(take(encoder, slot));
        if (rows.length < CHUNK_ROWS) continue;
        yield rows;
        rows = [];
        await pace.pause();
      }
    }
    if (rows.length > 0) yield rows;
  } finally {
    all.close();
    copies.discard();
  }
}

/** Copies of a view's rows, in a store that nobody else knows. */
class Copies {
  readonly encoder: RowEncoder;
  slots: number[] = [];
  readonly #store: Store;
  readonly #free: number[] = [];
  readonly #compare: (a: number, b: number) => number;

  constructor(view: View, order: readonly OrderItem[]) {
    const { store, fields, keyColumns } = view;
    this.#store = new Store(store.name, store.layout.columns, store.dictionary);
    this.encoder = new RowEncoder(this.#store, fields, keyColumns);
    this.#compare = view.comparator(order, this.encoder);
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  add(from: Store, row: number): void {
    const store = this.#store;
    const { strideWords, weightWord } = store.layout;
    let slot = this.#free.pop();
    if (slot === undefined) {
      store.reserve(1);
      slot = store.alloc();
    }
    const source = row * strideWords;
    const target = slot * strideWords;
    for (let w = 0; w <= weightWord; w++) store.I[target + w] = from.I[source + w] as number;
    store.retain(slot);
    this.slots.push(slot);
  }

  /** Sorts them, and keeps so many. */
  async keepFirst(rows: number, pace: Pace): Promise<void> {
    await sortInSlices(this.slots, this.#compare, pace);
    for (const slot of this.slots.splice(rows)) this.#drop(slot);
  }

  #drop(slot: number): void {
    this.#store.release(slot);
    this.#free.push(slot);
  }

  discard(): void {
    for (const slot of this.slots.splice(0)) this.#drop(slot);
  }
}
