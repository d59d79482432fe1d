/** From a time to an offset: over frames and sealed segments, for busy topics and rare ones, what a walk through all commits says. */
import { describe, expect, test } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { type OpenedLog, openSmall, type Row, room, stage } from "./harness.ts";

const BEGIN_US = 1_700_000_000_000_000;

interface Stamped {
  readonly topicId: number;
  readonly offset: number;
  readonly timeUs: number;
}

/** Topic 1 in most commits, 2 in some, 3 in a few; times stand still now and then. */
async function filled(log: OpenedLog, clock: SimulatedClock, seed: number): Promise<Stamped[]> {
  const random = new SeededRandom(seed);
  const stamped: Stamped[] = [];
  const pending: Promise<void>[] = [];
  for (let i = 0; i < 150; i++) {
    const topicId = random.oneIn(40) ? 3 : random.oneIn(5) ? 2 : 1;
    const rows: Row[] = Array.from({ length: 1 + random.below(4) }, (_, id) => ({
      topicId,
      id,
      note: "x".repeat(random.below(2_000)),
    }));
    await room(log, 10_000);
    const { timeUs, ranges, durable } = stage(log, rows);
    for (const { firstOffset, lastOffset } of ranges)
      for (let offset = firstOffset; offset <= lastOffset; offset++)
        stamped.push({ topicId, offset, timeUs });
    pending.push(durable);
    if (random.oneIn(3)) await durable;
    if (random.oneIn(2)) clock.advance(random.below(3_000_000));
  }
  await Promise.all(pending);
  return stamped;
}

function naive(stamped: readonly Stamped[], topicId: number, timeUs: number): number {
  const own = stamped.filter((s) => s.topicId === topicId);
  return own.find((s) => s.timeUs >= timeUs)?.offset ?? own.length;
}

async function check(log: OpenedLog, stamped: readonly Stamped[]): Promise<void> {
  const times = new Set([0, BEGIN_US, Number.MAX_SAFE_INTEGER]);
  for (const { timeUs } of stamped) for (const d of [-1, 0, 1]) times.add(timeUs + d);
  for (const topicId of [1, 2, 3, 9]) {
    for (const timeUs of times) {
      expect([topicId, timeUs, await log.offsetAt(topicId, timeUs)]).toEqual([
        topicId,
        timeUs,
        naive(stamped, topicId, timeUs),
      ]);
    }
  }
}

describe("the offset at a time", () => {
  for (const seed of [1, 2, 3]) {
    test(`seed ${seed}: frames, sealed segments, and after a restart`, async () => {
      const disk = new SimulatedDisk({ seed });
      const clock = new SimulatedClock(BEGIN_US);
      const log = await openSmall(disk, { clock });
      const stamped = await filled(log, clock, seed);
      expect(log.stats().segments).toBeGreaterThan(2);
      await check(log, stamped);
      log.startSealing();
      await log.sealed();
      expect(log.stats().sealing.segments).toBeGreaterThan(1);
      await check(log, stamped);
      await log.close();
      const again = await openSmall(disk, { clock });
      await check(again, stamped);
      await again.close();
    });
  }

  test("of a topic without rows is its end", async () => {
    const log = await openSmall(new SimulatedDisk());
    expect(await log.offsetAt(1, 0)).toBe(0);
    await log.close();
  });
});
