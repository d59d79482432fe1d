/**
 * A row whose time was over was taken from the store below its temporal filter in a step that did not concern that store otherwise, and so died
 * in an epoch long gone. A checkpoint that was being written as of an epoch in between lacked it; the view, started again from that
 * checkpoint, kept the row for ever. Each tick also counted such rows as taken in once more.
 */
import { expect, it } from "vitest";
import type { DiskFile, OpenMode } from "../../src/base/disk.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

/** Whose checkpoint waits, once it has been taken and before it is written. */
class SlowCheckpoint extends SimulatedDisk {
  opened: () => void = () => {};
  wait: Promise<void> | null = null;

  override async open(path: string, mode: OpenMode): Promise<DiskFile> {
    if (mode === "write" && /checkpoint\/rows-/.test(path)) {
      this.opened();
      await this.wait;
    }
    return super.open(path, mode);
  }
}

const HOUR = 3_600_000_000;

async function history(disk: SimulatedDisk, clock: SimulatedClock) {
  const db = await openInMemory(disk, { clock });
  await sql(db, "CREATE TABLE s (k int, ts timestamptz) WITH (append_only); CREATE TABLE other (k int)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, ts FROM s WHERE ts > now() - interval '1 hour'");
  await db.append("s", [{ k: 1, ts: new Date(clock.wallUs() / 1000).toISOString() }]);
  for (let k = 0; k < 5; k++) await db.append("other", [{ k }]);
  await db.settled();
  return db;
}

it("a row leaves after a restart although it left while the checkpoint was written", async () => {
  const disk = new SlowCheckpoint();
  const clock = new SimulatedClock();
  let db = await history(disk, clock);
  const opened = new Promise<void>((resolve) => {
    disk.opened = resolve;
  });
  let goOn = (): void => {};
  disk.wait = new Promise((resolve) => {
    goOn = resolve;
  });
  const checkpoint = db.checkpoint();
  await opened;
  clock.advance(HOUR + 1);
  await db.core.ticker.wake();
  await db.settled();
  expect(await rowsOf(db, "SELECT k FROM v")).toEqual([]);
  goOn();
  await checkpoint;
  disk.wait = null;
  const crashed = disk.reboot("power cut");
  await db.close().catch(() => {});
  db = await openInMemory(crashed, { clock });
  await db.built();
  await db.settled();
  expect(await rowsOf(db, "SELECT k FROM v")).toEqual([]);
  await db.close();
});

it("a row that went by itself is no input of later steps", async () => {
  const clock = new SimulatedClock();
  const db = await history(new SimulatedDisk(), clock);
  clock.advance(HOUR + 1);
  await db.core.ticker.wake();
  const read = async () => {
    const plan = await rowsOf(db, "EXPLAIN ANALYZE REFRESH MATERIALIZED VIEW v");
    return plan.map(([line]) => /rows in their time.*?in=(\d+)/.exec(line as string)?.[1]).filter((n) => n);
  };
  await db.settled();
  const before = await read();
  for (let k = 0; k < 5; k++) await db.append("other", [{ k }]);
  await db.settled();
  expect(before).toHaveLength(1);
  expect(await read()).toEqual(before);
  await db.close();
});
