/**
 * JSON as it arrives, taken apart from the outside in: members of objects and elements of arrays one after the other, and values as their text. So
 * whoever reads an answer of millions of rows has one of them at a time.
 *
 * Only strings and brackets are known here: what a value's text is, whoever parses it will say.
 */
import { EvertError } from "../base/errors.ts";

const quote = 0x22;
const backslash = 0x5c;

export class JsonStream {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #brokenOff: (cause: unknown) => EvertError;
  readonly #decoder = new TextDecoder();
  #text = "";
  #at = 0;

  /** `brokenOff`: the error for a body that cannot be read to its end. */
  constructor(body: ReadableStream<Uint8Array>, brokenOff: (cause: unknown) => EvertError) {
    this.#reader = body.getReader();
    this.#brokenOff = brokenOff;
  }

  /** Goes into an object ("{") or an array ("["). @throws EvertError protocol_violation where there is none. */
  async enter(bracket: "{" | "["): Promise<void> {
    if ((await this.#next()) !== bracket) throw broken(`there is no "${bracket}"`);
    this.#at++;
  }

  /** The name of the next member, before its value; null: the object is over, and left. */
  async member(): Promise<string | null> {
    if (!(await this.#goesOn("}"))) return null;
    const name = nameIn(await this.value());
    if ((await this.#next()) !== ":") throw broken(`there is no ":"`);
    this.#at++;
    return name;
  }

  /** Whether there is another element, before its value; false: the array is over, and left. */
  element(): Promise<boolean> {
    return this.#goesOn("]");
  }

  /** The same where it need not be waited for; null: it does. */
  elementAtHand(): string | null {
    for (let at = this.#at; at < this.#text.length; at++) {
      const c = this.#text[at] as string;
      if (c === "," || isSpace(c)) continue;
      if (c === "]") return null;
      const end = new ValueScan().endIn(this.#text, at);
      if (end < 0) return null;
      this.#at = end;
      return this.#text.slice(at, end);
    }
    return null;
  }

  /** The text of the next value. */
  async value(): Promise<string> {
    await this.#next();
    const scan = new ValueScan();
    // Of a long value each piece is looked at once.
    const pieces: string[] = [];
    for (;;) {
      const end = scan.endIn(this.#text, this.#at);
      pieces.push(this.#text.slice(this.#at, end < 0 ? undefined : end));
      this.#at = end < 0 ? this.#text.length : end;
      if (end >= 0) break;
      if (await this.#more()) continue;
      if (!scan.mayEnd) throw this.#brokenOff(undefined);
      break;
    }
    return pieces.length === 1 ? (pieces[0] as string) : pieces.join("");
  }

  /** Nothing more is read. */
  async close(): Promise<void> {
    // What went wrong with it has been thrown where it was read.
    await this.#reader.cancel().catch(() => undefined);
  }

  async #goesOn(end: "}" | "]"): Promise<boolean> {
    let c = await this.#next();
    if (c === ",") {
      this.#at++;
      c = await this.#next();
    }
    if (c !== end) return true;
    this.#at++;
    return false;
  }

  /** The next character that is no space. */
  async #next(): Promise<string> {
    for (;;) {
      for (; this.#at < this.#text.length; this.#at++) {
        const c = this.#text[this.#at] as string;
        if (!isSpace(c)) return c;
      }
      if (!(await this.#more())) throw this.#brokenOff(undefined);
    }
  }

  /** REQUIRES that nothing of the text is left. False: it was the last. */
  async #more(): Promise<boolean> {
    const { done, value } = await this.#reader.read().catch((cause: unknown) => {
      throw this.#brokenOff(cause);
    });
    this.#text = done ? this.#decoder.decode() : this.#decoder.decode(value, { stream: true });
    this.#at = 0;
    return !done;
  }
}

/** Looks for the end of a value in one piece of text after the other. */
class ValueScan {
  #depth = 0;
  #isInString = false;
  /** The next character belongs to the backslash before it. */
  #isEscaped = false;

  /** Whether what was seen is all of it, if nothing comes any more. */
  get mayEnd(): boolean {
    return this.#depth === 0 && !this.#isInString;
  }

  /** Behind the value, which begins at `from` or has begun in an earlier piece; -1: in a later one. */
  endIn(text: string, from: number): number {
    for (let i = from; i < text.length; i++) {
      if (this.#isInString) {
        i = this.#stringEnd(text, i);
        if (i < 0) return -1;
        this.#isInString = false;
        if (this.#depth === 0) return i + 1;
        continue;
      }
      switch (text.charCodeAt(i)) {
        case quote:
          this.#isInString = true;
          break;
        case 0x7b: // {
        case 0x5b: // [
          this.#depth++;
          break;
        case 0x7d: // }
        case 0x5d: // ]
          // The bracket around the value ends it.
          if (this.#depth === 0) return i;
          if (--this.#depth === 0) return i + 1;
          break;
        case 0x2c: // ,
          if (this.#depth === 0) return i;
          break;
      }
    }
    return -1;
  }

  /** The place of the closing quote, or -1. */
  #stringEnd(text: string, at: number): number {
    const from = this.#isEscaped ? at + 1 : at;
    this.#isEscaped = false;
    for (let i = text.indexOf('"', from); i >= 0; i = text.indexOf('"', i + 1))
      if (!isEscapedAt(text, from, i)) return i;
    this.#isEscaped = isEscapedAt(text, from, text.length);
    return -1;
  }
}

/** Whether the character at `at` belongs to a backslash, of those from `from` on. */
function isEscapedAt(text: string, from: number, at: number): boolean {
  let before = at;
  while (before > from && text.charCodeAt(before - 1) === backslash) before--;
  return (at - before) % 2 === 1;
}

function nameIn(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    throw broken("a member has no name");
  }
}

function isSpace(c: string): boolean {
  return c === " " || c === "\n" || c === "\r" || c === "\t";
}

function broken(how: string): EvertError {
  return new EvertError("protocol_violation", "the server's answer is no complete JSON", {
    detail: `In what has come, ${how}.`,
  });
}
