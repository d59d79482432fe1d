/** What a checkpoint does to the disk, in which order; and that a crash between any two of these leaves one that is whole. */
import { describe, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { usualSlices } from "../support/usual-slices.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

async function define(db: Database): Promise<void> {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, v text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT v, count(*) AS n FROM t GROUP BY v");
  await db.append(
    "t",
    Array.from({ length: 20 }, (_, k) => ({ k, v: `value ${k % 5}` })),
  );
}

async function contents(db: Database): Promise<unknown> {
  await db.settled();
  return [
    await rowsOf(db, "SELECT k, v FROM t ORDER BY k"),
    await rowsOf(db, "SELECT v, n FROM v ORDER BY v"),
  ];
}

/** Rewrites every row often enough that what the checkpoint's file holds is mostly of the past. */
async function fillWithThePast(db: Database): Promise<void> {
  for (let round = 0; round < 4; round++) {
    const v = String(round).repeat(1 << 19);
    for (let k = 100; k < 120; k++) await db.append("t", [{ k, v: `${v}${k}` }]);
    await db.checkpoint();
  }
  for (let k = 100; k < 120; k++) await db.deleteKey("t", k);
  // Two steps later nobody reads what is gone, and its texts are freed.
  for (const v of ["settled", "and freed"]) {
    await db.append("t", [{ k: 3, v }]);
    await db.settled();
  }
}

const ofCheckpoint = (disk: SimulatedDisk): string[] =>
  disk.trace.filter((line) => line.includes("checkpoint"));

describe("a checkpoint on its way to the disk", () => {
  it("makes one file, appends to it what changed, names what counts, and begins a new file when most is past", async () => {
    const disk = new SimulatedDisk({ seed: 3 });
    // The log's id is in the manifest, whose checksum is written in as many digits as it has.
    // Rows that are gone are freed in slices, which is a change of the checkpoint, too: when it comes is told as where nothing is late.
    const db = await openInMemory(disk, { random: new SeededRandom(3), slices: usualSlices });
    const lines: string[] = [];
    let shown = 0;
    const tell = (title: string): void => {
      const all = ofCheckpoint(disk);
      lines.push(`# ${title}`, ...all.slice(shown).map((line) => line.replaceAll("/data/", "")), "");
      shown = all.length;
    };
    await define(db);
    await db.checkpoint();
    tell("the first: everything, then its name in the manifest");
    await db.checkpoint();
    tell("nothing has changed: nothing is written");
    await db.append("t", [{ k: 3, v: "changed" }]);
    await db.settled();
    await db.checkpoint();
    tell("one row has changed: its rows in the table and the view, a text, and the manifest");
    await db.deleteKey("t", 3);
    await db.settled();
    await db.checkpoint();
    tell("one row has gone");
    await fillWithThePast(db);
    await db.settled();
    shown = ofCheckpoint(disk).length;
    await db.checkpoint();
    tell("most of the file is of the past: a new one, and the old one goes when its manifest has gone");
    await db.close();
    await expect(lines.join("\n")).toMatchFileSnapshot("./checkpoint-trace.txt");
  });

  it("has little to sync at once, however much it writes: commits wait for the same disk", async () => {
    const disk = new SimulatedDisk({ seed: 4 });
    const db = await openInMemory(disk);
    await define(db);
    for (let k = 100; k < 140; k++) await db.append("t", [{ k, v: String(k).repeat(1 << 17) }]);
    const before = ofCheckpoint(disk).length;
    await db.checkpoint();
    let written = 0;
    let unsynced = 0;
    let most = 0;
    for (const line of ofCheckpoint(disk).slice(before)) {
      const bytes = Number(/^write .*rows-\d+ at \d+: (\d+) bytes$/.exec(line)?.[1] ?? 0);
      written += bytes;
      unsynced = line.startsWith("datasync") ? 0 : unsynced + bytes;
      most = Math.max(most, unsynced);
    }
    expect(written).toBeGreaterThan(15 << 20);
    // Four mebibytes, and what is written at once.
    expect(most).toBeLessThanOrEqual(6 << 20);
    await db.close();
  });

  it.each(["power cut", "process"] as const)(
    "is whole or not there after a crash (%s) at any change of the disk",
    async (crash) => {
      const disk = new SimulatedDisk();
      const db = await openInMemory(disk);
      await define(db);
      // The first of all, one that appends, and one that begins a new file.
      const states = ["nothing", "a checkpoint", ...(crash === "process" ? [] : ["mostly past"])];
      for (const before of states) {
        if (before === "a checkpoint") await db.checkpoint();
        if (before === "mostly past") await fillWithThePast(db);
        await db.append("t", [{ k: 1000, v: before }]);
        const expected = await contents(db);
        const from = disk.clone();
        let at = 1;
        for (; ; at++) {
          const copy = from.reboot("process");
          const victim = await openInMemory(copy, { report: refused });
          await victim.append("t", [{ k: 1001, v: "acknowledged" }]);
          copy.crashAfter(at);
          const outcome = await victim.checkpoint().then(
            () => "taken",
            () => "broken off",
          );
          const survivor = copy.reboot(crash);
          await victim.close().catch(() => {});
          // It opens without a word: no checkpoint was found to be doubtful.
          const again = await openInMemory(survivor, { report: refused });
          const [rows, groups] = (await contents(again)) as string[][][];
          expect(rows?.at(-1)).toEqual(["1001", "acknowledged"]);
          expect([rows?.slice(0, -1), groups?.filter(([v]) => v !== "acknowledged")]).toEqual(expected);
          // And goes on with it: the next checkpoint is restored too.
          await again.append("t", [{ k: 1002, v: "later" }]);
          const later = await contents(again);
          await again.checkpoint();
          const third = await openInMemory(left(survivor), { report: refused });
          expect(await contents(third)).toEqual(later);
          await third.close();
          await again.close();
          if (outcome === "taken") break;
        }
        expect(at).toBeGreaterThan(8);
      }
      await db.close();
    },
    120_000,
  );
});

/** As the process left it that is still there. */
function left(disk: SimulatedDisk): SimulatedDisk {
  return disk.clone().reboot("process");
}

/** A torn tail of the log is told too, and may be. */
function refused(message: string): void {
  if (/checkpoint/.test(message)) throw new Error(message);
}
