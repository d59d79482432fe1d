/** Records of a body as columns of their topic's schema. */
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import type { JsonText } from "../../batch/json-loop.ts";
import type { Schema } from "../../batch/schema.ts";
import type { RecordTarget } from "./record-decoder.ts";

/** Records of the last body of each schema: about as many will be in the next. */
const expected = new WeakMap<Schema, number>();
const EXPECTED_MAX = 16_384;
/** What a record has at least, nearly always. */
const RECORD_BYTES = 16;

export class RecordColumns implements RecordTarget {
  readonly #builder: BatchBuilder;
  readonly #rowsMax: number;

  /** `rowsMax`: how many records it takes by itself before it is emptied. */
  constructor(schema: Schema, rowsMax: number) {
    this.#builder = new BatchBuilder(schema);
    this.#rowsMax = rowsMax;
  }

  get length(): number {
    return this.#builder.length;
  }

  get byteLength(): number {
    return this.#builder.byteLength;
  }

  takeText(text: JsonText): number {
    if (this.#builder.length === 0) {
      const most = Math.min(expected.get(this.#builder.schema) ?? 0, this.#rowsMax);
      this.#builder.reserve(Math.min(most, (text.to - text.from) / RECORD_BYTES));
    }
    return this.#builder.appendJson(text, this.#rowsMax - this.#builder.length);
  }

  take(value: unknown): void {
    this.#builder.appendRow(value);
  }

  /** All of it; then it is empty. */
  finish(): Batch {
    expected.set(this.#builder.schema, Math.min(this.#builder.length, EXPECTED_MAX));
    return this.#builder.finish();
  }
}
