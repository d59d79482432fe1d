/**
 * From sealed groups to steps of the circuit.
 *
 * 1. Groups arrive in position order, live from the log or from a replay. While the engine is busy they queue up, and all that wait (up to a
 *    bound of rows) are taken in one step: small steps when idle, large ones under load, nothing to tune.
 * 2. A step feeds the batches chunk by chunk and lets the circuit work; whenever a time slice is used up it returns to the event loop.
 *    Where it waits for other threads, those that can already begin with the next step: its groups are then taken.
 * 3. Before the next step, rows that nobody reads any more are freed, in slices too. A step that waits goes first while little is owed, as time of the steps whose
 *    rows these were; then there is a slice before each, and all at once where that does not do: a step's successors free its rows together, and what is
 *    dead never piles up. Before and after a step that is large beside the memory limit nothing is left: who wrote the log that is replayed, or followed, waited for
 *    that, too (write/commit-room.ts).
 *    Near the memory limit rows go to disk (dataflow/cooling.ts), then too, and between two pieces of a large step's work. A step that needs rows that are
 *    there waits until they are back.
 * 4. A change of the catalog is made when it is durable: names mean to everybody what it says, so nobody may have been told of it before. What is behind it could not be
 *    published before it, and waits with it.
 * 5. Between steps the boundary jobs run: what must see the circuit at rest (joining a finished build, starting a checkpoint, evaluating an
 *    UPDATE against everything before it).
 */
import { EvertError } from "../base/errors.ts";
import { type Slices, systemSlices } from "../base/slices.ts";
import { sliceBatch } from "../batch/column.ts";
import type { Circuit } from "../dataflow/circuit.ts";
import type { Group, Pause, TopicBatch } from "../log/log.ts";
import type { Dictionary } from "../state/dictionary.ts";
import { LAST_EPOCH } from "../state/rows.ts";
import { Feeder } from "./builds/feeder.ts";
import type { EngineCatalog, TopicEntry } from "./catalog/catalog.ts";
import { CATALOG_TOPIC } from "./catalog/hidden-topics.ts";
import { placedOf } from "./evolution/evolved.ts";

/** Time the engine works before it lets the event loop have a turn, in milliseconds. With 4 steps took as long, and everybody else waited twice as long for them. */
export const SLICE_MS = 2;
const ROWS_PER_STEP = 65_536;
/** That may wait however little memory there is. */
const QUEUED_ROWS_MIN = 2_048;
/** Turns of the event loop for which room in tables is waited for. */
const SHORT_TURNS = 64;
/** Up to here freeing waits for steps that wait: a large one and those that came meanwhile. */
const OWED_MS_FREE = 40;
/** Rows handed to other threads at once. */
export const PART_ROWS = 16_384;
/** How far freeing may lag behind steps that wait. */
const OWED_MS_MAX = 100;
/** A step whose new texts take so large a part of the memory limit is large. */
const LARGE_PART = 32;
/** Texts that wait to be freed, beyond which nobody waits for the next step to do it. */
const LOOKED_FOR_MAX = 1024;

export interface StepperHooks {
  /** Columns of the topic that anything in the circuit reads. */
  readonly wants: (entry: TopicEntry) => (column: number) => boolean;
  /** A catalog batch is met; the circuit is at rest. What takes longer is waited for: it calls `pause` whenever that gives something. */
  readonly onCatalog: (batch: TopicBatch, pause: Pause) => Promise<void> | undefined;
  /** The batch in the topic's newest schema, with its columns where circuits have them. */
  readonly placed: (entry: TopicEntry, batch: TopicBatch) => TopicBatch;
  /** A step is complete; the circuit's stores still hold its journals. */
  readonly onStepped: (epoch: number, position: number, rows: number, ms: number) => void;
  /** Whether the log is durable up to the position; durable() is called when that has changed. */
  readonly isDurable: (position: number) => boolean;
  /** What is to be waited for until nobody reads what was before the epoch, where that takes no longer than the disk does; null: nothing. It never fails. */
  readonly onPublished: (epoch: number) => Promise<void> | null;
  /** Something that must not happen happened: the engine stops. */
  readonly onBroken: (error: unknown) => void;
}

interface Queued {
  readonly group: Group;
  readonly rows: number;
  readonly isCatalog: boolean;
}

interface Job {
  readonly run: () => void | Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
  /** Runs when everything up to this position has been stepped, or waits for the disk. */
  readonly after: number;
}

export class Stepper {
  readonly #circuit: Circuit;
  readonly #catalog: EngineCatalog;
  readonly #dictionary: Dictionary;
  readonly #hooks: StepperHooks;
  readonly #slices: Slices;
  readonly #feeders = new Map<number, Feeder>();
  /** The circuit's shape when it was last looked which of them are needed. */
  #feedersOf = 0;
  #queue: Queued[] = [];
  /** Those of the next step, where other threads have begun with it. */
  #ahead: Queued[] = [];
  #queuedRows = 0;
  #queuedPosition = 0;
  #jobs: Job[] = [];
  #running = false;
  /** Why it stopped for good. */
  #broken: { readonly error: unknown } | null = null;
  #roomWaiters: (() => void)[] = [];
  #sweptWaiters: (() => void)[] = [];
  /** Rows dead at this epoch may be freed. */
  #horizon = 0;
  /** Whether there may be something to free. */
  #unswept = false;
  /** Whether rows should go to disk before the step goes on; null: they never do. */
  readonly #needsRoom: (() => boolean) | null;
  /** Whether room may have to be made, for rows that have come back from disk, or for a commit that was refused. */
  #warmed = false;
  /** Time spent on steps and not yet on freeing their rows, which takes less. */
  #owedMs = 0;
  /** Whether the last step was large beside the memory limit. */
  #wasLarge = false;
  /** The last complete step. */
  epoch = 0;
  /** Position of the last commit stepped. */
  position = 0;
  /** The log's time then, in microseconds since 1970. */
  timeUs = Number.NEGATIVE_INFINITY;
  longestPauseMs = 0;
  /** Values taken from the log's columns for steps so far. */
  decodedValues = 0;
  /** A step has begun and is not complete. */
  isStepping = false;

  constructor(
    circuit: Circuit,
    catalog: EngineCatalog,
    dictionary: Dictionary,
    hooks: StepperHooks,
    slices: Slices = systemSlices,
  ) {
    this.#circuit = circuit;
    this.#catalog = catalog;
    this.#dictionary = dictionary;
    this.#hooks = hooks;
    this.#slices = slices;
    const { cooling } = circuit;
    this.#needsRoom = cooling === null ? null : () => cooling.isDue(this.#horizon);
    if (cooling !== null) cooling.onBack = () => this.makeRoom();
  }

  /** Rows that may go to disk go, also where no step comes. */
  makeRoom(): void {
    this.#warmed = true;
    this.#start();
  }

  startAt(epoch: number, position: number, timeUs: number): void {
    this.epoch = epoch;
    this.position = position;
    this.timeUs = timeUs;
    this.#queuedPosition = position;
  }

  get queuedRows(): number {
    return this.#queuedRows;
  }

  /** Nobody who reads what is published reads rows that were dead at this epoch. */
  get horizon(): number {
    return this.#horizon;
  }

  /** Rows that one step should take at most, for want of memory. */
  get #stepRowsMax(): number {
    return this.#circuit.cooling?.stepRowsMax ?? Number.POSITIVE_INFINITY;
  }

  /** Whether so many rows are more than one step should take. Each commit asks, so stores are asked only where it may be. */
  fillsStep(rows: number): boolean {
    const { cooling } = this.#circuit;
    return cooling !== null && rows > cooling.stepRowsLeast && rows > cooling.stepRowsMax;
  }

  /** Null when few rows wait; else a promise for when that is so again. Appenders wait for it. */
  room(): Promise<void> | null {
    const rows = this.#queuedRows;
    if (rows < QUEUED_ROWS_MIN || this.#broken !== null) return null;
    if (rows < 8 * ROWS_PER_STEP && !this.fillsStep(rows / 8)) return null;
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  /** Null when all that is dead is free; else a promise for when that is so, which steps that wait do not delay. */
  swept(): Promise<void> | null {
    if (!this.#unswept || this.#broken !== null) return null;
    return new Promise((resolve) => this.#sweptWaiters.push(resolve));
  }

  enqueue(group: Group): void {
    const queued = queuedOf(group);
    this.#queue.push(queued);
    this.#queuedPosition = group.lastPosition;
    this.#queuedRows += queued.rows;
    this.#start();
  }

  /** A step without commits: gives constant rows and aggregates over nothing their place. */
  async kick(): Promise<void> {
    await this.atBoundary(async () => {
      const epoch = this.#nextEpoch();
      this.#circuit.begin(epoch);
      this.#circuit.end();
      while (!this.#circuit.run(this.#slices.ends(SLICE_MS)))
        await (this.#circuit.fetching ?? this.#circuit.waiting ?? this.#slices.turn());
      this.#hooks.onStepped(epoch, this.position, 0, 0);
    });
  }

  #nextEpoch(): number {
    if (this.epoch >= LAST_EPOCH) {
      throw new EvertError("internal", "this process has made as many steps as it can count", {
        detail: `Rows carry the number of the step that made them, which ends at ${LAST_EPOCH}.`,
        hint: "Start it again: nothing is lost, and steps are counted anew from the checkpoint.",
      });
    }
    return ++this.epoch;
  }

  /** Runs the job between two steps, once everything enqueued so far has been stepped, but for a change of the catalog that is not durable and what is behind it. */
  atBoundary(run: () => void | Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== null) {
        reject(this.#broken.error);
        return;
      }
      this.#jobs.push({ run, resolve, reject, after: this.#queuedPosition });
      this.#start();
    });
  }

  /** More of the log is durable: a change of the catalog may have waited for it. */
  durable(): void {
    if (this.#queue[0]?.isCatalog === true) this.#start();
  }

  /** Nobody reads rows any more that were dead at the epoch: they are freed between steps. */
  vacuum(horizon: number): void {
    this.#horizon = horizon;
    this.sweep();
  }

  /** A query or a view has left: what it kept is freed between steps, also if no step comes. */
  sweep(): void {
    this.#unswept = true;
    this.#start();
  }

  /** Texts came in that no row may have, since somebody looked for them: many of them are freed between steps, also if no step comes. */
  lookedFor(): void {
    if (this.#dictionary.uncollected > LOOKED_FOR_MAX) this.sweep();
  }

  get #idle(): boolean {
    return !this.#hasNext && this.#jobs.length === 0 && !this.#unswept && !this.#warmed;
  }

  /** Whether the next step could begin now. */
  get #hasNext(): boolean {
    return this.#ahead.length > 0 || (this.#queue.length > 0 && !this.#isHeld);
  }

  /** Whether what is next is a change of the catalog that is not durable. */
  get #isHeld(): boolean {
    const [next] = this.#queue;
    return (
      this.#ahead.length === 0 && next?.isCatalog === true && !this.#hooks.isDurable(next.group.lastPosition)
    );
  }

  #start(): void {
    if (this.#running || this.#broken !== null) return;
    this.#running = true;
    // Not at once: the log issues its write first, and commits of the same turn come together.
    queueMicrotask(() => {
      this.#loop().then(
        () => {
          this.#running = false;
          if (!this.#idle) this.#start();
        },
        (error: unknown) => {
          this.#broken = { error };
          this.#hooks.onBroken(error);
          for (const job of this.#jobs.splice(0)) job.reject(error);
          // Who waits for room learns that there will be none.
          for (const resolve of [...this.#roomWaiters.splice(0), ...this.#sweptWaiters.splice(0)]) resolve();
        },
      );
    });
  }

  async #loop(): Promise<void> {
    let sliceBegan = performance.now();
    let sliceEnds = this.#slices.ends(SLICE_MS);
    const pause = async (): Promise<void> => {
      const over = performance.now() - sliceBegan;
      if (over > this.longestPauseMs) this.longestPauseMs = over;
      await (this.#circuit.waiting ?? this.#slices.turn());
      sliceBegan = performance.now();
      sliceEnds = this.#slices.ends(SLICE_MS);
    };
    for (;;) {
      await this.#runJobs();
      if (this.#isShortOfRoom && this.#horizon < this.epoch) await this.#hooks.onPublished(this.epoch);
      for (let slices = 0; this.#unswept && !this.#mayLeaveDead(slices); slices++) {
        const began = performance.now();
        this.#unswept = !this.#circuit.vacuum(this.#horizon, sliceEnds);
        this.#owedMs = this.#unswept ? this.#owedMs - (performance.now() - began) : 0;
        if (this.#unswept) await pause();
      }
      if (!this.#unswept) for (const resolve of this.#sweptWaiters.splice(0)) resolve();
      const groups = this.#take();
      if (groups.length === 0) {
        if (!this.#warmed) return;
        this.#warmed = false;
        await this.#coolNow(() => sliceEnds, pause);
        continue;
      }
      this.#warmed = false;
      await this.#cool(() => sliceEnds, pause, true);
      await this.#step(groups, () => sliceEnds, pause);
      if (performance.now() >= sliceEnds) await pause();
    }
  }

  /** Makes room in tables, where that is due. */
  async #coolNow(sliceEnds: () => number, pause: () => Promise<void>): Promise<void> {
    const { cooling } = this.#circuit;
    if (cooling === null || !cooling.isDue(this.#horizon)) return;
    await cooling.cool(this.#horizon, () => (performance.now() >= sliceEnds() ? pause() : undefined));
  }

  /** The same, and waits a while for room that is there in a moment. `atRest`: between two steps, when what is dead may be freed first. */
  async #cool(sliceEnds: () => number, pause: () => Promise<void>, atRest: boolean): Promise<void> {
    const { cooling } = this.#circuit;
    if (cooling === null) return;
    await this.#coolNow(sliceEnds, pause);
    for (let n = 0; n < SHORT_TURNS; n++) {
      // What the step at hand has made is not published before it ends.
      if (!cooling.isShort(this.#horizon, atRest ? this.epoch : this.epoch - 1)) return;
      await pause();
      if (atRest && this.#unswept) this.#unswept = !this.#circuit.vacuum(this.#horizon, sliceEnds());
      await this.#coolNow(sliceEnds, pause);
    }
  }

  /** Whether the next step goes before the rest of what is to be freed, after so many slices of it. */
  #mayLeaveDead(slices: number): boolean {
    if (this.#sweptWaiters.length > 0) return false;
    if (!this.#hasNext || this.#isShortOfRoom) return false;
    return this.#owedMs < (slices > 0 ? OWED_MS_MAX : OWED_MS_FREE);
  }

  /** Whether the next step has to find the room of what is dead: it, or the one before, is large beside the memory limit. */
  get #isShortOfRoom(): boolean {
    if (!this.#hasNext) return false;
    return this.#wasLarge || this.fillsStep(((this.#ahead[0] ?? this.#queue[0]) as Queued).rows);
  }

  async #runJobs(): Promise<void> {
    for (;;) {
      const all = this.#isHeld;
      const ready = this.#jobs.findIndex((job) => all || job.after <= this.position);
      if (ready < 0) return;
      const [job] = this.#jobs.splice(ready, 1);
      try {
        await (job as Job).run();
        (job as Job).resolve();
      } catch (error) {
        (job as Job).reject(error);
      }
    }
  }

  /** The groups of the next step. A catalog change stands alone: what follows may need the topic it makes. */
  #take(): Queued[] {
    if (this.#ahead.length > 0) return this.#ahead.splice(0);
    if (this.#isHeld) return [];
    const rowsMax = Math.min(ROWS_PER_STEP, this.#stepRowsMax);
    let rows = 0;
    let n = 0;
    for (const queued of this.#queue) {
      if (n > 0 && (queued.isCatalog || rows >= rowsMax)) break;
      n++;
      rows += queued.rows;
      if (queued.isCatalog) break;
    }
    return this.#queue.splice(0, n);
  }

  async #step(groups: readonly Queued[], sliceEnds: () => number, pause: () => Promise<void>): Promise<void> {
    const started = performance.now();
    const circuit = this.#circuit;
    let rows = 0;
    for (const { group, isCatalog } of groups) {
      if (!isCatalog) continue;
      for (const batch of group.batches) {
        if (batch.topicId !== CATALOG_TOPIC) continue;
        const work = this.#hooks.onCatalog(batch, () => (performance.now() < sliceEnds() ? null : pause()));
        if (work !== undefined) await work;
      }
    }
    this.#forgetUnread();
    const epoch = this.#nextEpoch();
    const last = (groups[groups.length - 1] as Queued).group;
    const timeUs = last.commits[last.commits.length - 1]?.timeUs ?? this.timeUs;
    circuit.begin(epoch, timeUs);
    this.isStepping = true;
    const textBytes = this.#dictionary.bytes;
    let firstCommit = 0;
    for (const { group } of groups) {
      const { batches } = group;
      // There may be hundreds, of which few are of a topic that anybody reads: no iterator's object for each.
      for (let i = 0; i < batches.length; i++) {
        const given = batches[i] as TopicBatch;
        const { length } = given.batch;
        // A database may have many streams, of which few are what a view is made of.
        if (!circuit.parts.isAny && circuit.topics.passesOver(given.topicId)) {
          rows += length;
          continue;
        }
        const entry = this.#catalog.byId(given.topicId);
        if (entry === undefined || entry.kind !== "topic") continue;
        rows += length;
        const isStream = entry.topicKind === "stream";
        if (isStream && !circuit.parts.isAny && !circuit.topics.takesStream(entry.id)) continue;
        const topicBatch = this.#hooks.placed(entry, given);
        if (isStream && circuit.parts.isAny) {
          await this.#feedParts(entry, topicBatch, sliceEnds, pause);
          if (!circuit.topics.takesStream(entry.id)) continue;
        }
        const feeder = this.#feeder(entry);
        const wanted = this.#hooks.wants(entry);
        const late = (column: number) => isStream && circuit.topics.interest(entry.id, column) === "late";
        for (let from = 0; from < length; ) {
          const to = Math.min(length, from + Math.min(feeder.pace.rows, Math.ceil(this.#stepRowsMax)));
          const next = feeder.fill(topicBatch, from, to, firstCommit, wanted, late);
          this.decodedValues += (next - from) * feeder.filled;
          const began = performance.now();
          if (isStream) circuit.topics.feedStream(entry.id, feeder.chunk);
          else circuit.topics.feedTable(entry.id, feeder.chunk, topicBatch.ops, from);
          feeder.pace.took(next - from, performance.now() - began);
          circuit.memory.came(next - from);
          while (!this.#run(sliceEnds())) await this.#goneOn(sliceEnds, pause);
          for (let older = isStream ? 0 : circuit.topics.olderOf(entry.id); older > 0; older--) {
            circuit.topics.feedOlder(entry.id, older - 1, feeder.chunk, topicBatch.ops, from);
            while (!this.#run(sliceEnds())) await this.#goneOn(sliceEnds, pause);
          }
          // With nothing left to do, run() does not look at the clock.
          if (performance.now() >= sliceEnds()) await pause();
          await this.#cool(sliceEnds, pause, false);
          from = next;
        }
      }
      firstCommit += group.commits.length;
    }
    circuit.end();
    if (this.#mayGoAhead()) await this.#goAhead(sliceEnds);
    while (!this.#run(sliceEnds())) {
      if (circuit.waiting !== null || this.#mayGoAhead()) await this.#goAhead(sliceEnds);
      await this.#goneOn(sliceEnds, pause);
    }
    this.position = last.lastPosition;
    this.timeUs = timeUs;
    for (const queued of groups) this.#queuedRows -= queued.rows;
    const ms = performance.now() - started;
    this.#owedMs += ms;
    this.#wasLarge =
      this.fillsStep(rows) || this.#dictionary.bytes - textBytes > circuit.memory.bytes / LARGE_PART;
    this.isStepping = false;
    this.#hooks.onStepped(epoch, this.position, rows, ms);
    if (this.#roomWaiters.length > 0 && this.#queuedRows < 4 * Math.min(ROWS_PER_STEP, this.#stepRowsMax)) {
      const waiters = this.#roomWaiters;
      this.#roomWaiters = [];
      for (const resolve of waiters) resolve();
    }
  }

  #run(sliceEnds: number): boolean {
    return this.#circuit.run(sliceEnds, this.#needsRoom);
  }

  /** Ends when the step can go on. */
  #goneOn(sliceEnds: () => number, pause: () => Promise<void>): Promise<void> {
    const { wantsRoom, fetching } = this.#circuit;
    return wantsRoom ? this.#coolNow(sliceEnds, pause) : (fetching ?? pause());
  }

  /** Other threads begin with what is theirs while this one goes on. */
  async #feedParts(
    { id }: TopicEntry,
    { batch }: TopicBatch,
    sliceEnds: () => number,
    pause: () => Promise<void>,
  ): Promise<void> {
    for (let from = 0; from < batch.length; from += PART_ROWS) {
      const rows = sliceBatch(batch, from, Math.min(batch.length, from + PART_ROWS));
      this.#circuit.parts.feed(id, rows);
      if (performance.now() >= sliceEnds()) await pause();
    }
  }

  /**
   * Whether other threads could begin with a step of some size, though this thread need not wait for them yet: it takes in what they have made of the step at hand, and they would be idle
   * meanwhile.
   */
  #mayGoAhead(): boolean {
    if (this.#ahead.length > 0 || !this.#circuit.parts.mayGoAhead) return false;
    let rows = 0;
    for (let i = 0; i < this.#queue.length && rows < PART_ROWS; i++) rows += (this.#queue[i] as Queued).rows;
    return rows >= PART_ROWS;
  }

  /** Gives other threads the next step, if there is one and it can be told by now what it is. */
  async #goAhead(sliceEnds: () => number): Promise<void> {
    const [next] = this.#queue;
    if (this.#ahead.length > 0 || next === undefined || next.isCatalog) return;
    this.#ahead = this.#take();
    for (const given of this.#ahead.flatMap(({ group }) => group.batches)) {
      const entry = this.#catalog.byId(given.topicId);
      if (entry?.kind !== "topic" || entry.topicKind !== "stream") continue;
      const { topicId, batch } = this.#hooks.placed(entry, given);
      for (let from = 0; from < batch.length; from += PART_ROWS) {
        this.#circuit.parts.feedAhead(
          topicId,
          sliceBatch(batch, from, Math.min(batch.length, from + PART_ROWS)),
        );
        if (performance.now() >= sliceEnds()) await this.#slices.turn();
      }
    }
    this.#circuit.parts.goAhead();
  }

  /** The topic is gone. */
  forget(topicId: number): void {
    this.#feeders.delete(topicId);
  }

  /** Those of streams that nothing takes any more give back their chunks. */
  #forgetUnread(): void {
    const { shape } = this.#circuit;
    if (shape === this.#feedersOf) return;
    this.#feedersOf = shape;
    for (const id of this.#feeders.keys()) {
      const entry = this.#catalog.byId(id);
      const isStream = entry?.kind === "topic" && entry.topicKind === "stream";
      if (isStream && !this.#circuit.topics.takesStream(id)) this.#feeders.delete(id);
    }
  }

  #feeder(entry: TopicEntry): Feeder {
    const { schema } = placedOf(entry);
    let feeder = this.#feeders.get(entry.id);
    if (feeder === undefined || feeder.schema !== schema)
      this.#feeders.set(entry.id, (feeder = new Feeder(schema, this.#dictionary)));
    return feeder;
  }
}

function queuedOf(group: Group): Queued {
  const { batches } = group;
  let rows = 0;
  let isCatalog = false;
  for (let i = 0; i < batches.length; i++) {
    const { topicId, batch } = batches[i] as TopicBatch;
    rows += batch.length;
    if (topicId === CATALOG_TOPIC) isCatalog = true;
  }
  return { group, rows, isCatalog };
}

export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
