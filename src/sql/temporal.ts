/**
 * now() in the WHERE of a view: when rows come and go by themselves.
 *
 * A view has no moment at which it is asked, so now() is the log's time and moves on. A condition `ts > now() - interval '1 hour'` is turned
 * about into a bound, `now() < ts + interval '1 hour'`, and each row is shown from one moment until another (TemporalPlan). Anything
 * else that now() could be asked for would change for every row at every moment, and is refused.
 */
import { notSupported } from "../base/errors.ts";
import { formatInterval, intervalSpan, parseInterval } from "../batch/format/interval.ts";
import { interval, timestamptz } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { childrenOf, columnsOf, conjunction, conjuncts } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { BindContext } from "./context.ts";
import { SUBQUERIES } from "./stand-ins.ts";

/** What now() in the WHERE of a view is bound to. */
export const NOW: Expr = { kind: "call", fn: "timestamptz_now", args: [], type: timestamptz };

/** Rows are shown while from <= now() < until. */
interface Bounds {
  from: Expr | null;
  until: Expr | null;
}

/** The input filtered by what the predicate says of now(), and the rest of the predicate. */
export function withoutNow(
  input: Plan,
  predicate: Expr | undefined,
  ctx: BindContext,
): { input: Plan; rest: Expr | undefined } {
  if (predicate === undefined || !asksNow(predicate)) return { input, rest: predicate };
  const rest: Expr[] = [];
  const bounds: Bounds[] = [];
  for (const conjunct of conjuncts(predicate)) {
    if (asksNow(conjunct)) bounds.push(boundsOf(conjunct) ?? refuse(ctx));
    else rest.push(conjunct);
  }
  return {
    input: merged(bounds).reduce<Plan>((over, b) => build.temporal(over, b.from, b.until), input),
    rest: conjunction(rest),
  };
}

function asksNow(expr: Expr): boolean {
  return isNow(expr) || childrenOf(expr).some(asksNow);
}

function isNow(expr: Expr): boolean {
  return expr.kind === "call" && expr.fn === "timestamptz_now";
}

function refuse(ctx: BindContext): never {
  throw notSupported(
    `now() other than compared with a time in ${ctx.defines}`,
    undefined,
    "Write, for example, WHERE ts > now() - interval '1 hour', as a condition of its own or joined by AND; intervals without months.",
  );
}

/** A beginning and an end in one. */
function merged(bounds: readonly Bounds[]): Bounds[] {
  const all: Bounds[] = [];
  for (const { from, until } of bounds) {
    const room = all.find((b) => (from === null || b.from === null) && (until === null || b.until === null));
    if (room === undefined) all.push({ from, until });
    else Object.assign(room, { from: room.from ?? from, until: room.until ?? until });
  }
  return all;
}

const MIRRORED: Readonly<Record<string, string>> = {
  timestamptz_lt: "timestamptz_gt",
  timestamptz_le: "timestamptz_ge",
  timestamptz_gt: "timestamptz_lt",
  timestamptz_ge: "timestamptz_le",
};

/** Undefined where the condition is none of those that can be turned about. */
function boundsOf(condition: Expr): Bounds | undefined {
  if (condition.kind !== "call" || condition.args.length !== 2) return undefined;
  const [left, right] = condition.args as [Expr, Expr];
  const mirrored = MIRRORED[condition.fn];
  if (mirrored === undefined) return undefined;
  if (!asksNow(left)) return boundsWith(condition.fn, left, right);
  return asksNow(right) ? undefined : boundsWith(mirrored, right, left);
}

/** `time fn moment`, where the moment is now() and intervals beside it. */
function boundsWith(fn: string, time: Expr, moment: Expr): Bounds | undefined {
  const apart = beforeNow(moment);
  // A subquery has no value yet where the rows are filtered by time.
  if (apart === undefined || [...columnsOf(time)].some((c) => c >= SUBQUERIES)) return undefined;
  // Times are whole microseconds: what begins after a moment begins at the next.
  switch (fn) {
    case "timestamptz_gt":
      return { from: null, until: bound(time, apart) };
    case "timestamptz_ge":
      return { from: null, until: bound(time, apart + 1n) };
    case "timestamptz_lt":
      return { from: bound(time, apart + 1n), until: null };
    case "timestamptz_le":
      return { from: bound(time, apart), until: null };
  }
  return undefined;
}

/** How many microseconds the moment is before now(). */
function beforeNow(moment: Expr): bigint | undefined {
  if (isNow(moment)) return 0n;
  if (moment.kind !== "call" || moment.args.length !== 2) return undefined;
  const [first, second] = moment.args as [Expr, Expr];
  const beside = (inner: Expr, by: Expr, sign: bigint): bigint | undefined => {
    const [before, span] = [beforeNow(inner), spanOf(by)];
    return before === undefined || span === undefined ? undefined : before + sign * span;
  };
  switch (moment.fn) {
    case "timestamptz_sub_interval":
      return beside(first, second, 1n);
    case "timestamptz_add_interval":
      return beside(first, second, -1n);
    case "interval_add_timestamptz":
      return beside(second, first, -1n);
  }
  return undefined;
}

/** Months differ in length: a month before now() is not what now() is a month after. */
function spanOf(by: Expr): bigint | undefined {
  if (by.kind !== "const" || typeof by.value !== "string") return undefined;
  const span = parseInterval(by.value);
  return span.months === 0 ? intervalSpan(span) : undefined;
}

/** The time, so many microseconds later. Where that is beyond all times, the comparison that was turned about is true, or false, for ever. */
function bound(time: Expr, later: bigint): Expr {
  if (later === 0n) return time;
  const days = later / US_PER_DAY;
  const span =
    days > DAYS_MAX || days < -DAYS_MAX
      ? { months: 0, days: Number(days > 0n ? DAYS_MAX : -DAYS_MAX), us: 0n }
      : { months: 0, days: Number(days), us: later % US_PER_DAY };
  const by: Expr = { kind: "const", value: formatInterval(span), type: interval };
  return { kind: "call", fn: "timestamptz_bound", args: [time, by], type: timestamptz };
}

const US_PER_DAY = 86_400_000_000n;
/** What an interval holds; from anywhere in time it leads beyond its end. */
const DAYS_MAX = 2n ** 31n - 1n;
