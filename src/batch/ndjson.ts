/**
 * NDJSON (one JSON value per line) to values, chunk by chunk and bounded: no more than one unfinished line is ever kept.
 * Empty lines are passed over. Lines end with "\n" or "\r\n"; the last may lack its end.
 */
import { ByteWriter, decodeUtf8Strict, EMPTY_BYTES, encodeUtf8 } from "../base/bytes.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { parseJson } from "./lossless-json.ts";
import { prefixPath } from "./value-error.ts";

export interface NdjsonLine {
  /** 1-based. */
  readonly line: number;
  readonly value: unknown;
}

export const LINE_BYTES_MAX = 16 * 1024 * 1024;

const NEWLINE = 0x0a;
const RETURN = 0x0d;
const BYTE_ORDER_MARK = "\ufeff";

/** All lines of one text or byte array. @throws EvertError naming the line. */
export function* splitNdjson(
  input: string | Uint8Array,
  lineBytesMax: number = LINE_BYTES_MAX,
): Generator<NdjsonLine> {
  const reader = new NdjsonReader(lineBytesMax);
  yield* reader.push(typeof input === "string" ? encodeUtf8(input) : input);
  yield* reader.end();
}

/** For bodies that arrive in pieces: push each, then end. Each generator must be run to its end before the next call. */
export class NdjsonReader {
  readonly #lineBytesMax: number;
  /** The line whose end has not been seen. */
  readonly #partial = new ByteWriter();
  #line = 1;

  constructor(lineBytesMax: number = LINE_BYTES_MAX) {
    this.#lineBytesMax = lineBytesMax;
  }

  *push(chunk: Uint8Array): Generator<NdjsonLine> {
    let from = 0;
    for (;;) {
      const to = chunk.indexOf(NEWLINE, from);
      if (to < 0) break;
      const line = this.#parse(this.#complete(chunk.subarray(from, to)));
      if (line !== null) yield line;
      this.#line++;
      from = to + 1;
    }
    if (from < chunk.length) {
      this.#bound(chunk.length - from);
      this.#partial.raw(chunk.subarray(from));
    }
  }

  *end(): Generator<NdjsonLine> {
    const line = this.#parse(this.#complete(EMPTY_BYTES));
    if (line !== null) yield line;
  }

  #complete(rest: Uint8Array): Uint8Array {
    this.#bound(rest.length);
    if (this.#partial.length === 0) return rest;
    this.#partial.raw(rest);
    return this.#partial.finish();
  }

  #bound(more: number): void {
    if (this.#partial.length + more <= this.#lineBytesMax) return;
    throw new EvertError("record_too_large", `line ${this.#line} is longer than ${this.#lineBytesMax} bytes`);
  }

  #parse(bytes: Uint8Array): NdjsonLine | null {
    const to = bytes.at(-1) === RETURN ? bytes.length - 1 : bytes.length;
    if (to === 0) return null;
    const decoded = decodeUtf8Strict(bytes, 0, to);
    if (decoded === null) {
      throw new EvertError("untranslatable_character", `line ${this.#line}: the text is not valid UTF-8`);
    }
    const text = this.#line === 1 && decoded.startsWith(BYTE_ORDER_MARK) ? decoded.slice(1) : decoded;
    if (/^[ \t]*$/.test(text)) return null;
    try {
      return { line: this.#line, value: parseJson(text) };
    } catch (error) {
      throw prefixPath(toEvertError(error), `line ${this.#line}`);
    }
  }
}
