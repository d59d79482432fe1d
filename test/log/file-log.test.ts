import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { type Group, OP_DELETE, OP_UPSERT } from "../../src/log/log.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import {
  append,
  commitsOf,
  describeRow,
  type OpenedLog,
  openSmall,
  type ReadCommit,
  type Row,
  readAll,
  room,
  schema,
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

describe("batches", () => {
  function batchOf(ids: readonly number[], note: string | null) {
    const builder = new BatchBuilder(schema);
    for (const id of ids) builder.appendRow({ id, note });
    return builder.finish();
  }

  test("alone in a group are not copied; several are put together; ops stay with their rows", async () => {
    const log = await openSmall(new SimulatedDisk());
    const sealed: Group[] = [];
    log.onSealed((group) => sealed.push(group));
    await room(log, 1000);
    const alone = batchOf([1, 2], "a");
    const first = log.begin();
    first.appendBatch(1, alone, Uint8Array.of(OP_UPSERT, OP_DELETE));
    await first.commit().durable;
    expect(sealed[0]!.batches[0]!.batch.columns[0]).toBe(alone.columns[0]);

    await room(log, 1000);
    const second = log.begin();
    second.appendBatch(1, batchOf([3], null));
    second.commit();
    const third = log.begin();
    third.appendBatch(1, batchOf([4, 5], "b"), Uint8Array.of(OP_DELETE, OP_UPSERT));
    third.appendRow(1, { id: 6 }, OP_DELETE);
    await third.commit().durable;
    const rows = ['1@0 1 "a"', "1@1 delete 2", "1@2 3 null", "1@3 delete 4", '1@4 5 "b"', "1@5 delete 6"];
    expect((await readAll(log)).flatMap((commit) => commit.rows)).toEqual(rows);
    expect(sealed.flatMap(commitsOf).flatMap((commit) => commit.rows)).toEqual(rows);
    await log.close();
  });

  test("taken back, borrowed or not", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 1000);
    for (const before of [[], [{ topicId: 1, id: 0, note: "before" }]]) {
      if (before.length > 0) stage(log, before);
      const draft = log.begin();
      draft.appendBatch(1, batchOf([1, 2], "gone"), Uint8Array.of(OP_DELETE, OP_UPSERT));
      draft.rollback();
    }
    await append(log, [{ topicId: 1, id: 3, note: "after" }]);
    expect((await readAll(log)).flatMap((commit) => commit.rows)).toEqual([
      '1@0 0 "before"',
      '1@1 3 "after"',
    ]);
    await log.close();
  });

  test("with nulls where none may be are refused, but for columns of deleted rows beside the key", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 1000);
    const builder = new BatchBuilder(schema);
    builder.appendNulls(1);
    const nulls = builder.finish();
    const draft = log.begin();
    for (const ops of [null, Uint8Array.of(OP_UPSERT), Uint8Array.of(OP_DELETE)]) {
      expect(() => draft.appendBatch(1, nulls, ops)).toThrow(
        expect.objectContaining({ code: "not_null_violation" }),
      );
    }
    draft.rollback();
    log.registerTopic({ topicId: 4, schemaVersion: 1, schema, keyColumns: [1] });
    const builder4 = new BatchBuilder(schema);
    builder4.appendKeyOnly({ note: "k" }, [1]);
    const other = log.begin();
    other.appendBatch(4, builder4.finish(), Uint8Array.of(OP_DELETE));
    await other.commit().durable;
    await log.close();
  });
});

describe("groups", () => {
  test("commits of one turn share a frame; seal() starts a new one", async () => {
    const log = await openSmall(new SimulatedDisk());
    const sealed: string[] = [];
    log.onSealed((group) => sealed.push(`${group.firstPosition}-${group.lastPosition}`));
    await room(log, 1000);
    stage(log, [{ topicId: 1, id: 1, note: null }]);
    stage(log, [{ topicId: 1, id: 2, note: null }]);
    log.seal();
    stage(log, [{ topicId: 1, id: 3, note: null }]);
    log.seal();
    log.seal();
    await stage(log, [{ topicId: 2, id: 4, note: null }]).durable;
    expect(sealed).toEqual(["1-2", "3-3", "4-4"]);
    await log.close();
  });

  test("listeners hear of a sealed group before it is durable, of durability before the promise, in order", async () => {
    const log = await openSmall(new SimulatedDisk());
    const events: string[] = [];
    log.onSealed((group) => events.push(`sealed ${group.lastPosition} at durable ${log.durablePosition}`));
    log.onDurable((position) => events.push(`durable ${position}`));
    for (let id = 0; id < 3; id++) {
      await room(log, 100);
      await stage(log, [{ topicId: 1, id, note: null }]).durable;
      events.push(`promise ${id + 1}`);
    }
    expect(events).toEqual(
      [1, 2, 3].flatMap((n) => [`sealed ${n} at durable ${n - 1}`, `durable ${n}`, `promise ${n}`]),
    );
    await log.close();
  });

  test("a newer schema version of a topic starts a new group, and both are read", async () => {
    const log = await openSmall(new SimulatedDisk());
    await room(log, 1000);
    stage(log, [{ topicId: 1, id: 1, note: "old" }]);
    log.registerTopic({ topicId: 1, schemaVersion: 2, schema: { fields: [...schema.fields].reverse() } });
    await stage(log, [{ topicId: 1, id: 2, note: "new" }]).durable;
    const versions: number[][] = [];
    for await (const group of log.read({ from: 1 }))
      versions.push(group.batches.map((batch) => batch.schemaVersion));
    expect(versions).toEqual([[1], [2]]);
    await log.close();
  });

  test("are bounded: whoever finds the group full waits, nobody is overtaken, everybody comes through", async () => {
    const log = await openSmall(new SimulatedDisk());
    const sizes: number[] = [];
    log.onSealed((group) => sizes.push(group.commits.length));
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 100 }, async (_, id) => {
        const wait = log.room(400);
        if (wait !== null) await wait;
        order.push(id);
        await stage(log, [{ topicId: 1, id, note: "x".repeat(300) }]).durable;
      }),
    );
    expect(order).toEqual(Array.from({ length: 100 }, (_, id) => id));
    expect(sizes.reduce((a, b) => a + b)).toBe(100);
    expect(Math.max(...sizes)).toBeLessThan(20);
    await log.close();
  });
});

describe("reading", () => {
  async function filled(disk: SimulatedDisk): Promise<{ log: OpenedLog; commits: ReadCommit[] }> {
    const log = await openSmall(disk);
    const commits: ReadCommit[] = [];
    log.onSealed((group) => commits.push(...commitsOf(group)));
    for (let id = 0; id < 120; id++) {
      // Topic 3 only at both ends, with far more than one index entry between.
      const topicId = id < 2 || id > 117 ? 3 : 1 + (id % 2);
      await append(log, [{ topicId, id, note: "x".repeat((id % 7) * 500) }]);
    }
    return { log, commits };
  }

  test("from and to any position, by position and by a topic's offset, before and after reopening", async () => {
    const disk = new SimulatedDisk();
    const first = await filled(disk);
    const check = async (log: OpenedLog): Promise<void> => {
      for (const from of [0, 1, 2, 17, 60, 119, 120, 121]) {
        expect(await readAll(log, from)).toEqual(first.commits.filter((commit) => commit.position >= from));
      }
      const some: number[] = [];
      for await (const group of log.read({ from: 30, to: 33 })) some.push(group.firstPosition);
      expect(some).toEqual([30, 31, 32, 33]);
      for (const topicId of TOPICS) {
        const rows = first.commits
          .flatMap((commit) => commit.rows)
          .filter((row) => row.startsWith(`${topicId}@`));
        expect(log.topicEnd(topicId)).toBe(rows.length);
        for (const offset of [0, 1, 2, 3, rows.length - 1, rows.length]) {
          const read: string[] = [];
          for await (const group of log.readTopic(topicId, offset))
            read.push(...commitsOf(group).flatMap((c) => c.rows));
          expect(read).toEqual(rows.slice(offset));
        }
      }
    };
    await check(first.log);
    await first.log.close();
    const again = await openSmall(disk);
    await check(again);
    await again.close();
  });

  test("a rare topic in a long log is read in leaps, from any offset", async () => {
    const disk = new SimulatedDisk();
    const big = { segmentBytes: 1 << 20, groupBytesMax: 1 << 20, aheadBytesMax: 1 << 20 };
    let log = await openSmall(disk, big);
    const rare: number[] = [];
    for (let id = 0; id < 90; id++) {
      const isRare = id % 29 === 3 || id % 29 === 4;
      const rows: Row[] = [{ topicId: 1, id, note: "x".repeat(40_000) }];
      if (isRare) rows.push({ topicId: 2, id, note: null });
      await room(log, 41_000);
      await stage(log, rows).durable;
      if (isRare) rare.push(id);
    }
    for (let life = 0; life < 2; life++) {
      for (let offset = 0; offset <= rare.length; offset++) {
        const before = disk.bytesRead;
        const read: string[] = [];
        for await (const group of log.readTopic(2, offset)) read.push(...commitsOf(group)[0]!.rows);
        expect(read).toEqual(rare.slice(offset).map((id, i) => `2@${offset + i} ${id} null`));
        // The log has 3.6 MB; to each place of the topic leads an entry, and then at most the way to the next.
        expect(disk.bytesRead - before).toBeLessThan(3_600_000);
      }
      await log.close();
      log = await openSmall(disk, big);
    }
    await log.close();
  });

  test("of some topics skips other groups, or shows them empty", async () => {
    const { log } = await filled(new SimulatedDisk());
    const skipped: number[] = [];
    for await (const group of log.read({ from: 1, topics: new Set([3]) })) skipped.push(group.firstPosition);
    expect(skipped).toEqual([1, 2, 119, 120]);
    let every = 0;
    let withRows = 0;
    for await (const group of log.read({ from: 1, topics: new Set([3]), everyGroup: true })) {
      every++;
      withRows += group.batches.length;
    }
    expect([every, withRows]).toEqual([120, 4]);
    await log.close();
  });

  test("a topic nobody has registered is an error when it is wanted, and none otherwise", async () => {
    const disk = new SimulatedDisk();
    const { log } = await filled(disk);
    await log.close();
    const { openLog } = await import("../../src/log/open-log.ts");
    const bare = await openLog({ directory: "/data", disk, clock: new SimulatedClock() });
    await expect(readAll(bare)).rejects.toMatchObject({ code: "undefined_object" });
    let groups = 0;
    for await (const group of bare.read({ from: 1, topics: new Set(), everyGroup: true }))
      groups += group.commits.length;
    expect(groups).toBe(120);
    await bare.close();
  });

  test("can be left in the middle", async () => {
    const { log } = await filled(new SimulatedDisk());
    for await (const group of log.read({ from: 5 })) {
      expect(group.firstPosition).toBe(5);
      break;
    }
    await log.close();
  });

  test("sees what was durable when it began, while appends go on", async () => {
    const { log, commits } = await filled(new SimulatedDisk());
    const before = commits.length;
    const reading = readAll(log);
    const appending = append(log, [{ topicId: 1, id: 1, note: null }]);
    expect(await reading).toHaveLength(before);
    await appending;
    await log.close();
  });
});

describe("idempotency keys", () => {
  test("are known as soon as staged, after reopening, and for 24 hours of log time", async () => {
    const disk = new SimulatedDisk();
    const clock = new SimulatedClock();
    let log = await openSmall(disk, { clock });
    await room(log, 200);
    const receipt = stage(
      log,
      [
        { topicId: 1, id: 1, note: "x" },
        { topicId: 2, id: 1, note: "y" },
      ],
      "key é 🎉",
    );
    const known = { position: 1, requestDigest: "digest of key é 🎉", ranges: receipt.ranges };
    expect(log.knownCommit("key é 🎉")).toEqual(known);
    expect(log.knownCommit("other")).toBeNull();
    await receipt.durable;
    await append(log, [{ topicId: 1, id: 2, note: "x" }]);
    await log.close();
    log = await openSmall(disk, { clock });
    expect(log.knownCommit("key é 🎉")).toEqual(known);
    clock.advance(24 * 3_600_000_000);
    await append(log, [{ topicId: 1, id: 3, note: "x" }]);
    expect(log.knownCommit("key é 🎉")).toEqual(known);
    clock.advance(1);
    await append(log, [{ topicId: 1, id: 4, note: "x" }]);
    expect(log.knownCommit("key é 🎉")).toBeNull();
    await log.close();
    log = await openSmall(disk, { clock });
    expect(log.knownCommit("key é 🎉")).toBeNull();
    await log.close();
  });

  test.each([
    ["", "empty"],
    ["x".repeat(1025), "too long"],
    ["\ud800", "a lone surrogate"],
  ])("%j is refused: %s", async (key) => {
    const log = await openSmall(new SimulatedDisk());
    expect(() => log.begin({ idempotencyKey: key })).toThrow(
      expect.objectContaining({ code: "invalid_argument" }),
    );
    await append(log, [{ topicId: 1, id: 1, note: "unharmed" }]);
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
