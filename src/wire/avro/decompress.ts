/** Blocks of object container files, by their codecs. */
import { promisify } from "node:util";
import { inflateRaw, zstdDecompress } from "node:zlib";
import { EvertError } from "../../base/errors.ts";
import { blockAt, type ContainerHead } from "./container.ts";
import { malformed } from "./cursor.ts";

/** A block uncompressed. Files have them of some 64 kB. */
const BLOCK_BYTES_MAX = 64 * 1024 * 1024;
/** All blocks of a file uncompressed: few bytes can be very many. */
export const FILE_BYTES_MAX = 1024 * 1024 * 1024;

const inflate = promisify(inflateRaw);
const unzstd = promisify(zstdDecompress);

const decompressors: ReadonlyMap<string, (bytes: Uint8Array) => Promise<Uint8Array>> = new Map([
  ["deflate", (bytes: Uint8Array) => inflate(bytes, { maxOutputLength: BLOCK_BYTES_MAX })],
  ["zstandard", (bytes: Uint8Array) => unzstd(bytes, { maxOutputLength: BLOCK_BYTES_MAX })],
]);

/** @throws EvertError feature_not_supported */
export function checkCodec(codec: string): void {
  if (codec === "null" || decompressors.has(codec)) return;
  throw new EvertError(
    "feature_not_supported",
    `Avro files compressed with ${JSON.stringify(codec)} are not supported`,
    { hint: `Write it with one of the codecs null, ${[...decompressors.keys()].join(", ")}.` },
  );
}

export interface Block {
  readonly count: number;
  /** Their bytes, uncompressed. */
  readonly bytes: Uint8Array;
  /** Where the next begins. */
  readonly end: number;
}

/** REQUIRES a codec that has been checked. @throws EvertError for what is no block. */
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
    throw new EvertError("invalid_text_representation", "a block of the Avro file cannot be decompressed", {
      detail: `${cause instanceof Error ? cause.message : cause}; at most ${BLOCK_BYTES_MAX} bytes are taken.`,
      cause,
    });
  }
}
