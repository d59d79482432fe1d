/**
 * From sealed groups to steps of the circuit.
 *
 * 1. Groups arrive in position order, live from the log or from a replay, and wait for their step (step-queue.ts).
 * 2. Before a step there is room for it (step-room.ts). Then it feeds its batches chunk by chunk and lets the circuit work (step-work.ts); whenever a
 *    slice of time is over it returns to the event loop. A step that needs rows that are on disk waits until they are back.
 * 3. Between steps the boundary jobs run: what must see the circuit at rest (joining a finished build, starting a checkpoint, evaluating an
 *    UPDATE against everything before it).
 */
import { EvertError } from "../base/errors.ts";
import { type Slices, systemSlices } from "../base/slices.ts";
import type { Circuit } from "../dataflow/circuit.ts";
import type { Group, Pause, TopicBatch } from "../log/log.ts";
import type { Dictionary } from "../state/dictionary.ts";
import { LAST_EPOCH } from "../state/rows.ts";
import type { EngineCatalog } from "./catalog/catalog.ts";
import { CATALOG_TOPIC } from "./catalog/hidden-topics.ts";
import { type QueuedGroup, StepQueue } from "./step-queue.ts";
import { StepRoom } from "./step-room.ts";
import { StepWork, type WorkContext } from "./step-work.ts";
import { SLICE_MS, TimeSlice } from "./time-slice.ts";

/** For how long a commit that is taken in parts waits, altogether, for those who have begun to read before. */
const READERS_MS = 5_000;

export interface StepperHooks extends Pick<WorkContext, "wants" | "placed"> {
  /** A catalog batch is met; the circuit is at rest. What takes longer is waited for: it calls `pause` whenever that gives something. */
  readonly onCatalog: (batch: TopicBatch, pause: Pause) => Promise<void> | undefined;
  /** Whether what is stepped is published as soon as the disk allows, also amid a commit. */
  readonly mayPart: () => boolean;
  /** A step is complete that is a part of commits up to `end`; the circuit's stores still hold its journals. */
  readonly onPart: (epoch: number, position: number, end: number) => void;
  /** A step is complete; the circuit's stores still hold its journals. */
  readonly onStepped: (epoch: number, position: number, rows: number, ms: number) => void;
  /** Whether the log is durable up to the position; durable() is called when that has changed. */
  readonly isDurable: (position: number) => boolean;
  /**
   * What is to be waited for until nobody reads what was before the epoch, where that takes no longer than the disk does; null: nothing. It never
   * fails.
   */
  readonly onPublished: (epoch: number) => Promise<void> | null;
  /** Something that must not happen happened: the engine stops. */
  readonly onBroken: (error: unknown) => void;
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
  readonly #hooks: StepperHooks;
  readonly #slices: Slices;
  readonly #slice: TimeSlice;
  readonly #queue: StepQueue;
  readonly #room: StepRoom;
  readonly #work: StepWork;
  #jobs: Job[] = [];
  #running = false;
  /** Why it stopped for good. */
  #broken: { readonly error: unknown } | null = null;
  /** The last complete step. */
  epoch = 0;
  /** Position of the last commit stepped. */
  position = 0;
  /** The log's time then, in microseconds since 1970. */
  timeUs = Number.NEGATIVE_INFINITY;
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
    this.#hooks = hooks;
    this.#slices = slices;
    this.#slice = new TimeSlice(slices, () => circuit.waiting);
    this.#room = new StepRoom(circuit, dictionary, this.#slice, () => this.#start());
    this.#queue = new StepQueue(this.#room, hooks.isDurable);
    const { wants, placed } = hooks;
    const [slice, room, queue] = [this.#slice, this.#room, this.#queue];
    this.#work = new StepWork({ circuit, catalog, dictionary, slice, room, queue, wants, placed });
  }

  startAt(epoch: number, position: number, timeUs: number): void {
    this.epoch = epoch;
    this.position = position;
    this.timeUs = timeUs;
    this.#queue.position = position;
  }

  get queuedRows(): number {
    return this.#queue.rows;
  }

  get longestPauseMs(): number {
    return this.#slice.longestMs;
  }

  /** Values taken from the log's columns for steps so far. */
  get decodedValues(): number {
    return this.#work.decodedValues;
  }

  /** Nobody who reads what is published reads rows that were dead at this epoch. */
  get horizon(): number {
    return this.#room.horizon;
  }

  /** As StepRoom.fillsStep. */
  fillsStep(rows: number): boolean {
    return this.#room.fillsStep(rows);
  }

  /** Of how many rows of a commit to these topics there has to be room at once; Infinity: of all, for it cannot be taken in parts. */
  partRows(topicIds: Iterable<number>): number {
    return this.#hooks.mayPart() && this.#work.mayPart(topicIds)
      ? this.#room.partRows
      : Number.POSITIVE_INFINITY;
  }

  /** Null when few rows wait; else a promise for when that is so again. Appenders wait for it. */
  room(): Promise<void> | null {
    return this.#broken === null ? this.#queue.room() : null;
  }

  /** As StepRoom.swept. */
  swept(): Promise<void> | null {
    return this.#broken === null ? this.#room.swept() : null;
  }

  enqueue(group: Group): void {
    this.#queue.add(group);
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

  /**
   * Runs the job between two steps, once everything enqueued so far has been stepped, but for a change of the catalog that is not durable and what is
   * behind it.
   */
  atBoundary(run: () => void | Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== null) {
        reject(this.#broken.error);
        return;
      }
      this.#jobs.push({ run, resolve, reject, after: this.#queue.position });
      this.#start();
    });
  }

  /** More of the log is durable: a change of the catalog may have waited for it. */
  durable(): void {
    if (this.#queue.isCatalogFirst) this.#start();
  }

  /** Nobody reads rows any more that were dead at the epoch: they are freed between steps. */
  vacuum(horizon: number): void {
    this.#room.horizon = horizon;
    this.#room.sweep();
  }

  /** A query or a view has left: what it kept is freed between steps, also if no step comes. */
  sweep(): void {
    this.#room.sweep();
  }

  /** As StepRoom.lookedFor. */
  lookedFor(): void {
    this.#room.lookedFor();
  }

  /** Rows that may go to disk go, also where no step comes. */
  makeRoom(): void {
    this.#room.make();
  }

  /** The topic is gone. */
  forget(topicId: number): void {
    this.#work.forget(topicId);
  }

  get #idle(): boolean {
    return !this.#queue.hasNext && this.#jobs.length === 0 && !this.#room.isWanted;
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
          this.#queue.admitAll();
          this.#room.admitAll();
        },
      );
    });
  }

  async #loop(): Promise<void> {
    const slice = this.#slice;
    slice.begin();
    for (;;) {
      await this.#runJobs();
      if (this.#room.isShortFor(this.#queue) && this.#room.horizon < this.epoch)
        await this.#hooks.onPublished(this.epoch);
      await this.#room.free(this.#queue);
      const groups = this.#queue.take();
      if (groups.length === 0) {
        if (!(await this.#room.makeWanted())) return;
        continue;
      }
      await this.#room.coolBefore(this.epoch);
      await this.#step(groups);
      if (slice.isOver) await slice.pause();
    }
  }

  async #runJobs(): Promise<void> {
    for (;;) {
      const all = this.#queue.isHeld;
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

  async #step(groups: readonly QueuedGroup[]): Promise<void> {
    const started = performance.now();
    for (const { group, isCatalog } of groups) if (isCatalog) await this.#define(group);
    this.#work.forgetUnread();
    const last = (groups[groups.length - 1] as QueuedGroup).group;
    const timeUs = last.commits[last.commits.length - 1]?.timeUs ?? this.timeUs;
    this.#begin(timeUs);
    let mayPart: boolean | null = null;
    const part = async (): Promise<void> => {
      mayPart ??= this.#work.mayPart(topicsOf(groups));
      if (mayPart) mayPart = await this.#part(last.lastPosition, timeUs, started + READERS_MS);
    };
    const rows = await this.#work.feed(groups, this.#room.mayNeedParts(groups) ? part : null);
    await this.#work.finish();
    this.position = last.lastPosition;
    this.timeUs = timeUs;
    const ms = performance.now() - started;
    this.#room.stepped(rows, ms);
    this.#queue.stepped(groups);
    this.isStepping = false;
    this.#hooks.onStepped(this.epoch, this.position, rows, ms);
  }

  #begin(timeUs: number): void {
    this.#circuit.begin(this.#nextEpoch(), timeUs);
    this.isStepping = true;
    this.#room.began();
  }

  /**
   * Ends the step at hand amid commits up to `end`, waits until readers are behind it and its room is free, and begins another one. False: that is not
   * to be tried again.
   */
  async #part(end: number, timeUs: number, waitsUntil: number): Promise<boolean> {
    const published = this.#hooks.onPublished(this.epoch);
    if (published === null) return false;
    await this.#work.finishPart();
    this.#hooks.onPart(this.epoch, this.position, end);
    await published;
    const isFree = await this.#room.freePart(waitsUntil);
    this.#begin(timeUs);
    return isFree;
  }

  /** Changes of the catalog, made before what follows. */
  async #define({ batches }: Group): Promise<void> {
    for (const batch of batches) {
      if (batch.topicId !== CATALOG_TOPIC) continue;
      const work = this.#hooks.onCatalog(batch, () => (this.#slice.isOver ? this.#slice.pause() : null));
      if (work !== undefined) await work;
    }
  }
}

function* topicsOf(groups: readonly QueuedGroup[]): Generator<number> {
  for (const { group } of groups) for (const { topicId } of group.batches) yield topicId;
}
