/**
 * A date beside a timestamp, as in `o_orderdate < date '1994-01-01' + interval '1 year'`, is compared as the timestamp of its midnight. As a cast that
 * fails for dates behind the end of timestamps; in a comparison PostgreSQL takes such a date for later than every finite timestamp, and so nothing
 * fails and the comparison may move through the plan.
 */
import type { CallExpr, Expr } from "./expression.ts";
import type { FunctionId } from "./functions.ts";

const COMPARISON = /^timestamp(tz)?_(eq|ne|lt|le|gt|ge)$/;

const besides: Partial<Record<FunctionId, FunctionId>> = {
  date_to_timestamp: "date_beside_timestamp",
  date_to_timestamptz: "date_beside_timestamptz",
};

/** The same object where no date is compared. */
export function withDatesBeside(call: CallExpr): CallExpr {
  if (!COMPARISON.test(call.fn) || !call.args.some((arg) => besideOf(arg) !== undefined)) return call;
  const args = call.args.map((arg) => {
    const fn = besideOf(arg);
    return fn === undefined ? arg : { ...(arg as CallExpr), fn };
  });
  return { ...call, args };
}

function besideOf(arg: Expr): FunctionId | undefined {
  return arg.kind === "call" ? besides[arg.fn] : undefined;
}
