/** lag and lead: the value of a row so many rows away. first_value, last_value, nth_value: that of a row of the frame. */
import { type ScalarError, scalarError } from "../kernels/errors.ts";
import type { Evaluator } from "./evaluator.ts";
import type { FrameWalk } from "./frames.ts";
import type { Pace } from "./pace.ts";
import type { Results } from "./results.ts";
import type { ColumnReader } from "./rows.ts";
import type { Segment } from "./segment.ts";

export class Neighbour implements Evaluator {
  readonly #value: ColumnReader;
  /** Rows ahead; behind where negative. */
  readonly #offset: ColumnReader | number;
  readonly #fallback: ColumnReader | null;
  readonly #sign: 1 | -1;

  /** `offset`: rows, in the direction of `sign`. */
  constructor(
    value: ColumnReader,
    offset: ColumnReader | number,
    fallback: ColumnReader | null,
    sign: 1 | -1,
  ) {
    this.#value = value;
    this.#offset = offset;
    this.#fallback = fallback;
    this.#sign = sign;
  }

  *run(segment: Segment, results: Results, pace: Pace): Generator<void> {
    const { from, to, length } = segment;
    const slots = segment.slots.array;
    const offset = this.#offset;
    for (let i = from; i < to; i++) {
      if (--pace.left < 0) yield;
      const own = slots[i] as number;
      if (typeof offset !== "number" && offset.isNull(own)) continue;
      const at = i + this.#sign * (typeof offset === "number" ? offset : offset.value(own));
      if (at >= 0 && at < length) copy(this.#value, slots[at] as number, results, i - from);
      else if (this.#fallback !== null) copy(this.#fallback, own, results, i - from);
    }
  }
}

const badNth: ScalarError = scalarError(
  "invalid_argument",
  "argument of nth_value must be greater than zero",
  {
    sqlstate: "22016",
  },
);

/** Which row of the frame: the first, the last, or the n-th as the row's own column says. */
export type Which = "first" | "last" | ColumnReader;

export class FrameValue implements Evaluator {
  readonly #value: ColumnReader;
  readonly #which: Which;
  readonly #frame: FrameWalk;
  /** Whether the first row of the frame is the partition's: then it may stand before the segment. */
  readonly #fromFirst: boolean;

  constructor(value: ColumnReader, which: Which, frame: FrameWalk, fromFirst: boolean) {
    this.#value = value;
    this.#which = which;
    this.#frame = frame;
    this.#fromFirst = fromFirst;
  }

  *run(segment: Segment, results: Results, pace: Pace): Generator<void> {
    const { from, to } = segment;
    const slots = segment.slots.array;
    const which = this.#which;
    const frame = this.#frame;
    frame.begin(segment);
    for (let i = from; i < to; i++) {
      if (--pace.left < 0) yield;
      while (!frame.to(i, pace)) yield;
      if (this.#fromFirst && segment.mark !== null) {
        copy(this.#value, segment.first, results, i - from);
        continue;
      }
      const own = slots[i] as number;
      let n = 0;
      if (typeof which !== "string") {
        if (which.isNull(own)) continue;
        n = which.value(own) - 1;
        if (n < 0) {
          results.fail(i - from, badNth);
          continue;
        }
      }
      const { size } = frame;
      if (which === "last") n = size - 1;
      if (n < size && size > 0) copy(this.#value, slots[frame.row(n)] as number, results, i - from);
    }
  }
}

function copy(column: ColumnReader, slot: number, results: Results, row: number): void {
  if (!column.isNull(slot)) results.set(row, column.value(slot));
}
