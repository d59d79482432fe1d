/**
 * A checkpoint kept the catalog's entries and not which ids it had given. A table that was made last and dropped before the checkpoint left its id to the next one made after a
 * start, which then began with the other's records: at offset 150, and with them as its rows where everything but the log was lost.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test("the id of a dropped table is not given again after a start", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE gone (id int PRIMARY KEY, note text)");
  await sql(db, "INSERT INTO gone SELECT i, 'note' FROM generate_series(1, 150) AS i");
  await sql(db, "DROP TABLE gone");
  await db.close();

  db = await openInMemory(disk);
  await sql(db, "CREATE TABLE another (id int PRIMARY KEY, other int, note text)");
  expect(db.topic("another").records).toBe(0);
  await sql(db, "INSERT INTO another VALUES (1, 2, 'x')");
  await db.close();

  await disk.removeTree("/data/checkpoint");
  db = await openInMemory(disk);
  expect(await rowsOf(db, "SELECT * FROM another")).toEqual([["1", "2", "x"]]);
  await db.close();
});
