/**
 * A batch: typed columns in Apache Arrow's memory layout. The form of data in the log, on the wire and at
 * every edge of the engine. A batch is immutable once built; its arrays may be views into a larger buffer.
 *
 * Little-endian throughout (every machine Node runs on; the log's reader asserts it).
 */
import type { Schema } from "./schema.ts";
import type { SqlType } from "./types.ts";

/** By the type's carrier: int32 -> Int32Array; double -> Float64Array; int64 -> BigInt64Array (also read as pairs of Int32 words). */
export interface FixedColumn {
  readonly kind: "fixed";
  readonly type: SqlType;
  readonly length: number;
  /** Arrow validity bitmap, bit i of byte i>>3 (LSB first) set = not null; null when no value is null. */
  readonly validity: Uint8Array | null;
  readonly values: Int32Array | Float64Array | BigInt64Array;
}

/** bool: bit-packed values, LSB first. */
export interface BitColumn {
  readonly kind: "bits";
  readonly type: SqlType;
  readonly length: number;
  readonly validity: Uint8Array | null;
  readonly values: Uint8Array;
}

/** Types carried as strings: UTF-8 bytes and length + 1 offsets (offsets[0] may be > 0 in a slice). */
export interface Utf8Column {
  readonly kind: "utf8";
  readonly type: SqlType;
  readonly length: number;
  readonly validity: Uint8Array | null;
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
}

export type Column = FixedColumn | BitColumn | Utf8Column;

export interface Batch {
  readonly schema: Schema;
  readonly length: number;
  readonly columns: readonly Column[];
  /** Row multiplicities; null when every row has weight 1. */
  readonly weights: Int32Array | null;
}
