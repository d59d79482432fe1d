/**
 * The elements of a JSON document that is one value or an array of values, cut out of its text as it arrives.
 *
 * JSON.parse of a 64 MiB array would stop the program for half a second and cannot say which element is wrong. So the
 * text is only scanned here, for the places where elements end, and each element is parsed by whoever takes it:
 *
 *   1. Before anything: "[" starts an array, any other character starts a single value.
 *   2. In an array, an element ends at a "," or "]" that is outside strings and at depth 1.
 *   3. A single value ends with the document.
 *
 * The scan knows strings and brackets, nothing else: what lies between two cuts may be nonsense, and JSON.parse of
 * that element will say so.
 */
import { EvertError } from "../../base/errors.ts";

export interface Element {
  /** 0-based index in the array; 0 for a single value. */
  readonly number: number;
  readonly text: string;
}

const at = { start: 0, single: 1, array: 2, end: 3 } as const;

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBracket = 0x5b;
const closeBracket = 0x5d;
const openBrace = 0x7b;
const closeBrace = 0x7d;

export class JsonElementDecoder {
  readonly #charsMax: number;
  #state: number = at.start;
  /** Open brackets within the current element. */
  #depth = 0;
  #inString = false;
  #escaped = false;
  #partial: string[] = [];
  #partialChars = 0;
  #count = 0;

  constructor(charsMax: number) {
    this.#charsMax = charsMax;
  }

  /** Elements of the array completed so far. */
  get count(): number {
    return this.#count;
  }

  /** Appends the elements this text completes. @throws EvertError invalid_text_representation, record_too_large. */
  push(text: string, out: Element[]): void {
    let from = 0;
    let i = 0;
    while (i < text.length) {
      if (this.#state === at.start) {
        const code = text.charCodeAt(i);
        if (isSpace(code) || code === 0xfeff) {
          i++;
          continue;
        }
        this.#state = code === openBracket ? at.array : at.single;
        from = code === openBracket ? i + 1 : i;
        if (code === openBracket) i++;
        continue;
      }
      if (this.#state === at.single) {
        i = text.length;
        continue;
      }
      if (this.#state === at.end) {
        if (!isSpace(text.charCodeAt(i))) throw malformed("there is more text after the array's end");
        i++;
        from = i;
        continue;
      }
      const cut = this.#scan(text, i);
      if (cut === -1) {
        i = text.length;
        continue;
      }
      this.#element(text.slice(from, cut), text.charCodeAt(cut) === closeBracket, out);
      i = cut + 1;
      from = i;
    }
    if (from < text.length && this.#state !== at.start && this.#state !== at.end) {
      this.#partial.push(text.slice(from));
      this.#partialChars += text.length - from;
      this.#bound(this.#partialChars);
    }
  }

  /** The document has ended. @throws EvertError invalid_text_representation when it is cut short. */
  end(out: Element[]): void {
    if (this.#state === at.array)
      throw malformed(`the text ends inside the array, in element ${this.#count}`);
    if (this.#state !== at.single) return;
    this.#state = at.end;
    out.push({ number: 0, text: this.#join("") });
  }

  /** Index of the next cut at or after `from`, or -1. */
  #scan(text: string, from: number): number {
    const { length } = text;
    let depth = this.#depth;
    let cut = -1;
    let i = this.#inString ? this.#passString(text, from) : from;
    for (; i < length; i++) {
      const code = text.charCodeAt(i);
      if (code === quote) {
        this.#inString = true;
        i = this.#passString(text, i + 1) - 1;
        continue;
      }
      // With this bit a square bracket is a curly one; most characters are none of them.
      const curly = code | 0x20;
      if (code !== comma && curly !== openBrace && curly !== closeBrace) continue;
      if (depth === 0 && (code === comma || code === closeBracket)) {
        cut = i;
        break;
      }
      if (curly === openBrace) depth++;
      else if (curly === closeBrace && depth > 0) depth--;
    }
    this.#depth = depth;
    return cut;
  }

  /** From inside a string: the index behind its closing quote, or the text's end. */
  #passString(text: string, from: number): number {
    const { length } = text;
    let escaped = this.#escaped;
    for (let i = from; i < length; i++) {
      const code = text.charCodeAt(i);
      if (escaped) escaped = false;
      else if (code === backslash) escaped = true;
      else if (code === quote) {
        this.#inString = false;
        this.#escaped = false;
        return i + 1;
      }
    }
    this.#escaped = escaped;
    return length;
  }

  #element(tail: string, last: boolean, out: Element[]): void {
    const text = this.#join(tail);
    if (last) this.#state = at.end;
    if (text.trim() === "") {
      if (last && this.#count === 0) return;
      throw malformed(`element ${this.#count} is empty`);
    }
    out.push({ number: this.#count++, text });
  }

  #join(tail: string): string {
    let text = tail;
    if (this.#partial.length > 0) {
      this.#partial.push(tail);
      text = this.#partial.join("");
      this.#partial = [];
      this.#partialChars = 0;
    }
    this.#bound(text.length);
    return text;
  }

  #bound(chars: number): void {
    if (chars <= this.#charsMax) return;
    throw new EvertError("record_too_large", `element ${this.#count} is longer than a record may be`, {
      detail: `A record may have ${this.#charsMax} characters.`,
    });
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function malformed(detail: string): EvertError {
  return new EvertError("invalid_text_representation", "the body is not valid JSON", { detail });
}
