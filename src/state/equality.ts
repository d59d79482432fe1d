/**
 * Generated code for what a type's values have of their own: equality where equal values may lie differently, and order.
 *
 * `dictionary` is the name of the dictionary in the generated code.
 */
import { carrierOf, isNumericText, type SqlType } from "../batch/types.ts";
import type { Dictionary } from "./dictionary.ts";
import { WIDE } from "./dictionary.ts";
import { compareNumericText } from "./numeric-order.ts";

/** Whether equal values may have different codes. */
export function hasCanonicalForm(dictionary: Dictionary, type: SqlType): boolean {
  return isNumericText(type) || dictionary.kindOf(type) > 0;
}

/** Code equal for equal values. (A double needs no form: it is compared by sameDouble.) */
export function canonicalCode(dictionary: Dictionary, name: string, type: SqlType, code: string): string {
  if (isNumericText(type)) return `${name}.canonicalNumeric(${code})`;
  const kind = dictionary.kindOf(type);
  return kind > 0 ? `${name}.keyed(${code}, ${kind})` : code;
}

/** Negative, zero or positive as a is before, equal to or after b. REQUIRES `orderHelpers` in scope. */
export function compareCode(
  dictionary: Dictionary,
  name: string,
  type: SqlType,
  a: string,
  b: string,
): string {
  switch (carrierOf(type)) {
    case "int32":
    case "bool":
      return `${a} - ${b}`;
    case "double":
      return `compareFloat(${a}, ${b})`;
    case "int64":
      return `(${a} >= ${WIDE} || ${b} >= ${WIDE} ? compareWide(${name}, ${a}, ${b}) : ${a} - ${b})`;
    case "string": {
      if (isNumericText(type)) {
        return `(${a} === ${b} ? 0 : compareNumeric(${name}.utf8(${a}), ${name}.utf8(${b})))`;
      }
      const kind = dictionary.kindOf(type);
      return kind > 0 ? `${name}.compareKeyed(${a}, ${b}, ${kind})` : `${name}.compare(${a}, ${b})`;
    }
  }
}

/** What the code of compareCode calls, by name. */
export const orderHelpers = { compareFloat, compareWide, compareNumeric: compareNumericText } as const;

/** Whether two doubles are one value: NaN equals itself. */
export function sameDouble(a: string, b: string): string {
  return `(${a} === ${b} || (${a} !== ${a} && ${b} !== ${b}))`;
}

/** Whether two doubles are one value and print alike: -0 is not 0. */
export function identicalDouble(a: string, b: string): string {
  return `(${a} === ${b} ? ${a} !== 0 || 1 / ${a} === 1 / ${b} : ${a} !== ${a} && ${b} !== ${b})`;
}

/** Whether equal values of the type may print differently. */
export function mayPrintDifferently(dictionary: Dictionary, type: SqlType): boolean {
  return carrierOf(type) === "double" || hasCanonicalForm(dictionary, type);
}

/** Code of the order of two values that are equal and may print differently: -0 is before 0. */
export function comparePrintedCode(name: string, type: SqlType, a: string, b: string): string {
  return carrierOf(type) === "double" ? `(1 / ${b} < 0) - (1 / ${a} < 0)` : `${name}.compare(${a}, ${b})`;
}

/** PostgreSQL's order of doubles: NaN equals itself and is greatest; -0 equals 0. */
export function compareFloat(a: number, b: number): number {
  if (a < b) return -1;
  if (a > b) return 1;
  if (a === b) return 0;
  return Number.isNaN(a) ? (Number.isNaN(b) ? 0 : 1) : -1;
}

export function compareWide(dictionary: Dictionary, a: number, b: number): number {
  if (a === b) return 0;
  const x = a >= WIDE ? dictionary.bigint(a) : BigInt(a);
  const y = b >= WIDE ? dictionary.bigint(b) : BigInt(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

/** The order of two codes of a type, as a function. */
export type CompareCodes = (a: number, b: number, dictionary: Dictionary) => number;

export function comparatorOf(type: SqlType): CompareCodes {
  switch (carrierOf(type)) {
    case "int32":
    case "bool":
      return (a, b) => a - b;
    case "double":
      return compareFloat;
    case "int64":
      return (a, b, dictionary) => (a < WIDE && b < WIDE ? a - b : compareWide(dictionary, a, b));
    case "string":
      if (isNumericText(type)) {
        return (a, b, dictionary) =>
          a === b ? 0 : compareNumericText(dictionary.utf8(a), dictionary.utf8(b));
      }
      return (a, b, dictionary) => {
        const kind = dictionary.kindOf(type);
        return kind > 0 ? dictionary.compareKeyed(a, b, kind) : dictionary.compare(a, b);
      };
  }
}
