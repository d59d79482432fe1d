/**
 * Rows of a source in memory that all threads see, as a thread has read them from history: columns ready to be picked from, and by shard the lists of
 * the rows that are its own. So a segment is read, unpacked and told apart once, whichever thread does it, and each shard takes what is its own out
 * of the same memory.
 *
 * What says where things lie is plain data beside it. Arrays begin at multiples of 8.
 *
 *   column := values validity? offsets?     values: numbers, bits, or bytes of texts
 *   list   := i32 x rows                    rows of the batch, those of the first shard first; `ends`: where each shard's end
 */
import { assert } from "../../base/assert.ts";
import { bytesOf } from "../../base/bytes.ts";
import type { Batch, Column } from "../../batch/batch.ts";
import { bitmapBytes } from "../../batch/bitmap.ts";
import type { Schema } from "../../batch/schema.ts";
import { listShards } from "./shard.ts";

const ALIGNMENT = 8;
/** What is made where the memory given is used up. */
const MORE_BYTES_MIN = 1 << 20;

/** Bytes of one of the memories. */
interface Place {
  readonly memory: number;
  readonly at: number;
  readonly bytes: number;
}

interface SharedColumn {
  readonly form: "int32" | "float64" | "int64" | "bits" | "utf8";
  readonly values: Place;
  readonly validity: Place | null;
  readonly offsets: Place | null;
}

interface SharedList {
  readonly rows: Place;
  readonly ends: readonly number[];
}

interface SharedBatch {
  readonly length: number;
  readonly columns: readonly SharedColumn[];
  /** By the keys that were asked for. */
  readonly lists: readonly SharedList[];
}

export interface SharedRows {
  readonly rows: number;
  readonly memory: readonly Uint8Array[];
  readonly batches: readonly SharedBatch[];
}

/** Where a reader puts what it reads. */
export class SharedWriter {
  readonly #memory: Uint8Array[];
  readonly #batches: SharedBatch[] = [];
  #rows = 0;
  /** The memory at hand, and how much of it is taken. */
  #at = 0;
  #taken = 0;

  /** In this memory first. */
  constructor(memory: readonly Uint8Array[]) {
    this.#memory = [...memory];
  }

  int32(length: number): Int32Array {
    const { memory, at, bytes } = this.#place(4 * length);
    return new Int32Array(this.#memory[memory]!.buffer, at, bytes / 4);
  }

  int64(length: number): BigInt64Array {
    const { memory, at, bytes } = this.#place(8 * length);
    return new BigInt64Array(this.#memory[memory]!.buffer, at, bytes / 8);
  }

  doubles(length: number): Float64Array {
    const { memory, at, bytes } = this.#place(8 * length);
    return new Float64Array(this.#memory[memory]!.buffer, at, bytes / 8);
  }

  /** These columns of the batch, and for each of the keys, which are places among them, whose rows are whose. */
  add(batch: Batch, columns: readonly number[], keys: readonly (readonly number[])[], shards: number): void {
    const { length } = batch;
    const picked = columns.map((c) => batch.columns[c]!);
    const lists = keys.map((key) => {
      const rows = this.int32(length);
      const ends = listShards(
        key.map((k) => picked[k]!),
        length,
        shards,
        rows,
      );
      return { rows: this.#placeOf(bytesOf(rows)), ends };
    });
    this.#batches.push({ length, columns: picked.map((column) => this.#column(column)), lists });
    this.#rows += length;
  }

  get written(): SharedRows {
    return { rows: this.#rows, memory: this.#memory, batches: this.#batches };
  }

  #column(column: Column): SharedColumn {
    const { length, validity: bits } = column;
    const validity = bits === null ? null : this.#placeOf(bits.subarray(0, bitmapBytes(length)));
    switch (column.kind) {
      case "fixed": {
        const { values } = column;
        const form =
          values instanceof Int32Array ? "int32" : values instanceof Float64Array ? "float64" : "int64";
        return { form, values: this.#placeOf(bytesOf(values.subarray(0, length))), validity, offsets: null };
      }
      case "bits": {
        const values = this.#placeOf(column.values.subarray(0, bitmapBytes(length)));
        return { form: "bits", values, validity, offsets: null };
      }
      case "utf8": {
        const offsets = this.#placeOf(bytesOf(column.offsets.subarray(0, length + 1)));
        return { form: "utf8", values: this.#placeOf(column.data), validity, offsets };
      }
    }
  }

  /** Where these bytes are, which are there from now on. */
  #placeOf(bytes: Uint8Array): Place {
    const known = this.#memory.findIndex(({ buffer }) => buffer === bytes.buffer);
    if (known >= 0) return { memory: known, at: bytes.byteOffset, bytes: bytes.length };
    const place = this.#place(bytes.length);
    this.#memory[place.memory]!.set(bytes, place.at);
    return place;
  }

  #place(bytes: number): Place {
    for (;;) {
      const memory = this.#memory[this.#at];
      if (memory === undefined) {
        const size = Math.max(MORE_BYTES_MIN, 2 ** Math.ceil(Math.log2(Math.max(1, bytes))));
        this.#memory.push(new Uint8Array(new SharedArrayBuffer(size)));
        continue;
      }
      if (this.#taken + bytes <= memory.length) break;
      this.#at++;
      this.#taken = 0;
    }
    const place = { memory: this.#at, at: this.#taken, bytes };
    this.#taken += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return place;
  }
}

/** A batch where it lies: of whatever type an int64 is, its values may be doubles. */
export interface LyingBatch {
  readonly batch: Batch;
  /** The rows that are the shard's, by the keys that were asked for; null: all. */
  rows(list: number | null, shard: number): Int32Array | null;
}

/** `places`: where in the schema the columns stand. */
export function* sharedBatches(
  { memory, batches }: SharedRows,
  schema: Schema,
  places: readonly number[],
): Generator<LyingBatch> {
  for (const { length, columns, lists } of batches) {
    const placed: Column[] = [];
    for (const [i, c] of places.entries()) {
      placed[c] = columnAt(memory, columns[i]!, schema.fields[c]!.type, length);
    }
    yield {
      batch: { schema, length, columns: placed, weights: null },
      rows: (list, shard) => {
        if (list === null) return null;
        const { rows, ends } = lists[list]!;
        const from = shard === 0 ? 0 : ends[shard - 1]!;
        return int32At(memory, rows).subarray(from, ends[shard]);
      },
    };
  }
}

function columnAt(
  memory: readonly Uint8Array[],
  { form, values: place, validity: bits, offsets }: SharedColumn,
  type: Column["type"],
  length: number,
): Column {
  const of = { type, length, validity: bits === null ? null : bytesAt(memory, bits) };
  const { buffer } = memory[place.memory]!;
  switch (form) {
    case "int32":
      return { kind: "fixed", ...of, values: int32At(memory, place) };
    case "float64":
      return { kind: "fixed", ...of, values: new Float64Array(buffer, place.at, length) };
    case "int64":
      return { kind: "fixed", ...of, values: new BigInt64Array(buffer, place.at, length) };
    case "bits":
      return { kind: "bits", ...of, values: bytesAt(memory, place) };
    case "utf8": {
      assert(offsets !== null, "texts have offsets");
      return { kind: "utf8", ...of, offsets: int32At(memory, offsets), data: bytesAt(memory, place) };
    }
  }
}

function bytesAt(memory: readonly Uint8Array[], { memory: which, at, bytes }: Place): Uint8Array {
  return memory[which]!.subarray(at, at + bytes);
}

function int32At(memory: readonly Uint8Array[], { memory: which, at, bytes }: Place): Int32Array {
  return new Int32Array(memory[which]!.buffer, at, bytes / 4);
}
