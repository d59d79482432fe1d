/**
 * Commits that are large beside the memory limit were refused, or waited, where they should not: a deletion was, though it frees memory; what fits into slots that are free was, where the state had gone
 * beyond the limit; and one that came before the rows were freed which the one before had replaced. A step that takes longer than ten seconds was told as a timeout
 * of reads.
 */
import { afterEach, beforeEach, expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import { CommitRoom } from "../../src/engine/write/commit-room.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const LIMIT = 4 << 20;

let db: Database;
beforeEach(async () => {
  db = await openInMemory(new SimulatedDisk(), { memoryLimit: LIMIT });
});

afterEach(() => db.close());

const numbered = (count: number, a: number) =>
  Array.from({ length: count }, (_, k) => ({ k, a, b: a, c: a }));

test("a deletion is taken from a table that is full, whatever its keys are", async () => {
  await sql(db, "CREATE TABLE t (k text PRIMARY KEY, a int4); CREATE INDEX i ON t (a)");
  const fill = async (): Promise<never> => {
    for (let from = 0; ; from += 500) {
      const key = (i: number) => `a key that is rather long ${from + i}`;
      await db.append(
        "t",
        Array.from({ length: 500 }, (_, i) => ({ k: key(i), a: i })),
      );
      await db.settled();
    }
  };
  await expect(fill()).rejects.toMatchObject({ code: "out_of_memory" });
  const [[count] = []] = await rowsOf(db, "SELECT count(*) FROM t");
  expect(Number(count)).toBeGreaterThan(10_000);
  await sql(db, "DELETE FROM t WHERE a >= 0");
  await db.settled();
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["0"]]);
});

test("what replaces all rows finds the room of those that the one before replaced", async () => {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4, b int4, c int4); CREATE INDEX i ON t (a)");
  await Promise.all(Array.from({ length: 10 }, (_, a) => db.append("t", numbered(16_000, a))));
  await db.settled();
  expect(await rowsOf(db, "SELECT count(*), sum(c) FROM t")).toEqual([["16000", "144000"]]);
  // Rows of two of them at most. With those of three or four, that nobody had freed yet, the table kept more than the limit for good, and queries were refused.
  expect(db.core.tables.store(db.core.catalog.topic("t").id)?.highWater).toBe(32_000);
});

test("what fits into free slots is taken where all that the limit allows is taken", async () => {
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4, b int4, c int4); CREATE INDEX i ON t (a)");
  for (let a = 0; a < 2; a++) await db.append("t", numbered(20_000, a));
  await db.settled();
  await db.core.stepper.swept();
  const { circuit } = db.core;
  const used = { value: LIMIT * 1.5 };
  const room = new CommitRoom({
    publisher: db.core.publisher,
    stepper: db.core.stepper,
    tables: db.core.tables,
    catalog: db.core.catalog,
    circuit: {
      keptRows: (bytesMin: number) => circuit.keptRows(bytesMin),
      madeOf: (id: number) => circuit.madeOf(id),
      bytesOfQueries: 0,
      cooling: null,
      memory: Object.create(circuit.memory, { used, usedNow: used, bytes: { value: LIMIT } }),
    },
  });
  const part = (rows: readonly unknown[]) => [
    { topic: db.core.catalog.topic("t"), op: "upsert" as const, rows, path: "t" },
  ];
  const { freeSlots } = db.core.tables.store(db.core.catalog.topic("t").id) ?? { freeSlots: 0 };
  expect(freeSlots).toBeGreaterThan(10_000);
  room.refuse(part(numbered(freeSlots, 3)));
  expect(() => room.refuse(part(numbered(freeSlots + 10, 3)))).toThrow(
    "the commit has no room below the memory limit",
  );
});

test("a large commit waits for a step that takes long, and is told that nothing of it is stored where what is stepped is not durable", async () => {
  let position = 0;
  let asked = 0;
  const room = new CommitRoom({
    circuit: db.core.circuit,
    catalog: db.core.catalog,
    tables: db.core.tables,
    stepper: {
      get position() {
        return position;
      },
      swept: () => null,
      partRows: () => Number.POSITIVE_INFINITY,
    },
    publisher: {
      published: { position: 0 },
      waitFor: async () => {
        if (++asked === 3) position = 7;
        throw new EvertError("timeout", "position 7 was not reached within 10000 ms");
      },
    },
  });
  room.staged(7);
  await expect(room.wait()).rejects.toMatchObject({
    code: "timeout",
    detail: expect.stringContaining("Nothing of this commit is stored"),
  });
  expect(asked).toBe(3);
});
