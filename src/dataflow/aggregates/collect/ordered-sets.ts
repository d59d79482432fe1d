/**
 * mode, percentile_cont, percentile_disc: rows in the order of WITHIN GROUP.
 *
 * A percentile knows how many rows there are, hence which ones it needs, and asks for no more behind the last of them. Of n rows,
 * percentile_disc(p) is row ceil(p * n), counted from 1; percentile_cont(p) lies at p * (n - 1), counted from 0, between two rows.
 */
import { type ArrayParts, formatArray } from "../../../batch/format/array.ts";
import { formatInterval, type Interval, parseInterval } from "../../../batch/format/interval.ts";
import { datumToText } from "../../../batch/text-form.ts";
import { float8, type SqlType } from "../../../batch/types.ts";
import type { Dictionary } from "../../../state/dictionary.ts";
import { type CompareCodes, comparatorOf } from "../../../state/equality.ts";
import { type ScalarError, scalarError, takeFault } from "../../kernels/errors.ts";
import { addIntervals, multiplyInterval, subtractIntervals } from "../../kernels/time-arithmetic.ts";
import type { Collector, GatheredRow } from "./collector.ts";
import { textWriter } from "./values.ts";

/** The value that occurs most; of several the first. */
export class Mode implements Collector {
  readonly type: SqlType;
  readonly strict = true;
  readonly error = null;
  readonly #compare: CompareCodes;
  readonly #dictionary: Dictionary;
  #best: number | null = null;
  #bestTimes = 0;
  #run: number | null = null;
  #runTimes = 0;

  constructor(type: SqlType, dictionary: Dictionary) {
    this.type = type;
    this.#compare = comparatorOf(type);
    this.#dictionary = dictionary;
  }

  begin(): void {
    this.#best = null;
    this.#bestTimes = 0;
    this.#run = null;
    this.#runTimes = 0;
  }

  take(row: GatheredRow, times: number): boolean {
    const value = row.value(0) as number;
    if (this.#run !== null && this.#compare(this.#run, value, this.#dictionary) === 0)
      this.#runTimes += times;
    else {
      this.#run = value;
      this.#runTimes = times;
    }
    if (this.#runTimes > this.#bestTimes) {
      this.#best = this.#run;
      this.#bestTimes = this.#runTimes;
    }
    return true;
  }

  end(): number | null {
    return this.#best;
  }
}

export interface PercentileSpec {
  readonly continuous: boolean;
  /** What a percentile asks for; null where the answer is to be null. */
  readonly fractions: readonly (number | null)[];
  /** The array that the fractions came in, whose form the answer has; null: there is one, and it came alone. */
  readonly shape: ArrayParts | null;
  /** What is ordered. */
  readonly arg: SqlType;
  readonly type: SqlType;
}

export class Percentile implements Collector {
  readonly type: SqlType;
  readonly strict = true;
  error: ScalarError | null = null;
  readonly #spec: PercentileSpec;
  readonly #dictionary: Dictionary;
  readonly #text: (code: number) => string;
  /** Ranks that are needed, ascending, and what stands there. */
  #wanted: number[] = [];
  readonly #found = new Map<number, number>();
  #next = 0;
  #rank = 0;
  #count = 0;

  constructor(spec: PercentileSpec, dictionary: Dictionary) {
    this.#spec = spec;
    this.type = spec.type;
    this.#dictionary = dictionary;
    this.#text = textWriter(spec.arg, dictionary);
  }

  begin(count: number): void {
    this.error = null;
    this.#count = count;
    this.#found.clear();
    this.#next = 0;
    this.#rank = 0;
    const ranks = new Set<number>();
    const { fractions, shape } = this.#spec;
    for (const p of fractions) {
      if (p === null || (count === 0 && shape !== null)) continue;
      if (!(p >= 0 && p <= 1)) {
        const message = `percentile value ${datumToText(float8, p)} is not between 0 and 1`;
        this.error = scalarError("numeric_value_out_of_range", message);
        return;
      }
      if (count > 0) for (const rank of this.#ranks(p)) ranks.add(rank);
    }
    this.#wanted = [...ranks].sort((a, b) => a - b);
  }

  /** From 0. */
  #ranks(p: number): number[] {
    const n = this.#count;
    if (!this.#spec.continuous) return [Math.max(Math.ceil(p * n) - 1, 0)];
    return [Math.floor(p * (n - 1)), Math.ceil(p * (n - 1))];
  }

  take(row: GatheredRow, times: number): boolean {
    if (this.error !== null) return false;
    this.#rank += times;
    while (this.#next < this.#wanted.length && (this.#wanted[this.#next] as number) < this.#rank) {
      this.#found.set(this.#wanted[this.#next++] as number, row.value(0) as number);
    }
    return this.#next < this.#wanted.length;
  }

  end(): number | null {
    const { fractions, shape } = this.#spec;
    if (this.error !== null || this.#count === 0) return null;
    if (shape === null) return fractions[0] == null ? null : this.#code(fractions[0]);
    const items = fractions.map((p) => (p === null ? null : this.#item(p)));
    return this.#dictionary.internString(formatArray({ ...shape, items }));
  }

  #code(p: number): number {
    const { continuous, arg } = this.#spec;
    if (!continuous) return this.#found.get(this.#ranks(p)[0]!) as number;
    if (arg.name === "interval") return this.#dictionary.internString(this.#between(p));
    const [low, high] = this.#pair(p);
    return this.#part(p) === 0 ? low : low + this.#part(p) * (high - low);
  }

  #item(p: number): string {
    const { continuous, arg } = this.#spec;
    if (continuous && arg.name === "interval") return this.#between(p);
    const code = this.#code(p);
    return continuous ? datumToText(float8, code) : this.#text(code);
  }

  #pair(p: number): [number, number] {
    const [low, high] = this.#ranks(p) as [number, number];
    return [this.#found.get(low) as number, this.#found.get(high) as number];
  }

  /** How far from the lower row to the upper one. */
  #part(p: number): number {
    const at = p * (this.#count - 1);
    return at - Math.floor(at);
  }

  #between(p: number): string {
    const [low, high] = this.#pair(p).map((code) => this.#dictionary.string(code)) as [string, string];
    if (this.#part(p) === 0) return low;
    const sum = addIntervals(low, multiplyInterval(subtractIntervals(high, low), this.#part(p)));
    const error = takeFault();
    if (error === null) return sum;
    this.error = error;
    return formatInterval(NOTHING);
  }
}

const NOTHING: Interval = parseInterval("0");
