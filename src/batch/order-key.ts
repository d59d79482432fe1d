/**
 * Order keys: bytes whose order, unsigned and from left to right, is PostgreSQL's order of the values, and which are equal when the
 * values are. For the types that lie as text in another order or with another equality than their text has:
 *
 * | type     | text                | key                                                                                  |
 * |----------|---------------------|--------------------------------------------------------------------------------------|
 * | bpchar   | padded with blanks  | without the blanks at its end                                                        |
 * | interval | months, days, time  | the span: '1 mon' equals '30 days'                                                   |
 * | jsonb    | canonical JSON      | null < string < number < bool < array < object; arrays by length, objects by size    |
 * | array    | PostgreSQL's text   | item by item, nulls last, then the number of items, of dimensions, the bounds         |
 * | record   | PostgreSQL's text   | field by field, nulls last                                                            |
 *
 * Inside a key every part ends itself: numbers have a fixed width or an end mark, text ends with a zero byte (no text holds one). So two keys
 * differ within the first part that differs, and what follows has no say.
 */
import { type ArrayParts, parseArray } from "./format/array.ts";
import { withoutPadding } from "./format/characters.ts";
import { intervalSpan, parseInterval } from "./format/interval.ts";
import { parseRecord } from "./format/record.ts";
import { JsonNumber, parseJson } from "./lossless-json.ts";
import { datumFromText } from "./text-form.ts";
import { carrierOf, isSmallNumeric, type SqlType, typeToString } from "./types.ts";

export interface OrderKey {
  /** Equal for types whose keys are made alike. */
  readonly kind: string;
  /** The key of a value's text. */
  of(text: string): Uint8Array;
}

/** null: the type's values are ordered as they lie (numerics have a way of their own, see state/numeric-order.ts). */
export function orderKeyOf(type: SqlType): OrderKey | null {
  switch (type.name) {
    case "bpchar":
    case "interval":
    case "jsonb":
    case "array":
    case "record":
      break;
    default:
      return null;
  }
  const kind = kindOf(type);
  let key = known.get(kind);
  if (key === undefined) {
    key = { kind, of: (text) => new KeyBytes().value(type, text).take() };
    known.set(kind, key);
  }
  return key;
}

/** Names of fields have no say in it. */
function kindOf(type: SqlType): string {
  if (type.element !== undefined) return `${partKind(type.element)}[]`;
  return type.fields === undefined ? type.name : `(${type.fields.map((f) => partKind(f.type)).join()})`;
}

function partKind(type: SqlType): string {
  if (type.element !== undefined || type.fields !== undefined) return kindOf(type);
  return typeToString(type) + (type.labels?.map((label) => JSON.stringify(label)).join() ?? "");
}

const known = new Map<string, OrderKey>();

/** Order of two keys. */
export function compareKeys(a: Uint8Array, b: Uint8Array): number {
  const shared = Math.min(a.length, b.length);
  for (let i = 0; i < shared; i++) {
    const d = (a[i] as number) - (b[i] as number);
    if (d !== 0) return d;
  }
  return a.length - b.length;
}

/** A span lies well within this: 2^31 months and days of microseconds, and an int64. */
const SPAN_BIAS = 1n << 79n;
const SPAN_BYTES = 10;

const jsonRank = { null: 1, string: 2, number: 3, boolean: 4, array: 5, object: 6 } as const;

class KeyBytes {
  readonly #bytes: number[] = [];

  take(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }

  /** A value's key alone: nothing needs to follow it. */
  value(type: SqlType, text: string): this {
    switch (type.name) {
      case "bpchar":
        return this.#raw(withoutPadding(text));
      case "jsonb":
        return this.#topJson(parseJson(text));
      case "array":
        return this.#array(type.element!, parseArray(text));
      case "record":
        return this.#record(type, text);
      default:
        return this.#part(type, text);
    }
  }

  /** A value among others. */
  #part(type: SqlType, text: string): this {
    if (type.name === "interval") {
      return this.#integer(intervalSpan(parseInterval(text)) + SPAN_BIAS, SPAN_BYTES);
    }
    if (type.name === "jsonb") return this.#topJson(parseJson(text));
    if (type.name === "array") return this.#array(type.element!, parseArray(text));
    if (type.name === "record") return this.#record(type, text);
    if (type.name === "numeric") return this.#numeric(text);
    if (type.name === "bpchar") return this.#text(withoutPadding(text));
    switch (carrierOf(type)) {
      case "int32":
        return this.#integer(BigInt(datumFromText(type, text) as number) + (1n << 31n), 4);
      case "int64":
        return this.#integer(BigInt(datumFromText(type, text) as bigint) + (1n << 63n), 8);
      case "double":
        return this.#double(datumFromText(type, text) as number);
      case "bool":
        return this.#byte(datumFromText(type, text) === true ? 1 : 0);
      case "string":
        return this.#text(text);
    }
  }

  /** Items each behind a 1 (a null: 2), the end a 0: the shorter of two that begin alike comes first. */
  #array(element: SqlType, { dims, lower, items }: ArrayParts): this {
    for (const item of items) {
      if (item === null) this.#byte(2);
      else this.#byte(1).#part(element, item);
    }
    this.#byte(0).#byte(dims.length);
    dims.forEach((n, d) => {
      this.#integer(BigInt(n), 4).#integer(BigInt(lower[d]!) + (1n << 31n), 5);
    });
    return this;
  }

  /** Fields each behind a 1 (a null: 2). */
  #record({ fields }: SqlType, text: string): this {
    const items = parseRecord(text, fields!.length);
    for (const [i, item] of items.entries()) {
      if (item === null) this.#byte(2);
      else this.#byte(1).#part(fields![i]!.type, item);
    }
    return this;
  }

  /** PostgreSQL has an empty array before everything else, but only at the top. */
  #topJson(value: unknown): this {
    const isEmptyArray = Array.isArray(value) && value.length === 0;
    return this.#byte(isEmptyArray ? 0 : 1).#json(value);
  }

  #json(value: unknown): this {
    if (value === null) return this.#byte(jsonRank.null);
    if (typeof value === "string") return this.#byte(jsonRank.string).#text(value);
    if (typeof value === "boolean") return this.#byte(jsonRank.boolean).#byte(value ? 1 : 0);
    if (typeof value === "number" || typeof value === "bigint") {
      return this.#byte(jsonRank.number).#numeric(plain(value));
    }
    if (value instanceof JsonNumber) return this.#byte(jsonRank.number).#numeric(plain(value.text));
    if (Array.isArray(value)) {
      this.#byte(jsonRank.array).#integer(BigInt(value.length), 4);
      for (const item of value) this.#json(item);
      return this;
    }
    const entries = Object.entries(value as Record<string, unknown>);
    this.#byte(jsonRank.object).#integer(BigInt(entries.length), 4);
    const names = entries.map(([name]) => ({ name, length: encoder.encode(name).length }));
    const order = names
      .map((_, i) => i)
      .sort((i, j) => {
        const byLength = names[i]!.length - names[j]!.length;
        return byLength !== 0
          ? byLength
          : compareKeys(encoder.encode(names[i]!.name), encoder.encode(names[j]!.name));
      });
    for (const i of order) this.#text(entries[i]![0]).#json(entries[i]![1]);
    return this;
  }

  /**
   * Sign, then the power of ten and the significant digits, both turned round for a negative number. Digits are told as 1 to 10, their
   * end as 0, so that no zero at the end counts.
   */
  #numeric(text: string): this {
    if (text === "NaN") return this.#byte(6);
    if (text === "Infinity") return this.#byte(5);
    if (text === "-Infinity") return this.#byte(1);
    const negative = text.startsWith("-");
    const [whole = "", fraction = ""] = text.replace(/^-/, "").split(".");
    const all = (whole + fraction).replace(/^0+/, "");
    const digits = all.replace(/0+$/, "");
    if (digits === "") return this.#byte(3);
    const exponent = whole.replace(/^0+/, "").length || -/^0*/.exec(fraction)![0].length;
    const mask = negative ? 0xff : 0;
    this.#byte(negative ? 2 : 4);
    for (let shift = 24, biased = exponent + 2 ** 30; shift >= 0; shift -= 8) {
      this.#byte(((biased >>> shift) & 0xff) ^ mask);
    }
    for (let i = 0; i < digits.length; i++) this.#byte((digits.charCodeAt(i) - 0x2f) ^ mask);
    return this.#byte(mask);
  }

  /** NaN is the greatest, and -0 is 0. */
  #double(x: number): this {
    bits.setFloat64(0, Number.isNaN(x) ? Number.NaN : x + 0);
    const raw = bits.getBigUint64(0);
    const negative = raw >> 63n === 1n && !Number.isNaN(x);
    return this.#integer(negative ? ~raw & 0xffff_ffff_ffff_ffffn : raw | (1n << 63n), 8);
  }

  #integer(biased: bigint, width: number): this {
    for (let shift = BigInt(width - 1) * 8n; shift >= 0n; shift -= 8n) {
      this.#bytes.push(Number((biased >> shift) & 0xffn));
    }
    return this;
  }

  #text(text: string): this {
    return this.#raw(text).#byte(0);
  }

  #raw(text: string): this {
    for (const byte of encoder.encode(text)) this.#bytes.push(byte);
    return this;
  }

  #byte(value: number): this {
    this.#bytes.push(value);
    return this;
  }
}

const encoder = new TextEncoder();
const bits = new DataView(new ArrayBuffer(8));

/** A number of canonical JSON: without exponent already. */
function plain(number: number | bigint | string): string {
  const text = String(number);
  return /e/i.test(text) ? expanded(text) : text;
}

/** JSON.parse gives back a short number as a double; its text may have an exponent where the canonical one has zeros. */
function expanded(text: string): string {
  const [, sign = "", whole = "", fraction = "", power = "0"] = /^(-?)(\d+)\.?(\d*)e([+-]?\d+)$/i.exec(text)!;
  const digits = whole + fraction;
  const point = whole.length + Number(power);
  if (point <= 0) return `${sign}0.${"0".repeat(-point)}${digits}`;
  return point >= digits.length
    ? sign + digits.padEnd(point, "0")
    : `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** Whether equal values of the type may print differently: grouping must compare keys, not codes. */
export function hasOwnEquality(type: SqlType): boolean {
  return orderKeyOf(type) !== null || (type.name === "numeric" && !isSmallNumeric(type));
}
