/** "charts@1", while `charts` meant version 2 and the code that defines the first was not loaded, was a relation that does not exist. */
import { expect, test } from "vitest";
import { count, int4, topic, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("the first version is known by its number where it cannot be read", async () => {
  const disk = new SimulatedDisk();
  const plays = topic("plays", { schema: { song: int4 } });
  const charts = view(
    "charts",
    plays.groupBy((p) => p.song, { n: count() }),
  );
  let db = await openInMemory(disk, { topics: [plays], views: [charts] });
  await sql(db, `CREATE MATERIALIZED VIEW "charts@2" AS SELECT song FROM plays`);
  await db.versions.promote("charts", 2);
  expect((await db.sql('SELECT * FROM "charts@1"')).error).toBeUndefined();
  await db.close();

  db = await openInMemory(disk);
  await db.built();
  expect((await db.sql('SELECT * FROM "charts@1"')).error).toMatchObject({ code: "view_failed" });
  expect((await db.sql("SELECT * FROM charts")).error).toBeUndefined();
  await db.close();
});
