/**
 * Once another version of a view was promoted, the first one, whose name is the plain one, was taken to have the promoted one's key: a condition on the column in that
 * place was looked up as if no two rows shared a value, and of several rows one was found. At the next start an index on the first version lost its columns in the same
 * way, and a sink appended nothing any more.
 */
import { afterEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;

afterEach(async () => {
  await db.close();
});

it("keeps the key and the indexes of the first version when another is promoted", async () => {
  const disk = new SimulatedDisk();
  db = await openInMemory(disk);
  await sql(
    db,
    `CREATE TABLE songs (id int4 PRIMARY KEY, genre int4, plays int4);
     INSERT INTO songs VALUES (1, 10, 5), (2, 20, 6), (3, 10, 7);
     CREATE MATERIALIZED VIEW charts AS SELECT id, genre, plays FROM songs`,
  );
  await db.built();
  await sql(db, "CREATE INDEX by_plays ON charts (plays)");
  await db.versions.build("charts", "SELECT count(*) AS plays, genre FROM songs GROUP BY genre");
  await db.versions.promote("charts", 2);
  for (const restart of [false, true]) {
    if (restart) {
      await db.close();
      db = await openInMemory(disk);
    }
    const first = async (condition: string): Promise<unknown[]> =>
      (await rowsOf(db, `SELECT id FROM "charts@1" WHERE ${condition} ORDER BY id`)).flat();
    expect(await first("genre = 10")).toEqual(["1", "3"]);
    expect(await first("id = 3")).toEqual(["3"]);
    expect(await first("plays = 6")).toEqual(["2"]);
    const plan = (await rowsOf(db, `EXPLAIN SELECT * FROM "charts@1" WHERE plays > 5`)).flat().join("\n");
    expect(plan).toContain("by index by_plays: plays > 5");
    expect(await first("plays > 5")).toEqual(["2", "3"]);
    expect(await rowsOf(db, "SELECT plays FROM charts WHERE genre = 10")).toEqual([["2"]]);
  }
});

it("goes on appending the first version to its sink when another is promoted", async () => {
  const disk = new SimulatedDisk();
  db = await openInMemory(disk);
  await sql(
    db,
    `CREATE TABLE songs (id int4 PRIMARY KEY, genre int4);
     CREATE TABLE told (id int4 PRIMARY KEY, genre int4);
     CREATE MATERIALIZED VIEW charts WITH (sink = told) AS SELECT id, genre FROM songs;
     INSERT INTO songs VALUES (1, 10)`,
  );
  await db.settled();
  await db.versions.build("charts", "SELECT genre, count(*) AS n FROM songs GROUP BY genre");
  await db.versions.promote("charts", 2);
  await db.close();
  db = await openInMemory(disk);
  await sql(db, "INSERT INTO songs VALUES (2, 20)");
  await db.settled();
  expect(await rowsOf(db, "SELECT id FROM told ORDER BY id")).toEqual([["1"], ["2"]]);
});
