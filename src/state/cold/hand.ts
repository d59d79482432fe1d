/**
 * Which rows go out: a hand goes around the slots of a store, as of a clock.
 *
 * It takes rows that all readers see alike, born before the horizon and not dead, and that nobody has changed or asked for since it came by last: a
 * page of slots knows when that was, a row when it was born, and a bit says of a row that it was read, or came back, since. The bit is taken away as
 * the hand goes by, so what was asked for stays until it has come by twice.
 *
 * Some rows stay whether they are asked for or not: those of which somebody has to know that none of them is on disk (Keeper).
 */
import { Marks } from "../marks.ts";
import { Int32List } from "../memory.ts";
import { LIVE } from "../rows.ts";
import type { Captures } from "./captures.ts";
import type { ColdHost, Pause } from "./host.ts";

/** Slots that share the time when the hand came by last. */
const PAGE_SLOTS = 4_096;

export interface Keeper {
  /** The hand is about to go on. */
  choosing(): void;
  /** Whether the row in the slot, which is alive, stays in memory. */
  keeps(slot: number): boolean;
}

export class Hand {
  readonly #keepers: Keeper[] = [];
  readonly #host: ColdHost;
  readonly #captures: Captures;
  #at = 0;
  /** Of each page the epoch when the hand came by. */
  #passed = new Int32Array(0);
  readonly #asked = new Marks();

  constructor(host: ColdHost, captures: Captures) {
    this.#host = host;
    this.#captures = captures;
  }

  get bytes(): number {
    return (this.#passed.length + this.#asked.B.length) * 4;
  }

  /** The row in the slot was asked for. */
  asked(slot: number): void {
    this.#asked.mark(slot);
  }

  /** Whether it was since the hand came by. */
  wasAsked(slot: number): boolean {
    return this.#asked.has(slot);
  }

  /** From now on, until it is called again with false, some rows stay. */
  keepFor(keeper: Keeper, isOn: boolean): void {
    const at = this.#keepers.indexOf(keeper);
    if (isOn && at < 0) this.#keepers.push(keeper);
    if (!isOn && at >= 0) this.#keepers.splice(at, 1);
  }

  #isKept(slot: number): boolean {
    const keepers = this.#keepers;
    for (let i = 0; i < keepers.length; i++) if ((keepers[i] as Keeper).keeps(slot)) return true;
    return false;
  }

  /** Up to `most` slots whose rows may go out, from the hand on. Where a whole round finds none, those are taken that were spared in it. */
  async choose(horizon: number, most: number, pause: Pause): Promise<Int32Array> {
    const chosen = new Int32List();
    const slots = this.#host.highWater;
    this.#reserve(Math.ceil(slots / PAGE_SLOTS));
    for (const keeper of this.#keepers) keeper.choosing();
    for (let round = 0; round < 2 && chosen.length === 0; round++) {
      for (let left = slots; left > 0 && chosen.length < most; ) {
        if (this.#at >= slots) this.#at = 0;
        left -= this.#passPage(slots, left, horizon, chosen, most);
        await pause();
      }
    }
    return chosen.array.slice(0, chosen.length);
  }

  #reserve(pages: number): void {
    if (this.#passed.length >= pages) return;
    const passed = new Int32Array(Math.max(pages, this.#passed.length * 2));
    passed.set(this.#passed);
    this.#passed = passed;
  }

  /** Goes on to the end of the page, by `far` slots at most, or until `most` are chosen; how many slots it has gone by. */
  #passPage(slots: number, far: number, horizon: number, chosen: Int32List, most: number): number {
    const from = this.#at;
    const page = Math.floor(from / PAGE_SLOTS);
    const pageEnd = Math.min(slots, (page + 1) * PAGE_SLOTS);
    const end = Math.min(pageEnd, from + far);
    const { I, epoch, layout } = this.#host;
    const { birthWord, deathWord, strideWords: stride } = layout;
    const isCaptured = !this.#captures.isEmpty;
    const areKept = this.#keepers.length > 0;
    const since = this.#passed[page] as number;
    const youngest = this.#host.sharedUntil(horizon);
    let slot = from;
    for (; slot < end && chosen.length < most; slot++) {
      const base = slot * stride;
      const birth = I[base + birthWord] as number;
      if (birth > youngest || I[base + deathWord] !== LIVE) continue;
      // It cannot go: what was asked for keeps its bit until it can.
      if (isCaptured && this.#captures.needs(slot)) continue;
      if (areKept && this.#isKept(slot)) continue;
      if (!this.#asked.unmark(slot) && birth <= since) chosen.push(slot);
    }
    this.#at = slot;
    if (slot === pageEnd) this.#passed[page] = epoch;
    return slot - from;
  }
}
