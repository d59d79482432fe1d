/** What the parts of the compiler share. */
import type { Expr } from "../plan/expression.ts";
import { nullableOf, typeOf } from "../plan/inspect.ts";
import type { OrderItem, Plan } from "../plan/plan.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { TypedColumn } from "./js-rows.ts";
import type { Node, Source } from "./node.ts";
import type { Stage } from "./operators/linear.ts";
import type { CollectionMode, StoredNode } from "./operators/stored.ts";

/** A store that holds a plan's rows: column i of the plan is column columns[i] of the store (-1: not kept). */
export interface Stored {
  readonly node: StoredNode;
  readonly columns: readonly number[];
}

export interface CompileContext {
  readonly dictionary: Dictionary;
  /** `stages` over the plan's rows, fused with the filters and projects the plan ends in; pushes these columns. */
  linear(plan: Plan, stages: readonly Stage[], columns: readonly number[]): Node;
  /** Whether another thread keeps this part of the plan. */
  isCut(plan: Plan): boolean;
  /** A node that pushes these columns of the plan's rows. */
  rows(plan: Plan, columns: readonly number[]): Node;
  /** The node's rows, of whose `width` columns these. */
  pickedOf(node: Node, width: number, columns: readonly number[]): Node;
  /** Pushes these columns of what the store holds. */
  storeRows(stored: Stored, columns: readonly number[]): Node;
  /** Every change of a table in log order, through filters and projects. */
  changes(plan: Plan, columns: readonly number[]): Node;
  /** A store with (at least) these columns of the plan's rows. */
  stored(plan: Plan, columns: readonly number[]): Stored;
  /** A store with the plan's rows whose ordered index settles ties as the plan says: by the plan's columns, in their order. */
  ordered(plan: Plan, partition: readonly number[], order: readonly OrderItem[]): Stored;
  /**
   * A store of its own with these columns of the plan's rows. With a purpose, rows are taken from it by whom it is for, and no other reads it;
   * `through`: what rows pass on their way into it.
   */
  collection(
    plan: Plan,
    columns: readonly number[],
    mode: CollectionMode,
    purpose?: string,
    through?: (rows: Node) => Node,
  ): Stored;
  /** The node of this identity, found or made. */
  node<N extends Node>(identity: string, make: () => N): N;
}

export function typed(expr: Expr): TypedColumn {
  return { type: typeOf(expr), nullable: nullableOf(expr) };
}

export function fromRows(node: Node): Source {
  return { node, kind: "rows" };
}

export function whole(node: StoredNode, plan: Plan): Stored {
  return { node, columns: allOf(plan) };
}

export function allOf(plan: Plan): number[] {
  return plan.schema.fields.map((_, i) => i);
}

export function distinctOf(columns: readonly number[]): number[] {
  return [...new Set(columns)].sort((a, b) => a - b);
}
