/**
 * JSON with all its digits.
 *
 * JSON.parse rounds every number to a double. That is right for int4 and float8, and for an int8 of up to 15 digits, which
 * is nearly every message. `parseJson` therefore uses it unless told that a numeric is inside or a long integer shows in the
 * text, and only then takes the exact way: a parser of its own that gives a number where printing it yields the very
 * digits again, and an ExactNumber, holding the text, where it does not.
 */
import { EvertError } from "../base/errors.ts";

/** A number whose text a double does not reproduce. */
export class ExactNumber {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** 16 digits where a number may begin. Digits after a point are a float8's, which a double holds by definition. */
const longInteger = /[\s:,[-]\d{16}/;

/** @throws EvertError protocol_violation */
export function parseJson(text: string, exact: boolean): unknown {
  if (exact || longInteger.test(text)) return new ExactParser(text).parse();
  try {
    return JSON.parse(text);
  } catch (error) {
    throw malformed(error instanceof Error ? error.message : String(error));
  }
}

function malformed(detail: string): EvertError {
  return new EvertError("protocol_violation", "the server sent JSON that cannot be read", { detail });
}

const numberAt = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const depthMax = 1000;

class ExactParser {
  readonly #text: string;
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#text = text;
  }

  parse(): unknown {
    const value = this.#value();
    this.#space();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return value;
  }

  #value(): unknown {
    this.#space();
    switch (this.#text.charCodeAt(this.#at)) {
      case 0x7b:
        return this.#object();
      case 0x5b:
        return this.#array();
      case 0x22:
        return this.#string();
      case 0x74:
        return this.#word("true", true);
      case 0x66:
        return this.#word("false", false);
      case 0x6e:
        return this.#word("null", null);
    }
    return this.#number();
  }

  #object(): Record<string, unknown> {
    const object: Record<string, unknown> = {};
    this.#enter();
    if (this.#take(0x7d)) return this.#leave(object);
    for (;;) {
      this.#space();
      if (this.#text.charCodeAt(this.#at) !== 0x22) throw this.#unexpected();
      const name = this.#string();
      if (!this.#take(0x3a)) throw this.#unexpected();
      const value = this.#value();
      // As JSON.parse does: a property of that name, not the prototype.
      if (name === "__proto__") {
        Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true });
      } else object[name] = value;
      if (this.#take(0x2c)) continue;
      if (this.#take(0x7d)) return this.#leave(object);
      throw this.#unexpected();
    }
  }

  #array(): unknown[] {
    const array: unknown[] = [];
    this.#enter();
    if (this.#take(0x5d)) return this.#leave(array);
    for (;;) {
      array.push(this.#value());
      if (this.#take(0x2c)) continue;
      if (this.#take(0x5d)) return this.#leave(array);
      throw this.#unexpected();
    }
  }

  #string(): string {
    const from = this.#at;
    let end = this.#text.indexOf('"', from + 1);
    for (;;) {
      if (end === -1) throw malformed(`unfinished string at character ${from}`);
      let backslashes = 0;
      while (this.#text.charCodeAt(end - 1 - backslashes) === 0x5c) backslashes++;
      if ((backslashes & 1) === 0) break;
      end = this.#text.indexOf('"', end + 1);
    }
    this.#at = end + 1;
    try {
      return JSON.parse(this.#text.slice(from, end + 1)) as string;
    } catch (error) {
      throw malformed(error instanceof Error ? error.message : String(error));
    }
  }

  #number(): number | ExactNumber {
    numberAt.lastIndex = this.#at;
    const match = numberAt.exec(this.#text);
    if (match === null) throw this.#unexpected();
    const text = match[0];
    this.#at += text.length;
    const value = Number(text);
    return String(value) === text ? value : new ExactNumber(text);
  }

  #word<T>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#unexpected();
    this.#at += word.length;
    return value;
  }

  #enter(): void {
    this.#at++;
    if (++this.#depth > depthMax) throw malformed(`nested deeper than ${depthMax}`);
  }

  #leave<T>(value: T): T {
    this.#depth--;
    return value;
  }

  #take(code: number): boolean {
    this.#space();
    if (this.#text.charCodeAt(this.#at) !== code) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at);
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return;
      this.#at++;
    }
  }

  #unexpected(): EvertError {
    const found = this.#at < this.#text.length ? JSON.stringify(this.#text[this.#at]) : "the end";
    return malformed(`unexpected ${found} at character ${this.#at}`);
  }
}

/** A nested value (jsonb) as JSON.parse would have given it. */
export function plainJson(value: unknown): unknown {
  if (value instanceof ExactNumber) return Number(value.text);
  if (Array.isArray(value)) return value.map(plainJson);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plainJson(inner)]));
  }
  return value;
}

/**
 * JSON.stringify that also writes bigints, as numbers with all their digits.
 * @throws EvertError invalid_argument for what JSON cannot say (a function, a symbol, a cycle).
 */
export function encodeJson(value: unknown): string {
  try {
    const text = holdsBigint(value, 0) ? encodeExact(value) : JSON.stringify(value);
    if (text !== undefined) return text;
  } catch (cause) {
    if (cause instanceof EvertError) throw cause;
    throw new EvertError("invalid_argument", "the value cannot be written as JSON", {
      detail: cause instanceof Error ? cause.message : String(cause),
      cause,
    });
  }
  throw new EvertError("invalid_argument", "the value cannot be written as JSON", {
    detail: `It is ${value === undefined ? "undefined" : `a ${typeof value}`}.`,
  });
}

function holdsBigint(value: unknown, depth: number): boolean {
  if (typeof value === "bigint") return true;
  if (typeof value !== "object" || value === null) return false;
  if (depth > depthMax)
    throw new EvertError("invalid_argument", "the value refers to itself or is nested too deep");
  const inner = Array.isArray(value) ? value : Object.values(value);
  return inner.some((v) => holdsBigint(v, depth + 1));
}

function encodeExact(value: unknown): string | undefined {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  if ("toJSON" in value && typeof value.toJSON === "function") return encodeExact(value.toJSON());
  if (Array.isArray(value)) return `[${value.map((v) => encodeExact(v) ?? "null").join(",")}]`;
  const fields: string[] = [];
  for (const [name, inner] of Object.entries(value)) {
    const text = encodeExact(inner);
    if (text !== undefined) fields.push(`${JSON.stringify(name)}:${text}`);
  }
  return `{${fields.join(",")}}`;
}
