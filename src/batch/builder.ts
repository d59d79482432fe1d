/**
 * Rows to batches: the one way of JSON-like objects and of columns into a commit.
 *
 * A row goes in whole or not at all. Properties are read by name, a missing one is the column's fallback or null, an unknown one is refused. Here each column's
 * append is one call, and an object of five properties takes well under a microsecond; where many rows come together, a loop
 * generated for the schema takes the usual ones (row-loop.ts) in a fifth of that.
 */
import type { Arena } from "../base/arena.ts";
import { assert } from "../base/assert.ts";
import { editDistance } from "../base/edit-distance.ts";
import { EvertError } from "../base/errors.ts";
import type { Batch } from "./batch.ts";
import { getBit } from "./bitmap.ts";
import { type ColumnBuilder, columnBuilderFor } from "./column-builder.ts";
import { nullRefused, typeMismatch } from "./convert.ts";
import { setProperty } from "./json.ts";
import { type JsonText, jsonLoopFor } from "./json-loop.ts";
import { BLOCK_ROWS, type RowLoop, rowLoopFor } from "./row-loop.ts";
import type { Schema } from "./schema.ts";
import { sameType } from "./types.ts";
import { Utf8Builder } from "./utf8-builder.ts";
import { describe, firstStep, prefixPath, propertyStep, ValueError } from "./value-error.ts";

/** Fewer rows at once are not worth a loop of their own. */
const LOOP_ROWS_MIN = 2;
/** Records taken off a text at once: what is done before and after then costs little. */
const JSON_ROWS = 256;
const JSON_ROWS_MIN = 16;
/** Few records are shorter; where they are, the loop is called more often. */
const JSON_ROW_BYTES = 16;
/** Rows for which room is made at once. */
const RESERVED_ROWS_MAX = 65_536;

export class BatchBuilder {
  readonly schema: Schema;
  readonly #columns: readonly ColumnBuilder[];
  readonly #names: ReadonlySet<string>;
  /** Columns named like something every object inherits ("constructor"): only an own property counts. */
  readonly #hasInheritedNames: boolean;
  readonly #textColumns: readonly Utf8Builder[];
  /** Without text; a bit for each possible null. */
  readonly #rowBytes: number;
  #length = 0;

  constructor(schema: Schema) {
    this.schema = schema;
    this.#columns = schema.fields.map(columnBuilderFor);
    this.#textColumns = this.#columns.filter((column) => column instanceof Utf8Builder);
    this.#rowBytes = this.#columns.reduce(
      (sum, { rowBytes, nullable }) => sum + rowBytes + (nullable ? 1 / 8 : 0),
      0,
    );
    this.#names = new Set(schema.fields.map((field) => field.name));
    this.#hasInheritedNames = schema.fields.some((field) => field.name in Object.prototype);
  }

  get length(): number {
    return this.#length;
  }

  /** About the size of what finish() would return, encoded. Cheap enough to ask after every row. */
  get byteLength(): number {
    let bytes = Math.ceil(this.#length * this.#rowBytes);
    for (const column of this.#textColumns) bytes += column.dataBytes;
    return bytes;
  }

  /** By column, what rows given as objects have that do not name it (fallbackValue() makes them); undefined: null. `null`: no column has one. */
  setFallbacks(values: readonly unknown[] | null): void {
    this.#columns.forEach((column, k) => {
      column.fallback = values?.[k];
    });
  }

  /**
   * One JSON-like object. `path` says where it stands, for messages: `appendRow(row, "records", 3)` fails with `records[3].price: ...`.
   * @throws EvertError of the value that does not fit; the builder is as it was.
   */
  appendRow(value: unknown, path = "", index = -1): void {
    const row = this.#object(value, path, index);
    const columns = this.#columns;
    let k = 0;
    try {
      for (; k < columns.length; k++) {
        const column = columns[k] as ColumnBuilder;
        const given = this.#hasInheritedNames ? ownProperty(row, column.name) : row[column.name];
        const property = given === undefined ? column.fallback : given;
        if (property !== null && property !== undefined) column.append(property);
        else if (column.nullable) column.appendNull();
        else {
          // A name that is misspelt is why another is missing.
          if (property === undefined) this.#refuseUnknown(row);
          throw nullRefused("", property === undefined);
        }
      }
      this.#refuseUnknown(row);
    } catch (error) {
      this.#restore();
      const isUnknown = error instanceof ValueError && error.code === "undefined_column";
      const step = isUnknown || k === columns.length ? "" : propertyStep((columns[k] as ColumnBuilder).name);
      throw locate(error, path, index, step);
    }
    this.#length++;
  }

  /**
   * rows[from, to), all of them or none. @throws as appendRow, with the index in `rows`.
   */
  appendRows(rows: readonly unknown[], path = "", from = 0, to: number = rows.length): void {
    const before = this.#length;
    const loop = to - from < LOOP_ROWS_MIN ? null : rowLoopFor(this.schema);
    try {
      if (loop === null) for (let i = from; i < to; i++) this.appendRow(rows[i], path, i);
      else this.#loopOver(loop, rows, path, from, to);
    } catch (error) {
      this.truncate(before);
      throw error;
    }
  }

  #loopOver(loop: RowLoop, rows: readonly unknown[], path: string, from: number, to: number): void {
    for (const column of this.#columns) column.reserve(Math.min(to - from, RESERVED_ROWS_MAX));
    // Rows taken one by one after the loop has stopped; more and more of them while it takes none.
    let aside = 1;
    for (let i = from; i < to; ) {
      const taken = this.#loopBlock(loop, rows, i, Math.min(to, i + BLOCK_ROWS));
      i += taken;
      if (taken === BLOCK_ROWS) continue;
      aside = taken > 0 ? 1 : Math.min(aside * 2, BLOCK_ROWS);
      for (const end = Math.min(to, i + aside); i < end; i++) this.appendRow(rows[i], path, i);
    }
  }

  /** Takes records off the front of a text while they are as they usually are, some hundreds at most. Returns how many. */
  appendJson(text: JsonText, rowsMax: number = JSON_ROWS): number {
    const loop = jsonLoopFor(this.schema);
    if (loop === null) return 0;
    const columns = this.#columns;
    let rows = Math.min(rowsMax, JSON_ROWS, Math.ceil((text.to - text.from) / JSON_ROW_BYTES));
    // Not to grow for rows that may not come: what room there is, is used up first.
    for (const { room } of columns) if (room >= JSON_ROWS_MIN && room < rows) rows = room;
    for (const column of columns) column.openBlock(rows);
    const taken = loop(text, rows, columns);
    for (const column of columns) column.closeBlock(taken);
    this.#length += taken;
    return taken;
  }

  /** Rows taken, of rows[from, to). */
  #loopBlock(loop: RowLoop, rows: readonly unknown[], from: number, to: number): number {
    const columns = this.#columns;
    for (const column of columns) column.openBlock(to - from);
    let taken = 0;
    try {
      taken = loop(rows, from, to, columns);
    } catch {
      return 0; // row by row it will throw again, and say where
    }
    for (const column of columns) column.closeBlock(taken);
    this.#length += taken;
    return taken;
  }

  /** One row by position: `values[i]` for column i. @throws as appendRow */
  appendValues(values: readonly unknown[], path = "", index = -1): void {
    const columns = this.#columns;
    if (values.length !== columns.length) {
      const reason = `expected ${columns.length} values, got ${values.length}`;
      throw locate(new ValueError("invalid_value", "", reason), path, index, "");
    }
    let k = 0;
    try {
      for (; k < columns.length; k++) {
        const column = columns[k] as ColumnBuilder;
        const value = values[k];
        if (value !== null && value !== undefined) column.append(value);
        else if (column.nullable) column.appendNull();
        else throw nullRefused("", value === undefined);
      }
    } catch (error) {
      this.#restore();
      throw locate(error, path, index, propertyStep((columns[k] as ColumnBuilder).name));
    }
    this.#length++;
  }

  /** One row, of which `write` gives every column one value. @throws what it throws; the builder is as it was. */
  appendBy(write: (columns: readonly ColumnBuilder[]) => void): void {
    try {
      write(this.#columns);
    } catch (error) {
      this.#restore();
      throw error;
    }
    this.#length++;
  }

  /** A deletion: the key columns are taken from the object, every other column is null, nullable or not. */
  appendKeyOnly(value: unknown, keyColumns: readonly number[], path = "", index = -1): void {
    const row = this.#object(value, path, index);
    const columns = this.#columns;
    let k = 0;
    try {
      for (; k < columns.length; k++) {
        const column = columns[k] as ColumnBuilder;
        if (!keyColumns.includes(k)) {
          column.appendNull();
          continue;
        }
        const property = ownProperty(row, column.name);
        if (property === null || property === undefined) throw nullRefused("", property === undefined);
        column.append(property);
      }
      this.#refuseUnknown(row);
    } catch (error) {
      this.#restore();
      const step = k < columns.length ? propertyStep((columns[k] as ColumnBuilder).name) : "";
      throw locate(error, path, index, step);
    }
    this.#length++;
  }

  /** `count` rows of nulls, nullable or not. */
  appendNulls(count: number): void {
    for (const column of this.#columns) for (let i = 0; i < count; i++) column.appendNull();
    this.#length += count;
  }

  /**
   * Rows [from, to) of a batch with the same columns. Nulls where none may be are refused unless `allowNulls` (deletions).
   * @throws datatype_mismatch, not_null_violation; the builder is as it was.
   */
  appendBatch(batch: Batch, from = 0, to: number = batch.length, allowNulls = false): void {
    assert(batch.weights === null, "a builder's rows have weight 1");
    assert(from >= 0 && from <= to && to <= batch.length, "the range of rows lies in the batch");
    this.#checkColumns(batch);
    if (!allowNulls) checkNulls(batch, this.schema, from, to);
    try {
      for (let k = 0; k < this.#columns.length; k++) {
        (this.#columns[k] as ColumnBuilder).appendColumn(batch.columns[k]!, from, to);
      }
    } catch (error) {
      this.#restore();
      throw error;
    }
    this.#length += to - from;
  }

  /** Forgets the rows from `length` on. */
  truncate(length: number): void {
    assert(length >= 0 && length <= this.#length, "a builder is truncated to rows it has");
    this.#length = length;
    this.#restore();
  }

  /** The rows so far as a batch in the builder's own memory: good until the next append or truncate. */
  look(): Batch {
    const columns = this.#columns.map((column) => column.look());
    return { schema: this.schema, length: this.#length, columns, weights: null };
  }

  /** The rows as a batch, which is not kept for long where `arena` is given. The builder is empty afterwards and can be used again. */
  finish(arena?: Arena): Batch {
    const batch: Batch = {
      schema: this.schema,
      length: this.#length,
      columns: this.#columns.map((column) => column.take(arena)),
      weights: null,
    };
    this.#length = 0;
    return batch;
  }

  #restore(): void {
    for (const column of this.#columns) column.truncate(Math.min(column.length, this.#length));
  }

  #object(value: unknown, path: string, index: number): Record<string, unknown> {
    if (typeof value !== "object" || value === null || Array.isArray(value) || value instanceof Date) {
      const reason = `expected an object, got ${describe(value)}`;
      throw locate(new ValueError("datatype_mismatch", "", reason), path, index, "");
    }
    const { aliases } = this.schema;
    const row = value as Record<string, unknown>;
    return aliases === undefined ? row : renamed(row, aliases);
  }

  #refuseUnknown(row: Record<string, unknown>): void {
    // Most rows name the columns in their order.
    const columns = this.#columns;
    let k = 0;
    for (const name in row) {
      if (k < columns.length && (columns[k] as ColumnBuilder).name === name) {
        k++;
        continue;
      }
      if (this.#names.has(name) || !Object.hasOwn(row, name) || row[name] === undefined) continue;
      const closest = closestName(name, this.schema);
      throw new ValueError("undefined_column", firstStep(propertyStep(name)), "there is no such column", {
        hint:
          closest === undefined
            ? `The columns are ${this.schema.fields.map((field) => field.name).join(", ")}.`
            : `Did you mean "${closest}"?`,
      });
    }
  }

  #checkColumns(batch: Batch): void {
    if (batch.schema === this.schema) return;
    const { fields } = this.schema;
    if (batch.schema.fields.length !== fields.length) {
      throw new EvertError(
        "datatype_mismatch",
        `expected ${fields.length} columns, got ${batch.schema.fields.length}`,
      );
    }
    for (let k = 0; k < fields.length; k++) {
      const field = fields[k]!;
      const other = batch.schema.fields[k]!;
      if (field.name !== other.name) {
        throw new EvertError("datatype_mismatch", `column ${k + 1} is "${field.name}", got "${other.name}"`);
      }
      if (!sameType(field.type, other.type)) throw typeMismatch(field.name, field.type, other.type);
    }
  }
}

function ownProperty(row: Record<string, unknown>, name: string): unknown {
  const value = row[name];
  return value !== undefined && name in Object.prototype && !Object.hasOwn(row, name) ? undefined : value;
}

/** @throws not_null_violation for a null of rows [from, to) where the schema has none. */
export function checkNulls(batch: Batch, schema: Schema, from: number, to: number): void {
  for (let k = 0; k < schema.fields.length; k++) {
    const field = schema.fields[k]!;
    const bitmap = batch.columns[k]!.validity;
    if (field.nullable || bitmap === null) continue;
    for (let i = from; i < to; i++) {
      if (!getBit(bitmap, i))
        throw prefixPath(nullRefused(firstStep(propertyStep(field.name)), false), `rows[${i}]`);
    }
  }
}

function locate(error: unknown, path: string, index: number, step: string): unknown {
  const place = index < 0 ? path : `${path}[${index}]`;
  return prefixPath(error, place === "" ? firstStep(step) : place + step);
}

/** The column that was probably meant: same but for case and "_", or at most two letters away. */
function closestName(name: string, schema: Schema): string | undefined {
  const plain = simplified(name);
  let best: string | undefined;
  let bestDistance = 3;
  for (const field of schema.fields) {
    const distance = simplified(field.name) === plain ? 0 : editDistance(name, field.name, 2);
    if (distance < bestDistance && distance < Math.max(name.length, 2)) {
      best = field.name;
      bestDistance = distance;
    }
  }
  return best;
}

function simplified(name: string): string {
  return name.toLowerCase().replaceAll("_", "");
}

/** The row with its columns' present names. One that has both names keeps both, of which one is then unknown. */
function renamed(
  row: Record<string, unknown>,
  aliases: NonNullable<Schema["aliases"]>,
): Record<string, unknown> {
  let made = row;
  for (const { name, column } of aliases) {
    if (!Object.hasOwn(row, name) || Object.hasOwn(row, column)) continue;
    const { [name]: value, ...rest } = made;
    made = rest;
    setProperty(made, column, value);
  }
  return made;
}
