/**
 * Avro's object container files, application/avro: a schema, and blocks of values written by it.
 *
 *   file  = "Obj" 1, metadata (a map of bytes: avro.schema, avro.codec), a mark of 16 bytes, block*
 *   block = how many values (long), how many bytes (long), these bytes, compressed by the codec, the mark
 */
import { decodeUtf8Strict } from "../../base/bytes.ts";
import { EvertError } from "../../base/errors.ts";
import type { AvroBytes } from "./bytes.ts";
import { Cursor, malformed } from "./cursor.ts";

const MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 1);
const MARK_BYTES = 16;

export interface ContainerHead {
  readonly schema: string;
  readonly codec: string;
  /** Where the first block begins. */
  readonly end: number;
  readonly mark: Uint8Array;
}

/** @throws EvertError where it is no such file, or it is cut off. */
export function readHead(file: Uint8Array): ContainerHead {
  if (!MAGIC.every((byte, i) => file[i] === byte)) {
    throw new EvertError("invalid_text_representation", "this is no Avro object container file", {
      detail: "Such a file begins with Obj and a byte 1.",
      hint: "Send single messages as avro/binary.",
    });
  }
  const cursor = new Cursor().over(file, MAGIC.length, file.length);
  let schema: string | null = null;
  let codec = "null";
  for (let count = cursor.block(null); count > 0; count = cursor.block(null)) {
    for (let i = 0; i < count; i++) {
      const name = textOf(cursor);
      const value = textOf(cursor);
      if (name === "avro.schema") schema = value;
      else if (name === "avro.codec" && value !== null && value !== "") codec = value;
    }
  }
  if (schema === null) throw malformed("the file says no schema");
  const markAt = cursor.fixed(MARK_BYTES);
  return { schema, codec, end: cursor.at, mark: file.slice(markAt, cursor.at) };
}

function textOf(cursor: Cursor): string | null {
  const from = cursor.measured();
  return decodeUtf8Strict(cursor.bytes, from, cursor.at);
}

/** The extent of the block that begins there, still compressed; null: the file ends, within it or before. @throws EvertError for what is no block. */
export function blockAt(
  { mark }: ContainerHead,
  file: Uint8Array,
  at: number,
): { readonly count: number; readonly from: number; readonly to: number; readonly end: number } {
  const cursor = new Cursor().over(file, at, file.length);
  const count = cursor.long();
  if (typeof count !== "number" || count < 0) throw malformed(`a block of ${count} values`);
  const from = cursor.measured();
  const to = cursor.at;
  const markAt = cursor.fixed(MARK_BYTES);
  if (!mark.every((byte, i) => file[markAt + i] === byte))
    throw malformed("a block does not end with the file's mark");
  return { count, from, to, end: cursor.at };
}

/** The head of a file that is not compressed. */
export function writeHead(out: AvroBytes, schema: string, mark: Uint8Array): void {
  out.raw(MAGIC);
  out.long(2);
  for (const text of ["avro.schema", schema, "avro.codec", "null"]) out.text(text);
  out.byte(0);
  out.raw(mark);
}

/** A block around values that have been written. */
export function writeBlock(out: AvroBytes, count: number, values: Uint8Array, mark: Uint8Array): void {
  out.long(count);
  out.measured(values, 0, values.length);
  out.raw(mark);
}
