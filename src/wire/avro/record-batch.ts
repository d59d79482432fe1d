/** Records and deletions of a body, as columns of their topic's schema. */
import { type EvertError, toEvertError } from "../../base/errors.ts";
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import type { ColumnBuilder } from "../../batch/column-builder.ts";
import { checkCommitBytes } from "../../batch/commit-bytes.ts";
import { rowToObject } from "../../batch/json.ts";
import { fieldIndex, type Schema } from "../../batch/schema.ts";
import { prefixPath } from "../../batch/value-error.ts";
import { type Cursor, malformed } from "./cursor.ts";
import { type Resolved, resolveWriter } from "./resolve.ts";
import { keySchema } from "./topic-schema.ts";
import type { AvroNode } from "./writer-schema.ts";

/** Rows between two looks at their size. */
const SIZED_ROWS = 64;

/** What a writer's schema is to a topic: of records, or of keys alone, which are deletions. */
export type Reading = { readonly op: "record" | "delete"; readonly resolved: Resolved };

export class RecordBatch {
  readonly #builder: BatchBuilder;
  readonly #keyColumns: readonly number[];
  #deleted: number[] = [];
  #cursor: Cursor | null = null;
  #reading: Resolved | null = null;
  #alone = false;
  readonly #keys: ColumnBuilder[] = [];

  /** `key`: of a table. `fallbacks`: see BatchBuilder.setFallbacks. */
  constructor(schema: Schema, key: readonly string[], fallbacks: readonly unknown[] | null = null) {
    this.#builder = new BatchBuilder(schema);
    this.#builder.setFallbacks(fallbacks);
    this.#keyColumns = key.map((name) => fieldIndex(schema, name));
  }

  get length(): number {
    return this.#builder.length;
  }

  /** Reads one value, which is all that the cursor is over if `alone`. @throws EvertError of what does not fit; then it is as it was. */
  take(cursor: Cursor, { op, resolved }: Reading, alone: boolean): void {
    this.#cursor = cursor;
    cursor.values = 0;
    this.#reading = resolved;
    this.#alone = alone;
    this.#builder.appendBy(op === "record" ? this.#record : this.#deletion);
    if (op === "delete") this.#deleted.push(this.#builder.length - 1);
    if (this.#builder.length % SIZED_ROWS === 0) checkCommitBytes(this.#builder.byteLength);
  }

  readonly #record = (columns: readonly ColumnBuilder[]): void => {
    this.#read(columns);
  };

  readonly #deletion = (columns: readonly ColumnBuilder[]): void => {
    const keys = this.#keys;
    for (let k = 0; k < this.#keyColumns.length; k++)
      keys[k] = columns[this.#keyColumns[k] as number] as ColumnBuilder;
    this.#read(keys);
    for (const column of columns) if (!keys.includes(column)) column.appendNull();
  };

  #read(columns: readonly ColumnBuilder[]): void {
    const cursor = this.#cursor as Cursor;
    (this.#reading as Resolved).read(cursor, columns);
    if (this.#alone && cursor.left > 0) throw malformed(`${cursor.left} bytes are left behind it`);
  }

  /** All of it; then it is empty. */
  finish(): { readonly batch: Batch; readonly deleted: readonly number[] } {
    checkCommitBytes(this.#builder.byteLength);
    const deleted = this.#deleted;
    this.#deleted = [];
    return { batch: this.#builder.finish(), deleted };
  }
}

/** The same error, of the record with this number. */
export function ofRecord(error: unknown, number: number): EvertError {
  return toEvertError(prefixPath(toEvertError(error), `records[${number}]`));
}

/** A batch's rows as values, for who looks at them one by one. */
export function rowValues(batch: Batch): Record<string, unknown>[] {
  return Array.from({ length: batch.length }, (_, row) => rowToObject(batch.schema, batch, row));
}

/** @throws EvertError datatype_mismatch */
export function readingOf(
  writer: AvroNode,
  schema: Schema,
  deletedBy: readonly string[] | null,
  withDefault: readonly string[] = [],
): Reading {
  return deletedBy === null
    ? { op: "record", resolved: resolveWriter(writer, schema, withDefault) }
    : { op: "delete", resolved: resolveWriter(writer, keySchema(schema, deletedBy)) };
}
