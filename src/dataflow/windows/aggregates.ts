/**
 * Aggregates over frames.
 *
 * A frame's ends move forward from row to row: rows that come into it are added, rows that leave it are taken away, and where frames do not touch
 * it begins anew. What EXCLUDE leaves out is taken away for one row and added again. min and max cannot be taken away from: they keep
 * the rows that may still become the answer, each better than all behind it; with EXCLUDE they look through the frame.
 *
 * Where the frame begins with the partition, the rows before the segment are in the state that a mark has kept.
 */

import { hasOwnEquality } from "../../batch/order-key.ts";
import { carrierOf, type SqlType } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { comparatorOf } from "../../state/equality.ts";
import type { Evaluator } from "./evaluator.ts";
import type { FrameState, FrameSum } from "./frame-sum.ts";
import type { FrameWalk } from "./frames.ts";
import type { Pace } from "./pace.ts";
import { Held, type Results } from "./results.ts";
import type { ColumnReader } from "./rows.ts";
import type { Segment } from "./segment.ts";

/** Rows added or taken away between two looks at the pace. */
const STRETCH = 1024;

export class FrameAggregate implements Evaluator {
  readonly #sum: FrameSum;
  readonly #frame: FrameWalk;
  /** Place of this function among the states of a mark; -1: its frames do not begin with the partition. */
  readonly #state: number;
  // Rows from..to-1 of the segment are in.
  #from = 0;
  #to = 0;
  /** Rows of the current one's exclusion done. */
  #without = 0;

  constructor(sum: FrameSum, frame: FrameWalk, state: number) {
    this.#sum = sum;
    this.#frame = frame;
    this.#state = state;
  }

  *run(segment: Segment, results: Results, pace: Pace): Generator<void> {
    const frame = this.#frame;
    const sum = this.#sum;
    const slots = segment.slots.array;
    frame.begin(segment);
    this.#begin(segment);
    for (let i = segment.from; i < segment.to; i++) {
      if (--pace.left < 0) yield;
      while (!frame.to(i, pace)) yield;
      const start = frame.start;
      const end = Math.max(start, frame.end);
      while (!this.#move(slots, start, end, pace)) yield;
      const excludes = frame.excludes && end > start;
      if (excludes) for (this.#without = 0; !this.#change(slots, i, -1, pace); ) yield;
      const { value, isNull, error } = sum.result();
      if (error !== null) results.fail(i - segment.from, error);
      else if (isNull === 0) results.set(i - segment.from, value);
      if (excludes) for (this.#without = 0; !this.#change(slots, i, 1, pace); ) yield;
    }
  }

  /** The state of all rows before each of these. */
  *collect(segment: Segment, rows: readonly number[], into: unknown[][], pace: Pace): Generator<void> {
    if (this.#state < 0) return;
    this.#begin(segment);
    for (const [j, row] of rows.entries()) {
      while (!this.#move(segment.slots.array, 0, row, pace)) yield;
      into[j]![this.#state] = this.#sum.save();
    }
  }

  drop(state: unknown): void {
    this.#sum.drop(state as FrameState);
  }

  #begin(segment: Segment): void {
    this.#from = 0;
    this.#to = 0;
    const state = this.#state < 0 ? undefined : segment.mark?.states[this.#state];
    if (state === undefined) this.#sum.clear();
    else this.#sum.restore(state as FrameState);
  }

  /** Moves to rows start..end-1; false when the pace asks for a pause before it is there. */
  #move(slots: Int32Array, start: number, end: number, pace: Pace): boolean {
    if (start >= this.#to && start > 0) {
      this.#sum.clear();
      this.#from = start;
      this.#to = start;
    }
    while (this.#to < end || this.#from < start) {
      const adds = this.#to < end;
      const from = adds ? this.#to : this.#from;
      const to = Math.min(adds ? end : start, from + STRETCH);
      if (adds) {
        this.#sum.add(slots, from, to);
        this.#to = to;
      } else {
        this.#sum.remove(slots, from, to);
        this.#from = to;
      }
      pace.left -= to - from;
      if (pace.left < 0 && (this.#to < end || this.#from < start)) return false;
    }
    return true;
  }

  /** Takes away what the frame of row `i` leaves out, or adds it again; false as for #move. */
  #change(slots: Int32Array, i: number, sign: 1 | -1, pace: Pace): boolean {
    const { start, end, outFrom, outTo, keeps } = this.#frame;
    const last = Math.min(end, outTo);
    for (let from = Math.max(start, outFrom) + this.#without; from < last; ) {
      const to = Math.min(last, from + STRETCH);
      if (keeps && from <= i && i < to) {
        this.#take(slots, from, i, sign);
        this.#take(slots, i + 1, to, sign);
      } else this.#take(slots, from, to, sign);
      this.#without += to - from;
      pace.left -= to - from;
      from = to;
      if (pace.left < 0 && from < last) return false;
    }
    return true;
  }

  #take(slots: Int32Array, from: number, to: number, sign: 1 | -1): void {
    if (from >= to) return;
    if (sign < 0) this.#sum.remove(slots, from, to);
    else this.#sum.add(slots, from, to);
  }
}

/** min and max. */
export class FrameExtreme implements Evaluator {
  readonly #value: ColumnReader;
  readonly #frame: FrameWalk;
  readonly #better: (a: number, b: number) => boolean;
  readonly #state: number;
  readonly #held: Held;
  /** Values of candidates, the best first; their rows are #at. */
  #values: Float64Array = new Float64Array(64);
  #at: Int32Array = new Int32Array(64);
  #head = 0;
  #tail = 0;

  constructor(
    fn: "min" | "max",
    type: SqlType,
    value: ColumnReader,
    frame: FrameWalk,
    state: number,
    dictionary: Dictionary,
  ) {
    this.#value = value;
    this.#frame = frame;
    this.#state = state;
    this.#better = betterOrEqual(fn, type, dictionary);
    this.#held = new Held(type, dictionary);
  }

  *run(segment: Segment, results: Results, pace: Pace): Generator<void> {
    const frame = this.#frame;
    frame.begin(segment);
    this.#begin(segment);
    let taken = 0;
    for (let i = segment.from; i < segment.to; i++) {
      if (--pace.left < 0) yield;
      while (!frame.to(i, pace)) yield;
      const place = i - segment.from;
      if (frame.excludes) {
        yield* this.#look(segment, i, results, pace);
        continue;
      }
      const { start, end } = frame;
      for (taken = Math.max(taken, Math.min(start, end)); taken < end; taken++) {
        if (--pace.left < 0) yield;
        this.#take(segment.slots.array[taken] as number, taken);
      }
      while (this.#head < this.#tail && (this.#at[this.#head] as number) < start && start > 0) this.#head++;
      if (this.#head < this.#tail && end > start) results.set(place, this.#values[this.#head] as number);
    }
  }

  *collect(segment: Segment, rows: readonly number[], into: unknown[][], pace: Pace): Generator<void> {
    if (this.#state < 0) return;
    this.#begin(segment);
    let taken = 0;
    for (const [j, row] of rows.entries()) {
      for (; taken < row; taken++) {
        if (--pace.left < 0) yield;
        this.#take(segment.slots.array[taken] as number, taken);
      }
      const best = this.#head < this.#tail ? (this.#values[this.#head] as number) : null;
      if (best !== null) this.#held.retain(best);
      into[j]![this.#state] = best;
    }
  }

  drop(state: unknown): void {
    if (state !== null) this.#held.release(state as number);
  }

  #begin(segment: Segment): void {
    this.#head = 0;
    this.#tail = 0;
    const best = this.#state < 0 ? undefined : segment.mark?.states[this.#state];
    if (typeof best === "number") this.#push(best, -1);
  }

  #take(slot: number, at: number): void {
    if (this.#value.isNull(slot)) return;
    const value = this.#value.value(slot);
    while (this.#head < this.#tail && this.#better(value, this.#values[this.#tail - 1] as number))
      this.#tail--;
    this.#push(value, at);
  }

  #push(value: number, at: number): void {
    if (this.#tail === this.#values.length) {
      const live = this.#tail - this.#head;
      const size = live * 2 > this.#values.length ? this.#values.length * 2 : this.#values.length;
      const values = new Float64Array(size);
      const places = new Int32Array(size);
      values.set(this.#values.subarray(this.#head, this.#tail));
      places.set(this.#at.subarray(this.#head, this.#tail));
      this.#values = values;
      this.#at = places;
      this.#head = 0;
      this.#tail = live;
    }
    this.#values[this.#tail] = value;
    this.#at[this.#tail++] = at;
  }

  *#look(segment: Segment, i: number, results: Results, pace: Pace): Generator<void> {
    const { size } = this.#frame;
    let best = -1;
    for (let n = 0; n < size; n++) {
      if (--pace.left < 0) yield;
      const slot = segment.slots.array[this.#frame.row(n)] as number;
      if (this.#value.isNull(slot)) continue;
      if (best < 0 || this.#better(this.#value.value(slot), this.#value.value(best))) best = slot;
    }
    if (best >= 0) results.set(i - segment.from, this.#value.value(best));
  }
}

/** Of values that are equal and print differently, the one whose text is first. */
function betterOrEqual(
  fn: "min" | "max",
  type: SqlType,
  dictionary: Dictionary,
): (a: number, b: number) => boolean {
  const compare = comparatorOf(type);
  const sign = fn === "min" ? -1 : 1;
  const prints = carrierOf(type) === "string" && hasOwnEquality(type);
  return (a, b) => {
    const d = compare(a, b, dictionary) * sign;
    if (d !== 0) return d > 0;
    return !prints || a === b || dictionary.compare(a, b) < 0;
  };
}
