/**
 * now() in the WHERE of a view: when rows come and go by themselves.
 *
 * A view has no moment at which it is asked, so now() is the log's time and moves on. A condition `ts > now() - interval '1 hour'` is turned
 * about into a bound, `now() < ts + interval '1 hour'`, and each row is shown from one moment until another (TemporalPlan). Anything
 * else that now() could be asked for would change for every row at every moment, and is refused.
 */
import { notSupported } from "../base/errors.ts";
import { formatInterval, intervalSpan, parseInterval } from "../batch/format/interval.ts";
import { date, int4, interval, timestamptz } from "../batch/types.ts";
import * as build from "../plan/build.ts";
import type { Expr } from "../plan/expression.ts";
import { childrenOf, columnsOf, conjunction, conjuncts, typeOf } from "../plan/inspect.ts";
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
  if (expr.kind !== "call") return false;
  // LOCALTIMESTAMP: all times are UTC's.
  return expr.fn === "timestamptz_now" || (expr.fn === "timestamptz_to_timestamp" && isNow(expr.args[0]!));
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

type Comparison = "lt" | "le" | "gt" | "ge" | "eq";

const MIRRORED: Readonly<Record<Comparison, Comparison>> = {
  lt: "gt",
  le: "ge",
  gt: "lt",
  ge: "le",
  eq: "eq",
};

/** Undefined where the condition is none of those that can be turned about. */
function boundsOf(condition: Expr): Bounds | undefined {
  if (condition.kind !== "call" || condition.args.length !== 2) return undefined;
  const [left, right] = condition.args as [Expr, Expr];
  const [, type, how] = /^(timestamptz|timestamp|date)_(lt|le|gt|ge|eq)$/.exec(condition.fn) ?? [];
  if (type === undefined || (asksNow(left) && asksNow(right))) return undefined;
  const [comparison, time, moment] = asksNow(left)
    ? [MIRRORED[how as Comparison], right, left]
    : [how as Comparison, left, right];
  // A subquery has no value yet where the rows are filtered by time.
  if ([...columnsOf(condition)].some((c) => c >= SUBQUERIES)) return undefined;
  if (type === "date") return boundsOfDay(comparison, time, moment);
  return boundsWith(comparison, instantOf(time), moment) ?? boundsOfMidnight(comparison, time, moment);
}

/** `time comparison moment`, where the moment is now() and intervals beside it. */
function boundsWith(comparison: Comparison, time: Expr, moment: Expr): Bounds | undefined {
  const apart = beforeNow(moment);
  if (apart === undefined) return undefined;
  // Times are whole microseconds: what begins after a moment begins at the next.
  switch (comparison) {
    case "gt":
      return { from: null, until: bound(time, apart) };
    case "ge":
      return { from: null, until: bound(time, apart + 1n) };
    case "lt":
      return { from: bound(time, apart + 1n), until: null };
    case "le":
      return { from: bound(time, apart), until: null };
    case "eq":
      return undefined;
  }
}

// ---- days -------------------------------------------------------------------------------------------------------

/** `day comparison moment`, where the moment is CURRENT_DATE and whole days beside it. */
function boundsOfDay(comparison: Comparison, day: Expr, moment: Expr): Bounds | undefined {
  const bound = movedOverDays(moment, day);
  if (bound === undefined) return undefined;
  const [begin, end] = [midnight(bound), midnight(daysAfter(bound, 1))];
  switch (comparison) {
    case "gt":
      return { from: null, until: begin };
    case "ge":
      return { from: null, until: end };
    case "lt":
      return { from: end, until: null };
    case "le":
      return { from: begin, until: null };
    case "eq":
      return { from: begin, until: end };
  }
}

/** `time comparison moment`, where the moment is the midnight such a day begins with: the time's own day says it. */
function boundsOfMidnight(comparison: Comparison, time: Expr, moment: Expr): Bounds | undefined {
  const isMidnight =
    moment.kind === "call" && (moment.fn === "date_to_timestamptz" || moment.fn === "date_to_timestamp");
  if (!isMidnight || comparison === "eq") return undefined;
  // A time of midnight itself counts as the day before for > and <=.
  const own = comparison === "gt" || comparison === "le" ? earlier(time) : time;
  const day: Expr = { kind: "call", fn: dayFunction(time), args: [own], type: date };
  const onDays = comparison === "gt" || comparison === "ge" ? "ge" : "lt";
  return boundsOfDay(onDays, day, moment.args[0]!);
}

function dayFunction(time: Expr): "timestamp_to_date" | "timestamptz_to_date" {
  return typeOf(time).name === "timestamp" ? "timestamp_to_date" : "timestamptz_to_date";
}

/** CURRENT_DATE - n beside a day is CURRENT_DATE beside that day + n. */
function movedOverDays(moment: Expr, day: Expr): Expr | undefined {
  if (moment.kind !== "call") return undefined;
  if (moment.fn === "timestamptz_to_date") return isNow(moment.args[0]!) ? day : undefined;
  const [first, second] = moment.args as [Expr, Expr | undefined];
  const days = second?.kind === "const" ? second.value : undefined;
  if (typeof days !== "number") return undefined;
  if (moment.fn === "date_sub_days") return movedOverDays(first, daysAfter(day, days));
  return moment.fn === "date_add_days" ? movedOverDays(first, daysAfter(day, -days)) : undefined;
}

function daysAfter(day: Expr, days: number): Expr {
  if (days === 0) return day;
  const count: Expr = { kind: "const", value: days, type: int4 };
  return { kind: "call", fn: "date_add_days", args: [day, count], type: date };
}

function midnight(day: Expr): Expr {
  return { kind: "call", fn: "date_to_timestamptz", args: [day], type: timestamptz };
}

// ---- times ------------------------------------------------------------------------------------------------------

function instantOf(time: Expr): Expr {
  if (typeOf(time).name !== "timestamp") return time;
  return { kind: "call", fn: "timestamp_to_timestamptz", args: [time], type: timestamptz };
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
    case "timestamp_sub_interval":
    case "timestamptz_sub_interval":
      return beside(first, second, 1n);
    case "timestamp_add_interval":
    case "timestamptz_add_interval":
      return beside(first, second, -1n);
    case "interval_add_timestamp":
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

const MICROSECOND: Expr = { kind: "const", value: "00:00:00.000001", type: interval };

/** The moment before. */
function earlier(time: Expr): Expr {
  const type = typeOf(time);
  const fn = type.name === "timestamp" ? "timestamp_sub_interval" : "timestamptz_sub_interval";
  return { kind: "call", fn, args: [time, MICROSECOND], type };
}

const US_PER_DAY = 86_400_000_000n;
/** What an interval holds; from anywhere in time it leads beyond its end. */
const DAYS_MAX = 2n ** 31n - 1n;
