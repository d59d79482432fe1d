/**
 * A row that is its topic's first in a group is staged as bytes. Whoever reads finds what was appended, and the files are the same to the byte as those of a log that has all
 * rows go through builders: whatever comes behind such a row, of the same commit or the next, is taken back, or joins it while a frame is in flight.
 */
import { createHash } from "node:crypto";
import { afterEach, describe, expect, test, vi } from "vitest";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { EncodedBatch } from "../../src/batch/codec.ts";
import { RowWriters } from "../../src/batch/row-bytes.ts";
import { checkLog } from "../../src/log/check.ts";
import { OP_DELETE } from "../../src/log/log.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
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

const MANY = Array.from({ length: 30 }, (_, i) => i + 1);

async function open(disk: SimulatedDisk): Promise<OpenedLog> {
  const log = await openSmall(disk, { groupBytesMax: 64 * 1024 });
  for (const topicId of MANY) log.registerTopic({ topicId, schemaVersion: 1, schema, keyColumns: [0] });
  return log;
}

function someRow(random: SeededRandom): Row {
  const topicId = random.oneIn(3) ? 1 + random.below(3) : 1 + random.below(MANY.length);
  const id = random.below(1000);
  if (random.oneIn(12)) return { topicId, id, note: null, isDelete: true };
  const note = random.oneIn(9) ? null : random.oneIn(9) ? "é".repeat(random.below(2000)) : `note ${id}`;
  return { topicId, id, note };
}

interface Filled {
  readonly log: OpenedLog;
  readonly commits: ReadCommit[];
  readonly sealed: ReadCommit[];
  /** Batches that were sealed as bytes. */
  readonly encoded: number;
}

async function fill(disk: SimulatedDisk, seed: number): Promise<Filled> {
  const log = await open(disk);
  const random = new SeededRandom(seed);
  const commits: ReadCommit[] = [];
  const sealed: ReadCommit[] = [];
  let encoded = 0;
  log.onSealed((group) => {
    for (const { batch } of group.batches) if (batch instanceof EncodedBatch) encoded++;
    sealed.push(...commitsOf(group));
  });
  for (let i = 0; i < 200; i++) {
    await room(log, 16 * 1024);
    const rows = Array.from({ length: random.oneIn(3) ? 1 + random.below(4) : 1 }, () => someRow(random));
    const draft = log.begin();
    for (const { topicId, id, note, isDelete } of rows) {
      // What is refused leaves no trace.
      if (random.oneIn(20)) expect(() => draft.appendRow(topicId, { id: "x", note })).toThrow("id");
      if (isDelete === true) draft.appendRow(topicId, { id }, OP_DELETE);
      else if (random.oneIn(5)) {
        const builder = new BatchBuilder(schema);
        builder.appendRow({ id, note });
        draft.appendBatch(topicId, builder.finish());
      } else if (random.oneIn(2)) draft.appendRows(topicId, [{ id, note }]);
      else draft.appendRow(topicId, { id, note });
    }
    if (random.oneIn(7)) draft.rollback();
    else {
      const seen = new Map<number, number>();
      const described = rows.map((row) => {
        const before = seen.get(row.topicId) ?? 0;
        seen.set(row.topicId, before + 1);
        return { row, text: describeRow(row, log.topicEnd(row.topicId) + before) };
      });
      const { position, durable } = draft.commit();
      const ordered = described.toSorted((a, b) => a.row.topicId - b.row.topicId);
      commits.push({ position, key: null, rows: ordered.map(({ text }) => text) });
      if (random.oneIn(20)) await durable;
    }
    // Groups that wait for the disk join.
    if (random.oneIn(6)) log.seal();
  }
  log.seal();
  return { log, commits, sealed, encoded };
}

/** Of each file its frames, without the zeros behind them: how far these go is another matter. */
async function filesOf(disk: SimulatedDisk): Promise<[string, string][]> {
  const files = (await disk.list("/data/log")).map((name): [string, string] => {
    const bytes = disk.contents(`/data/log/${name}`);
    const end = bytes.findLastIndex((byte) => byte !== 0) + 1;
    return [name, `${end} bytes, ${createHash("sha256").update(bytes.subarray(0, end)).digest("hex")}`];
  });
  return files;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe.each([1, 2, 3, 4, 5, 6])("rows of many topics, seed %i", (seed) => {
  test("are what was appended: to listeners, to readers, after a restart; and lie as builders lay them", async () => {
    const disk = new SimulatedDisk({ seed });
    const { log, commits, sealed, encoded } = await fill(disk, seed);
    expect(encoded).toBeGreaterThan(30);
    expect(sealed).toEqual(commits);
    await log.close();
    expect((await checkLog("/data", disk)).damages).toEqual([]);
    const files = await filesOf(disk);
    const again = await open(disk);
    expect(await readAll(again)).toEqual(commits);
    await again.close();

    vi.spyOn(RowWriters.prototype, "for").mockReturnValue(null);
    const other = new SimulatedDisk({ seed });
    const built = await fill(other, seed);
    expect(built.encoded).toBe(0);
    await built.log.close();
    expect(await filesOf(other)).toEqual(files);
  });
});

test("a topic that had several rows in a group is expected to have several in the next", async () => {
  const log = await open(new SimulatedDisk({ seed: 1 }));
  const forms: string[] = [];
  log.onSealed((group) => {
    forms.push(
      group.batches.map(({ batch }) => (batch instanceof EncodedBatch ? "bytes" : "columns")).join(),
    );
  });
  for (const rows of [1, 2, 2, 1, 1]) {
    await room(log, 1024);
    for (let i = 0; i < rows; i++) {
      const draft = log.begin();
      draft.appendRow(7, { id: i, note: "n" });
      draft.commit();
    }
    log.seal();
  }
  expect(forms).toEqual(["bytes", "columns", "columns", "columns", "bytes"]);
  await log.close();
});
