/** Logs with everything a sealed segment must keep, and a reading of them that does not care how commits were grouped. */
import type { Disk } from "../../../src/base/disk.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { type Schema, schemaOf } from "../../../src/batch/schema.ts";
import { int8, text } from "../../../src/batch/types.ts";
import { type Group, type Log, OP_DELETE, type ReadOptions } from "../../../src/log/log.ts";
import type { LogOptions } from "../../../src/log/log-options.ts";
import { offsetOf } from "../../../src/log/offsets.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { everyType } from "../../batch/fixtures.ts";
import { type OpenedLog, openSmall, room, schema } from "../harness.ts";

export const WIDE = 7;
export const CATALOG = 0;
/** 1, 2 and 3 are the small topics of the harness. */
export const ALL_TOPICS = [CATALOG, 1, 2, 3, WIDE];

const catalogSchema: Schema = schemaOf([{ name: "definition", type: text, nullable: false }]);
const widened: Schema = schemaOf([...schema.fields, { name: "extra", type: int8, nullable: true }]);

export async function openMixed(disk: Disk, options: Partial<LogOptions> = {}): Promise<OpenedLog> {
  const log = await openSmall(disk, options);
  log.registerTopic({ topicId: CATALOG, schemaVersion: 1, schema: catalogSchema });
  log.registerTopic({ topicId: WIDE, schemaVersion: 1, schema: everyType });
  return log;
}

/** From now on topic 3 has a column more. */
export function widen(log: Log): void {
  log.registerTopic({ topicId: 3, schemaVersion: 2, schema: widened, keyColumns: [0] });
}

export interface MixedOptions {
  readonly commits: number;
  /** A commit of so many rows in topic 2, in the middle. */
  readonly largeRows?: number;
  /** So many commits are a group, also while a frame is in flight. Absent: as they come. */
  readonly groupCommits?: number;
}

/** Commits of many kinds: several topics, deletes, no rows, keys, the catalog's, one that is large, two schemas. */
export async function fillMixed(
  log: Log,
  random: SeededRandom,
  wideRows: readonly Record<string, unknown>[],
  { commits, largeRows = 0, groupCommits }: MixedOptions,
): Promise<string[]> {
  const keys: string[] = [];
  const pending: Promise<void>[] = [];
  for (let i = 0; i < commits; i++) {
    const isLarge = largeRows > 0 && i === commits >> 1;
    await room(log, isLarge ? largeRows * 24 : 4096);
    if (i === Math.floor(commits * 0.7)) widen(log);
    const key = random.oneIn(3) ? `key ${i}` : null;
    const isCatalog = random.oneIn(40);
    if (isCatalog) log.seal();
    const draft = log.begin({
      idempotencyKey: key,
      requestDigest: key === null || random.oneIn(2) ? null : `digest ${i}`,
    });
    if (key !== null) keys.push(key);
    if (isCatalog) draft.appendRow(CATALOG, { definition: `entry ${i}` });
    for (const topicId of [1, 2, 3]) {
      for (let n = random.below(4); n > 0; n--) {
        const id = random.below(50);
        if (topicId === 3 && random.oneIn(5)) draft.appendRow(topicId, { id }, OP_DELETE);
        else
          draft.appendRow(topicId, {
            id,
            note: random.oneIn(6) ? null : `note ${"x".repeat(random.below(40))}`,
          });
      }
    }
    if (random.oneIn(3)) draft.appendRows(WIDE, wideRows.slice(0, random.below(wideRows.length)));
    if (isLarge)
      draft.appendRows(
        2,
        Array.from({ length: largeRows }, (_, id) => ({ id, note: id % 7 === 0 ? null : `n${id % 100}` })),
      );
    pending.push(draft.commit().durable);
    if (isCatalog || (groupCommits !== undefined && i % groupCommits === 0)) log.seal();
    if (random.oneIn(4)) await pending.at(-1);
  }
  await Promise.all(pending);
  return keys;
}

/** A row, and all that is known of it. */
export function rowsOf(group: Group): { topicId: number; offset: number; position: number; text: string }[] {
  const rows: { topicId: number; offset: number; position: number; text: string }[] = [];
  for (const topicBatch of group.batches) {
    const { topicId, schemaVersion, batch, ops, commitIndexes, commitEnds } = topicBatch;
    let row = 0;
    commitIndexes.forEach((index, i) => {
      const { position, timeUs } = group.commits[index]!;
      for (; row < commitEnds[i]!; row++) {
        const values = batch.columns.map((column) => datumAt(column, row));
        const described = JSON.stringify([schemaVersion, timeUs, ops?.[row] ?? 0, values.map(exact)]);
        rows.push({ topicId, offset: offsetOf(topicBatch, row), position, text: described });
      }
    });
    if (row !== batch.length) throw new Error("a batch with rows of no commit");
  }
  return rows;
}

function exact(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" && (Number.isNaN(value) || !Number.isFinite(value) || Object.is(value, -0)))
    return Object.is(value, -0) ? "-0" : String(value);
  return value;
}

/** Commits, then rows by topic and offset, of what lies in [from, to]. */
export async function readRange(log: Log, options: ReadOptions): Promise<string[]> {
  const to = options.to ?? Number.POSITIVE_INFINITY;
  const isIn = (position: number): boolean => position >= options.from && position <= to;
  const commits: string[] = [];
  const rows: { topicId: number; offset: number; text: string }[] = [];
  let last = 0;
  for await (const group of log.read(options)) {
    if (group.firstPosition <= last) throw new Error("groups out of order");
    last = group.lastPosition;
    if (options.topics === undefined || options.everyGroup === true) {
      for (const commit of group.commits) if (isIn(commit.position)) commits.push(JSON.stringify(commit));
    }
    const topics = group.batches.map(({ topicId }) => topicId);
    const catalogPositions = new Set(
      rowsOf(group)
        .filter((r) => r.topicId === CATALOG)
        .map((r) => r.position),
    );
    if (topics.includes(CATALOG) && catalogPositions.size > 1)
      throw new Error("catalog commits in one group");
    for (const row of rowsOf(group)) if (isIn(row.position)) rows.push(row);
  }
  rows.sort((a, b) => a.topicId - b.topicId || a.offset - b.offset);
  return [...commits, ...rows.map((row) => JSON.stringify(row))];
}

export async function readTopic(log: Log, topicId: number, offset: number): Promise<string[]> {
  const rows: string[] = [];
  for await (const group of log.readTopic(topicId, offset)) {
    for (const row of rowsOf(group)) if (row.offset >= offset) rows.push(JSON.stringify(row));
  }
  return rows;
}

/** What every reader says of the log, from many places. */
export async function everything(log: Log, random: SeededRandom): Promise<string[][]> {
  const answers = [await readRange(log, { from: 1 })];
  const last = log.durablePosition;
  for (let i = 0; i < 6; i++) {
    const from = 1 + random.below(last);
    const to = from + random.below(last - from + 1);
    const topics = new Set(ALL_TOPICS.filter(() => random.oneIn(2)));
    answers.push(await readRange(log, { from, to }));
    answers.push(await readRange(log, { from, to, topics }));
    answers.push(await readRange(log, { from, topics: new Set([ALL_TOPICS[i % ALL_TOPICS.length]!]) }));
    answers.push(await readRange(log, { from, to, topics, everyGroup: true }));
  }
  for (const topicId of ALL_TOPICS) {
    const end = log.topicEnd(topicId);
    answers.push(await readTopic(log, topicId, 0));
    for (let i = 0; i < 3; i++) answers.push(await readTopic(log, topicId, random.below(end + 1)));
  }
  return answers;
}
