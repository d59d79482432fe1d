/**
 * JOIN ... ON, USING and NATURAL.
 *
 * An inner join is a cross join under a filter; the optimizer turns equalities into keys. An outer join is told its keys here, for
 * its condition is no filter. Of LEFT JOIN ... ON, each conjunct is
 * - an equality of the two sides: a join key;
 * - about the right side only (or nothing at all): right rows for which it is not true match nothing, so they are left out;
 * - about the left side only: a left row for which it is not true matches nothing, so its key is null then;
 * - anything else: what is left to check of rows whose keys match (plan/outer-join.ts).
 * In a full join a condition on either side alone makes that side's key null. A right join is a left join with its sides exchanged.
 * A LATERAL right side is applied to the left rows (plan/decorrelate.ts).
 */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { resolveOperator } from "../plan/functions.ts";
import { conjunction, moveColumns, typeOf } from "../plan/inspect.ts";
import { withColumns } from "../plan/join-keys.ts";
import { readsOuter } from "../plan/outer-columns.ts";
import { outerJoin } from "../plan/outer-join.ts";
import type { Plan } from "../plan/plan.ts";
import { asOfJoin, asOfScope, isAsOf } from "./as-of.ts";
import { boundType, callOf, coerce, toCommonType, typed } from "./bound.ts";
import { type Condition, guarded, sideBySide, splitAnd, splitConditions } from "./conditions.ts";
import type { BindContext } from "./context.ts";
import { bindRowFunction, functionCall, isRowFunction } from "./from-functions.ts";
import { JoinConditions } from "./join-subqueries.ts";
import type { QueryEnv } from "./query.ts";
import {
  besides,
  checkDuplicateTable,
  keepScope,
  mayMiss,
  moveScope,
  type Scope,
  type ScopeColumn,
  tableScope,
} from "./scope.ts";
import { as, type NodeOf, startOf, stringOf } from "./tree.ts";

type BindItem = (item: Node, env: QueryEnv, before?: Scope) => Scope;
type JoinType = "inner" | "left" | "right" | "full";

/** Makes one plan of two scopes and says where each side's columns are. */
type Joiner = (
  left: Scope,
  right: Scope,
  conditions: readonly Condition[],
  on: JoinConditions | null,
) => Scope;

export function bindJoin(
  node: NodeOf<"JoinExpr">,
  env: QueryEnv,
  bindItem: BindItem,
  before: Scope | undefined,
): Scope {
  const { ctx } = env;
  const type = joinType(node, ctx);
  const on = splitAnd(node.quals);
  const left = bindItem(node.larg!, env, before);
  const position = ctx.position(functionCall(node.rarg)?.location ?? startOf(node.rarg!));
  if (isRowFunction(node.rarg!, ctx) && type === "inner") {
    // It sees what stands left of the whole join too.
    const counted = ctx.apart(true, () => bindRowFunction(as(node.rarg, "RangeFunction")!, left, ctx));
    const width = left.columns.length;
    const names = sharedColumns(node, counted.columns.slice(0, width), counted.columns.slice(width));
    if (names !== undefined) {
      const join = (conditions: readonly Condition[]) => filtered(counted, conditions);
      return aliased(joinUsing(names, counted, width, type, join, ctx), node, ctx);
    }
    const asked = new JoinConditions(on, counted, env);
    return aliased(restricted(filtered(counted, asked.plain), asked), node, ctx);
  }
  const asOf = isAsOf(node.rarg) ? asOfScope(as(node.rarg, "RangeFunction")!, ctx) : undefined;
  const id = ctx.nextApply();
  const right = asOf?.scope ?? ctx.beside(left, id, () => bindItem(node.rarg!, env, before));
  checkDuplicateTable(left, right, position);
  const lateral = readsOuter(right.plan, id);
  if (lateral && (type === "right" || type === "full")) {
    throw new EvertError("invalid_column_reference", "invalid reference to what stands left in FROM", {
      detail: "The combining JOIN type must be INNER or LEFT for a LATERAL reference.",
      position,
    });
  }
  const join: Joiner = (l, r, conditions, asked) => {
    if (asOf !== undefined) {
      asked?.refuse("JOIN as_of(...)");
      return joinAsOf(l, r, type, conditions, asOf.key, position);
    }
    if (!lateral) return joinScopes(l, r, type, conditions, asked);
    if (type !== "left") return restricted(applyScopes(l, r, id, "inner", conditions), asked);
    asked?.refuse("LEFT JOIN LATERAL");
    return applyScopes(l, r, id, "left", conditions);
  };
  const shared = sharedColumns(node, left.columns, right.columns);
  if (shared !== undefined) {
    const joined = (equal: readonly Condition[]) => join(left, right, equal, null);
    const both = sideBySide(left, right);
    return aliased(joinUsing(shared, both, left.columns.length, type, joined, ctx), node, ctx);
  }
  const conditions = new JoinConditions(on, sideBySide(left, right), env);
  return aliased(join(left, right, conditions.plain, conditions), node, ctx);
}

function joinType(node: NodeOf<"JoinExpr">, ctx: BindContext): JoinType {
  switch (node.jointype) {
    case "JOIN_INNER":
      return "inner";
    case "JOIN_LEFT":
      return "left";
    case "JOIN_RIGHT":
      return "right";
    case "JOIN_FULL":
      return "full";
    default:
      throw notSupported(
        `${node.jointype}`,
        ctx.position(functionCall(node.rarg)?.location ?? startOf(node.rarg!)),
      );
  }
}

function filtered(scope: Scope, conditions: readonly Condition[]): Scope {
  const predicate = conjunction(conditions.map((c) => c.expr));
  return predicate === undefined ? scope : keepScope(scope, build.filter(scope.plan, predicate));
}

/** The pairs for which the subqueries of the condition say so too. */
function restricted(pairs: Scope, asked: JoinConditions | null): Scope {
  if (asked === null || !asked.hasSubqueries) return pairs;
  return keepScope(pairs, asked.restrict(pairs.plan));
}

function joinScopes(
  left: Scope,
  right: Scope,
  type: JoinType,
  conditions: readonly Condition[],
  asked: JoinConditions | null,
): Scope {
  if (type === "inner") return restricted(filtered(sideBySide(left, right), conditions), asked);
  const width = left.plan.schema.fields.length;
  if (type !== "right") {
    const { plan, rightAt } = outerJoined(left.plan, right.plan, type, conditions, (pairs, at) =>
      restrictedPlan(pairs, asked, (i) => (i < width ? i : i - width + at)),
    );
    return sideways(
      keepScope(type === "full" ? mayMiss(left) : left, plan),
      moveScope(mayMiss(right), plan, (i) => i + rightAt),
    );
  }
  const other = right.plan.schema.fields.length;
  const exchanged = conditions.map((c) => ({
    ...c,
    expr: moveColumns(c.expr, (i) => (i < width ? i + other : i - width)),
  }));
  const { plan, rightAt } = outerJoined(right.plan, left.plan, "left", exchanged, (pairs, at) =>
    restrictedPlan(pairs, asked, (i) => (i < width ? i + at : i - width)),
  );
  return sideways(
    moveScope(mayMiss(left), plan, (i) => i + rightAt),
    keepScope(right, plan),
  );
}

function restrictedPlan(pairs: Plan, asked: JoinConditions | null, at: (column: number) => number): Plan {
  return asked === null ? pairs : asked.restrict(pairs, at);
}

/** LATERAL: the right side reads the left one. */
function applyScopes(
  left: Scope,
  right: Scope,
  id: number,
  type: "inner" | "left",
  conditions: readonly Condition[],
): Scope {
  const sides = { id, left: left.plan, right: right.plan };
  const predicate = conjunction(conditions.map((c) => c.expr)) ?? null;
  if (type === "left")
    return besides(left, mayMiss(right), build.apply({ ...sides, type, residual: predicate }));
  return filtered(besides(left, right, build.apply({ ...sides, type })), conditions);
}

function joinAsOf(
  left: Scope,
  right: Scope,
  type: JoinType,
  conditions: readonly Condition[],
  key: readonly number[],
  position: number | undefined,
): Scope {
  if (type === "right" || type === "full")
    throw notSupported(`${type.toUpperCase()} JOIN as_of(...)`, position);
  const { plan, rightAt, rest } = asOfJoin({
    left: left.plan,
    right: right.plan,
    type,
    conditions,
    key,
    position,
  });
  const joined = sideways(
    keepScope(left, plan),
    moveScope(type === "left" ? mayMiss(right) : right, plan, (i) => i + rightAt),
  );
  return filtered(joined, rest);
}

function sideways(left: Scope, right: Scope): Scope {
  return {
    plan: left.plan,
    tables: [...left.tables, ...right.tables],
    columns: [...left.columns, ...right.columns],
  };
}

/** Left's columns, then those its keys needed, then right's from `rightAt` on. */
function outerJoined(
  left: Plan,
  right: Plan,
  type: "left" | "full",
  conditions: readonly Condition[],
  restrict: (pairs: Plan, rightAt: number) => Plan,
): { plan: Plan; rightAt: number } {
  const width = left.schema.fields.length;
  const sides = splitConditions(
    conditions.filter(({ expr }) => expr.kind !== "const" || expr.value !== true),
    width,
  );
  // A one-sided condition guards a key: there must be one that null does not match.
  const guards = sides.nullSafe.length > 0 && !sides.nullSafe[0];
  const guardsLeft = guards || sides.leftOnly.length === 0;
  const guardsRight = guards || sides.rightOnly.length === 0;
  const keyed = withColumns(left, guardsLeft ? guarded(sides.leftKeys, sides.leftOnly) : sides.leftKeys);
  const predicate = type === "left" ? conjunction(sides.rightOnly) : undefined;
  const matching = withColumns(
    predicate === undefined ? right : build.filter(right, predicate),
    type === "full" && guardsRight ? guarded(sides.rightKeys, sides.rightOnly) : sides.rightKeys,
  );
  const rightAt = keyed.plan.schema.fields.length;
  const rest = [
    ...sides.other.map((c) => c.expr),
    ...(guardsLeft ? [] : sides.leftOnly),
    ...(type === "left" || guardsRight ? [] : sides.rightOnly.map((e) => moveColumns(e, (i) => i + width))),
  ].map((e) => moveColumns(e, (i) => (i < width ? i : i - width + rightAt)));
  const plan = outerJoin({
    type,
    left: keyed.plan,
    right: matching.plan,
    leftKeys: keyed.columns,
    rightKeys: matching.columns,
    nullSafe: sides.nullSafe,
    residual: conjunction(rest) ?? null,
    restrict: (pairs) => restrict(pairs, rightAt),
  });
  return { plan, rightAt };
}

// ---- USING ------------------------------------------------------------------------------------------------------

/** Names of USING, or of NATURAL: all that both sides have. undefined: neither was written. */
function sharedColumns(
  node: NodeOf<"JoinExpr">,
  left: readonly ScopeColumn[],
  right: readonly ScopeColumn[],
): string[] | undefined {
  if (node.isNatural) {
    return left.map((c) => c.name).filter((name) => right.some((c) => c.name === name));
  }
  return node.usingClause?.map(stringOf);
}

/** `both`: the sides as they stand beside each other, of which the left one has `width` columns. */
function joinUsing(
  names: readonly string[],
  both: Scope,
  width: number,
  type: JoinType,
  join: (equal: readonly Condition[]) => Scope,
  ctx: BindContext,
): Scope {
  const left = both.columns.slice(0, width);
  const right = both.columns.slice(width);
  const pairs = names.map((name) => ({
    l: usedColumn(left, name, "left"),
    r: width + usedColumn(right, name, "right"),
  }));
  const conditions = pairs.map(({ l, r }) => ({
    expr: equality(both.columns[l]!, both.columns[r]!, ctx),
    position: undefined,
  }));
  const joined = join(conditions);
  const merged = pairs.map(({ l, r }, i) =>
    mergedColumn(names[i]!, joined.columns[l]!, joined.columns[r]!, type, ctx),
  );
  const rest = joined.columns.filter((_, i) => !pairs.some(({ l, r }) => l === i || r === i));
  return { ...joined, columns: [...merged, ...rest] };
}

function usedColumn(columns: readonly ScopeColumn[], name: string, side: string): number {
  const found = columns.flatMap((c, i) => (c.name === name ? [i] : []));
  if (found.length === 0) {
    throw new EvertError(
      "undefined_column",
      `column "${name}" specified in USING clause does not exist in ${side} table`,
    );
  }
  if (found.length > 1) {
    throw new EvertError(
      "ambiguous_column",
      `common column name "${name}" appears more than once in ${side} table`,
    );
  }
  return found[0]!;
}

function equality(left: ScopeColumn, right: ScopeColumn, ctx: BindContext): Expr {
  const sides = [typed(left.expr, undefined), typed(right.expr, undefined)];
  return callOf(resolveOperator("=", sides.map(boundType)), sides, ctx);
}

/** The side that is never missing, as the type both have in common; of an inner join's sides the one that has that type already. */
function mergedColumn(
  name: string,
  left: ScopeColumn,
  right: ScopeColumn,
  type: JoinType,
  ctx: BindContext,
): ScopeColumn {
  const [l, r] = [typed(left.expr, undefined), typed(right.expr, undefined)];
  const common = toCommonType([l, r], "JOIN/USING", ctx).type;
  const table = type === "right" ? right.table : left.table;
  if (type === "full") {
    const args = [l, r].map((side) => coerce(side, common, "implicit", ctx)!);
    return { name, table, expr: { kind: "coalesce", args, type: common } };
  }
  const kept = type === "right" || (type === "inner" && typeOf(l.expr).name !== common.name) ? r : l;
  return { name, table, expr: coerce(kept, common, "implicit", ctx)! };
}

/** `(a JOIN b ON ...) AS j`: the names inside are hidden behind one. */
function aliased(scope: Scope, node: NodeOf<"JoinExpr">, ctx: BindContext): Scope {
  const position = ctx.position(startOf(node.larg!));
  if (node.join_using_alias !== undefined) throw notSupported("an alias of USING", position);
  const name = node.alias?.aliasname;
  if (name === undefined) return scope;
  const names = (node.alias?.colnames ?? []).map(stringOf);
  const columns = scope.columns.map((c, i) => ({ name: names[i] ?? c.name, expr: c.expr }));
  return tableScope(name, scope.plan, columns);
}
