/**
 * A crash at every change of the disk, several times in one life, by power cut and by the death of the process:
 * no acknowledged commit is lost, none comes twice, none comes in part, and the log goes on.
 */
import { describe, expect, test } from "vitest";
import { checkLog } from "../../src/log/check.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import {
  describeRow,
  type OpenedLog,
  openSmall,
  type ReadCommit,
  type Row,
  readAll,
  room,
  stage,
  TOPICS,
} from "./harness.ts";

/** What the outside world knows: every commit it staged, and which were acknowledged. */
class World {
  /** By position; a position lost in a crash is given again. */
  readonly staged = new Map<number, ReadCommit>();
  acknowledged = 0;
  #key = 0;

  /** Stages commits on the log until the disk fails or `count` are done. */
  async run(log: OpenedLog, random: SeededRandom, count: number): Promise<void> {
    const pending: Promise<void>[] = [];
    const ends = new Map(TOPICS.map((topicId) => [topicId, log.topicEnd(topicId)]));
    try {
      for (let i = 0; i < count; i++) {
        const rows: Row[] = Array.from({ length: random.below(4) }, (_, k) => ({
          topicId: TOPICS[random.below(TOPICS.length)]!,
          id: k,
          note: "x".repeat(random.below(random.oneIn(4) ? 20_000 : 300)),
        }));
        await room(log, 100 + rows.reduce((sum, { note }) => sum + (note?.length ?? 0), 0));
        const key = random.oneIn(2) ? `key ${this.#key++}` : null;
        const { position, durable } = stage(log, rows, key);
        const described = [...rows]
          .sort((a, b) => a.topicId - b.topicId)
          .map((row) => {
            const offset = ends.get(row.topicId)!;
            ends.set(row.topicId, offset + 1);
            return describeRow(row, offset);
          });
        this.staged.set(position, { position, key, rows: described });
        pending.push(
          durable.then(() => {
            this.acknowledged = Math.max(this.acknowledged, position);
          }),
        );
        // A group of its own, which shares a frame with those that wait with it.
        if (random.oneIn(3)) log.seal();
        if (random.oneIn(2)) await pending.at(-1);
      }
    } finally {
      await Promise.allSettled(pending);
    }
  }

  async verify(log: OpenedLog): Promise<void> {
    const read = await readAll(log);
    expect(read.length).toBe(log.lastPosition);
    expect(read.length).toBeGreaterThanOrEqual(this.acknowledged);
    expect(read).toEqual(read.map(({ position }) => this.staged.get(position)));
    for (const { position, key } of this.staged.values()) {
      if (key === null) continue;
      if (position <= log.lastPosition && this.staged.get(position)!.key === key) {
        expect(log.knownCommit(key)?.position).toBe(position);
      } else expect(log.knownCommit(key)).toBeNull();
    }
    // What was shown now is shown for ever.
    this.acknowledged = read.length;
    for (const position of this.staged.keys()) if (position > read.length) this.staged.delete(position);
  }
}

/** `sealing`: full segments are sealed meanwhile. */
async function livesWithCrashes(
  seed: number,
  crashAt: number,
  lives: number,
  sealing = false,
): Promise<boolean> {
  const random = new SeededRandom(seed);
  let disk = new SimulatedDisk({ seed });
  const world = new World();
  let everCrashed = false;
  for (let life = 0; life < lives; life++) {
    const isLast = life === lives - 1;
    if (!isLast) disk.crashAfter(life === 0 ? crashAt : 1 + random.below(40));
    try {
      const log = await openSmall(disk);
      await world.verify(log);
      if (sealing) log.startSealing();
      await world.run(log, random, 8);
      if (sealing && random.oneIn(2)) {
        await log.sealed();
        await world.verify(log);
      }
      await log.close();
    } catch (error) {
      if (!disk.crashed) throw error;
    }
    if (isLast) expect(disk.crashed).toBe(false);
    everCrashed ||= disk.crashed;
    disk = disk.reboot(random.oneIn(3) ? "process" : "power cut");
    if (random.oneIn(4)) expect((await checkLog("/data", disk).catch(notFound))?.damages ?? []).toEqual([]);
  }
  return everCrashed;
}

/** Before the first directory is made there is nothing to check. */
function notFound(error: { code: string }): null {
  expect(error.code).toBe("not_found");
  return null;
}

describe("a crash at the n-th change of the disk", () => {
  for (let from = 1; from <= 96; from += 16) {
    test(`n = ${from} … ${from + 15}`, async () => {
      for (let crashAt = from; crashAt < from + 16; crashAt++) {
        for (let seed = 1; seed <= 3; seed++) {
          try {
            await livesWithCrashes(seed * 1000 + crashAt, crashAt, 4);
          } catch (error) {
            throw new Error(`seed ${seed}, crash at ${crashAt}`, { cause: error });
          }
        }
      }
    });
  }

  for (let from = 1; from <= 128; from += 32) {
    test(`n = ${from} … ${from + 31}, with sealing`, async () => {
      for (let crashAt = from; crashAt < from + 32; crashAt++) {
        for (let seed = 1; seed <= 2; seed++) {
          try {
            await livesWithCrashes(seed * 7000 + crashAt, crashAt, 6, true);
          } catch (error) {
            throw new Error(`seed ${seed}, crash at ${crashAt}, with sealing`, { cause: error });
          }
        }
      }
    });
  }

  test("does strike", async () => {
    expect(await livesWithCrashes(1, 20, 4)).toBe(true);
  });
});

test("a frame whose fdatasync failed, seen again after a restart, survives a power cut from then on", async () => {
  for (let seed = 1; seed <= 20; seed++) {
    let disk = new SimulatedDisk({ seed });
    let log = await openSmall(disk);
    await room(log, 100);
    await stage(log, [{ topicId: 1, id: 1, note: "safe" }]).durable;
    disk.fail({ operation: "datasync", path: /\.log$/, code: "EIO" });
    await expect(stage(log, [{ topicId: 1, id: 2, note: "x".repeat(3000) }]).durable).rejects.toMatchObject({
      code: "io_error",
    });
    await log.close();
    disk = disk.reboot("process");
    log = await openSmall(disk);
    const shown = await readAll(log);
    expect(shown.length).toBe(2);
    disk = disk.reboot("power cut");
    log = await openSmall(disk);
    expect(await readAll(log)).toEqual(shown);
    await log.close();
  }
});
