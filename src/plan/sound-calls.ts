/**
 * Calls of functions that may fail, whose constants say that these do not: so their conjuncts may move through a plan like others.
 *
 * - LIKE fails where its pattern ends with the escape character. A constant one that does not never fails.
 * - substring fails where its length is negative.
 * - A constant date or time plus or minus a constant interval is out of range, or is not: both far from the ends of time it is not.
 *
 * Without this, `p_name LIKE '%green%'` or `o_orderdate < date '1994-01-01' + interval '1 year'` would be asked after all joins.
 */
import { parseInterval } from "../batch/format/interval.ts";
import { constantInteger } from "./constant-integers.ts";
import type { CallExpr, Expr } from "./expression.ts";
import type { FunctionId } from "./functions.ts";

const LIKES = new Set<FunctionId>([
  "text_like",
  "text_not_like",
  "text_ilike",
  "text_not_ilike",
  "bpchar_like",
  "bpchar_not_like",
  "bpchar_ilike",
  "bpchar_not_ilike",
]);

const MOVES = new Set<FunctionId>([
  "date_add_interval",
  "date_sub_interval",
  "timestamp_add_interval",
  "timestamp_sub_interval",
  "timestamptz_add_interval",
  "timestamptz_sub_interval",
]);

const US_PER_DAY = 86_400_000_000;
/** Years from 1970, either way, of times and of intervals: their sum is far from where timestamps end (4714 BC and 294276). */
const NEAR_YEARS = 2_000;
const NEAR_DAYS = NEAR_YEARS * 365;

/** Whether the call itself cannot fail; its arguments may. */
export function isSound({ fn, args }: CallExpr): boolean {
  const [first, second] = args;
  if (fn === "text_substring_for") return (constantInteger(args[2]!) ?? -1n) >= 0n;
  if (LIKES.has(fn)) return second?.kind === "const" && !endsEscaped(second.value);
  return MOVES.has(fn) && isNearTime(first!) && isNearInterval(second!);
}

function endsEscaped(pattern: unknown): boolean {
  if (typeof pattern !== "string") return false;
  const trailing = /\\*$/.exec(pattern)![0].length;
  return trailing % 2 === 1;
}

function isNearTime(expr: Expr): boolean {
  if (expr.kind !== "const") return expr.kind === "call" && isSound(expr) && isNearTime(expr.args[0]!);
  const { value } = expr;
  if (value === null) return true;
  if (typeof value === "bigint") return Math.abs(Number(value)) <= NEAR_DAYS * US_PER_DAY;
  return typeof value === "number" && Math.abs(value) <= NEAR_DAYS;
}

function isNearInterval(expr: Expr): boolean {
  if (expr.kind !== "const") return false;
  if (typeof expr.value !== "string") return expr.value === null;
  const { months, days, us } = parseInterval(expr.value);
  const span = Math.abs(months) * 31 + Math.abs(days) + Math.abs(Number(us)) / US_PER_DAY;
  return span <= NEAR_DAYS;
}
