/** Nexmark in Evert: a query's plan as the engine makes it, the circuit alone on it, and the whole database. */
import type { Batch } from "../../src/batch/batch.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { carrierOf, type SqlType } from "../../src/batch/types.ts";
import { Circuit } from "../../src/dataflow/circuit.ts";
import { Feeder } from "../../src/engine/builds/feeder.ts";
import { type Db, open, table, topic } from "../../src/index.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { addReads, type Reads, wantsOf } from "../../src/plan/reads.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { takeTouched } from "../../src/views/step-changes.ts";
import { topicBatch } from "../topic-batch.ts";
import {
  columnsOf,
  type Round,
  schemas,
  sideInputColumns,
  sideInputSchema,
  TOPICS,
  type TopicName,
} from "./events.ts";
import { averageText, lineOf } from "./loops.ts";
import type { NexmarkQuery } from "./queries.ts";

const SIDE_INPUT_ROWS = 10_000;
const VIEW = 1_000_000;

const declared = {
  person: topic("person", { schema: columnsOf.person }),
  auction: topic("auction", { schema: columnsOf.auction }),
  bid: topic("bid", { schema: columnsOf.bid }),
};

const sideInput = table("side_input", { key: "key", schema: sideInputColumns });

export async function openNexmark(dir: string, workers = 0): Promise<Db> {
  const topics = [...TOPICS.map((name) => declared[name]), sideInput];
  const db = await open({ dir, topics, views: [], workers });
  await db.append(
    sideInput,
    Array.from({ length: SIDE_INPUT_ROWS }, (_, key) => ({ key, value: `value ${key}` })),
  );
  await db.settled();
  return db;
}

/** A query's plan as the engine itself makes it, and the ids its topics have in it. */
export interface Planned {
  readonly plan: Plan;
  readonly ids: ReadonlyMap<TopicName, number>;
  readonly sideInput: Batch;
  readonly sideInputId: number;
}

/** @throws what the engine refuses */
export async function defineView(db: Db, { name, sql }: NexmarkQuery): Promise<void> {
  const { error } = await db.engine.sql(`CREATE MATERIALIZED VIEW ${name} AS ${sql}`);
  if (error !== undefined) throw new Error(`${name}: ${error.message}`);
  await db.engine.built();
}

export async function planned(db: Db, query: NexmarkQuery): Promise<Planned> {
  await defineView(db, query);
  const { catalog, views } = db.engine.core;
  const { plan } = views.named(query.name).query!;
  await db.engine.dropView(query.name);
  return {
    plan,
    ids: new Map(TOPICS.map((name) => [name, catalog.topic(name).id])),
    sideInput: sideInputBatch(),
    sideInputId: catalog.topic("side_input").id,
  };
}

/** One step of the circuit for each round, in memory: columns to chunks, operators, the view's rows, and what of them has changed. */
export class CircuitContender {
  readonly circuit: Circuit;
  readonly #planned: Planned;
  readonly #feeders: ReadonlyMap<TopicName, Feeder>;
  readonly #wanted: (topic: TopicName) => (column: number) => boolean;
  #epoch = 0;
  /** Rows that left and rows that came. */
  changes = 0;
  longestStepMs = 0;

  constructor(query: Planned) {
    this.#planned = query;
    const dictionary = new Dictionary();
    this.circuit = new Circuit({ dictionary });
    for (const name of TOPICS) this.circuit.topics.addStream(query.ids.get(name)!, name);
    this.#feeders = new Map(TOPICS.map((name) => [name, new Feeder(schemas[name], dictionary)]));
    const { sideInput: side, sideInputId } = query;
    this.circuit.topics.addTable(sideInputId, "side_input", side.schema, [0]);
    this.circuit.addView(VIEW, "query", query.plan);
    const reads: Reads = new Map();
    addReads(query.plan, reads);
    this.#wanted = (topic) => wantsOf(reads, query.ids.get(topic)!);
    const feeder = new Feeder(side.schema, dictionary);
    this.#step(() => {
      const batch = topicBatch(sideInputId, side);
      for (let from = 0; from < side.length; ) {
        const next = feeder.fill(batch, from, side.length, 0, () => true);
        this.circuit.topics.feedTable(sideInputId, feeder.chunk, null, from);
        this.#run();
        from = next;
      }
    });
    this.longestStepMs = 0;
  }

  take({ batches }: Round): void {
    this.#step(() => {
      for (const [topic, batch] of batches) {
        const id = this.#planned.ids.get(topic)!;
        const feeder = this.#feeders.get(topic)!;
        const wanted = this.#wanted(topic);
        const late = (column: number) => this.circuit.topics.interest(id, column) === "late";
        const whole = topicBatch(id, batch);
        for (let from = 0; from < batch.length; ) {
          const next = feeder.fill(whole, from, batch.length, 0, wanted, late);
          this.circuit.topics.feedStream(id, feeder.chunk);
          this.#run();
          from = next;
        }
      }
    });
  }

  #step(feed: () => void): void {
    const started = performance.now();
    const { circuit } = this;
    const epoch = ++this.#epoch;
    circuit.begin(epoch);
    feed();
    circuit.end();
    this.#run();
    const touched = takeTouched(circuit.view(VIEW).store);
    if (touched !== null) this.changes += touched.died.length + touched.born.length;
    circuit.vacuum(epoch);
    this.longestStepMs = Math.max(this.longestStepMs, performance.now() - started);
  }

  #run(): void {
    while (!this.circuit.run(Number.POSITIVE_INFINITY));
  }

  /** @throws why the view stopped */
  check(): void {
    const { failed } = this.circuit.view(VIEW);
    if (failed !== null) throw failed;
  }

  /** The view's rows, as the loops by hand write theirs. */
  rows(): string[] {
    const { store, plan } = this.circuit.view(VIEW);
    const { fields } = plan.schema;
    const columns = fields.map(({ type }) => (isText(type) ? new Int32Array(1) : new Float64Array(1)));
    const nulls = fields.map(() => new Uint8Array(1));
    const rows: string[] = [];
    for (let slot = 0; slot < store.highWater; slot++) {
      if (!store.visible(slot, this.#epoch)) continue;
      store.read(slot, columns, nulls, 0);
      const values = fields.map(({ type }, c) => {
        const code = columns[c]![0]!;
        const value = isText(type) ? this.circuit.dictionary.string(code) : code;
        return type.name === "numeric" ? averageText(Number(value)) : value;
      });
      for (let n = 0; n < store.weight(slot); n++) rows.push(lineOf(values));
    }
    return rows;
  }

  get stateBytes(): number {
    let bytes = 0;
    for (const { store } of this.circuit.stores()) bytes += store.bytes;
    return bytes + this.circuit.dictionary.bytes;
  }
}

function isText(type: SqlType): boolean {
  return carrierOf(type) === "string";
}

function sideInputBatch(): Batch {
  const builder = new BatchBuilder(sideInputSchema);
  for (let key = 0; key < SIDE_INPUT_ROWS; key++) builder.appendValues([key, `value ${key}`]);
  return builder.finish();
}

/** Commits that wait for the disk at once. */
const IN_FLIGHT = 16;

/** Each round one commit; resolves when all are durable and every view shows them. */
export async function throughLog(db: Db, rounds: readonly Round[]): Promise<void> {
  const { committer, catalog } = db.engine.core;
  const waiting = rounds.values();
  const commit = async (): Promise<void> => {
    for (const { batches } of waiting) {
      await committer.commit(
        Array.from(
          batches,
          ([name, batch]) => ({ topic: catalog.topic(name), op: "batch", batch, ops: null }) as const,
        ),
      );
    }
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, commit));
  await db.settled();
}
