/** Reading PostgreSQL's parse tree: nodes are objects with one property, named after their kind. */
import type { Node } from "libpg-query";
import { assert } from "../base/assert.ts";

/** The kinds there are, each with its fields: what TypeScript sees of a node is a union of one-property objects. */
type NodeFields = Node extends infer N ? (N extends Record<string, unknown> ? N : never) : never;
type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void
  ? I
  : never;
type Fields = UnionToIntersection<NodeFields>;
export type NodeKind = keyof Fields & string;
export type NodeOf<K extends NodeKind> = Fields[K];

export function kindOf(node: Node): NodeKind {
  return Object.keys(node)[0] as NodeKind;
}

/** The node's fields if it is of this kind. */
export function as<K extends NodeKind>(node: Node | undefined, kind: K): NodeOf<K> | undefined {
  return node === undefined ? undefined : (node as Partial<Fields>)[kind];
}

/** The value of a String node: the elements of names. */
export function stringOf(node: Node | undefined): string {
  const value = as(node, "String");
  assert(value !== undefined, "names in a parse tree are made of String nodes");
  return value.sval ?? "";
}

/** Everything within these trees, under the name that it has in what it is part of: a node's fields have its kind. */
export function* partsOf(
  trees: readonly Node[],
): Generator<readonly [name: string, part: unknown], void, undefined> {
  const rest: unknown[] = [...trees];
  for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
    if (typeof item !== "object" || item === null) continue;
    for (const part of Object.entries(item)) {
      yield part;
      if (part[1] !== undefined) rest.push(part[1]);
    }
  }
}

/** Byte offset of the node's own place, where it has one. */
export function locationOf(node: Node): number | undefined {
  const fields = Object.values(node)[0] as { location?: number } | undefined;
  return fields?.location;
}

/** The leftmost place in an expression, where PostgreSQL points when it means all of it. */
export function startOf(node: Node): number | undefined {
  const own = locationOf(node);
  const first = firstChild(node);
  const inner = first === undefined ? undefined : startOf(first);
  if (own === undefined || own < 0) return inner;
  return inner === undefined || inner < 0 ? own : Math.min(own, inner);
}

function firstChild(node: Node): Node | undefined {
  return (
    as(node, "A_Expr")?.lexpr ??
    as(node, "TypeCast")?.arg ??
    as(node, "NullTest")?.arg ??
    as(node, "BooleanTest")?.arg ??
    as(node, "CollateClause")?.arg ??
    as(node, "SubLink")?.testexpr ??
    as(node, "A_Indirection")?.arg ??
    boolArgument(node)
  );
}

function boolArgument(node: Node): Node | undefined {
  const bool = as(node, "BoolExpr");
  return bool?.boolop === "NOT_EXPR" ? undefined : bool?.args?.[0];
}
