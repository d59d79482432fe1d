/**
 * Of a log whose last frame was damaged on the disk after it was acknowledged the damage was taken for a torn write: the start that refused the log because its checkpoint was taken of more had overwritten
 * the bytes with zeros before, and said that nobody had been told of them. And a checkpoint of another version of Evert was no witness: a server that was upgraded started on what was left.
 */
import { crc32 } from "node:zlib";
import { expect, test } from "vitest";
import { compareBytes } from "../../src/base/bytes.ts";
import { readWhole, writeWhole } from "../../src/base/small-file.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const FIRST = "/data/log/00000000000000000001.log";
const MANIFEST = "/data/checkpoint/manifest";

async function written(): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  const db = await openInMemory(disk);
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY)");
  for (let k = 1; k <= 10; k++) await db.append("t", [{ k }]);
  await db.close();
  return disk.reboot("process");
}

async function bytesOf(disk: SimulatedDisk): Promise<Uint8Array> {
  return (await readWhole(disk, FIRST, 1 << 26))!;
}

test("a log that is refused is not changed", async () => {
  const disk = await written();
  const bytes = await bytesOf(disk);
  const end = bytes.findLastIndex((byte) => byte !== 0);
  const file = await disk.open(FIRST, "write");
  // The closing mark and the end of what is before it.
  await file.write(new Uint8Array(300).fill(7), end - 299);
  await file.datasync();
  await file.close();
  const before = await bytesOf(disk);
  const said: string[] = [];
  await expect(openInMemory(disk, { report: (line) => said.push(line) })).rejects.toMatchObject({
    code: "log_damaged",
    message: expect.stringMatching(/had come to position 11$/),
  });
  expect(compareBytes(await bytesOf(disk), before)).toBe(0);
  expect(said).toEqual([]);
});

test("a checkpoint of another format knows how far the log had come, too", async () => {
  const disk = await written();
  const text = new TextDecoder().decode((await readWhole(disk, MANIFEST, 1 << 20))!);
  const json = JSON.stringify({ ...JSON.parse(text.split("\n")[0]!), format: 1 });
  await writeWhole(disk, MANIFEST, new TextEncoder().encode(`${json}\n${crc32(json)}\n`));
  const file = await disk.open(FIRST, "write");
  await file.truncate(400);
  await file.datasync();
  await file.close();
  await expect(openInMemory(disk)).rejects.toMatchObject({ code: "log_damaged" });
});
