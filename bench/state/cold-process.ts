/**
 * What bench/cold.ts measures, in a process of its own: argv is the directory, what to do ("run"; "warm": the same with all rows in memory; "open"), the limit
 * in MiB, the seconds of each part, and "views" where reads are of a view with a row for each of the table's, or "joined" where the table is joined with another.
 */
import { Worker } from "node:worker_threads";
import type { Db } from "../../src/index.ts";
import {
  batchFrom,
  batchOf,
  type Made,
  openAccounts,
  PAYMENTS_PER_ACCOUNT,
  paymentsOf,
  type RawAccounts,
} from "./accounts.ts";
import { type Due, nowMs, type PaceRequest } from "./pace.ts";
import { Zipf } from "./zipf.ts";

export interface ColdReport {
  readonly rows: number;
  /** In memory, in multiples of the limit. */
  readonly wouldTake: number;
  readonly loadedPerSecond: number;
  readonly changesPerSecond: number;
  /** Of the keys changed, the share that was not in memory. */
  readonly missed: number;
  readonly busy: Paced;
  readonly pace: number;
  readonly paced: Paced;
  readonly stateMost: number;
  readonly processMb: number;
  readonly diskMb: number;
}

export interface ReopenReport {
  readonly firstAnswerMs: number;
}

interface Paced {
  readonly p50: number;
  readonly p99: number;
  /** How late the clock itself was, p99: it has a processor of its own, or the times of reads are not the engine's alone. */
  readonly late: number;
  readonly changes: number;
  readonly perSecond: number;
}

/** Of a row of the table; and of one with its group and the view's row. */
const TABLE_ROW_BYTES = 54;
const ALL_ROWS_BYTES = 186;
/** Of one with its payments, which are found by their account, too. */
const JOINED_ROWS_BYTES = 206;
const COMMIT_ROWS = 1000;
/** Commits that are not acknowledged yet, at most: where changes come as fast as they are taken, and where they have a pace. */
const UNDER_WAY = 5;
const UNDER_WAY_PACED = 64;
const READS_PER_SECOND = 100;
const PACE = 50_000;

const [dir = "", mode, limitMib, seconds, kind] = process.argv.slice(2);
const made = kind as Made;
const isOfViews = made === "views";
const limit = Number(limitMib) * 2 ** 20;
const rowBytes = { table: TABLE_ROW_BYTES, views: ALL_ROWS_BYTES, joined: JOINED_ROWS_BYTES }[made];
const rows = Math.ceil((8 * limit) / rowBytes);
const read = isOfViews ? "SELECT level FROM per_account" : "SELECT level FROM accounts";

const zipf = new Zipf(rows);
let stateMost = 0;
let processMost = 0;

let looks = 0;

function look(db: Db): void {
  if (looks++ % 16 !== 0) return;
  stateMost = Math.max(stateMost, db.engine.stats().stateBytes);
  processMost = Math.max(processMost, process.memoryUsage.rss());
}

async function append(db: Db, total: number, ids: () => number, goOn: () => boolean): Promise<number> {
  const pending: Promise<unknown>[] = [];
  let done = 0;
  for (; done < total && goOn(); done += COMMIT_ROWS) {
    const keys = Float64Array.from({ length: Math.min(COMMIT_ROWS, total - done) }, ids);
    pending.push(
      db.engine.appendBatch("accounts", batchOf(db, "accounts", keys, 1 + ((done / COMMIT_ROWS) % 1000))),
    );
    if (pending.length > 4) await pending.shift();
    look(db);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  await db.settled();
  return done;
}

/**
 * Changes and, beside them, reads by key, each asked for when the clock on its own thread says so (pace.ts). `changesPerSecond` null: as fast as they are taken.
 * The time of a read is that from when it was due to its answer.
 */
async function readsDuring(db: Db, changesPerSecond: number | null): Promise<Paced> {
  const taken = new SharedArrayBuffer(4);
  const pace = { ms: Number(seconds) * 1000, keys: rows };
  const took: number[] = [];
  const late: number[] = [];
  const waits: { rows: RawAccounts }[] = [];
  let underWay = 0;
  let changes = 0;
  const began = performance.now();
  const most = changesPerSecond === null ? UNDER_WAY : UNDER_WAY_PACED;
  const readOne = async (key: number, due: number): Promise<void> => {
    const { results, error } = await db.engine.sql(`${read} WHERE id = ${key}`);
    if (error !== undefined || results[0]?.rowsText().length !== 1)
      throw new Error(`row ${key} was not read: ${error?.message}`);
    took.push(nowMs() - due);
  };
  const work: Promise<unknown>[] = [];
  const change = async (raw: RawAccounts): Promise<void> => {
    underWay++;
    changes += COMMIT_ROWS;
    look(db);
    await db.engine.appendBatch("accounts", batchFrom(db, "accounts", raw));
    underWay--;
    Atomics.add(new Int32Array(taken), 0, 1);
    Atomics.notify(new Int32Array(taken), 0);
    const next = waits.shift();
    if (next !== undefined) await change(next.rows);
  };
  const told = (request: PaceRequest): Promise<void> =>
    new Promise((resolve, reject) => {
      const clock = new Worker(new URL("./pace.ts", import.meta.url), { workerData: request });
      clock.on("error", reject);
      clock.on("message", (message: Due) => {
        if (message.kind === "over") return resolve();
        if (message.kind === "read") {
          late.push(message.sent - message.due);
          work.push(readOne(message.key, message.due));
        } else if (underWay < most) work.push(change(message.rows));
        else waits.push(message);
      });
    });
  await Promise.all([
    told({ ...pace, kind: "reads", perSecond: READS_PER_SECOND }),
    told({ ...pace, kind: "changes", perSecond: changesPerSecond, commitRows: COMMIT_ROWS, taken }),
  ]);
  await Promise.all(work);
  if (changesPerSecond === null) await db.settled();
  const at = (values: number[], part: number): number =>
    values[Math.floor(values.length * part)] ?? Number.NaN;
  took.sort((a, b) => a - b);
  late.sort((a, b) => a - b);
  const perSecond = (changes / (performance.now() - began)) * 1000;
  return { p50: at(took, 0.5), p99: at(took, 0.99), late: at(late, 0.99), changes, perSecond };
}

/** Accounts, and beside them payments of any account, also of those that are yet to come. How many rows there are then. */
async function loadJoined(db: Db): Promise<number> {
  const pending: Promise<unknown>[] = [];
  const { engine } = db;
  const upTo = (from: number, to: number) => Float64Array.from({ length: to - from }, (_, i) => from + i);
  for (let from = 0; from < rows; from += COMMIT_ROWS) {
    const to = Math.min(rows, from + COMMIT_ROWS);
    pending.push(engine.appendBatch("accounts", batchOf(db, "accounts", upTo(from, to), 1)));
    const paid = upTo(from * PAYMENTS_PER_ACCOUNT, to * PAYMENTS_PER_ACCOUNT);
    pending.push(engine.appendBatch("payments", paymentsOf(db, paid, rows)));
    while (pending.length > 4) await pending.shift();
    look(db);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  await db.settled();
  return rows * (1 + PAYMENTS_PER_ACCOUNT);
}

async function run(): Promise<ColdReport> {
  const db = await openAccounts(dir, 5000, console.error, mode === "warm" ? 32 * limit : limit, made);
  let next = 0;
  const started = performance.now();
  const loaded =
    made === "joined"
      ? await loadJoined(db)
      : await append(
          db,
          rows,
          () => next++,
          () => true,
        );
  const loadedPerSecond = (loaded / (performance.now() - started)) * 1000;
  // The frequent ones come into memory.
  await append(
    db,
    2_000_000,
    () => zipf.key(),
    () => true,
  );
  const { core } = db.engine;
  const store = isOfViews
    ? core.views.named("per_account").node!.store
    : core.tables.store(core.catalog.entry("accounts")!.id)!;
  const before = store.cold?.brought ?? 0;
  const busy = await readsDuring(db, null);
  const missed = ((store.cold?.brought ?? 0) - before) / busy.changes;
  const paced = await readsDuring(db, PACE);
  await db.engine.checkpoint();
  look(db);
  return {
    rows,
    wouldTake: (rows * rowBytes) / limit,
    loadedPerSecond,
    changesPerSecond: busy.perSecond,
    missed,
    busy,
    pace: Math.round(paced.perSecond),
    paced,
    stateMost: stateMost / limit,
    processMb: processMost / 1e6,
    diskMb: core.runFiles.bytes / 1e6,
  };
}

async function reopen(): Promise<ReopenReport> {
  const started = performance.now();
  const db = await openAccounts(dir, 5000, console.error, limit, made);
  await db.engine.sql(`${read} WHERE id = 1`);
  return { firstAnswerMs: performance.now() - started };
}

process.send?.(mode === "open" ? await reopen() : await run());
