/** Queries: WITH, VALUES, UNION, and the plain SELECT they are made of. */
import type { Node, SelectStmt } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { type SqlType, text } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import { inputsOf } from "../plan/inspect.ts";
import { optimizeQuery } from "../plan/optimize.ts";
import type { OrderItem, Plan, Query } from "../plan/plan.ts";
import { type Bound, boundType, toCommonType } from "./bound.ts";
import { type BindContext, checkColumnCount, checkPlanSize } from "./context.ts";
import { checkEquatable } from "./equality.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import { bindLimit } from "./limit.ts";
import { namedOutput } from "./output.ts";
import { parseStatements } from "./parser.ts";
import {
  asText,
  type BoundQuery,
  castColumns,
  columnBounds,
  projectExactly,
  type QueryColumn,
  type QueryEnv,
  refuseRanking,
} from "./query.ts";
import { rowsPlan } from "./rows.ts";
import { emptyScope, findColumn, tableScope } from "./scope.ts";
import { bindPlainSelect } from "./select.ts";
import { sortDirection } from "./sort.ts";
import { as, startOf, stringOf } from "./tree.ts";

/** A whole query, ready to run: shown columns first, then those that exist only to sort by. */
export function bindQuery(select: SelectStmt, ctx: BindContext, names?: readonly string[]): Query {
  const bound = bindSelect(select, queryEnv(ctx));
  refuseRanking(bound);
  return finishQuery(bound, ctx, names);
}

/** The same for a query whose columns are not final yet: a source of INSERT. */
export function bindOpenQuery(select: SelectStmt, ctx: BindContext): BoundQuery {
  const bound = bindSelect(select, queryEnv(ctx));
  refuseRanking(bound);
  return bound;
}

function finishQuery(bound: BoundQuery, ctx: BindContext, names?: readonly string[]): Query {
  const { plan, order } = bound;
  const exprs = columnBounds(bound).map((b) => (b.kind === "literal" ? asText(b, ctx) : b.expr));
  const shown = bound.columns.map((c, i) => names?.[i] ?? c.name);
  const at = new Map(bound.columns.map((c, i) => [c.index, i]));
  const hidden: number[] = [];
  for (const { column } of order) {
    if (!at.has(column)) at.set(column, shown.length + hidden.push(column) - 1);
  }
  const whole = projectExactly(
    plan,
    [...exprs, ...hidden.map((c) => build.column(plan, c))],
    [...shown, ...hidden.map((c) => plan.schema.fields[c]!.name)],
  );
  checkPlanSize(whole, inputsOf);
  const moved = order.map((o) => Object.freeze({ ...o, column: at.get(o.column)! }));
  return optimizeQuery({ plan: whole, order: Object.freeze(moved), visible: shown.length });
}

function queryEnv(ctx: BindContext): QueryEnv {
  return {
    ctx,
    withQueries: new Map(),
    bindQuery: bindSelect,
    bindDefinition: (name, definition) => bindDefinition(name, definition, ctx),
  };
}

/** A plain view's query, from its SELECT or its CREATE VIEW. Places in its text mean nothing to who reads the view. */
function bindDefinition(name: string, definition: string, ctx: BindContext): BoundQuery {
  const [parsed] = parseStatements(definition);
  const view = as(parsed?.node, "ViewStmt");
  const select = view === undefined ? as(parsed?.node, "SelectStmt") : as(view.query, "SelectStmt");
  if (parsed === undefined || select === undefined) {
    throw new EvertError("internal", `definition of view "${name}" is no query`);
  }
  const inner = ctx.within(parsed.source, `view "${name}"`);
  const query = inner.deeper(() => bindSelect(select, queryEnv(inner)));
  const aliases = (view?.aliases ?? []).map(stringOf);
  return { ...query, columns: query.columns.map((c, i) => ({ ...c, name: aliases[i] ?? c.name })) };
}

function bindSelect(select: SelectStmt, env: QueryEnv): BoundQuery {
  return env.ctx.deeper(() => {
    const inner = select.withClause === undefined ? env : withQueries(select, env);
    if (select.op === "SETOP_UNION") return sorted(bindUnion(select, inner), select, inner);
    if (select.op !== undefined && select.op !== "SETOP_NONE") {
      const place = env.ctx.position(firstPlace(select.rarg));
      throw notSupported(select.op === "SETOP_EXCEPT" ? "EXCEPT" : "INTERSECT", place);
    }
    if (select.valuesLists !== undefined) return sorted(bindValues(select.valuesLists, inner), select, inner);
    return bindPlainSelect(select, inner);
  });
}

function firstPlace(select: SelectStmt | undefined): number | undefined {
  if (select?.larg !== undefined) return firstPlace(select.larg);
  const first = select?.targetList?.[0] ?? as(select?.valuesLists?.[0], "List")?.items?.[0];
  return first === undefined ? undefined : startOf(first);
}

// ---- WITH -------------------------------------------------------------------------------------------------------

/** Each is bound once, seeing those before it, whether it is used or not. */
function withQueries(select: SelectStmt, env: QueryEnv): QueryEnv {
  const { ctx } = env;
  const clause = select.withClause!;
  if (clause.recursive) throw notSupported("WITH RECURSIVE", ctx.position(clause.location ?? 0));
  const queries = new Map(env.withQueries);
  const own = new Set<string>();
  for (const node of clause.ctes ?? []) {
    const cte = as(node, "CommonTableExpr")!;
    const name = cte.ctename ?? "";
    const position = ctx.position(cte.location);
    if (own.has(name)) {
      const message = `WITH query name "${name}" specified more than once`;
      throw new EvertError("duplicate_table", message, { sqlstate: "42712", position });
    }
    const query = as(cte.ctequery, "SelectStmt");
    if (query === undefined) throw notSupported("a data-modifying statement in WITH", position);
    const bound = bindSelect(query, { ...env, withQueries: new Map(queries) });
    const aliases = (cte.aliascolnames ?? []).map(stringOf);
    if (aliases.length > bound.columns.length) {
      const message = `WITH query "${name}" has ${bound.columns.length} columns available but ${aliases.length} columns specified`;
      throw new EvertError("invalid_column_reference", message, { position });
    }
    own.add(name);
    queries.set(name, {
      ...bound,
      columns: bound.columns.map((c, i) => ({ ...c, name: aliases[i] ?? c.name })),
    });
  }
  return { ...env, withQueries: queries };
}

// ---- UNION ------------------------------------------------------------------------------------------------------

/** Left to right; a run of UNION ALL becomes one node. */
function bindUnion(select: SelectStmt, env: QueryEnv): BoundQuery {
  // A chain of unions leans to the left as far as it is long: walked in a loop, not on the stack.
  const spine: SelectStmt[] = [];
  let first = select;
  while (first.op === "SETOP_UNION" && (first === select || isBare(first))) {
    spine.push(first);
    first = first.larg!;
  }
  let left = bindSelect(first, env);
  refuseRanking(left);
  for (const step of spine.reverse()) {
    const right = bindSelect(step.rarg!, env);
    refuseRanking(right);
    left = unite(left, right, step.all ?? false, env.ctx, firstPlace(step.rarg));
  }
  return left;
}

/** Without ORDER BY, LIMIT or WITH of its own. */
function isBare(select: SelectStmt): boolean {
  const { sortClause, limitCount, limitOffset, withClause } = select;
  return [sortClause, limitCount, limitOffset, withClause].every((clause) => clause === undefined);
}

function unite(
  left: BoundQuery,
  right: BoundQuery,
  all: boolean,
  ctx: BindContext,
  place: number | undefined,
): BoundQuery {
  if (left.columns.length !== right.columns.length) {
    const message = "each UNION query must have the same number of columns";
    throw new EvertError("syntax_error", message, { position: ctx.position(place) });
  }
  const rights = columnBounds(right);
  const types = columnBounds(left).map((bound, i) => unionType(bound, { ...rights[i]!, start: place }, ctx));
  const [a, b] = [left, right].map((query) => castColumns(query, types, "implicit", ctx, unionMismatch)) as [
    Plan,
    Plan,
  ];
  const inputs = a.kind === "union" && left.plan === a ? [...a.inputs, b] : [a, b];
  const united = build.union(inputs);
  if (!all) for (const type of types) checkEquatable(type, ctx.position(place));
  const plan = all ? united : build.distinct(united);
  const columns = left.columns.map((c, i): QueryColumn => ({ name: c.name, index: i, literal: null }));
  return { plan, columns, order: [], ranking: null };
}

function unionType(left: Bound, right: Bound, ctx: BindContext): SqlType {
  const [a, b] = [boundType(left), boundType(right)];
  return a === null && b === null ? text : toCommonType([left, right], "UNION", ctx).type;
}

function unionMismatch(_index: number, from: string): EvertError {
  return new EvertError("cannot_coerce", `UNION could not convert type ${from}`);
}

/** ORDER BY and LIMIT of a union or of VALUES: only output columns can be named. */
function sorted(query: BoundQuery, select: SelectStmt, env: QueryEnv): BoundQuery {
  const { ctx } = env;
  const outputs = query.columns.map(({ name, index, literal }) => ({
    name,
    expr: build.column(query.plan, index),
    literal,
    position: undefined,
  }));
  const order = (select.sortClause ?? []).map((item): OrderItem => {
    const sort = as(item, "SortBy")!;
    const output = namedOutput(sort.node!, outputs, "ORDER BY", plainPlace(ctx, emptyScope(), "ORDER BY"));
    if (output === undefined) {
      refuseUnknownName(sort.node!, query, ctx);
      throw new EvertError("feature_not_supported", "invalid UNION/INTERSECT/EXCEPT ORDER BY clause", {
        detail: "Only result column names can be used, not expressions or functions.",
        hint: "Add the expression to every SELECT, or move the UNION into a FROM clause.",
        position: ctx.position(startOf(sort.node!)),
      });
    }
    const index = query.columns[outputs.indexOf(output as (typeof outputs)[number])]!.index;
    return { column: index, ...sortDirection(sort, ctx, sort.node!, output.expr) };
  });
  const limit = bindLimit(select, emptyScope(), ctx);
  const plan = limit === undefined ? query.plan : build.topK(query.plan, { partition: [], order, ...limit });
  return { ...query, plan, order };
}

/** A name that is no output column's is just unknown. */
function refuseUnknownName(node: Node, query: BoundQuery, ctx: BindContext): void {
  const fields = as(node, "ColumnRef")?.fields;
  if (fields === undefined) return;
  const columns = query.columns.map((c) => ({ name: c.name, expr: build.column(query.plan, c.index) }));
  findColumn(tableScope("", query.plan, columns), fields.map(stringOf), ctx.position(startOf(node)));
}

// ---- VALUES -----------------------------------------------------------------------------------------------------

function bindValues(lists: readonly Node[], env: QueryEnv): BoundQuery {
  const { ctx } = env;
  const rows = valueRows(lists, ctx);
  const width = rows[0]?.length ?? 0;
  checkColumnCount(width);
  const columns = Array.from({ length: width }, (_, i) =>
    bindValuesColumn(
      rows.map((row) => row[i]!),
      ctx,
    ),
  );
  const names = columns.map((_, i) => `column${i + 1}`);
  const exprs = rows.map((_, r) => columns.map((c) => c.exprs[r]!));
  const plan = rowsPlan(
    exprs,
    columns.map((c) => c.type),
    names,
  );
  return {
    plan,
    columns: names.map((name, index) => ({ name, index, literal: columns[index]!.literal })),
    order: [],
    ranking: null,
  };
}

/** A single bare literal stays open for INSERT and UNION, like one of a select list. */
function bindValuesColumn(bounds: readonly Bound[], ctx: BindContext) {
  const only = bounds.length === 1 ? bounds[0]! : undefined;
  const literal = only?.kind === "literal" ? only : null;
  if (literal !== null) {
    const value = literal.text;
    return { exprs: [{ kind: "const", value, type: text } as const], type: text, literal };
  }
  return { ...toCommonType(bounds, "VALUES", ctx), literal: null };
}

/** The rows of VALUES, bound but not yet of one type. */
export function valueRows(lists: readonly Node[], ctx: BindContext): Bound[][] {
  const place = plainPlace(ctx, emptyScope(), "VALUES");
  const rows = lists.map((list) => (as(list, "List")?.items ?? []).map((item) => bindExpr(item, place)));
  const uneven = rows.findIndex((row) => row.length !== rows[0]!.length);
  if (uneven > 0) {
    const at = as(lists[uneven], "List")?.items?.[0];
    const position = at === undefined ? undefined : ctx.position(startOf(at));
    throw new EvertError("syntax_error", "VALUES lists must all be the same length", { position });
  }
  return rows;
}
