/**
 * JSON as it arrives, taken apart from the outside in: members of objects and elements of arrays one after the other, and values as their text. So whoever
 * reads an answer of millions of rows has one of them at a time.
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
    const name = JSON.parse(await this.value()) as string;
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
      const end = this.#endOf(at, false);
      if (end < 0) return null;
      this.#at = end;
      return this.#text.slice(at, end);
    }
    return null;
  }

  /** The text of the next value. */
  async value(): Promise<string> {
    await this.#next();
    for (;;) {
      const end = this.#endOf(this.#at, false);
      if (end >= 0) return this.#taken(end);
      if (await this.#more()) continue;
      const last = this.#endOf(this.#at, true);
      if (last < 0) throw this.#brokenOff(undefined);
      return this.#taken(last);
    }
  }

  /** Nothing more is read. */
  async close(): Promise<void> {
    // What went wrong with it has been thrown where it was read.
    await this.#reader.cancel().catch(() => undefined);
  }

  #taken(end: number): string {
    const text = this.#text.slice(this.#at, end);
    this.#at = end;
    return text;
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

  /** Behind the value that begins at `from`, or -1: it is not all there. `isAll`: nothing comes any more. */
  #endOf(from: number, isAll: boolean): number {
    const text = this.#text;
    let depth = 0;
    for (let i = from; i < text.length; i++) {
      switch (text.charCodeAt(i)) {
        case quote:
          i = stringEnd(text, i + 1);
          if (i < 0) return -1;
          if (depth === 0) return i + 1;
          break;
        case 0x7b: // {
        case 0x5b: // [
          depth++;
          break;
        case 0x7d: // }
        case 0x5d: // ]
          // The bracket around the value ends it.
          if (depth === 0) return i;
          if (--depth === 0) return i + 1;
          break;
        case 0x2c: // ,
          if (depth === 0) return i;
          break;
      }
    }
    return isAll && depth === 0 && text.length > from ? text.length : -1;
  }

  async #more(): Promise<boolean> {
    const { done, value } = await this.#reader.read().catch((cause: unknown) => {
      throw this.#brokenOff(cause);
    });
    const text = done ? this.#decoder.decode() : this.#decoder.decode(value, { stream: true });
    this.#text = this.#at === this.#text.length ? text : this.#text.slice(this.#at) + text;
    this.#at = 0;
    return !done;
  }
}

/** The place of the closing quote, or -1. */
function stringEnd(text: string, from: number): number {
  for (let at = text.indexOf('"', from); at >= 0; at = text.indexOf('"', at + 1)) {
    let before = at;
    while (before > from && text.charCodeAt(before - 1) === backslash) before--;
    if ((at - before) % 2 === 0) return at;
  }
  return -1;
}

function isSpace(c: string): boolean {
  return c === " " || c === "\n" || c === "\r" || c === "\t";
}

function broken(how: string): EvertError {
  return new EvertError("protocol_violation", "the server's answer is no complete JSON", {
    detail: `In what has come, ${how}.`,
  });
}
