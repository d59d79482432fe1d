/** Transactions are stepped one by one and share frames: a checkpoint may stand amid a frame, and the start goes on from there, no commit twice. */
import { expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { usualSlices } from "../support/usual-slices.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const VIEWS = [
  "SELECT id, n FROM counters ORDER BY id",
  "SELECT * FROM by_id ORDER BY id",
  "SELECT * FROM latest ORDER BY a",
];

async function open(disk: SimulatedDisk): Promise<Database> {
  // As fast as the machine is: where each transaction is stepped long after it is durable, it has a frame of its own.
  const db = await openInMemory(disk, { slices: usualSlices });
  await db.built();
  return db;
}

async function answers(db: Database): Promise<unknown[]> {
  const given: unknown[] = [];
  for (const view of VIEWS) given.push(await rowsOf(db, view));
  return given;
}

/** One of a few counters goes up by one, and says so. */
async function count(db: Database, id: number): Promise<void> {
  await db.transaction(async (tx) => {
    const row = (await tx.get("counters", id)) as { n: number } | undefined;
    const n = (row?.n ?? 0) + 1;
    tx.append("counters", [{ id, n }]);
    tx.append("said", [{ id, n }]);
  });
}

/** First and last positions of the frames. */
async function frames(disk: SimulatedDisk): Promise<[number, number][]> {
  const found: [number, number][] = [];
  for (const path of disk.files().filter((name) => name.endsWith(".log"))) {
    const file = await disk.open(path, "read");
    const scanner = new Scanner(file, 0, await file.size(), true);
    for (let one = await scanner.next(); one.kind === "frame"; one = await scanner.next())
      found.push([one.header.firstPosition, one.header.firstPosition + one.header.commitCount - 1]);
    await file.close();
  }
  return found;
}

test("a checkpoint amid a frame", async () => {
  let amid = 0;
  for (let seed = 1; seed <= 12; seed++) {
    const random = new SeededRandom(seed);
    let disk = new SimulatedDisk({ seed });
    let db = await open(disk);
    await sql(
      db,
      `CREATE TABLE counters (id int4 PRIMARY KEY, n int4); CREATE TABLE said (id int4, n int4) WITH (append_only);
       CREATE MATERIALIZED VIEW by_id AS SELECT id, count(*) AS times, sum(n) AS total FROM said GROUP BY id;
       CREATE MATERIALIZED VIEW latest AS SELECT s.id, s.n, c.n AS a FROM said s JOIN counters c ON c.id = s.id AND c.n = s.n`,
    );
    await db.built();
    const times = new Array<number>(5).fill(0);
    for (let life = 0; life < 3; life++) {
      const work: Promise<void>[] = [];
      const checkpointAt = 10 + random.below(25);
      for (let i = 0; i < 40; i++) {
        const id = random.below(5);
        times[id] = times[id]! + 1;
        work.push(count(db, id));
        if (i === checkpointAt) work.push(db.checkpoint());
        for (let turns = random.below(4); turns > 0; turns--)
          await new Promise((resolve) => setImmediate(resolve));
      }
      await Promise.all(work);
      const before = await answers(db);
      const at = Number(db.stats().checkpointPosition);
      expect(before[1]).toEqual(
        times.flatMap((n, id) => (n === 0 ? [] : [[`${id}`, `${n}`, `${(n * (n + 1)) / 2}`]])),
      );
      disk = disk.reboot("process");
      if ((await frames(disk)).some(([first, last]) => first <= at && at < last)) amid++;
      db = await open(disk);
      expect(await answers(db)).toEqual(before);
    }
    await db.close();
  }
  expect(amid).toBeGreaterThan(3);
});
