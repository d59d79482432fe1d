/**
 * Avro's object container files, application/avro: a schema, and blocks of values written by it.
 *
 *   file  = "Obj" 1, metadata (a map of bytes: avro.schema, avro.codec), a mark of 16 bytes, block*
 *   block = how many values (long), how many bytes (long), these bytes, compressed by the codec, the mark
 */
import { promisify } from "node:util";
import { inflateRaw, zstdDecompress } from "node:zlib";
import { decodeUtf8Strict } from "../../base/bytes.ts";
import { EvertError } from "../../base/errors.ts";
import type { AvroBytes } from "./bytes.ts";
import { Cursor, malformed } from "./cursor.ts";

const MAGIC = Uint8Array.of(0x4f, 0x62, 0x6a, 1);
const MARK_BYTES = 16;
/** A block uncompressed. Files have them of some 64 kB. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024;

export interface ContainerHead {
  readonly schema: string;
  readonly codec: string;
  /** Where the first block begins. */
  readonly end: number;
  readonly mark: Uint8Array;
}

export interface Block {
  readonly count: number;
  /** Their bytes, uncompressed. */
  readonly bytes: Uint8Array;
  /** Where the next begins. */
  readonly end: number;
}

/** @throws EvertError where it is no such file, or its codec is not known. */
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
  if (codec !== "null" && !decompressors.has(codec)) {
    throw new EvertError(
      "feature_not_supported",
      `Avro files compressed with ${JSON.stringify(codec)} are not supported`,
      {
        hint: `Write it with one of the codecs null, ${[...decompressors.keys()].join(", ")}.`,
      },
    );
  }
  const markAt = cursor.fixed(MARK_BYTES);
  return { schema, codec, end: cursor.at, mark: file.slice(markAt, cursor.at) };
}

function textOf(cursor: Cursor): string | null {
  const from = cursor.measured();
  return decodeUtf8Strict(cursor.bytes, from, cursor.at);
}

const inflate = promisify(inflateRaw);
const unzstd = promisify(zstdDecompress);

const decompressors: ReadonlyMap<string, (bytes: Uint8Array) => Promise<Uint8Array>> = new Map([
  ["deflate", (bytes: Uint8Array) => inflate(bytes, { maxOutputLength: BLOCK_BYTES_MAX })],
  ["zstandard", (bytes: Uint8Array) => unzstd(bytes, { maxOutputLength: BLOCK_BYTES_MAX })],
]);

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

/** @throws EvertError for what is no block. */
export async function readBlock(head: ContainerHead, file: Uint8Array, at: number): Promise<Block> {
  const { count, from, to, end } = blockAt(head, file, at);
  const bytes = await decompressed(head.codec, file.subarray(from, to));
  // Each value takes a byte at least (resolve.ts), so that no count is believed.
  if (count > bytes.length) throw malformed(`a block of ${count} values in ${bytes.length} bytes`);
  return { count, bytes, end };
}

async function decompressed(codec: string, bytes: Uint8Array): Promise<Uint8Array> {
  const decompress = decompressors.get(codec);
  if (decompress === undefined) return bytes;
  try {
    return await decompress(bytes);
  } catch (cause) {
    throw new EvertError("invalid_text_representation", `a block of the Avro file cannot be decompressed`, {
      detail: `${cause instanceof Error ? cause.message : cause}; at most ${BLOCK_BYTES_MAX} bytes are taken.`,
      cause,
    });
  }
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
