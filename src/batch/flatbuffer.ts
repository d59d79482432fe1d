/**
 * As much of FlatBuffers as Arrow's messages need, written and read by hand.
 *
 * A buffer is a tree of tables, vectors and strings, linked by relative offsets:
 *
 *   buffer  = u32 offset of the root table
 *   table   = i32 (table - vtable), then its fields, each aligned to its own size
 *   vtable  = u16 bytes of the vtable, u16 bytes of the table, u16 per field: its place in the table, 0 = absent
 *   vector  = u32 count, then the elements (numbers, structs, or u32 offsets counted from where they stand)
 *   string  = a vector of UTF-8 bytes with a zero behind
 *
 * Offsets point forward, so the writer works from the end to the front: children first. Places are named by their distance from the
 * end, which never changes while the buffer grows at the front.
 */
import { decodeUtf8Strict, encodeUtf8 } from "../base/bytes.ts";

/** A field of a table under construction; null leaves it out (it then has its default). */
export type FlatField =
  | { readonly kind: "u8" | "i16" | "i32" | "i64"; readonly value: number }
  | { readonly kind: "offset"; readonly value: number }
  | null;

const fieldBytes = { u8: 1, i16: 2, i32: 4, i64: 8, offset: 4 } as const;

export class FlatBufferWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #used = 0;

  string(text: string): number {
    const bytes = encodeUtf8(text);
    this.#align(4, bytes.length + 1);
    this.#used += 1 + bytes.length; // the zero is there already
    this.#bytes.set(bytes, this.#bytes.length - this.#used);
    return this.#u32(bytes.length);
  }

  /** A vector of tables or strings made before. */
  offsetVector(places: readonly number[]): number {
    this.#align(4, places.length * 4);
    for (let i = places.length - 1; i >= 0; i--) this.#offset(places[i]!);
    return this.#u32(places.length);
  }

  /** A vector of structs, each `width` int64. `values` holds them one after the other. */
  i64StructVector(values: readonly number[], width: number): number {
    this.#align(8, values.length * 8);
    for (let i = values.length - 1; i >= 0; i--) this.#i64(values[i]!);
    return this.#u32(values.length / width);
  }

  /** fields[id] by the ids of the table's schema. */
  table(fields: readonly FlatField[]): number {
    const end = this.#used;
    const places = fields.map((field) => (field === null ? 0 : this.#field(field)));
    this.#align(4, 4);
    this.#used += 4;
    const table = this.#used;
    this.#align(4, fields.length * 2); // keeps the vtable's end on the table's start
    for (let i = places.length - 1; i >= 0; i--) this.#u16(places[i] === 0 ? 0 : table - places[i]!);
    this.#u16(table - end);
    this.#u16(4 + fields.length * 2);
    this.#view.setInt32(this.#bytes.length - table, this.#used - table, true);
    return table;
  }

  /** The buffer with this root, a multiple of 8 bytes long. */
  finish(root: number): Uint8Array {
    this.#align(8, 4);
    this.#offset(root);
    return this.#bytes.slice(this.#bytes.length - this.#used);
  }

  #field(field: NonNullable<FlatField>): number {
    const size = fieldBytes[field.kind];
    this.#align(size, size);
    switch (field.kind) {
      case "u8":
        this.#used += 1;
        this.#view.setUint8(this.#bytes.length - this.#used, field.value);
        return this.#used;
      case "i16":
        return this.#u16(field.value);
      case "i32":
        return this.#u32(field.value);
      case "i64":
        return this.#i64(field.value);
      case "offset":
        return this.#offset(field.value);
    }
  }

  #u16(value: number): number {
    this.#used += 2;
    this.#view.setUint16(this.#bytes.length - this.#used, value, true);
    return this.#used;
  }

  #u32(value: number): number {
    this.#used += 4;
    this.#view.setUint32(this.#bytes.length - this.#used, value, true);
    return this.#used;
  }

  #i64(value: number): number {
    this.#used += 8;
    this.#view.setBigInt64(this.#bytes.length - this.#used, BigInt(value), true);
    return this.#used;
  }

  #offset(place: number): number {
    return this.#u32(this.#used + 4 - place);
  }

  /** Zeros, so that what stands `count` bytes further to the front is aligned; and room for it and a word. */
  #align(size: number, count: number): void {
    const padding = -(this.#used + count) & (size - 1);
    const needed = this.#used + padding + count + 16;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(this.#bytes.length - this.#used), larger.length - this.#used);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    this.#used += padding;
  }
}

/** What a FlatTable throws for nonsense. A read outside the buffer throws a RangeError of DataView: the same to the caller. */
export class FlatBufferError extends RangeError {}

/** One table of a buffer. Every read is checked against the buffer's bounds. */
export class FlatTable {
  readonly #view: DataView;
  readonly #at: number;

  constructor(view: DataView, at: number) {
    this.#view = view;
    this.#at = at;
  }

  static root(bytes: Uint8Array): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    return new FlatTable(view, view.getUint32(0, true));
  }

  bool(id: number): boolean {
    const at = this.#field(id);
    return at !== 0 && this.#view.getUint8(at) !== 0;
  }

  u8(id: number): number {
    const at = this.#field(id);
    return at === 0 ? 0 : this.#view.getUint8(at);
  }

  i16(id: number, absent = 0): number {
    const at = this.#field(id);
    return at === 0 ? absent : this.#view.getInt16(at, true);
  }

  i32(id: number, absent = 0): number {
    const at = this.#field(id);
    return at === 0 ? absent : this.#view.getInt32(at, true);
  }

  i64(id: number): number {
    const at = this.#field(id);
    return at === 0 ? 0 : this.#safe(at);
  }

  string(id: number): string | null {
    const at = this.#target(id);
    return at === 0 ? null : this.#string(at);
  }

  table(id: number): FlatTable | null {
    const at = this.#target(id);
    return at === 0 ? null : new FlatTable(this.#view, at);
  }

  tables(id: number): FlatTable[] {
    const at = this.#target(id);
    if (at === 0) return [];
    const count = this.#count(at, 4);
    const tables: FlatTable[] = [];
    for (let i = 0; i < count; i++) {
      const place = at + 4 + i * 4;
      tables.push(new FlatTable(this.#view, place + this.#view.getUint32(place, true)));
    }
    return tables;
  }

  /** A vector of structs of int64: all their numbers, one after the other. */
  i64Structs(id: number, width: number): number[] {
    const at = this.#target(id);
    if (at === 0) return [];
    const count = this.#count(at, width * 8) * width;
    return Array.from({ length: count }, (_, i) => this.#safe(at + 4 + i * 8));
  }

  #field(id: number): number {
    const vtable = this.#at - this.#view.getInt32(this.#at, true);
    const slot = 4 + id * 2;
    if (slot + 2 > this.#view.getUint16(vtable, true)) return 0;
    const place = this.#view.getUint16(vtable + slot, true);
    return place === 0 ? 0 : this.#at + place;
  }

  #target(id: number): number {
    const at = this.#field(id);
    return at === 0 ? 0 : at + this.#view.getUint32(at, true);
  }

  #count(at: number, bytesEach: number): number {
    const count = this.#view.getUint32(at, true);
    if (count * bytesEach > this.#view.byteLength - at - 4)
      throw new FlatBufferError("a vector ends behind its buffer");
    return count;
  }

  #string(at: number): string {
    const count = this.#count(at, 1);
    const bytes = new Uint8Array(this.#view.buffer, this.#view.byteOffset + at + 4, count);
    const text = decodeUtf8Strict(bytes);
    if (text === null) throw new FlatBufferError("a string is not valid UTF-8");
    return text;
  }

  #safe(at: number): number {
    const value = Number(this.#view.getBigInt64(at, true));
    if (!Number.isSafeInteger(value)) throw new FlatBufferError("a number is beyond all bounds");
    return value;
  }
}
