/**
 * A damaged log after its repair: everything that is sound in its files is there, under the same positions and offsets, and nothing else; it opens, is clean and goes on; the files
 * as they were lie aside, byte for byte. What is sound is found out here by comparing bytes with those of the log before it was damaged.
 */
import { beforeAll, describe, expect, test } from "vitest";
import { datumAt } from "../../src/batch/column.ts";
import { checkLog } from "../../src/log/check.ts";
import { type Log, OP_DELETE } from "../../src/log/log.ts";
import { offsetOf } from "../../src/log/offsets.ts";
import { type RepairReport, repairLog } from "../../src/log/repair/repair.ts";
import { Scanner } from "../../src/log/scanner.ts";
import { placedBlocks } from "../../src/log/sealed/format.ts";
import { openSealed, readRun } from "../../src/log/sealed/sealed-segment.ts";
import { parseSegmentName } from "../../src/log/segment.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append } from "./harness.ts";
import { fillMixed, openMixed, widen } from "./sealed/support.ts";

/** A frame, or a block of a sealed segment: where its bytes are, and which rows stand and fall with them. */
interface Part {
  readonly stretches: readonly { readonly path: string; readonly at: number; readonly end: number }[];
  readonly positions: readonly number[];
  readonly rows: readonly string[];
  readonly isFrame: boolean;
}

interface Said {
  /** By position. */
  readonly commits: Map<number, { readonly timeUs: number; readonly key: string | null }>;
  /** By topic and offset. */
  readonly rows: Map<string, string>;
}

async function said(log: Log): Promise<Said> {
  const commits: Said["commits"] = new Map();
  const rows: Said["rows"] = new Map();
  for await (const group of log.read({ from: 1 })) {
    for (const { position, timeUs, idempotencyKey: key } of group.commits)
      commits.set(position, { timeUs, key });
    for (const batch of group.batches) {
      let row = 0;
      batch.commitIndexes.forEach((index, i) => {
        for (; row < batch.commitEnds[i]!; row++) {
          const values = batch.batch.columns.map((column) => String(datumAt(column, row)));
          const isDelete = batch.ops?.[row] === OP_DELETE;
          const text = JSON.stringify([
            group.commits[index]!.position,
            batch.schemaVersion,
            isDelete,
            values,
          ]);
          rows.set(`${batch.topicId}@${offsetOf(batch, row)}`, text);
        }
      });
    }
  }
  return { commits, rows };
}

const names = (disk: SimulatedDisk): string[] => disk.files().filter((path) => /\/log\/\d{20}/.test(path));

/** By path. Each file's bytes are copied by the disk: they are asked for once, not for each part. */
type Bytes = ReadonlyMap<string, Buffer>;

function bytesOf(disk: SimulatedDisk): Bytes {
  return new Map(
    names(disk).map((path) => {
      const { buffer, byteOffset, length } = disk.contents(path);
      return [path, Buffer.from(buffer, byteOffset, length)];
    }),
  );
}

/** What the files consist of. */
async function partsOf(disk: SimulatedDisk, whole: Said): Promise<Part[]> {
  const parts: Part[] = [];
  const byPosition = new Map<number, string[]>();
  for (const [row, text] of whole.rows) {
    const [position] = JSON.parse(text) as [number];
    const known = byPosition.get(position);
    if (known === undefined) byPosition.set(position, [row]);
    else known.push(row);
  }
  for (const path of names(disk)) {
    const { form, firstPosition, generation } = parseSegmentName(path.slice(path.lastIndexOf("/") + 1))!;
    const file = await disk.open(path, "read");
    if (form === "frames") {
      const scanner = new Scanner(file, 0, await file.size(), true);
      for (let found = await scanner.next(); found.kind === "frame"; found = await scanner.next()) {
        const { at, header } = found;
        const positions = Array.from({ length: header.commitCount }, (_, i) => header.firstPosition + i);
        const rows = positions.flatMap((p) => byPosition.get(p) ?? []);
        parts.push({
          stretches: [{ path, at, end: at + header.frameBytes }],
          positions,
          rows,
          isFrame: true,
        });
      }
    } else {
      const segment = await openSealed(disk, path, firstPosition, generation);
      const size = await file.size();
      const { runs, commitPages, sparse } = segment.directory;
      // Directory and tail lie behind everything else.
      const pages = commitPages.map(({ page }) => page);
      if (sparse !== null) pages.push(sparse.ranges);
      const fixed = [{ path, at: Math.max(...pages.map((page) => page.at + page.bytes)), end: size }];
      for (const run of runs) {
        if (run.kept === 0) continue;
        const section = await readRun(file, segment, run);
        let chain: { path: string; at: number; end: number }[] = [];
        let rows: string[] = [];
        for (const { block, baseOffset, endOffset } of placedBlocks(run, section.blocks)) {
          const offsets = block.place?.offsets ?? null;
          for (const page of [block.boundaries, block.deletes, ...block.columns, block.opaque, offsets])
            if (page !== null) chain.push({ path, at: page.at, end: page.at + page.bytes });
          for (let offset = baseOffset; offset < endOffset; offset++) {
            const row = `${run.topicId}@${offset}`;
            if (whole.rows.has(row)) rows.push(row);
          }
          if (block.continues) continue;
          const own = { path, at: run.section.at, end: run.section.at + run.section.bytes };
          parts.push({ stretches: [...chain, own, ...fixed], positions: [], rows, isFrame: false });
          chain = [];
          rows = [];
        }
      }
      const positions = Array.from({ length: segment.directory.commitCount }, (_, i) => firstPosition + i);
      parts.push({ stretches: fixed, positions, rows: [], isFrame: false });
    }
    await file.close();
  }
  return parts;
}

/** Whether the part's bytes are there as they were: a frame's at any place, a block's in one file under any name. */
function isSound({ stretches, isFrame }: Part, before: Bytes, after: Bytes): boolean {
  for (const content of after.values()) {
    const isThere = stretches.every(({ path, at, end }) => {
      const bytes = before.get(path)!.subarray(at, end);
      if (bytes.equals(content.subarray(at, end))) return true;
      if (!isFrame) return false;
      for (let from = content.indexOf(bytes); from >= 0; from = content.indexOf(bytes, from + 1))
        if (from % 8 === 0) return true;
      return false;
    });
    if (isThere) return true;
  }
  return false;
}

interface Written {
  readonly disk: SimulatedDisk;
  readonly bytes: Bytes;
  readonly whole: Said;
  readonly parts: readonly Part[];
}

type Form = "frames" | "sealed" | "compacted";

/** Closed, with every kind of commit; of frames, or sealed but for the last segment, or with rows taken out of the sealed ones. */
async function write(seed: number, form: Form): Promise<Written> {
  const sealed = form !== "frames";
  const disk = new SimulatedDisk({ seed });
  const log = await openMixed(disk);
  for (let i = 0; i < 24; i++)
    await append(log, [{ topicId: 1 + (i % 2), id: i, note: "x".repeat(12_000) }], `first ${i}`);
  await fillMixed(log, new SeededRandom(seed), [], { commits: 300, largeRows: sealed ? 20_000 : 0 });
  if (sealed) {
    log.startSealing();
    await log.sealed();
  }
  if (form === "compacted") {
    const rule = { retainForUs: null, retainBytes: null, neededBy: [], tombstonesForUs: null };
    log.keep(() => ({
      horizon: log.durablePosition,
      isDropped: () => false,
      topics: new Map([
        [1, { ...rule, retainBytes: 500 }],
        [2, { ...rule, tombstonesForUs: 0 }],
        [3, { ...rule, tombstonesForUs: 0 }],
      ]),
    }));
    await log.compact();
    expect(log.stats().keeping.rows).toBeGreaterThan(100);
  }
  for (let i = 0; i < 8; i++) await append(log, [{ topicId: 2, id: i, note: `end ${i}` }]);
  const whole = await said(log);
  await log.close();
  const closed = disk.reboot("process");
  return { disk: closed, bytes: bytesOf(closed), whole, parts: await partsOf(closed, whole) };
}

async function reopened(disk: SimulatedDisk): Promise<Awaited<ReturnType<typeof openMixed>>> {
  const log = await openMixed(disk);
  widen(log);
  return log;
}

const repair = (disk: SimulatedDisk): Promise<RepairReport> =>
  repairLog({
    directory: "/data",
    disk,
    clock: new SimulatedClock(1_700_000_000_000_000),
    derived: ["checkpoint"],
  });

async function damage(disk: SimulatedDisk, random: SeededRandom): Promise<void> {
  const all = names(disk);
  const pick = (): string => all[random.below(all.length)]!;
  const path = pick();
  const size = disk.contents(path).length;
  const used = disk.contents(path).findLastIndex((byte) => byte !== 0) + 1;
  switch (random.below(6)) {
    case 0: {
      const at = random.below(used);
      disk.corrupt(path, at, (byte) => byte ^ (1 << random.below(8)));
      return;
    }
    case 1: {
      const from = random.below(used);
      for (let at = from; at < Math.min(used, from + 1 + random.below(3000)); at++)
        disk.corrupt(path, at, () => 0);
      return;
    }
    case 2: {
      const file = await disk.open(path, "write");
      await file.truncate(random.below(size));
      await file.close();
      return;
    }
    case 3: {
      // Two stretches of a file change places.
      const bytes = Math.min(8 * (1 + random.below(400)), used >> 1);
      const [a, b] = [0, 1].map(
        (half) => half * (used >> 1) + random.below(Math.max(1, (used >> 1) - bytes)),
      ) as [number, number];
      const content = disk.contents(path).slice();
      for (let i = 0; i < bytes; i++) {
        disk.corrupt(path, a + i, () => content[b + i]!);
        disk.corrupt(path, b + i, () => content[a + i]!);
      }
      return;
    }
    case 4:
      await disk.unlink(path);
      return;
    default: {
      const other = pick();
      if (other === path) return;
      await disk.rename(path, `${path}.swap`);
      await disk.rename(other, path);
      await disk.rename(`${path}.swap`, other);
    }
  }
}

/** Repairs, and compares with what is sound. False: nothing was to be repaired. */
async function repairAndCompare(
  { bytes: before, whole, parts }: Written,
  disk: SimulatedDisk,
): Promise<boolean> {
  const { damages } = await checkLog("/data", disk);
  if (damages.length === 0) {
    await expect(repair(disk)).rejects.toMatchObject({ code: "invalid_request" });
    return false;
  }
  const damaged = bytesOf(disk);
  const sound = parts.filter((part) => isSound(part, before, damaged));
  const report = await repair(disk);
  // Nothing was written over: every file is where it was, or aside.
  for (const [path, bytes] of damaged) {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const now = report.moved.includes(name) ? `/data/${report.aside}/${name}` : path;
    expect(Buffer.compare(disk.contents(now), bytes), now).toBe(0);
  }
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  await expect(repair(disk)).rejects.toMatchObject({ code: "invalid_request" });

  const log = await reopened(disk);
  const left = await said(log);
  const rows = new Set(sound.flatMap((part) => part.rows));
  expect([...left.rows.keys()].sort()).toEqual([...rows].sort());
  expect([...left.rows].filter(([row, text]) => whole.rows.get(row) !== text)).toEqual([]);
  const positions = new Set(sound.flatMap((part) => part.positions));
  expect(log.lastPosition).toBe(report.lastPosition);
  expect([...left.commits.keys()]).toEqual(Array.from({ length: log.lastPosition }, (_, i) => i + 1));
  for (const position of positions) expect(position).toBeLessThanOrEqual(log.lastPosition);
  for (const position of left.commits.keys()) {
    const isLost = report.positions.some(({ first, last }) => first <= position && position <= last);
    expect(isLost, `${position}`).toBe(!positions.has(position));
  }
  // What it says is lost, is; and of what was there, it says all that it can know of.
  const gone = new Set<string>();
  for (const { topicId, firstOffset, lastOffset } of report.rows)
    for (let offset = firstOffset; offset <= lastOffset; offset++) gone.add(`${topicId}@${offset}`);
  expect([...gone].filter((row) => left.rows.has(row))).toEqual([]);
  for (const row of whole.rows.keys()) {
    if (gone.has(row) || left.rows.has(row)) continue;
    const [topicId, offset] = row.split("@").map(Number) as [number, number];
    if (offset < log.topicEnd(topicId)) throw new Error(`${row} is lost, and nobody says so`);
  }
  // It goes on, is sealed, and still says the same.
  const end = log.topicEnd(1);
  await append(log, [{ topicId: 1, id: 1, note: "goes on" }]);
  for (let i = 0; i < 6; i++)
    await append(
      log,
      [{ topicId: 3, id: i, note: "x".repeat(20_000) }].map((r) => ({ ...r, topicId: 2 })),
    );
  log.startSealing();
  await log.sealed();
  expect(log.stats().sealing.failure).toBeNull();
  const later = await said(log);
  expect(later.rows.has(`1@${end}`)).toBe(true);
  expect([...left.rows].filter(([row, text]) => later.rows.get(row) !== text)).toEqual([]);
  await log.close();
  expect((await checkLog("/data", disk)).damages).toEqual([]);
  return true;
}

describe.each([
  ["of frames", "frames"],
  ["of sealed segments", "sealed"],
  ["of sealed segments that rows were taken out of", "compacted"],
] as const)("a log %s", (_, form) => {
  let written: Written;
  beforeAll(async () => {
    written = await write(3, form);
    expect(names(written.disk).length).toBeGreaterThan(3);
  });

  const seeds = { frames: 16, sealed: 8, compacted: 5 }[form];
  for (let from = 1; from <= 3 * seeds; from += seeds) {
    test(`damaged at random: ${from} … ${from + seeds - 1}`, async () => {
      let repaired = 0;
      for (let seed = from; seed < from + seeds; seed++) {
        const random = new SeededRandom(seed * 77);
        const disk = written.disk.clone();
        try {
          for (let n = 1 + random.below(3); n > 0; n--) await damage(disk, random);
          if (await repairAndCompare(written, disk)) repaired++;
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        }
      }
      expect(repaired).toBeGreaterThan(seeds / 4);
    });
  }
});

test("a sealed segment and one of frames under each other's names cost nothing", async () => {
  const written = await write(4, "sealed");
  const disk = written.disk.clone();
  const [sealed, frames] = [names(disk)[1]!, names(disk).at(-1)!];
  expect([sealed.endsWith(".sealed"), frames.endsWith(".log")]).toEqual([true, true]);
  await disk.rename(sealed, `${sealed}.swap`);
  await disk.rename(frames, sealed);
  await disk.rename(`${sealed}.swap`, frames);
  expect(await repairAndCompare(written, disk)).toBe(true);
});

test("a crash at the n-th change of the disk: no log is taken for whole, and the next repair ends it", async () => {
  const random = new SeededRandom(5);
  const written = await write(4, "sealed");
  const damaged = written.disk.clone();
  for (let n = 0; n < 3; n++) await damage(damaged, random);
  const [first] = names(damaged);
  damaged.corrupt(first!, 40, (byte) => byte ^ 1);
  // The damage is old: a power cut does not take it back.
  await damaged.syncDirectory("/data/log");
  for (const path of names(damaged)) {
    const file = await damaged.open(path, "write");
    await file.datasync();
    await file.close();
  }
  const whole = damaged.clone();
  const report = await repair(whole);
  const log = await reopened(whole);
  const expected = await said(log);
  await log.close();
  let crashes = 0;
  for (let crashAt = 1; ; crashAt++) {
    let disk = damaged.clone();
    disk.crashAfter(crashAt);
    try {
      await repair(disk);
    } catch (error) {
      if (!disk.crashed) throw error;
    }
    if (!disk.crashed) break;
    crashes++;
    disk = disk.reboot(crashAt % 2 === 0 ? "power cut" : "process");
    // Before, it is damaged; on the way, it is refused; afterwards, it is as repaired.
    const again = await repair(disk).catch((error: { code: string }) => error);
    if (!("code" in again)) expect({ ...again, aside: "" }).toEqual({ ...report, aside: "" });
    else expect(again.code).toBe("invalid_request");
    const opened = await reopened(disk);
    const left = await said(opened);
    expect(left.commits.size).toBe(expected.commits.size);
    expect(left.rows.size).toBe(expected.rows.size);
    await opened.close();
  }
  expect(crashes).toBeGreaterThan(30);
});

test("on the way no server opens the log", async () => {
  const written = await write(4, "frames");
  const disk = written.disk.clone();
  const [first] = names(disk);
  disk.corrupt(first!, 40, (byte) => byte ^ 1);
  const refusals = new Set<string>();
  for (let crashAt = 1; ; crashAt++) {
    let repairing = disk.clone();
    repairing.crashAfter(crashAt);
    await repair(repairing).catch(() => {});
    if (!repairing.crashed) break;
    repairing = repairing.reboot("process");
    const isDone = (await checkLog("/data", repairing.clone()).catch(() => null))?.damages.length === 0;
    const opened = await reopened(repairing).catch((error: { code: string; message: string }) => error);
    if ("code" in opened) {
      refusals.add(opened.message.replace(/segment .*/, ""));
      expect(isDone).toBe(false);
    } else {
      expect(isDone).toBe(true);
      await opened.close();
    }
  }
  expect([...refusals].sort()).toEqual(["a repair of the log has not ended", "the log is damaged in "]);
});

test("what has no log left, and what is a backup, is refused", async () => {
  const written = await write(4, "frames");
  const disk = written.disk.clone();
  for (const path of names(disk)) {
    const { length } = disk.contents(path);
    for (let at = 0; at < length; at += 8) disk.corrupt(path, at, () => 7);
  }
  const before = names(disk).map((path) => disk.contents(path).slice());
  // Nothing sound follows the damage: to the check it is a torn tail.
  await expect(repair(disk)).rejects.toMatchObject({
    code: expect.stringMatching(/log_damaged|invalid_request/) as string,
  });
  expect(names(disk).map((path) => disk.contents(path))).toEqual(before);
  const backup = written.disk.clone();
  await (await backup.open("/data/backup.json", "write")).close();
  await expect(repair(backup)).rejects.toMatchObject({
    code: "invalid_request",
    message: "/data is a backup",
  });
});

test("a full disk changes nothing, and leaves nothing behind", async () => {
  const written = await write(4, "sealed");
  const disk = written.disk.clone();
  disk.corrupt(names(disk).at(-1)!, 40, (byte) => byte ^ 1);
  const before = disk.files().filter((path) => !path.endsWith("lock.owner"));
  disk.fail({ operation: "write", path: /repairing/, code: "ENOSPC", times: Number.POSITIVE_INFINITY });
  await expect(repair(disk)).rejects.toMatchObject({ code: "disk_full" });
  expect(disk.files().filter((path) => !path.endsWith("lock.owner"))).toEqual(before);
});
