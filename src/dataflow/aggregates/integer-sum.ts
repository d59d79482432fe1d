/**
 * sum, avg and variances over int4, int8 and numerics kept as scaled integers: exact, in doubles.
 *
 * A sum is lo + hi * 2^32 + top * 2^64. lo stays within +-2^52 by carrying into hi, hi by carrying into top; a row adds less than
 * 2^53, so no double ever rounds. top moves for integers beyond 2^53 and for weights beyond 2^20 only.
 */
import { float8, isSmallNumeric, numeric, type SqlType } from "../../batch/types.ts";
import { DIVISOR_MAX } from "../../state/decimal-digits.ts";
import { type Dictionary, WIDE } from "../../state/dictionary.ts";
import {
  decimal,
  decimalToText,
  divideDecimals,
  powerOfTen,
  quickDivisionScale,
  scaledToText,
} from "../kernels/decimal.ts";
import { int8OutOfRange, type ScalarError, takeFault } from "../kernels/errors.ts";
import { type Accumulator, cell, cellAt, countCell, unlessEmpty } from "./accumulator.ts";
import { ratioToDouble } from "./exact-sum.ts";
import { type NumericFunction, spread } from "./numeric-totals.ts";

const column = { type: float8, nullable: false };
const TWO_32 = 4294967296;
const CARRY = 4503599627370496; // 2^52
/** A weight up to here times 2^32 stays below 2^52. */
const WEIGHT_MAX = 1048576;
/** The high half of a sum that a double holds exactly. */
const HIGH_MAX = 2097152;

export type IntegerFunction = "sum" | "avg";

export function integerSum(fn: IntegerFunction, argType: SqlType, type: SqlType): Accumulator {
  const scale = isSmallNumeric(argType) ? (argType.scale ?? 0) : 0;
  return {
    type,
    columns: [column, column, column],
    add(place) {
      const v = `c${place.arg}[r]`;
      const lo = cell(place, 0);
      const hi = cell(place, 1);
      const slow = `${place.bind(addWide)}(F, ${cellAt(place, 0)}, ${v}, w, dictionary);`;
      const carry = `if (lo > ${CARRY} || lo < -${CARRY}) { const up = Math.trunc(lo / ${TWO_32}); ${hi} += up; lo -= up * ${TWO_32}; }`;
      if (argType.name === "int4") {
        return `if (w > ${WEIGHT_MAX} || w < -${WEIGHT_MAX}) { ${slow} }
        else { let lo = ${lo} + ${v} * w; ${carry} ${lo} = lo; }`;
      }
      return `{ const v = ${v};
        if (v >= ${WIDE} || w > ${WEIGHT_MAX} || w < -${WEIGHT_MAX}) { ${slow} }
        else if (v < ${TWO_32} && v > -${TWO_32}) { let lo = ${lo} + v * w; ${carry} ${lo} = lo; }
        else {
          const up = Math.trunc(v / ${TWO_32});
          ${hi} += up * w;
          let lo = ${lo} + (v - up * ${TWO_32}) * w; ${carry} ${lo} = lo;
        } }`;
    },
    result(place) {
      const finish = place.bind(fn === "sum" ? finishSum(type, scale) : finishAvg(type, scale));
      const args = fn === "sum" ? "" : `, ${countCell(place)}`;
      return unlessEmpty(
        place,
        `value = ${finish}(F, ${cellAt(place, 0)}, dictionary${args}); if (value !== value) { error = ${place.bind(takeError)}(); }`,
      );
    },
  };
}

/** One half of such a sum: what is kept is kept for each, as nobody asks for one alone. */
export function halfOfSum(fn: "sum_high" | "sum_low", argType: SqlType, type: SqlType): Accumulator {
  function finish(F: Float64Array, at: number, dictionary: Dictionary): number {
    const quick = quickTotal(F, at);
    if (!Number.isNaN(quick)) {
      const high = Math.floor(quick / TWO_32);
      return fn === "sum_high" ? high : quick - high * TWO_32;
    }
    const total = totalOf(F, at);
    return fn === "sum_high" ? encodeInteger(total >> 32n, dictionary) : Number(BigInt.asUintN(32, total));
  }

  return {
    ...integerSum("sum", argType, type),
    result: (place) =>
      unlessEmpty(place, `value = ${place.bind(finish)}(F, ${cellAt(place, 0)}, dictionary);`),
  };
}

/** The sum or the average of sums in halves: the arguments are the high one, the low one, of an average also how many values it is of. */
export function sumOfHalves(fn: IntegerFunction, lowType: SqlType, type: SqlType): Accumulator {
  const scale = isSmallNumeric(lowType) ? (lowType.scale ?? 0) : 0;

  function addSlowly(
    F: Float64Array,
    at: number,
    high: number,
    low: number,
    weight: number,
    dictionary: Dictionary,
  ): void {
    const wide = high >= WIDE ? dictionary.bigint(high) : BigInt(high);
    setTotal(F, at, SUM_CELLS, totalOf(F, at) + ((wide << 32n) + BigInt(low)) * BigInt(weight));
  }

  return {
    type,
    columns: Array.from({ length: fn === "sum" ? SUM_CELLS : SUM_CELLS + 1 }, () => column),
    add(place) {
      const [lo, hi] = [cell(place, 0), cell(place, 1)];
      const [low, count] = place.rest.map((c) => `c${c}[r]`);
      const counted = fn === "sum" ? "" : `${cell(place, SUM_CELLS)} += ${count} * w;`;
      return `{ const high = c${place.arg}[r], low = ${low}; ${counted}
        if (high > ${HIGH_MAX} || high < -${HIGH_MAX} || w > ${WEIGHT_MAX} || w < -${WEIGHT_MAX}) {
          ${place.bind(addSlowly)}(F, ${cellAt(place, 0)}, high, low, w, dictionary);
        } else {
          ${hi} += high * w;
          ${addSmall("low", lo, hi)}
        } }`;
    },
    result(place) {
      const finish = place.bind(fn === "sum" ? finishSum(type, scale) : finishAvg(type, scale));
      const args = fn === "sum" ? "" : `, ${cell(place, SUM_CELLS)}`;
      return unlessEmpty(
        place,
        `value = ${finish}(F, ${cellAt(place, 0)}, dictionary${args}); if (value !== value) { error = ${place.bind(takeError)}(); }`,
      );
    },
  };
}

/** Variables: v is added w times to the sum whose parts are at `lo` and `hi`. */
function addSmall(v: string, lo: string, hi: string): string {
  return `{ let lo = ${lo} + ${v} * w; if (lo > ${CARRY} || lo < -${CARRY}) { const up = Math.trunc(lo / ${TWO_32}); ${hi} += up; lo -= up * ${TWO_32}; } ${lo} = lo; }`;
}

/** A value up to here has a square below 2^32. */
const ROOT_MAX = 65535;

/** Variances and standard deviations of the same types: the sum of the values, and of their squares. */
export function integerSpread(fn: NumericFunction, argType: SqlType): Accumulator {
  const scale = isSmallNumeric(argType) ? (argType.scale ?? 0) : 0;

  function addSlowly(F: Float64Array, at: number, v: number, weight: number, dictionary: Dictionary): void {
    addWide(F, at, v, weight, dictionary);
    const value = v >= WIDE ? dictionary.bigint(v) : BigInt(v);
    setTotal(F, at + 3, SQUARE_CELLS, totalOf(F, at + 3, SQUARE_CELLS) + value * value * BigInt(weight));
  }

  /** undefined: null. */
  function finish(F: Float64Array, at: number, count: number, dictionary: Dictionary): number | undefined {
    if (count < 2 && (fn === "var_samp" || fn === "stddev_samp")) return undefined;
    const value = spread(fn, count, totalOf(F, at), totalOf(F, at + 3, SQUARE_CELLS), scale);
    lastError = takeFault();
    return dictionary.internString(decimalToText(value));
  }

  return {
    type: numeric,
    columns: Array.from({ length: 3 + SQUARE_CELLS }, () => column),
    add(place) {
      const slow = `${place.bind(addSlowly)}(F, ${cellAt(place, 0)}, v, w, dictionary);`;
      return `{ const v = c${place.arg}[r];
        if (v > ${ROOT_MAX} || v < -${ROOT_MAX} || w > ${WEIGHT_MAX} || w < -${WEIGHT_MAX}) { ${slow} }
        else {
          ${addSmall("v", cell(place, 0), cell(place, 1))}
          ${addSmall("v * v", cell(place, 3), cell(place, 4))}
        } }`;
    },
    result: (place) =>
      unlessEmpty(
        place,
        `value = ${place.bind(finish)}(F, ${cellAt(place, 0)}, ${countCell(place)}, dictionary);
        error = ${place.bind(takeError)}(); if (value === undefined) { value = 0; isNull = 1; }`,
      ),
  };
}

/** v * weight where the quick way would round. */
function addWide(F: Float64Array, at: number, v: number, weight: number, dictionary: Dictionary): void {
  const value = (v >= WIDE ? dictionary.bigint(v) : BigInt(v)) * BigInt(weight);
  setTotal(F, at, SUM_CELLS, totalOf(F, at) + value);
}

const SUM_CELLS = 3;
/** The square of an int8 has 126 bits. */
const SQUARE_CELLS = 4;

/** The last cell holds all that is left, with the sign. */
function setTotal(F: Float64Array, at: number, cells: number, total: bigint): void {
  for (let i = 0; i < cells - 1; i++) F[at + i] = Number(BigInt.asUintN(32, total >> BigInt(32 * i)));
  F[at + cells - 1] = Number(total >> BigInt(32 * (cells - 1)));
}

function totalOf(F: Float64Array, at: number, cells = SUM_CELLS): bigint {
  let total = 0n;
  for (let i = cells - 1; i >= 0; i--) total = (total << 32n) + BigInt(F[at + i] as number);
  return total;
}

/** The sum when a double holds it exactly, else NaN. */
function quickTotal(F: Float64Array, at: number): number {
  if (F[at + 2] !== 0) return Number.NaN;
  const total = (F[at + 1] as number) * TWO_32 + (F[at] as number);
  return total <= Number.MAX_SAFE_INTEGER && total >= -Number.MAX_SAFE_INTEGER ? total : Number.NaN;
}

let lastError: ScalarError | null = null;

function takeError(): ScalarError | null {
  const error = lastError;
  lastError = null;
  return error;
}

type Finish = (F: Float64Array, at: number, dictionary: Dictionary, count: number) => number;

function finishSum(type: SqlType, scale: number): Finish {
  if (type.name === "float8") {
    const divisor = powerOfTen(scale);
    return (F, at) => {
      const quick = quickTotal(F, at);
      return scale === 0 && !Number.isNaN(quick) ? quick : ratioToDouble(totalOf(F, at), divisor);
    };
  }
  if (type.name === "int8") {
    return (F, at, dictionary) => {
      const quick = quickTotal(F, at);
      if (!Number.isNaN(quick)) return quick;
      const total = totalOf(F, at);
      if (total >= -(2n ** 63n) && total < 2n ** 63n) return encodeInteger(total, dictionary);
      lastError = int8OutOfRange;
      return Number.NaN;
    };
  }
  return (F, at, dictionary) => {
    const quick = quickTotal(F, at);
    return dictionary.internString(scaledToText(!Number.isNaN(quick) ? quick : totalOf(F, at), scale));
  };
}

function finishAvg(type: SqlType, scale: number): Finish {
  if (type.name === "float8") {
    const power = powerOfTen(scale);
    return (F, at, _dictionary, count) => {
      const quick = quickTotal(F, at);
      return scale === 0 && !Number.isNaN(quick)
        ? quick / count
        : ratioToDouble(totalOf(F, at), BigInt(count) * power);
    };
  }
  return (F, at, dictionary, count) => {
    const quick = scale === 0 && count <= DIVISOR_MAX ? quickTotal(F, at) : Number.NaN;
    const digits = quickDivisionScale(Math.abs(quick), count);
    if (digits > 0) return dictionary.internQuotient(quick, count, digits);
    return dictionary.internString(
      decimalToText(divideDecimals(decimal(totalOf(F, at), scale), decimal(BigInt(count), 0))),
    );
  };
}

export function encodeInteger(value: bigint, dictionary: Dictionary): number {
  const n = Number(value);
  return Number.isSafeInteger(n) ? n : dictionary.internBigInt(value);
}
