/**
 * sum and avg over unconstrained numeric, and sums the front end wants in another type: exact, as a big integer beside the row.
 *
 * PostgreSQL prints a sum with the largest display scale among its rows, so the rows are counted by scale: the scale falls again when
 * the last row of it is taken away.
 */
import { numeric, type SqlType, text } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import {
  DECIMAL_INFINITY,
  DECIMAL_NAN,
  DECIMAL_NEGATIVE_INFINITY,
  type Decimal,
  decimal,
  decimalFromText,
  decimalToText,
  divideDecimals,
  FINITE,
  INFINITY,
  NAN,
  powerOfTen,
} from "../kernels/decimal.ts";
import { type Accumulator, Boxes, countCell, unlessEmpty } from "./accumulator.ts";

interface NumericSum {
  /** In units of 10^-scale. */
  unscaled: bigint;
  scale: number;
  /** Finite rows by display scale. */
  readonly scales: Map<number, number>;
  nan: number;
  positive: number;
  negative: number;
}

export function numericSum(fn: "sum" | "avg", type: SqlType): Accumulator {
  const boxes = new Boxes<NumericSum>({ decode, encode, fresh });

  function add(slot: number, id: number, weight: number, dictionary: Dictionary): void {
    const sum = boxes.open(slot);
    const value = decimalFromText(dictionary.string(id));
    if (value.kind === NAN) sum.nan += weight;
    else if (value.kind === INFINITY) sum.positive += weight;
    else if (value.kind !== FINITE) sum.negative += weight;
    else addFinite(sum, value, weight);
  }

  function finish(slot: number, count: number, dictionary: Dictionary): number {
    const total = totalOf(boxes.peek(slot) ?? fresh());
    const value = fn === "sum" ? total : divideDecimals(total, decimal(BigInt(count), 0));
    const printed = decimalToText(value);
    return type.name === "float8" ? Number(printed) : dictionary.internString(printed);
  }

  return {
    type: type.name === "float8" ? type : numeric,
    columns: [{ type: text, nullable: true }],
    boxed: boxes,
    add: (place) => `${place.bind(add)}(g, c${place.arg}[r], w, dictionary);`,
    result: (place) =>
      unlessEmpty(place, `value = ${place.bind(finish)}(g, ${countCell(place)}, dictionary);`),
  };
}

function addFinite(sum: NumericSum, value: Decimal, weight: number): void {
  if (value.scale > sum.scale) {
    sum.unscaled *= powerOfTen(value.scale - sum.scale);
    sum.scale = value.scale;
  }
  sum.unscaled += value.unscaled * powerOfTen(sum.scale - value.scale) * BigInt(weight);
  const rows = (sum.scales.get(value.scale) ?? 0) + weight;
  if (rows !== 0) sum.scales.set(value.scale, rows);
  else sum.scales.delete(value.scale);
}

function totalOf(sum: NumericSum): Decimal {
  if (sum.nan > 0 || (sum.positive > 0 && sum.negative > 0)) return DECIMAL_NAN;
  if (sum.positive > 0) return DECIMAL_INFINITY;
  if (sum.negative > 0) return DECIMAL_NEGATIVE_INFINITY;
  // Digits beyond the largest scale present are zeros: rows that had them have cancelled out.
  let scale = 0;
  for (const s of sum.scales.keys()) if (s > scale) scale = s;
  return decimal(sum.unscaled / powerOfTen(sum.scale - scale), scale);
}

function fresh(): NumericSum {
  return { unscaled: 0n, scale: 0, scales: new Map(), nan: 0, positive: 0, negative: 0 };
}

function encode(sum: NumericSum): string {
  const scales = [...sum.scales].map(([scale, rows]) => `${scale}:${rows}`).join(",");
  return [sum.unscaled, sum.scale, sum.nan, sum.positive, sum.negative, scales].join(" ");
}

function decode(text: string): NumericSum {
  const [unscaled, scale, nan, positive, negative, scales] = text.split(" ") as [
    string,
    string,
    string,
    string,
    string,
    string,
  ];
  return {
    unscaled: BigInt(unscaled),
    scale: Number(scale),
    scales: new Map(
      scales === "" ? [] : scales.split(",").map((s) => s.split(":").map(Number) as [number, number]),
    ),
    nan: Number(nan),
    positive: Number(positive),
    negative: Number(negative),
  };
}
