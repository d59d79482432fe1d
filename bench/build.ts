/**
 * Building a view from the log on disk.
 *
 * The log has the events of bench/join.ts (a million orders, with changes and deletions, in durable commits of 1,000). The number is events
 * per second from CREATE MATERIALIZED VIEW to its first answer: frames read and checked, columns decoded, operators, the view's rows.
 * Beside it the circuit of bench/join.ts on the same events, in memory and in the same run; the ratio says what reading the log
 * costs, and that history takes the same path.
 *
 * - "opened without a checkpoint": tables and view, from the log alone.
 * - "new view over tables": the database is running and its tables have their rows, which are read instead of the log.
 * - "new view over a stream": the database is running; a million records of a topic are read from disk, joined and grouped.
 *
 *   node --conditions=evert-source bench/build.ts
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { type Db, int4, open, topic } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import {
  appendCustomers,
  byRegion,
  CircuitContender,
  customers,
  groupBatches,
  orders,
  planned,
  throughLog,
} from "./join/engine.ts";
import { makeWorkload, orderBatch, REGIONS } from "./join/workload.ts";
import { type Measured, present, turns } from "./report.ts";

const EVENTS = 1_000_000;
const placed = topic("placed", { schema: { id: int4, customer_id: int4, amount: int4 } });
const topics = [orders, customers, placed];

function selectFrom(relation: string): string {
  return `SELECT c.region, sum(o.amount) AS total, count(*) AS orders
    FROM ${relation} o JOIN customers c ON c.id = o.customer_id GROUP BY c.region`;
}

async function measure(): Promise<Measured[]> {
  const workload = makeWorkload(EVENTS);
  const plan = await planned();
  const batches = groupBatches(workload, plan);
  return withDirectory(async (dir) => {
    await fill(dir, workload);
    const rates = await turns(3, {
      circuit: () => {
        const contender = new CircuitContender(workload, plan);
        return rate(() => {
          for (const group of batches) contender.take(group);
        });
      },
      reopened: () => reopened(dir),
      tables: () => created(dir, "orders"),
      stream: () => created(dir, "placed"),
    });
    const { circuit } = rates;
    return [
      beside("opened without a checkpoint", rates.reopened, circuit),
      beside("new view over tables", rates.tables, circuit),
      beside("new view over a stream", rates.stream, circuit),
    ];
  });
}

async function fill(dir: string, workload: ReturnType<typeof makeWorkload>): Promise<void> {
  const db: Db = await open({ dir, topics, views: [] });
  await appendCustomers(db, workload);
  await throughLog(db, workload);
  const { schema } = db.engine.topic("placed");
  for (const { orders: o } of workload.groups) {
    await db.engine.appendBatch("placed", { ...orderBatch(o), schema });
  }
  await db.close();
}

/** Nothing but the log is there. */
async function reopened(dir: string): Promise<number> {
  await rm(join(dir, "checkpoint"), { recursive: true, force: true });
  let db: Db | undefined;
  const result = await rate(async () => {
    db = await open({ dir, topics, views: [byRegion] });
    await db.settled();
    await db.view(byRegion).rows();
  });
  await db!.close();
  return result;
}

async function created(dir: string, relation: string): Promise<number> {
  const db = await open({ dir, topics, views: [] });
  // A view that says the same would share its parts with the new one.
  await db.engine.sql("DROP MATERIALIZED VIEW IF EXISTS by_region");
  await db.settled();
  const result = await rate(async () => {
    const { error } = await db.engine.sql(`CREATE MATERIALIZED VIEW built AS ${selectFrom(relation)}`);
    if (error !== undefined) throw new Error(error.message);
    await db.engine.built();
  });
  const { results } = await db.engine.sql("SELECT * FROM built");
  if (results[0]?.rowCount !== REGIONS) throw new Error("the view built has other rows than it should");
  await db.engine.sql("DROP MATERIALIZED VIEW built");
  await db.close();
  return result;
}

async function rate(run: () => Promise<void> | void): Promise<number> {
  const started = performance.now();
  await run();
  return (EVENTS * 1000) / (performance.now() - started);
}

function beside(name: string, value: number, circuit: number): Measured {
  return { name, unit: "events/s", value, peer: "circuit in memory", peerValue: circuit };
}

await present(measure);
