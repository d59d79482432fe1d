/**
 * A table's rows as those look at them who decide what may be changed: by key, by what is unique, as of an epoch; and how keys are told
 * apart (a text that is equal for equal keys) and named in refusals.
 */
import { EvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { orderKeyOf } from "../../batch/order-key.ts";
import { valueToText } from "../../batch/text-form.ts";
import { carrierOf, type SqlType } from "../../batch/types.ts";
import { keyNameOf, type UniqueKey } from "../../plan/catalog.ts";
import { EveryRow } from "../../state/every-row.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { masksOf } from "../../state/null-masks.ts";
import { LAST_EPOCH } from "../../state/rows.ts";
import type { Store } from "../../state/store.ts";
import { RowEncoder } from "../../views/row-encoder.ts";
import { encodeDatum } from "../../views/view.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import { placedOf } from "../evolution/evolved.ts";

export type Row = readonly Datum[];

/** Slots looked at, or rows taken from disk, at once. */
const PIECE_ROWS = 256;

/** A unique constraint, and the index by which its rows are found. */
export interface UniqueIndex {
  readonly unique: UniqueKey;
  readonly index: HashIndex;
}

export class TableRows {
  readonly topic: TopicEntry;
  readonly store: Store;
  readonly uniques: readonly UniqueIndex[];
  readonly #places: readonly number[] | null;
  readonly #encoder: RowEncoder;
  readonly #keyIndex: HashIndex;

  constructor(topic: TopicEntry, store: Store, uniques: readonly UniqueIndex[]) {
    this.topic = topic;
    this.store = store;
    this.uniques = uniques;
    const { places, key } = placedOf(topic);
    this.#places = places;
    this.#encoder = new RowEncoder(store, topic.schema.fields, topic.key, places);
    // Every table's store has it: made anew it would only count one more user.
    this.#keyIndex = store.hashIndexes.find((x) => x.spec.unique && sameList(x.spec.columns, key ?? []))!;
  }

  get key(): readonly number[] {
    return this.topic.key as readonly number[];
  }

  keyOf(row: Row): Row {
    return this.key.map((c) => row[c] as Datum);
  }

  /** Equal for equal keys. */
  keyText(key: Row): string {
    return this.#textOf(this.key, key);
  }

  /** Equal for rows that may not both be there; null where a null makes the row like no other. */
  uniqueText(u: number, row: Row): string | null {
    const { columns, nullsNotDistinct } = (this.uniques[u] as UniqueIndex).unique;
    const values = columns.map((c) => row[c] as Datum);
    return !nullsNotDistinct && values.includes(null) ? null : this.#textOf(columns, values);
  }

  #textOf(columns: readonly number[], values: Row): string {
    const { fields } = this.topic.schema;
    // One value is its own text; no text has a NUL.
    if (columns.length === 1) {
      const only = canonical(fields[columns[0] as number]!.type, values[0] as Datum);
      return only === null ? "\0" : String(only);
    }
    return JSON.stringify(values.map((datum, i) => canonical(fields[columns[i] as number]!.type, datum)));
  }

  /** The slot of the row with this key visible at `epoch`, or -1. */
  find(key: Row, epoch: number): number {
    const index = this.#keyIndex;
    let slot = index.find(...this.#codes(this.key, key), ...masksOf(key));
    while (slot >= 0 && !this.store.visible(slot, epoch)) slot = index.next(slot);
    return slot;
  }

  /** The row with this key comes back from disk, if it may be there; null: then it is in memory or nowhere. To be asked before find(). */
  bring(key: Row): Promise<void> | null {
    const { cold } = this.store;
    if (cold === null || cold.isEmpty) return null;
    const { find } = this.#keyIndex;
    return cold.bring(
      () => this.#codes(this.key, key),
      () => {
        const slot = find(...this.#codes(this.key, key), ...masksOf(key));
        const isThere = slot >= 0 && this.store.visible(slot, LAST_EPOCH);
        if (isThere) cold.asked(slot);
        return isThere;
      },
    );
  }

  /** All rows visible at `epoch`, wherever they are; those of a turn of the event loop, one after the other. */
  async *all(epoch: number): AsyncGenerator<readonly Row[]> {
    const { store } = this;
    const pin = store.pin(epoch, true);
    const every = new EveryRow(store, epoch, PIECE_ROWS);
    let page: RowEncoder | null = null;
    const pageOf = (from: Store): RowEncoder =>
      (page ??= new RowEncoder(from, this.topic.schema.fields, this.topic.key, this.#places));
    try {
      for (let isMore = true; isMore; ) {
        const rows: Row[] = [];
        isMore = await every.next((from, slot) => {
          rows.push(this.#rowOf(from === store ? this.#encoder : pageOf(from), slot));
        });
        if (rows.length > 0) yield rows;
      }
    } finally {
      every.close();
      pin.release();
    }
  }

  /** Slots of rows visible at `epoch` that have the row's values of unique constraint `u`. */
  *sharing(u: number, row: Row, epoch: number): Generator<number> {
    const { unique, index } = this.uniques[u] as UniqueIndex;
    const values = unique.columns.map((c) => row[c] as Datum);
    let slot = index.find(...this.#codes(unique.columns, values), ...masksOf(values));
    for (; slot >= 0; slot = index.next(slot)) if (this.store.visible(slot, epoch)) yield slot;
  }

  #codes(columns: readonly number[], values: Row): number[] {
    const { dictionary } = this.store;
    return columns.map((c, i) =>
      encodeDatum(dictionary, this.topic.schema.fields[c]!.type, values[i] as Datum),
    );
  }

  rowAt(slot: number): Row {
    return this.#rowOf(this.#encoder, slot);
  }

  #rowOf(encoder: RowEncoder, slot: number): Row {
    return this.topic.schema.fields.map(({ type }, i) => {
      const datum = encoder.datum(slot, i);
      // The encoder gives safe integers as numbers; expressions take every int8 as a bigint.
      return typeof datum === "number" && carrierOf(type) === "int64" ? BigInt(datum) : datum;
    });
  }

  keyAt(slot: number): Row {
    return this.key.map((c) => this.#encoder.datum(slot, c));
  }

  /** A row with this key is there already. */
  duplicateKey(row: Row): EvertError {
    return this.#duplicate(keyNameOf(this.topic), this.key, row);
  }

  /** A row with these values of unique constraint `u` is there already. */
  duplicate(u: number, row: Row): EvertError {
    const { name, columns } = (this.uniques[u] as UniqueIndex).unique;
    return this.#duplicate(name, columns, row);
  }

  #duplicate(name: string, columns: readonly number[], row: Row): EvertError {
    return new EvertError("unique_violation", `duplicate key value violates unique constraint "${name}"`, {
      detail: `${keyWords(this.topic, columns, row)} already exists.`,
    });
  }
}

/** `Key (a, b)=(1, x)`. */
export function keyWords(
  { schema }: Pick<TopicEntry, "schema">,
  columns: readonly number[],
  row: Row,
): string {
  const names = columns.map((c) => schema.fields[c]!.name).join(", ");
  const values = columns
    .map((c) => valueToText(schema.fields[c]!.type, row[c] as Datum) ?? "null")
    .join(", ");
  return `Key (${names})=(${values})`;
}

/** `Failing row contains (1, null).` */
export function failingRow(topic: TopicEntry, row: Row): string {
  const { fields } = topic.schema;
  const width = topic.hiddenRowId ? fields.length - 1 : fields.length;
  const values = row.slice(0, width).map((d, c) => valueToText(fields[c]!.type, d) ?? "null");
  return `Failing row contains (${values.join(", ")}).`;
}

/** Identical for equal values: numerics without trailing zeros, zero without sign. */
function canonical(type: SqlType, datum: Datum): string | number[] | null {
  if (datum === null) return null;
  const carrier = carrierOf(type);
  if (carrier === "int32" || carrier === "int64" || carrier === "bool") return String(datum);
  if (type.name === "text" || type.name === "varchar") return datum as string;
  const text = valueToText(type, datum) as string;
  if (carrier === "double") return text === "-0" ? "0" : text;
  const order = orderKeyOf(type);
  if (order !== null) return [...order.of(text)];
  if (type.name !== "numeric" || !text.includes(".")) return text;
  return text.replace(/0+$/, "").replace(/\.$/, "");
}

function sameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((x, i) => x === b[i]);
}
