/**
 * min and max over a join read their values from a store of their own, and what came to the group-by were its keys alone: where a change
 * left the keys as they were (an outer join finds its match), the rows cancelled out before the group-by heard of them, and it kept
 * the value it had. Found by restart.test.ts, seed 1402300207.
 */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a least value changes with its argument, though the keys of its rows stay", async () => {
  const engine = await openInMemory();
  await sql(engine, "CREATE TABLE person (id int, town int8, PRIMARY KEY (id, town))");
  await sql(engine, "CREATE TABLE town (id int PRIMARY KEY)");
  const from = "FROM person x LEFT JOIN town y ON x.town = y.id JOIN person z ON x.id = z.town";
  await sql(
    engine,
    `CREATE MATERIALIZED VIEW v AS
       SELECT x.id, min(y.id) AS least, max(y.id) FILTER (WHERE y.id < 5) AS small ${from} GROUP BY x.id`,
  );
  await sql(engine, "INSERT INTO person VALUES (0, 0)");
  expect(await rowsOf(engine, "SELECT * FROM v")).toEqual([["0", null, null]]);
  await sql(engine, "INSERT INTO town VALUES (0)");
  expect(await rowsOf(engine, "SELECT * FROM v")).toEqual([["0", "0", "0"]]);
  await sql(engine, "DELETE FROM town");
  expect(await rowsOf(engine, "SELECT * FROM v")).toEqual([["0", null, null]]);
  await engine.close();
});
