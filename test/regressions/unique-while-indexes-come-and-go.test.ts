/**
 * Of two unique indexes being made on one table, the second took the place of what held commits to the first. And where an index came or went, rows that
 * were staged and not yet stepped kept the values that they had been noted under for the indexes before, or were forgotten.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

async function opened() {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, a int, b int); INSERT INTO t VALUES (1, 7, 7)");
  const { id, schema } = db.core.catalog.topic("t");
  const hold = (name: string) => {
    const columns = [schema.fields.findIndex((field) => field.name === name)];
    return db.core.tables.holdUnique(id, {
      name: `t_${name}`,
      columns,
      nullsNotDistinct: false,
      isIndex: true,
    });
  };
  return { db, hold };
}

function refusedBy(name: string) {
  return { code: "unique_violation", message: expect.stringContaining(`"t_${name}"`) };
}

const append = (db: Database, id: number, a: number, b: number) => db.append("t", [{ id, a, b }]);

it("each index that is being made holds commits, whatever else is made meanwhile", async () => {
  const { db, hold } = await opened();
  const a = hold("a");
  const b = hold("b");
  await expect(append(db, 2, 7, 2)).rejects.toMatchObject(refusedBy("a"));
  await expect(append(db, 2, 2, 7)).rejects.toMatchObject(refusedBy("b"));
  await sql(db, "CREATE UNIQUE INDEX other ON t (id, a)");
  await expect(append(db, 2, 7, 2)).rejects.toMatchObject(refusedBy("a"));
  await sql(db, "DROP INDEX other");
  await expect(append(db, 2, 7, 2)).rejects.toMatchObject(refusedBy("a"));
  a.release();
  await expect(append(db, 2, 7, 7)).rejects.toMatchObject(refusedBy("b"));
  b.release();
  await append(db, 2, 7, 7);
  await db.close();
});

it("rows that are staged while an index goes are held to those that stay, under their own values", async () => {
  const { db, hold } = await opened();
  const { log, stepper } = db.core;
  const a = hold("a");
  hold("b");
  const staged = append(db, 2, 10, 20);
  while (log.lastPosition === stepper.position) await Promise.resolve();
  a.release();
  const twins = [append(db, 3, 1, 20), append(db, 4, 2, 10)];
  await expect(twins[0]).rejects.toMatchObject(refusedBy("b"));
  await Promise.all([staged, twins[1]]);
  await db.close();
});

it("a commit that is judged piece by piece while an index goes is held to those that stay", async () => {
  const { db, hold } = await opened();
  const a = hold("a");
  hold("b");
  const rows = Array.from({ length: 5_000 }, (_, i) => ({ id: 10 + i, a: 10 + i, b: 10_000 + i }));
  const before = db.core.log.lastPosition;
  const staged = db.append("t", rows);
  for (let turn = 0; turn < 10; turn++) await nextTurn();
  expect(db.core.log.lastPosition).toBe(before);
  a.release();
  const twin = append(db, 3, 1, 10_000 + 4_999);
  await expect(twin).rejects.toMatchObject(refusedBy("b"));
  await staged;
  await db.close();
});
