/** EMFILE, where the next segment was opened or got its name, ended the log until a restart, though nothing was lost by it: the process had too many connections for a moment. */
import { describe, expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";
import { append, openSmall, readAll, room, stage } from "../log/harness.ts";

const NOTE = "x".repeat(3000);

describe("no descriptor for the next segment", () => {
  for (const skip of [0, 1]) {
    test(`at the opening of its ${skip === 0 ? "first" : "second"} handle`, async () => {
      const disk = new SimulatedDisk();
      const log = await openSmall(disk);
      await append(log, [{ topicId: 1, id: -1, note: NOTE }]);
      const fault = {
        operation: "open",
        path: /next-/,
        code: "EMFILE",
        times: Number.POSITIVE_INFINITY,
      } as const;
      disk.fail({ ...fault, skip });
      let accepted = 1;
      const fill = async (): Promise<void> => {
        for (;;) {
          await room(log, 3000);
          await stage(log, [{ topicId: 1, id: accepted, note: NOTE }]).durable;
          accepted++;
        }
      };
      const refusal = { code: "too_many_files", retryable: true };
      await expect(fill()).rejects.toMatchObject(refusal);
      expect(accepted).toBeGreaterThan(5);
      await expect(log.room(3000)).rejects.toMatchObject(refusal);
      expect(() => stage(log, [{ topicId: 1, id: 0, note: "x".repeat(60_000) }])).toThrow(
        expect.objectContaining(refusal),
      );
      expect(await readAll(log)).toHaveLength(accepted);
      disk.heal();
      for (let i = 0; i < 20; i++) await append(log, [{ topicId: 1, id: -i, note: NOTE }]);
      expect(await readAll(log)).toHaveLength(accepted + 20);
      await log.close();
      const again = await openSmall(disk);
      expect(await readAll(again)).toHaveLength(accepted + 20);
      await again.close();
    });
  }
});

test("what has been accepted needs none: no file and no directory is opened for it", async () => {
  const disk = new SimulatedDisk();
  const log = await openSmall(disk);
  let largest = 0;
  for (let i = 0; i < 60; i++) {
    await room(log, 3000);
    disk.fail({ operation: "open", code: "EMFILE", times: Number.POSITIVE_INFINITY });
    const staged = stage(log, [{ topicId: 1, id: i, note: NOTE }]);
    await staged.durable;
    disk.heal();
    largest = Math.max(largest, log.lastPosition);
  }
  expect(largest).toBe(60);
  expect(disk.files().filter((path) => path.endsWith(".log")).length).toBeGreaterThan(1);
  await log.close();
});

test("a failed sync is believed as before", async () => {
  const disk = new SimulatedDisk();
  const log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 0, note: NOTE }]);
  disk.fail({ operation: "datasync", path: /next-/, code: "EIO" });
  const fill = async (): Promise<void> => {
    for (let i = 1; ; i++) await append(log, [{ topicId: 1, id: i, note: NOTE }]);
  };
  await expect(fill()).rejects.toMatchObject({ code: "io_error" });
  await expect(fill()).rejects.toMatchObject({ code: "io_error" });
  await log.close();
});

test("a database refuses appends, answers reads, and goes on by itself", async () => {
  const disk = new SimulatedDisk();
  const told: string[] = [];
  const db = await openInMemory(disk, { segmentBytes: 1 << 16, report: (message) => told.push(message) });
  await sql(db, "CREATE TABLE t (id int, note text) WITH (append_only)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n FROM t");
  disk.fail({ operation: "open", code: "EMFILE", times: Number.POSITIVE_INFINITY });
  let stored = 0;
  const fill = async (): Promise<void> => {
    for (; ; stored++) await db.append("t", [{ id: stored, note: NOTE }]);
  };
  await expect(fill()).rejects.toMatchObject({ code: "too_many_files", sqlstate: "53000" });
  expect(await rowsOf(db, "SELECT n FROM v")).toEqual([[String(stored)]]);
  disk.heal();
  for (let i = 0; i < 50; i++) await db.append("t", [{ id: -i, note: NOTE }]);
  expect(await rowsOf(db, "SELECT n FROM v")).toEqual([[String(stored + 50)]]);
  // What could not be opened meanwhile is tried again.
  await db.core.log.sealed();
  expect(db.stats()).toMatchObject({ unsealedSegments: 0, sealingFailed: false });
  await db.close();
});
