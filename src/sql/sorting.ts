/** Items of ORDER BY: direction, place of nulls, and what has an order at all. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { Expr } from "../plan/expression.ts";
import { isComparable, sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import { settled } from "./bound.ts";
import type { BindContext } from "./context.ts";
import type { ExprPlace, SortKey } from "./place.ts";
import { type NodeOf, startOf } from "./tree.ts";

/** One item of ORDER BY, its expression bound in `place`. */
export function bindSortKey(sort: NodeOf<"SortBy">, place: ExprPlace): SortKey {
  const expr = settled(place.bind(sort.node!, place), place.ctx);
  return { expr, ...sortDirection(sort, place.ctx, sort.node!, expr) };
}

/** Direction and place of nulls; refuses what has no order. */
export function sortDirection(
  sort: NodeOf<"SortBy">,
  ctx: BindContext,
  node: Node,
  expr: Expr,
): { descending: boolean; nullsFirst: boolean } {
  const position = ctx.position(startOf(node));
  if (sort.sortby_dir === "SORTBY_USING") throw notSupported("ORDER BY ... USING", position);
  checkOrderable(expr, position);
  const descending = sort.sortby_dir === "SORTBY_DESC";
  const nullsFirst =
    sort.sortby_nulls === "SORTBY_NULLS_DEFAULT" ? descending : sort.sortby_nulls === "SORTBY_NULLS_FIRST";
  return { descending, nullsFirst };
}

function checkOrderable(expr: Expr, position: number | undefined): void {
  const type = typeOf(expr);
  if (isComparable(type)) return;
  throw new EvertError(
    "undefined_function",
    `could not identify an ordering operator for type ${sqlTypeName(type)}`,
    { position },
  );
}
