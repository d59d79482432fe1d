/** Where an expression stands: what it may name, what may stand in it, and who binds its parts. */
import type { Node } from "libpg-query";
import type { Expr } from "../plan/expression.ts";
import type { Aggregate } from "../plan/plan.ts";
import type { Bound } from "./bound.ts";
import type { BindContext } from "./context.ts";
import type { Scope } from "./scope.ts";
import type { NodeOf } from "./tree.ts";

export interface ExprPlace {
  readonly ctx: BindContext;
  readonly scope: Scope;
  /** The clause as PostgreSQL's messages name it: "WHERE", "JOIN conditions". */
  readonly clause: string;
  /** Takes aggregate calls; null where none may stand. */
  readonly aggregates: AggregateSink | null;
  /** Takes window calls; null where none may stand. */
  readonly windows: WindowSink | null;
  /** Takes subqueries; null where none may stand. */
  readonly subqueries: SubquerySink | null;
  /** Binds a part of the expression, in this place or another. */
  readonly bind: (node: Node, place: ExprPlace) => Bound;
}

/** Collects subqueries; each is stood for by a column that exists once it is applied to the rows around it. */
export interface SubquerySink {
  /** `known`: null means the same as false where it stands. */
  bind(link: NodeOf<"SubLink">, place: ExprPlace, known?: boolean): Bound;
}

/** Collects aggregates; each is stood for by a column that exists once the rows are grouped. */
export interface AggregateSink {
  add(aggregate: Aggregate, position: number | undefined): Expr;
  /** Whether there are grouping sets: then a key may be null whatever it is made of. */
  readonly hasSets: boolean;
  /** GROUPING(...) of these. */
  grouping(args: readonly Expr[], position: number | undefined): Expr;
}

export interface SortKey {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface RowNumber {
  readonly partition: readonly Expr[];
  readonly order: readonly SortKey[];
  readonly position: number | undefined;
}

/** Takes row_number() calls; each is stood for by a column that is no real one. */
export interface WindowSink {
  add(call: RowNumber): Expr;
  /** Definition of a window of the WINDOW clause. */
  named(name: string): Node | undefined;
}
