/**
 * The generated key functions of an ordered index: the two doubles that stand for a row's place, and the exact
 * comparisons behind them, unrolled over the columns' types.
 */
import { compiled } from "../base/compiled.ts";
import { carrierOf, isNumericText, type SqlType } from "../batch/types.ts";
import { WIDE } from "./dictionary.ts";
import {
  canonicalCode,
  compareCode,
  compareFloat,
  comparePrintedCode,
  compareWide,
  mayPrintDifferently,
  orderHelpers,
} from "./equality.ts";
import { nullCode, readCode } from "./layout.ts";
import { maskBit, maskParams } from "./null-masks.ts";
import type { Rows } from "./rows.ts";

export interface OrderItem {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface OrderedIndexSpec {
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
}

export interface KeyCode {
  readonly k0: (slot: number) => number;
  readonly k1: (slot: number) => number;
  /** Total order of two rows whose k0 and k1 are equal. */
  readonly compare: (a: number, b: number) => number;
  /** Code of partition values given as parameters. */
  readonly k0Of: (...valuesThenMasks: number[]) => number;
  /** Row's partition against parameters, given equal k0: negative, zero, positive. */
  readonly comparePartition: (slot: number, ...valuesThenMasks: number[]) => number;
  /** Two rows' partitions, given equal k0. */
  readonly comparePartitionRows: (a: number, b: number) => number;
  /** Equal k0 alone says that rows are of one partition. */
  readonly exact: boolean;
}

/** Generates the key functions of an index. */
export function keyCode(store: Rows, spec: OrderedIndexSpec): KeyCode {
  const { layout } = store;
  const stride = layout.strideWords;
  const { dictionary } = store;
  const typeOf = (c: number): SqlType => layout.columns[c]!.type;
  const isDouble = (c: number) => carrierOf(typeOf(c)) === "double";
  const canonical = (c: number, code: string) => canonicalCode(dictionary, "dictionary", typeOf(c), code);
  const value = (c: number, base: string) => readCode(layout, c, base);

  // Partition.
  const single = spec.partition.length === 1 ? spec.partition[0]! : -1;
  const exactByCode = spec.partition.length === 0 || (single >= 0 && !isDouble(single));
  const k0From = (values: string[], nulls: string[]): string => {
    if (spec.partition.length === 0) return "0";
    if (exactByCode)
      return layout.columns[single]!.nullable ? `${nulls[0]} === 1 ? -Infinity : ${values[0]}` : values[0]!;
    let code = "0x5bd1e995 | 0";
    spec.partition.forEach((c, i) => {
      const v = layout.physical[c] === "f64" ? `hashDouble(${values[i]})` : values[i]!;
      code = `mix(${code}, ${v} + ${nulls[i]})`;
    });
    return code;
  };
  const rowValues = (b: string) => spec.partition.map((c) => canonical(c, value(c, b)));
  const rowNulls = (b: string) => spec.partition.map((c) => nullCode(layout, c, b));
  const params = [...spec.partition.map((_, i) => `p${i}`), ...maskParams(spec.partition.length)].join(", ");
  const paramValues = spec.partition.map((c, i) => canonical(c, `p${i}`));
  const paramNulls = spec.partition.map((_, i) => maskBit(i));
  const comparePart = (av: string[], an: string[], bv: string[], bn: string[]): string => {
    if (exactByCode) return "";
    return spec.partition
      .map((c, i) => {
        const cmp = isDouble(c) ? `compareFloat(${av[i]}, ${bv[i]})` : `${av[i]} - ${bv[i]}`;
        return `d = ${an[i]} - ${bn[i]}; if (d !== 0) return d; d = ${cmp}; if (d !== 0) return d;`;
      })
      .join(" ");
  };

  // Order.
  const compareColumn = (c: number): string =>
    `d = ${compareCode(dictionary, "dictionary", typeOf(c), value(c, "b"), value(c, "c"))};`;
  const item = (c: number, descending: boolean, nullsFirst: boolean): string => {
    const sign = descending ? "-d" : "d";
    if (!layout.columns[c]!.nullable) return `${compareColumn(c)} if (d !== 0) return ${sign};`;
    return `m = ${nullCode(layout, c, "b")}; n = ${nullCode(layout, c, "c")};
      if (m !== n) return ${nullsFirst ? "n - m" : "m - n"};
      if (m === 0) { ${compareColumn(c)} if (d !== 0) return ${sign}; }`;
  };
  const ordered = new Set(spec.order.map((o) => o.column));
  const rest = layout.columns.map((_, i) => i).filter((i) => !ordered.has(i) && !spec.partition.includes(i));
  // Values that are equal but printed differently still need an order of their own.
  const printed = layout.columns.map((_, i) => i).filter((c) => mayPrintDifferently(dictionary, typeOf(c)));
  const restCode = [
    ...rest.map((c) => item(c, false, false)),
    ...printed.map((c) => {
      const difference = comparePrintedCode("dictionary", typeOf(c), value(c, "b"), value(c, "c"));
      return `d = ${difference}; if (d !== 0) return d;`;
    }),
  ].join("\n");

  // Where two partitions may share k0, k1 must not come before the exact comparison of the partitions.
  let k1 = "return 0;";
  const head = exactByCode ? spec.order[0] : undefined;
  if (head !== undefined) {
    const c = head.column;
    const v = value(c, "b");
    const sign = head.descending ? "-" : "";
    const nullValue = head.nullsFirst ? "-Infinity" : "Infinity";
    const isNull = layout.columns[c]!.nullable
      ? `if (${nullCode(layout, c, "b")} === 1) return ${nullValue};`
      : "";
    let code: string;
    if (layout.physical[c] === "i32") code = `${sign}${v}`;
    else if (isDouble(c)) code = `${v} !== ${v} ? ${sign}Infinity : ${sign}${v} + 0`;
    else if (layout.physical[c] === "f64")
      code = `${v} >= ${WIDE} ? ${sign}Number(dictionary.bigint(${v})) : ${sign}${v} + 0`;
    else if (isNumericText(typeOf(c))) code = `numericCode(dictionary.string(${v}), ${head.descending})`;
    else code = `${sign}dictionary.prefix(${canonical(c, v)})`;
    k1 = `${isNull} return ${code};`;
  }

  const source = `"use strict"; const dictionary = store.dictionary;
  return {
    k0(slot) { const I = store.I, F = store.F, b = slot * ${stride}; return ${k0From(rowValues("b"), rowNulls("b"))}; },
    k1(slot) { const I = store.I, F = store.F, b = slot * ${stride}; ${k1} },
    compare(x, y) {
      const I = store.I, F = store.F, b = x * ${stride}, c = y * ${stride};
      let d = 0, m = 0, n = 0;
      ${comparePart(rowValues("b"), rowNulls("b"), rowValues("c"), rowNulls("c"))}
      ${spec.order.map((o) => item(o.column, o.descending, o.nullsFirst)).join("\n")}
      ${restCode}
      return x - y;
    },
    k0Of(${params}) { return ${k0From(paramValues, paramNulls)}; },
    comparePartition(slot, ${params}) {
      const I = store.I, F = store.F, b = slot * ${stride}; let d = 0;
      ${comparePart(rowValues("b"), rowNulls("b"), paramValues, paramNulls)}
      return 0;
    },
    comparePartitionRows(x, y) {
      const I = store.I, F = store.F, b = x * ${stride}, c = y * ${stride}; let d = 0;
      ${comparePart(rowValues("b"), rowNulls("b"), rowValues("c"), rowNulls("c"))}
      return 0;
    },
    exact: ${exactByCode},
  };`;
  const make = compiled(
    "store",
    "compareFloat",
    "compareWide",
    "compareNumeric",
    "numericCode",
    "hashDouble",
    "mix",
    source,
  ) as (store: Rows, ...helpers: unknown[]) => KeyCode;
  return make(
    store,
    compareFloat,
    compareWide,
    orderHelpers.compareNumeric,
    numericCode,
    hashForPartition,
    mixPartition,
  );
}

/** A double whose order agrees with the numeric's where it differs. NaN is greatest. */
function numericCode(value: string, descending: boolean): number {
  const n = Number(value);
  const code = Number.isNaN(n) ? Number.POSITIVE_INFINITY : n;
  return descending ? -code : code + 0;
}

function hashForPartition(v: number): number {
  if (v === 0) return 0;
  if (Number.isNaN(v)) return 0x7ff80000;
  const high = Math.trunc(v / 4294967296) | 0;
  return Math.imul((v | 0) ^ Math.imul(high, 0x9e3779b1) ^ Math.trunc((v % 1) * 1073741824), 0x85ebca6b);
}

function mixPartition(h: number, v: number): number {
  h = Math.imul(h ^ (h >>> 15), 0x85ebca6b) + Math.imul(v | 0, 0x9e3779b1);
  return (h ^ (h >>> 13)) | 0;
}
