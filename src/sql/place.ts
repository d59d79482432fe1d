/** Where an expression stands: what it may name, what may stand in it, and who binds its parts. */
import type { Node } from "libpg-query";
import type { Expr } from "../plan/expression.ts";
import type { Aggregate, WindowFunction } from "../plan/plan.ts";
import type { TableResolution } from "../plan/table-functions.ts";
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
  /** Takes functions that give rows; null where none may stand. */
  readonly rows: RowFunctionSink | null;
  /** Takes subqueries; null where none may stand. */
  readonly subqueries: SubquerySink | null;
  /** Binds a part of the expression, in this place or another. */
  readonly bind: (node: Node, place: ExprPlace) => Bound;
}

/** Collects subqueries; each is stood for by a column that exists once it is applied to the rows around it. */
export interface SubquerySink {
  /** `known`: null means the same as false where it stands. */
  bind(link: NodeOf<"SubLink">, place: ExprPlace, known?: boolean): Bound;
  /** A subquery in parentheses, all of its columns as one row. */
  row(link: NodeOf<"SubLink">, place: ExprPlace): Expr;
}

/** Collects functions that give rows; each is stood for by a column that exists once they are called. */
export interface RowFunctionSink {
  add(resolution: TableResolution, args: readonly Expr[], position: number | undefined): Expr;
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

/** A call with OVER, bound: its arguments, partition and order over the rows (or groups) of the SELECT it stands in. */
export interface WindowCall extends WindowFunction {
  readonly partition: readonly Expr[];
  readonly order: readonly SortKey[];
}

/** Takes window calls; each is stood for by a column that exists once the windows are computed. */
export interface WindowSink {
  add(call: WindowCall): Expr;
  /** Definition of a window of the WINDOW clause, and those that stand before it. */
  named(name: string): NamedWindow | undefined;
}

export interface NamedWindow {
  readonly definition: NodeOf<"WindowDef">;
  /** What a definition that extends this one may name in its turn. */
  readonly before: Pick<WindowSink, "named">;
}
