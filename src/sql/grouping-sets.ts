/**
 * The items of GROUP BY as grouping sets: lists of expressions that are grouped by together.
 *
 * An expression is the one set of itself; (a, b) the one set of both; () the set of none. ROLLUP (a, b) is (a, b), (a), ();
 * CUBE (a, b) all subsets; GROUPING SETS (...) the sets of all its items. Items side by side are multiplied: each set of the one with
 * each set of the other.
 */
import type { Node } from "libpg-query";
import { EvertError } from "../base/errors.ts";
import type { Expr } from "../plan/expression.ts";
import { exprKey } from "../plan/fingerprint.ts";
import type { BindContext } from "./context.ts";
import { as, type NodeOf } from "./tree.ts";

type Sets = Expr[][];

const SETS_MAX = 4096;
const CUBE_MAX = 12;

/** At least one set, which is empty where nothing is grouped by. */
export function groupingSets(items: readonly Node[], bind: (node: Node) => Expr, ctx: BindContext): Sets {
  let all: Sets = [[]];
  for (const item of items) {
    const sets = setsOf(item, bind, ctx);
    if (all.length * sets.length > SETS_MAX) throw tooManySets();
    all = all.flatMap((left) => sets.map((right) => [...left, ...right]));
  }
  return all;
}

export function hasGroupingSets(items: readonly Node[]): boolean {
  return items.some((item) => as(item, "GroupingSet") !== undefined);
}

/** GROUP BY DISTINCT. */
export function removeEqualSets(sets: Sets): void {
  const known = new Set<string>();
  const distinct = sets.filter((set) => {
    const name = [...new Set(set.map(exprKey))].sort().join("\n");
    const isNew = !known.has(name);
    known.add(name);
    return isNew;
  });
  sets.splice(0, sets.length, ...distinct);
}

function setsOf(item: Node, bind: (node: Node) => Expr, ctx: BindContext): Sets {
  const set = as(item, "GroupingSet");
  if (set === undefined) return [listOf(item, bind)];
  const content = set.content ?? [];
  switch (set.kind) {
    case "GROUPING_SET_ROLLUP": {
      const parts = content.map((node) => listOf(node, bind));
      return Array.from({ length: parts.length + 1 }, (_, i) => parts.slice(0, parts.length - i).flat());
    }
    case "GROUPING_SET_CUBE":
      return cube(set, bind, ctx);
    case "GROUPING_SET_SETS": {
      const sets = content.flatMap((node) => setsOf(node, bind, ctx));
      if (sets.length > SETS_MAX) throw tooManySets();
      return sets;
    }
    case "GROUPING_SET_SIMPLE":
      return [content.flatMap((node) => listOf(node, bind))];
    default:
      return [[]];
  }
}

function cube(set: NodeOf<"GroupingSet">, bind: (node: Node) => Expr, ctx: BindContext): Sets {
  const parts = (set.content ?? []).map((node) => listOf(node, bind));
  if (parts.length > CUBE_MAX) {
    const message = `CUBE is limited to ${CUBE_MAX} elements`;
    throw new EvertError("too_many_columns", message, { position: ctx.position(set.location) });
  }
  const count = 2 ** parts.length;
  return Array.from({ length: count }, (_, i) => {
    const mask = count - 1 - i;
    return parts.filter((_part, p) => (mask >> (parts.length - 1 - p)) & 1).flat();
  });
}

/** (a, b) is a list, not a row. */
function listOf(node: Node, bind: (node: Node) => Expr): Expr[] {
  const row = as(node, "RowExpr");
  if (row === undefined || row.row_format !== "COERCE_IMPLICIT_CAST") return [bind(node)];
  return (row.args ?? []).flatMap((arg) => listOf(arg, bind));
}

function tooManySets(): EvertError {
  return new EvertError("statement_too_complex", `too many grouping sets present (maximum ${SETS_MAX})`);
}
