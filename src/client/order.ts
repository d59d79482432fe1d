/**
 * The order of a view's rows, as PostgreSQL orders them with collation C: text by its UTF-8 bytes, NaN above every number,
 * nulls where the ORDER BY puts them. What the ORDER BY leaves open is settled by all columns from left to right, ascending,
 * nulls last, so that two clients always show the same.
 */
import { withoutPadding } from "../batch/format/characters.ts";
import { intervalSpan, parseInterval } from "../batch/format/interval.ts";
import type { ColumnMessage, OrderColumnMessage } from "../wire/http/messages.ts";

export type Compare = (a: unknown, b: unknown) => number;
export type RowCompare = (
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
) => number;

/** `labels`: of an enum, or of an array of one. Its name says nothing. */
export function compareOf(type: string, labels?: readonly string[]): Compare {
  if (labels !== undefined) return compareArrays(compareLabels(labels));
  if (type.startsWith("_")) return compareArrays(compareOf(type.slice(1)));
  switch (type) {
    case "numeric":
      return (a, b) => compareNumeric(a as string, b as string);
    case "bpchar":
      return (a, b) => compareText(withoutPadding(a as string), withoutPadding(b as string));
    case "interval":
      return (a, b) => compareSpans(spanOf(a as string), spanOf(b as string));
    case "date":
    case "timestamp":
    case "timestamptz":
      return (a, b) => compareTimestamps(a as string, b as string);
    case "json":
    case "jsonb":
      return compareJson;
    case "text":
      return (a, b) => compareText(a as string, b as string);
  }
  return compareScalars;
}

export function rowCompare(
  columns: readonly ColumnMessage[],
  order: readonly OrderColumnMessage[],
): RowCompare {
  const types = new Map(columns.map((c) => [c.name, c]));
  const terms = [
    ...order.filter((term) => types.has(term.column)),
    ...columns.map((c) => ({ column: c.name, descending: false, nullsFirst: false })),
  ].map((term) => ({ ...term, compare: compareColumn(types.get(term.column)!) }));
  return (a, b) => {
    for (const { column, descending, nullsFirst, compare } of terms) {
      const x = a[column];
      const y = b[column];
      if (x === y) continue;
      if (x === null || x === undefined) return nullsFirst ? -1 : 1;
      if (y === null || y === undefined) return nullsFirst ? 1 : -1;
      const sign = compare(x, y);
      if (sign !== 0) return descending ? -sign : sign;
    }
    return 0;
  };
}

function compareColumn({ type, labels }: ColumnMessage): Compare {
  return compareOf(type, labels);
}

function compareLabels(labels: readonly string[]): Compare {
  const ranks = new Map(labels.map((label, rank) => [label, rank]));
  return (a, b) => (ranks.get(a as string) ?? -1) - (ranks.get(b as string) ?? -1);
}

/** Item by item, nulls last, then by the number of items and of dimensions; a value that is no array as if it were alone in one. */
function compareArrays(compare: Compare): Compare {
  return (a, b) => {
    const [x, y] = [flat(a), flat(b)];
    for (let i = 0; i < Math.min(x.length, y.length); i++) {
      const sign =
        x[i] === null || y[i] === null ? Number(x[i] === null) - Number(y[i] === null) : compare(x[i], y[i]);
      if (sign !== 0) return sign;
    }
    return x.length - y.length || depthOf(a) - depthOf(b);
  };
}

function flat(value: unknown): unknown[] {
  return Array.isArray(value)
    ? value.flatMap((item) => (Array.isArray(item) ? flat(item) : [item]))
    : [value];
}

function depthOf(value: unknown): number {
  return Array.isArray(value) ? 1 + depthOf(value[0]) : 0;
}

function spanOf(interval: string): bigint {
  return intervalSpan(parseInterval(interval));
}

function compareSpans(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Numbers and bigints (mixed), booleans, and text where the type is not known. */
function compareScalars(a: unknown, b: unknown): number {
  if (typeof a === "string" && typeof b === "string") return compareText(a, b);
  const x = a as number;
  const y = b as number;
  if (x < y) return -1;
  if (x > y) return 1;
  return Number(Number.isNaN(a)) - Number(Number.isNaN(b));
}

/**
 * By UTF-8 bytes, which is by code points. UTF-16 units give the same order but for one thing: surrogates (the upper planes)
 * stand below U+E000..U+FFFF, so the two ranges are swapped where the texts first differ.
 */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x >= 0xd800 && y >= 0xd800) return rankOfUnit(x) - rankOfUnit(y);
    return x - y;
  }
  return a.length - b.length;
}

function rankOfUnit(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000;
}

/** Decimal texts of any length, as PostgreSQL prints them: no exponent; NaN, Infinity, -Infinity. */
export function compareNumeric(a: string, b: string): number {
  if (a === b) return 0;
  const special = specialRank(a) - specialRank(b);
  if (special !== 0 || specialRank(a) !== 0) return special;
  const x = decimal(a);
  const y = decimal(b);
  if (x.sign !== y.sign) return x.sign - y.sign;
  const magnitude =
    x.whole.length - y.whole.length || compareText(x.whole, y.whole) || compareText(x.fraction, y.fraction);
  return magnitude * x.sign;
}

function specialRank(text: string): number {
  if (text === "NaN") return 2;
  if (text === "Infinity") return 1;
  return text === "-Infinity" ? -1 : 0;
}

/** Without zeros in front and behind, so that length and text decide; zero has no sign. */
function decimal(text: string): { sign: number; whole: string; fraction: string } {
  const negative = text.startsWith("-");
  const [integer = "", decimals = ""] = (negative ? text.slice(1) : text).split(".");
  const whole = integer.replace(/^0+/, "");
  const fraction = decimals.replace(/0+$/, "");
  const sign = whole === "" && fraction === "" ? 0 : negative ? -1 : 1;
  return { sign, whole, fraction };
}

/**
 * ISO 8601 in UTC compares as text while years have four digits and no era: "+" (of the zone) stands below "." (of the
 * fraction), and digits above both. Other years, and the infinities, compare by year first.
 */
export function compareTimestamps(a: string, b: string): number {
  if (a === b) return 0;
  if (isPlain(a) && isPlain(b)) return a < b ? -1 : 1;
  return yearOf(a) - yearOf(b) || compareText(restOf(a), restOf(b));
}

function isPlain(text: string): boolean {
  return text.charCodeAt(4) === 0x2d && !text.endsWith("BC");
}

function yearOf(text: string): number {
  // Beyond every year there is, yet finite: two of them must subtract to zero.
  if (text === "infinity") return 1e9;
  if (text === "-infinity") return -1e9;
  const year = Number.parseInt(text, 10);
  return text.endsWith("BC") ? -year : year;
}

function restOf(text: string): string {
  return text.slice(text.indexOf("-", 1));
}

/** jsonb: null < string < number < boolean < array < object; arrays and objects by size first. */
function compareJson(a: unknown, b: unknown): number {
  const rank = jsonRank(a) - jsonRank(b);
  if (rank !== 0 || a === null) return rank;
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return a.length - b.length;
    for (let i = 0; i < a.length; i++) {
      const sign = compareJson(a[i], b[i]);
      if (sign !== 0) return sign;
    }
    return 0;
  }
  if (typeof a !== "object") return compareScalars(a, b);
  const x = jsonFields(a as object);
  const y = jsonFields(b as object);
  if (x.length !== y.length) return x.length - y.length;
  for (let i = 0; i < x.length; i++) {
    const sign = compareJsonNames(x[i]![0], y[i]![0]) || compareJson(x[i]![1], y[i]![1]);
    if (sign !== 0) return sign;
  }
  return 0;
}

function jsonRank(value: unknown): number {
  if (value === null) return 0;
  if (Array.isArray(value)) return 4;
  return { string: 1, number: 2, boolean: 3, object: 5 }[
    typeof value as "string" | "number" | "boolean" | "object"
  ];
}

function jsonFields(value: object): [string, unknown][] {
  return Object.entries(value).sort((x, y) => compareJsonNames(x[0], y[0]));
}

/** Shorter names first, as jsonb stores them. */
function compareJsonNames(a: string, b: string): number {
  return a.length - b.length || compareText(a, b);
}
