/** A text or none: 0, or its bytes and one as a varint, and then its UTF-8. */
import { decodeUtf8Strict, utf8Length, writeUtf8 } from "../base/bytes.ts";
import { type VarintReader, writeVarint } from "./varint.ts";

export function writeText(target: Uint8Array, at: number, text: string | null): number {
  if (text === null) return writeVarint(target, at, 0);
  return writeUtf8(text, target, writeVarint(target, at, utf8Length(text) + 1));
}

/** `bytes`: those that the reader reads. Bytes that are no UTF-8 fail it. */
export function readText(bytes: Uint8Array, reader: VarintReader): string | null {
  const lengthPlusOne = reader.next();
  if (lengthPlusOne === 0) return null;
  const from = reader.skip(lengthPlusOne - 1);
  if (reader.failed) return null;
  const text = decodeUtf8Strict(bytes, from, reader.at);
  if (text === null) reader.fail();
  return text;
}
