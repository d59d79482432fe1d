/** What the tests of the log share: small topics, a log on a simulated disk, and ways to read everything back. */
import { readFile } from "node:fs/promises";
import type { Disk } from "../../src/base/disk.ts";
import { datumAt } from "../../src/batch/column.ts";
import { type Schema, schemaOf } from "../../src/batch/schema.ts";
import { int4, text } from "../../src/batch/types.ts";
import { type CommitReceipt, type Group, type Log, OP_DELETE } from "../../src/log/log.ts";
import type { LogOptions } from "../../src/log/log-options.ts";
import { openLog } from "../../src/log/open-log.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import type { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

export const schema: Schema = schemaOf([
  { name: "id", type: int4, nullable: false },
  { name: "note", type: text, nullable: true },
]);

export const TOPICS = [1, 2, 3];

export type OpenedLog = Awaited<ReturnType<typeof openLog>>;

/** Small segments and groups, so that little data crosses many borders. */
export async function openSmall(disk: Disk, options: Partial<LogOptions> = {}): Promise<OpenedLog> {
  const log = await openLog({
    directory: "/data",
    disk,
    clock: new SimulatedClock(),
    random: new SeededRandom(7),
    segmentBytes: 64 * 1024,
    groupBytesMax: 4 * 1024,
    commitBytesMax: 1024 * 1024,
    aheadBytesMax: 64 * 1024,
    ...options,
  });
  register(log);
  return log;
}

export function register(log: Log): void {
  for (const topicId of TOPICS) log.registerTopic({ topicId, schemaVersion: 1, schema, keyColumns: [0] });
}

export interface Row {
  readonly topicId: number;
  readonly id: number;
  readonly note: string | null;
  readonly isDelete?: boolean;
}

export function stage(log: Log, rows: readonly Row[], idempotencyKey: string | null = null): CommitReceipt {
  const draft = log.begin({
    idempotencyKey,
    requestDigest: idempotencyKey === null ? null : `digest of ${idempotencyKey}`,
  });
  for (const { topicId, id, note, isDelete } of rows) {
    if (isDelete === true) draft.appendRow(topicId, { id }, OP_DELETE);
    else draft.appendRow(topicId, { id, note });
  }
  return draft.commit();
}

/** Waits for room, stages and waits until it is durable. */
export async function append(
  log: Log,
  rows: readonly Row[],
  idempotencyKey: string | null = null,
): Promise<CommitReceipt> {
  await room(log, rows.length * 64);
  const receipt = stage(log, rows, idempotencyKey);
  await receipt.durable;
  return receipt;
}

export async function room(log: Log, bytes: number): Promise<void> {
  for (let wait = log.room(bytes); wait !== null; wait = log.room(bytes)) await wait;
}

/** A commit as the oracle and the reader both describe it. */
export interface ReadCommit {
  readonly position: number;
  readonly key: string | null;
  readonly rows: readonly string[];
}

export function describeRow({ topicId, id, note, isDelete }: Row, offset: number): string {
  return isDelete === true
    ? `${topicId}@${offset} delete ${id}`
    : `${topicId}@${offset} ${id} ${JSON.stringify(note)}`;
}

/** Commits of a group, each with its rows, topics in ascending order. */
export function commitsOf(group: Group): ReadCommit[] {
  const rows: string[][] = group.commits.map(() => []);
  const batches = [...group.batches].sort((a, b) => a.topicId - b.topicId);
  for (const { topicId, batch, ops, baseOffset, commitIndexes, commitEnds } of batches) {
    let row = 0;
    commitIndexes.forEach((commit, i) => {
      for (; row < commitEnds[i]!; row++) {
        const id = datumAt(batch.columns[0]!, row) as number;
        const note = datumAt(batch.columns[1]!, row) as string | null;
        rows[commit]!.push(
          describeRow({ topicId, id, note, isDelete: ops?.[row] === OP_DELETE }, baseOffset + row),
        );
      }
    });
  }
  return group.commits.map((commit, i) => ({
    position: commit.position,
    key: commit.idempotencyKey,
    rows: rows[i]!,
  }));
}

export async function readAll(log: Log, from = 1): Promise<ReadCommit[]> {
  const commits: ReadCommit[] = [];
  for await (const group of log.read({ from })) commits.push(...commitsOf(group));
  return commits;
}

/** The bytes of a fenced block of docs/LOG-FORMAT.md, as two hexadecimal digits each; what follows a # is for people. */
export async function documentedBytes(fence: string): Promise<string[]> {
  const text = await readFile(new URL("../../docs/LOG-FORMAT.md", import.meta.url), "utf8");
  const block = new RegExp(`\`\`\`${fence}\\n([\\s\\S]*?)\`\`\``).exec(text)![1]!;
  return block
    .split("\n")
    .flatMap((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter((hex) => hex !== "");
}

export function hexOf(bytes: Uint8Array): string[] {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"));
}

/** The log of that document's examples: topic 5, and two commits, of which the second deletes a row. Resolves when they are durable. */
export async function documentedLog(disk: SimulatedDisk): Promise<OpenedLog> {
  const clock = new SimulatedClock(1_700_000_000_000_000);
  const log = await openSmall(disk, {
    clock,
    random: {
      bytes: (target) => {
        target.set([0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]);
        return target;
      },
    },
  });
  log.registerTopic({ topicId: 5, schemaVersion: 1, schema, keyColumns: [0] });
  await room(log, 100);
  const first = log.begin({ idempotencyKey: "k1", requestDigest: "d" });
  first.appendRow(5, { id: 7, note: "ab" });
  first.commit();
  clock.advance(1500);
  const second = log.begin();
  second.appendRow(5, { id: 8 }, OP_DELETE);
  await second.commit().durable;
  return log;
}
