/**
 * From a changed row to the rows it concerns: a segment of its partition, twice, as it was and as it is.
 *
 * 1. From the first changed row back to the first row whose result it can change (what looks forward so far), then on back over what results there
 *    depend on; and, where a function knows all rows before, to the nearest mark or the partition's start.
 * 2. From there forward, rows are noted for each version in which they are visible. Rows are wanted up to the last whose result a change behind can
 *    concern: each further changed row on the way pushes that on. Where a function knows all rows before, that is the partition's
 *    end, or a row before which both versions have the same rows as far as the functions look.
 * 3. Then as many rows again as the wanted ones look forward to. A changed row among them makes all up to it wanted.
 *
 * So what is wanted for one stretch is never wanted for another, if stretches are made from the left, each from the first changed row not seen
 * before.
 *
 * Distances are counted in unchanged rows, or whole groups of peers, of either version. A walk pauses by yielding, and finds its place again by the
 * last slot it saw: positions of an index do not last, rows of a step do.
 */
import type { OrderedIndex } from "../../state/ordered-index.ts";
import type { Store } from "../../state/store.ts";
import type { Step } from "../operator.ts";
import type { Distance, Reach, Reaches } from "./evaluator.ts";
import type { Mark, Marks } from "./marks.ts";
import type { Pace } from "./pace.ts";
import type { SameRows } from "./rows.ts";
import { Segment } from "./segment.ts";

/** Unmatched changes above which a walk to the partition's end is cheaper than matching them. */
const UNMATCHED_MAX = 32;

export interface StretchSpec {
  readonly store: Store;
  readonly weighted: boolean;
  readonly index: OrderedIndex;
  readonly partitioned: boolean;
  readonly reach: Reach;
  readonly peers: SameRows;
  /** Whether two rows are the same to every function that knows all rows before. */
  readonly alike: SameRows;
  readonly marks: Marks;
}

export class Stretch {
  readonly before: Segment = new Segment();
  readonly after: Segment = new Segment();
  readonly #spec: StretchSpec;
  /** First row, and first wanted one, of the segment. */
  #begin = 0;
  #wanted = 0;
  #mark: Mark | null = null;

  constructor(spec: StretchSpec) {
    this.#spec = spec;
  }

  /**
   * The stretch around a changed row. REQUIRES: the first of its partition that no stretch has seen, where the reach is not `whole`. `changes`: how
   * many there are in the partition, for a reach with `prefix`. `seen` is told each changed row. `all`: take the whole partition.
   */
  *make(
    slot: number,
    changes: number,
    all: boolean,
    step: Step,
    seen: (slot: number) => void,
    pace: Pace,
  ): Generator<void> {
    if (all || this.#spec.reach.whole) {
      this.#mark = null;
      this.#begin = this.#wanted = this.#firstRow(slot, step.from, step.to);
    } else yield* this.#back(slot, step, pace);
    yield* this.#forward(all, changes, step, seen, pace);
  }

  *#back(slot: number, step: Step, pace: Pace): Generator<void> {
    const { index, store, reach, marks } = this.#spec;
    const { birthWord, strideWords } = store.layout;
    const walk = new Walk(this.#spec, step);
    let phase: "wanted" | "context" | "mark" = "wanted";
    let edge = slot;
    let at = index.positionOf(slot);
    walk.start(slot, reach.forward, (anchor, x, reaches) => reaches(x, anchor));
    for (;;) {
      if (phase === "mark") {
        const mark = marks.get(edge, store.I[edge * strideWords + birthWord] as number);
        if (mark !== undefined) {
          this.#mark = mark;
          this.#begin = edge;
          return;
        }
      }
      if (--pace.left < 0) {
        yield;
        at = index.positionOf(edge);
      }
      do at = index.previous(at);
      while (at >= 0 && !walk.sees(index.slot(at)));
      if (at < 0) {
        if (phase === "wanted") this.#wanted = edge;
        this.#mark = null;
        this.#begin = edge;
        return;
      }
      const x = index.slot(at);
      if (phase === "wanted" && walk.isPast(edge, x)) {
        this.#wanted = edge;
        phase = "context";
        walk.start(edge, reach.back, (anchor, y, reaches) => reaches(anchor, y));
      }
      if (phase === "context" && walk.isPast(edge, x)) {
        if (!reach.prefix) {
          this.#mark = null;
          this.#begin = edge;
          return;
        }
        phase = "mark";
        const mark = marks.get(edge, store.I[edge * strideWords + birthWord] as number);
        if (mark !== undefined) {
          this.#mark = mark;
          this.#begin = edge;
          return;
        }
      }
      walk.pass(x);
      edge = x;
    }
  }

  *#forward(
    all: boolean,
    changes: number,
    step: Step,
    seen: (slot: number) => void,
    pace: Pace,
  ): Generator<void> {
    const { index, reach, peers } = this.#spec;
    const { before, after } = this;
    before.open(this.#mark);
    after.open(this.#mark);
    const toEnd = all || reach.whole;
    const walk = new Walk(this.#spec, step);
    const balance = new Balance(this.#spec.alike);
    let phase: "lead" | "wanted" | "context" = "lead";
    let at = index.positionOf(this.#begin);
    let last = -1;
    let group = 0;
    let beforeGroup = -1;
    let afterGroup = -1;
    let place = 0;
    for (; at >= 0; at = index.next(at)) {
      const x = index.slot(at);
      if (!walk.sees(x)) continue;
      if (--pace.left < 0 && last >= 0) {
        yield;
        at = index.positionOf(x);
      }
      if (x === this.#wanted) {
        before.from = before.length;
        after.from = after.length;
        phase = "wanted";
      }
      // A change on the way to what is wanted belongs to the stretch before.
      const changed = phase !== "lead" && walk.wasThere !== walk.isThere;
      const isPeer = last >= 0 && peers(last, x);
      if (phase === "wanted" && !changed && !toEnd && walk.started && walk.isPast(last, x)) {
        const settled =
          !reach.prefix ||
          (changes === 0 &&
            balance.isEven &&
            before.length === after.length &&
            this.#beginsAlike() &&
            (!reach.peers || (!isPeer && before.starts.length === after.starts.length)));
        if (settled) {
          before.to = before.length;
          after.to = after.length;
          phase = "context";
          walk.start(last, reach.forward, (anchor, y, reaches) => reaches(anchor, y));
        }
      }
      if (changed) {
        seen(x);
        changes--;
        phase = "wanted";
      } else if (phase === "context" && walk.isPast(last, x)) break;
      if (!isPeer) group++;
      const weight = walk.weight(x);
      if (walk.wasThere) {
        for (let n = 0; n < weight; n++) before.add(x, place, n > 0 || beforeGroup === group);
        beforeGroup = group;
        if (changed && reach.prefix) balance.left(x, weight);
      }
      if (walk.isThere) {
        for (let n = 0; n < weight; n++) after.add(x, place, n > 0 || afterGroup === group);
        afterGroup = group;
        if (changed && reach.prefix) balance.came(x, weight);
      }
      place++;
      if (changed) walk.start(x, reach.back, (anchor, y, reaches) => reaches(y, anchor));
      else walk.pass(x);
      last = x;
    }
    if (phase === "wanted") {
      before.to = before.length;
      after.to = after.length;
    }
    before.close();
    after.close();
    if (this.#mark !== null) before.first = after.first = this.#firstRow(this.#begin, step.from, step.to);
  }

  /** Whether the partition's first rows, which some functions read, are no different. */
  #beginsAlike(): boolean {
    const { before, after } = this;
    if (this.#mark !== null || before.length === 0) return true;
    return this.#spec.alike(before.slots.array[0] as number, after.slots.array[0] as number);
  }

  /** The first row of the partition that is there in either version. */
  #firstRow(slot: number, from: number, to: number): number {
    const { index, store, partitioned } = this.#spec;
    let at = partitioned ? index.firstLike(slot) : index.firstOfAll();
    while (!store.visible(index.slot(at), from) && !store.visible(index.slot(at), to)) at = index.next(at);
    return index.slot(at);
  }
}

type Test = (anchor: number, x: number, reaches: Reaches) => boolean;

/** Counts how far a walk has come from an anchor, in both versions. */
class Walk {
  /** Of the row seen last: whether it was there before the step, whether it is now. */
  wasThere = false;
  isThere = false;
  started = false;
  readonly #spec: StretchSpec;
  readonly #from: number;
  readonly #to: number;
  #distance: Distance | null = null;
  #test: Test | null = null;
  #anchor = 0;
  #rowsBefore = 0;
  #rowsAfter = 0;
  #groupsBefore = 0;
  #groupsAfter = 0;
  /** Whether the group passed through has rows of each version, not counting the anchor's own group. */
  #inBefore = false;
  #inAfter = false;
  #inOwn = true;

  constructor(spec: StretchSpec, step: Step) {
    this.#spec = spec;
    this.#from = step.from;
    this.#to = step.to;
  }

  /** Whether the row is there in either version. */
  sees(slot: number): boolean {
    const { store } = this.#spec;
    const { birthWord, deathWord, strideWords } = store.layout;
    const base = slot * strideWords;
    const birth = store.I[base + birthWord] as number;
    const death = store.I[base + deathWord] as number;
    this.wasThere = birth <= this.#from && this.#from < death;
    this.isThere = birth <= this.#to && this.#to < death;
    return this.wasThere || this.isThere;
  }

  weight(slot: number): number {
    return this.#spec.weighted ? this.#spec.store.weight(slot) : 1;
  }

  start(anchor: number, distance: Distance, test: Test): void {
    this.started = true;
    this.#anchor = anchor;
    this.#distance = distance;
    this.#test = test;
    this.#rowsBefore = this.#rowsAfter = this.#groupsBefore = this.#groupsAfter = 0;
    this.#inBefore = this.#inAfter = false;
    this.#inOwn = true;
  }

  /** Whether row x, next to `edge`, which was passed last, is beyond the distance. */
  isPast(edge: number, x: number): boolean {
    const { reach, peers } = this.#spec;
    const { rows, groups, ranges } = this.#distance as Distance;
    if (Math.min(this.#rowsBefore, this.#rowsAfter) < rows) return false;
    if (reach.peers) {
      if (peers(edge, x)) return false;
      const [b, a] = this.#closed();
      if (Math.min(b, a) < groups) return false;
    }
    for (const reaches of ranges) if ((this.#test as Test)(this.#anchor, x, reaches)) return false;
    return true;
  }

  /** Groups passed, if the one passed through ends here. */
  #closed(): [number, number] {
    if (this.#inOwn) return [0, 0];
    return [this.#groupsBefore + (this.#inBefore ? 1 : 0), this.#groupsAfter + (this.#inAfter ? 1 : 0)];
  }

  #last = -1;

  /** Passes the row just seen. */
  pass(slot: number): void {
    if (!this.started) return;
    const weight = this.weight(slot);
    if (this.wasThere) this.#rowsBefore += weight;
    if (this.isThere) this.#rowsAfter += weight;
    if (this.#spec.reach.peers) {
      const edge = this.#inOwn ? this.#anchor : this.#last;
      if (!this.#spec.peers(edge, slot)) {
        [this.#groupsBefore, this.#groupsAfter] = this.#closed();
        this.#inOwn = false;
        this.#inBefore = this.#inAfter = false;
      }
      this.#inBefore ||= this.wasThere;
      this.#inAfter ||= this.isThere;
      this.#last = slot;
    }
  }
}

/** Changed rows that left and came, those that are alike cancelling out. */
class Balance {
  readonly #alike: SameRows;
  readonly #left: number[] = [];
  readonly #came: number[] = [];
  #isLost = false;

  constructor(alike: SameRows) {
    this.#alike = alike;
  }

  get isEven(): boolean {
    return !this.#isLost && this.#left.length === 0 && this.#came.length === 0;
  }

  left(slot: number, weight: number): void {
    this.#add(slot, weight, this.#left, this.#came);
  }

  came(slot: number, weight: number): void {
    this.#add(slot, weight, this.#came, this.#left);
  }

  #add(slot: number, weight: number, own: number[], other: number[]): void {
    for (let n = 0; n < weight && !this.#isLost; n++) {
      const match = other.findIndex((o) => this.#alike(o, slot));
      if (match >= 0) other.splice(match, 1);
      else if (own.push(slot) > UNMATCHED_MAX) this.#isLost = true;
    }
  }
}
