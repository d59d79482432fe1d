/**
 * Rows on their way from one thread to another: batches in the log's form (batch/codec.ts), one behind the other, each behind the number of its
 * rows (u32). A parcel is given up when it is full, so that none is ever large.
 */
import type { Batch } from "../../batch/batch.ts";
import { type CopyMemory, decodeBatch, encodeBatch, encodedSize } from "../../batch/codec.ts";
import type { Schema } from "../../batch/schema.ts";
import type { SharedParcels } from "./shared-parcels.ts";

const BYTES_FIRST = 4_096;
const BYTES_FULL = 1 << 20;
const ROWS_BYTES = 4;

export class Parcel {
  readonly #shared: SharedParcels | null;
  readonly #full: Uint8Array[] = [];
  #bytes = new Uint8Array(BYTES_FIRST);
  #length = 0;

  /** `shared`: whose memory it takes, because many threads read it; null: one other thread has it. */
  constructor(shared: SharedParcels | null) {
    this.#shared = shared;
  }

  add(batch: Batch): void {
    const end = this.#length + ROWS_BYTES + encodedSize(batch);
    if (end > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    new DataView(this.#bytes.buffer).setUint32(this.#length, batch.length, true);
    encodeBatch(batch, this.#bytes, this.#length + ROWS_BYTES);
    this.#length = end;
    if (end >= BYTES_FULL) this.#close();
  }

  /** Whether there is something for takeFull(). */
  get isFull(): boolean {
    return this.#full.length > 0;
  }

  /** What fills parcels, in memory of their own, which the caller holds; the rest stays. */
  takeFull(): Uint8Array[] {
    return this.#full.splice(0);
  }

  /** All that was added; then it is empty again. */
  take(): Uint8Array[] {
    if (this.#length > 0) this.#close();
    return this.#full.splice(0);
  }

  #close(): void {
    const length = this.#length;
    const closed = this.#shared?.take(length) ?? new Uint8Array(length);
    closed.set(this.#bytes.subarray(0, length));
    this.#full.push(closed);
    this.#length = 0;
    if (this.#bytes.length > 2 * BYTES_FULL) this.#bytes = new Uint8Array(BYTES_FIRST);
  }
}

/** A parcel of one batch, which many threads read and the caller holds. */
export function sharedParcel(batch: Batch, shared: SharedParcels): Uint8Array {
  const parcel = shared.take(ROWS_BYTES + encodedSize(batch));
  new DataView(parcel.buffer).setUint32(0, batch.length, true);
  encodeBatch(batch, parcel, ROWS_BYTES);
  return parcel;
}

/** The batches of a parcel, in their order. With `memory` each lies there, and is done with when the next is asked for. */
export function* unpack(
  bytes: Uint8Array,
  schema: Schema,
  memory: CopyMemory | null = null,
): Generator<Batch> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length; ) {
    const { batch, next } = decodeBatch(
      bytes,
      at + ROWS_BYTES,
      schema,
      view.getUint32(at, true),
      undefined,
      memory,
    );
    yield batch;
    at = next;
  }
}
