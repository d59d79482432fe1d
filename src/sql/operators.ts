/** Operators and the predicates PostgreSQL's grammar writes like them: IN, BETWEEN, LIKE, IS DISTINCT FROM, NULLIF. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { arrayOf, type SqlType } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { commonType, resolveOperator, sqlTypeName } from "../plan/functions.ts";
import { branch, childrenOf, columnsOf, typeOf } from "../plan/inspect.ts";
import { constantArray } from "./arrays.ts";
import {
  argument,
  type Bound,
  boundType,
  callOf,
  coerce,
  isNullLiteral,
  leftmost,
  type TypedBound,
  typed,
} from "./bound.ts";
import type { ExprPlace } from "./place.ts";
import { all, areRows, type CompareValues, compareRows, pairsOf } from "./row-values.ts";
import { isRowFunctionValue } from "./stand-ins.ts";
import { bindQuantified, quantifiedComparison } from "./subscripts.ts";
import { as, type NodeOf, startOf, stringOf } from "./tree.ts";

export function bindOperator(node: NodeOf<"A_Expr">, place: ExprPlace): Bound {
  const { ctx } = place;
  const position = ctx.position(node.location);
  const op = stringOf(node.name?.at(-1));
  switch (node.kind) {
    case "AEXPR_OP":
    case "AEXPR_LIKE":
    case "AEXPR_ILIKE":
    case "AEXPR_SIMILAR": {
      if (areRows(node.lexpr, node.rexpr)) return bindRows(op, node, place);
      const operands = [node.lexpr, node.rexpr]
        .filter((n) => n !== undefined)
        .map((n) => place.bind(n, place));
      const expr = callOf(resolveOperator(op, operands.map(boundType), position), operands, ctx);
      return typed(expr, leftmost(node.location, operands));
    }
    case "AEXPR_IN":
      return bindIn(node, op === "<>", place);
    case "AEXPR_BETWEEN":
    case "AEXPR_NOT_BETWEEN":
    case "AEXPR_BETWEEN_SYM":
    case "AEXPR_NOT_BETWEEN_SYM":
      return bindBetween(node, place);
    case "AEXPR_DISTINCT":
    case "AEXPR_NOT_DISTINCT":
      return bindDistinct(node, place);
    case "AEXPR_NULLIF":
      return bindNullIf(node, place);
    case "AEXPR_OP_ANY":
    case "AEXPR_OP_ALL":
      return bindQuantified(node, place);
    case undefined:
      throw notSupported(`operator ${op}`, position);
  }
}

function isRow(node: Node | undefined): boolean {
  return as(node, "RowExpr") !== undefined;
}

function bindRows(op: string, node: NodeOf<"A_Expr">, place: ExprPlace): Bound {
  const expr = compareRows(op, node.lexpr!, node.rexpr!, place, comparingFields(place, node));
  return typed(expr, startOf(node.lexpr!));
}

function comparing(place: ExprPlace, node: NodeOf<"A_Expr">): CompareValues {
  return (op, a, b) => compare(op, a, b, place, place.ctx.position(node.location));
}

/** Of rows whose fields are one each: a row that is compared is not one of several. */
function comparingFields(place: ExprPlace, node: NodeOf<"A_Expr">): CompareValues {
  const asked = comparing(place, node);
  return (op, a, b) => {
    const expr = asked(op, a, b);
    if (hasRowFunctionValue(expr)) {
      throw new EvertError("datatype_mismatch", "row comparison operator must not return a set", {
        position: place.ctx.position(node.location),
      });
    }
    return expr;
  };
}

function hasRowFunctionValue(expr: Expr): boolean {
  return expr.kind === "column" ? isRowFunctionValue(expr) : childrenOf(expr).some(hasRowFunctionValue);
}

function compare(
  op: string,
  left: Bound,
  right: Bound,
  place: ExprPlace,
  position: number | undefined,
): Expr {
  const expr = callOf(
    resolveOperator(op, [boundType(left), boundType(right)], position),
    [left, right],
    place.ctx,
  );
  if (typeOf(expr).name === "bool") return expr;
  throw new EvertError("datatype_mismatch", `operator ${op} does not give a boolean`, { position });
}

/** Two row constructors are compared field by field, everything else as values. */
function compareNodes(op: string, left: Node, right: Node, node: NodeOf<"A_Expr">, place: ExprPlace): Expr {
  if (areRows(left, right)) return compareRows(op, left, right, place, comparingFields(place, node));
  const [a, b] = [place.bind(left, place), place.bind(right, place)];
  return compare(op, a, b, place, place.ctx.position(node.location));
}

/**
 * x IN (a, b): x = a OR x = b; of many constants x = ANY (list). Items that read no column are first brought to one type with x, as PostgreSQL makes an array of
 * them; those that read one are compared each by itself.
 */
function bindIn(node: NodeOf<"A_Expr">, negated: boolean, place: ExprPlace): Bound {
  const { ctx } = place;
  const position = ctx.position(node.location);
  if (isRow(node.lexpr)) {
    const rows = as(node.rexpr, "List")?.items ?? [];
    const tests = rows.map((row) => compareNodes("=", node.lexpr!, row, node, place));
    const found = all("or", tests);
    return typed(negated ? { kind: "not", arg: found } : found, startOf(node.lexpr!));
  }
  const left = place.bind(node.lexpr!, place);
  const items = (as(node.rexpr, "List")?.items ?? []).map((item) => place.bind(item, place));
  const readsColumns = (b: Bound) =>
    b.kind === "typed" && b.expr.kind !== "const" && columnsOf(b.expr).size > 0;
  const constants = items.filter((b) => !readsColumns(b));
  const type = constants.length > 1 ? commonType([left, ...constants].map(boundType)) : undefined;
  const equal = (b: Bound) => compare("=", left, b, place, position);
  const tests: Expr[] = [];
  if (type === undefined) tests.push(...items.map(equal));
  else {
    const alike = constants.map((b) => typed(coerce(b, type, "implicit", ctx)!, b.start));
    const list = alike.length < LONG_LIST ? undefined : inList(left, alike, type, place, position);
    tests.push(...(list === undefined ? alike.map(equal) : [list]), ...items.filter(readsColumns).map(equal));
  }
  const any: Expr = tests.length === 1 ? tests[0]! : { kind: "or", args: tests };
  return typed(negated ? { kind: "not", arg: any } : any, leftmost(node.location, [left]));
}

/** As many constants are a list; fewer are compared one by one, so that what is known of an OR is known of them. */
const LONG_LIST = 16;

/** x = ANY (constants): one expression, however many they are. undefined where an item is no constant, or their type has no arrays here. */
function inList(
  left: Bound,
  items: readonly TypedBound[],
  type: SqlType,
  place: ExprPlace,
  position: number | undefined,
): Expr | undefined {
  if (type.element !== undefined || type.fields !== undefined) return undefined;
  const list = constantArray(
    items.map((item) => item.expr),
    arrayOf(type),
  );
  return list === undefined
    ? undefined
    : quantifiedComparison("any", "=", left, typed(list, undefined), place, position);
}

function bindBetween(node: NodeOf<"A_Expr">, place: ExprPlace): Bound {
  const [low, high] = as(node.rexpr, "List")!.items as [Node, Node];
  const between = (a: Node, b: Node): Expr => {
    const bound = (op: string, side: Node) => compareNodes(op, node.lexpr!, side, node, place);
    return { kind: "and", args: [bound(">=", a), bound("<=", b)] };
  };
  const symmetric = node.kind === "AEXPR_BETWEEN_SYM" || node.kind === "AEXPR_NOT_BETWEEN_SYM";
  const inside: Expr = symmetric
    ? { kind: "or", args: [between(low, high), between(high, low)] }
    : between(low, high);
  const negated = node.kind === "AEXPR_NOT_BETWEEN" || node.kind === "AEXPR_NOT_BETWEEN_SYM";
  const start = leftmost(node.location, [place.bind(node.lexpr!, place)]);
  return typed(negated ? { kind: "not", arg: inside } : inside, start);
}

function bindDistinct(node: NodeOf<"A_Expr">, place: ExprPlace): Bound {
  const negated = node.kind === "AEXPR_NOT_DISTINCT";
  const result = (expr: Expr, start: number | undefined) =>
    typed(negated ? { kind: "not", arg: expr } : expr, start);
  if (areRows(node.lexpr, node.rexpr)) {
    const pairs = pairsOf(node.lexpr!, node.rexpr!, place);
    return result(
      all(
        "or",
        pairs.map(([a, b]) => distinct(a, b, node, place)),
      ),
      startOf(node.lexpr!),
    );
  }
  const [left, right] = [place.bind(node.lexpr!, place), place.bind(node.rexpr!, place)];
  const asked = besideNull(left, right);
  const start = leftmost(node.location, asked === undefined ? [left, right] : [asked]);
  return result(distinct(left, right, node, place), start);
}

function distinct(left: Bound, right: Bound, node: NodeOf<"A_Expr">, { ctx }: ExprPlace): Expr {
  const asked = besideNull(left, right);
  if (asked?.kind === "typed") return { kind: "not", arg: { kind: "isNull", arg: asked.expr } };
  const resolution = resolveOperator("=", [boundType(left), boundType(right)], ctx.position(node.location));
  return {
    kind: "isDistinct",
    left: argument(left, resolution, 0, ctx),
    right: argument(right, resolution, 1, ctx),
    equal: resolution.fn,
  };
}

/** The side that stands beside a bare NULL: only whether it is null is asked, and the NULL is no part of the expression. */
function besideNull(left: Bound, right: Bound): Bound | undefined {
  return isNullLiteral(right) ? left : isNullLiteral(left) ? right : undefined;
}

/** PostgreSQL has operators between the types of each line. */
const mixed = [/^int[248]$/, /^float[48]$/, /^(date|timestamp|timestamptz)$/];

function comparedAsTheyAre(a: SqlType, b: SqlType): boolean {
  return mixed.some((names) => names.test(a.name) && names.test(b.name));
}

/** NULLIF(a, b): null if a = b, else a, as the equality's argument type. (PostgreSQL compares numbers of two sizes, and dates with times, as they are.) */
function bindNullIf(node: NodeOf<"A_Expr">, place: ExprPlace): Bound {
  const { ctx } = place;
  const [left, right] = [place.bind(node.lexpr!, place), place.bind(node.rexpr!, place)];
  const position = ctx.position(node.location);
  const resolution = resolveOperator("=", [boundType(left), boundType(right)], position);
  const equal = callOf(resolution, [left, right], ctx);
  const isCompared =
    left.kind === "typed" &&
    right.kind === "typed" &&
    comparedAsTheyAre(typeOf(left.expr), typeOf(right.expr));
  const value = left.kind === "typed" && isCompared ? left.expr : argument(left, resolution, 0, ctx);
  const type = typeOf(value);
  if (typeOf(equal).name !== "bool") {
    throw new EvertError(
      "datatype_mismatch",
      `NULLIF requires = operator to yield boolean, not ${sqlTypeName(type)}`,
      {
        position,
      },
    );
  }
  const none: Expr = { kind: "const", value: null, type };
  const expr: Expr = { kind: "case", branches: [branch(equal, none)], otherwise: value, type };
  return typed(expr, leftmost(node.location, [left, right]));
}
