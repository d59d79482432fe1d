/** VALUES: rows of expressions, in FROM, as a query, or to be inserted. Each column finds one type; an expression may hold subqueries. */
import type { Node } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import { type SqlType, text } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { columnsOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import { type Bound, toCommonType } from "./bound.ts";
import { checkColumnCount } from "./context.ts";
import { plainPlace } from "./expression.ts";
import type { ExprPlace } from "./place.ts";
import type { BoundQuery, QueryEnv } from "./query.ts";
import { rowsPlan } from "./rows.ts";
import { emptyScope } from "./scope.ts";
import { Subqueries } from "./subqueries.ts";
import { as, startOf } from "./tree.ts";

export function bindValues(lists: readonly Node[], env: QueryEnv): BoundQuery {
  const rows = new ValueRows(env);
  const bounds = boundRows(lists, rows.place);
  const width = bounds[0]?.length ?? 0;
  checkColumnCount(width);
  const columns = Array.from({ length: width }, (_, i) =>
    bindColumn(
      bounds.map((row) => row[i]!),
      env,
    ),
  );
  const names = columns.map((_, i) => `column${i + 1}`);
  const exprs = bounds.map((_, r) => columns.map((c) => c.exprs[r]!));
  const plan = rows.plan(
    exprs,
    columns.map((c) => c.type),
    names,
  );
  return {
    plan,
    columns: names.map((name, index) => ({ name, index, literal: columns[index]!.literal })),
    order: [],
  };
}

/** A single bare literal stays open for INSERT and UNION, like one of a select list. */
function bindColumn(bounds: readonly Bound[], { ctx }: QueryEnv) {
  const only = bounds.length === 1 ? bounds[0]! : undefined;
  const literal = only?.kind === "literal" ? only : null;
  if (literal !== null) {
    const value = literal.text;
    return { exprs: [{ kind: "const", value, type: text } as const], type: text, literal };
  }
  return { ...toCommonType(bounds, "VALUES", ctx), literal: null };
}

/** The rows, bound but not yet of one type. */
function boundRows(lists: readonly Node[], place: ExprPlace): Bound[][] {
  const rows = lists.map((list) => (as(list, "List")?.items ?? []).map((item) => place.bind(item, place)));
  checkEven(
    lists.map((list) => as(list, "List")?.items ?? []),
    place,
  );
  return rows;
}

/** @throws syntax_error where a row has another length than the first. */
export function checkEven(rows: readonly (readonly Node[])[], { ctx }: ExprPlace): void {
  const uneven = rows.find((row) => row.length !== rows[0]!.length);
  if (uneven === undefined) return;
  const position = uneven[0] === undefined ? undefined : ctx.position(startOf(uneven[0]));
  throw new EvertError("syntax_error", "VALUES lists must all be the same length", { position });
}

/** Where the expressions of VALUES are bound, and the plan of their rows. */
export class ValueRows {
  readonly place: ExprPlace;
  private readonly subqueries: Subqueries;

  constructor(env: QueryEnv) {
    const scope = emptyScope();
    this.subqueries = new Subqueries(env, scope);
    this.place = { ...plainPlace(env.ctx, scope, "VALUES"), subqueries: this.subqueries };
  }

  plan(rows: readonly (readonly Expr[])[], types: readonly SqlType[], names: readonly string[]): Plan {
    // The only columns that such an expression reads are its subqueries'.
    const reads = (row: readonly Expr[]): boolean => row.some((e) => columnsOf(e).size > 0);
    const alone = rows.filter(reads).map((row) => {
      const input = this.subqueries.attach(build.oneRow(), row);
      return build.project(
        input,
        row.map((e) => this.subqueries.resolve(e)),
        names,
      );
    });
    const others = rows.filter((row) => !reads(row));
    if (alone.length === 0) return rowsPlan(others, types, names);
    const plans = others.length === 0 ? alone : [rowsPlan(others, types, names), ...alone];
    return plans.length === 1 ? plans[0]! : build.union(plans);
  }
}
