/** Every changed bit is found and named, nothing damaged is ever served, and a torn tail is told from damage. */
import { beforeAll, describe, expect, test } from "vitest";
import { checkLog } from "../../src/log/check.ts";
import { FRAME_ALIGNMENT, HEADER_BYTES, readHeader } from "../../src/log/frame.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { damagesOnPurpose } from "../support/left-behind.ts";
import { append, openSmall, type ReadCommit, readAll } from "./harness.ts";

interface FrameOnDisk {
  readonly path: string;
  readonly segment: string;
  readonly at: number;
  readonly end: number;
  readonly firstPosition: number;
  readonly commits: number;
}

/** All frames, found by the format document's rules alone. */
function framesOn(disk: SimulatedDisk): FrameOnDisk[] {
  const frames: FrameOnDisk[] = [];
  for (const path of disk.files().filter((name) => name.endsWith(".log"))) {
    const bytes = disk.contents(path);
    for (let at = 0; at + HEADER_BYTES <= bytes.length; ) {
      const header = readHeader(bytes, at);
      if (header === null) break;
      const end = at + header.frameBytes;
      frames.push({
        path,
        segment: path.slice(path.lastIndexOf("/") + 1),
        at,
        end,
        firstPosition: header.firstPosition,
        commits: header.commitCount,
      });
      at = end;
    }
  }
  return frames;
}

async function write(close: boolean): Promise<{ disk: SimulatedDisk; commits: ReadCommit[] }> {
  const disk = new SimulatedDisk();
  const log = await openSmall(disk);
  for (let id = 0; id < 40; id++) {
    const rows = Array.from({ length: 1 + (id % 3) }, (_, k) => ({
      topicId: id === 0 || id === 39 ? 3 : 1 + (k % 2),
      id,
      note: "é".repeat((id % 5) * 900),
    }));
    await append(log, rows, id % 4 === 0 ? `key ${id}` : null);
  }
  const commits = await readAll(log);
  if (close) await log.close();
  return { disk: disk.reboot("process"), commits };
}

let closed: { disk: SimulatedDisk; commits: ReadCommit[] };
let frames: FrameOnDisk[];
beforeAll(async () => {
  closed = await write(true);
  frames = framesOn(closed.disk);
  expect(new Set(frames.map((frame) => frame.segment)).size).toBe(5);
  expect(frames.at(-1)!.commits).toBe(0);
});

const copyOf = (disk: SimulatedDisk): SimulatedDisk => disk.clone();

describe("one flipped bit", () => {
  test("anywhere in a closed log is damage, named with its frame; check says which commits", async () => {
    const random = new SeededRandom(11);
    for (let round = 0; round < 200; round++) {
      const frame = frames[random.below(frames.length - 1)]!;
      // Headers are small: aim at them often enough.
      const length = random.oneIn(3) ? HEADER_BYTES : frame.end - frame.at;
      const at = frame.at + random.below(length);
      const disk = copyOf(closed.disk);
      disk.corrupt(frame.path, at, (byte) => byte ^ (1 << random.below(8)));
      await expect(openSmall(copyOf(disk)), `byte ${at} of ${frame.segment}`).rejects.toMatchObject({
        code: "log_damaged",
        message: `the log is damaged in segment ${frame.segment} at byte ${frame.at}`,
      });
      const report = await checkLog("/data", disk);
      expect(report.tornTail).toBeNull();
      expect(report.damages).toMatchObject([
        {
          segment: frame.segment,
          byteOffset: frame.at,
          firstPosition: frame.firstPosition,
          lastPosition: frame.firstPosition + frame.commits - 1,
        },
      ]);
      // To the next frame, or in the last of a segment to the last byte that is not zero.
      const end = frame.at + report.damages[0]!.bytes;
      expect(end).toBeGreaterThan(
        frames.some((next) => next.path === frame.path && next.at === frame.end) ? frame.end - 1 : at - 8,
      );
      expect(end).toBeLessThanOrEqual(frame.end);
      expect(report.frames).toBe(frames.length - 1);
      const lost = closed.commits.find((commit) => commit.position === frame.firstPosition)!;
      for (const { topicId, firstOffset, lastOffset } of report.damages[0]!.topics) {
        for (let offset = firstOffset; offset <= lastOffset; offset++) {
          expect(lost.rows.some((row) => row.startsWith(`${topicId}@${offset} `))).toBe(true);
        }
      }
    }
  });

  test("in the zeros behind a segment's frames is damage where a segment follows, a torn tail in the last", async () => {
    for (const [i, frame] of frames.entries()) {
      const isEnd = frames[i + 1]?.segment !== frame.segment;
      if (!isEnd) continue;
      const disk = copyOf(closed.disk);
      const size = disk.contents(frame.path).length;
      expect(size).toBeGreaterThan(frame.end + 8);
      disk.corrupt(frame.path, frame.end + 5, () => 1);
      const report = await checkLog("/data", copyOf(disk));
      if (i < frames.length - 1) {
        expect(report.damages).toMatchObject([
          { segment: frame.segment, byteOffset: frame.end, bytes: 6, firstPosition: null },
        ]);
        await expect(openSmall(disk)).rejects.toMatchObject({ code: "log_damaged" });
      } else {
        expect(report.damages).toEqual([]);
        expect(report.tornTail).toEqual({ segment: frame.segment, byteOffset: frame.end, bytes: 6 });
        const log = await openSmall(disk);
        expect(log.report.tornTail).toEqual(report.tornTail);
        expect(await readAll(log)).toEqual(closed.commits);
        await log.close();
      }
    }
  });

  test("in the closing mark costs nothing and is reported", async () => {
    const mark = frames.at(-1)!;
    for (let at = mark.at; at < mark.end; at++) {
      const disk = copyOf(closed.disk);
      disk.corrupt(mark.path, at, (byte) => byte ^ 4);
      const log = await openSmall(disk);
      expect(log.report.closedCleanly).toBe(false);
      expect(log.report.tornTail?.byteOffset).toBe(mark.at);
      expect(await readAll(log)).toEqual(closed.commits);
      await log.close();
    }
  });

  test("in a closing mark with commits behind it is damage that costs no commit", async () => {
    const mark = frames.at(-1)!;
    let disk = copyOf(closed.disk);
    const log = await openSmall(disk);
    await append(log, [{ topicId: 1, id: 1, note: "later" }]);
    disk = disk.reboot("process");
    disk.corrupt(mark.path, mark.at + 20, (byte) => byte ^ 4);
    await expect(openSmall(copyOf(disk))).rejects.toMatchObject({ code: "log_damaged" });
    const report = await checkLog("/data", disk);
    expect(report.damages).toMatchObject([
      { byteOffset: mark.at, bytes: 64, firstPosition: null, lastPosition: null, topics: [] },
    ]);
  });

  test("in a log that was not closed: in the last frame it is a torn tail, before it damage", async () => {
    const open = await write(false);
    const all = framesOn(open.disk);
    const last = all.at(-1)!;
    const disk = copyOf(open.disk);
    disk.corrupt(last.path, last.end - 9, (byte) => byte ^ 1);
    const log = await openSmall(disk);
    expect(log.report).toMatchObject({
      closedCleanly: false,
      tornTail: { segment: last.segment, byteOffset: last.at },
    });
    expect(await readAll(log)).toEqual(open.commits.slice(0, -1));
    // What was cut off is gone for good: the log goes on in its place.
    await append(log, [{ topicId: 1, id: 7, note: null }]);
    await log.close();
    const again = await openSmall(disk);
    expect(again.report).toMatchObject({ tornTail: null, closedCleanly: true, lastPosition: 40 });
    await again.close();

    const before = all.at(-2)!;
    const damaged = copyOf(open.disk);
    damaged.corrupt(before.path, before.end - 9, (byte) => byte ^ 1);
    await expect(openSmall(damaged)).rejects.toMatchObject({ code: "log_damaged" });
  });

  test("while the log is open is never served", async () => {
    const disk = copyOf(closed.disk);
    const log = await openSmall(disk);
    const frame = frames[25]!;
    disk.corrupt(frame.path, frame.at + HEADER_BYTES + 3, (byte) => byte ^ 128);
    const read: number[] = [];
    const reading = (async () => {
      for await (const group of log.read({ from: 1 })) read.push(group.lastPosition);
    })();
    await expect(reading).rejects.toMatchObject({
      code: "log_damaged",
      message: `the log is damaged in segment ${frame.segment} at byte ${frame.at}`,
    });
    expect(read).toEqual(Array.from({ length: frame.firstPosition - 1 }, (_, i) => i + 1));
    await log.close();
  });
});

describe("larger damage", () => {
  test("two places, one of them over the border of two segments, are told apart", async () => {
    const disk = copyOf(closed.disk);
    const border = frames.findIndex((frame, i) => i > 0 && frames[i - 1]!.segment !== frame.segment);
    const [a, b, c] = [frames[3]!, frames[border - 1]!, frames[border]!];
    for (const frame of [a, b, c]) {
      for (let at = frame.at; at < frame.at + FRAME_ALIGNMENT * 3; at++)
        disk.corrupt(frame.path, at, () => 0xff);
    }
    const report = await checkLog("/data", disk);
    expect(
      report.damages.map(({ segment, byteOffset, firstPosition, lastPosition }) => ({
        segment,
        byteOffset,
        firstPosition,
        lastPosition,
      })),
    ).toEqual(
      [a, b, c].map((frame) => ({
        segment: frame.segment,
        byteOffset: frame.at,
        firstPosition: frame.firstPosition,
        lastPosition: frame.firstPosition + frame.commits - 1,
      })),
    );
  });

  test("a zeroed frame in the middle, a missing segment, a foreign one", async () => {
    const frame = frames[5]!;
    const zeroed = copyOf(closed.disk);
    for (let at = frame.at; at < frame.end; at++) zeroed.corrupt(frame.path, at, () => 0);
    await expect(openSmall(copyOf(zeroed))).rejects.toMatchObject({ code: "log_damaged" });
    expect((await checkLog("/data", zeroed)).damages).toMatchObject([
      { byteOffset: frame.at, reason: "zeros where a frame should be" },
    ]);

    const segments = [...new Set(frames.map(({ path }) => path))];
    damagesOnPurpose();
    const missing = copyOf(closed.disk);
    await missing.unlink(segments[1]!);
    await expect(openSmall(copyOf(missing))).rejects.toMatchObject({ code: "log_damaged" });
    const inIt = frames.filter(({ path }) => path === segments[1]);
    expect((await checkLog("/data", missing)).damages).toMatchObject([
      { firstPosition: inIt[0]!.firstPosition, lastPosition: inIt.at(-1)!.firstPosition },
    ]);

    const { openLog } = await import("../../src/log/open-log.ts");
    expect(openLog).toBeTypeOf("function");
    const other = new SimulatedDisk();
    const log = await openSmall(other, { random: new SeededRandom(99) });
    for (let id = 0; id < 3; id++) await append(log, [{ topicId: 1, id, note: null }]);
    await log.close();
    const foreign = copyOf(closed.disk);
    const [from] = framesOn(other);
    const bytes = other.contents(from!.path);
    const target = frames[0]!;
    for (let at = 0; at < from!.end; at++) foreign.corrupt(target.path, target.at + at, () => bytes[at]!);
    await expect(openSmall(foreign)).rejects.toMatchObject({ code: "log_damaged" });
  });

  test("a header of a newer format is refused by name", async () => {
    const disk = copyOf(closed.disk);
    const { crc32c } = await import("../../src/base/crc32c.ts");
    const frame = frames[0]!;
    const header = disk.contents(frame.path).slice(0, HEADER_BYTES);
    header[4] = 3;
    new DataView(header.buffer).setUint32(56, crc32c(header, 0, 56), true);
    for (let at = 0; at < HEADER_BYTES; at++) disk.corrupt(frame.path, at, () => header[at]!);
    await expect(openSmall(disk)).rejects.toMatchObject({ code: "format_unsupported" });
  });

  test("a text that looks like a later frame does not turn a torn tail into damage", async () => {
    // The best forgery without the log's id: a sound header with a far position.
    const disk = new SimulatedDisk();
    let log = await openSmall(disk);
    await append(log, [{ topicId: 1, id: 1, note: "x" }]);
    const other = new SimulatedDisk();
    const source = await openSmall(other, { random: new SeededRandom(5) });
    for (let id = 0; id < 5; id++) await append(source, [{ topicId: 1, id, note: null }]);
    const forged = framesOn(other).at(-1)!;
    const bytes = other.contents(forged.path).slice(forged.at, forged.end);
    const after = disk.reboot("process");
    const [only] = framesOn(after);
    bytes.forEach((byte, i) => {
      after.corrupt(only!.path, only!.end + 24 + i, () => byte);
    });
    after.corrupt(only!.path, only!.end, () => 1);
    log = await openSmall(after);
    expect(log.report.tornTail).not.toBeNull();
    expect(await readAll(log)).toHaveLength(1);
    await log.close();
  });
});

test("a sound log passes the check, which refuses to run beside an open log", async () => {
  const disk = copyOf(closed.disk);
  const report = await checkLog("/data", disk);
  expect(report).toMatchObject({
    segments: 5,
    frames: frames.length,
    commits: 40,
    lastPosition: 40,
    damages: [],
    tornTail: null,
  });
  expect(report.bytes).toBe(frames.reduce((sum, frame) => sum + frame.end - frame.at, 0));
  const log = await openSmall(disk);
  await expect(checkLog("/data", disk)).rejects.toMatchObject({ code: "directory_locked" });
  await log.close();
});
