/**
 * Binds scalar expressions: names to columns, operators and functions to the registry, literals to values.
 *
 * Evaluation order is PostgreSQL's where it promises one (CASE, COALESCE) and left to right elsewhere.
 */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { parseNumeric } from "../batch/format.ts";
import { bool, numeric, text } from "../batch/types.ts";
import type { Expr } from "../plan/expression.ts";
import { resolveOperator, sqlTypeName } from "../plan/functions.ts";
import { branch, typeOf } from "../plan/inspect.ts";
import { bindGroupingCall } from "./aggregates.ts";
import { bindArray } from "./arrays.ts";
import {
  type Bound,
  boundType,
  callOf,
  coerce,
  leftmost,
  settled,
  toBoolean,
  toCommonType,
  typed,
} from "./bound.ts";
import { bindCall, bindMinMax } from "./calls.ts";
import { bindNow } from "./clock.ts";
import type { BindContext } from "./context.ts";
import { inDomain, withoutDomain } from "./in-domain.ts";
import {
  bindIsJson,
  bindJsonArray,
  bindJsonArrayAgg,
  bindJsonArrayQuery,
  bindJsonObject,
  bindJsonObjectAgg,
  bindJsonParse,
  bindJsonScalar,
  bindJsonSerialize,
} from "./json-constructors.ts";
import { bindJsonQuery } from "./json-queries.ts";
import { castLiteral, parseDatum } from "./literal.ts";
import { bindOperator } from "./operators.ts";
import type { ExprPlace } from "./place.ts";
import { bindRow, bindWholeRow, isRecord, recordFields } from "./records.ts";
import { refusingRows } from "./row-functions.ts";
import { all } from "./row-values.ts";
import { columnsOfTable, findVisible, type Scope } from "./scope.ts";
import { bindIndirection } from "./subscripts.ts";
import { as, kindOf, type NodeKind, type NodeOf, startOf, stringOf } from "./tree.ts";
import { bindCastType } from "./type-names.ts";

/** A place where neither aggregates nor window functions may stand. */
export function plainPlace(ctx: BindContext, scope: Scope, clause: string): ExprPlace {
  return {
    ctx,
    scope,
    clause,
    aggregates: null,
    windows: null,
    rows: null,
    subqueries: null,
    bind: bindExpr,
  };
}

export function bindExpr(node: Node, place: ExprPlace): Bound {
  const bound = place.ctx.deeper(() => bindKind(node, place));
  if (bound.kind === "typed") place.ctx.checkSize(bound.expr, bound.start);
  return bound;
}

/** As a boolean; `taker` as PostgreSQL's messages name it. */
export function bindBoolean(node: Node, place: ExprPlace, taker: string): Expr {
  return toBoolean(bindExpr(node, place), taker, place.ctx);
}

function bindKind(node: Node, place: ExprPlace): Bound {
  const start = startOf(node);
  switch (kindOf(node)) {
    case "ColumnRef":
      return bindColumn(as(node, "ColumnRef")!, place);
    case "A_Const":
      return bindConstant(as(node, "A_Const")!, start);
    case "ParamRef":
      return bindParam(as(node, "ParamRef")!, place.ctx, start);
    case "A_ArrayExpr":
      return bindArray(as(node, "A_ArrayExpr")!, place, null);
    case "A_Indirection":
      return bindIndirection(as(node, "A_Indirection")!, place, start);
    case "RowExpr":
      return bindRow(as(node, "RowExpr")!, place, start);
    case "A_Expr":
      return bindOperator(as(node, "A_Expr")!, place);
    case "BoolExpr":
      return bindLogic(as(node, "BoolExpr")!, place);
    case "NullTest":
      return bindNullTest(as(node, "NullTest")!, place);
    case "BooleanTest":
      return bindBooleanTest(as(node, "BooleanTest")!, place);
    case "TypeCast":
      return bindCast(as(node, "TypeCast")!, place, start);
    case "CaseExpr":
      return bindCase(as(node, "CaseExpr")!, place, start);
    case "CoalesceExpr": {
      const inner = { ...place, rows: NO_ROWS_IN_COALESCE };
      const args = (as(node, "CoalesceExpr")!.args ?? []).map((a) => bindExpr(a, inner));
      const { exprs, type } = toCommonType(args, "COALESCE", place.ctx);
      return typed({ kind: "coalesce", args: exprs, type }, start);
    }
    case "GroupingFunc":
      return typed(bindGroupingCall(as(node, "GroupingFunc")!, place), start);
    case "MinMaxExpr":
      return bindMinMax(as(node, "MinMaxExpr")!, place, start);
    case "FuncCall":
      return bindCall(as(node, "FuncCall")!, place, start);
    case "SQLValueFunction":
      return bindNow(as(node, "SQLValueFunction")!, place, start);
    case "CollateClause":
      return bindCollate(as(node, "CollateClause")!, place);
    case "SubLink":
      return bindSubquery(as(node, "SubLink")!, place, start);
    case "JsonObjectConstructor":
      return typed(bindJsonObject(as(node, "JsonObjectConstructor")!, place), start);
    case "JsonArrayConstructor":
      return typed(bindJsonArray(as(node, "JsonArrayConstructor")!, place), start);
    case "JsonArrayQueryConstructor":
      return typed(bindJsonArrayQuery(as(node, "JsonArrayQueryConstructor")!, place), start);
    case "JsonObjectAgg":
      return typed(bindJsonObjectAgg(as(node, "JsonObjectAgg")!, place), start);
    case "JsonArrayAgg":
      return typed(bindJsonArrayAgg(as(node, "JsonArrayAgg")!, place), start);
    case "JsonParseExpr":
      return typed(bindJsonParse(as(node, "JsonParseExpr")!, place), start);
    case "JsonScalarExpr":
      return typed(bindJsonScalar(as(node, "JsonScalarExpr")!, place), start);
    case "JsonSerializeExpr":
      return typed(bindJsonSerialize(as(node, "JsonSerializeExpr")!, place), start);
    case "JsonIsPredicate":
      return bindIsJson(as(node, "JsonIsPredicate")!, place);
    case "JsonFuncExpr":
      return typed(bindJsonQuery(as(node, "JsonFuncExpr")!, place), start);
    case "XmlExpr":
      throw notSupported(xmlWords(as(node, "XmlExpr")!), place.ctx.position(start));
    default:
      throw notSupported(wordsFor(kindOf(node)), place.ctx.position(start));
  }
}

const words: Partial<Record<NodeKind, string>> = {
  MultiAssignRef: "an assignment of several columns at once",
  NamedArgExpr: "an argument given by its name",
  SetToDefault: "DEFAULT in this place",
  XmlSerialize: "XMLSERIALIZE",
  CurrentOfExpr: "WHERE CURRENT OF",
};

/** IS_XMLELEMENT is XMLELEMENT, and IS_DOCUMENT what it says. */
function xmlWords({ op = "IS_XMLPARSE" }: NodeOf<"XmlExpr">): string {
  return op.startsWith("IS_XML") ? op.slice("IS_".length) : op.replace("_", " ");
}

function wordsFor(kind: NodeKind): string {
  return words[kind] ?? `an expression of kind ${kind}`;
}

function subqueryWords(link: NodeOf<"SubLink">): string {
  switch (link.subLinkType) {
    case "EXISTS_SUBLINK":
      return "EXISTS (subquery)";
    case "ANY_SUBLINK":
      return link.operName === undefined ? "IN (subquery)" : "ANY (subquery)";
    case "ALL_SUBLINK":
      return "ALL (subquery)";
    case "ARRAY_SUBLINK":
      return "ARRAY (subquery)";
    default:
      return "a subquery as a value";
  }
}

function bindSubquery(link: NodeOf<"SubLink">, place: ExprPlace, start: number | undefined): Bound {
  if (place.subqueries !== null) return place.subqueries.bind(link, place);
  throw notSupported(`${subqueryWords(link)} in ${place.clause}`, place.ctx.position(start));
}

function bindColumn(ref: NodeOf<"ColumnRef">, place: ExprPlace): Bound {
  const { ctx, scope } = place;
  const position = ctx.position(ref.location);
  const fields = ref.fields ?? [];
  const isStar = as(fields.at(-1), "A_Star") !== undefined;
  const names = (isStar ? fields.slice(0, -1) : fields).map(stringOf);
  const row = bindWholeRow(names, isStar, place, position);
  if (row !== undefined) return typed(row, ref.location);
  // A star stands behind a table's name; a column of that name is not meant.
  if (isStar) columnsOfTable(scope, names, ctx.outer, position);
  const column = findVisible(scope, names, ctx.outer, position);
  // A copy for each place it is named in: what is known of that place is kept beside it.
  const expr: Expr = { ...column.expr };
  ctx.mentions.set(expr, { name: `${column.table}.${column.name}`, position });
  return typed(expr, ref.location);
}

const INT4_MAX = 2_147_483_647n;
const INT8_MAX = 2n ** 63n - 1n;

function bindConstant(constant: NodeOf<"A_Const">, start: number | undefined): Bound {
  if (constant.isnull) return { kind: "literal", text: null, param: null, start };
  if (constant.sval !== undefined)
    return { kind: "literal", text: constant.sval.sval ?? "", param: null, start };
  if (constant.ival !== undefined) {
    return typed({ kind: "const", value: constant.ival.ival ?? 0, type: { name: "int4" } }, start);
  }
  if (constant.boolval !== undefined) {
    return typed({ kind: "const", value: constant.boolval.boolval ?? false, type: bool }, start);
  }
  if (constant.fval !== undefined) return typed(numberConstant(constant.fval.fval ?? "0"), start);
  if (constant.bsval !== undefined) throw notSupported("type bit");
  return { kind: "literal", text: null, param: null, start };
}

/** Digits beyond int4 are an int8 if they fit one, and anything else numeric. */
function numberConstant(written: string): Expr {
  const plain = written.replaceAll("_", "");
  if (/^-?(\d+|0[xXoObB][0-9a-fA-F]+)$/.test(plain)) {
    const negative = plain.startsWith("-");
    const digits = negative ? plain.slice(1) : plain;
    const magnitude = BigInt(/^0[xXoObB]/.test(digits) ? digits : digits.replace(/^0+(?=\d)/, ""));
    const value = negative ? -magnitude : magnitude;
    if (value <= INT4_MAX && value >= -INT4_MAX - 1n)
      return { kind: "const", value: Number(value), type: { name: "int4" } };
    if (value <= INT8_MAX && value >= -INT8_MAX - 1n) return { kind: "const", value, type: { name: "int8" } };
  }
  return { kind: "const", value: parseNumeric(written), type: numeric };
}

function bindParam(ref: NodeOf<"ParamRef">, ctx: BindContext, start: number | undefined): Bound {
  const number = ref.number ?? 0;
  const param = ctx.param(number, ctx.position(start));
  if (param.type === null) return { kind: "literal", text: param.text, param: number, start };
  const value = param.text === null ? null : parseDatum(param.text, param.type, undefined);
  return typed({ kind: "const", value, type: param.type }, start);
}

function bindLogic(logic: NodeOf<"BoolExpr">, place: ExprPlace): Bound {
  const taker = logic.boolop === "AND_EXPR" ? "AND" : logic.boolop === "OR_EXPR" ? "OR" : "NOT";
  const bounds: Bound[] = [];
  const args = (logic.args ?? []).map((a) => {
    const bound = bindExpr(a, place);
    bounds.push(bound);
    return toBoolean(bound, taker, place.ctx);
  });
  const start = leftmost(logic.location, bounds);
  if (taker === "NOT") return typed({ kind: "not", arg: args[0]! }, start);
  return typed({ kind: taker === "AND" ? "and" : "or", args }, start);
}

function bindNullTest(test: NodeOf<"NullTest">, place: ExprPlace): Bound {
  const arg = bindExpr(test.arg!, place);
  const value = settled(arg, place.ctx);
  const start = leftmost(test.location, [arg]);
  const asked = (one: Expr): Expr => {
    const isNull: Expr = { kind: "isNull", arg: one };
    return test.nulltesttype === "IS_NULL" ? isNull : { kind: "not", arg: isNull };
  };
  if (!isRecord(value)) return typed(asked(value), start);
  // Each field is asked: a row may be neither null nor not null.
  const of = (row: Expr): Expr => all("and", recordFields(row).map(asked));
  const tests = of(value);
  place.ctx.rowTests.set(tests, { row: value, of });
  return typed(tests, start);
}

function bindBooleanTest(test: NodeOf<"BooleanTest">, place: ExprPlace): Bound {
  const kind = test.booltesttype ?? "IS_TRUE";
  const taker = kind.replaceAll("_", " ");
  const bound = bindExpr(test.arg!, place);
  const arg = toBoolean(bound, taker, place.ctx);
  const asked = kind.replace("IS_", "").replace("NOT_", "");
  const differs: Expr =
    asked === "UNKNOWN"
      ? { kind: "not", arg: { kind: "isNull", arg } }
      : {
          kind: "isDistinct",
          left: arg,
          right: { kind: "const", value: asked === "TRUE", type: bool },
          equal: "bool_eq",
        };
  return typed(
    kind.startsWith("IS_NOT") ? differs : { kind: "not", arg: differs },
    leftmost(test.location, [bound]),
  );
}

function bindCast(cast: NodeOf<"TypeCast">, place: ExprPlace, start: number | undefined): Bound {
  const { ctx } = place;
  const { type: named, fields } = bindCastType(cast.typeName!, ctx);
  const to = withoutDomain(named);
  const list = as(cast.arg, "A_ArrayExpr");
  if (list !== undefined && to.element !== undefined) return bindArray(list, place, to);
  const arg = bindExpr(cast.arg!, place);
  if (fields !== null) {
    if (arg.kind !== "literal" || arg.param !== null)
      throw notSupported("a cast to an interval with fields", ctx.position(cast.location ?? start));
    const value = arg.text === null ? null : castLiteral(arg.text, to, fields, ctx.position(arg.start));
    return typed({ kind: "const", value, type: to }, arg.start);
  }
  const expr = coerce(arg, to, "explicit", ctx);
  if (expr === undefined) {
    const from = sqlTypeName(boundType(arg));
    throw new EvertError("cannot_coerce", `cannot cast type ${from} to ${sqlTypeName(to)}`, {
      position: ctx.position(cast.location ?? start),
    });
  }
  if (named.domain !== undefined) return typed(inDomain(expr, named, place), leftmost(cast.location, [arg]));
  // A cast that changes nothing leaves no trace, and a literal is where it is written.
  const unchanged = arg.kind === "literal" || arg.expr === expr;
  return typed(expr, unchanged ? arg.start : leftmost(cast.location, [arg]));
}

/** A branch may not be taken: there nothing can give rows. */
const NO_ROWS_IN_CASE = refusingRows("set-returning functions are not allowed in CASE");
const NO_ROWS_IN_COALESCE = refusingRows("set-returning functions are not allowed in COALESCE");

function bindCase(node: NodeOf<"CaseExpr">, around: ExprPlace, start: number | undefined): Bound {
  const { ctx } = around;
  const place = { ...around, rows: NO_ROWS_IN_CASE };
  const tested = node.arg === undefined ? undefined : typedSubject(bindExpr(node.arg, place), ctx);
  const whens = (node.args ?? []).map((n) => as(n, "CaseWhen")!);
  const bound = whens.map((when) => ({
    condition: bindCondition(when, tested, place),
    result: bindExpr(when.result!, place),
  }));
  const otherwise: Bound =
    node.defresult === undefined
      ? { kind: "literal", text: null, param: null, start: undefined }
      : bindExpr(node.defresult, place);
  // PostgreSQL asks the ELSE branch for its type first.
  const { exprs, type } = toCommonType([otherwise, ...bound.map((b) => b.result)], "CASE", ctx);
  const branches = bound.map(({ condition }, i) => branch(condition, exprs[i + 1]!));
  return typed({ kind: "case", branches, otherwise: exprs[0]!, type }, start);
}

function bindCondition(when: NodeOf<"CaseWhen">, tested: Bound | undefined, place: ExprPlace): Expr {
  if (tested === undefined) return bindBoolean(when.expr!, place, "CASE/WHEN");
  const operands = [tested, bindExpr(when.expr!, place)];
  const position = place.ctx.position(when.location);
  return callOf(resolveOperator("=", operands.map(boundType), position), operands, place.ctx);
}

/** CASE 'a' WHEN ...: an open literal is text before it is compared. */
function typedSubject(bound: Bound, ctx: BindContext): Bound {
  return typed(settled(bound, ctx), bound.start);
}

/** All text is compared byte by byte, as collation C does; asking for that changes nothing. */
const collations: ReadonlySet<string> = new Set([
  "C",
  "POSIX",
  "default",
  "ucs_basic",
  "C.UTF-8",
  "c.utf8",
  "pg_c_utf8",
]);

export function bindCollate(clause: NodeOf<"CollateClause">, place: ExprPlace): Bound {
  const position = place.ctx.position(clause.location);
  const name = stringOf(clause.collname?.at(-1));
  if (!collations.has(name))
    throw notSupported(`collation "${name}"`, position, 'Text is ordered by collation "C".');
  const arg = bindExpr(clause.arg!, place);
  const expr = settled(arg, place.ctx);
  if (typeOf(expr).name !== text.name) {
    const message = `collations are not supported by type ${sqlTypeName(typeOf(expr))}`;
    throw new EvertError("datatype_mismatch", message, { position });
  }
  return typed(expr, arg.start);
}
