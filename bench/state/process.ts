/**
 * A process that holds a large table: it is told what to do, and tells what it measured. A process of its own, since a restart begins without
 * compiled code, and a crash ends one.
 *
 *   node bench/state/process.ts DIRECTORY ROWS load|open
 */
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Db } from "../../src/index.ts";
import { threadMs } from "../report.ts";
import { BRANCHES, batchFrom, openAccounts } from "./accounts.ts";
import { made } from "./making.ts";
import { pausesDuring } from "./pauses.ts";

export interface Loaded {
  readonly bytesPerRow: number;
  readonly rowsPerSecond: number;
  readonly gcMs: number;
  readonly turnMs: number;
}

export interface Checkpointed {
  readonly bytes: number;
  readonly ms: number;
  readonly turnMs: number;
  readonly gcMs: number;
}

export interface Report {
  readonly loaded: Loaded;
  /** Bytes per row where each has a text of its own. */
  readonly ownTextBytes: number;
  /** A checkpoint of everything, and after one percent of the rows have changed. */
  readonly whole: Checkpointed;
  readonly part: Checkpointed;
  /** Changes a second without checkpoints and with one after the other. */
  readonly changing: { readonly without: number; readonly with: number; readonly turnMs: number };
}

export interface Opened {
  readonly openMs: number;
  readonly firstAnswerMs: number;
  /** Processor time of the thread, from its first moment. */
  readonly processorMs: number;
  readonly caughtUpMs: number;
  readonly turnMs: number;
}

const COMMIT_ROWS = 10_000;
const CHANGING_SECONDS = 6;

const [dir, rowsText, mode] = process.argv.slice(2) as [string, string, "load" | "open"];
const rows = Number(rowsText);

if (mode === "load") {
  const db = await openAccounts(dir, 0);
  const loaded = await load(db, "accounts", rows);
  const whole = await checkpoint(dir, db);
  await change(db, rows / 100, () => true);
  const part = await checkpoint(dir, db);
  const before = await changing(db, false);
  const beside = await changing(db, true);
  const after = await changing(db, false);
  const own = await load(db, "letters", rows / 10, rows);
  await db.engine.checkpoint();
  await change(db, rows / 100, () => true);
  const report: Report = {
    loaded,
    ownTextBytes: own.bytesPerRow,
    whole,
    part,
    changing: { without: (before.rate + after.rate) / 2, with: beside.rate, turnMs: beside.turnMs },
  };
  process.send?.(report);
  // Until it is killed.
  setInterval(() => {}, 1 << 30);
} else {
  let openMs = 0;
  let firstAnswerMs = 0;
  let caughtUpMs = 0;
  let processorMs = 0;
  const started = performance.now();
  let db: Db | undefined;
  const { turnMs } = await pausesDuring(async () => {
    db = await openAccounts(dir, 0, (m) => console.error(m));
    openMs = performance.now() - started;
    const branches = await db.view("per_branch").rows();
    if (branches.length !== Math.min(BRANCHES, rows)) throw new Error("rows of the view are missing");
    firstAnswerMs = performance.now() - started;
    processorMs = threadMs();
    await db.settled();
    caughtUpMs = performance.now() - started;
  });
  const opened: Opened = { openMs, firstAnswerMs, processorMs, caughtUpMs, turnMs };
  process.send?.(opened);
}

async function load(db: Db, topic: string, count: number, texts?: number): Promise<Loaded> {
  const before = db.engine.stats().stateBytes;
  const started = performance.now();
  const pauses = await pausesDuring(async () => {
    const pending: Promise<unknown>[] = [];
    for await (const raw of made({ ids: null, rows: count, commitRows: COMMIT_ROWS, levels: 0, texts })) {
      pending.push(db.engine.appendBatch(topic, batchFrom(db, topic, raw)));
      if (pending.length > 4) await pending.shift();
      // Those who append do so in turns of their own.
      await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(pending);
    await db.settled();
  });
  const seconds = (performance.now() - started) / 1000;
  const bytesPerRow = (db.engine.stats().stateBytes - before) / count;
  return { bytesPerRow, rowsPerSecond: count / seconds, ...pauses };
}

/** Rows at random get another level, until there were so many or `goOn` says no; how many. */
async function change(db: Db, most: number, goOn: () => boolean): Promise<number> {
  const pending: Promise<unknown>[] = [];
  let changed = 0;
  const ids = { below: rows };
  for await (const raw of made({ ids, rows: most, commitRows: COMMIT_ROWS, levels: 1000 })) {
    pending.push(db.engine.appendBatch("accounts", batchFrom(db, "accounts", raw)));
    changed += COMMIT_ROWS;
    if (pending.length > 4) await pending.shift();
    if (!goOn()) break;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(pending);
  await db.settled();
  return changed;
}

async function checkpoint(directory: string, db: Db): Promise<Checkpointed> {
  const before = await bytesIn(join(directory, "checkpoint"));
  let ms = 0;
  const pauses = await pausesDuring(async () => {
    const started = performance.now();
    await db.engine.checkpoint();
    ms = performance.now() - started;
  });
  return { bytes: (await bytesIn(join(directory, "checkpoint"))) - before, ms, ...pauses };
}

/** Changes a second; with checkpoints, one every second. */
async function changing(db: Db, checkpoints: boolean): Promise<{ rate: number; turnMs: number }> {
  let rate = 0;
  const { turnMs } = await pausesDuring(async () => {
    const ends = performance.now() + CHANGING_SECONDS * 1000;
    const started = performance.now();
    const timer = checkpoints ? setInterval(() => void db.engine.checkpoint(), 1000) : undefined;
    const changed = await change(db, Number.POSITIVE_INFINITY, () => performance.now() < ends);
    clearInterval(timer);
    rate = (changed * 1000) / (performance.now() - started);
    if (checkpoints) await db.engine.checkpoint();
  });
  return { rate, turnMs };
}

async function bytesIn(directory: string): Promise<number> {
  let bytes = 0;
  for (const name of await readdir(directory).catch(() => [])) {
    // A file may go between the two calls.
    const found = await stat(join(directory, name)).catch(() => null);
    bytes += found?.size ?? 0;
  }
  return bytes;
}
