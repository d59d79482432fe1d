/**
 * A checkpoint holds the texts of all views of its time. Where one of them had been dropped behind it, a start brought its texts back, and since no row
 * ever referenced them, none ever let them go.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a start keeps no text that no row has", async () => {
  const disk = new SimulatedDisk();
  let db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, s text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, lower(s) AS s FROM t");
  await db.append(
    "t",
    Array.from({ length: 300 }, (_, k) => ({ k, s: `S ${k}` })),
  );
  await db.settled();
  const without = db.core.dictionary.size - 300;
  await db.close();
  db = await openInMemory(disk);
  await sql(db, "DROP MATERIALIZED VIEW v");
  // As after a crash: no checkpoint knows that the view is gone.
  const crashed = disk.clone();
  await db.close();
  db = await openInMemory(crashed);
  await db.settled();
  expect(db.core.dictionary.size).toBe(without);
  expect(await rowsOf(db, "SELECT count(DISTINCT s), max(s) FROM t")).toEqual([["300", "S 99"]]);
  await db.close();
});
