/** One item of ORDER BY. */
import type { Node } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import type { Expr } from "../plan/expression.ts";
import { isComparable, sqlTypeName } from "../plan/functions.ts";
import { typeOf } from "../plan/inspect.ts";
import type { BindContext } from "./context.ts";
import { type NodeOf, startOf } from "./tree.ts";

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
