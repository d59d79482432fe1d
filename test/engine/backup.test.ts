/** Backups of a living database, and what is restored from them. */
import { afterEach, describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { type RestoreTo, restoreBackup } from "../../src/engine/restore-backup.ts";
import { type BackupReport, type BackupSource, backupLog } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const SEGMENT = 64 * 1024;
const open: Database[] = [];

afterEach(async () => {
  for (const db of open.splice(0)) await db.close().catch(() => {});
});

async function opened(
  disk: SimulatedDisk,
  directory = "/data",
  clock = new SimulatedClock(),
): Promise<Database> {
  const db = await openInMemory(disk, { directory, segmentBytes: SEGMENT, clock });
  open.push(db);
  return db;
}

const backup = (
  db: Database,
  disk: SimulatedDisk,
  source: BackupSource = db.backupSource,
): Promise<BackupReport> => backupLog({ source, directory: "/backup", disk, now: 0 });

const restore = (disk: SimulatedDisk, directory: string, to?: RestoreTo) =>
  restoreBackup({ backup: "/backup", directory, disk, to });

const TABLES = `CREATE TABLE t (k int4 PRIMARY KEY, a text); CREATE TABLE s (n int8) WITH (append_only); CREATE TABLE gone (x int4);
  CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(length(a)) AS a FROM t`;

/** Changes of all kinds, so many commits of them. */
async function change(db: Database, random: SeededRandom, commits: number): Promise<void> {
  for (let i = 0; i < commits; i++) {
    const k = random.below(50);
    const a = "x".repeat(random.below(900));
    if (random.oneIn(4)) await db.transact([{ topic: "t", delete: [k] }]);
    else {
      await db.transact([
        {
          topic: "t",
          upsert: [
            { k, a },
            { k: k + 1, a },
          ],
        },
        { topic: "s", append: [{ n: i }] },
      ]);
    }
  }
}

/** Everything that can be asked of it. */
async function contents(db: Database): Promise<unknown> {
  await db.settled();
  const records: unknown[] = [];
  for (const topic of ["t", "s"]) for await (const record of db.readTopic(topic)) records.push(record);
  return {
    position: db.position,
    records,
    t: await rowsOf(db, "SELECT k, a FROM t ORDER BY k"),
    sums: await rowsOf(db, "SELECT n, a FROM sums"),
  };
}

describe("a backup", () => {
  it("is restored as it was taken, while the database has gone on", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    const random = new SeededRandom(1);
    await change(db, random, 400);
    await sql(db, "DROP TABLE gone");
    const before = await contents(db);
    const { position, files } = await backup(db, disk);
    expect(String(position)).toBe(db.position);
    expect(files).toBeGreaterThan(2);
    await change(db, random, 40);
    expect(await restore(disk, "/other")).toMatchObject({ position });
    const other = await opened(disk, "/other");
    expect(await contents(other)).toEqual(before);
    await change(other, random, 5);
    await other.close();
    expect((await checkLog("/other", disk)).damages).toEqual([]);
    expect(disk.files().filter((path) => path.includes("restoring"))).toEqual([]);
  });

  it("is not put among the files of others, and leaves them as they are", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    const put = async (path: string) => (await disk.open(path, "write")).close();
    await disk.makeDirectory("/backup");
    await put("/backup/letters.txt");
    const refusal = {
      code: "invalid_request",
      detail: 'One of them is "letters.txt".',
      hint: expect.stringContaining("an empty directory"),
    };
    await expect(backup(db, disk)).rejects.toMatchObject(refusal);
    expect(await disk.list("/backup")).toEqual(["letters.txt"]);
    // Nor is an empty directory that is called as ours is a backup.
    await disk.makeDirectory("/backup/log");
    await expect(backup(db, disk)).rejects.toMatchObject(refusal);
    await disk.unlink("/backup/letters.txt");
    await put("/backup/.hidden");
    await backup(db, disk);
    // What is a backup goes on as one, whatever has come to lie beside it.
    await put("/backup/letters.txt");
    await sql(db, "INSERT INTO t VALUES (1, 'a')");
    const { position } = await backup(db, disk);
    expect(String(position)).toBe(db.position);
  });

  it("is brought up to date by what is new, also where segments have been sealed meanwhile", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    const random = new SeededRandom(2);
    let copied = 0;
    for (let round = 0; round < 6; round++) {
      await change(db, random, 60);
      if (round % 2 === 1) await db.core.log.sealed();
      const report = await backup(db, disk);
      copied += report.copied;
      await db.core.log.sealed();
      copied += (await backup(db, disk)).copied;
      expect(await backup(db, disk)).toMatchObject({ position: report.position, copied: 0 });
      const check = await checkLog("/backup", disk);
      expect(check).toMatchObject({ damages: [], tornTail: null, lastPosition: report.position });
      const files = await disk.list("/backup/log");
      expect(files).toEqual(db.core.log.files().files.map(({ name }) => name));
    }
    // Frames once, and once more as they were sealed.
    expect(copied).toBeLessThan(2.2 * db.core.log.stats().sealing.originalBytes + 3 * SEGMENT);
    expect(db.core.log.stats().sealing.segments).toBeGreaterThan(2);
    const before = await contents(db);
    await restore(disk, "/other");
    expect(await contents(await opened(disk, "/other"))).toEqual(before);
  });

  it("is taken while others write and segments are sealed", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    const random = new SeededRandom(3);
    const writing = change(db, random, 500);
    const taken: BackupReport[] = [];
    for (let i = 0; i < 8; i++) taken.push(await backup(db, disk));
    await writing;
    taken.push(await backup(db, disk));
    expect(taken.map(({ position }) => position)).toEqual(
      taken.map(({ position }) => position).sort((a, b) => a - b),
    );
    const before = await contents(db);
    await restore(disk, "/other");
    expect(await contents(await opened(disk, "/other"))).toEqual(before);
  });

  it("is restored as of any position, and any time", async () => {
    const disk = new SimulatedDisk();
    const clock = new SimulatedClock();
    const db = await opened(disk, "/data", clock);
    await sql(db, TABLES);
    const random = new SeededRandom(4);
    const then: { readonly position: number; readonly timeUs: number; readonly contents: unknown }[] = [];
    for (let round = 0; round < 5; round++) {
      await change(db, random, 80);
      clock.advance(1_000_000);
      const { position } = await db.append("s", [{ n: -1 }], { idempotencyKey: `round ${round}` });
      await db.settled();
      then.push({ position: Number(position), timeUs: db.core.stepper.timeUs, contents: await contents(db) });
      clock.advance(1_000_000);
    }
    await db.core.log.sealed();
    await backup(db, disk);
    for (const [i, { position, timeUs, contents: was }] of then.entries()) {
      for (const to of [{ position }, { timeUs: timeUs + 500_000 }]) {
        const directory = `/restored ${i} ${Object.keys(to)[0]}`;
        expect(await restore(disk, directory, to)).toMatchObject({ position });
        const other = await opened(disk, directory, clock);
        expect(await contents(other)).toEqual(was);
        // The same request is answered again.
        const again = await other.append("s", [{ n: -1 }], { idempotencyKey: `round ${i}` });
        expect(again.position).toBe(String(position));
      }
    }
  });

  it("lets others have their turn between any two frames, however many lie in what is read at once", async () => {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk);
    await sql(db, "CREATE TABLE s (n int8) WITH (append_only)");
    const commits = 40;
    const append = async (): Promise<void> => {
      for (let n = 0; n < commits; n++) await db.append("s", [{ n }]);
    };
    let turns = 0;
    const turn = (): Promise<void> => {
      turns++;
      return new Promise((resolve) => setImmediate(resolve));
    };
    const into = () =>
      backupLog({
        source: db.backupSource,
        directory: "/backup",
        disk,
        now: 0,
        slices: { ends: () => Number.NEGATIVE_INFINITY, turn },
      });
    await append();
    await into();
    expect(turns).toBeGreaterThanOrEqual(commits);
    turns = 0;
    await append();
    await into();
    // Those that the copy has, and the new ones.
    expect(turns).toBeGreaterThanOrEqual(2 * commits);
    await db.close();
  });

  it("keeps what it was when it cannot be brought up to date", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    const random = new SeededRandom(5);
    await change(db, random, 200);
    const first = await backup(db, disk);
    const before = await contents(db);
    await change(db, random, 200);
    const { backupSource } = db;
    const wrong: BackupSource[] = [
      { ...backupSource, read: (name, from, to) => spoilt(backupSource.read(name, from, to)) },
      { ...backupSource, read: (name, from, to) => cut(backupSource.read(name, from, to)) },
      { ...backupSource, files: async () => ({ ...(await backupSource.files()), logId: 7 }) },
      { ...backupSource, read: (name) => backupSource.read(`${name}.gone`, 0, 0) },
    ];
    for (const source of wrong)
      await expect(backup(db, disk, source)).rejects.toMatchObject({
        code: expect.stringMatching(/log_damaged|connection_failed|invalid_request|timeout/),
      });
    expect(await restore(disk, "/other")).toMatchObject({ position: first.position });
    expect(await contents(await opened(disk, "/other"))).toEqual(before);
    const last = await backup(db, disk);
    expect(last.position).toBe(Number(db.position));
    expect((await checkLog("/backup", disk)).damages).toEqual([]);
  });
});

async function* spoilt(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    piece[piece.length >> 1]! ^= 1;
    yield piece;
  }
}

async function* cut(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield piece.subarray(0, piece.length - 1);
}

describe("what is refused", () => {
  it("a directory that holds something else, and a log that is there", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    await change(db, new SeededRandom(1), 10);
    const into = (directory: string) => backupLog({ source: db.backupSource, directory, disk, now: 0 });
    await expect(into("/data")).rejects.toMatchObject({ code: "directory_locked" });
    const other = await opened(disk, "/second");
    await sql(other, TABLES);
    await other.close();
    await expect(into("/second")).rejects.toMatchObject({ code: "invalid_request", message: /is no backup/ });
    await into("/backup");
    await expect(restore(disk, "/second")).rejects.toMatchObject({ code: "invalid_request" });
    await expect(restore(disk, "/third", { position: 1e9 })).rejects.toMatchObject({
      code: "invalid_request",
    });
    await expect(restoreBackup({ backup: "/absent", directory: "/third", disk })).rejects.toMatchObject({
      code: "not_found",
    });
    const third = await opened(disk, "/third-log");
    await sql(third, TABLES);
    await expect(
      backupLog({ source: third.backupSource, directory: "/backup", disk, now: 0 }),
    ).rejects.toMatchObject({ message: /another log/ });
  });

  it("a backup that is damaged: nothing is restored of it", async () => {
    const disk = new SimulatedDisk();
    const db = await opened(disk);
    await sql(db, TABLES);
    await change(db, new SeededRandom(1), 200);
    await db.core.log.sealed();
    await backup(db, disk);
    for (const path of disk.files().filter((file) => file.startsWith("/backup/log/"))) {
      const damaged = disk.clone();
      damaged.corrupt(path, 100, (byte) => byte ^ 1);
      await expect(restore(damaged, "/other")).rejects.toMatchObject({ code: "log_damaged" });
      expect(damaged.files().filter((file) => file.startsWith("/other/log/"))).toEqual([]);
    }
    const damaged = disk.clone();
    damaged.corrupt("/backup/backup.json", 0, () => 0);
    await expect(restore(damaged, "/other")).rejects.toMatchObject({ code: "log_damaged" });
  });
});

it.each([1, 2, 3, 4, 5, 6])("survives the end of the machine at any moment (seed %i)", async (seed) => {
  const disk = new SimulatedDisk({ seed });
  const db = await opened(disk);
  await sql(db, TABLES);
  const random = new SeededRandom(seed);
  await change(db, random, 150);
  const first = await backup(db, disk);
  await change(db, random, 150);
  await db.core.log.sealed();
  const total = await backup(db, disk.clone(), db.backupSource);
  expect(total.copied).toBeGreaterThan(0);
  // The second one ends in the middle.
  const pieces = random.below(6);
  let given = 0;
  const failing: BackupSource = {
    ...db.backupSource,
    async *read(name, from, to) {
      for await (const piece of db.backupSource.read(name, from, to)) {
        if (given++ >= pieces) throw new Error("the machine ends");
        yield piece;
      }
    },
  };
  await backup(db, disk, failing).catch(() => {});
  const after = disk.reboot("power cut");
  await db.close().catch(() => {});
  const { position } = await restore(after, "/other");
  expect([first.position, total.position]).toContain(position);
  const other = await opened(after, "/other");
  expect(other.position).toBe(String(position));
  const again = await opened(after);
  await backup(again, after);
  expect((await checkLog("/backup", after)).damages).toEqual([]);
});

it("what a plain name means is in a backup: a version of a view that was promoted, before and behind the position restored to", async () => {
  const disk = new SimulatedDisk();
  const db = await opened(disk);
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT sum(n) AS s FROM t");
  await sql(db, "INSERT INTO t VALUES (1, 10), (2, 20)");
  await db.versions.build("v", "SELECT sum(n) AS s, count(*) AS n FROM t");
  const before = db.position;
  await db.versions.promote("v", 2);
  await sql(db, "INSERT INTO t VALUES (3, 30)");
  await backup(db, disk);
  await restore(disk, "/whole");
  await restore(disk, "/earlier", { position: Number(before) });
  const whole = await opened(disk, "/whole");
  await whole.built();
  expect(await rowsOf(whole, "SELECT * FROM v")).toEqual([["60", "3"]]);
  expect(await rowsOf(whole, 'SELECT * FROM "v@1"')).toEqual([["60"]]);
  expect(whole.versions.list("v").map(({ version, isCurrent }) => [version, isCurrent])).toEqual([
    [1, false],
    [2, true],
  ]);
  await whole.versions.rollback("v");
  expect(await rowsOf(whole, "SELECT * FROM v")).toEqual([["60"]]);
  const earlier = await opened(disk, "/earlier");
  await earlier.built();
  expect(await rowsOf(earlier, "SELECT * FROM v")).toEqual([["30"]]);
  expect(await rowsOf(earlier, 'SELECT * FROM "v@2"')).toEqual([["30", "2"]]);
});
