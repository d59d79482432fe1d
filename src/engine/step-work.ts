/**
 * The work of a step.
 *
 * 1. The batches of its groups are fed chunk by chunk, each worked off before the next one is. Where other threads keep parts of views, they are
 *    handed their rows first, and begin.
 * 2. When all is fed, the circuit works off the rest. Threads that can be a step ahead are handed the next one's rows while this one takes in what
 *    they have made: they would be idle meanwhile.
 *
 * 3. Where what a large commit has made and ended takes the room of what is still to come, the step is ended there and another one goes on: the
 *    commit is taken in parts, of which nobody is shown any but the last (moments.ts).
 *
 * Whenever a slice is over, the event loop has a turn.
 */
import type { Batch } from "../batch/batch.ts";
import { sliceBatch } from "../batch/column.ts";
import type { Circuit } from "../dataflow/circuit.ts";
import type { TopicBatch } from "../log/log.ts";
import type { Dictionary } from "../state/dictionary.ts";
import { Feeder } from "./builds/feeder.ts";
import type { EngineCatalog, TopicEntry } from "./catalog/catalog.ts";
import { placedOf } from "./evolution/evolved.ts";
import type { QueuedGroup, StepQueue } from "./step-queue.ts";
import { MANY_ROWS, type StepRoom } from "./step-room.ts";
import type { TimeSlice } from "./time-slice.ts";

/** Rows handed to other threads at once. */
export const PART_ROWS = 16_384;

export interface WorkContext {
  readonly circuit: Circuit;
  readonly catalog: EngineCatalog;
  readonly dictionary: Dictionary;
  readonly slice: TimeSlice;
  readonly room: StepRoom;
  readonly queue: StepQueue;
  /** Columns of the topic that anything in the circuit reads. */
  readonly wants: (entry: TopicEntry) => (column: number) => boolean;
  /** The batch in the topic's newest schema, with its columns where circuits have them. */
  readonly placed: (entry: TopicEntry, batch: TopicBatch) => TopicBatch;
}

export class StepWork {
  readonly #context: WorkContext;
  readonly #circuit: Circuit;
  readonly #feeders = new Map<number, Feeder>();
  /** The circuit's shape when it was last looked which of them are needed. */
  #feedersOf = 0;
  /** Values taken from the log's columns so far. */
  decodedValues = 0;

  constructor(context: WorkContext) {
    this.#context = context;
    this.#circuit = context.circuit;
  }

  /** Feeds the groups; how many rows they have. `part`: ends the step at hand and begins another one; null: the groups are to be one step. */
  async feed(groups: readonly QueuedGroup[], part: (() => Promise<void>) | null): Promise<number> {
    const circuit = this.#circuit;
    const { topics, parts } = circuit;
    let rows = 0;
    let firstCommit = 0;
    for (const { group } of groups) {
      const { batches } = group;
      // There may be hundreds, of which few are of a topic that anybody reads: no iterator's object for each.
      for (let i = 0; i < batches.length; i++) {
        const given = batches[i] as TopicBatch;
        const { length } = given.batch;
        // A database may have many streams, of which few are what a view is made of.
        if (!parts.isAny && topics.passesOver(given.topicId)) {
          rows += length;
          continue;
        }
        const entry = this.#context.catalog.byId(given.topicId);
        if (entry === undefined || entry.kind !== "topic") continue;
        rows += length;
        const isStream = entry.topicKind === "stream";
        if (isStream && !parts.isAny && !topics.takesStream(entry.id)) continue;
        const topicBatch = this.#context.placed(entry, given);
        if (isStream && parts.isAny) {
          await this.#feedParts(topicBatch);
          if (!topics.takesStream(entry.id)) continue;
        }
        await this.#feedBatch(entry, topicBatch, firstCommit, part);
      }
      firstCommit += group.commits.length;
    }
    return rows;
  }

  async #feedBatch(
    entry: TopicEntry,
    topicBatch: TopicBatch,
    firstCommit: number,
    part: (() => Promise<void>) | null,
  ): Promise<void> {
    const { topics, memory } = this.#circuit;
    const { room } = this.#context;
    const isStream = entry.topicKind === "stream";
    const feeder = this.#feeder(entry);
    const wanted = this.#context.wants(entry);
    const late = (column: number) => isStream && topics.interest(entry.id, column) === "late";
    const { batch } = topicBatch;
    const { length } = batch;
    const rowsMax = isStream ? length : room.rowsAtOnce(batch, topics.table(entry.id).store);
    const stores = part === null || isStream ? 1 : this.#storesOf(entry.id, length);
    for (let from = 0; from < length; ) {
      if (part !== null && room.isPartDue) await part();
      const to = Math.min(length, from + Math.min(rowsMax, feeder.pace.rows, Math.ceil(room.stepRowsMax)));
      const next = feeder.fill(topicBatch, from, to, firstCommit, wanted, late);
      this.decodedValues += (next - from) * feeder.filled;
      const began = performance.now();
      if (isStream) topics.feedStream(entry.id, feeder.chunk);
      else topics.feedTable(entry.id, feeder.chunk, topicBatch.ops, from);
      feeder.pace.took(next - from, performance.now() - began);
      memory.came(next - from);
      room.fed((next - from) * stores);
      while (!this.#run()) await this.#goneOn();
      for (let older = isStream ? 0 : topics.olderOf(entry.id); older > 0; older--) {
        topics.feedOlder(entry.id, older - 1, feeder.chunk, topicBatch.ops, from);
        while (!this.#run()) await this.#goneOn();
      }
      // With nothing left to do, run() does not look at the clock.
      if (this.#context.slice.isOver) await this.#context.slice.pause();
      await room.coolAmid(this.#circuit.epoch);
      from = next;
    }
  }

  /**
   * Whether rows of these topics may be stepped in parts: nothing is made of them by other threads, or of streams, of which what comes in one step has
   * the order of its commits.
   */
  mayPart(topicIds: Iterable<number>): boolean {
    const { parts, topics } = this.#circuit;
    if (parts.isAny) return false;
    for (const id of topicIds) {
      const entry = this.#context.catalog.byId(id);
      if (entry?.kind === "topic" && entry.topicKind === "stream" && topics.takesStream(id)) return false;
    }
    return true;
  }

  /** Of how many stores each row of the table comes to about one, where so many come that it matters. */
  #storesOf(tableId: number, rows: number): number {
    let stores = 1;
    if (rows < MANY_ROWS) return stores;
    const { live } = this.#circuit.topics.table(tableId).store;
    for (const { store, isEach } of this.#circuit.madeOf(tableId))
      if (isEach || store.live * 2 > live) stores++;
    return stores;
  }

  /** The step ends with what it has been fed. */
  async finishPart(): Promise<void> {
    this.#circuit.end();
    while (!this.#run()) await this.#goneOn();
  }

  /** The step has all its rows: works it off. */
  async finish(): Promise<void> {
    const circuit = this.#circuit;
    circuit.end();
    if (this.#mayGoAhead) await this.#goAhead();
    while (!this.#run()) {
      if (circuit.waiting !== null || this.#mayGoAhead) await this.#goAhead();
      await this.#goneOn();
    }
  }

  #run(): boolean {
    return this.#circuit.run(this.#context.slice.ends, this.#context.room.isNeeded);
  }

  /** Ends when the step can go on. */
  #goneOn(): Promise<void> {
    const { wantsRoom, fetching } = this.#circuit;
    return wantsRoom ? this.#context.room.cool() : (fetching ?? this.#context.slice.pause());
  }

  // ---- other threads ----------------------------------------------------------------------------------------------

  /** They begin with what is theirs while this one goes on. */
  async #feedParts({ topicId, batch }: TopicBatch): Promise<void> {
    for (const rows of slicesOf(batch)) {
      this.#circuit.parts.feed(topicId, rows);
      if (this.#context.slice.isOver) await this.#context.slice.pause();
    }
  }

  /** Whether they could begin with a step of some size, though this thread need not wait for them yet. */
  get #mayGoAhead(): boolean {
    return this.#circuit.parts.mayGoAhead && this.#context.queue.mayTakeAhead(PART_ROWS);
  }

  /** Gives them the next step, if there is one and it can be told by now what it is. */
  async #goAhead(): Promise<void> {
    const groups = this.#context.queue.takeAhead();
    if (groups.length === 0) return;
    const { parts } = this.#circuit;
    for (const given of groups.flatMap(({ group }) => group.batches)) {
      const entry = this.#context.catalog.byId(given.topicId);
      if (entry?.kind !== "topic" || entry.topicKind !== "stream") continue;
      const { topicId, batch } = this.#context.placed(entry, given);
      for (const rows of slicesOf(batch)) {
        parts.feedAhead(topicId, rows);
        if (this.#context.slice.isOver) await this.#context.slice.turn();
      }
    }
    parts.goAhead();
  }

  // ---- feeders ----------------------------------------------------------------------------------------------------

  /** The topic is gone. */
  forget(topicId: number): void {
    this.#feeders.delete(topicId);
  }

  /** Those of streams that nothing takes any more give back their chunks. */
  forgetUnread(): void {
    const { shape, topics } = this.#circuit;
    if (shape === this.#feedersOf) return;
    this.#feedersOf = shape;
    for (const id of this.#feeders.keys()) {
      const entry = this.#context.catalog.byId(id);
      const isStream = entry?.kind === "topic" && entry.topicKind === "stream";
      if (isStream && !topics.takesStream(id)) this.#feeders.delete(id);
    }
  }

  #feeder(entry: TopicEntry): Feeder {
    const { schema } = placedOf(entry);
    let feeder = this.#feeders.get(entry.id);
    if (feeder === undefined || feeder.schema !== schema)
      this.#feeders.set(entry.id, (feeder = new Feeder(schema, this.#context.dictionary)));
    return feeder;
  }
}

/** Pieces that are handed to other threads. */
function* slicesOf(batch: Batch): Generator<Batch> {
  for (let from = 0; from < batch.length; from += PART_ROWS)
    yield sliceBatch(batch, from, Math.min(batch.length, from + PART_ROWS));
}
