/**
 * Calls whose arguments are constants, computed once instead of for each row: `date '1998-12-01' - interval '90 days'` in a filter
 * would parse its interval again for every row.
 *
 * Only results that are numbers in a column: a text that nobody may ever read is not made. A call that fails stays as it is, because its error is
 * each row's: where no row comes, nothing fails.
 */
import { EvertError } from "../../base/errors.ts";
import { carrierOf } from "../../batch/types.ts";
import type { CallExpr, ConstExpr, Expr } from "../../plan/expression.ts";
import { functionInfo } from "../../plan/functions.ts";
import { evaluateExpr } from "./evaluate.ts";

/** The call's value, or null where it has to be computed at each row. */
export function constantCall(call: CallExpr): ConstExpr | null {
  if (!isNumber(call) || !isConstant(call)) return null;
  try {
    return { kind: "const", value: evaluateExpr(call, []), type: call.type };
  } catch (error) {
    if (error instanceof EvertError) return null;
    throw error;
  }
}

function isNumber({ type }: CallExpr): boolean {
  const carrier = carrierOf(type);
  return type.name !== "numeric" && (carrier === "int32" || carrier === "int64");
}

function isConstant(expr: Expr): boolean {
  if (expr.kind === "const") return true;
  return expr.kind === "call" && !functionInfo(expr.fn).volatile && expr.args.every(isConstant);
}
