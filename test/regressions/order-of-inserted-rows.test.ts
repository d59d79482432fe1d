/** INSERT … SELECT … ORDER BY stored its rows in whatever order the operators gave them: the offsets of a stream, and the order in which views that follow it saw them, were not those of the query. */
import { expect, test } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

async function stored(query: string, create = "CREATE TABLE s (a int8, b text) WITH (append_only)") {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, n int, name text)");
  await sql(
    db,
    "INSERT INTO t SELECT g, (g * 7919) % 10007, CASE g % 10 WHEN 0 THEN NULL ELSE 'n' || (g * 31) % 1000 END FROM generate_series(1, 5000) g",
  );
  await sql(db, create);
  await sql(db, query);
  const records: unknown[] = [];
  for await (const { valueJson } of db.readTopic("s")) {
    const { a, b } = JSON.parse(valueJson!) as { a: number; b: string | null };
    records.push([String(a), b]);
  }
  const select = query.slice(query.search(/WITH|SELECT|VALUES/));
  const asked = (await rowsOf(db, select)).map(([a, b]) => [a, b ?? null]);
  await db.close();
  expect(records.length).toBeGreaterThan(3);
  expect(records).toEqual(asked);
}

test.each([
  "INSERT INTO s SELECT id, name FROM t ORDER BY n",
  "INSERT INTO s SELECT id, name FROM t ORDER BY name DESC NULLS LAST, id DESC",
  "INSERT INTO s SELECT id, name FROM t ORDER BY -n LIMIT 2500 OFFSET 10",
  "INSERT INTO s (a) SELECT n FROM t ORDER BY n DESC",
  "INSERT INTO s SELECT sum(n), name FROM t GROUP BY name ORDER BY 1, 2",
  "INSERT INTO s (a, b) WITH w AS (SELECT id * 2 AS id, name FROM t) SELECT id, name FROM w ORDER BY id % 17, id DESC",
  "INSERT INTO s SELECT id, name FROM t WHERE id < 9 UNION ALL SELECT -id, name FROM t WHERE id < 9 ORDER BY 1",
  "INSERT INTO s VALUES (3, 'c'), (1, 'a'), (2, 'b'), (5, NULL) ORDER BY 1",
])("%s", (query) => stored(query));

test("what it is ordered by is the query's value, not what the column makes of it", async () => {
  // As texts 10 comes before 9.
  const db = await openInMemory();
  await sql(db, "CREATE TABLE s (a text) WITH (append_only)");
  await sql(db, "INSERT INTO s SELECT g FROM generate_series(1, 12) g ORDER BY g DESC");
  const offsets: string[] = [];
  for await (const { valueJson } of db.readTopic("s"))
    offsets.push((JSON.parse(valueJson!) as { a: string }).a);
  expect(offsets).toEqual(["12", "11", "10", "9", "8", "7", "6", "5", "4", "3", "2", "1"]);
  expect(
    await rowsOf(db, "INSERT INTO s SELECT g FROM generate_series(8, 11) g ORDER BY g RETURNING a"),
  ).toEqual([["8"], ["9"], ["10"], ["11"]]);
  await db.close();
});

test("a table without key, and within a transaction", async () => {
  await stored("INSERT INTO s SELECT id, name FROM t ORDER BY n", "CREATE TABLE s (a int8, b text)");
  const db = await openInMemory();
  await sql(db, "CREATE TABLE s (a int) WITH (append_only); CREATE TABLE t (a int PRIMARY KEY)");
  await sql(
    db,
    "BEGIN; INSERT INTO t VALUES (2), (3), (1); INSERT INTO s SELECT a FROM t ORDER BY a DESC; INSERT INTO s SELECT a + 10 FROM t ORDER BY a; COMMIT",
  );
  const values: number[] = [];
  for await (const { valueJson } of db.readTopic("s"))
    values.push((JSON.parse(valueJson!) as { a: number }).a);
  expect(values).toEqual([3, 2, 1, 11, 12, 13]);
  await db.close();
});
