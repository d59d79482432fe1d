/**
 * What sums, averages and variances of numerics are made from: the exact sum of the values and of their squares, and how many values
 * there are of each display scale, because PostgreSQL prints with the largest among the rows.
 */
import {
  DECIMAL_INFINITY,
  DECIMAL_NAN,
  DECIMAL_NEGATIVE_INFINITY,
  type Decimal,
  decimal,
  divideDecimals,
  FINITE,
  INFINITY,
  NAN,
  powerOfTen,
  ZERO,
} from "../kernels/decimal.ts";
import { rootToScale } from "../kernels/decimal-math.ts";

export type NumericFunction = "sum" | "avg" | "var_pop" | "var_samp" | "stddev_pop" | "stddev_samp";

export interface NumericTotals {
  /** In units of 10^-scale. */
  unscaled: bigint;
  /** Of the squares, in units of 10^-2scale; stays 0 where nobody asks for it. */
  squares: bigint;
  scale: number;
  /** Finite rows by display scale. */
  readonly scales: Map<number, number>;
  nan: number;
  positive: number;
  negative: number;
  /** Not in the above yet: a safe sum in units of 10^-scale, and its rows, all of this scale. */
  near: number;
  nearRows: number;
}

export function noTotals(): NumericTotals {
  const unusual = { nan: 0, positive: 0, negative: 0 };
  return { unscaled: 0n, squares: 0n, scale: 0, scales: new Map(), ...unusual, near: 0, nearRows: 0 };
}

export function usesSquares(fn: NumericFunction): boolean {
  return fn !== "sum" && fn !== "avg";
}

/** Adds a safe integer in units of 10^-scale without a bigint, if that can be done; squares are not counted. */
export function addNear(totals: NumericTotals, unscaled: number, scale: number, weight: number): boolean {
  if (scale !== totals.scale) return false;
  const change = unscaled * weight;
  let near = totals.near + change;
  if (!Number.isSafeInteger(near) || !Number.isSafeInteger(change)) {
    settleNear(totals);
    near = change;
    if (!Number.isSafeInteger(near)) return false;
  }
  totals.near = near;
  totals.nearRows += weight;
  return true;
}

function settleNear(totals: NumericTotals): void {
  if (totals.near !== 0) totals.unscaled += BigInt(totals.near);
  if (totals.nearRows !== 0) countScale(totals, totals.scale, totals.nearRows);
  totals.near = 0;
  totals.nearRows = 0;
}

function countScale({ scales }: NumericTotals, scale: number, weight: number): void {
  const rows = (scales.get(scale) ?? 0) + weight;
  if (rows !== 0) scales.set(scale, rows);
  else scales.delete(scale);
}

export function addToTotals(totals: NumericTotals, value: Decimal, weight: number, squares: boolean): void {
  if (value.kind === NAN) totals.nan += weight;
  else if (value.kind === INFINITY) totals.positive += weight;
  else if (value.kind !== FINITE) totals.negative += weight;
  else addFinite(totals, value, weight, squares);
}

function addFinite(totals: NumericTotals, value: Decimal, weight: number, squares: boolean): void {
  settleNear(totals);
  if (value.scale > totals.scale) {
    const more = value.scale - totals.scale;
    totals.unscaled *= powerOfTen(more);
    totals.squares *= powerOfTen(2 * more);
    totals.scale = value.scale;
  }
  const unscaled = value.unscaled * powerOfTen(totals.scale - value.scale);
  totals.unscaled += unscaled * BigInt(weight);
  if (squares) totals.squares += unscaled * unscaled * BigInt(weight);
  countScale(totals, value.scale, weight);
}

/** null: the function has no value of so few rows. REQUIRES count > 0. */
export function finishTotals(fn: NumericFunction, totals: NumericTotals, count: number): Decimal | null {
  settleNear(totals);
  if (fn === "sum") return sumOf(totals);
  if (fn === "avg") return divideDecimals(sumOf(totals), decimal(BigInt(count), 0));
  if (count < 2 && (fn === "var_samp" || fn === "stddev_samp")) return null;
  if (totals.nan + totals.positive + totals.negative > 0) return DECIMAL_NAN;
  const { scale, excess } = displayed(totals);
  const sum = totals.unscaled / powerOfTen(excess);
  return spread(fn, count, sum, totals.squares / powerOfTen(2 * excess), scale);
}

/**
 * (n * sum of squares - square of sum) / n(n - 1), or n² for a population, and its root; both to the digits PostgreSQL gives. `sum` in
 * units of 10^-scale, `squares` of their squares. REQUIRES two rows for a sample.
 */
export function spread(
  fn: NumericFunction,
  count: number,
  sum: bigint,
  squares: bigint,
  scale: number,
): Decimal {
  const n = BigInt(count);
  const numerator = n * squares - sum * sum;
  if (numerator <= 0n) return ZERO;
  const sample = fn === "var_samp" || fn === "stddev_samp";
  const variance = divideDecimals(decimal(numerator, 2 * scale), decimal(sample ? n * (n - 1n) : n * n, 0));
  return fn === "var_pop" || fn === "var_samp" ? variance : rootToScale(variance, variance.scale);
}

function sumOf(totals: NumericTotals): Decimal {
  if (totals.nan > 0 || (totals.positive > 0 && totals.negative > 0)) return DECIMAL_NAN;
  if (totals.positive > 0) return DECIMAL_INFINITY;
  if (totals.negative > 0) return DECIMAL_NEGATIVE_INFINITY;
  const { scale, excess } = displayed(totals);
  return decimal(totals.unscaled / powerOfTen(excess), scale);
}

/** Digits beyond the largest scale present are zeros: rows that had them have cancelled out. */
function displayed(totals: NumericTotals): { scale: number; excess: number } {
  let scale = 0;
  for (const s of totals.scales.keys()) if (s > scale) scale = s;
  return { scale, excess: totals.scale - scale };
}

export function encodeTotals(totals: NumericTotals): string {
  settleNear(totals);
  const scales = [...totals.scales].map(([scale, rows]) => `${scale}:${rows}`).join(",");
  const { unscaled, scale, nan, positive, negative, squares } = totals;
  return [unscaled, scale, nan, positive, negative, scales, squares].join(" ");
}

export function decodeTotals(text: string): NumericTotals {
  const [unscaled = "0", scale, nan, positive, negative, scales = "", squares = "0"] = text.split(" ");
  return {
    unscaled: BigInt(unscaled),
    squares: BigInt(squares),
    scale: Number(scale),
    scales: new Map(
      scales === "" ? [] : scales.split(",").map((s) => s.split(":").map(Number) as [number, number]),
    ),
    nan: Number(nan),
    positive: Number(positive),
    negative: Number(negative),
    near: 0,
    nearRows: 0,
  };
}
