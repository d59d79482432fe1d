/** Groups that waited for one sync: on the disk one frame, to every reader what was staged. */
import { describe, expect, test } from "vitest";
import { checkLog } from "../../src/log/check.ts";
import { readCommits, readDirectory } from "../../src/log/frame.ts";
import type { Group } from "../../src/log/log.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, commitsOf, openSmall, type Row, readAll, room, stage } from "./harness.ts";
import { ALL_TOPICS, CATALOG, fillMixed, openMixed, readRange, widen } from "./sealed/support.ts";

interface Frame {
  readonly version: number;
  readonly commits: number;
  readonly topics: readonly number[];
}

async function framesOf(disk: SimulatedDisk): Promise<Frame[]> {
  const frames: Frame[] = [];
  for (const name of (await disk.list("/data/log")).filter((one) => one.endsWith(".log"))) {
    const file = await disk.open(`/data/log/${name}`, "read");
    const scanner = new Scanner(file, 0, await file.size(), true);
    for (let found = await scanner.next(); found.kind === "frame"; found = await scanner.next()) {
      const { header, bytes, offset } = found;
      const batches = readDirectory(bytes, offset, header)!;
      expect(readCommits(bytes, offset, header)?.length).toBe(header.commitCount);
      frames.push({
        version: header.formatVersion,
        commits: header.commitCount,
        topics: batches.map(({ topicId }) => topicId),
      });
    }
    await file.close();
  }
  return frames;
}

/** A log with the first commit on its way to the disk. */
async function busyLog(disk: SimulatedDisk) {
  const log = await openSmall(disk, { groupBytesMax: 1 << 20 });
  await append(log, [{ topicId: 1, id: 0, note: "before" }]);
  stage(log, [{ topicId: 1, id: 1, note: "in flight" }]);
  log.seal();
  return log;
}

describe("groups sealed while a frame is in flight", () => {
  test("share the next frame, and each commit its sync", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await busyLog(disk);
    const sealed: Group[] = [];
    log.onSealed((group) => sealed.push(group));
    const durable: number[] = [];
    log.onDurable((position) => durable.push(position));
    const told: number[] = [];
    const pending: Promise<unknown>[] = [];
    for (let id = 2; id < 40; id++) {
      const { position, durable: acknowledged } = stage(
        log,
        [{ topicId: 1 + (id % 3), id, note: `n${id}` }],
        `k${id}`,
      );
      pending.push(
        acknowledged.then(() => {
          expect(log.durablePosition).toBeGreaterThanOrEqual(position);
          told.push(position);
        }),
      );
      log.seal();
    }
    expect(sealed.length).toBe(38);
    await Promise.all(pending);
    expect(told).toEqual(Array.from({ length: 38 }, (_, i) => i + 3));
    expect(durable).toEqual([2, 40]);
    expect(await readAll(log)).toMatchObject(
      [{}, {}, ...sealed.flatMap(commitsOf)].map((commit, i) => ({ ...commit, position: i + 1 })),
    );
    await log.close();
    expect(await framesOf(disk)).toEqual([
      { version: 1, commits: 1, topics: [1] },
      { version: 1, commits: 1, topics: [1] },
      { version: 1, commits: 38, topics: [3, 1, 2] },
      { version: 1, commits: 0, topics: [] },
    ]);
  });

  test("large batches stay what they are", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await busyLog(disk);
    const rows = (n: number): Row[] => Array.from({ length: n }, (_, id) => ({ topicId: 1, id, note: null }));
    const sizes = [1, 2, 512, 3, 400, 400, 5, 2000, 1];
    const staged: Promise<void>[] = [];
    for (const size of sizes) {
      await room(log, size * 8);
      staged.push(stage(log, rows(size)).durable);
      log.seal();
    }
    await Promise.all(staged);
    const read = await readAll(log);
    expect(read.slice(2).map((commit) => commit.rows.length)).toEqual(sizes);
    await log.close();
    expect((await checkLog("/data", disk)).damages).toEqual([]);
    // 1 + 2, 512, 3 + 400 + 400, 5, 2000, 1: all of one frame but what room was waited for.
    const joined = (await framesOf(disk)).filter(({ commits }) => commits > 1);
    expect(joined.every(({ version }) => version === 2)).toBe(true);
    expect(joined.reduce((sum, { topics }) => sum + topics.length, 0)).toBeLessThanOrEqual(6);
  });

  test("of the catalog stand alone, and what follows them begins anew", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await openMixed(disk);
    await append(log, [{ topicId: 1, id: 0, note: "before" }]);
    for (const topicId of [1, 2, CATALOG, CATALOG, 1, 2, 2, CATALOG, 3]) {
      const draft = log.begin();
      draft.appendRow(topicId, topicId === CATALOG ? { definition: "topic" } : { id: topicId, note: "" });
      draft.commit();
      log.seal();
    }
    await log.close();
    const topics = (await framesOf(disk)).map((frame) => frame.topics.join());
    expect(topics).toEqual(["1", "1", "2", "0", "0", "1,2", "0", "3", ""]);
  });

  test("with a topic in two schema versions are two frames", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await busyLog(disk);
    for (const id of [1, 2, 3, 4]) {
      if (id === 3) widen(log);
      stage(log, [{ topicId: 3, id, note: null }]);
      log.seal();
    }
    await log.close();
    expect((await framesOf(disk)).map(({ commits }) => commits)).toEqual([1, 1, 2, 2, 0]);
  });

  test("are not joined where that takes more room than was kept", async () => {
    const disk = new SimulatedDisk({ seed: 1 });
    const log = await busyLog(disk);
    const rows: Row[] = Array.from({ length: 1000 }, (_, id) => ({ topicId: 1, id, note: "" }));
    await room(log, 40_000);
    stage(log, rows);
    log.seal();
    // One bit a row: which note is null, and which row is deleted.
    stage(log, [{ topicId: 1, id: 5, note: null, isDelete: true }]);
    log.seal();
    await log.close();
    expect((await framesOf(disk)).map(({ commits }) => commits)).toEqual([1, 1, 1, 1, 0]);
  });
});

test("are refused together when the disk fails, and none of them is acknowledged", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  const log = await busyLog(disk);
  disk.fail({ operation: "datasync", path: /\.log$/, skip: 1, code: "EIO" });
  const pending: Promise<void>[] = [];
  for (let id = 2; id < 9; id++) {
    pending.push(stage(log, [{ topicId: 1, id, note: null }]).durable);
    log.seal();
  }
  const settled = await Promise.allSettled(pending);
  expect(settled.map(({ status }) => status)).toEqual(pending.map(() => "rejected"));
  expect(log.durablePosition).toBe(2);
  await log.close();
});

describe("however commits are grouped", () => {
  for (let seed = 1; seed <= 6; seed++) {
    test(`the log says the same: seed ${seed}`, async () => {
      const said: string[][] = [];
      const frames: number[] = [];
      const random = new SeededRandom(seed * 31);
      for (const groupCommits of [undefined, 1, 2, 7]) {
        const disk = new SimulatedDisk({ seed });
        const log = await openMixed(disk);
        await fillMixed(log, new SeededRandom(seed), [], { commits: 150, groupCommits });
        said.push(await readRange(log, { from: 1 }));
        for (let n = 0; n < 30; n++) {
          const from = 1 + random.below(log.lastPosition);
          const to = from + random.below(log.lastPosition - from + 1);
          const topics = new Set(ALL_TOPICS.filter(() => random.oneIn(2)));
          const everyGroup = random.oneIn(2);
          const some = random.oneIn(2) ? { from, to } : { from, to, topics, everyGroup };
          for await (const group of log.read(some)) {
            expect(group.firstPosition).toBeGreaterThanOrEqual(from);
            expect(group.lastPosition).toBeLessThanOrEqual(to);
            expect(group.commits.map(({ position }) => position)).toEqual(
              Array.from(
                { length: group.lastPosition - group.firstPosition + 1 },
                (_, i) => group.firstPosition + i,
              ),
            );
            for (const { batch, commitEnds, commitIndexes } of group.batches) {
              expect(commitEnds.at(-1)).toBe(batch.length);
              expect(commitIndexes.at(-1)).toBeLessThan(group.commits.length);
            }
          }
        }
        await log.close();
        expect((await checkLog("/data", disk)).damages).toEqual([]);
        frames.push((await framesOf(disk)).length);
        const again = await openMixed(disk);
        widen(again);
        expect(await readRange(again, { from: 1 })).toEqual(said[0]);
        await again.close();
      }
      expect(said[1]).toEqual(said[0]);
      expect(said[2]).toEqual(said[0]);
      expect(said[3]).toEqual(said[0]);
      // Each commit sealed by itself: the syncs are not as many as the groups.
      expect(frames[1]).toBeLessThan(100);
    });
  }
});
