/**
 * EXPLAIN: a plan as text, one node per line, inputs below their consumer and indented, as PostgreSQL prints its plans.
 * Columns are called by their names in the node's input; where two have the same name, `name#index` tells them apart.
 */
import { unreachable } from "../base/assert.ts";
import { inQuotes } from "../base/quoted-name.ts";
import type { Schema } from "../batch/schema.ts";
import { datumToText } from "../batch/text-form.ts";
import { type SqlType, type TypeName, typeToString } from "../batch/types.ts";
import type { Datum, Expr } from "./expression.ts";
import { functionInfo } from "./functions.ts";
import { quantifierOf } from "./functions-of/arrays.ts";
import { inputsOf, typeOf } from "./inspect.ts";
import type { Aggregate, KeyRange, OrderItem, Plan, Query, SourcePlan } from "./plan.ts";
import type { Routine } from "./routines.ts";

/** Lines of EXPLAIN for a query: its order, if rows come ordered, then the plan. `depth`: how many operators stand above it. */
export function explainQuery(query: Query, depth = 0): string[] {
  const lines: string[] = [];
  if (query.order.length > 0) lines.push(`${indented(depth)}Order by ${orderText(query.order, query.plan)}`);
  explainInto(lines, query.plan, depth);
  return lines;
}

export function explainPlan(plan: Plan): string[] {
  const lines: string[] = [];
  explainInto(lines, plan, 0);
  return lines;
}

function indented(depth: number): string {
  return depth === 0 ? "" : `${" ".repeat(depth * 6 - 4)}->  `;
}

function explainInto(lines: string[], plan: Plan, depth: number): void {
  lines.push(indented(depth) + nodeText(plan));
  for (const input of inputsOf(plan)) explainInto(lines, input, depth + 1);
}

/** A plan and what is below it, for forms that are not lines. */
export interface ExplainedPlan {
  readonly text: string;
  readonly inputs: readonly ExplainedPlan[];
}

export function explainedPlan(plan: Plan): ExplainedPlan {
  return { text: nodeText(plan), inputs: inputsOf(plan).map(explainedPlan) };
}

/** One operator of a plan, without its inputs. */
export function nodeText(plan: Plan): string {
  switch (plan.kind) {
    case "source":
      return `Source ${plan.relation} ${quoteName(plan.name)}${lookupText(plan)}`;
    case "values":
      return `Values: ${plan.rows.length} ${plan.rows.length === 1 ? "row" : "rows"}`;
    case "filter":
      return `Filter: ${exprText(plan.predicate, plan.input.schema)}`;
    case "project":
      return `Project: ${plan.exprs.map((e, i) => named(e, plan.schema.fields[i]!.name, plan.input.schema)).join(", ")}`;
    case "mapFunction":
      return `${plan.flat ? "FlatMap" : "Map"}: ${functionText(plan.fn)}`;
    case "series": {
      const args = [plan.start, plan.stop, plan.step].map((e) => exprText(e, plan.input.schema));
      return `Series: ${quoteName(plan.schema.fields.at(-1)!.name)} from ${args[0]} to ${args[1]} step ${args[2]}`;
    }
    case "tableFunction": {
      const outer = plan.outer ? "Outer table function" : "Table function";
      return `${outer}: ${tableCall(plan)}${plan.ordinality ? " with ordinality" : ""}`;
    }
    case "apply":
      return `${JOINS[plan.type]} apply`;
    case "join":
    case "asOfJoin":
      return joinText(plan);
    case "group":
      return groupText(plan);
    case "distinct":
      return "Distinct";
    case "setOperation":
      return `${plan.op === "intersect" ? "Intersect" : "Except"}${plan.all ? " all" : ""}`;
    case "union":
      return "Union all";
    case "topK":
      return topKText(plan);
    case "window":
      return windowText(plan);
    case "recursive":
      return plan.all ? "Recursive union all" : "Recursive union";
    case "recursiveRef":
      return `Rows of the recursion ${quoteName(plan.name)}`;
    case "temporal": {
      const bounds = [
        ...(plan.from === null ? [] : [`from ${exprText(plan.from, plan.schema)}`]),
        ...(plan.until === null ? [] : [`until ${exprText(plan.until, plan.schema)}`]),
      ];
      return `Temporal filter: ${bounds.join(" ")}`;
    }
    default:
      return unreachable(plan);
  }
}

/** ` by index t_pkey: k = 5`. */
function lookupText({ lookup, schema }: SourcePlan): string {
  if (lookup === undefined) return "";
  const { index, ranges, backward, first } = lookup;
  const name = (i: number): string => quoteName(schema.fields[index.items[i]!.column]!.name);
  const text = (i: number, value: Datum): string =>
    datumText(value, schema.fields[index.items[i]!.column]!.type);
  const rangeText = ({ equal, from, to }: KeyRange): string => {
    const at = equal.length;
    const parts = equal.map((v, i) => `${name(i)} ${v === null ? "is null" : `= ${text(i, v)}`}`);
    const signs = index.items[at]?.descending === true ? ["<", ">"] : [">", "<"];
    [from, to].forEach((bound, side) => {
      if (bound === null || bound.value === null) return;
      parts.push(`${name(at)} ${signs[side]}${bound.inclusive ? "=" : ""} ${text(at, bound.value)}`);
    });
    return parts.join(" and ");
  };
  if (ranges.length === 0) return ` by index ${quoteName(index.name)}: none`;
  const shown = ranges.slice(0, 3).map(rangeText);
  const more = ranges.length > shown.length ? ` or ${ranges.length - shown.length} more` : "";
  const where = shown.filter((part) => part !== "").join(" or ") + more;
  const limit = first === null ? "" : `, ${backward ? "last" : "first"} ${first.rows}`;
  return ` by index ${quoteName(index.name)}${where === "" ? "" : `: ${where}`}${limit}`;
}

const JOINS = { inner: "Inner", left: "Left", full: "Full" } as const;

function joinText(plan: Plan & { kind: "join" | "asOfJoin" }): string {
  if (plan.leftKeys.length === 0)
    return plan.type === "inner" ? "Cross join" : `${JOINS[plan.type]} cross join`;
  const what = plan.kind === "asOfJoin" ? "as-of join" : "join";
  const on = plan.leftKeys.map((l, i) => {
    const equal = plan.kind === "join" && plan.nullSafe[i] ? "is not distinct from" : "=";
    return `${computedText(plan.left, l)} ${equal} ${computedText(plan.right, plan.rightKeys[i]!)}`;
  });
  return `${JOINS[plan.type]} ${what} on ${on.join(" and ")}`;
}

function windowText(plan: Plan & { kind: "window" }): string {
  const { input } = plan;
  const parts = plan.functions.map(({ fn, args, aggregate }) =>
    aggregate !== null
      ? aggregateText(aggregate, input.schema)
      : `${fn}(${args.map((a) => exprText(a, input.schema)).join(", ")})`,
  );
  const over = [
    ...(plan.partition.length === 0
      ? []
      : [`per ${plan.partition.map((c) => computedText(input, c)).join(", ")}`]),
    ...(plan.order.length === 0 ? [] : [`by ${orderText(plan.order, input)}`]),
  ];
  return ["Window", ...over].join(" ").concat(`: ${parts.join(", ")}`);
}

function groupText(plan: Plan & { kind: "group" }): string {
  const by = plan.keys.map((k, i) => named(k, plan.schema.fields[i]!.name, plan.input.schema));
  const out = plan.aggregates.map((a) => aggregateText(a, plan.input.schema));
  const head = by.length === 0 ? "Aggregate" : `Group by ${by.join(", ")}`;
  return out.length === 0 ? head : `${head}: ${out.join(", ")}`;
}

function topKText(plan: Plan & { kind: "topK" }): string {
  const parts = ["Top"];
  if (plan.limit !== null) parts.push(String(plan.limit));
  if (plan.offset > 0) parts.push(`from ${plan.offset + 1}`);
  if (plan.partition.length > 0) {
    parts.push(`per ${plan.partition.map((c) => computedText(plan.input, c)).join(", ")}`);
  }
  if (plan.order.length > 0) parts.push(`by ${orderText(plan.order, plan.input)}`);
  if (plan.ties) parts.push("with ties");
  return parts.join(" ");
}

function aggregateText(a: Aggregate, schema: Schema): string {
  const routine = a.reducer?.routine ?? null;
  const given = routine === null ? [a.arg, ...(a.rest ?? [])] : (a.rest ?? []);
  const args = given.map((e) => (e === null ? "*" : exprText(e, schema)));
  const order = (a.order ?? []).map(
    (o) => `${exprText(o.expr, schema)}${o.descending ? " desc" : ""}${nullsText(o)}`,
  );
  const arg = [
    a.distinct === true ? "distinct " : "",
    a.reducer !== null && routine === null ? functionText(a.reducer.add) : args.join(", "),
    order.length === 0 ? "" : ` order by ${order.join(", ")}`,
  ].join("");
  const filter = a.filter === null ? "" : ` filter (${exprText(a.filter, schema)})`;
  return `${routine === null ? a.fn : routineName(routine)}(${arg})${filter}`;
}

/** A function of a chain has no name. */
function routineName(routine: Routine): string {
  return routine.name === "" ? `[${functionText(routine)}]` : quoteName(routine.name);
}

function nullsText(o: { readonly descending: boolean; readonly nullsFirst: boolean }): string {
  return o.nullsFirst === o.descending ? "" : o.nullsFirst ? " nulls first" : " nulls last";
}

function orderText(order: readonly OrderItem[], plan: Plan): string {
  return order
    .map((o) => {
      const nulls = nullsText(o);
      return `${computedText(plan, o.column)}${o.descending ? " desc" : ""}${nulls}`;
    })
    .join(", ");
}

/** An output column: its expression, and its name where that says more. */
function named(expr: Expr, name: string, schema: Schema): string {
  const written = exprText(expr, schema);
  return written === quoteName(name) || name === NAMELESS ? written : `${written} as ${quoteName(name)}`;
}

/** One line for a function of the user: its source without line breaks, cut short. */
function functionText(fn: { readonly source: string }): string {
  const line = fn.source.replace(/\s+/g, " ").trim();
  return line.length <= 60 ? line : `${line.slice(0, 57)}...`;
}

function columnText(schema: Schema, index: number): string {
  const name = schema.fields[index]!.name;
  const alone = schema.fields.every((f, i) => i === index || f.name !== name);
  return alone ? quoteName(name) : `${quoteName(name)}#${index + 1}`;
}

/** A column of the plan; one without a name that a project computes, by its expression. */
function computedText(plan: Plan, index: number): string {
  if (plan.schema.fields[index]!.name === NAMELESS) {
    if (plan.kind === "project") {
      const expr = plan.exprs[index]!;
      return expr.kind === "column"
        ? computedText(plan.input, expr.index)
        : exprText(expr, plan.input.schema);
    }
    if (plan.kind === "filter" || plan.kind === "topK" || plan.kind === "distinct")
      return computedText(plan.input, index);
  }
  return columnText(plan.schema, index);
}

/** PostgreSQL's name for a column without one. */
const NAMELESS = "?column?";

function quoteName(name: string): string {
  return /^[\p{Ll}_?][\p{Ll}\p{Nd}_$?]*$/u.test(name) ? name : inQuotes(name);
}

/** An expression in SQL's notation, over columns of the schema. */
export function exprText(expr: Expr, schema: Schema): string {
  const nested = (e: Expr): string => {
    const written = exprText(e, schema);
    return bindsTightly(e) ? written : `(${written})`;
  };
  switch (expr.kind) {
    case "column":
      return columnText(schema, expr.index);
    case "outer":
      return `outer#${expr.index + 1}`;
    case "const":
      return datumText(expr.value, expr.type);
    case "call":
      return callText(expr, schema, nested);
    case "and":
    case "or":
      return expr.args.map(nested).join(expr.kind === "and" ? " and " : " or ");
    case "not":
      return expr.arg.kind === "isNull" ? `${nested(expr.arg.arg)} is not null` : `not ${nested(expr.arg)}`;
    case "isNull":
      return `${nested(expr.arg)} is null`;
    case "isDistinct":
      return `${nested(expr.left)} is distinct from ${nested(expr.right)}`;
    case "case": {
      const branches = expr.branches.map(
        (b) => `when ${exprText(b.when, schema)} then ${exprText(b.then, schema)}`,
      );
      return `case ${branches.join(" ")} else ${exprText(expr.otherwise, schema)} end`;
    }
    case "coalesce":
      return `coalesce(${expr.args.map((a) => exprText(a, schema)).join(", ")})`;
    case "routine":
      return `${routineName(expr.fn)}(${expr.args.map((a) => exprText(a, schema)).join(", ")})`;
    case "js":
      return `[${functionText(expr.fn)}]`;
    default:
      return unreachable(expr);
  }
}

function callText(expr: Expr & { kind: "call" }, schema: Schema, nested: (e: Expr) => string): string {
  const info = functionInfo(expr.fn);
  if (info.op !== null) {
    return expr.args.length === 2
      ? `${nested(expr.args[0]!)} ${info.op} ${nested(expr.args[1]!)}`
      : `${info.op} ${nested(expr.args[0]!)}`;
  }
  const asked = quantifierOf(expr.fn);
  if (asked !== undefined) {
    const [value, list] = expr.args as readonly [Expr, Expr];
    return `${nested(value)} ${asked.op} ${asked.quantifier} (${exprText(list, schema)})`;
  }
  if (expr.fn === "record_make") return `row(${expr.args.map((a) => exprText(a, schema)).join(", ")})`;
  if (expr.fn === "record_field") return fieldText(expr, schema);
  if (expr.fn === "array_make") return `array[${expr.args.map((a) => exprText(a, schema)).join(", ")}]`;
  const isCast = info.names.length === 0 && info.args.length === 1;
  if (isCast) return `${nested(expr.args[0]!)}::${typeToString(expr.type)}`;
  return `${info.name}(${expr.args.map((a) => exprText(a, schema)).join(", ")})`;
}

/** (row).name */
function fieldText({ args: [row, index] }: Expr & { kind: "call" }, schema: Schema): string {
  const at = (index as Expr & { kind: "const" }).value as number;
  return `(${exprText(row!, schema)}).${typeOf(row!).fields![at]!.name}`;
}

function bindsTightly(expr: Expr): boolean {
  if (expr.kind === "call") return functionInfo(expr.fn).op === null && quantifierOf(expr.fn) === undefined;
  return ["column", "const", "coalesce", "case", "js", "routine"].includes(expr.kind);
}

/** Types whose constants need no quotes. */
const plainTypes: ReadonlySet<TypeName> = new Set<TypeName>([
  "int2",
  "int4",
  "int8",
  "float4",
  "float8",
  "numeric",
  "bool",
]);

function datumText(value: Datum, type: SqlType): string {
  if (value === null) return "null";
  const written = type.name === "bool" ? String(value) : datumToText(type, value);
  return plainTypes.has(type.name) ? written : `'${written.replaceAll("'", "''")}'`;
}

function tableCall({ fn, args, parts, input }: Plan & { kind: "tableFunction" }): string {
  const called = (name: string, of: readonly Expr[]) =>
    `${name}(${of.map((e) => exprText(e, input.schema)).join(", ")})`;
  if (typeof fn !== "string") return called(routineName(fn), args);
  if (parts.length === 0) return called(fn, args);
  let at = 0;
  return parts.map((p) => called(p.fn, args.slice(at, (at += p.args)))).join(", ");
}
