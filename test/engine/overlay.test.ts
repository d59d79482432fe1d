/** Reads of a transaction after its own changes, where what they read is large, deep, or leaves out rows that fail. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
});

afterEach(() => db.close());

/** Answers of the statements between BEGIN and COMMIT. */
async function transaction(...statements: readonly string[]): Promise<(string | null)[][][]> {
  const { results, error } = await db.sql(["BEGIN", ...statements, "COMMIT"].join(";"));
  if (error !== undefined) throw new Error(`${error.sqlstate} ${error.message}`);
  return results.slice(1, -1).map((result) => result.rowsText());
}

describe("a table without a key", () => {
  beforeEach(() =>
    sql(db, "CREATE TABLE t (a int, b text); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (2, NULL)"),
  );

  it("shows its changed rows once each, equal ones and nulls too", async () => {
    const seen = await transaction(
      "UPDATE t SET b = 'y' WHERE a = 2",
      "SELECT a, b FROM t ORDER BY a",
      "INSERT INTO t VALUES (1, 'x'), (3, NULL)",
      "DELETE FROM t WHERE a = 2",
      "SELECT a, b FROM t ORDER BY a",
      "UPDATE t SET a = a + 1",
      "SELECT a, count(*) FROM t GROUP BY a ORDER BY a",
    );
    expect([seen[1], seen[4], seen[6]]).toEqual([
      [
        ["1", "x"],
        ["1", "x"],
        ["2", "y"],
      ],
      [
        ["1", "x"],
        ["1", "x"],
        ["1", "x"],
        ["3", null],
      ],
      [
        ["2", "3"],
        ["4", "1"],
      ],
    ]);
    expect(await rowsOf(db, "SELECT a, b FROM t ORDER BY a")).toEqual([
      ["2", "x"],
      ["2", "x"],
      ["2", "x"],
      ["4", null],
    ]);
  });

  it("is read from where it lies, but for the rows that changed", async () => {
    await sql(db, "INSERT INTO t SELECT g, 'z' FROM generate_series(10, 5009) g");
    const { results } = await db.sql(
      "BEGIN; UPDATE t SET b = 'y' WHERE a = 20; EXPLAIN (ANALYZE, FORMAT JSON) SELECT count(*) FROM t; ROLLBACK",
    );
    const [plan] = JSON.parse(results[2]?.rowsText()[0]?.[0] as string) as [
      { Operators: { "Node Type": string; "Rows Kept": number }[] },
    ];
    const given = plan.Operators.filter((o) => o["Node Type"] === "constant rows");
    expect(given.map((o) => o["Rows Kept"])).toEqual([1, 1]);
  });

  it("takes more changed rows than go into a plan at once", async () => {
    await sql(db, "INSERT INTO t SELECT g, 'z' FROM generate_series(1, 10000) g");
    const seen = await transaction(
      "UPDATE t SET b = 'w' WHERE a > 2",
      "SELECT count(*), count(*) FILTER (WHERE b = 'w'), sum(a) FROM t",
    );
    expect(seen[1]).toEqual([["10003", "9998", String((10000 * 10001) / 2 + 4)]]);
  });
});

it("a view that is read a million times over by views over it is worked off once", async () => {
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int); INSERT INTO t VALUES (1, 1), (2, 3)");
  await sql(db, "CREATE MATERIALIZED VIEW v0 AS SELECT k, n FROM t");
  for (let i = 0; i < 20; i++)
    await sql(
      db,
      `CREATE MATERIALIZED VIEW v${i + 1} AS SELECT k, a.n + b.n AS n FROM v${i} a JOIN v${i} b USING (k)`,
    );
  const seen = await transaction("UPDATE t SET n = 2 WHERE k = 1", "SELECT k, n FROM v20 ORDER BY k");
  expect(seen[1]).toEqual([
    ["1", String(2 ** 21)],
    ["2", String(3 * 2 ** 20)],
  ]);
  // What is acknowledged may not be stepped yet.
  await db.settled();
  expect(await rowsOf(db, "SELECT k, n FROM v20 ORDER BY k")).toEqual(seen[1]);
});

describe("a view that skips errors", () => {
  beforeEach(() =>
    sql(
      db,
      `CREATE TABLE t (k int PRIMARY KEY, n bigint);
       INSERT INTO t VALUES (1, 1), (2, 0), (3, 9007199254740993);
       CREATE MATERIALIZED VIEW inverse WITH (on_error = skip) AS SELECT k, n, 10 / n AS q FROM t;
       CREATE MATERIALIZED VIEW over AS SELECT count(*) AS n, sum(n) AS s FROM inverse`,
    ),
  );

  it("leaves out what fails, in a transaction too", async () => {
    const seen = await transaction(
      "INSERT INTO t VALUES (4, 0), (5, 5)",
      "SELECT k, n, q FROM inverse ORDER BY k",
      "SELECT n, s FROM over",
      "UPDATE t SET n = 2 WHERE k = 2",
      "SELECT a.k, b.q FROM inverse a JOIN inverse b USING (k) WHERE a.n < 3 ORDER BY a.k",
    );
    expect([seen[1], seen[2], seen[4]]).toEqual([
      [
        ["1", "1", "10"],
        ["3", "9007199254740993", "0"],
        ["5", "5", "2"],
      ],
      [["3", "9007199254740999"]],
      [
        ["1", "10"],
        ["2", "5"],
      ],
    ]);
    await db.settled();
    expect(await rowsOf(db, "SELECT n, s FROM over")).toEqual([["4", "9007199254741001"]]);
  });

  it("does not hide the errors of the query over it", async () => {
    await expect(
      transaction("INSERT INTO t VALUES (5, 5)", "SELECT 1 / (n - 5) FROM inverse"),
    ).rejects.toThrow("22012");
  });
});
