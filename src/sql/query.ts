/** What the parts of a bound query hand each other. */
import type { SelectStmt } from "libpg-query";
import type { EvertError } from "../base/errors.ts";
import { type SqlType, text } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { sqlTypeName } from "../plan/functions.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import { type Bound, boundType, coerce, type LiteralBound, settle } from "./bound.ts";
import type { BindContext } from "./context.ts";

export interface QueryColumn {
  readonly name: string;
  /** Column of the plan. */
  readonly index: number;
  /** Set while the column is a bare literal, whose type its surroundings may still choose; the plan has it as text. */
  readonly literal: LiteralBound | null;
}

export interface BoundQuery {
  /** Its columns include those that exist only to sort by. */
  readonly plan: Plan;
  /** What the query shows, in order. */
  readonly columns: readonly QueryColumn[];
  /** ORDER BY, over the plan's columns. */
  readonly order: readonly OrderItem[];
}

/** What a query sees from outside. */
export interface QueryEnv {
  readonly ctx: BindContext;
  /** WITH queries by name. */
  readonly withQueries: ReadonlyMap<string, BoundQuery>;
  /** How many recursive queries this one stands in the step of. */
  readonly recursions: number;
  /** Binds a query inside this one. */
  readonly bindQuery: (select: SelectStmt, env: QueryEnv) => BoundQuery;
  /** Binds the definition of a view that is inlined: a text of its own. */
  readonly bindDefinition: (name: string, definition: string) => BoundQuery;
}

/** The shown columns' types; null for a bare literal. */
export function columnBounds(query: BoundQuery): Bound[] {
  return query.columns.map(
    ({ index, literal }) =>
      literal ?? { kind: "typed", expr: build.column(query.plan, index), start: undefined },
  );
}

/** The query's shown columns, each as the type asked for, and of its plan's those in `kept` behind them. */
export function castColumns(
  query: BoundQuery,
  types: readonly SqlType[],
  context: "implicit" | "assignment",
  ctx: BindContext,
  refuse: (index: number, from: string) => EvertError,
  kept: readonly number[] = [],
): Plan {
  const exprs = columnBounds(query).map((bound, i) => {
    const expr = coerce(bound, types[i]!, context, ctx);
    if (expr === undefined) throw refuse(i, sqlTypeName(boundType(bound)));
    return expr;
  });
  return projectExactly(
    query.plan,
    [...exprs, ...kept.map((c) => build.column(query.plan, c))],
    [...query.columns.map((c) => c.name), ...kept.map((c) => query.plan.schema.fields[c]!.name)],
  );
}

/** A project, or the plan itself where it would change nothing. */
export function projectExactly(plan: Plan, exprs: readonly Expr[], names: readonly string[]): Plan {
  const fields = plan.schema.fields;
  const same =
    exprs.length === fields.length &&
    exprs.every((e, i) => e.kind === "column" && e.index === i && names[i] === fields[i]!.name);
  return same ? plan : build.project(plan, exprs, names);
}

/** An open literal that nobody asked for a type: text, or for a parameter what it became elsewhere. */
export function asText(literal: LiteralBound, ctx: BindContext): Expr {
  const elsewhere = literal.param === null ? null : ctx.param(literal.param, undefined).type;
  return settle(literal, elsewhere ?? text, ctx);
}
