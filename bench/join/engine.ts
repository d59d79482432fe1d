/** The engine at the same job: at the level of the circuit (columns in, view's rows out), and as a program sees it (through the log). */
import type { Batch } from "../../src/batch/batch.ts";
import { Circuit } from "../../src/dataflow/circuit.ts";
import { Feeder } from "../../src/engine/builds/feeder.ts";
import { type Db, int4, open, sql, table, text, view } from "../../src/index.ts";
import type { TopicBatch } from "../../src/log/log.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { takeTouched } from "../../src/views/step-changes.ts";
import { withDirectory } from "../directory.ts";
import { topicBatch } from "../topic-batch.ts";
import {
  type Answer,
  customerBatch,
  customerSchema,
  type Group,
  orderBatch,
  orderSchema,
  type Workload,
} from "./workload.ts";

export const orders = table("orders", {
  key: "id",
  schema: { id: int4, customer_id: int4, amount: int4 },
});
export const customers = table("customers", { key: "id", schema: { id: int4, region: text } });

interface Row {
  region: string;
  total: number;
  orders: number;
}

export const byRegion = view(
  "by_region",
  sql<Row>`
    SELECT c.region, sum(o.amount) AS total, count(*) AS orders
    FROM ${orders} o JOIN ${customers} c ON c.id = o.customer_id GROUP BY c.region`,
);

/** The view's plan, and the ids its tables have in it. */
export interface Planned {
  readonly plan: Plan;
  readonly ordersId: number;
  readonly customersId: number;
}

/** As the engine itself plans it. */
export function planned(): Promise<Planned> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir, topics: [orders, customers], views: [byRegion] });
    const { catalog, views } = db.engine.core;
    return {
      plan: views.named("by_region").query!.plan,
      ordersId: catalog.topic("orders").id,
      customersId: catalog.topic("customers").id,
    };
  });
}

/** One group's batches as they come out of the log, or of a commit: made before the clock starts. */
interface Batches {
  readonly orders: TopicBatch;
  readonly customers: TopicBatch | null;
}

export function groupBatches({ groups }: Workload, { ordersId, customersId }: Planned): Batches[] {
  return groups.map(({ orders: o, customers: c }) => ({
    orders: topicBatch(ordersId, orderBatch(o), o.ops),
    customers: c.length === 0 ? null : topicBatch(customersId, customerBatch(c), null),
  }));
}

/** One step of the circuit for each group: columns to chunks, tables, join, group, view, and what of the view has changed. */
export class CircuitContender {
  readonly circuit: Circuit;
  readonly #planned: Planned;
  readonly #dictionary = new Dictionary();
  readonly #orders: Feeder;
  readonly #customers: Feeder;
  #epoch = 0;
  changes = 0;

  constructor(workload: Workload, plan: Planned) {
    this.#planned = plan;
    this.circuit = new Circuit({ dictionary: this.#dictionary });
    this.#orders = new Feeder(orderSchema, this.#dictionary);
    this.#customers = new Feeder(customerSchema, this.#dictionary);
    this.circuit.topics.addTable(plan.ordersId, "orders", orderSchema, [0]);
    this.circuit.topics.addTable(plan.customersId, "customers", customerSchema, [0]);
    this.circuit.addView(1000, "by_region", plan.plan);
    this.take({
      orders: null,
      customers: topicBatch(plan.customersId, customerBatch(workload.customers), null),
    });
  }

  take({ orders: o, customers: c }: { orders: TopicBatch | null; customers: TopicBatch | null }): void {
    const { circuit } = this;
    const { ordersId, customersId } = this.#planned;
    const epoch = ++this.#epoch;
    circuit.begin(epoch);
    if (o !== null) this.#feed(this.#orders, ordersId, o);
    if (c !== null) this.#feed(this.#customers, customersId, c);
    circuit.end();
    while (!circuit.run(Number.POSITIVE_INFINITY));
    this.changes += takeTouched(circuit.view(1000).store)?.born.length ?? 0;
    circuit.vacuum(epoch);
  }

  answer(): Answer {
    const { store } = this.circuit.view(1000);
    const answer = new Map<string, [number, number]>();
    const row = {
      columns: [new Int32Array(1), new Float64Array(1), new Float64Array(1)],
      nulls: [null, new Uint8Array(1), null],
    };
    for (let slot = 0; slot < store.highWater; slot++) {
      if (!store.visible(slot, this.#epoch)) continue;
      store.read(slot, row.columns, row.nulls, 0);
      answer.set(this.#dictionary.string(row.columns[0]![0]!), [row.columns[1]![0]!, row.columns[2]![0]!]);
    }
    return answer;
  }

  #feed(feeder: Feeder, id: number, batch: TopicBatch): void {
    const { length } = batch.batch;
    for (let from = 0; from < length; ) {
      const next = feeder.fill(batch, from, length, 0, () => true);
      this.circuit.topics.feedTable(id, feeder.chunk, batch.ops, from);
      while (!this.circuit.run(Number.POSITIVE_INFINITY));
      from = next;
    }
  }
}

/** Commits that wait for the disk at once. */
const IN_FLIGHT = 16;

/** The workload as commits of one group each; resolves when all are durable and the view shows them. */
export async function throughLog(db: Db, workload: Workload): Promise<void> {
  const { committer } = db.engine.core;
  const groups = workload.groups.values();
  const commit = async (): Promise<void> => {
    for (const group of groups) await committer.commit(partsOf(db, group));
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, commit));
  await db.settled();
}

export async function appendCustomers(db: Db, workload: Workload): Promise<void> {
  await db.engine.appendBatch("customers", customerBatch(workload.customers));
  await db.settled();
}

function partsOf(db: Db, { orders: o, customers: c }: Group) {
  const { catalog } = db.engine.core;
  const part = (name: string, batch: Batch, ops: Uint8Array | null) =>
    ({ topic: catalog.topic(name), op: "batch", batch, ops }) as const;
  const parts = [part("orders", orderBatch(o), o.ops)];
  return c.length === 0 ? parts : [...parts, part("customers", customerBatch(c), null)];
}

export async function answerOf(db: Db): Promise<Answer> {
  const rows = await db.view(byRegion).rows();
  return new Map(rows.map((r) => [r.region, [r.total, r.orders]]));
}
