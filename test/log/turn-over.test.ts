/** A segment that is ended before it is full. */
import { expect, test } from "vitest";
import { checkLog } from "../../src/log/check.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, type ReadCommit, readAll, room, stage } from "./harness.ts";

test("what comes next begins a segment, and those before can be sealed", async () => {
  const disk = new SimulatedDisk({ seed: 1 });
  let log = await openSmall(disk);
  log.startSealing();
  log.turnOver(); // of a log without a commit: nothing happens
  await append(log, [{ topicId: 1, id: 1, note: "first" }]);
  expect(log.stats().segments).toBe(1);
  await room(log, 100);
  const waiting = stage(log, [{ topicId: 1, id: 2, note: "on its way" }]);
  log.turnOver();
  log.turnOver();
  await waiting.durable;
  expect(log.stats().segments).toBe(1);
  await append(log, [{ topicId: 1, id: 3, note: "next" }]);
  await append(log, [{ topicId: 1, id: 4, note: "and so on" }]);
  await log.sealed();
  expect(log.stats()).toMatchObject({ segments: 2, sealing: { segments: 1, waiting: 0 } });
  expect(disk.files()).toContain("/data/log/00000000000000000001.sealed");
  expect(disk.files()).toContain("/data/log/00000000000000000003.log");
  const commits = await readAll(log);
  expect(commits.map(({ position }) => position)).toEqual([1, 2, 3, 4]);
  // Closed and opened right behind one.
  log.turnOver();
  await log.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  log = await openSmall(disk);
  expect(await readAll(log)).toEqual(commits);
  await append(log, [{ topicId: 1, id: 5, note: "on" }]);
  expect(await readAll(log)).toHaveLength(5);
  await log.close();
});

for (let seed = 1; seed <= 10; seed++) {
  test(`at any moment, with a crash at any change of the disk (seed ${seed})`, async () => {
    const random = new SeededRandom(seed);
    let disk = new SimulatedDisk({ seed });
    let sure: ReadCommit[] = [];
    for (let life = 0; life < 6; life++) {
      disk.crashAfter(1 + random.below(60));
      const acknowledged: number[] = [];
      try {
        const log = await openSmall(disk);
        log.startSealing();
        for (let i = 0; i < 40; i++) {
          await room(log, 3000);
          const { position, durable } = stage(log, [
            { topicId: 1 + random.below(3), id: i, note: "x".repeat(random.below(2000)) },
          ]);
          if (random.oneIn(4)) log.turnOver();
          durable.then(
            () => acknowledged.push(position),
            () => {},
          );
          if (random.oneIn(3)) await durable;
        }
        await log.close();
      } catch {
        // It has crashed.
      }
      disk = disk.reboot(random.oneIn(2) ? "power cut" : "process");
      expect((await checkLog("/data", disk)).damages).toEqual([]);
      const log = await openSmall(disk);
      const found = await readAll(log);
      expect(found.slice(0, sure.length)).toEqual(sure);
      expect(found.length).toBeGreaterThanOrEqual(Math.max(0, ...acknowledged));
      sure = found;
      await log.close();
    }
  });
}
