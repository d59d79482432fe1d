/** What a log gives back: from any position and offset, while it grows, and which requests it knows. */
import { describe, expect, test } from "vitest";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import {
  append,
  commitsOf,
  type OpenedLog,
  openSmall,
  type ReadCommit,
  type Row,
  readAll,
  room,
  stage,
  TOPICS,
} from "./harness.ts";

describe("reading", () => {
  async function filled(disk: SimulatedDisk): Promise<{ log: OpenedLog; commits: ReadCommit[] }> {
    const log = await openSmall(disk);
    const commits: ReadCommit[] = [];
    log.onSealed((group) => commits.push(...commitsOf(group)));
    for (let id = 0; id < 120; id++) {
      // Topic 3 only at both ends, with far more than one index entry between.
      const topicId = id < 2 || id > 117 ? 3 : 1 + (id % 2);
      await append(log, [{ topicId, id, note: "x".repeat((id % 7) * 500) }]);
    }
    return { log, commits };
  }

  test("from and to any position, by position and by a topic's offset, before and after reopening", async () => {
    const disk = new SimulatedDisk();
    const first = await filled(disk);
    const check = async (log: OpenedLog): Promise<void> => {
      for (const from of [0, 1, 2, 17, 60, 119, 120, 121]) {
        expect(await readAll(log, from)).toEqual(first.commits.filter((commit) => commit.position >= from));
      }
      const some: number[] = [];
      for await (const group of log.read({ from: 30, to: 33 })) some.push(group.firstPosition);
      expect(some).toEqual([30, 31, 32, 33]);
      for (const topicId of TOPICS) {
        const rows = first.commits
          .flatMap((commit) => commit.rows)
          .filter((row) => row.startsWith(`${topicId}@`));
        expect(log.topicEnd(topicId)).toBe(rows.length);
        for (const offset of [0, 1, 2, 3, rows.length - 1, rows.length]) {
          const read: string[] = [];
          for await (const group of log.readTopic(topicId, offset))
            read.push(...commitsOf(group).flatMap((c) => c.rows));
          expect(read).toEqual(rows.slice(offset));
        }
      }
    };
    await check(first.log);
    await first.log.close();
    const again = await openSmall(disk);
    await check(again);
    await again.close();
  });

  test("a rare topic in a long log is read in leaps, from any offset", async () => {
    const disk = new SimulatedDisk();
    const big = { segmentBytes: 1 << 20, groupBytesMax: 1 << 20, aheadBytesMax: 1 << 20 };
    let log = await openSmall(disk, big);
    const rare: number[] = [];
    for (let id = 0; id < 90; id++) {
      const isRare = id % 29 === 3 || id % 29 === 4;
      const rows: Row[] = [{ topicId: 1, id, note: "x".repeat(40_000) }];
      if (isRare) rows.push({ topicId: 2, id, note: null });
      await room(log, 41_000);
      await stage(log, rows).durable;
      if (isRare) rare.push(id);
    }
    for (let life = 0; life < 2; life++) {
      for (let offset = 0; offset <= rare.length; offset++) {
        const before = disk.bytesRead;
        const read: string[] = [];
        for await (const group of log.readTopic(2, offset)) read.push(...commitsOf(group)[0]!.rows);
        expect(read).toEqual(rare.slice(offset).map((id, i) => `2@${offset + i} ${id} null`));
        // The log has 3.6 MB; to each place of the topic leads an entry, and then at most the way to the next.
        expect(disk.bytesRead - before).toBeLessThan(3_600_000);
      }
      await log.close();
      log = await openSmall(disk, big);
    }
    await log.close();
  });

  test("of some topics skips other groups, or shows them empty", async () => {
    const { log } = await filled(new SimulatedDisk());
    const skipped: number[] = [];
    for await (const group of log.read({ from: 1, topics: new Set([3]) })) skipped.push(group.firstPosition);
    expect(skipped).toEqual([1, 2, 119, 120]);
    let every = 0;
    let withRows = 0;
    for await (const group of log.read({ from: 1, topics: new Set([3]), everyGroup: true })) {
      every++;
      withRows += group.batches.length;
    }
    expect([every, withRows]).toEqual([120, 4]);
    await log.close();
  });

  test("a topic nobody has registered is an error when it is wanted, and none otherwise", async () => {
    const disk = new SimulatedDisk();
    const { log } = await filled(disk);
    await log.close();
    const { openLog } = await import("../../src/log/open-log.ts");
    const bare = await openLog({ directory: "/data", disk, clock: new SimulatedClock() });
    await expect(readAll(bare)).rejects.toMatchObject({ code: "undefined_object" });
    let groups = 0;
    for await (const group of bare.read({ from: 1, topics: new Set(), everyGroup: true }))
      groups += group.commits.length;
    expect(groups).toBe(120);
    await bare.close();
  });

  test("can be left in the middle", async () => {
    const { log } = await filled(new SimulatedDisk());
    for await (const group of log.read({ from: 5 })) {
      expect(group.firstPosition).toBe(5);
      break;
    }
    await log.close();
  });

  test("sees what was durable when it began, while appends go on", async () => {
    const { log, commits } = await filled(new SimulatedDisk());
    const before = commits.length;
    const reading = readAll(log);
    const appending = append(log, [{ topicId: 1, id: 1, note: null }]);
    expect(await reading).toHaveLength(before);
    await appending;
    await log.close();
  });
});

describe("idempotency keys", () => {
  test("are known as soon as staged, after reopening, and for 24 hours of log time", async () => {
    const disk = new SimulatedDisk();
    const clock = new SimulatedClock();
    let log = await openSmall(disk, { clock });
    await room(log, 200);
    const receipt = stage(
      log,
      [
        { topicId: 1, id: 1, note: "x" },
        { topicId: 2, id: 1, note: "y" },
      ],
      "key é 🎉",
    );
    const known = { position: 1, requestDigest: "digest of key é 🎉", ranges: receipt.ranges };
    expect(log.knownCommit("key é 🎉")).toEqual(known);
    expect(log.knownCommit("other")).toBeNull();
    await receipt.durable;
    await append(log, [{ topicId: 1, id: 2, note: "x" }]);
    await log.close();
    log = await openSmall(disk, { clock });
    expect(log.knownCommit("key é 🎉")).toEqual(known);
    clock.advance(24 * 3_600_000_000);
    await append(log, [{ topicId: 1, id: 3, note: "x" }]);
    expect(log.knownCommit("key é 🎉")).toEqual(known);
    clock.advance(1);
    await append(log, [{ topicId: 1, id: 4, note: "x" }]);
    expect(log.knownCommit("key é 🎉")).toBeNull();
    await log.close();
    log = await openSmall(disk, { clock });
    expect(log.knownCommit("key é 🎉")).toBeNull();
    await log.close();
  });

  test.each([
    ["", "empty"],
    ["x".repeat(1025), "too long"],
    ["\ud800", "a lone surrogate"],
  ])("%j is refused: %s", async (key) => {
    const log = await openSmall(new SimulatedDisk());
    expect(() => log.begin({ idempotencyKey: key })).toThrow(
      expect.objectContaining({ code: "invalid_argument" }),
    );
    await append(log, [{ topicId: 1, id: 1, note: "unharmed" }]);
    await log.close();
  });
});
