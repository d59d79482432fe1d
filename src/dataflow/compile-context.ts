/** What the parts of the compiler share. */
import type { Expr } from "../plan/expression.ts";
import { nullableOf, typeOf } from "../plan/inspect.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { TypedColumn } from "./js-rows.ts";
import type { Node } from "./node.ts";
import type { Stage } from "./operators/linear.ts";
import type { StoredNode } from "./operators/stored.ts";

/** A store that holds a plan's rows: column i of the plan is column columns[i] of the store (-1: not kept). */
export interface Stored {
  readonly node: StoredNode;
  readonly columns: readonly number[];
}

export interface CompileContext {
  readonly dictionary: Dictionary;
  /** `stages` over the plan's rows, fused with the filters and projects the plan ends in; pushes these columns. */
  linear(plan: Plan, stages: readonly Stage[], columns: readonly number[]): Node;
  /** A store with (at least) these columns of the plan's rows. */
  stored(plan: Plan, columns: readonly number[]): Stored;
  /** A store with the plan's rows whose ordered index settles ties as the plan says: by the plan's columns, in their order. */
  ordered(plan: Plan, partition: readonly number[], order: readonly OrderItem[]): Stored;
  /** The node of this identity, found or made. */
  node<N extends Node>(identity: string, make: () => N): N;
}

export function typed(expr: Expr): TypedColumn {
  return { type: typeOf(expr), nullable: nullableOf(expr) };
}
