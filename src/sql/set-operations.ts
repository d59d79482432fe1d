/** UNION, INTERSECT and EXCEPT: two queries whose columns find one type each. */
import type { SelectStmt, SetOperation } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import { type SqlType, text } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Plan } from "../plan/plan.ts";
import { type Bound, boundType, toCommonType } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { checkEquatable } from "./equality.ts";
import { type BoundQuery, castColumns, columnBounds, type QueryColumn, type QueryEnv } from "./query.ts";
import { as, startOf } from "./tree.ts";

const NAMES = { SETOP_UNION: "UNION", SETOP_INTERSECT: "INTERSECT", SETOP_EXCEPT: "EXCEPT" } as const;

type Op = keyof typeof NAMES;

export function isSetOperation(op: SetOperation | undefined): op is Op {
  return op !== undefined && op in NAMES;
}

/** Left to right; a run of UNION ALL becomes one node. */
export function bindSetOperation(select: SelectStmt, env: QueryEnv): BoundQuery {
  // A chain of them leans to the left as far as it is long: walked in a loop, not on the stack.
  const spine: SelectStmt[] = [];
  let first = select;
  while (isSetOperation(first.op) && (first === select || isBare(first))) {
    spine.push(first);
    first = first.larg!;
  }
  let left = bindSide(first, env);
  for (const step of spine.reverse()) {
    const right = bindSide(step.rarg!, env);
    left = combine(step.op as Op, step.all ?? false, left, right, env.ctx, firstPlace(step.rarg));
  }
  return left;
}

/** What VALUES has left open is text: only a select list waits for the other side. */
function bindSide(select: SelectStmt, env: QueryEnv): BoundQuery {
  const query = env.bindQuery(select, env);
  if (select.valuesLists === undefined) return query;
  return { ...query, columns: query.columns.map((c) => ({ ...c, literal: null })) };
}

/** Without ORDER BY, LIMIT or WITH of its own. */
function isBare(select: SelectStmt): boolean {
  const { sortClause, limitCount, limitOffset, withClause } = select;
  return [sortClause, limitCount, limitOffset, withClause].every((clause) => clause === undefined);
}

export function firstPlace(select: SelectStmt | undefined): number | undefined {
  if (select?.larg !== undefined) return firstPlace(select.larg);
  const first = select?.targetList?.[0] ?? as(select?.valuesLists?.[0], "List")?.items?.[0];
  return first === undefined ? undefined : startOf(first);
}

/** Both queries' columns as their common types. `place`: where the right one begins. */
export function unified(
  op: Op,
  left: BoundQuery,
  right: BoundQuery,
  ctx: BindContext,
  place: number | undefined,
): { types: SqlType[]; left: Plan; right: Plan } {
  const name = NAMES[op];
  if (left.columns.length !== right.columns.length) {
    const message = `each ${name} query must have the same number of columns`;
    throw new EvertError("syntax_error", message, { position: ctx.position(place) });
  }
  const rights = columnBounds(right);
  const types = columnBounds(left).map((bound, i) =>
    commonType(name, bound, { ...rights[i]!, start: place }, ctx),
  );
  const cast = (query: BoundQuery): Plan =>
    castColumns(
      query,
      types,
      "implicit",
      ctx,
      (_, from) => new EvertError("cannot_coerce", `${name} could not convert type ${from}`),
    );
  return { types, left: cast(left), right: cast(right) };
}

function combine(
  op: Op,
  all: boolean,
  left: BoundQuery,
  right: BoundQuery,
  ctx: BindContext,
  place: number | undefined,
): BoundQuery {
  const { types, left: a, right: b } = unified(op, left, right, ctx, place);
  if (op !== "SETOP_UNION" || !all) for (const type of types) checkEquatable(type, ctx.position(place));
  const columns = left.columns.map((c, i): QueryColumn => ({ name: c.name, index: i, literal: null }));
  return { plan: planOf(op, all, a, b, left.plan === a), columns, order: [] };
}

/** `merge`: the left plan is the left query as it stands. */
function planOf(op: Op, all: boolean, left: Plan, right: Plan, merge: boolean): Plan {
  if (op !== "SETOP_UNION") {
    return build.setOperation({ op: op === "SETOP_INTERSECT" ? "intersect" : "except", all, left, right });
  }
  const inputs = left.kind === "union" && merge ? [...left.inputs, right] : [left, right];
  return all ? build.union(inputs) : build.distinct(build.union(inputs));
}

function commonType(name: string, left: Bound, right: Bound, ctx: BindContext): SqlType {
  const [a, b] = [boundType(left), boundType(right)];
  return a === null && b === null ? text : toCommonType([left, right], name, ctx).type;
}
