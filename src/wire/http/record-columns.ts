/** Records of a body as columns of their topic's schema. */
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder } from "../../batch/builder.ts";
import type { JsonText } from "../../batch/json-loop.ts";
import type { Schema } from "../../batch/schema.ts";
import type { RecordTarget } from "./record-decoder.ts";

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
    return this.#builder.appendJson(text, this.#rowsMax - this.#builder.length);
  }

  take(value: unknown): void {
    this.#builder.appendRow(value);
  }

  /** All of it; then it is empty. */
  finish(): Batch {
    return this.#builder.finish();
  }
}
