/** Queries: WITH, VALUES, set operations, and the plain SELECT they are made of. */
import type { Node, SelectStmt } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import { inputsOf } from "../plan/inspect.ts";
import { optimizeQuery } from "../plan/optimize.ts";
import type { OptimizedQuery, OrderItem } from "../plan/plan.ts";
import { type BindContext, checkPlanColumns, checkPlanSize } from "./context.ts";
import { plainPlace } from "./expression.ts";
import { bindLimit } from "./limit.ts";
import { namedOutput } from "./output.ts";
import { parseStatements } from "./parser.ts";
import { asText, type BoundQuery, columnBounds, projectExactly, type QueryEnv } from "./query.ts";
import { emptyScope, findColumn, tableScope } from "./scope.ts";
import { bindPlainSelect } from "./select.ts";
import { bindSetOperation, isSetOperation } from "./set-operations.ts";
import { sortDirection } from "./sorting.ts";
import { as, startOf, stringOf } from "./tree.ts";
import { bindValues } from "./values.ts";
import { withQueries } from "./with.ts";

/** A whole query, ready to run: shown columns first, then those that exist only to sort by. */
export function bindQuery(select: SelectStmt, ctx: BindContext, names?: readonly string[]): OptimizedQuery {
  const bound = bindSelect(select, queryEnv(ctx));
  return finishQuery(bound, ctx, names);
}

function finishQuery(bound: BoundQuery, ctx: BindContext, names?: readonly string[]): OptimizedQuery {
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
  const query = { plan: whole, order: Object.freeze(moved), visible: shown.length };
  const optimized = optimizeQuery(query, ctx.catalog.constant);
  checkPlanColumns(optimized.plan);
  return optimized;
}

/** What a statement's query sees from outside: nothing yet. */
export function queryEnv(ctx: BindContext): QueryEnv {
  return {
    ctx,
    withQueries: new Map(),
    recursions: 0,
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
  const meant = ctx.catalog.inside?.(name) ?? ctx.catalog;
  const inner = ctx.within(parsed.source, `view "${name}"`, meant);
  const query = inner.deeper(() => bindSelect(select, queryEnv(inner)));
  const aliases = (view?.aliases ?? []).map(stringOf);
  return { ...query, columns: query.columns.map((c, i) => ({ ...c, name: aliases[i] ?? c.name })) };
}

function bindSelect(select: SelectStmt, env: QueryEnv): BoundQuery {
  return env.ctx.deeper(() => {
    const inner = withQueries(select, env);
    if (isSetOperation(select.op)) return sorted(bindSetOperation(select, inner), select, inner);
    if (select.valuesLists !== undefined) return sorted(bindValues(select.valuesLists, inner), select, inner);
    return bindPlainSelect(select, inner);
  });
}

// ---- ORDER BY and LIMIT -----------------------------------------------------------------------------------------

/** ORDER BY and LIMIT of a set operation or of VALUES: only output columns can be named. */
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
  const limit = bindLimit(select, emptyScope(), env);
  return { ...query, plan: limit(query.plan, order), order };
}

/** A name that is no output column's is just unknown. */
function refuseUnknownName(node: Node, query: BoundQuery, ctx: BindContext): void {
  const fields = as(node, "ColumnRef")?.fields;
  if (fields === undefined) return;
  const columns = query.columns.map((c) => ({ name: c.name, expr: build.column(query.plan, c.index) }));
  findColumn(tableScope("", query.plan, columns), fields.map(stringOf), ctx.position(startOf(node)));
}
