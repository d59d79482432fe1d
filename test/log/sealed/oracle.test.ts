/** Sealing changes nothing that anyone can read: everything before it, everything after it, by every reader and from anywhere. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkLog } from "../../../src/log/check.ts";
import type { Log } from "../../../src/log/log.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { anyRow } from "../../batch/fixtures.ts";
import { append } from "../harness.ts";
import { everything, fillMixed, openMixed, readRange, readTopic, widen } from "./support.ts";

const wideRows = fc.sample(anyRow, { numRuns: 12, seed: 5 });

async function sealAll(log: Awaited<ReturnType<typeof openMixed>>): Promise<void> {
  log.startSealing();
  await log.sealed();
  const { sealing, segments } = log.stats();
  expect(sealing).toMatchObject({ segments: segments - 1, waiting: 0, failure: null });
}

/** Topics in order of their ids: in a frame they stand in the order in which its commits touched them. */
function knownCommit(log: Log, key: string): unknown {
  const known = log.knownCommit(key);
  return known === null
    ? null
    : { ...known, ranges: [...known.ranges].sort((a, b) => a.topicId - b.topicId) };
}

describe("the same commits and records before and after sealing", () => {
  for (let seed = 1; seed <= 8; seed++) {
    test(`seed ${seed}`, async () => {
      const disk = new SimulatedDisk({ seed });
      let log = await openMixed(disk, seed % 2 === 0 ? { groupBytesMax: 64 * 1024 } : {});
      const keys = await fillMixed(log, new SeededRandom(seed), wideRows, { commits: 400 });
      const places = (): SeededRandom => new SeededRandom(seed + 100);
      const before = await everything(log, places());
      const known = keys.map((key) => knownCommit(log, key));
      expect(log.stats().segments).toBeGreaterThan(1);
      await sealAll(log);
      expect(await everything(log, places())).toEqual(before);
      await log.close();

      expect((await checkLog("/data", disk)).damages).toEqual([]);
      log = await openMixed(disk);
      widen(log);
      expect(log.stats().sealing.segments).toBeGreaterThan(0);
      expect(await everything(log, places())).toEqual(before);
      expect(keys.map((key) => knownCommit(log, key))).toEqual(known);
      // And it goes on where it was.
      await append(log, [{ topicId: 1, id: 1, note: "more" }]);
      expect((await readRange(log, { from: 1 })).length).toBe(before[0]!.length + 2);
      await log.close();
    });
  }

  test("a commit larger than a block stays one commit", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await openMixed(disk, { commitBytesMax: 8 << 20 });
    await fillMixed(log, new SeededRandom(3), wideRows, { commits: 40, largeRows: 40_000 });
    const places = (): SeededRandom => new SeededRandom(1);
    const before = await everything(log, places());
    await sealAll(log);
    expect(await everything(log, places())).toEqual(before);
    for await (const group of log.read({ from: 1 })) {
      for (const { commitIndexes } of group.batches) {
        expect([...commitIndexes]).toEqual([...new Set(commitIndexes)].sort((a, b) => a - b));
      }
    }
    await log.close();
    expect((await checkLog("/data", disk)).damages).toEqual([]);
  });

  test("rows of a topic that nobody knows any more are kept", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    let log = await openMixed(disk);
    await fillMixed(log, new SeededRandom(9), wideRows, { commits: 300 });
    const before = await readTopic(log, 7, 0);
    expect(before.length).toBeGreaterThan(100);
    await log.close();

    // The wide topic and the newer schema of topic 3 are not registered when the segments are sealed.
    const { openSmall } = await import("../harness.ts");
    log = await openSmall(disk);
    log.startSealing();
    await log.sealed();
    expect(log.stats().sealing.segments).toBeGreaterThan(1);
    await log.close();

    expect((await checkLog("/data", disk)).damages).toEqual([]);
    log = await openMixed(disk);
    widen(log);
    expect(await readTopic(log, 7, 0)).toEqual(before);
    await log.close();
  });

  test("a reader that is underway when its segments are sealed reads on", async () => {
    const disk = new SimulatedDisk({ seed: 2 });
    const log = await openMixed(disk);
    await fillMixed(log, new SeededRandom(4), wideRows, { commits: 400 });
    const before = await readTopic(log, 1, 0);
    const rows: unknown[] = [];
    let groups = 0;
    for await (const group of log.readTopic(1, 0)) {
      rows.push(...group.batches.flatMap(({ batch }) => Array.from({ length: batch.length })));
      if (++groups === 1) log.startSealing();
      await new Promise((done) => setImmediate(done));
    }
    await log.sealed();
    expect(rows.length).toBe(before.length);
    expect(await readTopic(log, 1, 0)).toEqual(before);
    await log.close();
  });
});
