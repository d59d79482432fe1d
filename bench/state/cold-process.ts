/**
 * What bench/cold.ts measures, in a process of its own: argv is the directory, what to do ("run"; "warm": the same with all rows in memory; "open"), the limit
 * in MiB, the seconds of each part, and "views" where reads are of a view with a row for each of the table's.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { Db } from "../../src/index.ts";
import { batchOf, openAccounts } from "./accounts.ts";

export interface ColdReport {
  readonly rows: number;
  /** In memory, in multiples of the limit. */
  readonly wouldTake: number;
  readonly loadedPerSecond: number;
  readonly changesPerSecond: number;
  /** Of the keys changed, the share that was not in memory. */
  readonly missed: number;
  readonly busy: Reads;
  readonly pace: number;
  readonly paced: Reads;
  readonly stateMost: number;
  readonly processMb: number;
  readonly diskMb: number;
}

export interface ReopenReport {
  readonly firstAnswerMs: number;
}

interface Reads {
  readonly p50: number;
  readonly p99: number;
}

/** Of a row of the table; and of one with its group and the view's row. */
const TABLE_ROW_BYTES = 54;
const ALL_ROWS_BYTES = 186;
const COMMIT_ROWS = 1000;
const READS_PER_SECOND = 100;
const PACE = 50_000;

const [dir = "", mode, limitMib, seconds, kind] = process.argv.slice(2);
const isOfViews = kind === "views";
const limit = Number(limitMib) * 2 ** 20;
const rowBytes = isOfViews ? ALL_ROWS_BYTES : TABLE_ROW_BYTES;
const rows = Math.ceil((8 * limit) / rowBytes);
const read = isOfViews ? "SELECT level FROM per_account" : "SELECT level FROM accounts";

/** Ranks by Zipf's law, drawn by rejection (Hörmann and Derflinger 1996), scattered over the keys. */
class Zipf {
  readonly #exponent = 0.99;
  readonly #first: number;
  readonly #all: number;
  readonly #threshold: number;

  constructor() {
    this.#first = this.#integral(1.5) - 1;
    this.#all = this.#integral(rows + 0.5);
    this.#threshold = 2 - this.#inverse(this.#integral(2.5) - 2 ** -this.#exponent);
  }

  #integral(x: number): number {
    return (x ** (1 - this.#exponent) - 1) / (1 - this.#exponent);
  }

  #inverse(x: number): number {
    return Math.max(1, (1 + x * (1 - this.#exponent)) ** (1 / (1 - this.#exponent)));
  }

  key(): number {
    for (;;) {
      const u = this.#all + Math.random() * (this.#first - this.#all);
      const x = this.#inverse(u);
      const rank = Math.min(rows, Math.max(1, Math.round(x)));
      if (rank - x <= this.#threshold || u >= this.#integral(rank + 0.5) - rank ** -this.#exponent)
        return (rank * 2_654_435_761) % rows;
    }
  }
}

const zipf = new Zipf();
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

/** Reads by key, each asked for when it is due, while `work` goes on. */
async function readsDuring(db: Db, work: Promise<unknown>): Promise<Reads> {
  let isOver = false;
  const over = work.finally(() => {
    isOver = true;
  });
  const took: number[] = [];
  const reads: Promise<void>[] = [];
  const began = performance.now();
  for (let n = 0; !isOver; n++) {
    const due = began + (n * 1000) / READS_PER_SECOND;
    const wait = due - performance.now();
    if (wait > 0) await sleep(wait);
    const key = zipf.key();
    const readOne = async (): Promise<void> => {
      const { results, error } = await db.sql(`${read} WHERE id = ${key}`);
      if (error !== undefined || results[0]?.rowsText().length !== 1)
        throw new Error(`row ${key} was not read: ${error?.message}`);
      took.push(performance.now() - due);
    };
    reads.push(readOne());
  }
  await over;
  await Promise.all(reads);
  took.sort((a, b) => a - b);
  const at = (part: number): number => took[Math.floor(took.length * part)] ?? Number.NaN;
  return { p50: at(0.5), p99: at(0.99) };
}

async function run(): Promise<ColdReport> {
  const db = await openAccounts(dir, 5000, console.error, mode === "warm" ? 32 * limit : limit, isOfViews);
  let next = 0;
  let started = performance.now();
  await append(
    db,
    rows,
    () => next++,
    () => true,
  );
  const loadedPerSecond = (rows / (performance.now() - started)) * 1000;
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
  started = performance.now();
  const ends = started + Number(seconds) * 1000;
  const changing = append(
    db,
    Number.POSITIVE_INFINITY,
    () => zipf.key(),
    () => performance.now() < ends,
  );
  const busy = await readsDuring(db, changing);
  const changes = await changing;
  const changesPerSecond = (changes / (performance.now() - started)) * 1000;
  const missed = ((store.cold?.brought ?? 0) - before) / changes;
  started = performance.now();
  let given = 0;
  const pending: Promise<unknown>[] = [];
  const paced = await readsDuring(
    db,
    (async () => {
      while (performance.now() < started + Number(seconds) * 1000) {
        given += COMMIT_ROWS;
        const due = started + (given * 1000) / PACE;
        if (due > performance.now()) await sleep(due - performance.now());
        const keys = Float64Array.from({ length: COMMIT_ROWS }, () => zipf.key());
        pending.push(db.engine.appendBatch("accounts", batchOf(db, "accounts", keys, given % 1000)));
        if (pending.length > 64) await pending.shift();
        look(db);
      }
      await Promise.all(pending);
    })(),
  );
  await db.engine.checkpoint();
  look(db);
  return {
    rows,
    wouldTake: (rows * rowBytes) / limit,
    loadedPerSecond,
    changesPerSecond,
    missed,
    busy,
    pace: Math.round((given / (performance.now() - started)) * 1000),
    paced,
    stateMost: stateMost / limit,
    processMb: processMost / 1e6,
    diskMb: core.runFiles.bytes / 1e6,
  };
}

async function reopen(): Promise<ReopenReport> {
  const started = performance.now();
  const db = await openAccounts(dir, 5000, console.error, limit, isOfViews);
  await db.sql(`${read} WHERE id = 1`);
  return { firstAnswerMs: performance.now() - started };
}

process.send?.(mode === "open" ? await reopen() : await run());
