/** What holds of an aggregate whatever its rows are. Of those that are not named nothing does. */
import type { AggregateFunction } from "./plan.ts";

interface AggregateTraits {
  /** A value seen twice is the same as one seen once: DISTINCT changes nothing. */
  readonly isIdempotent: boolean;
  /** Not null: "always", or where it is over rows and none of their values is null. */
  readonly notNull: "always" | "overValues" | null;
  /** It gives no error where its arguments are none: "always", or, of a sum, where its type has room for all of them. */
  readonly succeeds: "always" | "withRoom" | null;
}

const none: AggregateTraits = { isIdempotent: false, notNull: null, succeeds: null };
const counting: AggregateTraits = { isIdempotent: false, notNull: "always", succeeds: "always" };
const adding: AggregateTraits = { isIdempotent: false, notNull: "overValues", succeeds: "withRoom" };
const choosing: AggregateTraits = { isIdempotent: true, notNull: "overValues", succeeds: "always" };

const named: Partial<Record<AggregateFunction, AggregateTraits>> = {
  count: counting,
  regr_count: counting,
  sum: adding,
  avg: adding,
  sum_high: { ...adding, succeeds: "always" },
  sum_low: { ...adding, succeeds: "always" },
  sum_halves: adding,
  avg_halves: adding,
  min: choosing,
  max: choosing,
  bool_and: choosing,
  bool_or: choosing,
  bit_and: choosing,
  bit_or: choosing,
  bit_xor: { ...choosing, isIdempotent: false },
  any_value: { ...choosing, notNull: null },
  mode: { ...none, succeeds: "always" },
};

export function traitsOf(fn: AggregateFunction): AggregateTraits {
  return named[fn] ?? none;
}
