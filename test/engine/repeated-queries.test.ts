/**
 * Queries whose text comes again and again, amid definitions that change what it means: each is asked until its plan is kept, and answers what the same query with a comment of its own
 * does, which was never seen.
 */
import { describe, expect, it } from "vitest";
import { KeptPlans } from "../../src/engine/sql/kept-plans.ts";
import { parseStatements } from "../../src/sql/statement.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql, told } from "./support/memory.ts";

/** With a comment of its own it has not come before. */
let asked = 0;

async function answerOf(db: Awaited<ReturnType<typeof openInMemory>>, text: string) {
  const { results, error } = await db.sql(text);
  return error === undefined
    ? results.map((result) => ({ columns: result.columns, rows: result.rowsText() }))
    : { sqlstate: error.sqlstate, message: error.message, position: error.position };
}

const steps = [
  "CREATE TABLE songs (id int PRIMARY KEY, name text)",
  "INSERT INTO songs VALUES (1, 'Typical Girls'), (2, 'Oh Bondage')",
  "CREATE VIEW named AS SELECT id, upper(name) AS name FROM songs",
  "CREATE MATERIALIZED VIEW charts AS SELECT name, count(*) AS songs FROM songs GROUP BY name",
  "INSERT INTO songs VALUES (3, 'Oh Bondage')",
  "CREATE INDEX by_name ON songs (name)",
  "ALTER TABLE songs ADD COLUMN year int DEFAULT 1977",
  "UPDATE songs SET year = 1979 WHERE id = 1",
  "ALTER TABLE songs RENAME COLUMN year TO born",
  "DROP VIEW named",
  "CREATE VIEW named AS SELECT id, lower(name) AS name FROM songs WHERE born < 1979",
  "DROP INDEX by_name",
  "DROP VIEW named; DROP MATERIALIZED VIEW charts; DROP TABLE songs",
  "CREATE TABLE songs (name text, id text)",
  "INSERT INTO songs VALUES ('x', 'y')",
];

const queries = [
  "SELECT * FROM songs ORDER BY id",
  "SELECT name FROM songs WHERE id = 1",
  "SELECT * FROM named ORDER BY id",
  "SELECT * FROM charts ORDER BY name",
  "SELECT id, year FROM songs ORDER BY id",
  "SELECT s.id, c.songs FROM songs s JOIN charts c USING (name) ORDER BY s.id",
  "SELECT count(*) FROM songs; SELECT max(id) FROM songs",
  "TABLE songs ORDER BY 1",
];

describe("a query that is asked again and again", () => {
  it("means what its names mean now", async () => {
    const db = await openInMemory();
    for (const step of steps) {
      await sql(db, step);
      await told(db);
      for (const query of queries) {
        const expected = await answerOf(db, `${query} -- ${++asked}`);
        for (let i = 0; i < 4; i++)
          expect(await answerOf(db, query), `${query}, behind ${step}`).toEqual(expected);
      }
    }
    await db.close();
  });

  it("means the version of a view that is promoted", async () => {
    const db = await openInMemory();
    for (const step of steps.slice(0, 5)) await sql(db, step);
    await db.versions.build(
      "charts",
      "SELECT name, count(*) AS songs, min(id) AS first FROM songs GROUP BY name",
    );
    const query = "SELECT * FROM charts ORDER BY name";
    const shown = async (): Promise<number> => {
      await told(db);
      const widths = new Set<number>();
      for (let i = 0; i < 4; i++) widths.add((await sql(db, query)).columns.length);
      expect(widths.size).toBe(1);
      return [...widths][0]!;
    };
    expect(await shown()).toBe(2);
    await db.versions.promote("charts", 2);
    expect(await shown()).toBe(3);
    await db.versions.rollback("charts");
    expect(await shown()).toBe(2);
    await db.close();
  });

  it("has the time at which it is asked, in whatever form it names it", async () => {
    const clock = new SimulatedClock();
    const db = await openInMemory(new SimulatedDisk(), { clock });
    await sql(db, "CREATE TABLE days (day timestamptz)");
    await sql(
      db,
      "INSERT INTO days SELECT '2024-01-01'::timestamptz + n * interval '1 day' FROM generate_series(1, 40) n",
    );
    await sql(db, "CREATE VIEW ahead AS SELECT day FROM days WHERE day > now()");
    await told(db);
    for (const query of [
      "SELECT now()",
      "SELECT current_date",
      "SELECT 'tomorrow'::date",
      "SELECT timestamptz 'now'",
      "SELECT count(*) FROM ahead",
      "SELECT 1 WHERE now() > '2000-01-01' UNION ALL SELECT extract(epoch FROM statement_timestamp())::bigint",
    ]) {
      const seen = new Set<string>();
      for (let i = 0; i < 5; i++) {
        seen.add(JSON.stringify(await answerOf(db, query)));
        clock.advance(86_400_000_000);
      }
      expect([...seen], query).toHaveLength(5);
    }
    await db.close();
  });

  it("has the parameters that it is asked with", async () => {
    const db = await openInMemory();
    await sql(db, steps[0]!);
    await sql(db, steps[1]!);
    await told(db);
    for (let i = 0; i < 6; i++) {
      const id = 1 + (i % 2);
      const { results } = await db.sql("SELECT name FROM songs WHERE id = $1", { params: [id] });
      expect(results[0]!.rowsText()).toEqual([[id === 1 ? "Typical Girls" : "Oh Bondage"]]);
    }
    await db.close();
  });

  it("is planned each time where its plan is large, which a short text may be", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE t (a int PRIMARY KEY)");
    const many = (name: string): string => Array(40).fill(`SELECT a FROM ${name}`).join(" UNION ALL ");
    await sql(db, `CREATE VIEW several AS ${many("t")}; CREATE VIEW large AS ${many("several")}`);
    const plans = new KeptPlans(db.core.catalog);
    const planned = (text: string): number => {
      const seen = new Set<unknown>();
      for (let i = 0; i < 5; i++) seen.add(plans.bind(parseStatements(text)[0]!, [], 0n));
      return seen.size;
    };
    expect(planned("SELECT max(a) FROM large")).toBe(5);
    // The first time nobody knows that it comes again.
    expect(planned("SELECT a FROM t WHERE a > 1 ORDER BY a LIMIT 10")).toBeLessThan(5);
    await db.close();
  });

  it("sees in a transaction what that has changed", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE counted (id int PRIMARY KEY)");
    for (let i = 1; i <= 4; i++) {
      const text = `BEGIN; INSERT INTO counted SELECT coalesce(max(id), 0) + 1 FROM counted; SELECT count(*) FROM counted; COMMIT`;
      const { results, error } = await db.sql(text);
      expect(error).toBeUndefined();
      expect(results[2]!.rowsText()).toEqual([[String(i)]]);
      await told(db);
    }
    await db.close();
  });

  it("is another in each of the databases of a process, whatever they call their tables", async () => {
    const [one, other] = [await openInMemory(), await openInMemory()];
    await sql(one, "CREATE TABLE shared (a int, b text); INSERT INTO shared VALUES (1, 'x')");
    await sql(
      other,
      "CREATE TABLE shared (b text, c numeric, d date); INSERT INTO shared VALUES ('y', 2.50, '2024-01-01')",
    );
    await told(one);
    await told(other);
    for (let i = 0; i < 4; i++) {
      expect((await sql(one, "SELECT * FROM shared")).rowsText()).toEqual([["1", "x"]]);
      expect((await sql(other, "SELECT * FROM shared")).rowsText()).toEqual([["y", "2.50", "2024-01-01"]]);
    }
    await one.close();
    await other.close();
  });

  it("takes each parameter for what it is given as, and for the type that its place gives it", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE typed (n int, t text); INSERT INTO typed VALUES (1, '1'), (2, '02')");
    await told(db);
    const ask = async (text: string, ...params: unknown[]) => {
      const { results, error } = await db.sql(text, { params });
      return error?.sqlstate ?? results[0]!.rowsText();
    };
    for (let i = 0; i < 4; i++) {
      expect(await ask("SELECT t FROM typed WHERE n = $1", 1)).toEqual([["1"]]);
      expect(await ask("SELECT t FROM typed WHERE n = $1", "2")).toEqual([["02"]]);
      expect(await ask("SELECT t FROM typed WHERE n = $1", null)).toEqual([]);
      expect(await ask("SELECT t FROM typed WHERE n = $1", "x")).toBe("22P02");
      expect(await ask("SELECT t FROM typed WHERE n = $1")).toBe("42P02");
      expect(await ask("SELECT n FROM typed ORDER BY n LIMIT $1", 1)).toEqual([["1"]]);
      expect(await ask("SELECT n FROM typed ORDER BY n LIMIT $1", null)).toEqual([["1"], ["2"]]);
      expect(await ask("SELECT n FROM typed ORDER BY n LIMIT $1", 0)).toEqual([]);
      expect(await ask("SELECT n FROM typed ORDER BY n OFFSET $1", 1)).toEqual([["2"]]);
      expect(await ask("SELECT $1::text", i)).toEqual([[String(i)]]);
    }
    await db.close();
  });

  it("means what stands nearest: a WITH query of a table's name, and what a transaction has changed", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE near (a int PRIMARY KEY); INSERT INTO near VALUES (1)");
    await told(db);
    for (let i = 0; i < 4; i++) {
      expect((await sql(db, "SELECT a FROM near")).rowsText()).toEqual([["1"]]);
      expect((await sql(db, "WITH near AS (SELECT 9 AS a) SELECT a FROM near")).rowsText()).toEqual([["9"]]);
      const { results, error } = await db.sql("BEGIN; DELETE FROM near; SELECT a FROM near; ROLLBACK");
      expect(error).toBeUndefined();
      expect(results[2]!.rowsText()).toEqual([]);
    }
    await db.close();
  });

  it("stays what it was, however its pieces are used again: statements of all kinds, frozen", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE again (k int PRIMARY KEY, c text)");
    // Binding takes trees apart; of a kept one it may change nothing.
    const texts = [
      "SELECT k AS a, c, row(k, c), (SELECT max(k) FROM again), k IN (1, 2), sum(k) OVER (ORDER BY c) FROM again GROUP BY k, c ORDER BY 1",
      "SELECT count(*) FILTER (WHERE k > 1), grouping(c) FROM again GROUP BY ROLLUP (c) HAVING count(*) > 0 ORDER BY 1, 2",
      "WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT * FROM r JOIN again ON k = i",
      "SELECT * FROM again a JOIN generate_series(1, 2) k USING (k), LATERAL (SELECT a.c || 'x') l",
      "VALUES (1, NULL), (2, 'é'); TABLE again; SELECT exists (SELECT FROM again), json_object('é': k) FROM again",
      "EXPLAIN SELECT * FROM again WHERE k = 1",
      "SELECT nothing, 'é' FROM again",
    ];
    await sql(db, "INSERT INTO again VALUES (1, 'x'), (2, NULL), (3, 'x')");
    await told(db);
    for (const text of texts) {
      const first = await answerOf(db, text);
      for (let i = 0; i < 4; i++) expect(await answerOf(db, text)).toEqual(first);
    }
    await db.close();
  });

  it("reads what a view holds that was dropped and made anew with other types under the same name, amid questions", async () => {
    const db = await openInMemory();
    await sql(db, "CREATE TABLE base (a int); INSERT INTO base VALUES (1)");
    for (const [i, expr] of ["a", "a::text || 'x'", "a * 1.50", "ARRAY[a]"].entries()) {
      await sql(db, `CREATE MATERIALIZED VIEW made AS SELECT ${expr} AS v FROM base`);
      await db.built();
      await told(db);
      const asked = Promise.all([1, 2, 3, 4].map(() => answerOf(db, "SELECT * FROM made")));
      expect(new Set((await asked).map((a) => JSON.stringify(a))).size).toBe(1);
      expect((await sql(db, "SELECT v FROM made")).rowsText()).toEqual([[["1", "1x", "1.50", "{1}"][i]!]]);
      await sql(db, "DROP MATERIALIZED VIEW made");
      expect(await answerOf(db, "SELECT * FROM made")).toMatchObject({ sqlstate: "42P01" });
    }
    await db.close();
  });
});
