/** Versions of a view side by side: each is what its query says, and the plain name means one of them at every moment. */
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { Client } from "./support/client.ts";
import { openInMemory, rowsOf, sql, told } from "./support/memory.ts";

const tables =
  "CREATE TABLE songs (id int4 PRIMARY KEY, genre text NOT NULL, plays int8 NOT NULL);" +
  "CREATE MATERIALIZED VIEW charts AS SELECT genre, sum(plays) AS plays FROM songs GROUP BY genre;";
const second = "SELECT genre, sum(plays) AS plays, count(*) AS songs FROM songs GROUP BY genre";
const queries = ["", "SELECT genre, sum(plays) AS plays FROM songs GROUP BY genre", second];

async function open(disk = new SimulatedDisk()): Promise<Database> {
  const db = await openInMemory(disk);
  if (db.views().length === 0) await sql(db, tables);
  return db;
}

const put = (db: Database, id: number, genre: string, plays: number) =>
  db.append("songs", [{ id, genre, plays }]);
const read = async (db: Database, name: string) => {
  await told(db);
  return (await db.view(name).rows()).rows;
};
const current = (db: Database) => db.versions.list("charts").find((v) => v.isCurrent)?.version;

describe("a version of a view", () => {
  it("is built beside the first, and read by its name while the plain name means the first", async () => {
    const db = await open();
    await put(db, 1, "jazz", 3);
    expect(await db.versions.build("charts", second)).toMatchObject({ version: 2, name: "charts@2" });
    await put(db, 2, "jazz", 4);
    expect(await read(db, "charts")).toEqual([{ genre: "jazz", plays: expect.anything() }]);
    expect(await rowsOf(db, 'SELECT * FROM "charts@2"')).toEqual([["jazz", "7", "2"]]);
    expect(await rowsOf(db, 'SELECT * FROM "charts@1"')).toEqual([["jazz", "7"]]);
    expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([["jazz", "7"]]);
    await db.close();
  });

  it("is meant by the plain name once it is promoted, until that is taken back, also after a restart", async () => {
    const disk = new SimulatedDisk();
    let db = await open(disk);
    await put(db, 1, "jazz", 3);
    await db.versions.build("charts", second);
    await db.versions.promote("charts", 2);
    const again = async (): Promise<void> => {
      await db.close();
      db = await openInMemory(disk);
    };
    for (const restart of [false, true]) {
      if (restart) await again();
      expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([["jazz", "3", "1"]]);
      expect(await read(db, "charts")).toHaveLength(1);
      expect(db.view("charts").info.schema.fields).toHaveLength(3);
      expect(await rowsOf(db, 'SELECT * FROM "charts@1"')).toEqual([["jazz", "3"]]);
      expect(db.versions.list("charts").map((v) => [v.version, v.isCurrent, v.isPrevious])).toEqual([
        [1, false, true],
        [2, true, false],
      ]);
    }
    expect(await db.versions.rollback("charts")).toMatchObject({ version: 1 });
    expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([["jazz", "3"]]);
    await again();
    expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([["jazz", "3"]]);
    expect(await db.versions.rollback("charts")).toMatchObject({ version: 2 });
    expect(await rowsOf(db, "SELECT * FROM charts")).toEqual([["jazz", "3", "1"]]);
    await db.close();
  });

  it("is dropped when the plain name does not mean it", async () => {
    const disk = new SimulatedDisk();
    let db = await open(disk);
    await db.versions.build("charts", second);
    await expect(db.dropView("charts")).rejects.toMatchObject({ code: "dependent_objects" });
    await expect(sql(db, "DROP MATERIALIZED VIEW charts")).rejects.toThrow("2BP01");
    await db.versions.promote("charts", 2);
    await expect(db.dropView("charts@2")).rejects.toMatchObject({ code: "dependent_objects" });
    await db.dropView("charts@1");
    await expect(db.versions.rollback("charts")).rejects.toMatchObject({ code: "not_found" });
    await db.close();
    db = await openInMemory(disk);
    expect(await read(db, "charts")).toEqual([]);
    expect(current(db)).toBe(2);
    expect(() => db.view("charts@1")).toThrow("does not exist");
    await expect(sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT 1 AS a")).rejects.toThrow("42P07");
    await db.dropView("charts");
    expect(() => db.view("charts")).toThrow("does not exist");
    await sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT 1 AS a");
    expect(current(db)).toBe(1);
    await db.close();
  });

  it("goes with all others where that is asked for", async () => {
    const db = await open();
    await db.versions.build("charts", second);
    await sql(db, "DROP MATERIALIZED VIEW charts CASCADE");
    expect(db.views()).toEqual([]);
    await db.close();
  });

  it("is not promoted before it has rows, nor where there is none", async () => {
    const db = await open();
    await put(db, 1, "jazz", 0);
    await expect(db.versions.promote("charts", 7)).rejects.toMatchObject({
      code: "undefined_table",
      detail: expect.stringMatching(/^There (is version \d+|are versions \d+(, \d+)+)\.$/),
    });
    await expect(db.versions.promote("nothing", 1)).rejects.toMatchObject({ code: "undefined_table" });
    await expect(db.versions.promote("charts@1", 1)).rejects.toMatchObject({ code: "wrong_object_type" });
    await expect(db.versions.build("charts", "SELECT 1; DROP TABLE songs")).rejects.toMatchObject({
      code: "invalid_request",
    });
    await sql(db, 'CREATE MATERIALIZED VIEW "charts@2" AS SELECT genre, 1 / plays AS plays FROM songs');
    await expect(db.versions.promote("charts", 2)).rejects.toMatchObject({ code: "division_by_zero" });
    expect(current(db)).toBe(1);
    await db.close();
  });

  it("leaves those that read the view with the version that they read", async () => {
    const disk = new SimulatedDisk();
    let db = await open(disk);
    await sql(db, "CREATE MATERIALIZED VIEW total AS SELECT sum(plays) AS plays FROM charts");
    await sql(db, "CREATE VIEW loud AS SELECT genre FROM charts WHERE plays > 1");
    await put(db, 1, "jazz", 3);
    await db.versions.build("charts", "SELECT genre, 10 * sum(plays) AS plays FROM songs GROUP BY genre");
    await db.versions.promote("charts", 2);
    await sql(db, "CREATE MATERIALIZED VIEW total2 AS SELECT sum(plays) AS plays FROM charts");
    const check = async (): Promise<void> => {
      expect(await rowsOf(db, "SELECT * FROM total")).toEqual([["3"]]);
      expect(await rowsOf(db, "SELECT * FROM total2")).toEqual([["30"]]);
      expect(await rowsOf(db, "SELECT * FROM loud")).toEqual([["jazz"]]);
      await expect(db.dropView("charts@1")).rejects.toMatchObject({ code: "dependent_objects" });
    };
    await check();
    await db.close();
    db = await openInMemory(disk);
    await check();
    await db.versions.rollback("charts");
    await check();
    expect(await rowsOf(db, "SELECT * FROM total2")).toEqual([["30"]]);
    await db.close();
  });

  it("is compared with another at one position", async () => {
    const db = await open();
    for (const [id, genre, plays] of [
      [1, "jazz", 1],
      [2, "rock", 2],
      [3, "folk", 3],
    ] as const)
      await put(db, id, genre, plays);
    await db.versions.build("charts", "SELECT genre, sum(plays) AS plays FROM songs GROUP BY genre");
    expect(await db.versions.diff("charts", 1, 2, 10)).toEqual({
      position: db.position,
      onlyFrom: 0,
      onlyTo: 0,
      differing: 0,
      columnsOnlyFrom: [],
      columnsOnlyTo: [],
      rows: [],
    });
    await db.versions.build(
      "charts",
      "SELECT CASE genre WHEN 'folk' THEN 'roots' ELSE genre END AS genre, sum(plays) * 2 - 2 AS plays, 1 AS x FROM songs WHERE id < 9 GROUP BY CASE genre WHEN 'folk' THEN 'roots' ELSE genre END",
    );
    const found = await db.versions.diff("charts", 1, 3, 10);
    expect(found).toMatchObject({ columnsOnlyTo: ["x"], columnsOnlyFrom: [] });
    expect(found.onlyFrom + found.onlyTo + found.differing).toBe(found.rows.length);
    expect(found.onlyFrom).toBeGreaterThan(0);
    expect((await db.versions.diff("charts", 1, 3, 1)).rows).toHaveLength(1);
    await expect(db.versions.diff("charts", 1, 9, 1)).rejects.toMatchObject({
      message: 'view "charts" has no version 9',
      detail: expect.stringContaining("There are versions 1, 2, 3."),
    });
    await db.close();
  });
});

it("who watches the plain name begins anew with the version that it means, and others notice nothing", async () => {
  const db = await open();
  await put(db, 1, "jazz", 3);
  await db.versions.build("charts", second);
  const client = new Client();
  const stop = new AbortController();
  const targets = [{ view: "charts" }, { view: "charts@2" }, { view: "charts@1" }];
  const watching = (async () => {
    for await (const event of db.subscribe(targets, { signal: stop.signal })) client.apply(event);
  })();
  await until(() => client.views.size === 3);
  const { position } = await db.versions.promote("charts", 2);
  await put(db, 2, "rock", 5);
  await until(() => client.views.get("charts")?.size === 2 && client.views.get("charts@1")?.size === 2);
  expect(client.resets).toEqual(["charts: the view was replaced"]);
  expect(client.views.get("charts")).toEqual(client.views.get("charts@2"));
  expect(Number(position)).toBeLessThan(client.position);
  await db.versions.rollback("charts");
  await until(() => client.resets.length === 2 && client.views.get("charts")?.size === 2);
  expect(client.views.get("charts")).toEqual(client.views.get("charts@1"));
  stop.abort();
  await watching;
  await db.close();
});

const seeds = Number(process.env["EVERT_VERSION_RUNS"] ?? 12);

it.each(Array.from({ length: seeds }, (_, i) => i + 1))(
  "seed %i: whatever is done in whatever order, through restarts, each version is what its query says",
  async (seed) => {
    const random = new SeededRandom(seed);
    let disk = new SimulatedDisk();
    let db = await open(disk);
    /** By version, which query it has; and what the plain name means and meant. */
    const model = new Map([[1, 1]]);
    let now = 1;
    let before: number | null = null;
    for (let step = 0; step < 60; step++) {
      const writing = Array.from({ length: random.below(4) }, () =>
        put(db, random.below(8), ["jazz", "rock", "folk"][random.below(3)] as string, random.below(9)),
      );
      const pick = [...model.keys()][random.below(model.size)] as number;
      switch (random.below(7)) {
        case 0: {
          if (model.size > 3) break;
          const query = 1 + random.below(2);
          const { version } = await db.versions.build("charts", queries[query] as string);
          expect(model.has(version)).toBe(false);
          model.set(version, query);
          break;
        }
        case 1:
          await db.versions.promote("charts", pick);
          if (pick !== now) [before, now] = [now, pick];
          break;
        case 2:
          if (before === null) await expect(db.versions.rollback("charts")).rejects.toThrow("no version");
          else {
            await db.versions.rollback("charts");
            [before, now] = [now, before];
          }
          break;
        case 3:
          if (pick === now) {
            if (model.size > 1) await expect(db.dropView(`charts@${pick}`)).rejects.toThrow("cannot drop");
          } else {
            await db.dropView(`charts@${pick}`);
            model.delete(pick);
            if (before === pick) before = null;
          }
          break;
        case 4:
          await Promise.all(writing);
          if (random.oneIn(2)) await db.checkpoint();
          if (random.oneIn(2)) {
            await db.close();
            db = await openInMemory(disk);
            break;
          }
          // What was answered is durable.
          disk = disk.reboot(random.oneIn(2) ? "process" : "power cut");
          await db.close().catch(() => {});
          db = await openInMemory(disk);
          await db.built();
          break;
      }
      await Promise.all(writing);
      await db.settled();
      expect(current(db)).toBe(now);
      for (const [version, query] of model) {
        const wanted = (await rowsOf(db, queries[query] as string)).sort();
        expect((await rowsOf(db, `SELECT * FROM "charts@${version}"`)).sort()).toEqual(wanted);
        if (version !== now) continue;
        expect((await rowsOf(db, "SELECT * FROM charts")).sort()).toEqual(wanted);
        expect(await read(db, "charts")).toHaveLength(wanted.length);
      }
    }
    await db.close();
  },
  60_000,
);

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
