/** EXPLAIN ANALYZE: of a query that is run for it, and of views as they live. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (a int PRIMARY KEY, b int);
     CREATE TABLE s (k int, v int) WITH (append_only);
     INSERT INTO t SELECT g, g % 3 FROM generate_series(1, 10) g;
     INSERT INTO s SELECT g, g * 2 FROM generate_series(1, 100) g`,
  );
});

afterEach(() => db.close());

/** Without what depends on how state is laid out. */
async function explained(text: string): Promise<string[]> {
  return (await rowsOf(db, text)).map(([line]) => (line as string).replaceAll(/ ?bytes=\d+/g, ""));
}

const STILL = "ANALYZE, TIMING OFF, SUMMARY OFF";

describe("of a query", () => {
  it("tells rows and steps of every operator, with the parts of the plan it works off", async () => {
    expect(await explained(`EXPLAIN (${STILL}) SELECT b, count(*) FROM t WHERE a > 2 GROUP BY b`)).toEqual([
      "rows kept (keyed)  (in=3 out=3 steps=1)",
      "  ->  group by  (in=8 out=3 steps=1)",
      "        Group by b: count(*)",
      "        ->  filter and project  (in=10 out=8 steps=1)",
      "              Filter: a > 2",
      "              ->  rows read  (in=10 out=10 steps=1)",
      "                    ->  table t  (rows=10)",
    ]);
  });

  it("names what stands above already instead of repeating it", async () => {
    const lines = await explained(
      `EXPLAIN (${STILL}) SELECT * FROM (SELECT k, v FROM s WHERE v > 4) x JOIN (SELECT k, v FROM s WHERE v > 4) y USING (k)`,
    );
    expect(lines).toEqual([
      "rows kept (bag)  (in=98 out=98 steps=1)",
      "  ->  inner join  (in=196 out=98 steps=1)",
      "        Inner join on k = k",
      "        ->  rows kept (append)  (in=98 out=98 steps=1)",
      "              ->  filter and project  (in=100 out=98 steps=1)",
      "                    Filter: v > 4",
      "                    ->  stream s  (read from the log)",
      "        ->  rows kept (append) (as above)",
    ]);
  });

  it("counts a side's rows once where an outer join looks at them again", async () => {
    // Rows come alone first, and five of them turn: out and in again.
    const lines = await explained(`EXPLAIN (${STILL}) SELECT * FROM t x FULL JOIN t y ON x.a = y.a + 5`);
    expect(lines.find((line) => line.includes("full join"))).toContain("in=20 out=25");
  });

  it("ends with the time it took, and has times and bytes", async () => {
    const lines = (await rowsOf(db, "EXPLAIN ANALYZE SELECT count(*) FROM t")).map(([line]) => line);
    expect(lines.at(-1)).toMatch(/^Execution Time: \d+\.\d{3} ms$/);
    expect(lines[0]).toMatch(/bytes=[1-9]\d* steps=1 time=\d+\.\d{3} ms\)$/);
  });

  it("gives the query's error", async () => {
    await expect(sql(db, "EXPLAIN ANALYZE SELECT 1 / (a - a) FROM t")).rejects.toThrow("22012");
  });

  it("sees what its transaction has changed", async () => {
    const { results } = await db.sql(
      `BEGIN; DELETE FROM t WHERE a > 4; EXPLAIN (${STILL}) SELECT * FROM t; COMMIT`,
    );
    expect(results[2]?.rowsText()[0]?.[0]).toContain("out=4");
  });

  it("leaves nothing behind", async () => {
    const before = db.core.circuit.stores().length;
    await sql(db, "EXPLAIN ANALYZE SELECT b, count(*) FROM t GROUP BY b");
    expect(db.core.circuit.stores().length).toBe(before);
  });
});

describe("of a living view", () => {
  const view =
    "CREATE MATERIALIZED VIEW v AS SELECT t.b, sum(s.v) AS n FROM s JOIN t ON t.a = s.k GROUP BY t.b";
  const living = `EXPLAIN (${STILL}) REFRESH MATERIALIZED VIEW v`;

  it("goes on from step to step", async () => {
    await sql(db, view);
    const built = [
      "View v, since it is kept:",
      "rows kept (keyed)  (in=3 out=3 steps=1)",
      "  ->  group by  (in=10 out=3 steps=1)",
      "        Group by b: sum(v)",
      "        ->  inner join  (in=110 out=10 steps=1)",
      "              Inner join on k = a",
      "              ->  rows kept (append)  (in=100 out=100 steps=1)",
      "                    ->  stream s  (read from the log)",
      "              ->  table t  (rows=10)",
    ];
    expect(await explained(living)).toEqual(built);
    await sql(db, "INSERT INTO s VALUES (1, 1); DELETE FROM t WHERE a = 2; INSERT INTO s VALUES (77, 1)");
    expect(await explained(living)).toEqual([
      built[0],
      "rows kept (keyed)  (in=7 out=7 steps=3)",
      "  ->  group by  (in=12 out=7 steps=3)",
      built[3],
      "        ->  inner join  (in=113 out=12 steps=4)",
      built[5],
      "              ->  rows kept (append)  (in=102 out=102 steps=3)",
      built[7],
      "              ->  table t  (rows=9)",
    ]);
  });

  it("is shown below a query that reads it, and what it reads before it", async () => {
    await sql(db, `${view}; CREATE MATERIALIZED VIEW w AS SELECT count(*) AS n FROM v`);
    const lines = await explained(`EXPLAIN (${STILL}, VIEWS) SELECT * FROM w`);
    expect(lines.filter((line) => line.startsWith("View"))).toEqual([
      "View v, since it is kept:",
      "View w, since it is kept:",
    ]);
    expect(lines).toContain("              ->  view v  (rows=3)");
    expect(await explained(`EXPLAIN (${STILL}) SELECT * FROM w`)).not.toContain("View w, since it is kept:");
  });

  it("marks what other views use too", async () => {
    await sql(
      db,
      `${view}; CREATE MATERIALIZED VIEW w AS SELECT t.b, sum(s.v) AS m FROM s JOIN t ON t.a = s.k GROUP BY t.b`,
    );
    const lines = await explained(living);
    expect(lines[1]).toBe("rows kept (keyed), shared  (in=3 out=3 steps=1)");
  });

  it("goes on after a view was built beside an equal one, and after one of them has left", async () => {
    await sql(
      db,
      `${view}; CREATE MATERIALIZED VIEW w AS SELECT t.b, sum(s.v) AS m FROM s JOIN t ON t.a = s.k GROUP BY t.b`,
    );
    await sql(db, "DROP MATERIALIZED VIEW v; INSERT INTO s VALUES (1, 1)");
    const lines = await explained(`EXPLAIN (${STILL}) REFRESH MATERIALIZED VIEW w`);
    expect(lines[1]).toBe("rows kept (keyed)  (in=5 out=5 steps=2)");
  });

  it("has its plan without ANALYZE", async () => {
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT a FROM t WHERE b = 1");
    expect(await explained("EXPLAIN REFRESH MATERIALIZED VIEW v")).toEqual(
      await explained("EXPLAIN SELECT a FROM t WHERE b = 1"),
    );
  });

  it("is refused of what is no materialized view", async () => {
    await expect(sql(db, "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW t")).rejects.toThrow("42809");
    await expect(sql(db, "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW nothing")).rejects.toThrow("42P01");
  });

  it("sums up in the view's figures", async () => {
    await sql(db, view);
    await sql(db, "INSERT INTO s VALUES (1, 1)");
    await db.settled();
    const { operators, ...info } = db.view("v").info;
    expect(info).toMatchObject({ rowsIn: 111, rowsOut: 5 });
    expect(info.stateBytes).toBe(
      operators?.filter((o) => o.role !== "source").reduce((sum, o) => sum + o.stateBytes, 0),
    );
    expect(info.stepSeconds).toBeGreaterThan(0);
    expect(operators?.map((o) => [o.operator, o.role, o.inputs, o.rows])).toEqual([
      ["stream s", "source", [], 0],
      ["rows kept (append)", "own", [0], 101],
      ["table t", "source", [], 10],
      ["inner join", "own", [1, 2], 0],
      ["group by", "own", [3], 3],
      ["rows kept (keyed)", "own", [4], 3],
    ]);
    expect(db.views()[0]).not.toHaveProperty("operators");
  });
});

describe("as JSON", () => {
  async function document(text: string): Promise<unknown> {
    const result = await sql(db, text);
    expect(result.columns).toEqual([{ name: "QUERY PLAN", type: "json" }]);
    expect(result.rowCount).toBe(1);
    return JSON.parse(result.rowsText()[0]?.[0] as string);
  }

  it("is a tree of the plan", async () => {
    expect(await document("EXPLAIN (FORMAT JSON) SELECT a FROM t WHERE a > 2")).toEqual([
      {
        Plan: {
          "Node Type": "Filter: a > 2",
          Plans: [{ "Node Type": "Project: a", Plans: [{ "Node Type": "Source table t" }] }],
        },
      },
    ]);
  });

  it("is a list of operators with ANALYZE", async () => {
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t");
    const [query, view] = (await document(
      "EXPLAIN (ANALYZE, VIEWS, FORMAT JSON) SELECT n FROM v WHERE n > 1",
    )) as [{ Operators: Record<string, unknown>[] }, Record<string, unknown>];
    expect(query).toMatchObject({ "Rows In": 1, "Rows Out": 1, "Execution Time": expect.any(Number) });
    expect(query.Operators).toMatchObject([
      { Id: 0, "Node Type": "view v", Role: "source", "Rows Kept": 1 },
      { Id: 1, "Node Type": "rows read", Inputs: [0], "Rows In": 1 },
      { Id: 2, Plan: ["Filter: n > 1"], Inputs: [1], Role: "own", Steps: 1, Time: expect.any(Number) },
      { Id: 3, Inputs: [2], "Rows Out": 1 },
    ]);
    expect(view).toMatchObject({ View: "v", "Rows In": 10 });
    expect(view).not.toHaveProperty("Execution Time");
  });
});

describe("of a change", () => {
  const plan = (text: string): Promise<string[]> => explained(`EXPLAIN ${text}`);

  it("tells how the rows are found that it changes, and changes nothing", async () => {
    const before = await rowsOf(db, "SELECT * FROM t ORDER BY a");
    expect(await plan("DELETE FROM t WHERE b = 1 AND a > 2")).toEqual([
      "Delete on t",
      "  ->  Filter: (b = 1) and (a > 2)",
      "        ->  Source table t",
    ]);
    expect(await plan("DELETE FROM t")).toEqual(["Delete on t", "  ->  Source table t"]);
    expect(await plan("UPDATE t SET b = b + 1 WHERE a IN (3, 5)")).toEqual([
      "Update on t",
      "  ->  Filter: (a = 3) or (a = 5)",
      "        ->  Source table t by index t_pkey: a = 3 or a = 5",
    ]);
    expect((await plan("UPDATE t SET b = s.v FROM s WHERE s.k = t.a")).slice(0, 1)).toEqual(["Update on t"]);
    expect((await plan("UPDATE t SET b = s.v FROM s WHERE s.k = t.a")).join("\n")).toContain("join on a = k");
    expect(await rowsOf(db, "SELECT * FROM t ORDER BY a")).toEqual(before);
  });

  it("tells which rows are inserted", async () => {
    expect(await plan("INSERT INTO t SELECT k, v FROM s WHERE v > 4 ON CONFLICT (a) DO NOTHING")).toEqual([
      "Insert on t, on conflict do nothing",
      "  ->  Project: k as a, v as b",
      "        ->  Filter: v > 4",
      "              ->  Source stream s",
    ]);
    expect(await plan("INSERT INTO t VALUES (11, 1), (12, 1)")).toEqual([
      "Insert on t",
      "  ->  Values: 2 rows",
    ]);
    expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["10"]]);
  });

  it("is one tree as JSON, too", async () => {
    const [[text]] = (await rowsOf(db, "EXPLAIN (FORMAT JSON) DELETE FROM t WHERE b = 1")) as [[unknown]];
    expect(JSON.parse(text as string)).toEqual([
      {
        Plan: {
          "Node Type": "Delete on t",
          Plans: [{ "Node Type": "Filter: b = 1", Plans: [{ "Node Type": "Source table t" }] }],
        },
      },
    ]);
  });

  it("shows the loops of the query", async () => {
    expect((await plan("(CODE) DELETE FROM t WHERE b = 1")).length).toBeGreaterThan(5);
  });

  it("is asked of a table without a key, and of names that need quotes", async () => {
    await sql(db, 'CREATE TABLE "Bag" (x int)');
    expect((await plan('DELETE FROM "Bag" WHERE x = 1'))[0]).toBe('Delete on "Bag"');
  });
});

it("refuses what makes no sense together, and what is not there", async () => {
  const refusals = {
    "(VIEWS) SELECT 1": "22023 EXPLAIN option VIEWS requires ANALYZE",
    "(TIMING) SELECT 1": "22023 EXPLAIN option TIMING requires ANALYZE",
    "(CODE, ANALYZE) SELECT 1": "0A000 EXPLAIN (CODE, ANALYZE) is not supported yet",
    "(FORMAT yaml) SELECT 1": "0A000 EXPLAIN (FORMAT YAML) is not supported yet",
    "(FORMAT nonsense) SELECT 1": '22023 unrecognized value for EXPLAIN option "format": "nonsense"',
    "(ANALYZE, BUFFERS) SELECT 1": "0A000 EXPLAIN (BUFFERS) is not supported yet",
    "ANALYZE CREATE MATERIALIZED VIEW z AS SELECT 1 AS a":
      "0A000 EXPLAIN (ANALYZE) of a definition is not supported yet",
    "ANALYZE DELETE FROM t": "0A000 EXPLAIN (ANALYZE) of DELETE is not supported yet",
    "(TIMING nonsense) SELECT 1": "42601 timing requires a Boolean value",
  };
  for (const [text, message] of Object.entries(refusals)) {
    await expect(sql(db, `EXPLAIN ${text}`), text).rejects.toThrow(message);
  }
});
