/** The log on its files: one commit, a close, a second owner, and any history of them against an array. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import { OP_DELETE, OP_UPSERT } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import {
  append,
  describeRow,
  openSmall,
  type ReadCommit,
  type Row,
  readAll,
  room,
  stage,
  TOPICS,
} from "./harness.ts";

describe("an empty log", () => {
  test("has position 0 and nothing to read", async () => {
    const log = await openSmall(new SimulatedDisk());
    expect(log.lastPosition).toBe(0);
    expect(log.durablePosition).toBe(0);
    expect(log.topicEnd(1)).toBe(0);
    expect(await readAll(log)).toEqual([]);
    expect(log.report).toEqual({
      segments: 0,
      frames: 0,
      bytes: 0,
      lastPosition: 0,
      closedCleanly: true,
      tornTail: null,
    });
    await log.close();
  });
});

test("a directory that is called as the log's, with another program's files, is left alone", async () => {
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/data/log");
  await (await disk.open("/data/log/production.log", "write")).close();
  await expect(openSmall(disk)).rejects.toMatchObject({
    code: "invalid_request",
    message: "/data/log has files of another program and no log",
  });
  expect(await disk.list("/data/log")).toEqual(["production.log"]);
  await disk.unlink("/data/log/production.log");
  await (await disk.open("/data/log/.keep", "write")).close();
  await (await openSmall(disk)).close();
});

describe("a commit", () => {
  test("gets its position, time and offsets at once and is readable when durable", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 100);
    const receipt = stage(log, [
      { topicId: 2, id: 1, note: "a" },
      { topicId: 1, id: 5, note: null },
      { topicId: 2, id: 2, note: "b" },
    ]);
    expect(receipt.position).toBe(1);
    expect(receipt.timeUs).toBe(Date.UTC(2024, 0, 1) * 1000);
    expect(receipt.ranges).toEqual([
      { topicId: 2, firstOffset: 0, lastOffset: 1 },
      { topicId: 1, firstOffset: 0, lastOffset: 0 },
    ]);
    expect(log.topicEnd(2)).toBe(2);
    expect(log.durablePosition).toBe(0);
    expect(await readAll(log)).toEqual([]);
    await receipt.durable;
    expect(log.durablePosition).toBe(1);
    expect(await readAll(log)).toEqual([
      { position: 1, key: null, rows: ["1@0 5 null", '2@0 1 "a"', '2@1 2 "b"'] },
    ]);
    await log.close();
  });

  test("without rows has a position all the same", async () => {
    const log = await openSmall(new SimulatedDisk());
    await append(log, []);
    expect(await readAll(log)).toEqual([{ position: 1, key: null, rows: [] }]);
    await log.close();
  });

  test("taken back leaves nothing, also of rows before and after it in the group", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 1000);
    stage(log, [{ topicId: 1, id: 1, note: "kept" }]);
    const draft = log.begin();
    draft.appendRow(1, { id: 2, note: "gone" });
    draft.appendRow(2, { id: 3 }, OP_DELETE);
    draft.rollback();
    const last = stage(log, [{ topicId: 1, id: 4, note: "kept" }]);
    expect(last.position).toBe(2);
    await last.durable;
    expect((await readAll(log)).flatMap((commit) => commit.rows)).toEqual(['1@0 1 "kept"', '1@1 4 "kept"']);
    expect(log.topicEnd(2)).toBe(0);
    await log.close();
  });

  test("with a bad row says where, and the draft goes on", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 1000);
    const draft = log.begin();
    draft.appendRow(1, { id: 1, note: "x" });
    expect(() => draft.appendRow(1, { id: "no", note: "x" }, OP_UPSERT, "records", 3)).toThrow(
      /records\[3\]\.id/,
    );
    draft.appendRow(1, { id: 2, note: "y" });
    await draft.commit().durable;
    expect((await readAll(log))[0]!.rows).toEqual(['1@0 1 "x"', '1@1 2 "y"']);
    await log.close();
  });

  test("of a topic nobody registered is refused", async () => {
    const log = await openSmall(new SimulatedDisk());
    const draft = log.begin();
    expect(() => draft.appendRow(9, { id: 1 })).toThrow(
      expect.objectContaining({ code: "undefined_object" }),
    );
    draft.rollback();
    await log.close();
  });

  test("larger than allowed is refused by room and by commit, and nothing of it stays", async () => {
    const log = await openSmall(new SimulatedDisk(), { commitBytesMax: 10_000 });
    await expect(log.room(20_000)).rejects.toMatchObject({ code: "record_too_large" });
    await room(log, 10);
    expect(() => stage(log, [{ topicId: 1, id: 1, note: "x".repeat(20_000) }])).toThrow(
      expect.objectContaining({ code: "record_too_large" }),
    );
    expect((await append(log, [{ topicId: 1, id: 2, note: null }])).ranges[0]!.firstOffset).toBe(0);
    await log.close();
  });

  test("larger than a segment gets a segment of its own size", async () => {
    const disk = new SimulatedDisk();
    const log = await openSmall(disk);
    const note = "x".repeat(100_000);
    await append(log, [{ topicId: 1, id: 1, note: "before" }]);
    await room(log, 100_000);
    await stage(log, [{ topicId: 1, id: 2, note }]).durable;
    await append(log, [{ topicId: 1, id: 3, note: "after" }]);
    expect((await readAll(log)).map((commit) => commit.rows[0]!.length)).toEqual(
      [14, 100_008, 13].map((n) => n),
    );
    await log.close();
    const again = await openSmall(disk);
    expect(again.lastPosition).toBe(3);
    await again.close();
  });

  test("far larger than the room it asked for is refused, retryably, and fits after asking right", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 10);
    const rows = [{ topicId: 1, id: 1, note: "x".repeat(200_000) }];
    expect(() => stage(log, rows)).toThrow(
      expect.objectContaining({ code: "too_many_requests", retryable: true }),
    );
    await room(log, 200_100);
    await stage(log, rows).durable;
    await log.close();
  });
});

describe("closing", () => {
  test("makes staged commits durable, refuses new ones, lets the directory go", async () => {
    const disk = new SimulatedDisk();
    const log = await openSmall(disk);
    await room(log, 100);
    const receipt = stage(log, [{ topicId: 1, id: 1, note: "last" }]);
    const closing = log.close();
    expect(() => log.begin()).toThrow(expect.objectContaining({ code: "shutting_down" }));
    await expect(log.room(1)).rejects.toMatchObject({ code: "shutting_down" });
    await receipt.durable;
    await closing;
    await log.close();
    const again = await openSmall(disk);
    expect(again.report.closedCleanly).toBe(true);
    expect(await readAll(again)).toHaveLength(1);
    await again.close();
    const third = await openSmall(disk);
    expect(third.report.frames).toBe(2); // a second closing mark would say nothing new
    await third.close();
  });
});

test("a second open in the same process is refused by name, and possible after close", async () => {
  const disk = new SimulatedDisk();
  const log = await openSmall(disk);
  const error: EvertError = await openSmall(disk).then(
    () => expect.fail("opened twice"),
    (thrown) => thrown,
  );
  expect(error.code).toBe("directory_locked");
  expect(error.detail).toContain(`process ${process.pid}`);
  await log.close();
  await (await openSmall(disk)).close();
});

/** Any history of commits, rollbacks, seals and reopenings reads back as an array of commits would. */
test("the log equals an array of commits", async () => {
  const row = fc.record({
    topicId: fc.constantFrom(...TOPICS),
    id: fc.integer({ min: -5, max: 5 }),
    note: fc.option(fc.string({ unit: "grapheme", maxLength: 2000 }), { nil: null }),
    isDelete: fc.boolean(),
  });
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant("commit" as const),
        rows: fc.array(row, { maxLength: 6 }),
        wait: fc.boolean(),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("rollback" as const), rows: fc.array(row, { maxLength: 6 }) }),
    },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("seal" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("reopen" as const) }) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer(), async (steps, seed) => {
      const disk = new SimulatedDisk({ seed });
      let log = await openSmall(disk);
      const oracle: ReadCommit[] = [];
      const ends = new Map(TOPICS.map((topicId) => [topicId, 0]));
      let last: Promise<void> = Promise.resolve();
      for (const action of steps) {
        if (action.kind === "reopen") {
          await log.close();
          log = await openSmall(disk);
        } else if (action.kind === "seal") log.seal();
        else {
          await room(log, 2000 + action.rows.reduce((sum, { note }) => sum + 3 * (note?.length ?? 0), 0));
          if (action.kind === "rollback") {
            const draft = log.begin();
            for (const { topicId, id, note, isDelete } of action.rows)
              draft.appendRow(topicId, isDelete ? { id } : { id, note }, isDelete ? OP_DELETE : OP_UPSERT);
            draft.rollback();
          } else {
            last = stage(log, action.rows).durable;
            const ordered = [...action.rows].sort((a: Row, b: Row) => a.topicId - b.topicId);
            const rows = ordered.map((one) => {
              const offset = ends.get(one.topicId)!;
              ends.set(one.topicId, offset + 1);
              return describeRow(one, offset);
            });
            oracle.push({ position: oracle.length + 1, key: null, rows });
            if (action.wait) await last;
          }
        }
      }
      await last;
      expect(await readAll(log)).toEqual(oracle);
      for (const topicId of TOPICS) expect(log.topicEnd(topicId)).toBe(ends.get(topicId));
      await log.close();
    }),
    { numRuns: 60 },
  );
});
