/**
 * Arrays in PostgreSQL's text form.
 *
 *   array = bounds? "{" (item ("," item)*)? "}"       bounds = ("[" lower ":" upper "]")+ "="
 *   item  = array | NULL | bare | "quoted, \ before a quote or a backslash"
 *
 * All sub-arrays of a dimension have one length. Items stand in row-major order, as the text form of their type.
 */
import { EvertError } from "../../base/errors.ts";
import { isSpace } from "./integer.ts";

export interface ArrayParts {
  /** Lengths, from the outermost dimension on; none for an empty array. */
  readonly dims: readonly number[];
  /** The subscript each dimension begins at: 1 unless said otherwise. */
  readonly lower: readonly number[];
  readonly items: readonly (string | null)[];
}

export const EMPTY_ARRAY: ArrayParts = { dims: [], lower: [], items: [] };
export const ARRAY_DIMENSIONS_MAX = 6;

export function listOf(items: readonly (string | null)[]): ArrayParts {
  return items.length === 0 ? EMPTY_ARRAY : { dims: [items.length], lower: [1], items };
}

// ---- output -----------------------------------------------------------------------------------------------------

export function formatArray({ dims, lower, items }: ArrayParts): string {
  if (items.length === 0) return "{}";
  let at = 0;
  const level = (d: number): string => {
    let out = "{";
    for (let i = 0; i < dims[d]!; i++) {
      if (i > 0) out += ",";
      out += d === dims.length - 1 ? arrayItem(items[at++]!) : level(d + 1);
    }
    return `${out}}`;
  };
  return arrayBounds(dims, lower) + level(0);
}

/** What stands before the braces: nothing where every dimension begins at 1. */
export function arrayBounds(dims: readonly number[], lower: readonly number[]): string {
  if (lower.every((l) => l === 1)) return "";
  return `${dims.map((n, d) => `[${lower[d]}:${lower[d]! + n - 1}]`).join("")}=`;
}

export function arrayItem(item: string | null): string {
  if (item === null) return "NULL";
  if (item !== "" && !/["\\{},\s]|^null$/i.test(item)) return item;
  return `"${item.replace(/["\\]/g, "\\$&")}"`;
}

/** Nested lists, each item through `write`. */
export function nestArray<T>({ dims, items }: ArrayParts, write: (item: string | null) => T): unknown[] {
  let at = 0;
  const level = (d: number): unknown[] =>
    Array.from({ length: dims[d]! }, () => (d === dims.length - 1 ? write(items[at++]!) : level(d + 1)));
  return dims.length === 0 ? [] : level(0);
}

// ---- input ------------------------------------------------------------------------------------------------------

export function parseArray(text: string): ArrayParts {
  return new Reader(text).read();
}

class Reader {
  readonly #text: string;
  #at = 0;
  readonly #items: (string | null)[] = [];
  readonly #dims: number[] = [];
  /** Depth at which items stand; -1 before the first. */
  #leafDepth = -1;

  constructor(text: string) {
    this.#text = text;
  }

  read(): ArrayParts {
    this.#spaces();
    const bounds = this.#bounds();
    if (this.#text[this.#at] !== "{") {
      throw this.#malformed(
        bounds === null
          ? 'Array value must start with "{" or dimension information.'
          : 'Array contents must start with "{".',
      );
    }
    this.#level(0);
    this.#spaces();
    if (this.#at < this.#text.length) throw this.#malformed("Junk after closing right brace.");
    const dims = this.#items.length === 0 ? [] : this.#dims;
    if (
      bounds !== null &&
      (bounds.length !== dims.length || bounds.some(([l, u], d) => u - l + 1 !== dims[d]))
    ) {
      throw this.#malformed("Specified array dimensions do not match array contents.");
    }
    return { dims, lower: bounds?.map(([l]) => l) ?? dims.map(() => 1), items: this.#items };
  }

  #bounds(): [number, number][] | null {
    if (this.#text[this.#at] !== "[") return null;
    const bounds: [number, number][] = [];
    const one = /\s*\[([+-]?\d+)(?::([+-]?\d+))?\]/y;
    for (;;) {
      one.lastIndex = this.#at;
      const match = one.exec(this.#text);
      if (match === null) break;
      const lower = match[2] === undefined ? 1 : Number(match[1]);
      const upper = Number(match[2] ?? match[1]);
      if (upper < lower) {
        throw new EvertError("invalid_value", "upper bound cannot be less than lower bound", {
          sqlstate: "2202E",
        });
      }
      if (Math.abs(lower) > 2 ** 31 || upper >= 2 ** 31 - 1) {
        throw new EvertError("numeric_value_out_of_range", "array bound is out of integer range");
      }
      bounds.push([lower, upper]);
      this.#at = one.lastIndex;
    }
    this.#spaces();
    if (bounds.length === 0)
      throw this.#malformed('"[" must introduce explicitly-specified array dimensions.');
    if (this.#text[this.#at] !== "=") throw this.#malformed('Missing "=" after array dimensions.');
    this.#at++;
    this.#spaces();
    return bounds;
  }

  /** From "{" to its "}". */
  #level(depth: number): void {
    if (depth >= ARRAY_DIMENSIONS_MAX) {
      throw new EvertError(
        "statement_too_complex",
        `number of array dimensions exceeds the maximum allowed (${ARRAY_DIMENSIONS_MAX})`,
        { sqlstate: "54000" },
      );
    }
    this.#at++;
    let count = 0;
    this.#spaces();
    if (this.#text[this.#at] === "}") {
      this.#at++;
      this.#close(depth, 0);
      return;
    }
    for (;;) {
      this.#spaces();
      const c = this.#text[this.#at];
      if (c === "{") {
        if (this.#leafDepth === depth) throw this.#ragged();
        this.#level(depth + 1);
      } else {
        if (this.#leafDepth !== -1 && this.#leafDepth !== depth) throw this.#ragged();
        this.#leafDepth = depth;
        this.#items.push(this.#item());
      }
      count++;
      this.#spaces();
      const end = this.#text[this.#at++];
      if (end === "}") break;
      if (end !== ",") {
        throw this.#malformed(end === undefined ? "Unexpected end of input." : `Unexpected array element.`);
      }
    }
    this.#close(depth, count);
  }

  /** Every list of one depth has the same length. */
  #close(depth: number, count: number): void {
    const known = this.#dims[depth];
    if (known === undefined) this.#dims[depth] = count;
    else if (known !== count) throw this.#ragged();
  }

  #item(): string | null {
    const text = this.#text;
    if (text[this.#at] === '"') return this.#quoted();
    let out = "";
    let end = 0;
    let plain = true;
    for (; this.#at < text.length; this.#at++) {
      let c = text[this.#at]!;
      if (c === "," || c === "}") break;
      if (c === '"') throw this.#malformed("Incorrectly quoted array element.");
      if (c === "{") throw this.#malformed('Unexpected "{" character.');
      if (c === "\\") {
        c = text[++this.#at] ?? "";
        if (c === "") throw this.#malformed("Unexpected end of input.");
        plain = false;
        out += c;
        end = out.length;
        continue;
      }
      out += c;
      if (!isSpace(c.charCodeAt(0))) end = out.length;
    }
    if (this.#at >= text.length) throw this.#malformed("Unexpected end of input.");
    out = out.slice(0, end);
    if (out === "") throw this.#malformed(`Unexpected "${text[this.#at]}" character.`);
    return plain && out.toLowerCase() === "null" ? null : out;
  }

  #quoted(): string {
    const text = this.#text;
    let out = "";
    for (this.#at++; this.#at < text.length; this.#at++) {
      const c = text[this.#at]!;
      if (c === '"') {
        this.#at++;
        this.#spaces();
        const next = text[this.#at];
        if (next !== undefined && next !== "," && next !== "}")
          throw this.#malformed("Incorrectly quoted array element.");
        return out;
      }
      out += c === "\\" ? (text[++this.#at] ?? "") : c;
    }
    throw this.#malformed("Unexpected end of input.");
  }

  #spaces(): void {
    while (isSpace(this.#text.charCodeAt(this.#at))) this.#at++;
  }

  #ragged(): EvertError {
    return this.#malformed("Multidimensional arrays must have sub-arrays with matching dimensions.");
  }

  #malformed(detail: string): EvertError {
    return new EvertError("invalid_text_representation", `malformed array literal: "${this.#text}"`, {
      detail,
    });
  }
}
