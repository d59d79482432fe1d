/**
 * SELECT: FROM, WHERE, GROUP BY, HAVING, select list, DISTINCT, ORDER BY, LIMIT, in a plan's order:
 *
 *   topK (LIMIT)  >  distinct or topK (DISTINCT, DISTINCT ON)  >  project (select list, then columns only sorted by)
 *     >  filter (HAVING)  >  group  >  filter (WHERE)  >  joins
 *
 * Names are looked up clause by clause in the order PostgreSQL does it, so that the first error is the same.
 */
import type { Node, SelectStmt } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { int8 } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import { columnsOf, conjunction, typeOf } from "../plan/inspect.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import { settled, toBoolean } from "./bound.ts";
import { checkRankNames } from "./conditions.ts";
import type { BindContext } from "./context.ts";
import { checkEquatable } from "./equality.ts";
import { bindBoolean, bindExpr } from "./expression.ts";
import { bindFrom } from "./from.ts";
import { Grouping } from "./grouping.ts";
import { groupingSets, hasGroupingSets, removeEqualSets } from "./grouping-sets.ts";
import { bindLimit } from "./limit.ts";
import { bindTargets, type Clause, namedOutput, type Output } from "./output.ts";
import type { ExprPlace, RowNumber, WindowSink } from "./place.ts";
import type { BoundQuery, QueryEnv, Ranking } from "./query.ts";
import { RankFilters, splitAnd } from "./ranking.ts";
import { emptyScope, type Scope } from "./scope.ts";
import { sortDirection } from "./sort.ts";
import { ROW_NUMBER, SUBQUERIES } from "./stand-ins.ts";
import { Subqueries } from "./subqueries.ts";
import { withoutNow } from "./temporal.ts";
import { as, startOf } from "./tree.ts";

interface Sort {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export function bindPlainSelect(select: SelectStmt, env: QueryEnv): BoundQuery {
  const { ctx } = env;
  refuseClauses(select, ctx);
  const ranks = new RankFilters(splitAnd(select.whereClause));
  const scope = bindFrom(select.fromClause ?? [], env, ranks) ?? emptyScope();
  const grouping = new Grouping(scope, ctx, hasGroupingSets(select.groupClause ?? []));
  const windows = new Windows(select.windowClause ?? []);
  const subqueries = new Subqueries(env, scope);
  const place: ExprPlace = {
    ctx,
    scope,
    clause: "SELECT",
    aggregates: grouping,
    windows,
    subqueries,
    bind: bindExpr,
  };
  const outputs = bindTargets(select.targetList ?? [], place);
  const where = bindWhere(ranks, scope, place);
  const having =
    select.havingClause === undefined
      ? undefined
      : bindBoolean(select.havingClause, within(place, "HAVING"), "HAVING");
  const sorts = bindSorts(select.sortClause ?? [], outputs, within(place, "ORDER BY"));
  const keyPlace: ExprPlace = { ...within(place, "GROUP BY"), aggregates: null };
  const groupBy = groupingSets(
    select.groupClause ?? [],
    (node) => bindItem(node, outputs, "GROUP BY", keyPlace),
    ctx,
  );
  if (select.groupDistinct === true) removeEqualSets(groupBy);
  const distinct = bindDistinct(select.distinctClause, outputs, sorts, place);
  const compared = [...groupBy.flat(), ...distinct.on, ...(distinct.all ? outputs.map((o) => o.expr) : [])];
  for (const expr of compared) checkEquatable(typeOf(expr), ctx.mentions.get(expr)?.position);
  const limit = bindLimit(select, scope, ctx);

  let input = scope.plan;
  const timely = withoutNow(input, where, ctx);
  input = timely.input;
  if (timely.rest !== undefined) {
    input = subqueries.attach(input, [timely.rest]);
    input = build.filter(input, subqueries.resolve(timely.rest));
  }
  let over = (expr: Expr) => subqueries.resolve(expr);
  if (select.groupClause !== undefined || grouping.hasAggregates || having !== undefined) {
    const exprs = [...everyExpr(outputs, sorts, distinct.on), ...windows.exprs()];
    const grouped = group(input, grouping, groupBy, having, exprs, subqueries);
    input = grouped.plan;
    over = grouped.over;
  } else {
    input = subqueries.attach(input, [...everyExpr(outputs, sorts, distinct.on), ...windows.exprs()]);
  }
  const list = new SelectList(outputs, over, input, windows);
  const order = sorts.map((s) => ({
    column: list.column(s.expr),
    descending: s.descending,
    nullsFirst: s.nullsFirst,
  }));
  const on = distinct.on.map((e) => list.column(e));
  const ranking = list.ranking();
  if (ranking !== null && (distinct.all || on.length > 0 || limit !== undefined)) {
    throw notSupported("row_number() beside DISTINCT or LIMIT", ranking.position);
  }
  let plan: Plan = build.project(input, list.exprs, list.names);
  if (distinct.all) plan = build.distinct(plan);
  if (on.length > 0) plan = firstPerGroup(plan, on, order, outputs.length);
  if (limit !== undefined) plan = build.topK(plan, { partition: [], order, ...limit });
  return { plan, columns: list.columns, order, ranking };
}

/** Keyed by the groups themselves when they are shown. */
function firstPerGroup(plan: Plan, on: readonly number[], order: readonly OrderItem[], shown: number): Plan {
  const key = on.every((c) => c < shown) ? [...new Set(on)] : null;
  return build.topK(plan, { partition: on, order, limit: 1, offset: 0, key });
}

function within(place: ExprPlace, clause: string): ExprPlace {
  return { ...place, clause, windows: null };
}

function refuseClauses(select: SelectStmt, ctx: BindContext): void {
  const first = ctx.position(select.targetList?.[0] && startOf(select.targetList[0]));
  if (select.intoClause !== undefined)
    throw notSupported("SELECT ... INTO", ctx.position(select.intoClause.rel?.location));
  if (select.lockingClause !== undefined) throw notSupported("FOR UPDATE", first);
  if ((select.targetList ?? []).length === 0) throw notSupported("a select list without columns", first);
}

function bindWhere(ranks: RankFilters, scope: Scope, place: ExprPlace): Expr | undefined {
  const inner: ExprPlace = { ...within(place, "WHERE"), aggregates: null };
  const predicate = conjunction(ranks.rest().map((node) => bindConjunct(node, inner)));
  checkRankNames(ranks, scope, place.ctx);
  return predicate;
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
  for (const item of items) {
    const sort = as(item, "SortBy")!;
    const expr = bindItem(sort.node!, outputs, "ORDER BY", place);
    const direction = sortDirection(sort, place.ctx, sort.node!, expr);
    // Sorting by the same thing again changes nothing.
    if (!sorts.some((s) => exprKey(s.expr) === exprKey(expr))) sorts.push({ expr, ...direction });
  }
  return sorts;
}

function bindItem(node: Node, outputs: readonly Output[], clause: Clause, place: ExprPlace): Expr {
  const inner = clause === "ORDER BY" ? { ...place, windows: new NoWindows(clause) } : place;
  const output = namedOutput(node, outputs, clause, place);
  if (output === undefined) return settled(place.bind(node, inner), place.ctx);
  if (clause === "GROUP BY") refuseAggregate(output, place);
  return output.expr;
}

/** GROUP BY 1 must not mean an aggregate. */
function refuseAggregate(output: Output, { scope }: ExprPlace): void {
  const columns = scope.plan.schema.fields.length;
  if ([...columnsOf(output.expr)].every((c) => c < columns || c >= SUBQUERIES)) return;
  throw new EvertError("grouping_error", "aggregate functions are not allowed in GROUP BY", {
    position: output.position,
  });
}

interface Distinct {
  readonly all: boolean;
  readonly on: readonly Expr[];
}

/** DISTINCT parses as a list of one empty node. */
function bindDistinct(
  clause: readonly Node[] | undefined,
  outputs: readonly Output[],
  sorts: readonly Sort[],
  place: ExprPlace,
): Distinct {
  if (clause === undefined) return { all: false, on: [] };
  const items = clause.filter((node) => Object.keys(node).length > 0);
  if (items.length === 0) {
    checkSortedOutputs(outputs, sorts, place);
    return { all: true, on: [] };
  }
  const on = items.map((node) => bindItem(node, outputs, "DISTINCT ON", within(place, "DISTINCT ON")));
  const wanted = new Set(on.map(exprKey));
  sorts.slice(0, wanted.size).forEach((sort, i) => {
    if (wanted.has(exprKey(sort.expr))) return;
    const message = "SELECT DISTINCT ON expressions must match initial ORDER BY expressions";
    const position = place.ctx.position(startOf(items[Math.min(i, items.length - 1)]!));
    throw new EvertError("invalid_column_reference", message, { position });
  });
  return { all: false, on };
}

function checkSortedOutputs(outputs: readonly Output[], sorts: readonly Sort[], place: ExprPlace): void {
  const shown = new Set(outputs.map((o) => exprKey(o.expr)));
  for (const sort of sorts) {
    if (shown.has(exprKey(sort.expr))) continue;
    const message = "for SELECT DISTINCT, ORDER BY expressions must appear in select list";
    throw new EvertError("invalid_column_reference", message, {
      position: place.ctx.mentions.get(sort.expr)?.position,
    });
  }
}

// ---- groups -----------------------------------------------------------------------------------------------------

function everyExpr(outputs: readonly Output[], sorts: readonly Sort[], on: readonly Expr[]): Expr[] {
  return [...outputs.map((o) => o.expr), ...sorts.map((s) => s.expr), ...on];
}

function group(
  input: Plan,
  grouping: Grouping,
  sets: readonly (readonly Expr[])[],
  having: Expr | undefined,
  exprs: readonly Expr[],
  subqueries: Subqueries,
): { plan: Plan; over: (expr: Expr) => Expr } {
  grouping.setKeys(sets);
  // All of them first: each may add a key, which moves the aggregates' columns.
  const over = new Map(exprs.map((e) => [e, isRowNumber(e) ? e : grouping.over(e)]));
  const condition = having === undefined ? undefined : grouping.over(having);
  // What a subquery reads of the groups may add keys too.
  const above = [...over.values(), ...(condition === undefined ? [] : [condition])];
  const reads = above.flatMap((e) => subqueries.outerColumns(e));
  const outer = new Map(reads.map((c) => [c.index, grouping.outer(c.index, c.type, c.nullable)]));
  const before = subqueries.attach(input, grouping.inputs());
  const { plan, place } = grouping.finish(before, (e) => subqueries.resolve(e));
  const move = (column: number) => place(outer.get(column)!);
  let grouped = plan;
  if (condition !== undefined) {
    grouped = subqueries.attach(grouped, [condition], move);
    grouped = build.filter(grouped, subqueries.resolve(place(condition)));
  }
  grouped = subqueries.attach(grouped, [...over.values()], move);
  return { plan: grouped, over: (e) => (isRowNumber(e) ? e : subqueries.resolve(place(over.get(e)!))) };
}

// ---- the select list --------------------------------------------------------------------------------------------

/** Columns of the project: outputs, then what is only sorted, partitioned or ranked by. */
class SelectList {
  readonly exprs: Expr[] = [];
  readonly names: string[] = [];
  readonly columns: BoundQuery["columns"];
  private readonly over: (expr: Expr) => Expr;
  private readonly input: Plan;
  private readonly windows: Windows;
  private readonly at = new Map<string, number>();

  constructor(outputs: readonly Output[], over: (expr: Expr) => Expr, input: Plan, windows: Windows) {
    this.input = input;
    this.over = over;
    this.windows = windows;
    this.columns = outputs.map(({ name, expr, literal }) => {
      if (isRowNumber(expr)) return { name, index: -1, literal: null };
      if ([...columnsOf(expr)].some((c) => c === ROW_NUMBER))
        throw windows.refuse("row_number() inside an expression");
      const index = this.exprs.push(over(expr)) - 1;
      this.names.push(name);
      if (!this.at.has(exprKey(expr))) this.at.set(exprKey(expr), index);
      return { name, index, literal };
    });
  }

  /** The column with this value, appended if there is none. */
  column(expr: Expr): number {
    if ([...columnsOf(expr)].some((c) => c === ROW_NUMBER))
      throw this.windows.refuse("ORDER BY row_number()");
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

  ranking(): Ranking | null {
    const call = this.windows.call();
    if (call === null) return null;
    const shown = this.columns.filter((c) => c.index < 0).length;
    if (shown > 1) throw this.windows.refuse("row_number() in more than one column");
    const order: OrderItem[] = call.order.map((s) => ({
      column: this.column(s.expr),
      descending: s.descending,
      nullsFirst: s.nullsFirst,
    }));
    return { partition: call.partition.map((e) => this.column(e)), order, position: call.position };
  }
}

function isRowNumber(expr: Expr): boolean {
  return expr.kind === "column" && expr.index === ROW_NUMBER;
}

/** The one row_number() a select list may have. */
class Windows implements WindowSink {
  private readonly clause: readonly Node[];
  private readonly calls: RowNumber[] = [];

  constructor(clause: readonly Node[]) {
    this.clause = clause;
  }

  add(call: RowNumber): Expr {
    this.calls.push(call);
    if (this.calls.length > 1) throw this.refuse("more than one row_number() in a select list");
    return { kind: "column", index: ROW_NUMBER, type: int8, nullable: false };
  }

  named(name: string): Node | undefined {
    return this.clause.find((node) => as(node, "WindowDef")?.name === name);
  }

  call(): RowNumber | null {
    return this.calls[0] ?? null;
  }

  exprs(): Expr[] {
    return this.calls.flatMap((c) => [...c.partition, ...c.order.map((s) => s.expr)]);
  }

  refuse(what: string): EvertError {
    return notSupported(what, this.calls.at(-1)?.position);
  }
}

/** Where PostgreSQL allows window functions and we do not. */
class NoWindows implements WindowSink {
  private readonly clause: string;

  constructor(clause: string) {
    this.clause = clause;
  }

  add(call: RowNumber): Expr {
    throw notSupported(`row_number() in ${this.clause}`, call.position);
  }

  named(): undefined {
    return undefined;
  }
}
