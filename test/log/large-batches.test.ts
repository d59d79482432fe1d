/**
 * Batches of 1,024 rows and more stand in a group as they came, between those of small appends: whatever is appended in which order and taken back, every reader
 * finds each commit's rows, from anywhere, also after a restart and in sealed segments.
 */
import { describe, expect, test } from "vitest";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { checkLog } from "../../src/log/check.ts";
import { type CommitDraft, type Group, OP_DELETE, type TopicRange } from "../../src/log/log.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import {
  commitsOf,
  describeRow,
  type OpenedLog,
  openSmall,
  type ReadCommit,
  type Row,
  readAll,
  room,
  schema,
} from "./harness.ts";

const LARGE = 512;
const KIB = 1024;

function batchOf(rows: readonly Row[]) {
  const builder = new BatchBuilder(schema);
  for (const { id, note, isDelete } of rows) {
    if (isDelete === true) builder.appendKeyOnly({ id }, [0]);
    else builder.appendRow({ id, note });
  }
  return builder.finish();
}

function opsOf(rows: readonly Row[]): Uint8Array | null {
  return rows.some((row) => row.isDelete) ? Uint8Array.from(rows, (row) => (row.isDelete ? 1 : 0)) : null;
}

function someRows(random: SeededRandom, topicId: number): Row[] {
  const length = random.oneIn(3) ? LARGE + random.below(400) : 1 + random.below(random.oneIn(2) ? 3 : 200);
  const deletes = random.oneIn(4);
  return Array.from({ length }, () => {
    const id = random.below(1000);
    if (deletes && random.oneIn(9)) return { topicId, id, note: null, isDelete: true };
    return { topicId, id, note: random.oneIn(7) ? null : "n".repeat(random.below(9)) };
  });
}

function put(draft: CommitDraft, rows: readonly Row[], asBatch: boolean): void {
  const { topicId } = rows[0]!;
  if (asBatch) draft.appendBatch(topicId, batchOf(rows), opsOf(rows));
  else
    for (const { id, note, isDelete } of rows) {
      if (isDelete === true) draft.appendRow(topicId, { id }, OP_DELETE);
      else draft.appendRow(topicId, { id, note });
    }
}

interface Appended {
  readonly commits: ReadCommit[];
  readonly ranges: Map<string, readonly TopicRange[]>;
  /** By topic, of each row. */
  readonly times: Map<number, number[]>;
}

async function fill(log: OpenedLog, clock: SimulatedClock, random: SeededRandom): Promise<Appended> {
  const appended: Appended = { commits: [], ranges: new Map(), times: new Map([1, 2].map((id) => [id, []])) };
  const waiting: Promise<void>[] = [];
  for (let i = 0; i < 60; i++) {
    await room(log, 40 * KIB);
    const key = random.oneIn(3) ? `key ${i}` : null;
    const draft = log.begin({ idempotencyKey: key });
    const parts = Array.from({ length: random.oneIn(3) ? 2 + random.below(2) : 1 }, () =>
      someRows(random, random.oneIn(3) ? 2 : 1),
    );
    for (const rows of parts) put(draft, rows, rows.length >= LARGE || random.oneIn(2));
    if (random.oneIn(6)) {
      draft.rollback();
      continue;
    }
    const rows = [1, 2].flatMap((topicId) => {
      const own = parts.flat().filter((row) => row.topicId === topicId);
      const end = log.topicEnd(topicId);
      return own.map((row, n) => describeRow(row, end + n));
    });
    const { position, ranges, timeUs, durable } = draft.commit();
    appended.commits.push({ position, key, rows });
    if (key !== null) appended.ranges.set(key, ranges);
    for (const { topicId, firstOffset, lastOffset } of ranges)
      for (let n = firstOffset; n <= lastOffset; n++) appended.times.get(topicId)!.push(timeUs);
    waiting.push(durable);
    if (random.oneIn(5)) await durable;
    if (random.oneIn(2)) clock.advance(1 + random.below(1000));
  }
  await Promise.all(waiting);
  return appended;
}

async function rowsFrom(log: OpenedLog, topicId: number, offset: number): Promise<string[]> {
  const rows: string[] = [];
  for await (const group of log.readTopic(topicId, offset)) {
    expect(group.batches.every((batch) => batch.topicId === topicId)).toBe(true);
    for (const commit of commitsOf(group)) rows.push(...commit.rows);
  }
  return rows.filter((row) => Number(/@(\d+)/.exec(row)![1]) >= offset);
}

async function check(log: OpenedLog, { commits, ranges, times }: Appended, seed: number): Promise<void> {
  expect(await readAll(log)).toEqual(commits);
  const random = new SeededRandom(seed);
  const rows = commits.flatMap((commit) => commit.rows);
  for (const topicId of [1, 2]) {
    const own = rows.filter((row) => row.startsWith(`${topicId}@`));
    for (let n = 0; n < 6; n++) {
      const offset = random.below(own.length);
      expect(await rowsFrom(log, topicId, offset)).toEqual(own.slice(offset));
      const timeUs = times.get(topicId)![offset]!;
      for (const at of [timeUs, timeUs + 1]) {
        const first = times.get(topicId)!.findIndex((t) => t >= at);
        expect(await log.offsetAt(topicId, at)).toBe(first < 0 ? own.length : first);
      }
    }
  }
  for (const [key, expected] of ranges) {
    const known = log.knownCommit(key)!.ranges;
    expect([...known].sort((a, b) => a.topicId - b.topicId)).toEqual(
      [...expected].sort((a, b) => a.topicId - b.topicId),
    );
  }
}

function open(disk: SimulatedDisk, clock: SimulatedClock): Promise<OpenedLog> {
  return openSmall(disk, {
    clock,
    segmentBytes: 64 * KIB,
    groupBytesMax: 96 * KIB,
    aheadBytesMax: 512 * KIB,
  });
}

describe("large batches and small appends, in any order", () => {
  for (let seed = 1; seed <= 12; seed++) {
    test(`seed ${seed}`, async () => {
      const disk = new SimulatedDisk({ seed });
      const clock = new SimulatedClock();
      let log = await open(disk, clock);
      const groups: Group[] = [];
      log.onSealed((group) => groups.push(group));
      const appended = await fill(log, clock, new SeededRandom(seed));
      expect(groups.some(({ batches }) => batches.filter((b) => b.topicId === 1).length > 1)).toBe(true);
      expect(groups.flatMap(commitsOf)).toEqual(appended.commits);
      await check(log, appended, seed);
      await log.close();
      expect((await checkLog("/data", disk)).damages).toEqual([]);
      log = await open(disk, clock);
      await check(log, appended, seed + 1);
      log.startSealing();
      await log.sealed();
      expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
      expect(log.stats().sealing.segments).toBeGreaterThan(0);
      await check(log, appended, seed + 2);
      await log.close();
    });
  }
});

test("a large batch is not copied, whatever comes before and behind it in its group", async () => {
  const log = await openSmall(new SimulatedDisk(), { groupBytesMax: 256 * KIB, aheadBytesMax: 512 * KIB });
  const sealed: Group[] = [];
  log.onSealed((group) => sealed.push(group));
  await room(log, 200 * KIB);
  const large = (from: number) =>
    Array.from({ length: LARGE }, (_, i) => ({ topicId: 1, id: from + i, note: "x" }));
  const batches = [batchOf(large(0)), batchOf(large(LARGE))];
  const small = [{ topicId: 1, id: -1, note: "y" }];
  for (const rows of [small, batches[0]!, batches[1]!, small]) {
    const draft = log.begin();
    if (Array.isArray(rows)) put(draft, rows, false);
    else draft.appendBatch(1, rows);
    draft.commit();
  }
  log.seal();
  expect(sealed[0]!.batches.map(({ baseOffset, batch }) => [baseOffset, batch.length])).toEqual([
    [0, 1],
    [1, LARGE],
    [LARGE + 1, LARGE],
    [2 * LARGE + 1, 1],
  ]);
  for (const [i, { columns }] of batches.entries())
    expect(sealed[0]!.batches[i + 1]!.batch.columns).toBe(columns);
  await log.close();
});
