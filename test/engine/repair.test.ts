/** A database whose log was damaged and repaired: it opens, whatever of its catalog is lost, and what is left answers. */
import { expect, test } from "vitest";
import { writeWhole } from "../../src/base/small-file.ts";
import type { Database } from "../../src/engine/database.ts";
import { repairDirectory } from "../../src/engine/repair.ts";
import { checkLog } from "../../src/log/check.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { parseSegmentName } from "../../src/log/segment.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

async function frames(
  disk: SimulatedDisk,
): Promise<{ path: string; at: number; end: number; first: number }[]> {
  const found: { path: string; at: number; end: number; first: number }[] = [];
  for (const path of disk.files().filter((name) => name.endsWith(".log"))) {
    const file = await disk.open(path, "read");
    const scanner = new Scanner(file, 0, await file.size(), true);
    for (let one = await scanner.next(); one.kind === "frame"; one = await scanner.next())
      found.push({ path, at: one.at, end: one.at + one.header.frameBytes, first: one.header.firstPosition });
    await file.close();
  }
  return found;
}

const STATEMENTS = [
  "CREATE TYPE colour AS ENUM ('red', 'green')",
  "CREATE TABLE items (id int4 PRIMARY KEY, n int4, c colour)",
  "CREATE TABLE events (id int4, n int4) WITH (append_only)",
  "CREATE MATERIALIZED VIEW total AS SELECT count(*) AS n, sum(n) AS sum FROM items",
  "CREATE MATERIALIZED VIEW pairs AS SELECT e.id, i.n FROM events e JOIN items i ON i.id = e.id",
  "CREATE MATERIALIZED VIEW above AS SELECT sum + 1 AS s FROM total",
  "CREATE INDEX by_n ON items (n)",
  "INSERT INTO items VALUES (1, 10, 'red'), (2, 20, 'green')",
  "INSERT INTO events VALUES (1, 1), (2, 2), (3, 3)",
  "INSERT INTO items VALUES (3, 30, 'red')",
  "CREATE TABLE last (a int4)",
  "INSERT INTO last VALUES (7)",
];

async function build(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  const db = await openInMemory(disk);
  for (const one of STATEMENTS) await sql(db, one);
  await db.built();
  await db.checkpoint();
  await db.close();
  return disk.reboot("process");
}

const QUERIES = [
  "SELECT * FROM items ORDER BY id",
  "SELECT id, n FROM items WHERE n >= 20 ORDER BY n",
  "SELECT * FROM events ORDER BY id",
  "SELECT * FROM total",
  "SELECT * FROM pairs ORDER BY id",
  "SELECT * FROM above",
  "SELECT * FROM last",
];

/** Null where it fails. */
async function ask(db: Database, query: string): Promise<unknown> {
  try {
    return await rowsOf(db, query);
  } catch {
    return null;
  }
}

/** What the queries answer where one statement was never run. */
async function answersWithout(index: number): Promise<unknown[]> {
  const db = await openInMemory(new SimulatedDisk({ seed: 2 }));
  for (const [i, one] of STATEMENTS.entries()) if (i !== index) await sql(db, one).catch(() => {});
  await db.built();
  const answers: unknown[] = [];
  for (const query of QUERIES) answers.push(await ask(db, query));
  await db.close();
  return answers;
}

test("without any one of its commits it opens, and answers as if that had never been", async () => {
  const disk = await build();
  const all = await frames(disk);
  expect(all.map(({ first }) => first)).toEqual([...STATEMENTS, "closing mark"].map((_, i) => i + 1));
  for (const [index, frame] of all.slice(0, -1).entries()) {
    const damaged = disk.clone();
    damaged.corrupt(frame.path, frame.at + 30, (byte) => byte ^ 1);
    await expect(openInMemory(damaged)).rejects.toMatchObject({ code: "log_damaged" });
    const report = await repairDirectory("/data", damaged, new SimulatedClock());
    expect(report.positions).toEqual([{ first: index + 1, last: index + 1 }]);
    let db = await openInMemory(damaged);
    await db.built();
    const expected = await answersWithout(index);
    for (const [i, query] of QUERIES.entries()) {
      const answer = await ask(db, query);
      // A column keeps its type when nobody knows any more what it is called.
      if (index > 0) expect(answer, `without ${STATEMENTS[index]}: ${query}`).toEqual(expected[i]);
    }
    // Records that no table has any more become no other's.
    await sql(db, "CREATE TABLE fresh (x text); INSERT INTO fresh VALUES ('a')");
    await db.close();
    db = await openInMemory(damaged.reboot("process"));
    await db.built();
    expect(await ask(db, "SELECT * FROM fresh")).toEqual([["a"]]);
    await db.close();
  }
});

test("without the definition of a newer form of a table, its records in that form are left out, for good", async () => {
  const before = new SimulatedDisk({ seed: 1 });
  let db = await openInMemory(before);
  for (const one of [
    "CREATE TABLE events (id int4, n int4) WITH (append_only)",
    "INSERT INTO events VALUES (1, 1)",
    "ALTER TABLE events ADD COLUMN extra int4",
    "INSERT INTO events VALUES (2, 2, 2)",
    "CREATE MATERIALIZED VIEW times AS SELECT count(*) AS n FROM events",
  ])
    await sql(db, one);
  await db.built();
  await db.close();
  const disk = before.reboot("process");
  const altered = (await frames(disk)).find(({ first }) => first === 3)!;
  disk.corrupt(altered.path, altered.at + 30, (byte) => byte ^ 1);
  await repairDirectory("/data", disk, new SimulatedClock());
  db = await openInMemory(disk);
  await db.built();
  expect(await rowsOf(db, "SELECT * FROM events")).toEqual([["1", "1"]]);
  expect(await rowsOf(db, "SELECT n FROM times")).toEqual([["1"]]);
  await sql(db, "INSERT INTO events VALUES (3, 3)");
  // The next form is not taken for the lost one.
  await sql(db, "ALTER TABLE events ADD COLUMN other text");
  await sql(db, "INSERT INTO events VALUES (4, 4, 'four')");
  const rows = [
    ["1", "1", null],
    ["3", "3", null],
    ["4", "4", "four"],
  ];
  expect(await rowsOf(db, "SELECT * FROM events ORDER BY id")).toEqual(rows);
  await db.close();
  db = await openInMemory(disk.reboot("process"));
  await db.built();
  expect(await rowsOf(db, "SELECT * FROM events ORDER BY id")).toEqual(rows);
  expect(await rowsOf(db, "SELECT n FROM times")).toEqual([["3"]]);
  await db.close();
});

test("an earlier form of a segment that stands for a damaged one is named: what was taken out in between is there again", async () => {
  const disk = new SimulatedDisk({ seed: 3 });
  const db = await openInMemory(disk, { segmentBytes: 64 << 10 });
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, s text)");
  for (let k = 0; k < 60; k++) await db.append("t", [{ k, s: `${k} ${"x".repeat(2_000)}` }]);
  // Somebody had the segments as they were before the erasing copied, and they came back.
  await db.erase("t", 59);
  const before = new Map(sealed(disk).map((path) => [path, disk.contents(path).slice()]));
  await db.erase("t", 3);
  const after = sealed(disk);
  await db.close();
  const later = after.find((path) => !before.has(path) && sealedAt(path) === 1)!;
  const earlier = [...before.keys()].find((path) => sealedAt(path) === 1)!;
  await writeWhole(disk, earlier, before.get(earlier)!);
  await disk.syncDirectory("/data/log");
  disk.corrupt(later, 200, (byte) => byte ^ 1);
  const name = (path: string): string => path.slice(path.lastIndexOf("/") + 1);
  const older = [{ segment: name(earlier), instead: name(later) }];
  // A start would take the earlier one, too: there is nothing to repair, but something to be told.
  expect(await checkLog("/data", disk)).toMatchObject({ damages: [], older });
  await expect(repairDirectory("/data", disk, new SimulatedClock())).rejects.toMatchObject({
    code: "invalid_request",
  });
  // Where something else is damaged, it is told of the repair.
  const last = after.filter((path) => path !== later).at(-1)!;
  disk.corrupt(last, 200, (byte) => byte ^ 1);
  const report = await repairDirectory("/data", disk, new SimulatedClock());
  expect(report.older).toEqual(older);
  const again = await openInMemory(disk, { segmentBytes: 64 << 10 });
  expect(Number((await rowsOf(again, "SELECT count(*) FROM t"))[0]![0])).toBeGreaterThan(10);
  await again.close();
});

function sealed(disk: SimulatedDisk): string[] {
  return disk
    .files()
    .filter((path) => parseSegmentName(path.slice(path.lastIndexOf("/") + 1))?.form === "sealed");
}

function sealedAt(path: string): number {
  return parseSegmentName(path.slice(path.lastIndexOf("/") + 1))!.firstPosition;
}
