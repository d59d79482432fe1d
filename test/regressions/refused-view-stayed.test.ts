/** A view whose operators cannot be made was refused with 0A000, and was there all the same. */
import { expect, it } from "vitest";
import { int4, open, topic, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const numbers = topic("numbers", { schema: { n: int4 } });

it.each([
  "SELECT x.k, t.a FROM (SELECT s.k FROM s JOIN w ON w.a = s.k) x JOIN as_of(t) AS t ON t.k = x.k",
  `WITH RECURSIVE x (n) AS (SELECT 1 UNION (WITH RECURSIVE y (m) AS (SELECT n FROM x UNION SELECT m + 1 FROM y WHERE m < 3)
     SELECT m FROM y)) SELECT n FROM x`,
])("what is refused is not there: %s", async (query) => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, a int); CREATE TABLE w (a int)");
  await sql(db, "CREATE TABLE s (k int) WITH (append_only)");
  expect((await db.sql(`CREATE MATERIALIZED VIEW v AS ${query}`)).error?.sqlstate).toBe("0A000");
  expect((await db.sql("SELECT * FROM v")).error?.sqlstate).toBe("42P01");
  await db.close();
  db = await openInMemory(disk);
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT 1 AS a");
  expect(await rowsOf(db, "SELECT * FROM v")).toEqual([["1"]]);
  await db.close();
});

it("a view of a program that is refused is named, and not there", async () => {
  const disk = new SimulatedDisk();
  const within = view(
    "within",
    numbers.iterate((found) =>
      found.iterate((deeper) => deeper.filter((d) => d.n < 3).map((d) => ({ n: d.n + 1 }), { n: int4 })),
    ),
  );
  const views = [
    view(
      "small",
      numbers.filter((x) => x.n < 9),
    ),
    within,
  ];
  await expect(open({ dir: "/data", disk, topics: [numbers], views })).rejects.toMatchObject({
    code: "feature_not_supported",
    message: expect.stringMatching(/^view "within": .* is not supported yet$/),
  });
  const db = await openInMemory(disk);
  expect(db.views().map((v) => v.name)).toEqual(["small"]);
  await db.close();
});
