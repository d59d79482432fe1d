/**
 * What things cost, by how much there is: the measurements behind docs/SCALE.md.
 *
 * A table of accounts (id, branch, balance) with 10^4, 10^5, 10^6 rows (and 10^7 with --largest 7) and two views of it: sums by branch, and the accounts
 * joined with their branch. At each size:
 *
 * - "event": nanoseconds of this thread's processor time for one changed row, from the append to both views, in commits of 1,000 rows of random ids;
 *   durable, but what the disk takes is no processor time. The best of several rounds.
 * - "lone event": the same for commits of one row, each awaited.
 * - "read of a key": nanoseconds for one row of the joined view by its key.
 * - "row of state": bytes of table, indexes and both views by row of the table.
 * - "restart": milliseconds from open() to the first answer, from a checkpoint.
 *
 * Then subscribers of the joined view over 10^5 accounts, 10 to 10^4 of them (10^5 with --largest 7), in this process:
 *
 * - "commit, N watch a key each": microseconds of processor time for a commit that changes 100 random rows, the best of several rounds; each subscriber
 *   watches one row.
 * - "commit, N watch a view": the same for subscribers of the sums of ten branches, each told of every commit.
 * - "watching begins": microseconds for one subscriber of a key, until it has its row.
 *
 * "what a tenfold adds" fits cost = a + b · log10(rows) by least squares, "each subscriber adds" cost = a + b · subscribers.
 *
 *   node --conditions=evert-source bench/scale.ts [--largest 7]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Batch } from "../src/batch/batch.ts";
import { BatchBuilder } from "../src/batch/builder.ts";
import { type Db, int4, int8, open, table, text } from "../src/index.ts";
import { SeededRandom } from "../src/testing/seeded-random.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, present, threadMs } from "./report.ts";
import { lineFit } from "./scale/fit.ts";

const { values } = parseArgs({ options: { largest: { type: "string", default: "6" } } });
const LARGEST = Number(values.largest);
const BRANCHES = 1_000;
const FILL_ROWS = 10_000;
const COMMIT_ROWS = 1_000;
const COMMITS = 100;
const LONE_COMMITS = 300;
const READS = 5_000;
const ROUNDS = 3;
const WATCHED_ROWS = 100_000;
const WATCHED_COMMIT_ROWS = 100;
const WATCHED_COMMITS = 30;
const WATCHED_ROUNDS = 6;
const WATCHERS_OF_ALL = 10_000;

const accounts = table("accounts", { key: "id", schema: { id: int4, branch: int4, balance: int8 } });
const branches = table("branches", { key: "branch", schema: { branch: int4, name: text } });

const VIEWS = {
  by_branch: "SELECT branch, count(*) AS n, sum(balance) AS total FROM accounts GROUP BY branch",
  named: "SELECT a.id, b.name, a.balance FROM accounts a JOIN branches b ON b.branch = a.branch",
  few: "SELECT branch, sum(balance) AS total FROM accounts WHERE branch < 10 GROUP BY branch",
};

interface Costs {
  readonly event: number;
  readonly lone: number;
  readonly read: number;
  readonly bytes: number;
  readonly restart: number;
}

async function measure(): Promise<Measured[]> {
  const sizes: [number, Costs][] = [];
  for (let exponent = 4; exponent <= LARGEST; exponent++) {
    sizes.push([exponent, await withDirectory((dir) => costsAt(join(dir, "db"), 10 ** exponent))]);
  }
  const { keyed, whole, begins } = await withDirectory((dir) => subscribers(join(dir, "db")));
  const lines = (name: string, unit: string, of: (costs: Costs) => number): Measured[] => [
    ...sizes.map(([exponent, costs]) => ({ name: `${name}, 10^${exponent} rows`, unit, value: of(costs) })),
    { name: `${name}, what a tenfold adds`, unit, value: lineFit(sizes.map(([e, c]) => [e, of(c)])).slope },
  ];
  return [
    ...lines("event", "ns", (c) => c.event),
    ...lines("lone event", "ns", (c) => c.lone),
    ...lines("read of a key", "ns", (c) => c.read),
    ...lines("row of state", "bytes", (c) => c.bytes),
    ...lines("restart", "ms", (c) => c.restart),
    ...keyed.map(([n, value]) => ({ name: `commit, ${n} watch a key each`, unit: "µs", value })),
    { name: "each subscriber adds", unit: "µs", value: lineFit(keyed).slope },
    ...whole.map(([n, value]) => ({ name: `commit, ${n} watch a view`, unit: "µs", value })),
    { name: "each subscriber adds", unit: "µs", value: lineFit(whole).slope },
    { name: "watching begins", unit: "µs", value: begins },
  ];
}

async function costsAt(dir: string, rows: number): Promise<Costs> {
  const random = new SeededRandom(rows);
  const db = await filled(dir, rows);
  const bytes = db.engine.stats().stateBytes / rows;
  let event = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const batches = Array.from({ length: COMMITS }, () => batchOf(COMMIT_ROWS, () => random.below(rows)));
    event = Math.min(event, await threadNs(COMMITS * COMMIT_ROWS, () => appendAll(db, batches)));
  }
  const ones = Array.from({ length: LONE_COMMITS }, () => batchOf(1, () => random.below(rows)));
  const lone = await threadNs(LONE_COMMITS, async () => {
    for (const batch of ones) await db.engine.appendBatch("accounts", batch);
    await db.settled();
  });
  const named = db.view("named");
  const read = await threadNs(READS, async () => {
    for (let i = 0; i < READS; i++) await named.get(random.below(rows));
  });
  await db.close();
  const started = performance.now();
  const again = await open({ dir, topics: [accounts, branches], views: [] });
  if ((await again.view("named").get(rows - 1)) === null) throw new Error("the last row is gone");
  const restart = performance.now() - started;
  await again.close();
  return { event, lone, read, bytes, restart };
}

async function filled(dir: string, rows: number): Promise<Db> {
  // Checkpoints are measured elsewhere (state.ts); closing makes one.
  const db = await open({ dir, topics: [accounts, branches], views: [], checkpointIntervalMs: 0 });
  await db.append(
    branches,
    Array.from({ length: BRANCHES }, (_, branch) => ({ branch, name: `branch ${branch}` })),
  );
  for (const [name, query] of Object.entries(VIEWS)) {
    const { error } = await db.engine.sql(`CREATE MATERIALIZED VIEW ${name} AS ${query}`);
    if (error !== undefined) throw new Error(error.message);
  }
  for (let from = 0; from < rows; from += FILL_ROWS) {
    await db.engine.appendBatch(
      "accounts",
      batchOf(FILL_ROWS, (i) => from + i),
    );
  }
  await db.settled();
  return db;
}

function batchOf(rows: number, id: (i: number) => number): Batch {
  const builder = new BatchBuilder(accounts.schema);
  for (let i = 0; i < rows; i++) {
    const account = id(i);
    builder.appendRow({ id: account, branch: account % BRANCHES, balance: (account * 7919 + i) % 100_000 });
  }
  return builder.finish();
}

/** A few commits at a time: as a busy server has them. */
async function appendAll(db: Db, batches: readonly Batch[]): Promise<void> {
  for (let i = 0; i < batches.length; i += 8) {
    await Promise.all(batches.slice(i, i + 8).map((batch) => db.engine.appendBatch("accounts", batch)));
  }
  await db.settled();
}

async function threadNs(times: number, work: () => Promise<void>): Promise<number> {
  const before = threadMs();
  await work();
  return ((threadMs() - before) * 1e6) / times;
}

// ---- subscribers ------------------------------------------------------------------------------------------------

interface Watching {
  /** Subscribers -> microseconds of a commit. */
  readonly keyed: [number, number][];
  readonly whole: [number, number][];
  begins: number;
}

async function subscribers(dir: string): Promise<Watching> {
  const db = await filled(dir, WATCHED_ROWS);
  const counts = [0];
  for (let exponent = 1; exponent <= LARGEST - 2; exponent++) counts.push(10 ** exponent);
  const watching: Watching = { keyed: [], whole: [], begins: 0 };
  await commitUs(db); // what follows is compiled by then
  for (const count of counts) {
    const begun = threadMs();
    const keyed = await watchersOf(db, count, "named", (i) => (i * 7919) % WATCHED_ROWS);
    if (count > 0) watching.begins = ((threadMs() - begun) * 1000) / count;
    watching.keyed.push([count, await commitUs(db)]);
    await keyed.stop();
    if (count > WATCHERS_OF_ALL) continue;
    const whole = await watchersOf(db, count, "few", () => undefined);
    watching.whole.push([count, await commitUs(db)]);
    await whole.stop();
  }
  await db.close();
  return watching;
}

/** The best of several rounds; the first ones are still being compiled. */
async function commitUs(db: Db): Promise<number> {
  const random = new SeededRandom(7);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < WATCHED_ROUNDS; round++) {
    const batches = Array.from({ length: WATCHED_COMMITS }, () =>
      batchOf(WATCHED_COMMIT_ROWS, () => random.below(WATCHED_ROWS)),
    );
    const ns = await threadNs(WATCHED_COMMITS, async () => {
      for (const batch of batches) {
        await db.engine.appendBatch("accounts", batch);
        await db.settled();
      }
      // Subscribers take what they were told in turns of their own.
      await new Promise<void>((resolve) => setImmediate(resolve));
    });
    best = Math.min(best, ns / 1000);
  }
  return best;
}

/** Each has had its first rows, and reads on. */
async function watchersOf(
  db: Db,
  count: number,
  view: string,
  key: (i: number) => unknown,
): Promise<{ stop(): Promise<void> }> {
  const stopping = new AbortController();
  const began: Promise<void>[] = [];
  const ended: Promise<void>[] = [];
  for (let i = 0; i < count; i++) {
    const target = key(i) === undefined ? { view } : { view, key: key(i) };
    const items = db.engine.subscribe([target], { signal: stopping.signal });
    began.push(
      new Promise((resolve, reject) => {
        const read = async (): Promise<void> => {
          for await (const item of items) if (item.type === "snapshot" && item.last) resolve();
        };
        ended.push(read().catch(reject));
      }),
    );
    // The first rows of many at once would be looked for side by side.
    if (i % 100 === 99) await Promise.all(began);
  }
  await Promise.all(began);
  return {
    stop: async () => {
      stopping.abort();
      await Promise.all(ended);
    },
  };
}

await present(measure);
