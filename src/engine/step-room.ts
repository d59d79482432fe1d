/**
 * Room in memory for steps: what it takes to have some before a step, and amid one.
 *
 * 1. Before a step rows that nobody reads any more are freed, in slices. A step that waits goes first while little is owed, as time of the steps
 *    whose rows these were; then there is a slice before each, and all at once where that does not do: a step's successors free its rows together,
 *    and what is dead never piles up. Before and after a step that is large beside the memory limit nothing is left: who wrote the log that is
 *    replayed, or followed, waited for that, too (write/commit-room.ts).
 * 2. Near the memory limit rows go to disk (dataflow/cooling.ts), then too, and between two pieces of a large step's work; for their texts then alone,
 *    for amid a step no text is freed.
 * 3. Rows that a step has made stay until it is published, and so do those that it has ended, which have come back from disk for that. Of a commit
 *    for which that would be too many, it is said when a part has to be published (isPartDue).
 */

import type { Batch } from "../batch/batch.ts";
import { batchBytes } from "../batch/commit-bytes.ts";
import type { Circuit } from "../dataflow/circuit.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";
import type { QueuedGroup, StepBound, StepQueue } from "./step-queue.ts";
import type { TimeSlice } from "./time-slice.ts";

/** Turns of the event loop for which room in tables is waited for. */
const SHORT_TURNS = 64;
/** Up to here freeing waits for steps that wait: a large one and those that came meanwhile. */
const OWED_MS_FREE = 40;
/** How far freeing may lag behind steps that wait. */
const OWED_MS_MAX = 100;
/** A step whose new texts take so large a part of the memory limit is large. */
const LARGE_PART = 32;
/**
 * Up to here the state may grow by a part of a commit: of what views make of its rows, and of what they bring back, most comes at its end. Beyond,
 * a part's rows take so large a part of the limit at most.
 */
const PART_TO = 0.75;
const PART_LEAST = 8;
/** A row takes, in each store that it comes to, about so many bytes; its texts are counted. */
const PLACE_BYTES = 64;
/** Of what is left, the part that texts may take, since views make others of them; the part of the limit that they take in any case, and those of one chunk. */
const PART_TEXTS = 4;
const PART_TEXTS_LEAST = 32;
const CHUNK_PART = 64;
/** Texts that take no such part of the limit are none of what is to go. */
const TEXTS_NEAR_PART = 8;
/** A step's texts are to take no larger part of the memory limit, where they come in several commits. */
const STEP_BYTES_PART = 16;
/** Of fewer rows it is not asked how large they are, nor where they come to. */
export const MANY_ROWS = 64;
/** Texts that wait to be freed, beyond which nobody waits for the next step to do it. */
const LOOKED_FOR_MAX = 1024;

export class StepRoom implements StepBound {
  readonly #circuit: Circuit;
  readonly #dictionary: Dictionary;
  readonly #slice: TimeSlice;
  /** There is something to do, also if no step comes. */
  readonly #wake: () => void;
  /** Nobody who reads what is published reads rows that were dead at this epoch: they may be freed. */
  horizon = 0;
  /** Whether there may be something to free. */
  #unswept = false;
  #sweptWaiters: (() => void)[] = [];
  /** Whether room may have to be made, for rows that have come back from disk, or for a commit that was refused. */
  #warmed = false;
  /** Time spent on steps and not yet on freeing their rows, which takes less. */
  #owedMs = 0;
  /** Whether the last step was large beside the memory limit. */
  #wasLarge = false;
  /** Of texts, when the step at hand began. */
  #textBytes = 0;
  /** Of texts, when all was counted last because of them. */
  #countedTexts = 0;
  /** Rows fed to the step at hand, each as often as there are stores that it may come to. */
  #places = 0;
  /** Whether rows should go to disk before the step at hand goes on; null: they never do. */
  readonly isNeeded: (() => boolean) | null;

  constructor(circuit: Circuit, dictionary: Dictionary, slice: TimeSlice, wake: () => void) {
    this.#circuit = circuit;
    this.#dictionary = dictionary;
    this.#slice = slice;
    this.#wake = wake;
    const { cooling } = circuit;
    this.isNeeded = cooling === null ? null : () => cooling.isDue(this.horizon);
    if (cooling !== null) cooling.onBack = () => this.make();
  }

  get stepRowsMax(): number {
    return this.#circuit.cooling?.stepRowsMax ?? Number.POSITIVE_INFINITY;
  }

  get stepBytesMax(): number {
    const { cooling, memory } = this.#circuit;
    return cooling === null ? Number.POSITIVE_INFINITY : memory.bytes / STEP_BYTES_PART;
  }

  /** Each commit asks, so stores are asked only where it may be. */
  fillsStep(rows: number): boolean {
    const { cooling } = this.#circuit;
    return cooling !== null && rows > cooling.stepRowsLeast && rows > cooling.stepRowsMax;
  }

  // ---- what asks for it -------------------------------------------------------------------------------------------

  /** Rows that may go to disk go, also where no step comes. */
  make(): void {
    this.#warmed = true;
    this.#wake();
  }

  /** There may be something to free: it is freed between steps, also if no step comes. */
  sweep(): void {
    this.#unswept = true;
    this.#wake();
  }

  /** Texts came in that no row may have, since somebody looked for them: where they are many, or long, they are freed. */
  lookedFor(): void {
    const { uncollected } = this.#dictionary;
    if (uncollected > LOOKED_FOR_MAX || (uncollected > 0 && this.#haveTextsChanged)) this.sweep();
  }

  /** Whether texts take more, or less, than when all was counted because of them. */
  get #haveTextsChanged(): boolean {
    return Math.abs(this.#dictionary.bytes - this.#countedTexts) > this.#circuit.memory.bytes / CHUNK_PART;
  }

  /** Null when all that is dead is free; else a promise for when that is so, which steps that wait do not delay. */
  swept(): Promise<void> | null {
    if (!this.#unswept) return null;
    return new Promise((resolve) => this.#sweptWaiters.push(resolve));
  }

  /** Who waits for room goes on, as if there were some. */
  admitAll(): void {
    for (const resolve of this.#sweptWaiters.splice(0)) resolve();
  }

  /** Whether there is something to do between two steps. */
  get isWanted(): boolean {
    return this.#unswept || this.#warmed;
  }

  // ---- between two steps ------------------------------------------------------------------------------------------

  /** Whether the next step has to find the room of what is dead: it, or the one before, is large beside the memory limit, or texts are. */
  isShortFor(queue: StepQueue): boolean {
    return queue.hasNext && (this.#wasLarge || this.fillsStep(queue.nextRows) || this.#areTextsNear);
  }

  /** Whether all state is near the limit, and texts have a good part of it. */
  get #areTextsNear(): boolean {
    const { cooling, memory } = this.#circuit;
    if (cooling === null || this.#dictionary.bytes * TEXTS_NEAR_PART < memory.bytes) return false;
    // Few rows may have brought many: what was counted by rows would be believed for long.
    if (this.#haveTextsChanged) this.#recount();
    return cooling.areTextsNear;
  }

  /** Frees what is dead, as far as the next step is to wait for that. */
  async free(queue: StepQueue): Promise<void> {
    for (let slices = 0; this.#unswept && !this.#mayLeaveDead(queue, slices); slices++) {
      const began = performance.now();
      this.#unswept = !this.#circuit.vacuum(this.horizon, this.#slice.ends);
      this.#owedMs = this.#unswept ? this.#owedMs - (performance.now() - began) : 0;
      if (this.#unswept) await this.#slice.pause();
    }
    if (!this.#unswept) this.admitAll();
  }

  /** Whether the next step goes before the rest of what is to be freed, after so many slices of it. */
  #mayLeaveDead(queue: StepQueue, slices: number): boolean {
    if (this.#sweptWaiters.length > 0) return false;
    if (!queue.hasNext || this.isShortFor(queue)) return false;
    return this.#owedMs < (slices > 0 ? OWED_MS_MAX : OWED_MS_FREE);
  }

  /** No step comes. Whether there was room to be made, which has been made then. */
  async makeWanted(): Promise<boolean> {
    if (!this.#warmed) return false;
    this.#warmed = false;
    await this.#coolTexts();
    await this.cool();
    return true;
  }

  /** A step comes, behind the last complete one, `epoch`: rows go to disk where that is due. */
  async coolBefore(epoch: number): Promise<void> {
    this.#warmed = false;
    await this.#coolTexts();
    await this.#coolAndWait(epoch, true);
  }

  // ---- amid a step ------------------------------------------------------------------------------------------------

  /** A step begins. */
  began(): void {
    this.#textBytes = this.#dictionary.bytes;
    this.#places = 0;
  }

  /** It was fed so many rows, times the stores that they may come to. */
  fed(places: number): void {
    this.#places += places;
  }

  /** Of how many rows of a commit that is taken in parts there has to be room at once. */
  get partRows(): number {
    const { cooling, memory } = this.#circuit;
    return cooling === null ? Number.POSITIVE_INFINITY : memory.bytes / PART_LEAST / PLACE_BYTES;
  }

  /** Rows of a table's batch that are fed at once: what they bring, and bring back, is to be no large part of the limit. */
  rowsAtOnce(batch: Batch, { cold }: Store): number {
    const { cooling, memory } = this.#circuit;
    if (cooling === null || batch.length < MANY_ROWS) return batch.length;
    const rowBytes = Math.max(batchBytes(batch) / batch.length, cold?.rowBytes ?? 0);
    return Math.max(1, Math.floor(memory.bytes / CHUNK_PART / rowBytes));
  }

  /** Whether the groups are one large commit; or several in one, as a log has them that was compacted, or written with more memory. */
  mayNeedParts(groups: readonly QueuedGroup[]): boolean {
    const [first] = groups;
    if (first === undefined || groups.length > 1 || first.rows < MANY_ROWS) return false;
    return first.group.commits.length === 1 || this.fillsStep(first.rows);
  }

  /** Whether what the step at hand has made and ended takes the room of what it has yet to be fed, and gives it back when it is published. */
  get isPartDue(): boolean {
    const { cooling, memory } = this.#circuit;
    if (cooling === null) return false;
    const { bytes, used } = memory;
    const texts = this.#dictionary.bytes - this.#textBytes;
    const isDue =
      texts > Math.max(bytes / PART_TEXTS_LEAST, (bytes * PART_TO - used) / PART_TEXTS) ||
      this.#places * PLACE_BYTES > Math.max(bytes / PART_LEAST, bytes * PART_TO - used);
    if (isDue) return cooling.mayMakeRoom;
    return used >= bytes * PART_TO && this.fillsStep(this.#places) && cooling.isCrammed();
  }

  get #hasManyTexts(): boolean {
    return this.#dictionary.bytes - this.#textBytes > this.#circuit.memory.bytes / LARGE_PART;
  }

  /**
   * A part of a commit is published: what nobody reads any more is freed. Who has begun to read before is waited for, nobody begins anew. False: not
   * until `waitsUntil` (performance.now()), so that some of it is held yet.
   */
  async freePart(waitsUntil: number): Promise<boolean> {
    const { cooling } = this.#circuit;
    for (;;) {
      await this.#freeAll();
      await this.#coolTexts();
      await this.cool();
      if (cooling?.isCrammed(this.horizon) !== true) return true;
      if (performance.now() >= waitsUntil) return false;
      await this.#slice.pause();
    }
  }

  /** The same between two pieces of the work of the step that follows `epoch`. */
  coolAmid(epoch: number): Promise<void> {
    return this.#coolAndWait(epoch, false);
  }

  /** The step is complete. It took so many rows, and so long. */
  stepped(rows: number, ms: number): void {
    this.#owedMs += ms;
    this.#wasLarge = this.fillsStep(rows) || this.#hasManyTexts;
  }

  /** Between two steps: what is dead is freed, and texts that no row has. */
  async #freeAll(): Promise<void> {
    do {
      this.#unswept = !this.#circuit.vacuum(this.horizon, this.#slice.ends);
      if (this.#unswept) await this.#slice.pause();
    } while (this.#unswept);
  }

  /** Between two steps: rows go to disk for their texts, where that is due. */
  async #coolTexts(): Promise<void> {
    const { cooling } = this.#circuit;
    if (cooling === null) return;
    if (!this.#areTextsNear || !cooling.areTextsDue(this.horizon)) return;
    await cooling.coolTexts(this.horizon, () => (this.#slice.isOver ? this.#slice.pause() : undefined));
    await this.#freeAll();
    this.#recount();
  }

  #recount(): void {
    this.#circuit.memory.stale();
    this.#countedTexts = this.#dictionary.bytes;
  }

  /** Rows go to disk, where that is due. */
  async cool(): Promise<void> {
    const { cooling } = this.#circuit;
    if (cooling === null || !cooling.isDue(this.horizon)) return;
    await cooling.cool(this.horizon, () => (this.#slice.isOver ? this.#slice.pause() : undefined));
  }

  /** The same, and waits a while for room that is there in a moment. `atRest`: between two steps, when what is dead may be freed first. */
  async #coolAndWait(epoch: number, atRest: boolean): Promise<void> {
    const { cooling } = this.#circuit;
    if (cooling === null) return;
    await this.cool();
    for (let n = 0; n < SHORT_TURNS; n++) {
      // What the step at hand has made is not published before it ends.
      if (!cooling.isShort(this.horizon, epoch)) return;
      await this.#slice.pause();
      if (atRest && this.#unswept) this.#unswept = !this.#circuit.vacuum(this.horizon, this.#slice.ends);
      await this.cool();
    }
  }
}
