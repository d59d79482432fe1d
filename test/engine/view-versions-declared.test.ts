/** Versions of a view that a program declares: what it calls `charts` stays version 1, whatever the plain name means. */
import { expect, it } from "vitest";
import type { AnyView } from "../../src/face/handles.ts";
import { count, int4, sum, table, text, view } from "../../src/face/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf } from "./support/memory.ts";

const songs = table("songs", { key: "id", schema: { id: int4, genre: text, plays: int4 } });
const charts = view(
  "charts",
  songs.groupBy((s) => s.genre, { plays: sum((s) => s.plays) }),
);
const second = view(
  "charts@2",
  songs.groupBy((s) => s.genre, { songs: count() }),
);
const changed = view(
  "charts@2",
  songs.groupBy((s) => s.genre, { songs: count(), plays: sum((s) => s.plays) }),
);
const loud = view(
  "loud",
  charts.filter((c) => (c.plays ?? 0) > 1),
);

async function open(disk: SimulatedDisk, views: readonly AnyView[]) {
  const db = await openInMemory(disk, { topics: [songs], views });
  await db.built();
  return db;
}

it("is read as the program and the log say, through restarts and a changed definition", async () => {
  const disk = new SimulatedDisk();
  let db = await open(disk, [charts, second, loud]);
  await db.append("songs", [{ id: 1, genre: "jazz", plays: 3 }]);
  await db.versions.promote("charts", 2);
  const check = async (shown: (string | null)[]): Promise<void> => {
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([shown]);
    expect(await rowsOf(db, 'SELECT * FROM "charts@1"')).toEqual([["jazz", "3"]]);
    expect(await rowsOf(db, "SELECT genre FROM loud")).toEqual([["jazz"]]);
    expect(db.versions.list("charts").map((v) => [v.version, v.isCurrent])).toEqual([
      [1, false],
      [2, true],
    ]);
  };
  await check(["jazz", "1"]);
  const ids = () => db.core.catalog.views().map(({ id }) => id);
  const before = ids();
  await db.close();
  db = await open(disk, [charts, second, loud]);
  await check(["jazz", "1"]);
  expect(ids()).toEqual(before);
  await db.close();
  db = await open(disk, [charts, changed, loud]);
  await check(["jazz", "1", "3"]);
  await db.versions.rollback("charts");
  expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([["jazz", "3"]]);
  await db.close();
});
