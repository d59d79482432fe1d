/** How far ahead of its frames a log has zeros made: for as much as comes in one stretch. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { type OpenedLog, openSmall, room, stage } from "./harness.ts";

const MIB = 1 << 20;
const NOTE = "x".repeat(4000);

async function prepared(disk: SimulatedDisk): Promise<number> {
  let bytes = 0;
  for (const name of await disk.list("/data/log")) {
    if (!name.endsWith(".log") && !name.startsWith("next-")) continue;
    const file = await disk.open(`/data/log/${name}`, "read");
    bytes += await file.size();
    await file.close();
  }
  return bytes;
}

function open(disk: SimulatedDisk): Promise<OpenedLog> {
  return openSmall(disk, { segmentBytes: 32 * MIB, aheadBytesMax: 32 * MIB, groupBytesMax: 64 * 1024 });
}

async function atRest(): Promise<void> {
  for (let i = 0; i < 50; i++) await nextTurn();
}

async function writeMebibyte(log: OpenedLog, between?: () => Promise<void>): Promise<void> {
  for (let id = 0; id < 256; id++) {
    await room(log, 8000);
    await stage(log, [{ topicId: 1, id, note: NOTE }]).durable;
    if (between !== undefined) await between();
  }
}

test("a little at a time has twice as much made as it writes", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await open(disk);
  await writeMebibyte(log, atRest);
  const bytes = await prepared(disk);
  expect(bytes).toBeGreaterThanOrEqual(2 * MIB);
  expect(bytes).toBeLessThanOrEqual(4 * MIB);
  await log.close();
});

test("a stretch has sixteen times as much made", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await open(disk);
  // The next row comes in the turn in which the one before it is durable.
  await writeMebibyte(log);
  await atRest();
  expect(await prepared(disk)).toBeGreaterThanOrEqual(16 * MIB);
  await log.close();
});
