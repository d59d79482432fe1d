/**
 * Where a repair had lost the definition of the version that a view's plain name meant, the name was answered by the first version, and views over it were made anew over that one at the next
 * start: nobody had decided so, and nothing said it. Found by the simulation: seed 71002334.
 */
import { expect, test } from "vitest";
import { repairDirectory } from "../../src/engine/repair.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test("a name that means a lost version is not answered by another", async () => {
  const before = new SimulatedDisk({ seed: 1 });
  let db = await openInMemory(before);
  await sql(db, "CREATE TABLE plays (song int4) WITH (append_only)");
  await sql(db, "INSERT INTO plays VALUES (1), (2)");
  await sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT song FROM plays");
  await sql(db, `CREATE MATERIALIZED VIEW "charts@2" AS SELECT song * 10 AS song FROM plays`);
  await db.built();
  const lost = Number(db.stats().position);
  await db.versions.promote("charts", 2);
  await sql(db, "CREATE MATERIALIZED VIEW over AS SELECT sum(song) AS s FROM charts");
  await db.built();
  expect(await rowsOf(db, "SELECT * FROM over")).toEqual([["30"]]);
  await db.close();

  const disk = before.reboot("process");
  const path = disk.files().find((name) => name.endsWith(".log"))!;
  const file = await disk.open(path, "read");
  const scanner = new Scanner(file, 0, await file.size(), true);
  let found = await scanner.next();
  while (found.kind === "frame" && found.header.firstPosition < lost) found = await scanner.next();
  await file.close();
  disk.corrupt(path, found.at + 30, (byte) => byte ^ 1);
  const { lastPosition } = await repairDirectory("/data", disk, new SimulatedClock());

  db = await openInMemory(disk);
  await db.built();
  // Nothing is made anew.
  expect(Number(db.stats().position)).toBe(lastPosition);
  for (const query of ["SELECT * FROM charts", "SELECT * FROM over"])
    expect((await db.sql(query)).error).toMatchObject({ code: "view_failed" });
  expect(() => db.view("charts")).toThrow('view "charts" means version 2, which does not exist');
  expect(await rowsOf(db, `SELECT * FROM "charts@1" ORDER BY song`)).toEqual([["1"], ["2"]]);
  expect(db.versions.list("charts")).toMatchObject([{ version: 1, isCurrent: false }]);

  // Who would make it anew, or drop it, is told what can be done.
  for (const statement of [
    "CREATE MATERIALIZED VIEW charts AS SELECT song FROM plays",
    "DROP MATERIALIZED VIEW charts",
  ])
    expect((await db.sql(statement)).error?.hint, statement).toContain('"charts@2"');

  // Both ways out.
  await db.versions.promote("charts", 1);
  expect(await rowsOf(db, "SELECT * FROM charts ORDER BY song")).toEqual([["1"], ["2"]]);
  await db.versions.build("charts", "SELECT song * 10 AS song FROM plays", 2);
  await db.built();
  await db.versions.promote("charts", 2);
  expect(await rowsOf(db, "SELECT * FROM charts ORDER BY song")).toEqual([["10"], ["20"]]);
  await db.close();
});
