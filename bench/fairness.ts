/**
 * What a reader of one view notices of heavy work on others.
 *
 * A small view (what each of 100 sensors sent last) has a subscriber, and 1,000 readings a second come in, each a commit of its own. The numbers are
 * milliseconds from the moment a reading is due to the moment its subscriber has the changed row, durable: median, 99th percentile and the
 * worst; and the longest turn of the event loop meanwhile. The loop is open: a reading is due whether or not there was time to append it, so a
 * turn that takes long is paid for by every reading that was due in it. Everything is in one process: append, log, engine, subscriber.
 *
 * First with nothing else to do, then while
 * - one change fans out to 100,000 rows of another view, which leave and come again, once a second: a customer of 100,000 orders is renamed. Once
 *   nobody watches that view, once somebody does;
 * - a view is built over some millions of events of the log (EVERT_BENCH_EVENTS says how many; 2,000,000 if it does not);
 * - 100,000 changed rows are written to a checkpoint, once a second; and, in a new process's place, all there is;
 * - 400,000 events a second come into another topic, and their segments are sealed.
 *
 *   node --conditions=evert-source bench/fairness.ts [--only "a change"]      of the phases those whose name has this in it
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Db, int4, int8, open, sql, table, text, topic, view } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { type Noticed, Steady } from "./fairness/steady.ts";
import { latest, readings } from "./latency/app.ts";
import { type Measured, present } from "./report.ts";

const { values: flags } = parseArgs({ options: { only: { type: "string", default: "" } } });
const EVENTS = Number(process.env["EVERT_BENCH_EVENTS"] ?? 2_000_000);
const RATE = 1_000;
const FAN_OUT = 100_000;
const WARM_UP_SECONDS = 2;
const SECONDS = 8;
/** Most milliseconds wanted at the 99th percentile. */
const WANTED_P99 = 20;
const COMMIT_ROWS = 2_000;
/** Small enough that the history fills some dozens. */
const SEGMENT_BYTES = 8 << 20;

const customers = table("customers", { key: "id", schema: { id: int4, name: text } });
const orders = table("orders", { key: "id", schema: { id: int4, customer: int4, cents: int8 } });
const clicks = topic("clicks", { schema: { visitor: int4, page: int4, ms: int8 } });

const named = view(
  "named",
  sql<{ id: number; name: string; cents: number }>`
    SELECT o.id, c.name, o.cents FROM ${orders} o JOIN ${customers} c ON c.id = o.customer`,
);

const options = {
  topics: [readings, customers, orders, clicks],
  views: [latest, named],
  segmentBytes: SEGMENT_BYTES,
  checkpointIntervalMs: 0,
};

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const measured: Measured[] = [];
    const phase = async (db: Db, name: string, work: () => Promise<void>): Promise<void> => {
      if (!name.includes(flags.only)) return;
      const steady = new Steady(db, RATE);
      await steady.during(() => setTimeout(WARM_UP_SECONDS * 1000));
      measured.push(...told(name, await steady.during(work)));
      await steady.close();
    };
    let db = await open({ dir, ...options });
    await load(db);
    await phase(db, "nothing else", () => everySecond(async () => {}));
    await phase(db, "a change of 100,000 rows a second", () => everySecond((n) => rename(db, n)));
    const watching = watch(db);
    await phase(db, "the same, watched", () => everySecond((n) => rename(db, n)));
    await watching.stop();
    await phase(db, `views built over ${EVENTS.toLocaleString("en")} events`, () => buildAgain(db));
    await phase(db, "a checkpoint of 100,000 changed rows a second", () =>
      everySecond(async (n) => {
        await rename(db, n);
        await db.engine.checkpoint();
      }),
    );
    await phase(db, "400,000 events a second, sealed", () =>
      everySecond((n) => click(db, EVENTS + n * 400_000, 400_000)),
    );
    await db.close();
    // The first checkpoint of a process holds everything.
    await rm(join(dir, "checkpoint"), { recursive: true });
    db = await open({ dir, ...options });
    await phase(db, "a checkpoint of everything", async () => {
      await setTimeout(1000);
      await db.engine.checkpoint();
      await setTimeout(1000);
    });
    await db.close();
    return measured;
  });
}

async function everySecond(work: (n: number) => Promise<void>): Promise<void> {
  for (let n = 0; n < SECONDS; n++) {
    await Promise.all([work(n), setTimeout(1000)]);
  }
}

async function rename(db: Db, n: number): Promise<void> {
  await db.append(customers, { id: 1, name: `customer of ${performance.now()} and ${n}` });
}

async function buildAgain(db: Db): Promise<void> {
  const until = performance.now() + SECONDS * 1000;
  do {
    await db.sql(
      "CREATE MATERIALIZED VIEW pages AS SELECT page, count(*) AS clicks, max(ms) AS slowest FROM clicks GROUP BY page",
    );
    await db.engine.built();
    await db.sql("DROP MATERIALIZED VIEW pages");
  } while (performance.now() < until);
}

/** Takes what the view's subscribers are told, as it is sent, and does nothing with it. */
function watch(db: Db): { stop(): Promise<void> } {
  const stop = new AbortController();
  const watching = (async () => {
    for await (const _ of db.engine.subscribe([{ view: "named" }], { signal: stop.signal }));
  })();
  return {
    async stop() {
      stop.abort();
      await watching;
    },
  };
}

async function load(db: Db): Promise<void> {
  await db.append(customers, { id: 1, name: "one" });
  for (let from = 0; from < FAN_OUT; from += COMMIT_ROWS) {
    await db.append(
      orders,
      Array.from({ length: COMMIT_ROWS }, (_, i) => ({ id: from + i, customer: 1, cents: 100 + (i % 977) })),
    );
  }
  await click(db, 0, EVENTS);
  await db.settled();
  while (db.engine.stats().unsealedSegments > 0) await setTimeout(100);
}

async function click(db: Db, first: number, count: number): Promise<void> {
  for (let from = first; from < first + count; from += COMMIT_ROWS) {
    await db.append(
      clicks,
      Array.from({ length: COMMIT_ROWS }, (_, i) => ({
        visitor: (Math.imul(from + i, 2_654_435_761) >>> 0) % 100_003,
        page: (from + i) % 10_007,
        ms: (from + i) % 1_009,
      })),
    );
  }
}

function told(name: string, { latencies, longestTurnMs }: Noticed): Measured[] {
  const at = (p: number): number =>
    latencies[Math.min(latencies.length - 1, Math.ceil((latencies.length * p) / 100) - 1)]!;
  return [
    { name: `${name}: p50`, unit: "ms", value: at(50) },
    { name: `${name}: p99`, unit: "ms", value: at(99), most: WANTED_P99 },
    { name: `${name}: worst`, unit: "ms", value: at(100) },
    { name: `${name}: longest turn`, unit: "ms", value: longestTurnMs },
  ];
}

await present(measure);
