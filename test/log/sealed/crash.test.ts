/**
 * A crash at every change of the disk while segments are sealed, and the disk's lesser failures: whatever happens, each commit is there once, in
 * one form or the other, and sealing comes to its end in a later life.
 */
import { describe, expect, test } from "vitest";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import {
  append,
  type OpenedLog,
  openSmall,
  type ReadCommit,
  type Row,
  readAll,
  room,
  stage,
  TOPICS,
} from "../harness.ts";

const NOTE_BYTES = 3000;

/** Full segments that nobody has sealed yet, and what they say. */
async function filled(seed: number): Promise<{ disk: SimulatedDisk; commits: ReadCommit[] }> {
  const random = new SeededRandom(seed);
  const disk = new SimulatedDisk({ seed });
  const log = await openSmall(disk);
  const pending: Promise<void>[] = [];
  for (let i = 0; i < 60; i++) {
    const rows: Row[] = Array.from({ length: 1 + random.below(3) }, (_, k) => ({
      topicId: TOPICS[random.below(TOPICS.length)]!,
      id: k,
      note: String.fromCharCode(97 + (i % 26)).repeat(random.below(NOTE_BYTES)),
    }));
    await room(log, 3 * NOTE_BYTES);
    pending.push(stage(log, rows, random.oneIn(2) ? `key ${i}` : null).durable);
    if (random.oneIn(3)) await pending.at(-1);
  }
  await Promise.all(pending);
  const commits = await readAll(log);
  expect(log.stats().segments).toBeGreaterThanOrEqual(2);
  await log.close();
  return { disk, commits };
}

async function seal(log: OpenedLog): Promise<void> {
  log.startSealing();
  await log.sealed();
}

/** Opens, says what it said, seals what is left, says it again. */
async function verify(disk: SimulatedDisk, commits: readonly ReadCommit[]): Promise<void> {
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  const log = await openSmall(disk);
  expect(await readAll(log)).toEqual(commits);
  await seal(log);
  expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
  expect(await readAll(log)).toEqual(commits);
  for (const { key, position } of commits) {
    if (key !== null) expect(log.knownCommit(key)?.position).toBe(position);
  }
  await log.close();
  const names = disk.files().map((path) => path.replace("/data/log/", ""));
  expect(names.filter((name) => name.startsWith("sealing-"))).toEqual([]);
  for (const name of names.filter((n) => n.endsWith(".sealed")))
    expect(names).not.toContain(name.replace(".sealed", ".log"));
  expect((await checkLog("/data", disk)).damages).toEqual([]);
}

describe("a crash at the n-th change of the disk while segments are sealed", () => {
  for (const kind of ["power cut", "process"] as const) {
    test(kind, async () => {
      let struck = 0;
      for (let seed = 1; seed <= 3; seed++) {
        for (let crashAt = 1; ; crashAt++) {
          const { disk, commits } = await filled(seed);
          disk.crashAfter(crashAt);
          try {
            const log = await openSmall(disk);
            await seal(log);
            // The disk may have gone in the background.
            if (!disk.crashed) await log.close();
          } catch (error) {
            if (!disk.crashed) throw error;
          }
          const hasCrashed = disk.crashed;
          try {
            await verify(disk.reboot(kind), commits);
          } catch (error) {
            throw new Error(`seed ${seed}, ${kind} at change ${crashAt}`, { cause: error });
          }
          if (!hasCrashed) break;
          struck++;
        }
      }
      expect(struck).toBeGreaterThan(45);
    });
  }
});

describe("a disk that fails while a segment is sealed", () => {
  const faults = [
    ["no space to begin", { operation: "open", path: /sealing-/, code: "ENOSPC" }],
    ["no space to write", { operation: "write", path: /sealing-/, code: "ENOSPC" }],
    ["a write that fails", { operation: "write", path: /sealing-/, code: "EIO" }],
    ["a sync that fails", { operation: "datasync", path: /sealing-/, code: "EIO" }],
    ["reading back fails", { operation: "read", path: /sealing-/, code: "EIO" }],
    ["a frame that cannot be read now", { operation: "read", path: /\.log$/, code: "EIO" }],
    ["a file that cannot be opened", { operation: "open", path: /\.log$/, code: "EIO" }],
    ["the name cannot be given", { operation: "rename", path: /sealing-/, code: "EIO" }],
    ["the name cannot be synced", { operation: "syncDirectory", code: "EIO" }],
  ] as const;
  for (const [name, fault] of faults) {
    test(`${name}: reported, the segment stays, appends go on, and it is tried again`, async () => {
      const { disk, commits } = await filled(5);
      const reports: string[] = [];
      const log = await openSmall(disk, { sealRetryMs: 1, report: (message) => reports.push(message) });
      disk.fail(fault);
      await seal(log);
      expect(reports).toHaveLength(1);
      expect(reports[0]).toMatch(/could not be sealed/);
      expect(log.stats().sealing.failure).not.toBeNull();
      await append(log, [{ topicId: 1, id: 1, note: "goes on" }]);
      expect((await readAll(log)).slice(0, -1)).toEqual(commits);
      while (log.stats().sealing.waiting > 0) await new Promise((done) => setTimeout(done, 1));
      await log.sealed();
      expect(log.stats().sealing.failure).toBeNull();
      expect((await readAll(log)).slice(0, -1)).toEqual(commits);
      await log.close();
      expect((await checkLog("/data", disk)).damages).toEqual([]);
    });
  }

  test("frames that cannot be removed do no harm; the next start removes them", async () => {
    const { disk, commits } = await filled(6);
    const reports: string[] = [];
    const log = await openSmall(disk, { report: (message) => reports.push(message) });
    disk.fail({ operation: "unlink", path: /\.log$/, code: "EIO" });
    await seal(log);
    expect(reports.join()).toMatch(/was sealed, but not removed/);
    expect(await readAll(log)).toEqual(commits);
    await log.close();
    expect((await checkLog("/data", disk)).damages).toEqual([]);
    await verify(disk, commits);
  });

  test("a short write is continued", async () => {
    const { disk, commits } = await filled(7);
    const log = await openSmall(disk);
    disk.fail({ operation: "write", path: /sealing-/, bytesMax: 1000, times: 5 });
    await seal(log);
    expect(log.stats().sealing.failure).toBeNull();
    expect(await readAll(log)).toEqual(commits);
    await log.close();
  });

  test("damaged frames are left as they are, for evert check to tell", async () => {
    const { disk } = await filled(8);
    const log = await openSmall(disk);
    const first = disk.files().find((path) => path.endsWith(".log"))!;
    disk.corrupt(first, 1000, (byte) => byte ^ 1);
    await seal(log);
    expect(log.stats().sealing.failure).toMatch(/damaged/);
    expect(disk.files()).toContain(first);
    await log.close();
    expect((await checkLog("/data", disk)).damages.length).toBeGreaterThan(0);
  });
});

describe("damage to a sealed segment", () => {
  test("one flipped bit anywhere: check names the place, and no reader gives out anything else than what was written", async () => {
    const { disk: sound, commits } = await filled(9);
    await verify(sound, commits);
    const path = sound.files().find((name) => name.endsWith(".sealed"))!;
    const { length } = sound.contents(path);
    const random = new SeededRandom(1);
    for (let i = 0; i < 150; i++) {
      // The head is eight bytes that say what the file is; everything else has a checksum.
      const at = i < 64 ? length - 1 - i : 8 + random.below(length - 8);
      const disk = sound.reboot("process");
      disk.corrupt(path, at, (byte) => byte ^ (1 << random.below(8)));
      const { damages } = await checkLog("/data", disk);
      expect(damages.length, `byte ${at} of ${length}`).toBeGreaterThan(0);
      expect(path.endsWith(damages[0]!.segment)).toBe(true);
      try {
        const log = await openSmall(disk);
        try {
          await readAll(log);
          expect.unreachable("what is damaged cannot be read");
        } finally {
          await log.close();
        }
      } catch (error) {
        expect(error).toMatchObject({ code: "log_damaged" });
      }
    }
  });

  test("a later version is refused with the way out", async () => {
    const { disk, commits } = await filled(9);
    await verify(disk, commits);
    const path = disk.files().find((name) => name.endsWith(".sealed"))!;
    const bytes = disk.contents(path);
    const tail = bytes.slice(-64);
    new DataView(tail.buffer).setUint16(4, 3, true);
    const { crc32c } = await import("../../../src/base/crc32c.ts");
    new DataView(tail.buffer).setUint32(60, crc32c(tail, 0, 60), true);
    for (const [i, byte] of tail.entries()) disk.corrupt(path, bytes.length - 64 + i, () => byte);
    await expect(openSmall(disk)).rejects.toMatchObject({ code: "format_unsupported" });
  });
});
