/**
 * A stretch of a partition as it was before the step, or as it is after it: its rows in order, a row of weight n as n rows.
 *
 * It begins and ends at a border of peers where that matters. What lies before it is known by numbers alone (`rowsBefore`, `groupsBefore`) and by
 * the states that functions keep in a mark.
 */
import { Int32List } from "../../state/memory.ts";
import type { Mark } from "./marks.ts";

export class Segment {
  /** Slot of each row. */
  readonly slots: Int32List = new Int32List();
  /** Place of each row's slot in the walk over both versions: equal for the same slot. */
  readonly places: Int32List = new Int32List();
  /** Number of each row's group of peers, from 0. */
  readonly groups: Int32List = new Int32List();
  /** First row of each group; once closed, also the number of rows. */
  readonly starts: Int32List = new Int32List();
  /** Rows whose results are wanted: from .. to-1. */
  from = 0;
  to = 0;
  rowsBefore = 0;
  groupsBefore = 0;
  /** The partition's first row, or -1: needed where the segment begins behind it. */
  first = -1;
  /** What functions begin with; null at the partition's start. */
  mark: Mark | null = null;

  get length(): number {
    return this.slots.length;
  }

  get groupCount(): number {
    return this.starts.length - 1;
  }

  open(mark: Mark | null): void {
    this.slots.clear();
    this.places.clear();
    this.groups.clear();
    this.starts.clear();
    this.from = 0;
    this.to = 0;
    this.mark = mark;
    this.rowsBefore = mark?.rows ?? 0;
    this.groupsBefore = mark?.groups ?? 0;
    this.first = -1;
  }

  /** `isPeer`: of the row added before. */
  add(slot: number, place: number, isPeer: boolean): void {
    if (!isPeer || this.starts.length === 0) this.starts.push(this.slots.length);
    this.groups.push(this.starts.length - 1);
    this.slots.push(slot);
    this.places.push(place);
  }

  close(): void {
    this.starts.push(this.slots.length);
  }
}
