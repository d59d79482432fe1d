/** Directories that earlier releases wrote, each in golden/NAME with what it says: this release opens them, and says the same. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../src/base/crc32c.ts";
import { writeFully } from "../../src/base/disk.ts";
import { checkLog } from "../../src/log/check.ts";
import { repairLog } from "../../src/log/repair/repair.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { describeLog } from "./golden/describe.ts";
import { append } from "./harness.ts";
import { openMixed, widen } from "./sealed/support.ts";

const root = join(import.meta.dirname, "golden");
const names = (await readdir(root, { withFileTypes: true }))
  .filter((d) => d.isDirectory())
  .map((d) => d.name);

async function load(name: string): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  await disk.makeDirectory("/data/log");
  for (const file of await readdir(join(root, name))) {
    if (file === "says.txt.gz") continue;
    const target = await disk.open(`/data/log/${file}`, "write");
    await writeFully(target, await readFile(join(root, name, file)), 0);
    await target.datasync();
    await target.close();
  }
  await disk.syncDirectory("/data/log");
  return disk;
}

test("there is one of each form that a release has written", () => {
  expect(names.sort()).toEqual(["frames-1", "frames-2", "sealed-1", "sealed-2"]);
});

describe.each(names)("%s", (name) => {
  test("opens, says the same, and goes on; sealed by this release it still does", async () => {
    const says = gunzipSync(await readFile(join(root, name, "says.txt.gz"))).toString();
    const disk = await load(name);
    expect((await checkLog("/data", disk)).damages).toEqual([]);
    const log = await openMixed(disk);
    widen(log);
    expect(await describeLog(log)).toBe(says);
    const keyed = [...says.matchAll(/"position":(\d+),"timeUs":\d+,"idempotencyKey":"([^"]+)"/g)].at(-1)!;
    expect(log.knownCommit(keyed[2]!)?.position).toBe(Number(keyed[1]));
    const before = log.lastPosition;
    for (let i = 0; i < 8; i++) await append(log, [{ topicId: 1, id: i, note: "x".repeat(20_000) }]);
    log.startSealing();
    await log.sealed();
    expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
    expect(log.stats().sealing.segments).toBeGreaterThan(0);
    expect(log.lastPosition).toBe(before + 8);
    const lines = new Set((await describeLog(log)).split("\n"));
    for (const line of says.split("\n")) expect(lines).toContain(line);
    await log.close();
    expect((await checkLog("/data", disk)).damages).toEqual([]);
  });
});

/** What a version says, in the place where it says it, with a checksum that is right. */
async function withVersion(
  name: string,
  pick: RegExp,
  version: number,
): Promise<{ disk: SimulatedDisk; path: string }> {
  const disk = await load(name);
  const path = disk.files().find((one) => pick.test(one))!;
  const bytes = disk.contents(path).slice();
  const at = path.endsWith(".log") ? 0 : bytes.length - 64;
  const crcAt = path.endsWith(".log") ? 56 : 60;
  bytes[at + 4] = version;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(at + crcAt, crc32c(bytes, at, at + crcAt), true);
  for (let i = at; i < at + 64; i++) disk.corrupt(path, i, () => bytes[i]!);
  return { disk, path };
}

describe("a directory of a newer version is refused with the way out, and not touched", () => {
  test.each([
    ["frames", "frames-2", /\.log$/],
    ["a sealed segment", "sealed-1", /\.sealed$/],
    ["what is left of a sealed segment", "sealed-2", /\.1\.sealed$/],
  ])("%s", async (_, name, pick) => {
    const { disk } = await withVersion(name, pick, 9);
    const before = new Map(disk.files().map((path) => [path, disk.contents(path).slice()]));
    const refused = { code: "format_unsupported", hint: "Run the release that wrote it, or a newer one." };
    await expect(openMixed(disk)).rejects.toMatchObject(refused);
    await expect(checkLog("/data", disk)).rejects.toMatchObject(refused);
    const options = { directory: "/data", disk, clock: new SimulatedClock(), derived: [] };
    await expect(repairLog(options)).rejects.toMatchObject(refused);
    for (const [path, bytes] of before) expect(disk.contents(path)).toEqual(bytes);
  });
});
