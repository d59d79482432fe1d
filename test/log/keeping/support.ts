/** Histories for what takes rows out of the log, and a plain list of their rows as the oracle. */
import { datumAt } from "../../../src/batch/column.ts";
import type { KeepingRules, TopicRule } from "../../../src/log/keeping/rules.ts";
import { type Log, OP_DELETE } from "../../../src/log/log.ts";
import type { LogOptions } from "../../../src/log/log-options.ts";
import { offsetOf } from "../../../src/log/offsets.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { type OpenedLog, openSmall, type Row, room, stage } from "../harness.ts";

/** Topic 1 is compacted, 2 a stream that is trimmed, 3 keeps everything. */
export const TABLE = 1;
export const STREAM = 2;
export const WHOLE = 3;

export interface KeptRow {
  readonly topicId: number;
  readonly offset: number;
  readonly position: number;
  readonly timeUs: number;
  readonly id: number;
  readonly note: string | null;
  readonly isDelete: boolean;
}

export interface KeptCommit {
  readonly position: number;
  readonly timeUs: number;
  readonly idempotencyKey: string | null;
  readonly requestDigest: string | null;
}

export const clock: SimulatedClock = new SimulatedClock(1_700_000_000_000_000);

/** Nothing is taken out by itself: tests say when. */
export function openKept(disk: SimulatedDisk, options: Partial<LogOptions> = {}): Promise<OpenedLog> {
  return openSmall(disk, { clock, keepEveryMs: 0, ...options });
}

export const KEEP_ALL: TopicRule = {
  retainForUs: null,
  retainBytes: null,
  neededBy: [],
  tombstonesForUs: null,
};

export function rules(
  topics: Record<number, Partial<TopicRule>>,
  horizon = Number.POSITIVE_INFINITY,
  dropped: readonly number[] = [],
): () => KeepingRules {
  const map = new Map(Object.entries(topics).map(([id, rule]) => [Number(id), { ...KEEP_ALL, ...rule }]));
  return () => ({ horizon, topics: map, isDropped: (topicId) => dropped.includes(topicId) });
}

/** Random commits over the three topics, with few keys, deletes, idempotency keys; time passes between them. */
export async function fill(log: Log, random: SeededRandom, commits: number): Promise<void> {
  let last: Promise<void> = Promise.resolve();
  for (let i = 0; i < commits; i++) {
    const rows: Row[] = [];
    for (const topicId of [TABLE, STREAM, WHOLE]) {
      for (let n = random.below(4); n > 0; n--) {
        const isDelete = topicId === TABLE && random.oneIn(6);
        const note = random.oneIn(8) ? null : `${i} ${"n".repeat(random.below(300))}`;
        rows.push({ topicId, id: random.below(40), note: isDelete ? null : note, isDelete });
      }
    }
    await room(log, 4000);
    clock.advance(1 + random.below(1_000_000));
    last = stage(log, rows, random.oneIn(3) ? `key ${log.lastPosition}` : null).durable;
    if (random.oneIn(5)) await last;
  }
  await last;
}

export async function sealAll(log: Log): Promise<void> {
  log.startSealing();
  await log.sealed();
}

export interface Contents {
  readonly commits: readonly KeptCommit[];
  readonly rows: readonly KeptRow[];
}

/** Everything that the log holds. */
export async function contents(log: Log): Promise<Contents> {
  const commits: KeptCommit[] = [];
  const rows: KeptRow[] = [];
  for await (const group of log.read({ from: 1 })) {
    commits.push(...group.commits.map((commit) => ({ ...commit })));
    for (const batch of group.batches) {
      let row = 0;
      batch.commitIndexes.forEach((index, i) => {
        const { position, timeUs } = group.commits[index]!;
        for (; row < batch.commitEnds[i]!; row++) {
          rows.push({
            topicId: batch.topicId,
            offset: offsetOf(batch, row),
            position,
            timeUs,
            id: datumAt(batch.batch.columns[0]!, row) as number,
            note: datumAt(batch.batch.columns[1]!, row) as string | null,
            isDelete: batch.ops?.[row] === OP_DELETE,
          });
        }
      });
      if (row !== batch.batch.length) throw new Error("a batch with rows of no commit");
    }
  }
  return { commits, rows: rows.sort((a, b) => a.topicId - b.topicId || a.offset - b.offset) };
}

/** The same through readTopic. */
export async function topicRows(
  log: Log,
  topicId: number,
  from: number,
): Promise<{ offset: number; id: number }[]> {
  const rows: { offset: number; id: number }[] = [];
  for await (const group of log.readTopic(topicId, from)) {
    for (const batch of group.batches) {
      for (let row = 0; row < batch.batch.length; row++) {
        const offset = offsetOf(batch, row);
        if (offset >= from) rows.push({ offset, id: datumAt(batch.batch.columns[0]!, row) as number });
      }
    }
  }
  return rows;
}

/** Position of the last commit in a sealed segment that follows no unsealed one. */
export function sealedTo(disk: SimulatedDisk, lastPosition: number): number {
  const frames = disk
    .files()
    .flatMap((path) => /log\/(\d{20})\.log$/.exec(path)?.[1] ?? [])
    .map(Number);
  return frames.length === 0 ? lastPosition : Math.min(...frames) - 1;
}

/** What compaction leaves of a table's rows, looked at up to a position, with deletes older than a time gone. */
export function compacted(rows: readonly KeptRow[], to: number, beforeUs: number): KeptRow[] {
  const last = new Map<number, number>();
  for (const { id, offset, position } of rows) if (position <= to) last.set(id, offset);
  return rows.filter(
    ({ id, offset, position, isDelete, timeUs }) =>
      position > to || (last.get(id) === offset && !(isDelete && timeUs < beforeUs)),
  );
}

/** A table's rows as a replay makes them. */
export function tableOf(rows: readonly KeptRow[]): Map<number, string | null> {
  const table = new Map<number, string | null>();
  for (const { id, note, isDelete } of rows) {
    if (isDelete) table.delete(id);
    else table.set(id, note);
  }
  return new Map([...table].sort(([a], [b]) => a - b));
}

export function of(rows: readonly KeptRow[], topicId: number): KeptRow[] {
  return rows.filter((row) => row.topicId === topicId);
}
