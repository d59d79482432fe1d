/**
 * A crash at every change of the disk while rows are taken out: each segment is there once, in one form or another, no row is gone without the one that came after it, and the
 * work comes to its end in a later life.
 */
import { describe, expect, test } from "vitest";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { append } from "../harness.ts";
import {
  type Contents,
  compacted,
  contents,
  fill,
  of,
  openKept,
  rules,
  STREAM,
  sealAll,
  sealedTo,
  TABLE,
  tableOf,
  WHOLE,
} from "./support.ts";

const RULES = { [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainBytes: 0 } };

/** A log whose full segments are sealed, and what it says. */
async function filled(seed: number): Promise<{ disk: SimulatedDisk; before: Contents }> {
  const disk = new SimulatedDisk({ seed });
  const log = await openKept(disk);
  await fill(log, new SeededRandom(seed), 260);
  await sealAll(log);
  const before = await contents(log);
  expect(log.stats().segments).toBeGreaterThanOrEqual(3);
  await log.close();
  return { disk, before };
}

/** Opens, looks, lets go what may go, looks again. Returns what is left. */
async function verify(disk: SimulatedDisk, before: Contents): Promise<Contents> {
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  const log = await openKept(disk);
  const found = await contents(log);
  expect(found.commits.slice(0, before.commits.length)).toEqual(before.commits);
  const known = new Set(before.rows.map((row) => JSON.stringify(row)));
  for (const row of found.rows) expect(known).toContain(JSON.stringify(row));
  expect(of(found.rows, WHOLE)).toEqual(of(before.rows, WHOLE));
  expect(tableOf(of(found.rows, TABLE))).toEqual(tableOf(of(before.rows, TABLE)));
  expect(of(found.rows, STREAM)).toEqual(
    of(before.rows, STREAM).filter(({ offset }) => offset >= log.topicStart(STREAM)),
  );
  await sealAll(log);
  log.keep(rules(RULES));
  await log.compact();
  const to = sealedTo(disk, log.durablePosition);
  const after = await contents(log);
  expect(of(after.rows, TABLE)).toEqual(compacted(of(before.rows, TABLE), to, log.nowUs()));
  for (const { idempotencyKey, position } of before.commits)
    if (idempotencyKey !== null) expect(log.knownCommit(idempotencyKey)?.position).toBe(position);
  await log.close();
  const names = disk.files().map((path) => path.replace("/data/log/", ""));
  expect(names.filter((name) => name.startsWith("compacting-"))).toEqual([]);
  const segments = names.flatMap((name) => /^(\d{20})\./.exec(name)?.[1] ?? []);
  expect(new Set(segments).size).toBe(segments.length);
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  return after;
}

describe("a crash at the n-th change of the disk while rows are taken out", () => {
  for (const kind of ["power cut", "process"] as const) {
    for (const seed of [1, 2, 3]) {
      test(`${kind}, seed ${seed}`, async () => {
        const made = await filled(seed);
        let struck = 0;
        for (let crashAt = 1; ; crashAt++) {
          const disk = made.disk.reboot("process");
          disk.crashAfter(crashAt);
          try {
            const log = await openKept(disk);
            log.keep(rules(RULES));
            await log.compact();
            await log.close();
          } catch {
            // It has crashed.
          }
          if (!disk.crashed) break;
          struck++;
          await verify(disk.reboot(kind), made.before);
        }
        expect(struck).toBeGreaterThan(15);
      });
    }
  }
});

describe("a disk that fails while rows are taken out", () => {
  const faults = [
    ["no space to begin", { operation: "open", path: /compacting-/, code: "ENOSPC" }],
    ["no space to write", { operation: "write", path: /compacting-/, code: "ENOSPC" }],
    ["a sync that fails", { operation: "datasync", path: /compacting-/, code: "EIO" }],
    ["reading back fails", { operation: "read", path: /compacting-/, code: "EIO" }],
    ["a segment that cannot be read now", { operation: "read", path: /\.sealed$/, code: "EIO" }],
    ["the name cannot be given", { operation: "rename", path: /compacting-/, code: "EIO" }],
    ["the name cannot be synced", { operation: "syncDirectory", code: "EIO" }],
  ] as const;
  for (const [name, fault] of faults) {
    test(`${name}: said, nothing is lost, appends go on, and it works the next time`, async () => {
      const { disk, before } = await filled(5);
      const reports: string[] = [];
      const log = await openKept(disk, { report: (message) => reports.push(message) });
      log.keep(rules(RULES));
      disk.fail(fault);
      await expect(log.compact()).rejects.toMatchObject({
        code: fault.code === "ENOSPC" ? "disk_full" : "io_error",
      });
      expect(reports[0]).toMatch(/could not be taken out/);
      expect(log.stats().keeping.failure).not.toBeNull();
      await append(log, [{ topicId: WHOLE, id: 1, note: "goes on" }]);
      const found = await contents(log);
      expect(tableOf(of(found.rows, TABLE))).toEqual(tableOf(of(before.rows, TABLE)));
      await log.compact();
      expect(log.stats().keeping.failure).toBeNull();
      await log.close();
      const after = await verify(disk, { ...before, rows: [...before.rows, ...found.rows.slice(-1)] });
      expect(after.rows.length).toBeLessThan(before.rows.length);
    });
  }

  test("a form that cannot be removed does no harm; the next start removes it", async () => {
    const { disk, before } = await filled(6);
    const reports: string[] = [];
    const log = await openKept(disk, { report: (message) => reports.push(message) });
    log.keep(rules(RULES));
    disk.fail({ operation: "unlink", path: /\.sealed$/, code: "EIO" });
    await log.compact();
    expect(reports.join()).toMatch(/was not removed/);
    await log.close();
    await verify(disk, before);
  });

  test("a damaged segment ends it, and nothing is given up beyond it", async () => {
    const { disk, before } = await filled(8);
    const path = disk.files().find((name) => name.endsWith(".sealed"))!;
    const log = await openKept(disk);
    disk.corrupt(path, 300, (byte) => byte ^ 1);
    log.keep(rules(RULES));
    await expect(log.compact()).rejects.toMatchObject({ code: "log_damaged" });
    expect(log.stats().keeping.segments).toBe(0);
    disk.corrupt(path, 300, (byte) => byte ^ 1);
    await log.close();
    await verify(disk, before);
  });
});

test("one flipped bit anywhere in what is left: check names the place, and no reader gives out anything else", async () => {
  const { disk: sound, before } = await filled(9);
  const after = await verify(sound, before);
  const expected = new Set(after.rows.map((row) => JSON.stringify(row)));
  const path = sound.files().find((name) => /\.1\.sealed$/.test(name))!;
  const { length } = sound.contents(path);
  const random = new SeededRandom(1);
  for (let i = 0; i < 150; i++) {
    const at = i < 64 ? length - 1 - i : 8 + random.below(length - 8);
    const disk = sound.reboot("process");
    disk.corrupt(path, at, (byte) => byte ^ (1 << random.below(8)));
    const { damages } = await checkLog("/data", disk);
    expect(damages.length, `byte ${at} of ${length}`).toBeGreaterThan(0);
    expect(path.endsWith(damages[0]!.segment)).toBe(true);
    try {
      const log = await openKept(disk);
      try {
        for (const row of (await contents(log)).rows) expect(expected).toContain(JSON.stringify(row));
      } finally {
        await log.close();
      }
    } catch (error) {
      expect(error).toMatchObject({ code: "log_damaged" });
    }
  }
});
