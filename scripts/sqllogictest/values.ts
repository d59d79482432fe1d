/** How the format writes values, and whether an answer is the expected one. */
import { createHash } from "node:crypto";
import type { QueryRecord } from "./records.ts";

/** Values in PostgreSQL's text form. */
export type Row = readonly (string | null)[];

/** What stands between the expected answer and this one; null where nothing does. */
export function difference(record: QueryRecord, rows: readonly Row[]): string | null {
  const { expected } = record;
  if (expected.kind === "any") return null;
  const values = inOrder(written(rows, record.types), record.sort);
  const count = expected.kind === "hash" ? expected.count : expected.values.length;
  if (values.length !== count) return `${count} values were expected, ${values.length} came${some(values)}`;
  if (expected.kind === "hash") {
    return md5(values) === expected.md5 ? null : `the values have another hash${some(values)}`;
  }
  const at = values.findIndex((v, i) => v !== expected.values[i]);
  return at < 0 ? null : `value ${at + 1}: ${expected.values[at]} was expected, ${values[at]} came`;
}

/** The same where rows come in no order: a list of rows is compared as a bag. Undefined where only a hash of ordered rows is known. */
export function differenceInAnyOrder(record: QueryRecord, rows: readonly Row[]): string | null | undefined {
  const { expected, sort, types } = record;
  if (sort !== "nosort" || expected.kind === "any") return difference(record, rows);
  if (expected.kind === "hash") return undefined;
  const width = Math.max(1, types.length);
  const list: string[][] = [];
  for (let i = 0; i < expected.values.length; i += width) list.push(expected.values.slice(i, i + width));
  const values = inOrder(list, "rowsort");
  return difference({ ...record, sort: "rowsort", expected: { kind: "values", values } }, rows);
}

/** Whether both have the same rows, in any order. */
export function sameRows(a: readonly Row[], b: readonly Row[], types: string): boolean {
  return md5(inOrder(written(a, types), "rowsort")) === md5(inOrder(written(b, types), "rowsort"));
}

export function hashOf(record: QueryRecord, rows: readonly Row[]): string {
  return md5(inOrder(written(rows, record.types), record.sort));
}

function some(values: readonly string[]): string {
  return values.length === 0 ? "" : `: ${values.slice(0, 8).join(" ").slice(0, 120)}`;
}

function md5(values: readonly string[]): string {
  const hash = createHash("md5");
  for (const value of values) hash.update(`${value}\n`);
  return hash.digest("hex");
}

function inOrder(rows: readonly (readonly string[])[], sort: QueryRecord["sort"]): string[] {
  if (sort === "valuesort") return rows.flat().sort();
  return (sort === "rowsort" ? [...rows].sort(byValues) : rows).flat();
}

function byValues(a: readonly string[], b: readonly string[]): number {
  const at = a.findIndex((value, i) => value !== b[i]);
  return at < 0 ? 0 : a[at]! < b[at]! ? -1 : 1;
}

function written(rows: readonly Row[], types: string): string[][] {
  return rows.map((row) => row.map((value, i) => writtenValue(value, types[i])));
}

function writtenValue(value: string | null, type: string | undefined): string {
  if (value === null) return "NULL";
  if (type === "I") return integer(value);
  if (type === "R") return threeDecimals(value);
  return value === "" ? "(empty)" : value.replace(/[^ -~]/g, "@");
}

/** As C converts to an integer: digits as they are, fractions cut off, truth as 1 and 0. */
function integer(value: string): string {
  if (/^-?\d+$/.test(value)) return value;
  if (value === "t") return "1";
  const number = Math.trunc(Number(value));
  return Number.isFinite(number) ? String(BigInt(number)) : "0";
}

function threeDecimals(value: string): string {
  if (value === "t") return "1.000";
  const number = Number(value);
  if (Number.isNaN(number)) return "0.000";
  // toFixed writes exponents from there on.
  return Math.abs(number) >= 1e21 && Number.isFinite(number) ? `${BigInt(number)}.000` : number.toFixed(3);
}
