/** Which accumulator an aggregate is, where it takes its rows as they come. */
import { isNumericText } from "../../batch/types.ts";
import { traitsOf } from "../../plan/aggregate-traits.ts";
import { typeOf } from "../../plan/inspect.ts";
import type { Aggregate } from "../../plan/plan.ts";
import type { Accumulator } from "./accumulator.ts";
import { bits } from "./bits.ts";
import { count } from "./count.ts";
import { runningExtreme } from "./extreme.ts";
import { floatMoments } from "./float-moments.ts";
import { floatSum } from "./float-sum.ts";
import { halfOfSum, integerSpread, integerSum, sumOfHalves } from "./integer-sum.ts";
import { intervalSum } from "./interval-sum.ts";
import { numericSum } from "./numeric-sum.ts";
import { truth } from "./truth.ts";

export function accumulatorOf(a: Aggregate): Accumulator {
  switch (a.fn) {
    case "count":
    case "regr_count":
      return count;
    case "sum":
    case "avg": {
      const type = typeOf(a.arg!);
      if (type.name === "float8") return floatSum(a.fn);
      if (type.name === "interval") return intervalSum(a.fn);
      return isNumericText(type) ? numericSum(a.fn, a.type) : integerSum(a.fn, type, a.type);
    }
    case "sum_high":
    case "sum_low":
      return halfOfSum(a.fn, typeOf(a.arg!), a.type);
    case "sum_halves":
    case "avg_halves":
      return sumOfHalves(a.fn === "sum_halves" ? "sum" : "avg", typeOf(a.rest![0]!), a.type);
    case "min":
    case "max":
      return runningExtreme(a.fn, a.type);
    case "bool_and":
    case "bool_or":
      return truth(a.fn);
    case "bit_and":
    case "bit_or":
    case "bit_xor":
      return bits(a.fn, a.type);
    case "var_pop":
    case "var_samp":
    case "stddev_pop":
    case "stddev_samp": {
      const type = typeOf(a.arg!);
      if (type.name === "float8") return floatMoments(a.fn, false);
      return isNumericText(type) ? numericSum(a.fn, a.type) : integerSpread(a.fn, type);
    }
    case "corr":
    case "covar_pop":
    case "covar_samp":
    case "regr_avgx":
    case "regr_avgy":
    case "regr_intercept":
    case "regr_r2":
    case "regr_slope":
    case "regr_sxx":
    case "regr_sxy":
    case "regr_syy":
      return floatMoments(a.fn, true);
    default:
      throw new Error(`${a.fn} is not made of rows as they come`);
  }
}

/** Whether its result may be an error although its arguments are none. */
export function isFallibleAggregate(a: Aggregate): boolean {
  const { succeeds } = traitsOf(a.fn);
  if (succeeds !== "withRoom") return succeeds === null;
  return a.type.name !== "numeric" || a.distinct === true || isNumericText(typeOf(a.arg!));
}
