/** An erased key is in no file of the data directory, as it lies or decompressed; everything else is as it was. */
import { afterEach, expect, test } from "vitest";
import { encodeUtf8 } from "../../src/base/bytes.ts";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import type { AnyTopic, AnyView } from "../../src/face/handles.ts";
import { int4, table, text, topic, view } from "../../src/face/index.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { filesWith } from "../support/raw-files.ts";
import { rowsOf, sql } from "./support/memory.ts";

let disk: SimulatedDisk;
let db: Database | null = null;

async function close(): Promise<void> {
  const last = db;
  db = null;
  await last?.close();
}

afterEach(close);

async function start(
  topics: readonly AnyTopic[] = [],
  views: readonly AnyView[] = [],
  more: { memoryLimit?: number; warm?: number } = {},
): Promise<Database> {
  await close();
  db = await openEngine({
    directory: "/data",
    disk,
    clock: new SimulatedClock(),
    topics,
    views,
    segmentBytes: 64 * 1024,
    checkpointIntervalMs: 0,
    ...more,
  });
  await db.built();
  return db;
}

const pad = "p".repeat(700);
const SECRET = "the-one-text-that-nobody-else-has";

async function people(database: Database): Promise<void> {
  await sql(
    database,
    `CREATE TABLE people (email text PRIMARY KEY, name text, city text);
     CREATE MATERIALIZED VIEW names AS SELECT city, min(name) AS first, string_agg(name, ', ' ORDER BY name) AS all_names FROM people GROUP BY city;
     CREATE MATERIALIZED VIEW cities AS SELECT city, count(*) AS n FROM people GROUP BY city`,
  );
  for (let i = 0; i < 150; i++) {
    await database.append("people", [
      { email: `${i % 40}@example.com`, name: `someone ${i} ${pad}`, city: `city ${i % 3}` },
    ]);
    if (i % 30 === 7)
      await database.append("people", [
        { email: `${SECRET}@example.com`, name: `${SECRET} ${i}`, city: "city 1" },
      ]);
    if (i === 70) await database.checkpoint();
    if (i === 80) await database.deleteKey("people", `${SECRET}@example.com`, { idempotencyKey: "again" });
  }
  await database.checkpoint();
}

const where = (): Promise<string[]> => filesWith(disk, encodeUtf8(SECRET));
const answers = async (): Promise<unknown> => [
  await rowsOf(db!, "SELECT * FROM people ORDER BY email"),
  await rowsOf(db!, "SELECT * FROM names ORDER BY city"),
  await rowsOf(db!, "SELECT * FROM cities ORDER BY city"),
];

test("nothing of it is left in any file, while it runs and after", async () => {
  disk = new SimulatedDisk();
  const database = await start();
  await people(database);
  const before = await where();
  expect(before.some((path) => path.startsWith("/data/log/"))).toBe(true);
  expect(before.some((path) => path.startsWith("/data/checkpoint/rows-"))).toBe(true);
  const last = database.core.log.lastPosition;

  const { position, sinks } = await database.erase("people", `${SECRET}@example.com`);
  expect(Number(position)).toBeGreaterThan(last);
  expect(sinks).toEqual([]);
  expect(await where()).toEqual([]);
  const rows = (await answers()) as string[][][];
  expect(rows[0]!.length).toBe(40);
  expect(JSON.stringify(rows)).not.toContain(SECRET);
  // Written afterwards, other rows are where they belong.
  await database.append("people", [{ email: "new@example.com", name: "new", city: "city 1" }]);
  await database.settled();
  const after = await answers();

  await start();
  expect(await answers()).toEqual(after);
  expect(await where()).toEqual([]);
  await close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  await disk.removeTree("/data/checkpoint");
  await start();
  expect(await answers()).toEqual(after);
  await close();
  expect(await where()).toEqual([]);
});

test("the deletes of a key that has gone before are erased as well, and a key that never was is none", async () => {
  disk = new SimulatedDisk();
  const database = await start();
  await people(database);
  await database.deleteKey("people", `${SECRET}@example.com`);
  await database.erase("people", `${SECRET}@example.com`);
  expect(await where()).toEqual([]);
  await database.erase("people", "nobody@example.com");
  await database.erase("people", `${SECRET}@example.com`);
  expect(await where()).toEqual([]);
  expect(((await answers()) as unknown[][])[0]).toHaveLength(40);
});

test("rows that went to disk for want of memory are erased, too", async () => {
  disk = new SimulatedDisk();
  const database = await start([], [], { memoryLimit: 3 << 20, warm: 0 });
  await sql(database, "CREATE TABLE wide (id int PRIMARY KEY, note text)");
  for (let i = 0; i < 60; i++) {
    const rows = Array.from({ length: 100 }, (_, k) => ({
      id: i * 100 + k,
      note: i * 100 + k === 1234 ? SECRET : `${"n".repeat(80)} ${i} ${k}`,
    }));
    await database.append("wide", rows);
    await database.checkpoint();
  }
  const before = await where();
  expect(before.some((path) => path.startsWith("/data/checkpoint/run-"))).toBe(true);
  await database.erase("wide", 1234);
  expect(await where()).toEqual([]);
  expect(await rowsOf(database, "SELECT count(*) FROM wide")).toEqual([["5999"]]);
  await start();
  expect(await where()).toEqual([]);
  expect(await rowsOf(db!, "SELECT count(*), min(length(note)) FROM wide")).toEqual([["5999", "84"]]);
});

test("a crash at any change of the disk: the key is deleted or not, and erasing it again finishes", async () => {
  const made = new SimulatedDisk({ seed: 4 });
  disk = made;
  await people(await start());
  await close();
  let struck = 0;
  for (let crashAt = 1; ; crashAt += 3) {
    disk = made.reboot("process");
    disk.crashAfter(crashAt);
    let isDone = false;
    try {
      const database = await start();
      await database.erase("people", `${SECRET}@example.com`);
      isDone = true;
    } catch {
      // It has crashed.
    }
    const { crashed } = disk;
    await close().catch(() => {});
    if (!crashed) break;
    struck++;
    disk = disk.reboot("power cut");
    expect((await checkLog("/data", disk)).damages).toEqual([]);
    const database = await start();
    if (isDone) expect(await where()).toEqual([]);
    await database.erase("people", `${SECRET}@example.com`);
    expect(await where()).toEqual([]);
    expect(((await answers()) as unknown[][])[0]).toHaveLength(40);
  }
  expect(struck).toBeGreaterThan(10);
});

test("it waits for those who read the row as it was: its text is not in the checkpoint", async () => {
  disk = new SimulatedDisk();
  const database = await start();
  await people(database);
  const { core } = database;
  const pin = core.tables.store(core.catalog.topic("people").id)!.pin(core.current().epoch);
  let isDone = false;
  const erasing = database.erase("people", `${SECRET}@example.com`).then(() => {
    isDone = true;
  });
  for (let turn = 0; turn < 200; turn++) await new Promise((done) => setImmediate(done));
  expect(isDone).toBe(false);
  pin.release();
  await erasing;
  expect(await where()).toEqual([]);
});

test("refused: streams, tables without a key, and tables whose past a view keeps", async () => {
  disk = new SimulatedDisk();
  const prices = table("prices", { key: "id", schema: { id: int4, note: text } });
  const orders = topic("orders", { schema: { product: int4 } });
  const database = await start([prices, orders], [view("sold", orders.asOfJoin(prices, "product"))]);
  await sql(database, "CREATE TABLE rows (note text)");
  await expect(database.erase("orders", 1)).rejects.toMatchObject({ code: "wrong_object_type" });
  await expect(database.erase("rows", 1)).rejects.toMatchObject({ code: "wrong_object_type" });
  await expect(database.erase("prices", 1)).rejects.toMatchObject({
    code: "dependent_objects",
    message: 'views keep what they met in "prices": sold',
  });
});

test("sinks are named, and erased by themselves when their view shows the row no more", async () => {
  disk = new SimulatedDisk();
  const database = await start();
  await sql(database, "CREATE TABLE people (email text PRIMARY KEY, name text)");
  await sql(database, "CREATE TABLE copies (email text PRIMARY KEY, name text)");
  await sql(
    database,
    "CREATE MATERIALIZED VIEW copied WITH (sink = 'copies') AS SELECT email, name FROM people",
  );
  await database.append("people", [{ email: SECRET, name: "a" }]);
  await database.append("people", [{ email: "other", name: "b" }]);
  await database.settled();
  await expect(database.erase("copies", SECRET)).rejects.toMatchObject({ code: "wrong_object_type" });
  expect(await database.erase("people", SECRET)).toMatchObject({ sinks: ["copies"] });
  expect(await where()).not.toEqual([]);
  await database.settled();
  await database.erase("copies", SECRET);
  expect(await where()).toEqual([]);
  expect(await rowsOf(database, "SELECT * FROM copies")).toEqual([["other", "b"]]);
});
