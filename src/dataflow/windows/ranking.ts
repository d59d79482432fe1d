/** row_number, rank, dense_rank, percent_rank, cume_dist, ntile: what follows from a row's place among the others. */
import type { WindowFunctionName } from "../../plan/plan.ts";
import { type ScalarError, scalarError } from "../kernels/errors.ts";
import type { Evaluator } from "./evaluator.ts";
import type { Pace } from "./pace.ts";
import type { Results } from "./results.ts";
import type { ColumnReader } from "./rows.ts";
import type { Segment } from "./segment.ts";

export type RankingName = Extract<
  WindowFunctionName,
  "row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist"
>;

type Place = (segment: Segment, row: number, group: number) => number;

const places: Readonly<Record<RankingName, Place>> = {
  row_number: (s, row) => s.rowsBefore + row + 1,
  rank: (s, _row, group) => s.rowsBefore + (s.starts.array[group] as number) + 1,
  dense_rank: (s, _row, group) => s.groupsBefore + group + 1,
  percent_rank: (s, _row, group) => (s.length <= 1 ? 0 : (s.starts.array[group] as number) / (s.length - 1)),
  cume_dist: (s, _row, group) => (s.starts.array[group + 1] as number) / s.length,
};

export class Ranking implements Evaluator {
  readonly #place: Place;

  constructor(name: RankingName) {
    this.#place = places[name];
  }

  *run(segment: Segment, results: Results, pace: Pace): Generator<void> {
    const place = this.#place;
    const { from, to } = segment;
    const groups = segment.groups.array;
    for (let i = from; i < to; i++) {
      if (--pace.left < 0) yield;
      results.set(i - from, place(segment, i, groups[i] as number));
    }
  }
}

const badNtile: ScalarError = scalarError("invalid_argument", "argument of ntile must be greater than zero", {
  sqlstate: "22014",
});

/** The partition in so many buckets, as equal as can be, the larger ones first. The first row whose argument is not null says how many. */
export class Ntile implements Evaluator {
  readonly #buckets: ColumnReader;

  constructor(buckets: ColumnReader) {
    this.#buckets = buckets;
  }

  *run(segment: Segment, results: Results, pace: Pace): Generator<void> {
    const n = segment.length;
    const slots = segment.slots.array;
    let begun = 0;
    while (begun < n && this.#buckets.isNull(slots[begun] as number)) {
      if (--pace.left < 0) yield;
      begun++;
    }
    if (begun === n) return;
    const buckets = this.#buckets.value(slots[begun] as number);
    if (buckets <= 0) {
      for (let i = begun; i < n; i++) results.fail(i, badNtile);
      return;
    }
    const size = Math.floor(n / buckets);
    const larger = n % buckets;
    for (let i = begun; i < n; i++) {
      if (--pace.left < 0) yield;
      const at = i - begun;
      const inLarger = larger * (size + 1);
      const bucket =
        at < inLarger ? Math.floor(at / (size + 1)) : larger + Math.floor((at - inLarger) / size);
      results.set(i, bucket + 1);
    }
  }
}
