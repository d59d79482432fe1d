/**
 * A sink that is refused asks for its whole difference with each attempt: it waits twice as long after each, whatever happens meanwhile, and the view says why. Only where the commit was
 * too large for the memory there is, half of it is attempted at once.
 */
import { afterEach, expect, it, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { Committer } from "../../src/engine/write/committer.ts";
import { upsertsOf } from "../../src/engine/write/part.ts";
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
  expect(db.views()[0]).toMatchObject({ status: "live", sinkError: { code: "check_violation" } });
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
  expect(db.views()[0]).not.toHaveProperty("sinkError");
  await db.append("t", [{ k: 3, n: 3 }]);
  await manyTurns();
  expect(await rowsOf(db, "SELECT n FROM out WHERE k = 3")).toEqual([["3"]]);
  vi.useRealTimers();
  await db.close();
});

it("appends in several commits what has no room in one, and waits with a single row", async () => {
  const reports: string[] = [];
  const db = await openInMemory(undefined, { report: (message) => reports.push(message) });
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE out (k int PRIMARY KEY, n int)");
  await db.append(
    "t",
    Array.from({ length: 1_000 }, (_, k) => ({ k, n: k })),
  );
  await db.settled();
  const { committer } = db.core;
  const commit = committer.commit.bind(committer);
  const asked: number[] = [];
  let room = 100;
  vi.spyOn(committer, "commit").mockImplementation((parts, ...given) => {
    const rows = parts.reduce((sum, part) => sum + (part.bySink === undefined ? 0 : upsertsOf(part)), 0);
    if (rows > 0) asked.push(rows);
    if (rows > room) return Promise.reject(new EvertError("commit_too_large", "the commit has no room"));
    return commit(parts, ...given);
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT k, n FROM t");
  await db.core.sinks.resting();
  expect(asked.slice(0, 6)).toEqual([1_000, 500, 250, 125, 62, 124]);
  expect(await rowsOf(db, "SELECT count(*) FROM out")).toEqual([["1000"]]);
  expect(reports).toEqual([]);
  // There is no room at all: it comes to a single row, and rests.
  room = asked.length = 0;
  await sql(db, "UPDATE t SET n = n + 1 WHERE k < 8");
  await db.settled();
  await db.core.sinks.resting();
  expect(asked).toEqual([8, 4, 2, 1]);
  expect(db.views()[0]).toMatchObject({ status: "live", sinkError: { code: "commit_too_large" } });
  vi.advanceTimersByTime(1_000);
  await db.core.sinks.resting();
  expect(asked).toEqual([8, 4, 2, 1, 1]);
  room = 1_000;
  vi.advanceTimersByTime(2_000);
  await db.core.sinks.resting();
  expect(asked.slice(5)).toEqual([1, 2, 4, 1]);
  expect(await rowsOf(db, "SELECT sum(n) FROM out")).toEqual([["499508"]]);
  expect(db.views()[0]).not.toHaveProperty("sinkError");
  vi.useRealTimers();
  await db.close();
});
