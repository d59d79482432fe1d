/**
 * A view was being built by workers, and a column that it does not read was dropped from its stream meanwhile. The columns that it wants were asked for once for the whole of history, and the
 * segments that came after the change were read by the new schema: so the build was given the columns beside them. Of other types it failed, of the same type it held sums of others.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { Worker } from "../../src/engine/workers/worker.ts";
import { Directories } from "../engine/support/directories.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const directories = new Directories();
let db: Database;

afterEach(async () => {
  vi.restoreAllMocks();
  await db.close();
});

/** What the view is to hold, in the order of k: the query itself would be answered by what the view keeps. */
const sums = new Map<number, [n: number, a: number, b: number]>();

function add(k: number, a: number, b: number): void {
  const [n, sum, most] = sums.get(k) ?? [0, 0, b];
  sums.set(k, [n + 1, sum + a, Math.max(most, b)]);
}

async function holdsSums(): Promise<void> {
  const expected = [...sums].sort(([a], [b]) => a - b).map(([k, of]) => [k, ...of].map(String));
  expect(await rowsOf(db, "SELECT * FROM sums ORDER BY k")).toEqual(expected);
}

async function withHistory(): Promise<void> {
  sums.clear();
  db = await openEngine({
    directory: await directories.make(),
    segmentBytes: 64 * 1024,
    checkpointIntervalMs: 0,
    workers: 2,
  });
  await sql(db, "CREATE TABLE s (x int, k int, a int, b int, c int) WITH (append_only)");
  for (let c = 0; c < 60; c++) {
    const rows = Array.from({ length: 500 }, (_, i) => {
      return { x: i * 7, k: (i * 31 + c) % 97, a: i + c, b: 0 - i * c, c: i % 5 };
    });
    for (const { k, a, b } of rows) add(k, a, b);
    await db.append("s", rows);
  }
  await db.settled();
  await db.core.log.sealed();
}

/** Changes the topic when the first piece is handed out, and then lets nobody read until that is done. */
function changedMeanwhile(statements: string): () => Promise<void> {
  const read = Worker.prototype.read;
  let changed: Promise<unknown> | null = null;
  let after = 0;
  vi.spyOn(Worker.prototype, "read").mockImplementation(async function (this: Worker, task) {
    if (task.piece.to !== null) after++;
    changed ??= sql(db, statements);
    await changed;
    return read.call(this, task);
  });
  return async () => {
    await changed;
    expect(after).toBeGreaterThan(0);
  };
}

describe("a view over sealed history that workers read", () => {
  for (const statements of [
    "ALTER TABLE s DROP COLUMN x",
    "ALTER TABLE s ADD COLUMN y int DEFAULT 5; ALTER TABLE s DROP COLUMN x; ALTER TABLE s DROP COLUMN c",
    "ALTER TABLE s DROP COLUMN x; ALTER TABLE s ADD COLUMN x text DEFAULT 'another'",
  ]) {
    it(`holds the columns that it asked for, with ${statements} meanwhile`, async () => {
      await withHistory();
      const query = "SELECT k, count(*) AS n, sum(a) AS a, max(b) AS b FROM s GROUP BY k";
      const changed = changedMeanwhile(statements);
      await sql(db, `CREATE MATERIALIZED VIEW sums AS ${query}`);
      await changed();
      await db.built();
      await holdsSums();
      add(1, 2, 3);
      await db.append("s", [{ k: 1, a: 2, b: 3 }]);
      await db.settled();
      await holdsSums();
    });
  }
});
