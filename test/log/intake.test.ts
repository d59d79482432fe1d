/**
 * A log that follows another, on a disk that crashes at every change: nothing that was said to be durable is lost, nothing comes twice or in part, and it goes on after what
 * it has until it has all.
 */
import { beforeAll, describe, expect, it } from "vitest";
import { writeFully } from "../../src/base/disk.ts";
import { checkLog } from "../../src/log/check.ts";
import { HEADER_BYTES, readHeader } from "../../src/log/frame.ts";
import type { LogIntake, StoredPiece } from "../../src/log/log.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import {
  append,
  type OpenedLog,
  openSmall,
  type ReadCommit,
  readAll,
  room,
  stage,
  TOPICS,
} from "./harness.ts";

async function write(log: OpenedLog, random: SeededRandom, commits: number): Promise<void> {
  for (let i = 0; i < commits; i++) {
    const rows = Array.from({ length: 1 + random.below(3) }, (_, k) => ({
      topicId: TOPICS[random.below(TOPICS.length)]!,
      id: k,
      note: "x".repeat(random.below(random.oneIn(5) ? 20_000 : 900)),
      isDelete: random.oneIn(6),
    }));
    await room(log, 100 + rows.reduce((sum, { note }) => sum + note.length, 0));
    const { durable } = stage(log, rows, random.oneIn(4) ? `key ${log.lastPosition}` : null);
    if (random.oneIn(2)) await durable;
  }
  await append(log, []);
}

/** What a leader hands on: some segments sealed, some as frames, and what the same segments had been before they were sealed. */
let early: StoredPiece[];
let late: StoredPiece[];
let leader: OpenedLog;
let expected: ReadCommit[];
const files = new Map<string, Uint8Array>();

async function piecesOf(log: OpenedLog, from: number): Promise<StoredPiece[]> {
  const pieces: StoredPiece[] = [];
  const stored = log.stored(from);
  for (let piece = await stored.next(); piece !== null; piece = await stored.next()) pieces.push(piece);
  await stored.close();
  return pieces;
}

beforeAll(async () => {
  leader = await openSmall(new SimulatedDisk());
  const random = new SeededRandom(11);
  await write(leader, random, 60);
  early = await piecesOf(leader, 1);
  await write(leader, random, 60);
  leader.startSealing();
  await leader.sealed();
  await write(leader, random, 8);
  late = await piecesOf(leader, 1);
  for (const piece of late) {
    if (piece.kind !== "sealed") continue;
    const { name, bytes } = piece.file;
    const whole = new Uint8Array(bytes);
    let at = 0;
    for await (const part of leader.readFile(name, 0, bytes)) {
      whole.set(part, at);
      at += part.length;
    }
    files.set(name, whole);
  }
  expected = await readAll(leader);
});

/** Where two lists of commits differ first; null: nowhere. */
function difference(a: readonly ReadCommit[], b: readonly ReadCommit[]): string | null {
  for (let i = 0; i < Math.max(a.length, b.length); i++) {
    const [one, other] = [JSON.stringify(a[i]), JSON.stringify(b[i])];
    if (one !== other) return `commit ${i}: ${one?.slice(0, 80)} and ${other?.slice(0, 80)}`;
  }
  return null;
}

const following = (disk: SimulatedDisk): Promise<OpenedLog> =>
  openSmall(disk, { following: { logId: () => Promise.resolve(leader.logId) } });

/** Takes over what it lacks; `told` hears what has become durable. */
async function take(
  log: OpenedLog,
  disk: SimulatedDisk,
  pieces: readonly StoredPiece[],
  told: (position: number) => void,
): Promise<void> {
  const intake = log.intake as LogIntake;
  const off = log.onDurable(told);
  const writing: Promise<void>[] = [];
  try {
    for (const piece of pieces) {
      if (piece.last <= intake.end.position) continue;
      if (piece.kind === "sealed") {
        const file = await disk.open(intake.incomingPath, "write");
        try {
          await file.truncate(0);
          await writeFully(file, files.get(piece.file.name)!, 0);
          await file.datasync();
        } finally {
          await file.close();
        }
        await intake.adopt(piece.file.name);
        continue;
      }
      for (let at = 0; at < piece.bytes.length; ) {
        const { frameBytes, firstPosition, commitCount } = readHeader(piece.bytes, at)!;
        const bytes = piece.bytes.slice(at, at + frameBytes);
        at += frameBytes;
        if (commitCount === 0 || firstPosition <= intake.end.position) continue;
        writing.push((await intake.frame(piece.segment, bytes)).durable);
      }
    }
  } finally {
    await Promise.allSettled(writing);
    off();
  }
}

describe.each(["process", "power cut"] as const)("after a crash (%s) at every change", (after) => {
  it("it has what was durable, and goes on", async () => {
    let lives = 0;
    for (let crashAt = 0; ; crashAt++) {
      let disk = new SimulatedDisk({ seed: crashAt });
      disk.crashAfter(crashAt);
      let durable = 0;
      const told = (position: number): void => {
        durable = Math.max(durable, position);
      };
      let crashed = false;
      try {
        const log = await following(disk);
        // Frames first; then segments, of which there are frames in part.
        const first = early.slice(0, 1 + (crashAt % early.length));
        await take(log, disk, first, told);
        await take(log, disk, late, told);
        await log.close();
      } catch {
        crashed = true;
      }
      crashed ||= disk.crashed;
      disk = disk.reboot(after);
      const log = await following(disk);
      const has = await readAll(log);
      expect(has.length, `crash at ${crashAt}`).toBeGreaterThanOrEqual(durable);
      expect(difference(has, expected.slice(0, has.length)), `crash at ${crashAt}`).toBeNull();
      await take(log, disk, late, told);
      expect(difference(await readAll(log), expected), `crash at ${crashAt}`).toBeNull();
      for (const { key, position } of expected)
        if (key !== null) expect(log.knownCommit(key)?.position).toBe(position);
      await log.close();
      expect((await checkLog("/data", disk)).damages).toEqual([]);
      lives++;
      if (!crashed) break;
    }
    expect(lives).toBeGreaterThan(60);
  });
});

describe("a log that follows", () => {
  it("takes nothing that does not follow, or is not as it was written", async () => {
    const disk = new SimulatedDisk();
    const log = await following(disk);
    const intake = log.intake as LogIntake;
    const frames = early.find((piece) => piece.kind === "frames") as StoredPiece & { kind: "frames" };
    const { frameBytes } = readHeader(frames.bytes, 0)!;
    const first = frames.bytes.slice(0, frameBytes);
    const second = frames.bytes.slice(
      frameBytes,
      frameBytes + readHeader(frames.bytes, frameBytes)!.frameBytes,
    );
    const random = new SeededRandom(3);
    for (let n = 0; n < 200; n++) {
      const spoilt = first.slice();
      // The eight bytes of the checksums themselves, and what is reserved, too.
      const at = n < HEADER_BYTES ? n : random.below(spoilt.length);
      spoilt[at]! ^= 1 << random.below(8);
      await expect(intake.frame(frames.segment, spoilt)).rejects.toMatchObject({ code: "log_damaged" });
    }
    await expect(intake.frame(frames.segment, second)).rejects.toMatchObject({ code: "log_damaged" });
    await expect(intake.frame(frames.segment, first.slice(0, 40))).rejects.toMatchObject({
      code: "log_damaged",
    });
    expect(log.lastPosition).toBe(0);
    await (await intake.frame(frames.segment, first)).durable;
    await expect(intake.frame(frames.segment, first)).rejects.toMatchObject({ code: "log_damaged" });
    await (await intake.frame(frames.segment, second)).durable;
    const has = await readAll(log);
    expect(difference(has, expected.slice(0, has.length))).toBeNull();
    await log.close();
  });

  it("takes no sealed segment that is spoilt, or does not follow", async () => {
    const disk = new SimulatedDisk();
    const log = await following(disk);
    const intake = log.intake as LogIntake;
    const [one, two] = [...files] as [[string, Uint8Array], [string, Uint8Array]];
    const put = async (bytes: Uint8Array): Promise<void> => {
      const file = await disk.open(intake.incomingPath, "write");
      await file.truncate(0);
      await writeFully(file, bytes, 0);
      await file.datasync();
      await file.close();
    };
    const random = new SeededRandom(5);
    for (let n = 0; n < 40; n++) {
      const spoilt = one[1].slice();
      spoilt[random.below(spoilt.length)]! ^= 1 << random.below(8);
      await put(spoilt);
      const taken = await intake.adopt(one[0]).catch((error: { code: string }) => error.code);
      // Some bytes of a file mean nothing: padding between what is aligned.
      expect(["log_damaged", "format_unsupported", undefined]).toContain(taken);
      if (taken === undefined) break;
    }
    if (log.lastPosition === 0) {
      await put(two[1]);
      await expect(intake.adopt(two[0])).rejects.toMatchObject({ code: "log_damaged" });
      await put(one[1]);
      await intake.adopt(one[0]);
    }
    await put(two[1]);
    await intake.adopt(two[0]);
    const has = await readAll(log);
    expect(difference(has, expected.slice(0, has.length))).toBeNull();
    await log.close();
  });

  it("goes on by itself when the disk has room again", async () => {
    const disk = new SimulatedDisk({ capacityBytes: 150_000 });
    const log = await following(disk);
    await expect(take(log, disk, early, () => {})).rejects.toMatchObject({ code: "disk_full" });
    disk.capacityBytes = Number.POSITIVE_INFINITY;
    await take(log, disk, early, () => {});
    await take(log, disk, late, () => {});
    expect(difference(await readAll(log), expected)).toBeNull();
    await log.close();
  });

  it("is led, once it is told to, after what it has", async () => {
    const disk = new SimulatedDisk();
    let log = await following(disk);
    await take(log, disk, late, () => {});
    await log.lead();
    const { position } = await append(log, [{ topicId: 1, id: 1, note: "mine" }]);
    expect(position).toBe(expected.length + 1);
    // No segment has commits of two leaders.
    expect(log.files().files.at(-1)?.name).toBe(`${String(position).padStart(20, "0")}.log`);
    await log.close();
    log = await openSmall(disk);
    expect((await readAll(log)).length).toBe(expected.length + 1);
    await log.close();
  });
});
