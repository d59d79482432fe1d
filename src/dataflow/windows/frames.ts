/**
 * The frame of each row of a segment: rows start .. end-1, without those that EXCLUDE names.
 *
 * Both ends only ever move forward from row to row. ROWS and GROUPS are arithmetic; a RANGE with an offset steps along until the order's
 * value is in range of the row's. Nulls are in range of nulls only, at the end where the order puts them.
 */
import type { Frame, FrameBound } from "../../plan/plan.ts";
import type { WithinRange } from "../kernels/range-distance.ts";
import type { Pace } from "./pace.ts";
import type { ColumnReader } from "./rows.ts";
import type { Segment } from "./segment.ts";

/** How a RANGE with offsets sees its order. */
export interface RangeOrder {
  readonly column: ColumnReader;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
  /** null where the bound has no offset. */
  readonly start: WithinRange | null;
  readonly end: WithinRange | null;
}

type Bound = { readonly kind: FrameBound["kind"]; readonly offset: number };

export class FrameWalk {
  start = 0;
  end = 0;
  /** Rows left out; none where equal. The current row stays for all that where `keeps`. */
  outFrom = 0;
  outTo = 0;
  readonly keeps: boolean;
  readonly excludes: boolean;
  readonly #frame: Frame;
  readonly #first: Bound;
  readonly #last: Bound;
  readonly #range: RangeOrder | null;
  #segment: Segment | null = null;
  #current = 0;

  constructor(frame: Frame, range: RangeOrder | null) {
    this.#frame = frame;
    this.#range = range;
    this.#first = boundOf(frame.start, frame.mode);
    this.#last = boundOf(frame.end, frame.mode);
    this.keeps = frame.exclude === "ties";
    this.excludes = frame.exclude !== "none";
  }

  begin(segment: Segment): void {
    this.#segment = segment;
    this.start = 0;
    this.end = 0;
  }

  /** Moves on to row `i`, rows coming in order; false when the pace asks for a pause before it is there. */
  to(i: number, pace: Pace): boolean {
    const segment = this.#segment as Segment;
    const { mode, exclude } = this.#frame;
    this.#current = i;
    if (this.#range?.start == null) this.start = startOf(this.#first, mode, segment, i);
    else if (!this.#rangeStart(segment, i, pace)) return false;
    if (this.#range?.end == null) this.end = endOf(this.#last, mode, segment, i);
    else if (!this.#rangeEnd(segment, i, pace)) return false;
    if (exclude === "currentRow") {
      this.outFrom = i;
      this.outTo = i + 1;
    } else if (exclude !== "none") {
      const group = segment.groups.array[i] as number;
      this.outFrom = segment.starts.array[group] as number;
      this.outTo = segment.starts.array[group + 1] as number;
    }
    return true;
  }

  /** Rows of the frame. */
  get size(): number {
    const { start, end } = this;
    if (end <= start) return 0;
    if (!this.excludes) return end - start;
    return this.#before() + this.#kept() + this.#behind();
  }

  /** The n-th row of the frame, from 0; there must be one. */
  row(n: number): number {
    if (!this.excludes) return this.start + n;
    const before = this.#before();
    if (n < before) return this.start + n;
    const kept = this.#kept();
    if (n < before + kept) return this.#current;
    return Math.max(this.start, this.outTo) + n - before - kept;
  }

  #before(): number {
    return Math.max(0, Math.min(this.end, this.outFrom) - this.start);
  }

  #behind(): number {
    return Math.max(0, this.end - Math.max(this.start, this.outTo));
  }

  #kept(): number {
    return this.keeps && this.#current >= this.start && this.#current < this.end ? 1 : 0;
  }

  #rangeStart(segment: Segment, i: number, pace: Pace): boolean {
    const { column, descending, nullsFirst, start } = this.#range as RangeOrder;
    const slots = segment.slots.array;
    const n = segment.length;
    const own = slots[i] as number;
    const ownNull = column.isNull(own);
    const base = column.value(own);
    const back = (this.#first.kind === "preceding") !== descending;
    while (this.start < n) {
      if (--pace.left < 0) return false;
      const slot = slots[this.start] as number;
      const isNull = column.isNull(slot);
      if (isNull || ownNull) {
        if (nullsFirst ? !isNull || ownNull : isNull || !ownNull) break;
      } else if ((start as WithinRange)(column.value(slot), base, back, descending)) break;
      this.start++;
    }
    return true;
  }

  #rangeEnd(segment: Segment, i: number, pace: Pace): boolean {
    const { column, descending, nullsFirst, end } = this.#range as RangeOrder;
    const slots = segment.slots.array;
    const n = segment.length;
    const own = slots[i] as number;
    const ownNull = column.isNull(own);
    const base = column.value(own);
    const back = (this.#last.kind === "preceding") !== descending;
    while (this.end < n) {
      if (--pace.left < 0) return false;
      const slot = slots[this.end] as number;
      const isNull = column.isNull(slot);
      if (isNull || ownNull) {
        if (nullsFirst ? !isNull && ownNull : isNull && !ownNull) break;
      } else if (!(end as WithinRange)(column.value(slot), base, back, !descending)) break;
      this.end++;
    }
    return true;
  }
}

function boundOf(bound: FrameBound, mode: Frame["mode"]): Bound {
  const offset = "offset" in bound && mode !== "range" ? Number(bound.offset.value) : 0;
  return { kind: bound.kind, offset: Math.min(offset, Number.MAX_SAFE_INTEGER) };
}

function startOf({ kind, offset }: Bound, mode: Frame["mode"], segment: Segment, i: number): number {
  if (kind === "unboundedPreceding") return 0;
  const n = segment.length;
  if (mode === "rows") {
    if (kind === "currentRow") return i;
    return kind === "preceding" ? Math.max(0, i - offset) : Math.min(n, i + offset);
  }
  const starts = segment.starts.array;
  const group = segment.groups.array[i] as number;
  if (kind === "currentRow") return starts[group] as number;
  if (kind === "preceding") return starts[Math.max(0, group - offset)] as number;
  return starts[Math.min(segment.groupCount, group + offset)] as number;
}

function endOf({ kind, offset }: Bound, mode: Frame["mode"], segment: Segment, i: number): number {
  const n = segment.length;
  if (kind === "unboundedFollowing") return n;
  if (mode === "rows") {
    if (kind === "currentRow") return i + 1;
    return kind === "preceding" ? Math.max(0, i - offset + 1) : Math.min(n, i + offset + 1);
  }
  const starts = segment.starts.array;
  const group = segment.groups.array[i] as number;
  if (kind === "currentRow") return starts[group + 1] as number;
  if (kind === "preceding") return group < offset ? 0 : (starts[group - offset + 1] as number);
  return starts[Math.min(segment.groupCount, group + offset + 1)] as number;
}
