/** More rows than are staged at once made a batch of a sink's part, which no longer said whose it was: the sink was refused its own topic, for ever. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a sink appends thousands of rows at once, when it begins and when it follows", async () => {
  const said: string[] = [];
  const db = await openInMemory(undefined, { report: (message) => said.push(message) });
  await sql(db, "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE keyed (a int PRIMARY KEY)");
  await sql(
    db,
    "CREATE TABLE facts (a int) WITH (append_only); CREATE TABLE kept (a int) WITH (append_only)",
  );
  const fill = (from: number, to: number) =>
    sql(
      db,
      `INSERT INTO t SELECT i FROM generate_series(${from}, ${to}) AS i;
       INSERT INTO facts SELECT i FROM generate_series(${from}, ${to}) AS i`,
    );
  await fill(1, 5_000);
  await sql(db, "CREATE MATERIALIZED VIEW v WITH (sink = 'keyed') AS SELECT a FROM t");
  await sql(db, "CREATE MATERIALIZED VIEW w WITH (sink = 'kept') AS SELECT a FROM facts");
  await db.settled();
  const counts = "SELECT (SELECT count(*) FROM keyed), (SELECT count(*) FROM kept)";
  expect(await rowsOf(db, counts)).toEqual([["5000", "5000"]]);
  await fill(5_001, 10_000);
  await db.settled();
  expect(await rowsOf(db, counts)).toEqual([["10000", "10000"]]);
  await sql(db, "DELETE FROM t WHERE a > 10");
  await db.settled();
  expect(await rowsOf(db, counts)).toEqual([["10", "10000"]]);
  expect(said).toEqual([]);
  await db.close();
});

it("a sink of long rows appends as many at once as a commit may hold", async () => {
  const said: string[] = [];
  const db = await openInMemory(undefined, { report: (message) => said.push(message) });
  await sql(db, "CREATE TABLE t (a int PRIMARY KEY); CREATE TABLE out (a int PRIMARY KEY, long text)");
  await sql(db, "INSERT INTO t SELECT i FROM generate_series(1, 100) AS i");
  await sql(
    db,
    "CREATE MATERIALIZED VIEW v WITH (sink = 'out') AS SELECT a, repeat('x', 1000000) || a AS long FROM t",
  );
  await db.settled();
  expect(await rowsOf(db, "SELECT count(*), count(DISTINCT long) FROM out")).toEqual([["100", "100"]]);
  expect(said).toEqual([]);
  await db.close();
});
