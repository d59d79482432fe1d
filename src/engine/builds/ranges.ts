/**
 * What all rows of a stream must have in common to matter to a plan: ranges of its columns, by which a reader of sealed segments passes over blocks.
 *
 * Read off filters that stand on a source, with nothing in between but columns moved: `column op constant`, joined by AND. A filter in which
 * anything can fail gives nothing: a row that would fail must be met, whatever else it is. Neither does a stream that is read twice.
 */
import { encodeUtf8 } from "../../base/bytes.ts";
import type { ColumnRange } from "../../log/log.ts";
import type { Expr } from "../../plan/expression.ts";
import { conjuncts, inputsOf, isFallible } from "../../plan/inspect.ts";
import type { Plan } from "../../plan/plan.ts";

/** Topic id -> ranges that all rows that matter lie in. */
export type Ranges = ReadonlyMap<number, readonly ColumnRange[]>;

export function rangesOf(plan: Plan): Ranges {
  const ranges = new Map<number, readonly ColumnRange[]>();
  visit(plan, ranges);
  return ranges;
}

function visit(plan: Plan, ranges: Map<number, readonly ColumnRange[]>): void {
  const found = filteredSource(plan);
  if (found === null) {
    for (const input of inputsOf(plan)) visit(input, ranges);
    return;
  }
  ranges.set(found.id, ranges.has(found.id) ? [] : found.ranges);
}

/** The plan as a source below filters and moved columns, or null if it is anything else. */
function filteredSource(plan: Plan): { readonly id: number; readonly ranges: readonly ColumnRange[] } | null {
  /** Column of the node looked at -> column of the nodes above it that have been looked at, as they named it. */
  const predicates: Expr[] = [];
  const moves: (readonly number[])[] = [];
  const movesAt: number[] = [];
  let node = plan;
  for (;;) {
    if (node.kind === "filter") {
      predicates.push(node.predicate);
      movesAt.push(moves.length);
      node = node.input;
    } else if (node.kind === "project") {
      const columns = node.exprs.map((e) => (e.kind === "column" ? e.index : -1));
      if (columns.includes(-1)) return null;
      moves.push(columns);
      node = node.input;
    } else break;
  }
  if (node.kind !== "source") return null;
  const { id } = node;
  if (predicates.some(isFallible)) return { id, ranges: [] };
  const ranges = predicates.flatMap((predicate, i) =>
    conjuncts(predicate).flatMap((part) => {
      const range = rangeOf(part);
      if (range === null) return [];
      const column = moves.slice(movesAt[i]).reduce((at, columns) => columns[at] as number, range.column);
      return [{ ...range, column }];
    }),
  );
  return { id, ranges };
}

/** Of rows for which all predicates hold: ranges of the columns that they are over. */
export function filterRanges(predicates: readonly Expr[]): ColumnRange[] {
  return predicates.flatMap((predicate) => conjuncts(predicate).flatMap((part) => rangeOf(part) ?? []));
}

const mirrored: Readonly<Record<string, string>> = { eq: "eq", lt: "gt", le: "ge", gt: "lt", ge: "le" };

/** Types whose order is that of their numbers, or of their bytes, in a batch. */
const ordered: ReadonlySet<string> = new Set([
  "int2",
  "int4",
  "int8",
  "float4",
  "float8",
  "text",
  "date",
  "time",
  "timestamp",
  "timestamptz",
]);

function rangeOf(expr: Expr): ColumnRange | null {
  if (expr.kind !== "call" || expr.args.length !== 2) return null;
  const match = /^([a-z0-9]+)_(eq|lt|le|gt|ge)$/.exec(expr.fn);
  if (match === null || !ordered.has(match[1] as string)) return null;
  const [left, right] = expr.args as [Expr, Expr];
  const isMirrored = right.kind === "column";
  const column = isMirrored ? right : left;
  const constant = isMirrored ? left : right;
  if (column.kind !== "column" || constant.kind !== "const") return null;
  const value = bound(constant.value);
  if (value === null) return null;
  const op = isMirrored ? mirrored[match[2] as string] : match[2];
  const { index } = column;
  if (op === "eq") return { column: index, min: value, max: value };
  return op === "lt" || op === "le" ? { column: index, max: value } : { column: index, min: value };
}

/** Null for what has no place among the bounds: a null, a NaN, an integer no double holds. */
function bound(value: unknown): number | Uint8Array | null {
  if (typeof value === "string") return encodeUtf8(value);
  if (typeof value === "number") return Number.isNaN(value) ? null : value;
  if (typeof value !== "bigint") return null;
  const double = Number(value);
  return Number.isSafeInteger(double) ? double : null;
}
