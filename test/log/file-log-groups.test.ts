/** What commits share in a log: batches that come in one group, and groups that share a frame. */
import { describe, expect, test } from "vitest";
import { BatchBuilder } from "../../src/batch/builder.ts";
import { type Group, OP_DELETE, OP_UPSERT } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, commitsOf, openSmall, readAll, room, schema, stage } from "./harness.ts";

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
  test("keep thousands of commits of a topic apart, with some taken back, and again behind it", async () => {
    const log = await openSmall(new SimulatedDisk(), { segmentBytes: 4 << 20, groupBytesMax: 4 << 20 });
    const expected: string[] = [];
    for (const commits of [5000, 3, 300, 1, 5000]) {
      await room(log, 512 * 1024);
      for (let i = 0; i < commits; i++) {
        const rows = Array.from({ length: 1 + (i % 3) }, (_, r) => ({ topicId: 1, id: i + r, note: "n" }));
        if (i % 7 === 3) {
          const draft = log.begin();
          for (const { id } of rows)
            draft.appendRow(1, { id, note: "gone" }, i % 2 === 0 ? OP_UPSERT : OP_DELETE);
          draft.rollback();
        }
        const { position } = stage(log, rows);
        expected.push(`${position}: ${rows.map(({ id }) => id)}`);
      }
      log.seal();
    }
    await append(log, [{ topicId: 2, id: 0, note: null }]);
    const read = (await readAll(log)).slice(0, -1);
    expect(read.map(({ position, rows }) => `${position}: ${rows.map((row) => row.split(" ")[1])}`)).toEqual(
      expected,
    );
    await log.close();
  });

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
