/**
 * A small append that found no room was put into the queue for it twice, once for nobody: when the disk was full, failed, or the commit was too large, nobody took what that one was refused
 * with, and an unhandled rejection ended the process. And room was granted to who did not use it. Found by seed 230179 of the simulation.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import type { Log } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const NOTE = "x".repeat(1000);
const APPENDS = 100;
const TIMES = Number.POSITIVE_INFINITY;

let unhandled: unknown[] = [];
const listen = (error: unknown): void => {
  unhandled.push(error);
};

beforeEach(() => {
  unhandled = [];
  process.on("unhandledRejection", listen);
});

afterEach(async () => {
  await turn();
  process.off("unhandledRejection", listen);
  expect(unhandled).toEqual([]);
});

/** Rejections that nobody has taken are told of when a turn ends. */
async function turn(): Promise<void> {
  for (let i = 0; i < 3; i++) await new Promise((done) => setImmediate(done));
}

async function opened(disk: SimulatedDisk): Promise<Database> {
  const db = await openInMemory(disk, { segmentBytes: 1 << 16 });
  await sql(db, "CREATE TABLE t (id int, note text) WITH (append_only)");
  return db;
}

/** Appends in one turn, more than there is room for: the last of them wait. */
function appendMany(db: Database): Promise<PromiseSettledResult<unknown>[]> {
  return Promise.allSettled(Array.from({ length: APPENDS }, (_, id) => db.append("t", [{ id, note: NOTE }])));
}

/** How often room has been asked for and was not there. */
function countWaits(log: Log): () => number {
  const { room } = log;
  let waits = 0;
  log.room = (bytes) => {
    const wait = room.call(log, bytes);
    if (wait !== null) waits++;
    return wait;
  };
  return () => waits;
}

test("the disk fails while appends wait for room", async () => {
  const disk = new SimulatedDisk();
  const db = await opened(disk);
  disk.fail({ operation: "write", path: /next-|\.log$/, code: "EIO", times: TIMES });
  const ended = await appendMany(db);
  for (const end of ended) expect(end).toMatchObject({ status: "rejected", reason: { code: "io_error" } });
  await expect(db.append("t", [{ id: 0 }])).rejects.toMatchObject({ code: "io_error" });
  await db.close();
});

test("the disk is full, and has room again", async () => {
  const disk = new SimulatedDisk();
  const db = await opened(disk);
  disk.fail({ operation: "write", path: /next-/, code: "ENOSPC", times: TIMES });
  const fill = async (): Promise<never> => {
    for (;;) await db.append("t", [{ id: 0, note: NOTE }]);
  };
  const ended = await Promise.allSettled([fill(), fill(), fill()]);
  for (const end of ended) expect(end).toMatchObject({ status: "rejected", reason: { code: "disk_full" } });
  disk.heal();
  await db.append("t", [{ id: -1 }]);
  expect(await rowsOf(db, "SELECT id FROM t WHERE id < 0")).toEqual([["-1"]]);
  await db.close();
});

test("one append stands in the queue once", async () => {
  const db = await opened(new SimulatedDisk());
  const waits = countWaits(db.core.log);
  const ended = await appendMany(db);
  expect(ended.every(({ status }) => status === "fulfilled")).toBe(true);
  expect(waits()).toBeGreaterThan(0);
  expect(waits()).toBeLessThan(APPENDS);
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([[String(APPENDS)]]);
  await db.close();
});

test("a few rows that are too large for one commit", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (note text) WITH (append_only)");
  const { log } = db.core;
  const { room } = log;
  // As if it were so large: it takes a quarter of a gibibyte.
  log.room = (bytes) => room.call(log, bytes + 2 ** 29);
  await expect(db.append("t", [{ note: "much" }])).rejects.toMatchObject({ code: "record_too_large" });
  log.room = (bytes) => room.call(log, bytes);
  await db.append("t", [{ note: "little" }]);
  expect(await rowsOf(db, "SELECT note FROM t")).toEqual([["little"]]);
  await db.close();
});
