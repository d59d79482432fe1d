/**
 * A view as readers see it: rows of its Store at the published epoch, by key, by filter, in order.
 *
 * Reads are synchronous per slice and see one epoch: a read that takes more than a slice pins the epoch it began with and goes on
 * after the event loop has had its turn.
 */

import { EvertError } from "../base/errors.ts";
import type { Datum } from "../batch/convert.ts";
import { datumFromJson } from "../batch/convert.ts";
import { valueToJson } from "../batch/json.ts";
import type { Field } from "../batch/schema.ts";
import { physicalOf, type SqlType } from "../batch/types.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { HashIndex } from "../state/hash-index.ts";
import type { Code } from "../state/index-range.ts";
import { masksOf } from "../state/null-masks.ts";
import type { OrderedIndex, OrderItem } from "../state/ordered-index.ts";
import { LAST_EPOCH } from "../state/rows.ts";
import type { Store } from "../state/store.ts";
import { comparable, compareData } from "./compare-data.ts";
import { type IndexAccess, indexAccess } from "./index-access.ts";
import { Pace, type PaceOptions } from "./pace.ts";
import { type RowBytes, rowBytes } from "./row-bytes.ts";
import { RowEncoder } from "./row-encoder.ts";
import { sortInSlices } from "./sort-in-slices.ts";

export interface ViewShape {
  readonly name: string;
  readonly store: Store;
  /** Visible columns: the first of the store's. */
  readonly fields: readonly Field[];
  readonly keyColumns: readonly number[] | null;
  readonly order: readonly OrderItem[];
}

export interface RowsRequest {
  readonly where?: Readonly<Record<string, unknown>> | undefined;
  /** Column names, "-" in front for descending, or one of them; absent: the view's order. */
  readonly order?: string | readonly string[] | undefined;
  readonly limit?: number | undefined;
}

/** A request, looked at. */
export interface AskedRows {
  /** Whether the row is wanted, of the view's store or of the encoder's. */
  readonly accepts: (slot: number, encoder?: RowEncoder) => boolean;
  /** Infinity: all. */
  readonly limit: number;
  readonly order: readonly OrderItem[];
  /** The one key that is asked for; undefined: none. */
  readonly key: unknown;
}

/** Rows given to a reader at once. */
export const CHUNK_ROWS = 512;
/** Rows looked at between two looks at the clock. */
const SLICE_ROWS = 2048;

export class View {
  readonly name: string;
  readonly store: Store;
  readonly fields: readonly Field[];
  readonly keyColumns: readonly number[] | null;
  readonly order: readonly OrderItem[];
  readonly encoder: RowEncoder;
  #rowBytes: RowBytes | null = null;
  readonly #keyIndex: HashIndex | null;
  /** Of the view's own order. */
  readonly #own: OrderedIndex | null;

  constructor(shape: ViewShape) {
    this.name = shape.name;
    this.store = shape.store;
    this.fields = shape.fields;
    this.keyColumns = shape.keyColumns;
    this.order = shape.order;
    this.encoder = new RowEncoder(shape.store, shape.fields, shape.keyColumns);
    this.#keyIndex =
      shape.keyColumns === null ? null : shape.store.hashIndex({ columns: shape.keyColumns, unique: true });
    this.#own =
      shape.order.length === 0 ? null : shape.store.orderedIndex({ partition: [], order: shape.order });
  }

  /** The slot with this key visible at `epoch`, or -1. @throws EvertError when the view has no key or the key is not of its type. */
  find(key: unknown, epoch: number): number {
    const index = this.#keyIndex as HashIndex;
    const data = this.#keyData(key);
    let slot = index.find(...this.#codes(data), ...masksOf(data));
    while (slot >= 0 && !this.store.visible(slot, epoch)) slot = index.next(slot);
    return slot;
  }

  /**
   * The row with this key comes back from disk, if it may be there; null: then it is in memory or nowhere. To be asked before find(), and throws as
   * that does.
   */
  bring(key: unknown): Promise<void> | null {
    const { cold } = this.store;
    if (cold === null || cold.isEmpty) return null;
    const data = this.#keyData(key);
    const { find } = this.#keyIndex as HashIndex;
    return cold.bring(
      () => this.#codes(data),
      () => {
        const slot = find(...this.#codes(data), ...masksOf(data));
        const isThere = slot >= 0 && this.store.visible(slot, LAST_EPOCH);
        if (isThere) cold.asked(slot);
        return isThere;
      },
    );
  }

  #keyData(key: unknown): Datum[] {
    const columns = this.keyColumns;
    if (columns === null || this.#keyIndex === null) {
      throw new EvertError("invalid_request", `view "${this.name}" has no key`, {
        hint: "Read its rows with a filter instead.",
      });
    }
    const values = columns.length === 1 ? [key] : key;
    if (!Array.isArray(values) || values.length !== columns.length) {
      const names = columns.map((c) => (this.fields[c] as Field).name).join(", ");
      throw new EvertError(
        "invalid_request",
        `the key of "${this.name}" has ${columns.length} columns: ${names}`,
        {
          hint: "Give them as a JSON array.",
        },
      );
    }
    return columns.map((c, i) => {
      const field = this.fields[c] as Field;
      return datumFromJson(field.type, values[i], field.name);
    });
  }

  /** Of key values, as rows hold them: good for the turn at hand. */
  #codes(data: readonly Datum[]): number[] {
    return (this.keyColumns as readonly number[]).map((c, i) =>
      encodeDatum(this.store.dictionary, (this.fields[c] as Field).type, data[i] as Datum),
    );
  }

  /** The version that the step of this epoch ended, of the key of a slot that it began; -1: none. Only for views with a key. */
  diedIn(epoch: number, slot: number): number {
    const { deathWord, strideWords } = this.store.layout;
    // The next older version is the one, or none is: those before it died earlier.
    const version = (this.#keyIndex as HashIndex).next(slot);
    return version >= 0 && this.store.I[version * strideWords + deathWord] === epoch ? version : -1;
  }

  /** The version that the step of this epoch began, of the key of a slot that it ended; -1: none. Only for views with a key. */
  bornIn(epoch: number, slot: number): number {
    const index = this.#keyIndex as HashIndex;
    // Newer ones come first: those of later steps, which nobody has been shown.
    let version = index.like(slot);
    while (version >= 0 && this.store.birthOf(version) > epoch) version = index.next(version);
    return version >= 0 && this.store.birthOf(version) === epoch ? version : -1;
  }

  /** Its rows as bytes of JSON. */
  get rowBytes(): RowBytes {
    return (this.#rowBytes ??= rowBytes(this.encoder));
  }

  /** Whether the keys of two slots are the same text. Only for views with a key. */
  printsSameKey(a: number, b: number): boolean {
    return this.rowBytes.sameKey(a, b) || this.encoder.keyJson(a) === this.encoder.keyJson(b);
  }

  /** The key as JSON text, in the form keys have in snapshots and changes. */
  keyText(key: unknown): string {
    const columns = this.keyColumns;
    if (columns === null) return JSON.stringify(key);
    const values = columns.length === 1 ? [key] : Array.isArray(key) ? key : [];
    const texts = columns.map((c, i) => {
      const field = this.fields[c] as Field;
      const datum = datumFromJson(field.type, values[i], field.name);
      return datum === null ? "null" : valueToJson(field.type, datum);
    });
    return texts.length === 1 ? (texts[0] as string) : `[${texts.join(",")}]`;
  }

  /** Calls `emit` with each wanted row, as slots() gives them. REQUIRES that all rows are in memory (read-rows.ts does not). */
  async scan(
    epoch: number,
    request: RowsRequest,
    emit: (slot: number) => void,
    options: PaceOptions = {},
  ): Promise<void> {
    for await (const slots of this.slots(epoch, request, options)) for (const slot of slots) emit(slot);
  }

  /**
   * The wanted rows in order, at most `limit` of them, in chunks of at most CHUNK_ROWS. A row of weight n comes n times. Pins `epoch` from
   * the first next() to the end or return(), so that the slots stay what they are however slowly they are taken. What is done with a chunk
   * counts for the turn in which it was given. REQUIRES that all rows are in memory as it begins.
   */
  async *slots(
    epoch: number,
    request: RowsRequest,
    options: PaceOptions = {},
  ): AsyncGenerator<readonly number[]> {
    const { accepts, limit, order: asked, key } = this.asked(request);
    if (limit === 0) return;
    const pin = this.store.pin(epoch);
    try {
      if (key !== undefined) {
        const slot = this.find(key, epoch);
        if (slot >= 0 && accepts(slot)) yield [slot];
        return;
      }
      const pace = new Pace(options);
      const equal = this.#equalities(request.where);
      const access = indexAccess(this.store, { equal, order: asked, settled: asked === this.order });
      if (access === null && asked.length === 0) {
        yield* this.#met(epoch, accepts, limit, pace);
        return;
      }
      const slots = await this.#collect(access, epoch, accepts, asked, limit, pace);
      let chunk: number[] = [];
      let left = limit;
      for (const slot of slots) {
        for (let w = this.store.weight(slot); w > 0 && left > 0; w--, left--) {
          chunk.push(slot);
          if (chunk.length < CHUNK_ROWS) continue;
          yield chunk;
          chunk = [];
          await pace.pause();
        }
        if (left === 0) break;
      }
      if (chunk.length > 0) yield chunk;
    } finally {
      pin.release();
    }
  }

  /** Slots that pass, as they are met: nothing is held but a chunk. */
  async *#met(
    epoch: number,
    accepts: (slot: number) => boolean,
    limit: number,
    pace: Pace,
  ): AsyncGenerator<readonly number[]> {
    const { store } = this;
    let chunk: number[] = [];
    let left = limit;
    // What comes meanwhile is not visible.
    const end = store.highWater;
    for (let slot = 0; slot < end && left > 0; slot++) {
      if (store.visible(slot, epoch) && accepts(slot)) {
        for (let w = store.weight(slot); w > 0 && left > 0; w--, left--) {
          chunk.push(slot);
          if (chunk.length < CHUNK_ROWS) continue;
          yield chunk;
          chunk = [];
          await pace.pause();
        }
      }
      if (slot % SLICE_ROWS === SLICE_ROWS - 1) await pace.pause();
    }
    if (chunk.length > 0) yield chunk;
  }

  /** What a request asks for. @throws EvertError where it is none. */
  asked(request: RowsRequest): AskedRows {
    const accepts = this.#filter(request.where);
    const limit = request.limit ?? Number.POSITIVE_INFINITY;
    if (limit < 0 || (limit !== Number.POSITIVE_INFINITY && !Number.isSafeInteger(limit))) {
      throw new EvertError("invalid_request", `${limit} is not a number of rows`, {
        hint: "A limit is 0, 1, 2, ...",
      });
    }
    const order = request.order === undefined ? this.order : this.#orderItems(request.order);
    return { accepts, limit, order, key: this.#wholeKey(request.where) };
  }

  /** Slots that pass, in order. An order other than the view's own is found by sorting. */
  async #collect(
    access: IndexAccess | null,
    epoch: number,
    accepts: (slot: number) => boolean,
    order: readonly OrderItem[],
    limit: number,
    pace: Pace,
  ): Promise<number[]> {
    const { store } = this;
    const slots: number[] = [];
    if (access?.isOrdered === true) return this.#walked(access, epoch, accepts, limit, pace);
    if (access !== null) {
      const found = await this.#walked(
        access,
        epoch,
        accepts,
        order.length > 0 ? Number.POSITIVE_INFINITY : limit,
        pace,
      );
      if (order.length > 0) await sortInSlices(found, this.#comparator(order), pace);
      return found;
    }
    for (let slot = 0; slot < store.highWater; slot++) {
      if (store.visible(slot, epoch) && accepts(slot)) slots.push(slot);
      if (slot % SLICE_ROWS === SLICE_ROWS - 1) await pace.pause();
    }
    await sortInSlices(slots, this.#comparator(order), pace);
    return slots;
  }

  /** Slots that pass, in the order of an index, which stays for as long. */
  async #walked(
    access: IndexAccess,
    epoch: number,
    accepts: (slot: number) => boolean,
    limit: number,
    pace: Pace,
  ): Promise<number[]> {
    const { store } = this;
    const { index } = access;
    const leased = store.orderedIndex(index.spec);
    const slots: number[] = [];
    try {
      let range = access.range();
      let position = range.start();
      for (let n = 1; position >= 0 && slots.length < limit; n++) {
        const slot = index.slot(position);
        const isVisible = store.visible(slot, epoch);
        if (isVisible && accepts(slot)) slots.push(slot);
        if (isVisible && n >= SLICE_ROWS) {
          // Positions hold only until the next change. After a pause the walk goes on behind the row that the pin keeps in the tree.
          await pace.pause();
          n = 0;
          range = access.range();
          position = range.start(slot);
        } else position = range.next(position);
      }
    } finally {
      store.dropIndex(leased);
    }
    return slots;
  }

  /** What `where` asks of each column. */
  #equalities(where: RowsRequest["where"]): Map<number, () => Code> {
    return new Map(
      Object.entries(where ?? {}).map(([name, value]) => {
        const column = this.#column(name);
        const { type } = this.fields[column] as Field;
        const datum = datumFromJson(type, value, name);
        return [column, () => (datum === null ? null : encodeDatum(this.store.dictionary, type, datum))];
      }),
    );
  }

  #filter(where: Readonly<Record<string, unknown>> | undefined): AskedRows["accepts"] {
    if (where === undefined) return () => true;
    const tests = Object.entries(where).map(([name, value]) => {
      const column = this.#column(name);
      const { type } = this.fields[column] as Field;
      const wanted = datumFromJson(type, value, name);
      return { column, wanted: wanted === null ? null : comparable(type, wanted), type };
    });
    if (tests.length === 0) return () => true;
    return (slot, encoder = this.encoder) =>
      tests.every(({ column, wanted, type }) => {
        const datum = encoder.datum(slot, column);
        return datum === null || wanted === null
          ? datum === wanted
          : Object.is(comparable(type, datum), wanted);
      });
  }

  /** The key, if all of it is given, as find() takes it. */
  #wholeKey(where: Readonly<Record<string, unknown>> | undefined): unknown {
    const columns = this.keyColumns;
    if (where === undefined || columns === null || columns.length === 0) return undefined;
    const names = columns.map((c) => (this.fields[c] as Field).name);
    if (!names.every((name) => Object.hasOwn(where, name))) return undefined;
    return names.length === 1 ? where[names[0] as string] : names.map((name) => where[name]);
  }

  #orderItems(names: string | readonly string[]): OrderItem[] {
    return (typeof names === "string" ? [names] : names).map((name) => {
      const descending = name.startsWith("-");
      const column = this.#column(descending ? name.slice(1) : name);
      return { column, descending, nullsFirst: descending };
    });
  }

  #column(name: string): number {
    const column = this.fields.findIndex((f) => f.name === name);
    if (column < 0) {
      throw new EvertError("undefined_column", `view "${this.name}" has no column "${name}"`, {
        hint: `Its columns are ${this.fields.map((f) => f.name).join(", ")}.`,
      });
    }
    return column;
  }

  #comparator(order: readonly OrderItem[]): (a: number, b: number) => number {
    const own = order === this.order ? this.#own : null;
    return own !== null ? (a, b) => own.compare(a, b) : this.comparator(order, this.encoder);
  }

  /** Of slots of the encoder's store, which has the columns of this view's. */
  comparator(order: readonly OrderItem[], encoder: RowEncoder): (a: number, b: number) => number {
    return (a, b) => {
      for (const { column, descending, nullsFirst } of order) {
        const x = encoder.datum(a, column);
        const y = encoder.datum(b, column);
        if (x === null || y === null) {
          if (x === y) continue;
          return (x === null) === nullsFirst ? -1 : 1;
        }
        const d = compareData((this.fields[column] as Field).type, x, y);
        if (d !== 0) return descending ? -d : d;
      }
      return a - b;
    };
  }
}

/** A datum as the number a state row holds. */
export function encodeDatum(dictionary: Dictionary, type: SqlType, datum: Datum): number {
  if (datum === null) return 0;
  switch (physicalOf(type)) {
    case "i32":
      return Number(datum);
    case "f64": {
      if (typeof datum !== "bigint") return datum as number;
      const safe = datum <= 9007199254740991n && datum >= -9007199254740991n;
      return safe ? Number(datum) : dictionary.internBigInt(datum);
    }
    case "ref":
      return dictionary.internString(datum as string);
  }
}
