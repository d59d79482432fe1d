/** Directories that earlier releases wrote, each in golden/NAME with what it says: this release opens them, and says the same. */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { writeFully } from "../../src/base/disk.ts";
import { checkLog } from "../../src/log/check.ts";
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

test("there is one of each version", () => {
  expect(names.sort()).toEqual(["frames-1", "sealed-1"]);
});

describe.each(names)("%s", (name) => {
  test("opens, says the same, and goes on; sealed by this release it still does", async () => {
    const says = gunzipSync(await readFile(join(root, name, "says.txt.gz"))).toString();
    const disk = await load(name);
    expect((await checkLog("/data", disk)).damages).toEqual([]);
    const log = await openMixed(disk);
    widen(log);
    expect(await describeLog(log)).toBe(says);
    const keyed = /"position":(\d+),"timeUs":\d+,"idempotencyKey":"([^"]+)"/.exec(says)!;
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
