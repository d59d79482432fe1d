/**
 * A subquery of several columns as the values of one row: `SET (a, b) = (SELECT …)`.
 *
 * It is applied to the rows around it, with the count of its own rows: where there is none its values are null, where there is more than one,
 * asking for them is an error.
 */
import type { SelectStmt } from "libpg-query";
import { bool, int8 } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { branch, typeOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import { type Bound, typed } from "./bound.ts";
import type { QueryEnv } from "./query.ts";
import type { Scope } from "./scope.ts";

/** The subquery's values beside the rows of `over`, whose first columns are those of the scope. */
export function applyRow(
  select: SelectStmt,
  scope: Scope,
  over: Plan,
  env: QueryEnv,
): { readonly plan: Plan; readonly values: readonly Bound[] } {
  const { ctx } = env;
  const id = ctx.nextApply();
  const query = ctx.inside(scope, { clause: "UPDATE", aggregates: null }, id, () =>
    env.bindQuery(select, env),
  );
  const own = query.columns.map((c) => build.column(query.plan, c.index));
  const aggregate = { filter: null, reducer: null } as const;
  const counted = build.group(
    query.plan,
    [],
    [
      { fn: "count", arg: null, type: int8, ...aggregate },
      ...own.map((arg) => ({ fn: "min" as const, arg, type: typeOf(arg), ...aggregate })),
    ],
    ["count", ...query.columns.map((c) => c.name)],
  );
  const width = over.schema.fields.length;
  const plan = build.apply({ id, type: "inner", left: over, right: counted });
  const single: Expr = { kind: "call", fn: "at_most_one_row", args: [build.column(plan, width)], type: bool };
  const values = own.map((value, i): Bound => {
    const type = typeOf(value);
    const only = build.column(plan, width + 1 + i);
    const none: Expr = { kind: "const", value: null, type };
    return typed({ kind: "case", branches: [branch(single, only)], otherwise: none, type }, undefined);
  });
  return { plan, values };
}
