/** sum and avg of intervals: months, days and microseconds each added up exactly; infinities counted. */
import {
  fitsInterval,
  formatInterval,
  type Interval,
  intervalInfinity,
  parseInterval,
} from "../../batch/format/interval.ts";
import { interval, text } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { type ScalarError, scalarError, takeFault } from "../kernels/errors.ts";
import { divideInterval } from "../kernels/time-arithmetic.ts";
import { type Accumulator, Boxes, countCell, unlessEmpty } from "./accumulator.ts";

export interface IntervalTotals {
  months: number;
  days: number;
  us: bigint;
  positive: number;
  negative: number;
}

const outOfRange = scalarError("datetime_overflow", "interval out of range");

export function intervalSum(fn: "sum" | "avg"): Accumulator {
  const boxes = new Boxes<IntervalTotals>({ decode, encode, fresh });
  let lastError: ScalarError | null = null;

  function add(slot: number, id: number, weight: number, dictionary: Dictionary): void {
    addInterval(boxes.open(slot), parseInterval(dictionary.string(id)), weight);
  }

  function finish(slot: number, count: number, dictionary: Dictionary): number {
    const result = totalText(fn, boxes.peek(slot) ?? fresh(), count);
    lastError = result === null ? outOfRange : takeFault();
    return result === null ? 0 : dictionary.internString(result);
  }

  return {
    type: interval,
    columns: [{ type: text, nullable: true }],
    boxed: boxes,
    add: (place) => `${place.bind(add)}(g, c${place.arg}[r], w, dictionary);`,
    result: (place) =>
      unlessEmpty(
        place,
        `value = ${place.bind(finish)}(g, ${countCell(place)}, dictionary); error = ${place.bind(() => lastError)}();`,
      ),
  };
}

function addInterval(totals: IntervalTotals, value: Interval, weight: number): void {
  const infinite = intervalInfinity(value);
  if (infinite > 0) totals.positive += weight;
  else if (infinite < 0) totals.negative += weight;
  else {
    totals.months += value.months * weight;
    totals.days += value.days * weight;
    totals.us += value.us * BigInt(weight);
  }
}

/** null: out of range. */
function totalText(fn: "sum" | "avg", totals: IntervalTotals, count: number): string | null {
  if (totals.positive > 0 && totals.negative > 0) return null;
  if (totals.positive > 0) return "infinity";
  if (totals.negative > 0) return "-infinity";
  const sum = { months: totals.months, days: totals.days, us: totals.us };
  if (!fitsInterval(sum) || intervalInfinity(sum) !== 0) return null;
  const written = formatInterval(sum);
  return fn === "sum" ? written : divideInterval(written, count);
}

function fresh(): IntervalTotals {
  return { months: 0, days: 0, us: 0n, positive: 0, negative: 0 };
}

function encode({ months, days, us, positive, negative }: IntervalTotals): string {
  return [months, days, us, positive, negative].join(" ");
}

function decode(written: string): IntervalTotals {
  const [months, days, us = "0", positive, negative] = written.split(" ");
  return {
    months: Number(months),
    days: Number(days),
    us: BigInt(us),
    positive: Number(positive),
    negative: Number(negative),
  };
}
