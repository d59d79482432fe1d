/** A sink that is refused asks for its whole difference with each attempt: it waits twice as long after each, whatever happens meanwhile. */
import { afterEach, expect, it, vi } from "vitest";
import { Committer } from "../../src/engine/write/committer.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

async function manyTurns(): Promise<void> {
  for (let i = 0; i < 100; i++) await new Promise(setImmediate);
}

it("attempts after 1, 2, 4, ... seconds, not with every step", async () => {
  const reports: string[] = [];
  const db = await openInMemory(undefined, { report: (message) => reports.push(message) });
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int)");
  await sql(db, "CREATE TABLE out (k int PRIMARY KEY, n int CHECK (n < 10))");
  await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT k, n FROM t");
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  const commit = vi.spyOn(Committer.prototype, "commit");
  const attempts = () =>
    commit.mock.calls.filter(([parts]) => parts.some(({ topic }) => topic.name === "out")).length;
  await sql(db, "INSERT INTO t VALUES (1, 1), (2, 20)");
  await manyTurns();
  expect(attempts()).toBe(1);
  let expected = 1;
  for (let second = 1; second <= 31; second++) {
    await db.append("t", [{ k: 100 + second, n: 1 }]);
    await manyTurns();
    vi.advanceTimersByTime(1000);
    await manyTurns();
    // After 1, 3, 7, 15 and 31 seconds.
    if (((second + 1) & second) === 0) expected++;
    expect(attempts(), `after ${second} s`).toBe(expected);
  }
  expect(reports.filter((r) => r.includes("could not be appended to its sink"))).toHaveLength(1);
  // Mended, it takes over all of it, and is prompt again.
  await sql(db, "UPDATE t SET n = 2 WHERE k = 2");
  vi.advanceTimersByTime(60_000);
  await manyTurns();
  expect(await rowsOf(db, "SELECT count(*) FROM out")).toEqual([["33"]]);
  await db.append("t", [{ k: 3, n: 3 }]);
  await manyTurns();
  expect(await rowsOf(db, "SELECT n FROM out WHERE k = 3")).toEqual([["3"]]);
  vi.useRealTimers();
  await db.close();
});
