/**
 * Rows compared with rows: (a, b) < (c, d).
 *
 * Equality and its negation ask every pair. An order is decided by the first pair that differs; a null met before that leaves it open. So
 * (a, b) < (c, d) becomes CASE WHEN a <> c THEN a < c WHEN a = c THEN b < d END.
 */

import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { bool } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { branch } from "../plan/inspect.ts";
import { type Bound, typed } from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import { recordFields } from "./records.ts";
import { as, type NodeOf, startOf } from "./tree.ts";

/** Binds a comparison of two values: what operators.ts does with every pair. */
export type CompareValues = (op: string, left: Bound, right: Bound) => Expr;

const NULL_BOOL: Expr = { kind: "const", value: null, type: bool };

/** The items of a row constructor, or undefined for any other node. */
export function rowItems(node: Node | undefined): readonly Node[] | undefined {
  const row: NodeOf<"RowExpr"> | undefined = as(node, "RowExpr");
  return row === undefined ? undefined : (row.args ?? []);
}

export function compareRows(
  op: string,
  left: Node,
  right: Node,
  place: ExprPlace,
  compare: CompareValues,
): Expr {
  const pairs = pairsOf(left, right, place);
  switch (op) {
    case "=":
      return all(
        "and",
        pairs.map(([a, b]) => compare("=", a, b)),
      );
    case "<>":
    case "!=":
      return all(
        "or",
        pairs.map(([a, b]) => compare("<>", a, b)),
      );
    case "<":
    case "<=":
    case ">":
    case ">=":
      return ordered(op, pairs, compare);
    default:
      throw notSupported(`operator ${op} between rows`, place.ctx.position(startOf(left)));
  }
}

/** What takes part in a comparison field by field: row constructors, and on the right a subquery in parentheses. */
export function areRows(left: Node | undefined, right: Node | undefined): boolean {
  return as(left, "RowExpr") !== undefined && (as(right, "RowExpr") !== undefined || isRowQuery(right));
}

function isRowQuery(node: Node | undefined): boolean {
  return as(node, "SubLink")?.subLinkType === "EXPR_SUBLINK";
}

function boundItems(node: Node, place: ExprPlace): readonly Bound[] {
  const items = rowItems(node);
  if (items !== undefined) return items.map((item) => place.bind(item, place));
  const link = as(node, "SubLink")!;
  if (place.subqueries === null)
    throw notSupported(`a subquery of several columns in ${place.clause}`, place.ctx.position(startOf(node)));
  return recordFields(place.subqueries.row(link, place)).map((field) => typed(field, undefined));
}

/** Pairs that are compared one by one, for IS DISTINCT FROM. */
export function pairsOf(left: Node, right: Node, place: ExprPlace): [Bound, Bound][] {
  const a = boundItems(left, place);
  const b = boundItems(right, place);
  const position = place.ctx.position(startOf(left));
  if (a.length !== b.length) {
    throw new EvertError("syntax_error", "unequal number of entries in row expressions", { position });
  }
  if (a.length === 0) throw notSupported("a row without fields", position);
  return a.map((item, i) => [item, b[i]!]);
}

function ordered(op: string, pairs: readonly [Bound, Bound][], compare: CompareValues): Expr {
  const strict = op.charAt(0);
  const last = pairs.length - 1;
  return pairs.reduceRight<Expr>((rest, [a, b], i) => {
    if (i === last) return compare(op, a, b);
    const branches = [branch(compare("<>", a, b), compare(strict, a, b)), branch(compare("=", a, b), rest)];
    return { kind: "case", branches, otherwise: NULL_BOOL, type: bool };
  }, NULL_BOOL);
}

export function all(kind: "and" | "or", args: readonly Expr[]): Expr {
  if (args.length === 0) return { kind: "const", value: kind === "and", type: bool };
  return args.length === 1 ? args[0]! : { kind, args };
}
