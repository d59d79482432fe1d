/**
 * SELECT: FROM, WHERE, GROUP BY, HAVING, select list, DISTINCT, ORDER BY, LIMIT, in a plan's order:
 *
 *   topK (LIMIT)  >  distinct or topK (DISTINCT, DISTINCT ON)  >  project (select list, then columns only sorted by)
 *     >  functions that give rows  >  windows  >  filter (HAVING)  >  group  >  filter (WHERE)  >  joins
 *
 * Names are looked up clause by clause in the order PostgreSQL does it, so that the first error is the same.
 */
import type { Node, SelectStmt } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { columnsOf, conjunction, typeOf } from "../plan/inspect.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import { settled, toBoolean } from "./bound.ts";
import { splitAnd } from "./conditions.ts";
import { type BindContext, checkColumnCount } from "./context.ts";
import { checkEquatable } from "./equality.ts";
import { bindBoolean, bindExpr } from "./expression.ts";
import { bindFrom } from "./from.ts";
import { Grouping } from "./grouping.ts";
import { groupingSets, hasGroupingSets, removeEqualSets } from "./grouping-sets.ts";
import { bindLimit } from "./limit.ts";
import { bindTargets, type Clause, namedOutput, type Output } from "./output.ts";
import type { ExprPlace } from "./place.ts";
import type { BoundQuery, QueryEnv } from "./query.ts";
import { refuseAggregateOver } from "./recursion.ts";
import { RowFunctions } from "./row-functions.ts";
import { emptyScope } from "./scope.ts";
import { sortDirection } from "./sorting.ts";
import { ROW_FUNCTIONS, WINDOWS } from "./stand-ins.ts";
import { Subqueries } from "./subqueries.ts";
import { withoutNow } from "./temporal.ts";
import { as, startOf } from "./tree.ts";
import { Windows } from "./windowing.ts";

interface Sort {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  readonly position: number | undefined;
}

export function bindPlainSelect(select: SelectStmt, env: QueryEnv): BoundQuery {
  const { ctx } = env;
  refuseClauses(select, ctx);
  const scope = bindFrom(select.fromClause ?? [], env) ?? emptyScope();
  const grouping = new Grouping(scope, ctx, hasGroupingSets(select.groupClause ?? []));
  const windows = new Windows(select.windowClause ?? [], ctx);
  const rows = new RowFunctions();
  const subqueries = new Subqueries(env, scope);
  const place: ExprPlace = {
    ctx,
    scope,
    clause: "SELECT",
    aggregates: grouping,
    windows,
    rows,
    subqueries,
    bind: bindExpr,
  };
  const outputs = bindTargets(select.targetList ?? [], place);
  const where = bindWhere(select.whereClause, place);
  const having =
    select.havingClause === undefined
      ? undefined
      : bindBoolean(select.havingClause, within(place, "HAVING"), "HAVING");
  const sorts = bindSorts(select.sortClause ?? [], outputs, { ...place, clause: "ORDER BY" });
  const keyPlace: ExprPlace = { ...within(place, "GROUP BY"), aggregates: null, rows };
  const groupBy = groupingSets(
    select.groupClause ?? [],
    (node) => bindItem(node, outputs, "GROUP BY", keyPlace),
    ctx,
  );
  for (const set of groupBy) checkColumnCount(set.length);
  if (select.groupDistinct === true) removeEqualSets(groupBy);
  const defined = windows.defined(place);
  const distinct = bindDistinct(select.distinctClause, outputs, sorts, place);
  for (const expr of groupBy.flat()) checkEquatable(typeOf(expr), ctx.mentions.get(expr)?.position);
  distinct.on.forEach((expr, i) => {
    checkEquatable(typeOf(expr), distinct.places[i]);
  });
  if (distinct.all) for (const { expr, position } of outputs) checkEquatable(typeOf(expr), position);
  const limit = bindLimit(select, scope, env);

  let input = scope.plan;
  const timely = withoutNow(input, where, ctx);
  input = timely.input;
  if (timely.rest !== undefined) {
    input = subqueries.attach(input, [timely.rest]);
    input = build.filter(input, subqueries.resolve(timely.rest));
  }
  let over = (expr: Expr) => subqueries.resolve(expr);
  if (grouping.hasAggregates) refuseAggregateOver(select.fromClause ?? [], grouping.firstAt, env);
  const shown = everyExpr(outputs, sorts, distinct.on);
  if (select.groupClause !== undefined || grouping.hasAggregates || having !== undefined) {
    const keys = groupBy.flat();
    input = subqueries.attach(input, rows.arguments(keys));
    const early = rows.finish(input, keys, (e) => subqueries.resolve(e));
    const above = [...shown, ...windows.exprs()];
    const exprs = [...above, ...rows.arguments(above, keys)];
    const grouped = group(early, grouping, groupBy, having, exprs, subqueries);
    // A window that nobody uses has to be one over the groups, too.
    for (const expr of defined) grouping.over(expr);
    input = grouped.plan;
    over = grouped.over;
  } else {
    const above = [...shown, ...windows.exprs()];
    input = subqueries.attach(input, [...above, ...rows.arguments(above)]);
  }
  if (windows.hasCalls) {
    const sorted = rows.finish(input, windows.exprs(), over);
    input = sorted.plan;
    over = sorted.over;
    const windowed = windows.finish(input, over);
    input = windowed.plan;
    over = windowed.over;
  }
  // A call that is a key of the groups is a column by now.
  const late = rows.finish(input, shown, over);
  input = late.plan;
  over = late.over;
  const compared = new Set([...sorts.map((s) => s.expr), ...groupBy.flat(), ...distinct.on]);
  const list = new SelectList(
    outputs.map((o) => (distinct.all || compared.has(o.expr) ? { ...o, literal: null } : o)),
    over,
    input,
  );
  const order = sorts.map((s) => ({
    column: list.column(s.expr),
    descending: s.descending,
    nullsFirst: s.nullsFirst,
  }));
  const on = distinct.on.map((e) => list.column(e));
  let plan: Plan = build.project(input, list.exprs, list.names);
  if (distinct.all) plan = build.distinct(plan);
  if (on.length > 0) plan = firstPerGroup(plan, on, order, outputs.length);
  return { plan: limit(plan, order), columns: list.columns, order };
}

/** Keyed by the groups themselves when they are shown. */
function firstPerGroup(plan: Plan, on: readonly number[], order: readonly OrderItem[], shown: number): Plan {
  const key = on.every((c) => c < shown) ? [...new Set(on)] : null;
  return build.topK(plan, { partition: on, order, limit: 1, offset: 0, key });
}

function within(place: ExprPlace, clause: string): ExprPlace {
  return { ...place, clause, windows: null, rows: null };
}

function refuseClauses(select: SelectStmt, ctx: BindContext): void {
  const first = ctx.position(select.targetList?.[0] && startOf(select.targetList[0]));
  if (select.intoClause !== undefined)
    throw notSupported("SELECT ... INTO", ctx.position(select.intoClause.rel?.location));
  const lock = as(select.lockingClause?.[0], "LockingClause");
  if (lock !== undefined)
    throw notSupported(lock.strength === "LCS_FORUPDATE" ? "FOR UPDATE" : "FOR SHARE", first);
  if ((select.targetList ?? []).length === 0) throw notSupported("a select list without columns", first);
}

function bindWhere(clause: Node | undefined, place: ExprPlace): Expr | undefined {
  const inner: ExprPlace = { ...within(place, "WHERE"), aggregates: null };
  return conjunction(splitAnd(clause).map((node) => bindConjunct(node, inner)));
}

/** A row stays where its conjunct is true: null is as good as false. */
function bindConjunct(node: Node, place: ExprPlace): Expr {
  const link = as(node, "SubLink");
  if (link === undefined || place.subqueries === null) return bindBoolean(node, place, "WHERE");
  return toBoolean(place.subqueries.bind(link, place, true), "WHERE", place.ctx);
}

// ---- items of ORDER BY, GROUP BY, DISTINCT ----------------------------------------------------------------------

function bindSorts(items: readonly Node[], outputs: readonly Output[], place: ExprPlace): Sort[] {
  const sorts: Sort[] = [];
  const known = new Set<string>();
  checkColumnCount(items.length);
  for (const item of items) {
    const sort = as(item, "SortBy")!;
    const expr = bindItem(sort.node!, outputs, "ORDER BY", place);
    const direction = sortDirection(sort, place.ctx, sort.node!, expr);
    // Sorting by the same thing again changes nothing.
    const key = exprKey(expr);
    if (!known.has(key)) {
      known.add(key);
      const position = place.ctx.position(startOf(sort.node!));
      sorts.push({ expr, ...direction, position });
    }
  }
  return sorts;
}

function bindItem(node: Node, outputs: readonly Output[], clause: Clause, place: ExprPlace): Expr {
  const output = namedOutput(node, outputs, clause, place);
  if (output === undefined) return settled(place.bind(node, place), place.ctx);
  if (clause === "GROUP BY") refuseAggregate(output, place);
  return output.expr;
}

/** GROUP BY 1 must not mean an aggregate or a window function. */
function refuseAggregate(output: Output, { scope }: ExprPlace): void {
  const columns = scope.plan.schema.fields.length;
  const named = [...columnsOf(output.expr)];
  if (named.some((c) => c >= WINDOWS && c < ROW_FUNCTIONS)) {
    throw new EvertError("grouping_error", "window functions are not allowed in GROUP BY", {
      position: output.position,
      sqlstate: "42P20",
    });
  }
  if (named.every((c) => c < columns || c >= ROW_FUNCTIONS)) return;
  throw new EvertError("grouping_error", "aggregate functions are not allowed in GROUP BY", {
    position: output.position,
  });
}

interface Distinct {
  readonly all: boolean;
  readonly on: readonly Expr[];
  /** Where each is named. */
  readonly places: readonly (number | undefined)[];
}

/** DISTINCT parses as a list of one empty node. */
function bindDistinct(
  clause: readonly Node[] | undefined,
  outputs: readonly Output[],
  sorts: readonly Sort[],
  place: ExprPlace,
): Distinct {
  if (clause === undefined) return { all: false, on: [], places: [] };
  const items = clause.filter((node) => Object.keys(node).length > 0);
  if (items.length === 0) {
    checkSortedOutputs(outputs, sorts);
    return { all: true, on: [], places: [] };
  }
  const on = items.map((node) => bindItem(node, outputs, "DISTINCT ON", { ...place, clause: "DISTINCT ON" }));
  const wanted = new Set(on.map(exprKey));
  sorts.slice(0, wanted.size).forEach((sort, i) => {
    if (wanted.has(exprKey(sort.expr))) return;
    const message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
    const position = place.ctx.position(startOf(items[Math.min(i, items.length - 1)]!));
    throw new EvertError("invalid_column_reference", message, { position });
  });
  return { all: false, on, places: items.map((node) => place.ctx.position(startOf(node))) };
}

function checkSortedOutputs(outputs: readonly Output[], sorts: readonly Sort[]): void {
  const shown = new Set(outputs.map((o) => exprKey(o.expr)));
  for (const sort of sorts) {
    if (shown.has(exprKey(sort.expr))) continue;
    const message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
    throw new EvertError("invalid_column_reference", message, { position: sort.position });
  }
}

// ---- groups -----------------------------------------------------------------------------------------------------

function everyExpr(outputs: readonly Output[], sorts: readonly Sort[], on: readonly Expr[]): Expr[] {
  return [...outputs.map((o) => o.expr), ...sorts.map((s) => s.expr), ...on];
}

function group(
  rows: { plan: Plan; over: (expr: Expr) => Expr },
  grouping: Grouping,
  sets: readonly (readonly Expr[])[],
  having: Expr | undefined,
  exprs: readonly Expr[],
  subqueries: Subqueries,
): { plan: Plan; over: (expr: Expr) => Expr } {
  grouping.setKeys(sets, new Set(exprs));
  // All of them first: each may add a key, which moves the aggregates' columns.
  const over = new Map(exprs.map((e) => [e, grouping.over(e)]));
  const condition = having === undefined ? undefined : grouping.over(having);
  // What a subquery reads of the groups may add keys too.
  const above = [...over.values(), ...(condition === undefined ? [] : [condition])];
  const reads = above.flatMap((e) => subqueries.outerColumns(e));
  const outer = new Map(reads.map((c) => [c.index, grouping.outer(c)]));
  const before = subqueries.attach(rows.plan, grouping.inputs());
  const { plan, place } = grouping.finish(before, (e) => rows.over(e));
  const move = (column: number) => place(outer.get(column)!);
  let grouped = plan;
  if (condition !== undefined) {
    grouped = subqueries.attach(grouped, [condition], move);
    grouped = build.filter(grouped, subqueries.resolve(place(condition)));
  }
  grouped = subqueries.attach(grouped, [...over.values()], move);
  return { plan: grouped, over: (e) => subqueries.resolve(place(over.get(e)!)) };
}

// ---- the select list --------------------------------------------------------------------------------------------

/** Columns of the project: outputs, then what is only sorted by. */
class SelectList {
  readonly exprs: Expr[] = [];
  readonly names: string[] = [];
  readonly columns: BoundQuery["columns"];
  private readonly over: (expr: Expr) => Expr;
  private readonly input: Plan;
  private readonly at = new Map<string, number>();

  constructor(outputs: readonly Output[], over: (expr: Expr) => Expr, input: Plan) {
    this.input = input;
    this.over = over;
    this.columns = outputs.map(({ name, expr, literal }) => {
      const index = this.exprs.push(over(expr)) - 1;
      this.names.push(name);
      if (!this.at.has(exprKey(expr))) this.at.set(exprKey(expr), index);
      return { name, index, literal };
    });
  }

  /** The column with this value, appended if there is none. */
  column(expr: Expr): number {
    const key = exprKey(expr);
    let at = this.at.get(key);
    if (at === undefined) {
      const made = this.over(expr);
      at = this.exprs.push(made) - 1;
      this.names.push(made.kind === "column" ? this.input.schema.fields[made.index]!.name : "?column?");
      this.at.set(key, at);
    }
    return at;
  }
}
