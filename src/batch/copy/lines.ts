/**
 * COPY's lines, out of pieces of text that break anywhere.
 *
 *   text   a line ends at a newline that no backslash stands before (two backslashes are a pair); a line `\.` ends the data
 *   csv    a line ends at a newline outside quotes
 *
 * The first line end decides which it is: \n, \r\n or \r. Another kind later is an error, as in PostgreSQL: the data is taken for broken rather than
 * read in two ways.
 */
import { EvertError } from "../../base/errors.ts";
import type { CopyFormat } from "./format.ts";

const LF = 10;
const CR = 13;
const BACKSLASH = 92;

type LineEnd = "\n" | "\r\n" | "\r";

export class CopyLines {
  readonly #isCsv: boolean;
  readonly #quote: number;
  /** NaN where quotes are doubled. */
  readonly #escape: number;
  #text = "";
  /** How far the text has been looked at: no line ends before. */
  #at = 0;
  #quoted = false;
  #escaped = false;
  #lineEnd: LineEnd | null = null;
  #ended = false;
  /** Number of the line given last, from 1. A line within quotes counts too. */
  number = 0;
  #newlines = 0;

  constructor({ format, quote, escape: escaping }: CopyFormat) {
    this.#isCsv = format === "csv";
    this.#quote = quote.charCodeAt(0);
    this.#escape = escaping === quote ? Number.NaN : escaping.charCodeAt(0);
  }

  push(text: string): void {
    if (!this.#ended) this.#text += text;
  }

  /** The next whole line, or null until more text has come. `last`: no more comes. */
  next(last: boolean): string | null {
    if (this.#ended) return null;
    const end = this.#isCsv ? this.#csvEnd(last) : this.#textEnd(last);
    if (end === null) return last ? this.#rest() : null;
    const line = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + (this.#lineEnd as LineEnd).length);
    this.#began();
    if (this.#isCsv || line !== "\\.") return line;
    this.#ended = true;
    this.#text = "";
    return null;
  }

  #began(): void {
    this.#at = 0;
    this.number += 1 + this.#newlines;
    this.#newlines = 0;
  }

  #rest(): string | null {
    const line = this.#text;
    this.#ended = true;
    this.#text = "";
    if (line === "" || (!this.#isCsv && line === "\\.")) return null;
    this.#began();
    return line;
  }

  #textEnd(last: boolean): number | null {
    const text = this.#text;
    for (let at = this.#at; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if (c === BACKSLASH) {
        // With what it stands before, a newline too.
        if (at + 1 === text.length) {
          this.#at = at;
          return null;
        }
        if (text[at + 1] === ".") {
          if (at + 2 === text.length && !last) {
            this.#at = at;
            return null;
          }
          this.#checkMarker(at);
        }
        at++;
      } else if (c === LF || c === CR) {
        if (c === CR && at + 1 === text.length && !last) {
          this.#at = at;
          return null;
        }
        this.#meet(c, text.charCodeAt(at + 1));
        return at;
      }
    }
    this.#at = text.length;
    return null;
  }

  /** `\.` must be a line of its own. */
  #checkMarker(at: number): void {
    const behind = this.#text[at + 2];
    if (at === 0 && (behind === undefined || behind === "\n" || behind === "\r")) return;
    throw new EvertError("bad_copy_format", "end-of-copy marker is not alone on its line");
  }

  #csvEnd(last: boolean): number | null {
    const text = this.#text;
    const [quote, escaping] = [this.#quote, this.#escape];
    for (let at = this.#at; at < text.length; at++) {
      const c = text.charCodeAt(at);
      if ((c === LF || c === CR) && !this.#quoted) {
        if (c === CR && at + 1 === text.length && !last) {
          this.#at = at;
          return null;
        }
        this.#meet(c, text.charCodeAt(at + 1));
        return at;
      }
      // As PostgreSQL counts them, once it knows the line ends.
      if (c === (this.#lineEnd === "\n" ? LF : CR)) this.#newlines++;
      if (this.#quoted && c === escaping) this.#escaped = !this.#escaped;
      if (c === quote && !this.#escaped) this.#quoted = !this.#quoted;
      if (c !== escaping) this.#escaped = false;
    }
    this.#at = text.length;
    return null;
  }

  #meet(c: number, next: number): void {
    const met: LineEnd = c === LF ? "\n" : next === LF && this.#lineEnd !== "\r" ? "\r\n" : "\r";
    this.#lineEnd ??= met;
    if (met === this.#lineEnd) return;
    this.number++;
    const what = met === "\n" ? "newline" : "carriage return";
    throw new EvertError("bad_copy_format", `${this.#isCsv ? "unquoted" : "literal"} ${what} found in data`, {
      hint: this.#isCsv
        ? `Use quoted CSV field to represent ${what}.`
        : `Use "${met === "\n" ? "\\n" : "\\r"}" to represent ${what}.`,
    });
  }
}
