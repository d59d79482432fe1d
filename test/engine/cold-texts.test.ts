/** Rows go to disk for their texts, too: a table of few rows with long ones may be several times as large as there is memory for. */
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { Circuit } from "../../src/dataflow/circuit.ts";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const LIMIT = 4 << 20;
const LONG = 10_000;
const ROWS = 2_400;

let db: Database;
/** At most, of state. */
let most = 0;
const { run } = Circuit.prototype;

beforeAll(() => {
  Circuit.prototype.run = function (...given) {
    const isDone = run.apply(this, given);
    if (this.memory.bytes === LIMIT) most = Math.max(most, this.bytes);
    return isDone;
  };
});

afterAll(() => {
  Circuit.prototype.run = run;
});

afterEach(async () => {
  await db.close().catch(() => {});
});

async function open(disk: SimulatedDisk): Promise<void> {
  most = 0;
  db = await openInMemory(disk, { memoryLimit: LIMIT });
  await db.built();
}

function expectKept(): void {
  expect(most).toBeGreaterThan(0);
  expect(most / LIMIT).toBeLessThan(1.1);
}

const coldOf = (topic: string) => db.core.tables.store(db.core.catalog.topic(topic).id)!.cold!.rows;
const long = (k: number, what = "text") => `${what} ${k} `.padEnd(LONG, "abcdefgh");

it.each([1, 10])(
  "a table of long texts takes more than there is memory for, %i rows a commit",
  async (batch) => {
    const disk = new SimulatedDisk();
    await open(disk);
    await sql(
      db,
      "CREATE TABLE t (k int4 PRIMARY KEY, s text); CREATE MATERIALIZED VIEW lengths AS SELECT k % 10 AS g, count(*) AS n, sum(length(s)) AS l FROM t GROUP BY k % 10",
    );
    for (let k = 0; k < ROWS; k += batch)
      await db.append(
        "t",
        Array.from({ length: batch }, (_, i) => ({ k: k + i, s: long(k + i) })),
      );
    await db.settled();
    expectKept();
    // Without that they would be five times the limit.
    expect(coldOf("t")).toBeGreaterThan(ROWS / 2);
    for (const k of [0, 77, ROWS - 1])
      expect(await rowsOf(db, `SELECT s FROM t WHERE k = ${k}`)).toEqual([[long(k)]]);
    for (let k = 0; k < ROWS; k += 3) await db.append("t", [{ k, s: long(k, "other") }]);
    await db.settled();
    await sql(db, "DELETE FROM t WHERE k % 3 = 1");
    await db.settled();
    expectKept();
    const isLeft = (k: number) => k % 3 !== 1;
    const groups = Array.from({ length: 10 }, (_, g) => {
      const n = Array.from({ length: ROWS }, (_, k) => k).filter((k) => k % 10 === g && isLeft(k)).length;
      return [g, n, n * LONG].map(String);
    });
    expect(await rowsOf(db, "SELECT * FROM lengths ORDER BY g")).toEqual(groups);
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([[String((ROWS / 3) * 2)]]);
    await db.checkpoint();
    const left = disk.reboot("process");
    await db.close().catch(() => {});
    await open(left);
    await db.append("t", [{ k: 1, s: long(1) }]);
    await db.settled();
    expectKept();
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([[String((ROWS / 3) * 2 + 1)]]);
    expect(await rowsOf(db, "SELECT n FROM lengths WHERE g = 1")).toEqual([
      [String(Number(groups[1]![1]) + 1)],
    ]);
    expect(await rowsOf(db, "SELECT left(s, 10) FROM t WHERE k IN (1, 3, 5, 4) ORDER BY k")).toEqual([
      [long(1).slice(0, 10)],
      [long(3, "other").slice(0, 10)],
      [long(5).slice(0, 10)],
    ]);
  },
);

it("rows stay where their texts are few, however often they stand there", async () => {
  await open(new SimulatedDisk());
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, s text); CREATE TABLE u (k int4 PRIMARY KEY, s text)");
  // Of one table alone they are most of the limit.
  for (let k = 0; k < ROWS; k += 20)
    await db.append(
      "t",
      Array.from({ length: 20 }, (_, i) => ({ k: k + i, s: long(i % 5) })),
    );
  for (let k = 0; k < 1_000; k += 10)
    await db.append(
      "u",
      Array.from({ length: 10 }, (_, i) => ({ k: k + i, s: long(k + i, "own") })),
    );
  await db.settled();
  expectKept();
  expect(coldOf("u")).toBeGreaterThan(500);
  expect(coldOf("t")).toBe(0);
});
