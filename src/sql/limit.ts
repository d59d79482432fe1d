/** LIMIT and OFFSET: constants or parameters. */
import type { Node, SelectStmt } from "libpg-query";
import { EvertError, notSupported } from "../base/errors.ts";
import { int8 } from "../batch/types.ts";
import { columnsOf } from "../plan/inspect.ts";
import { coerce } from "./bound.ts";
import type { BindContext } from "./context.ts";
import { bindExpr, plainPlace } from "./expression.ts";
import type { Scope } from "./scope.ts";
import { startOf } from "./tree.ts";

export interface Limit {
  readonly limit: number | null;
  readonly offset: number;
  /** WITH TIES. */
  readonly ties: boolean;
}

/** undefined: neither was given, or nothing that leaves a row out. */
export function bindLimit(select: SelectStmt, scope: Scope, ctx: BindContext): Limit | undefined {
  const ties = select.limitOption === "LIMIT_OPTION_WITH_TIES";
  if (ties && select.sortClause === undefined) {
    const message = "WITH TIES cannot be specified without ORDER BY clause";
    throw new EvertError("syntax_error", message, {
      position: ctx.position(select.limitCount && startOf(select.limitCount)),
    });
  }
  const limit = count(select.limitCount, "LIMIT", "2201W", scope, ctx);
  const offset = count(select.limitOffset, "OFFSET", "2201X", scope, ctx) ?? 0;
  return limit === null && offset === 0 ? undefined : { limit, offset, ties: ties && limit !== null };
}

function count(
  node: Node | undefined,
  clause: "LIMIT" | "OFFSET",
  sqlstate: string,
  scope: Scope,
  ctx: BindContext,
): number | null {
  if (node === undefined) return null;
  const position = ctx.position(startOf(node));
  const bound = bindExpr(node, plainPlace(ctx, scope, clause));
  if (bound.kind === "typed" && columnsOf(bound.expr).size > 0) {
    const message = `argument of ${clause} must not contain variables`;
    throw new EvertError("invalid_column_reference", message, { position });
  }
  const expr = coerce(bound, int8, "assignment", ctx);
  if (expr === undefined) {
    throw new EvertError("datatype_mismatch", `argument of ${clause} must be type bigint`, { position });
  }
  if (expr.kind !== "const") throw notSupported(`${clause} with anything but a constant`, position);
  if (expr.value === null) return null;
  const rows = Number(expr.value);
  if (rows < 0)
    throw new EvertError("invalid_row_count", `${clause} must not be negative`, { sqlstate, position });
  // No collection has that many rows: the same as a limit that lets all of them through.
  return Math.min(rows, Number.MAX_SAFE_INTEGER);
}
