/** Records of a body as columns of their topic's schema. */
import { Arena } from "../../base/arena.ts";
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
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

export class RecordColumns implements RecordTarget {
  readonly #builder: BatchBuilder;
  readonly #fallbacks: () => readonly unknown[] | null;
  #hasFallbacks = false;
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

  takeText(text: JsonText): number {
    this.#ready();
    const taken = this.#builder.appendJson(text, this.#rowsMax - this.#builder.length);
    checkCommitBytes(this.#builder.byteLength, this.#bytesMax);
    return taken;
  }

  take(value: unknown): void {
    this.#ready();
    this.#builder.appendRow(value);
    checkCommitBytes(this.#builder.byteLength, this.#bytesMax);
  }

  /** All of it; then it is empty. */
  finish(): Batch {
    this.#hasFallbacks = false;
    return this.#builder.finish(arena);
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
