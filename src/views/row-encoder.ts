/**
 * Rows of a Store in the forms the outside wants: JSON text, PostgreSQL's text, TypeScript values, keys.
 *
 * One reader per column is chosen when the encoder is made; a row then costs a few calls and no object unless one was asked for.
 */

import { contentHash } from "../batch/content-hash.ts";
import type { Datum } from "../batch/convert.ts";
import { datumToValue } from "../batch/convert.ts";
import { setProperty, valueToJson } from "../batch/json.ts";
import type { Field } from "../batch/schema.ts";
import { valueToText } from "../batch/text-form.ts";
import { carrierOf, type SqlType } from "../batch/types.ts";
import { WIDE } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";

type Reader = (slot: number) => Datum;

export class RowEncoder {
  readonly fields: readonly Field[];
  readonly keyColumns: readonly number[] | null;
  /** Characters of the row whose digest was made last: what it cost. */
  hashedChars = 0;
  readonly #readers: readonly Reader[];
  readonly #prefixes: readonly string[];
  readonly #store: Store;

  /** `fields` are the first columns of the store, or those in these places; further ones are hidden. */
  constructor(
    store: Store,
    fields: readonly Field[],
    keyColumns: readonly number[] | null,
    places: readonly number[] | null = null,
  ) {
    this.#store = store;
    this.fields = fields;
    this.keyColumns = keyColumns;
    const columns = places ?? store.layout.columns.map((_, i) => i);
    this.#readers = columns.map((at) => columnReader(store, at));
    this.#prefixes = fields.map((f, i) => `${i === 0 ? "{" : ","}${JSON.stringify(f.name)}:`);
  }

  datum(slot: number, column: number): Datum {
    return (this.#readers[column] as Reader)(slot);
  }

  /** The value as JSON text; "null" for a null. */
  json(slot: number, column: number): string {
    const datum = (this.#readers[column] as Reader)(slot);
    return datum === null ? "null" : valueToJson((this.fields[column] as Field).type, datum);
  }

  /** `{"a":1,"b":null}` */
  rowJson(slot: number): string {
    const { fields } = this;
    if (fields.length === 0) return "{}";
    let out = "";
    for (let i = 0; i < fields.length; i++) out += (this.#prefixes[i] as string) + this.json(slot, i);
    return `${out}}`;
  }

  /** Every value as PostgreSQL prints it, or null. */
  texts(slot: number): (string | null)[] {
    return this.fields.map((f, i) => valueToText(f.type, this.datum(slot, i)));
  }

  /** The row in its TypeScript form. */
  row(slot: number): Record<string, unknown> {
    const row: Record<string, unknown> = {};
    for (let i = 0; i < this.fields.length; i++) {
      const field = this.fields[i] as Field;
      const datum = this.datum(slot, i);
      setProperty(row, field.name, datum === null ? null : datumToValue(field.type, datum));
    }
    return row;
  }

  /** JSON text of the key: the value of a single key column, an array of several. Only for views with a key. */
  keyJson(slot: number): string {
    const columns = this.keyColumns as readonly number[];
    if (columns.length === 1) return this.json(slot, columns[0] as number);
    return `[${columns.map((c) => this.json(slot, c)).join(",")}]`;
  }

  /** A digest of the row's content, for the key of a row that has none. */
  contentHash(slot: number): string {
    const text = this.rowJson(slot);
    this.hashedChars = text.length;
    return contentHash(text);
  }

  get store(): Store {
    return this.#store;
  }
}

/** Reads one column of a slot as a datum. */
function columnReader(store: Store, column: number): Reader {
  const { layout } = store;
  const { type } = layout.columns[column] as { type: SqlType };
  const stride = layout.strideWords;
  const word = layout.words[column] as number;
  const value = valueReader(store, type, stride, word);
  const nullWord = layout.nullWord[column] as number;
  if (nullWord < 0) return value;
  const bit = layout.nullBit[column] as number;
  return (slot) => ((((store.I[slot * stride + nullWord] as number) >>> bit) & 1) === 1 ? null : value(slot));
}

function valueReader(store: Store, type: SqlType, stride: number, word: number): Reader {
  const { dictionary } = store;
  const i32 = (slot: number): number => store.I[slot * stride + word] as number;
  const f64 = (slot: number): number => store.F[(slot * stride + word) >> 1] as number;
  const integer: Reader = (slot) => {
    const v = f64(slot);
    return v >= WIDE ? dictionary.bigint(v) : v;
  };
  switch (carrierOf(type)) {
    case "int32":
      return i32;
    case "bool":
      return (slot) => i32(slot) !== 0;
    case "double":
      return f64;
    case "int64":
      return integer;
    case "string":
      return (slot) => dictionary.string(i32(slot));
  }
}
