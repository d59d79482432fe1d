/** What the optimizer spares a view, as EXPLAIN ANALYZE tells it: work that another view does, columns nobody asks for, weights that keys make needless. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (k int PRIMARY KEY, a int, b int NOT NULL, c text);
     CREATE TABLE u (k int PRIMARY KEY, a int, b int, c text);
     CREATE TABLE e (x int, y int, PRIMARY KEY (x, y));
     CREATE TABLE n (a int, b int);
     CREATE TABLE s (a int, b int, c text, d text) WITH (append_only)`,
  );
});

afterEach(() => db.close());

async function define(name: string, text: string): Promise<void> {
  await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${text}`);
}

const operators = (view: string) => db.view(view).info.operators ?? [];

describe("work is shared", () => {
  const joined = "FROM s JOIN t ON t.k = s.a WHERE s.b > 4";
  const shared = (view: string) =>
    operators(view)
      .filter((o) => o.role === "shared" && o.operator !== "columns")
      .map((o) => o.operator);

  it("between views of equal parts, whatever their columns are called and what is made of them", async () => {
    await define("v", `SELECT t.b AS region, sum(s.b) AS total ${joined} GROUP BY t.b`);
    expect(shared("v")).toEqual([]);
    await define("w", `SELECT max(s.b) AS most, t.b AS place ${joined} GROUP BY t.b HAVING count(*) > 1`);
    const upToJoin = ["filter and project", "rows kept (append)", "inner join"];
    expect(shared("v")).toEqual(upToJoin);
    expect(shared("w")).toEqual(upToJoin);
    // And with it the work: the join has seen each row once.
    await sql(db, "INSERT INTO t VALUES (1, 1, 1, ''); INSERT INTO s VALUES (1, 5, '', ''), (1, 6, '', '')");
    await db.settled();
    for (const view of ["v", "w"]) {
      expect(operators(view).find((o) => o.operator === "inner join")).toMatchObject({
        rowsIn: 3,
        rowsOut: 2,
      });
    }
    await sql(db, "DROP MATERIALIZED VIEW v");
    expect(shared("w")).toEqual([]);
    await sql(db, "INSERT INTO s VALUES (1, 7, '', '')");
    expect(await rowsOf(db, "SELECT * FROM w")).toEqual([["7", "1"]]);
  });

  it("wholly, between views that differ in names alone", async () => {
    const before = db.core.circuit.stores().length;
    await define("v", "SELECT a AS one, count(*) AS n FROM t GROUP BY a");
    const after = db.core.circuit.stores().length;
    await define("w", "SELECT a AS two, count(*) AS m FROM t GROUP BY a");
    expect(db.core.circuit.stores().length).toBe(after);
    expect(after).toBeGreaterThan(before);
  });

  it("within one view", async () => {
    await define(
      "v",
      "WITH x AS (SELECT a, count(*) AS n FROM t GROUP BY a) SELECT p.a, q.a AS z FROM x p JOIN x q USING (n)",
    );
    expect(operators("v").filter((o) => o.operator === "group by")).toHaveLength(1);
  });
});

describe("of a stream only what is asked for is decoded", () => {
  const wanted = () => {
    const { id } = db.core.catalog.topic("s");
    return ["a", "b", "c", "d"].filter((_, column) => db.core.circuit.topics.wants(id)(column)).join("");
  };

  it.each([
    ["SELECT a FROM s", "a"],
    ["SELECT a + 1 AS x FROM s", "a"],
    ["SELECT a FROM s WHERE b > 1", "ab"],
    ["SELECT count(*) AS n FROM s", ""],
    ["SELECT a, count(*) AS n FROM s WHERE c = 'x' GROUP BY a", "ac"],
    ["SELECT t.c FROM s JOIN t ON t.k = s.a", "a"],
    ["SELECT s.b, t.c FROM s LEFT JOIN t ON t.k = s.a AND s.d = t.c", "abd"],
    ["SELECT DISTINCT upper(c) AS c FROM s", "c"],
    ["SELECT b FROM (SELECT a, b, c || d AS e FROM s) x", "b"],
    ["SELECT k FROM t WHERE EXISTS (SELECT 1 FROM s WHERE s.a = t.k)", "a"],
    ["SELECT a, sum(b) OVER (PARTITION BY a) AS t FROM s", "ab"],
    ["SELECT a FROM s UNION ALL SELECT b FROM s", "ab"],
  ])("%s", async (text, columns) => {
    expect(wanted()).toBe("");
    await define("v", text);
    expect(wanted()).toBe(columns);
  });

  it("so texts that nobody reads take no memory", async () => {
    await define("v", "SELECT a, count(*) AS n FROM s WHERE b > 0 GROUP BY a");
    await sql(db, "INSERT INTO s VALUES (1, 1, 'x', 'y')");
    const before = db.core.dictionary.bytes;
    for (let i = 0; i < 100; i++)
      await db.append("s", [{ a: 1, b: 1, c: `${i}`.repeat(1000), d: `d${i}`.repeat(1000) }]);
    await db.settled();
    expect(db.core.dictionary.bytes - before).toBeLessThan(10_000);
    expect((await db.view("v").rows()).rows).toEqual([{ a: 1, n: 101 }]);
  });
});

describe("rows with a key need no weights", () => {
  it.each([
    ["SELECT k, c FROM t", "keyed"],
    ["SELECT a FROM t", "bag"],
    ["SELECT k + 1 AS k FROM t", "bag"],
    ["SELECT a, count(*) AS n FROM t GROUP BY a", "keyed"],
    ["SELECT count(*) AS n FROM t GROUP BY a", "bag"],
    ["SELECT max(b) AS m FROM t", "keyed"],
    ["SELECT DISTINCT a FROM t", "keyed"],
    ["SELECT t.k, u.c FROM t JOIN u ON u.k = t.a", "keyed"],
    ["SELECT t.k, u.c FROM t LEFT JOIN u ON u.k = t.a", "keyed"],
    ["SELECT t.k, u.k AS l FROM t JOIN u ON u.a = t.a", "keyed"],
    ["SELECT t.k FROM t JOIN u ON u.a = t.a", "bag"],
    ["SELECT t.k FROM t JOIN e ON e.x = t.a AND e.y = t.b", "keyed"],
    ["SELECT k FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.a = t.a)", "keyed"],
    ["SELECT k, (SELECT max(a) FROM u WHERE u.b = t.b) AS m FROM t", "keyed"],
    ["SELECT k, a FROM t ORDER BY a LIMIT 3", "keyed"],
    ["SELECT k, rank() OVER (ORDER BY a) AS r FROM t", "keyed"],
    ["SELECT a, b FROM n", "bag"],
    ["SELECT a FROM t UNION SELECT a FROM u", "keyed"],
    ["SELECT k FROM t EXCEPT SELECT k FROM u", "keyed"],
    ["SELECT k FROM t UNION ALL SELECT k FROM u", "bag"],
  ])("%s: %s", async (text, mode) => {
    await define("v", text);
    expect(operators("v").at(-1)?.operator).toBe(`rows kept (${mode})`);
  });
});
