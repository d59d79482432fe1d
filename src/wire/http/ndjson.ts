/**
 * NDJSON: one JSON value per line, LF or CRLF, blank lines ignored, UTF-8.
 *
 * LineDecoder turns bytes as they arrive into lines, holding one chunk and one unfinished line at most. All whole lines of
 * a chunk are decoded in one call, since a line break never stands inside a character; only when that fails are
 * they decoded one by one, to name the line. UTF-8 that is not valid is refused, not replaced: a record is stored as it
 * was meant or not at all.
 */
import { EvertError } from "../../base/errors.ts";

export interface Line {
  /** 1-based, counting blank lines. */
  readonly number: number;
  readonly text: string;
}

/** The longest line or array element taken, in bytes. */
export const recordBytesMax = 16 * 1024 * 1024;

const lineFeed = 0x0a;

export class LineDecoder {
  readonly #utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  readonly #bytesMax: number;
  /** The unfinished line, in the pieces it came in (joining them each time would be quadratic). */
  #partial: Uint8Array[] = [];
  #partialBytes = 0;
  #lines = 0;

  constructor(bytesMax: number = recordBytesMax) {
    this.#bytesMax = bytesMax;
  }

  /**
   * Appends the lines these bytes complete; those before an error too.
   * @throws EvertError untranslatable_character, record_too_large.
   */
  push(bytes: Uint8Array, out: Line[]): void {
    const last = bytes.lastIndexOf(lineFeed);
    if (last !== -1) {
      this.#bound(this.#partialBytes + bytes.indexOf(lineFeed));
      this.#decode(this.#join(bytes.subarray(0, last + 1)), out);
    }
    if (last + 1 === bytes.length) return;
    const rest = bytes.slice(last + 1);
    this.#partial.push(rest);
    this.#partialBytes += rest.length;
    this.#bound(this.#partialBytes);
  }

  /** The last line, which may lack its line break. @throws as push. */
  end(out: Line[]): void {
    if (this.#partialBytes > 0) this.#decode(this.#join(new Uint8Array(0)), out);
  }

  #join(tail: Uint8Array): Uint8Array {
    if (this.#partialBytes === 0) return tail;
    const whole = new Uint8Array(this.#partialBytes + tail.length);
    let at = 0;
    for (const piece of this.#partial) {
      whole.set(piece, at);
      at += piece.length;
    }
    whole.set(tail, at);
    this.#partial = [];
    this.#partialBytes = 0;
    return whole;
  }

  #decode(lines: Uint8Array, out: Line[]): void {
    let text: string;
    try {
      text = this.#utf8.decode(lines);
    } catch {
      this.#decodeOneByOne(lines, out);
      return;
    }
    let from = 0;
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", from)) {
      this.#emit(text.slice(from, end), out);
      from = end + 1;
    }
    if (from < text.length) this.#emit(text.slice(from), out);
  }

  #decodeOneByOne(lines: Uint8Array, out: Line[]): void {
    for (let from = 0; from < lines.length; ) {
      const lineFeedAt = lines.indexOf(lineFeed, from);
      const end = lineFeedAt === -1 ? lines.length : lineFeedAt;
      let line: string;
      try {
        line = this.#utf8.decode(lines.subarray(from, end));
      } catch (error) {
        throw invalidUtf8(`line ${this.#lines + 1}`, error);
      }
      this.#emit(line, out);
      from = end + 1;
    }
  }

  #emit(line: string, out: Line[]): void {
    this.#lines++;
    if (this.#lines === 1 && line.charCodeAt(0) === 0xfeff) line = line.slice(1);
    if (!/^\s*$/.test(line)) out.push({ number: this.#lines, text: line });
  }

  #bound(bytes: number): void {
    if (bytes <= this.#bytesMax) return;
    throw new EvertError("record_too_large", `line ${this.#lines + 1} is longer than a record may be`, {
      detail: `A line may have ${this.#bytesMax} bytes.`,
      hint: "Put each record on a line of its own.",
    });
  }
}

export function invalidUtf8(where: string, cause: unknown): EvertError {
  return new EvertError("untranslatable_character", `${where}: the text is not valid UTF-8`, {
    sqlstate: "22021",
    hint: "Send text encoded as UTF-8.",
    cause,
  });
}
