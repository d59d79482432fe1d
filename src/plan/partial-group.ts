/**
 * A group in two steps, for rows that lie in several places: each place groups its own, and what they say is grouped once more.
 *
 *   avg(x), count(*) of g  =  the sums of s over those of c, sum(n) of g  over  (sum(x) as s, count(x) as c, count(*) as n of g, in each place)
 *
 * So a group need not know where its rows are, and what goes from place to place is a row for each group, not one for each row. It is done where every
 * aggregate is exact however its rows are divided: counts; sums and averages of integers, and of numerics that are kept as integers (in two halves, for a
 * sum may need more than 64 bits); the least, the greatest, truths and bits of what is equal in one way alone.
 */
import { hasOwnEquality } from "../batch/order-key.ts";
import { carrierOf, int8, isSmallNumeric, type SqlType, sameType } from "../batch/types.ts";
import * as build from "./build.ts";
import { frozen } from "./build-node.ts";
import type { Expr } from "./expression.ts";
import { typeOf } from "./inspect.ts";
import { mergedProject } from "./merge-projects.ts";
import type { Aggregate, GroupPlan, Plan } from "./plan.ts";

/** Numerics of so many digits are kept as integers. */
const SMALL_DIGITS = 18;

export interface PartialGroup {
  /** In each place. Its keys are not unique in all of them together. */
  readonly partial: GroupPlan;
  /** The group's rows, over those of `partial` of all places. */
  readonly merged: Plan;
}

interface InTwoSteps {
  /** What each place says. */
  readonly partial: readonly Aggregate[];
  /** What becomes of that, a column for each. */
  readonly merged: (said: readonly Expr[]) => Aggregate;
}

/** Null: one of its aggregates has to see all rows. */
export function partialGroup(plan: GroupPlan): PartialGroup | null {
  const steps = plan.aggregates.map(inTwoSteps);
  if (!steps.every((step) => step !== null) || !plan.keys.every((key) => isEqualInOneWay(typeOf(key))))
    return null;
  const names = plan.schema.fields.map(({ name }) => name);
  const width = plan.keys.length;
  const said = steps.flatMap((step) => step.partial);
  const partial = frozen<GroupPlan>({
    ...build.group(plan.input, plan.keys, said, [
      ...names.slice(0, width),
      ...said.map((_, i) => `part${i}`),
    ]),
    key: null,
  });
  let at = width;
  const merging = steps.map((step) => step.merged(step.partial.map(() => build.column(partial, at++))));
  const keys = plan.keys.map((_, i) => build.column(partial, i));
  const again = build.group(partial, keys, merging, names, plan.key ?? undefined);
  const results = names.map((_, i): Expr => {
    const column = build.column(again, i);
    // Of no rows at all there is no sum.
    return width === 0 && plan.aggregates[i]!.fn === "count"
      ? { kind: "coalesce", args: [column, build.constant(0n, int8)], type: int8 }
      : column;
  });
  const merged = mergedProject(again, results, names);
  return isLike(merged, plan) ? { partial, merged } : null;
}

function inTwoSteps(a: Aggregate): InTwoSteps | null {
  if (a.distinct === true || a.order !== undefined || a.reducer !== null) return null;
  switch (a.fn) {
    case "count":
      return { partial: [a], merged: ([n]) => aggregate("sum", n!, int8) };
    case "sum":
    case "avg": {
      const halves = halvesOf(a);
      if (halves === null) return null;
      if (a.fn === "sum")
        return {
          partial: halves,
          merged: ([high, ...low]) => aggregate("sum_halves", high!, a.type, low),
        };
      return {
        partial: [...halves, { ...a, fn: "count", type: int8 }],
        merged: ([high, ...rest]) => aggregate("avg_halves", high!, a.type, rest),
      };
    }
    case "min":
    case "max":
    case "bool_and":
    case "bool_or":
    case "bit_and":
    case "bit_or":
      return isEqualInOneWay(a.type) ? { partial: [a], merged: ([x]) => aggregate(a.fn, x!, a.type) } : null;
    default:
      return null;
  }
}

function aggregate(fn: Aggregate["fn"], arg: Expr, type: SqlType, rest?: readonly Expr[]): Aggregate {
  return { fn, arg, ...(rest === undefined ? {} : { rest }), filter: null, type, reducer: null };
}

/** The sum in one place. Null: it is not kept in integers. */
function halvesOf(a: Aggregate): readonly Aggregate[] | null {
  const arg = typeOf(a.arg!);
  const isSmall = isSmallNumeric(arg);
  if (!isSmall && arg.name !== "int2" && arg.name !== "int4" && arg.name !== "int8") return null;
  const low: SqlType = isSmall ? { name: "numeric", precision: SMALL_DIGITS, scale: arg.scale ?? 0 } : int8;
  return [
    { ...a, fn: "sum_high", type: int8 },
    { ...a, fn: "sum_low", type: low },
  ];
}

/** Which of several equal values is told does not hang on where they lie. */
function isEqualInOneWay(type: SqlType): boolean {
  return carrierOf(type) !== "double" && !hasOwnEquality(type);
}

/** Nobody above it sees a difference. */
function isLike(merged: Plan, plan: GroupPlan): boolean {
  return (
    merged.key?.join() === plan.key?.join() &&
    merged.schema.fields.every(({ name, type, nullable }, i) => {
      const field = plan.schema.fields[i]!;
      return name === field.name && nullable === field.nullable && sameType(type, field.type);
    })
  );
}
