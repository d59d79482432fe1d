/**
 * What generated loops call for everything that is not a few machine instructions: integers beyond 2^53, numerics, text by id.
 *
 * One runtime per dictionary. Caches are checked against the dictionary's text on every use, because an id may be freed and
 * given to another value between steps.
 */
import { formatTimestamptzJson } from "../../batch/format/timestamptz.ts";
import { carrierOf, type SqlType } from "../../batch/types.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import {
  extract,
  partOf,
  splitTime,
  type TimeField,
  truncateDays,
  truncateTime,
  US_PER_DAY,
} from "./datetime.ts";
import {
  compareDecimals,
  type Decimal,
  decimal,
  decimalFromText,
  decimalToText,
  FINITE,
  scaledToText,
  ZERO,
} from "./decimal.ts";
import { fail, int4OutOfRange, int8OutOfRange } from "./errors.ts";
import { Guard } from "./guard.ts";
import { divideInt8, int8, remainderInt8 } from "./library.ts";
import { roundHalfEven } from "./rounding.ts";
import { addInterval, boundAfter, spanMicroseconds, subtractInterval } from "./time-arithmetic.ts";
import { bin } from "./time-functions.ts";
import { parseFrozen, toJs } from "./user-function.ts";

const CACHE_SLOTS = 4096;
const SAFE = Number.MAX_SAFE_INTEGER;
const BIG_SAFE = BigInt(SAFE);

/** Numerics by the slot of their text's id. */
class DecimalCache {
  readonly ids = new Int32Array(CACHE_SLOTS).fill(-1);
  readonly texts: string[] = new Array<string>(CACHE_SLOTS).fill("");
  readonly values: Decimal[] = new Array<Decimal>(CACHE_SLOTS).fill(ZERO);
}

/** Spans in microseconds by the slot of their text's id. */
class SpanCache {
  readonly texts: string[] = new Array<string>(CACHE_SLOTS).fill("");
  readonly us = new Float64Array(CACHE_SLOTS);
}

export class KernelRuntime {
  readonly dictionary: Dictionary;
  /** For functions of the user. */
  readonly guard: Guard = new Guard();
  // Each is made when it is first asked for: most databases have neither numerics nor intervals.
  #decimals: DecimalCache | null = null;
  #spans: SpanCache | null = null;
  /** Ids of "0", "1", ... as numerics, -1 where not made yet: parts of dates and counts are met again and again. */
  #smallIntegers: Int32Array | null = null;

  constructor(dictionary: Dictionary) {
    this.dictionary = dictionary;
  }

  // ---- text, numerics and integers between their codes and their values -----------------------------------------

  text(id: number): string {
    return this.dictionary.string(id);
  }

  internText(s: string): number {
    return this.dictionary.internString(s);
  }

  big(code: number): bigint {
    return code < WIDE ? BigInt(code) : this.dictionary.bigint(code);
  }

  code(value: bigint): number {
    return value >= -BIG_SAFE && value <= BIG_SAFE ? Number(value) : this.dictionary.internBigInt(value);
  }

  /** The integer as JavaScript likes it: a number where that is safe. */
  looseInteger(code: number): number | bigint {
    return code < WIDE ? code : this.dictionary.bigint(code);
  }

  codeOfLoose(value: number | bigint): number {
    return typeof value === "number" ? value + 0 : this.code(value);
  }

  decimal(id: number): Decimal {
    const slot = id & (CACHE_SLOTS - 1);
    const text = this.dictionary.string(id);
    const cache = (this.#decimals ??= new DecimalCache());
    if (cache.ids[slot] === id && cache.texts[slot] === text) return cache.values[slot]!;
    const value = decimalFromText(text);
    cache.ids[slot] = id;
    cache.texts[slot] = text;
    cache.values[slot] = value;
    return value;
  }

  decimalOfScaled(code: number, scale: number): Decimal {
    return decimal(this.big(code), scale);
  }

  decimalOfLoose(unscaled: number | bigint, scale: number): Decimal {
    return decimal(BigInt(unscaled), scale);
  }

  internLoose(unscaled: number | bigint, scale: number): number {
    if (typeof unscaled === "number") return this.internScaled(unscaled, scale);
    return this.dictionary.internString(scaledToText(unscaled, scale));
  }

  internDecimal(x: Decimal): number {
    if (x.scale === 0 && x.kind === FINITE && x.unscaled >= 0n && x.unscaled < CACHE_SLOTS) {
      return this.#smallInteger(Number(x.unscaled));
    }
    return this.dictionary.internString(decimalToText(x));
  }

  internScaled(code: number, scale: number): number {
    if (scale === 0 && code >= 0 && code < CACHE_SLOTS) return this.#smallInteger(code);
    if (scale > 0 && code <= SAFE && code >= -SAFE) return this.dictionary.internDigits(code, scale);
    return this.dictionary.internString(this.scaledText(code, scale));
  }

  scaledText(code: number, scale: number): string {
    return scaledToText(this.looseInteger(code), scale);
  }

  #smallInteger(n: number): number {
    const ids = (this.#smallIntegers ??= new Int32Array(CACHE_SLOTS).fill(-1));
    const known = ids[n]!;
    if (known >= 0) return known;
    const id = this.dictionary.internString(String(n));
    this.dictionary.retain(id);
    ids[n] = id;
    return id;
  }

  timestampJson(code: number): string {
    return formatTimestamptzJson(this.looseInteger(code));
  }

  /** A value, by its code, as JavaScript sees it in a row. */
  jsValue(code: number, type: SqlType): unknown {
    switch (carrierOf(type)) {
      case "string":
        return toJs(this.text(code), type);
      case "int64":
        return toJs(this.looseInteger(code), type);
      case "bool":
        return code === 1;
      case "int32":
      case "double":
        return toJs(code, type);
    }
  }

  /** A value by its code, as the library's functions take it; not for numerics. */
  value(code: number, type: SqlType): number | bigint | boolean | string {
    switch (carrierOf(type)) {
      case "string":
        return this.text(code);
      case "int64":
        return this.big(code);
      case "bool":
        return code === 1;
      case "int32":
      case "double":
        return code;
    }
  }

  json(id: number): unknown {
    return parseFrozen(this.dictionary.string(id));
  }

  // ---- int8: results beyond 2^53, wide operands -----------------------------------------------------------------

  addWide(a: number, b: number): number {
    return this.code(int8(this.big(a) + this.big(b)));
  }

  subtractWide(a: number, b: number): number {
    return this.code(int8(this.big(a) - this.big(b)));
  }

  multiplyWide(a: number, b: number): number {
    return this.code(int8(this.big(a) * this.big(b)));
  }

  divideWide(a: number, b: number): number {
    return this.code(divideInt8(this.big(a), this.big(b)));
  }

  remainderWide(a: number, b: number): number {
    return this.code(remainderInt8(this.big(a), this.big(b)));
  }

  negateWide(a: number): number {
    return this.code(int8(-this.big(a)));
  }

  absWide(a: number): number {
    const value = this.big(a);
    return this.code(int8(value < 0n ? -value : value));
  }

  compareWide(a: number, b: number): number {
    if (a < WIDE && b < WIDE) return a < b ? -1 : a > b ? 1 : 0;
    const x = this.big(a);
    const y = this.big(b);
    return x < y ? -1 : x > y ? 1 : 0;
  }

  floatOfWide(a: number): number {
    return Number(this.big(a));
  }

  /** round-half-even to int4; out of range, NaN included, is a fault. */
  int4OfFloat(x: number): number {
    const r = roundHalfEven(x);
    return r >= -2147483648 && r <= 2147483647 ? r | 0 : fail(int4OutOfRange, 0);
  }

  int8OfFloat(x: number): number {
    const r = roundHalfEven(x);
    if (r >= -SAFE && r <= SAFE) return r + 0;
    return r >= -(2 ** 63) && r < 2 ** 63 ? this.code(BigInt(r)) : fail(int8OutOfRange, 0);
  }

  // ---- numeric by reference -------------------------------------------------------------------------------------

  equalNumerics(a: number, b: number): boolean {
    return a === b || this.dictionary.canonicalNumeric(a) === this.dictionary.canonicalNumeric(b);
  }

  compareNumerics(a: number, b: number): number {
    return a === b ? 0 : compareDecimals(this.decimal(a), this.decimal(b));
  }

  // ---- times ----------------------------------------------------------------------------------------------------

  /** An integer part of a finite time. */
  part(field: Exclude<TimeField, "epoch" | "julian">, us: number): number {
    if (us < WIDE) {
      const days = Math.floor(us / US_PER_DAY);
      return partOf(field, days, us - days * US_PER_DAY);
    }
    const { days, rest } = splitTime(this.dictionary.bigint(us));
    return partOf(field, days, rest);
  }

  /** As a numeric: infinite where the time is. */
  growingPart(field: TimeField, us: number): number {
    if (us < WIDE && field !== "epoch" && field !== "julian")
      return this.internScaled(this.part(field, us), 0);
    return this.internDecimal(extract(field, this.big(us))!);
  }

  truncate(field: Parameters<typeof truncateDays>[0], us: number): number {
    if (us < WIDE) {
      const start = truncateDays(field, Math.floor(us / US_PER_DAY)) * US_PER_DAY;
      if (start >= -SAFE) return start;
    }
    return this.truncateWide(field, us);
  }

  /** As spanMicroseconds. */
  spanUs(id: number): number {
    const slot = id & (CACHE_SLOTS - 1);
    const text = this.dictionary.string(id);
    const cache = (this.#spans ??= new SpanCache());
    if (cache.texts[slot] === text) return cache.us[slot]!;
    const us = spanMicroseconds(text);
    cache.texts[slot] = text;
    cache.us[slot] = us;
    return us;
  }

  addSpan(us: number, span: number): number {
    return this.code(addInterval(this.big(us), this.text(span)));
  }

  subtractSpan(us: number, span: number): number {
    return this.code(subtractInterval(this.big(us), this.text(span)));
  }

  boundAfter(us: number, span: number): number {
    return this.code(boundAfter(this.big(us), this.text(span)));
  }

  bin(stride: number, us: number, origin: number): number {
    return this.code(bin(this.text(stride), this.big(us), this.big(origin)));
  }

  truncateWide(field: TimeField, us: number): number {
    return this.code(truncateTime(field, this.big(us)));
  }
}

const runtimes = new WeakMap<Dictionary, KernelRuntime>();

export function runtimeOf(dictionary: Dictionary): KernelRuntime {
  let runtime = runtimes.get(dictionary);
  if (runtime === undefined) runtimes.set(dictionary, (runtime = new KernelRuntime(dictionary)));
  return runtime;
}
