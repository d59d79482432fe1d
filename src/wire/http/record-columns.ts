/** Records of a body as columns of their topic's schema. */
import { Arena } from "../../base/arena.ts";
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import { sliceBatch } from "../../batch/column.ts";
import { COMMIT_BYTES_MAX, checkCommitBytes } from "../../batch/commit-bytes.ts";
import type { JsonText } from "../../batch/json-loop.ts";
import type { Schema } from "../../batch/schema.ts";
import type { RecordTarget } from "./record-decoder.ts";

/**
 * Builders at rest, by schema. One that has been used knows how much room the next body will need, and most of its own is used again: fresh ones for
 * each body would be half of all garbage.
 */
const idle = new WeakMap<Schema, BatchBuilder[]>();
const IDLE_MAX = 16;

/** Small columns lie here until their commit has been stepped and written. */
const arena = new Arena();

/** From this row on, so long as nothing else is said, each has the next line or index. */
interface Place {
  readonly row: number;
  readonly number: number;
}

/** Rows of one commit, and where in the body they were. */
export class PlacedRows {
  readonly batch: Batch;
  readonly #places: readonly Place[];

  constructor(batch: Batch, places: readonly Place[]) {
    this.batch = batch;
    this.#places = places;
  }

  /** The line or index of a row. */
  numberOf(row: number): number | undefined {
    const place = this.#places.findLast((one) => one.row <= row);
    return place === undefined ? undefined : place.number + row - place.row;
  }

  /** The first of them. */
  first(rows: number): PlacedRows {
    return new PlacedRows(sliceBatch(this.batch, 0, rows), this.#places);
  }
}

export class RecordColumns implements RecordTarget {
  readonly #builder: BatchBuilder;
  readonly #fallbacks: () => readonly unknown[] | null;
  #hasFallbacks = false;
  #places: Place[] = [];
  readonly #rowsMax: number;
  readonly #bytesMax: number;

  /**
   * `rowsMax`: how many records it takes by itself before it is emptied. `fallbacks`: asked before the first record, and again after each time that it has been
   * emptied; what columns have in records that do not name them (BatchBuilder.setFallbacks).
   */
  constructor(
    schema: Schema,
    fallbacks: () => readonly unknown[] | null,
    rowsMax: number,
    bytesMax: number = COMMIT_BYTES_MAX,
  ) {
    this.#builder = idle.get(schema)?.pop() ?? new BatchBuilder(schema);
    this.#fallbacks = fallbacks;
    this.#rowsMax = rowsMax;
    this.#bytesMax = bytesMax;
  }

  get length(): number {
    return this.#builder.length;
  }

  get byteLength(): number {
    return this.#builder.byteLength;
  }

  #ready(): void {
    if (this.#hasFallbacks) return;
    this.#builder.setFallbacks(this.#fallbacks());
    this.#hasFallbacks = true;
  }

  takeText(text: JsonText, number: number): number {
    this.#ready();
    const row = this.#builder.length;
    const taken = this.#builder.appendJson(text, this.#rowsMax - this.#builder.length);
    checkCommitBytes(this.#builder.byteLength, this.#bytesMax);
    if (taken > 0) this.#placed(row, number);
    return taken;
  }

  take(value: unknown, number: number): void {
    this.#ready();
    this.#builder.appendRow(value);
    checkCommitBytes(this.#builder.byteLength, this.#bytesMax);
    this.#placed(this.#builder.length - 1, number);
  }

  #placed(row: number, number: number): void {
    const last = this.#places.at(-1);
    if (last === undefined || number - last.number !== row - last.row) this.#places.push({ row, number });
  }

  /** All of it; then it is empty. */
  finish(): PlacedRows {
    this.#hasFallbacks = false;
    const places = this.#places;
    this.#places = [];
    return new PlacedRows(this.#builder.finish(arena), places);
  }

  /** Nothing more is asked of it. */
  close(): void {
    // One with rows may hold as much as a body can; only finish() lets go of that.
    if (this.#builder.length > 0) return;
    const { schema } = this.#builder;
    const builders = idle.get(schema) ?? [];
    if (builders.length < IDLE_MAX) builders.push(this.#builder);
    idle.set(schema, builders);
  }
}
