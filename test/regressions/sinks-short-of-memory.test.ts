/**
 * Two faults of a sink that had no room in memory. What the view had no more and what was new went to it in one commit, which was refused again and again, though what is deleted needs no room and would
 * have made some. And once it was appended again its `sinkError` stayed, for as long as there was more to append.
 */
import { afterEach, expect, test, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import { upsertsOf } from "../../src/engine/write/part.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function withSink() {
  const db = await openInMemory(undefined, { report: () => {} });
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE out (k int PRIMARY KEY, n int)");
  await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT k, n FROM t");
  const { committer } = db.core;
  const commit = committer.commit.bind(committer);
  /** Rows that the table may have; with it, by commit: how many rows came, and what was said of the sink before. */
  const memory = { room: 0, code: "out_of_memory" as "out_of_memory" | "commit_too_large" };
  const attempts: { rows: number; said: string | undefined }[] = [];
  vi.spyOn(committer, "commit").mockImplementation(async (parts, ...given) => {
    if (!parts.some((part) => part.bySink !== undefined)) return commit(parts, ...given);
    const rows = parts.reduce((sum, part) => sum + (part.bySink === undefined ? 0 : upsertsOf(part)), 0);
    attempts.push({ rows, said: db.views()[0]?.sinkError?.code });
    const live = db.core.tables.store(db.core.catalog.topic("out").id)?.live ?? 0;
    if (rows > 0 && rows + live > memory.room) throw new EvertError(memory.code, "there is no room");
    return commit(parts, ...given);
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  return { db, memory, attempts };
}

/** The sink has been told of all that was appended, and what it appended is stepped. */
async function rested(db: Database): Promise<void> {
  await db.settled();
  await db.core.sinks.resting();
  await db.settled();
}

const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ k: from + i, n: 0 }));

test.each(["out_of_memory", "commit_too_large"] as const)(
  "rows that are gone make room for those that are new (%s)",
  async (code) => {
    const { db, memory } = await withSink();
    memory.code = code;
    memory.room = 100;
    await db.append("t", rows(0, 100));
    await rested(db);
    await sql(db, "BEGIN; DELETE FROM t WHERE k < 90; INSERT INTO t VALUES (1000, 1), (1001, 1); COMMIT");
    await rested(db);
    for (let attempt = 0; attempt < 3; attempt++) {
      vi.advanceTimersByTime(60_000);
      await rested(db);
    }
    expect(await rowsOf(db, "SELECT count(*), max(k) FROM out")).toEqual([["12", "1001"]]);
    expect(db.views()[0]).not.toHaveProperty("sinkError");
    vi.useRealTimers();
    await db.close();
  },
);

test("nothing is said of what was refused once it is appended again", async () => {
  const { db, memory, attempts } = await withSink();
  memory.code = "commit_too_large";
  await db.append("t", rows(0, 8));
  await rested(db);
  expect(db.views()[0]).toMatchObject({ sinkError: { code: "commit_too_large" } });
  memory.room = 8;
  attempts.length = 0;
  vi.advanceTimersByTime(60_000);
  await rested(db);
  expect(attempts).toEqual([
    { rows: 1, said: "commit_too_large" },
    { rows: 2, said: undefined },
    { rows: 4, said: undefined },
    { rows: 1, said: undefined },
  ]);
  vi.useRealTimers();
  await db.close();
});
