/**
 * A part of a plan in the thread that keeps it: a circuit of its own, fed with rows of what the part reads, that tells what its rows have changed by.
 *
 *   part.start(rows, false); while (!part.run(deadline, ...)) ...;                                  // any number of times
 *   part.start(rows, true);  while (!part.run(deadline, ...)) ...; const answer = part.answer();    // then the step is complete
 *   while (!part.sweep(deadline)) ...;                                                              // when nobody waits
 *
 * - All sources are streams here, those that stand for tables with retractions among their rows: operators keep what they need of them.
 * - A part with a shard takes of all rows those that are the shard's.
 * - What it tells is in the order in which it was made: any part of it from the beginning on is right by itself. Where a key may have moved from
 *   another shard to this one, what has left is told apart from what has come, and rows are kept for that: they say what a step has done in all.
 * - What fills a parcel is sent on at once, the rest goes with the answer. Where it may not send, it waits.
 */
import { assert } from "../../base/assert.ts";
import type { Column } from "../../batch/batch.ts";
import { CopyMemory } from "../../batch/codec.ts";
import type { Schema } from "../../batch/schema.ts";
import type { Plan } from "../../plan/plan.ts";
import { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import { Circuit, type CircuitLimits } from "../circuit.ts";
import type { OperatorStats } from "../operator-stats.ts";
import { addRows } from "./chunk-batch.ts";
import type { PartError, PartRows, PartSource } from "./link.ts";
import type { Outlet } from "./outlet.ts";
import { Parcel, unpack } from "./parcel.ts";
import type { Shard } from "./shard.ts";
import { ShardFeeder } from "./shard-feeder.ts";
import { type SharedRows, sharedBatches } from "./shared-rows.ts";

export interface PartSpec {
  /** Of streams alone. */
  readonly plan: Plan;
  readonly sources: readonly PartSource[];
  readonly keysMove: boolean;
  readonly shard: Shard;
  readonly limits: CircuitLimits;
  readonly isLive: boolean;
}

/** The first of every shard goes before the second of any. Where keys may move, the first is what has left; else there is no second. */
export type Phase = 0 | 1;

/** Takes what a step has made so far. */
export interface PartOutput {
  /** A parcel that is full. */
  rows(phase: Phase, parcel: Uint8Array): void;
  /** Some of what it has done to the errors of rows. */
  errors(errors: readonly PartError[]): void;
}

/** What is left to tell of a step that is complete. */
export interface PartAnswer {
  readonly phases: readonly [readonly Uint8Array[], readonly Uint8Array[]];
  readonly errors: readonly PartError[];
}

interface Input {
  readonly source: PartSource;
  readonly feeder: ShardFeeder;
}

/** Errors that are sent on together. */
const SOME_ERRORS = 1_024;

const leavingRows = new Int32Array(CHUNK_ROWS);
const otherRows = new Int32Array(CHUNK_ROWS);

export class PartCircuit {
  readonly #circuit: Circuit;
  readonly #outlet: Outlet;
  readonly #schema: Schema;
  readonly #inputs: ReadonlyMap<number, Input>;
  readonly #keysMove: boolean;
  /** Which of the part's shards it is. */
  readonly #shard: number;
  readonly #output: PartOutput;
  readonly #parcels: readonly [Parcel, Parcel] = [new Parcel(null), new Parcel(null)];
  readonly #dictionary = new Dictionary();
  readonly #memory = new CopyMemory();
  #epoch = 0;
  #isOpen = false;
  /** What was begun and is not done. */
  #work: Iterator<void> | null = null;
  #deadline = 0;
  #maySend: () => boolean = () => true;
  #errors: PartError[] = [];

  constructor(spec: PartSpec, output: PartOutput) {
    const { plan, sources, keysMove, shard, limits, isLive } = spec;
    this.#output = output;
    this.#keysMove = keysMove;
    this.#shard = shard.index;
    this.#circuit = new Circuit({ dictionary: this.#dictionary, ...limits, isBuild: !isLive });
    this.#schema = plan.schema;
    for (const { id, name } of sources) this.#circuit.topics.addStream(id, name);
    this.#outlet = this.#circuit.addOutlet(plan, keysMove, (chunk) => this.#send(chunk));
    const late = (id: number) => (column: number) => this.#circuit.topics.interest(id, column) === "late";
    this.#inputs = new Map(
      sources.map((source) => {
        const feeder = new ShardFeeder(source, shard, late(source.id), this.#dictionary);
        return [source.id, { source, feeder }];
      }),
    );
  }

  /** Whether others wait for its steps. */
  get isLive(): boolean {
    return !this.#circuit.isBuild;
  }

  live(): void {
    this.#circuit.live();
  }

  /** Of its state. */
  get bytes(): number {
    return this.#circuit.bytes;
  }

  /** Begins to take these rows in; `isLast`: those of this step. */
  start(rows: readonly PartRows[], isLast: boolean): void {
    assert(this.#work === null, "one thing after the other");
    if (!this.#isOpen) this.#circuit.begin(++this.#epoch);
    this.#isOpen = true;
    this.#work = isLast ? this.#finishing(rows) : this.#feeding(rows);
  }

  /**
   * Works on what was begun until the deadline (performance.now()), or until it may not send. True: it is done. @throws EvertError why it has
   * stopped.
   */
  run(deadline: number, maySend: () => boolean): boolean {
    assert(this.#work !== null, "something was begun");
    this.#deadline = deadline;
    this.#maySend = maySend;
    if (this.#work.next().done !== true) return false;
    this.#work = null;
    return true;
  }

  answer(): PartAnswer {
    assert(!this.#isOpen, "a step that is complete has an answer");
    return { phases: [this.#parcels[0].take(), this.#parcels[1].take()], errors: this.#errors };
  }

  /** Frees what the last step has ended: nobody looks back. True: all of it, or there is a step under way. */
  sweep(deadline: number): boolean {
    return this.#isOpen || this.#circuit.vacuum(this.#epoch, deadline);
  }

  operators(): OperatorStats[] {
    return this.#outlet.operators();
  }

  *#finishing(rows: readonly PartRows[]): Generator<void> {
    yield* this.#feeding(rows);
    this.#circuit.end();
    yield* this.#running();
    yield* this.#tellingErrors();
    this.#isOpen = false;
  }

  *#tellingErrors(): Generator<void> {
    this.#errors = [];
    for (const errors of this.#outlet.upstreamErrors()) {
      for (const change of errors.changes()) {
        this.#errors.push(change);
        if (this.#errors.length < SOME_ERRORS) continue;
        this.#output.errors(this.#errors);
        this.#errors = [];
        while (!this.#maySend()) yield;
        if (performance.now() >= this.#deadline) yield;
      }
    }
  }

  *#feeding(all: readonly PartRows[]): Generator<void> {
    for (const rows of all) {
      const input = this.#inputs.get(rows.sourceId);
      if (input === undefined) continue;
      if (rows.shared !== undefined) yield* this.#feedingShared(input, rows, rows.shared);
      else yield* this.#feedingParcels(input, rows);
    }
  }

  *#feedingParcels({ source, feeder }: Input, { sourceId, columns, parcels }: PartRows): Generator<void> {
    const schema = { fields: columns.map((c) => source.schema.fields[c]!) };
    for (const parcel of parcels) {
      for (const { length, columns: packed, weights } of unpack(parcel, schema, this.#memory)) {
        const placed: Column[] = [];
        columns.forEach((c, i) => {
          placed[c] = packed[i]!;
        });
        const batch = { schema: source.schema, length, columns: placed, weights };
        for (let from = 0; from < length; from += CHUNK_ROWS)
          yield* this.#taking(sourceId, feeder.fill(batch, from, Math.min(length, from + CHUNK_ROWS)));
      }
    }
  }

  *#feedingShared(
    { source, feeder }: Input,
    { sourceId, columns, list = null }: PartRows,
    shared: SharedRows,
  ): Generator<void> {
    for (const { batch, rows } of sharedBatches(shared, source.schema, columns)) {
      const own = rows(list, this.#shard);
      const length = own?.length ?? batch.length;
      for (let from = 0; from < length; from += CHUNK_ROWS) {
        const to = Math.min(length, from + CHUNK_ROWS);
        yield* this.#taking(
          sourceId,
          own === null ? feeder.fill(batch, from, to) : feeder.pick(batch, own, from, to),
        );
      }
    }
  }

  *#taking(sourceId: number, chunk: Chunk): Generator<void> {
    if (chunk.length > 0) this.#circuit.topics.feedStream(sourceId, chunk);
    yield* this.#running();
    if (performance.now() >= this.#deadline) yield;
  }

  *#running(): Generator<void> {
    while (!this.#circuit.run(this.#deadline)) yield;
    while (!this.#maySend()) yield;
    if (this.#outlet.failed !== null) throw this.#outlet.failed;
  }

  #send(chunk: Chunk): void {
    const { weights, length } = chunk;
    let [leaving, others] = [0, 0];
    for (let i = 0; i < length; i++) {
      if (this.#keysMove && (weights[i] as number) < 0) leavingRows[leaving++] = i;
      else otherRows[others++] = i;
    }
    if (leaving > 0) this.#add(0, chunk, leavingRows, leaving);
    if (others > 0) this.#add(this.#keysMove ? 1 : 0, chunk, otherRows, others);
  }

  #add(phase: Phase, chunk: Chunk, rows: Int32Array, count: number): void {
    const parcel = this.#parcels[phase];
    addRows(parcel, this.#schema, chunk, rows, count, this.#dictionary);
    if (!parcel.isFull) return;
    // Kept rows tell what has gone before they tell what has come: of that nothing is left when this is sent.
    if (phase === 1) for (const last of this.#parcels[0].take()) this.#output.rows(0, last);
    for (const full of parcel.takeFull()) this.#output.rows(phase, full);
  }
}
