/**
 * A commit was refused for a row that was staged and not durable yet, and a statement that found it, and had nothing to store, said so: when the disk failed then, or a leader whose replicas did
 * not have the row, somebody had been told of a row that never was.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

const statements: readonly string[] = [
  "INSERT INTO t VALUES (1, 5)",
  "INSERT INTO t VALUES (1, 5) ON CONFLICT DO NOTHING",
  "UPDATE t SET s = 9 WHERE id = 0 AND s = 0",
  "BEGIN; DELETE FROM other; SELECT s FROM t; ROLLBACK",
  "BEGIN; DELETE FROM other; SELECT s FROM t; COMMIT",
  "BEGIN; DELETE FROM other; SELECT s FROM t; SELECT 1 / 0; COMMIT",
];

it("nobody is told of a row that the disk did not take", async () => {
  for (const told of ["append", ...statements]) {
    const disk = new SimulatedDisk();
    const db = await openInMemory(disk);
    await sql(
      db,
      "CREATE TABLE t (id int4 PRIMARY KEY, s int4 UNIQUE); CREATE TABLE other (id int4 PRIMARY KEY)",
    );
    await db.append("other", [{ id: 1 }]);
    await db.append("t", [{ id: 0, s: 0 }]);
    disk.fail({ operation: "datasync", path: /\/log\//, code: "EIO" });
    const codes: unknown[] = [];
    const code = (error: { code?: unknown }): unknown => codes.push(error.code);
    const first = [db.append("t", [{ id: 1, s: 1 }]).catch(code)];
    if (told.startsWith("UPDATE")) first.push(db.append("t", [{ id: 0, s: 7 }]).catch(code));
    const answer =
      told === "append"
        ? db.append("t", [{ id: 2, s: 1 }]).catch(code)
        : db.sql(told).then(({ error, results }) => codes.push(error?.code, ...results));
    await Promise.all([...first, answer]);
    expect(new Set(codes), told).toEqual(new Set(["io_error"]));
    await db.close().catch(() => {});
  }
});

it("a refusal comes once what it follows from is durable", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int4 PRIMARY KEY, s int4 UNIQUE)");
  const order: string[] = [];
  await Promise.all([
    db.append("t", [{ id: 1, s: 1 }]).then(() => order.push("stored")),
    db.append("t", [{ id: 2, s: 1 }]).catch(({ code }: { code: string }) => order.push(code)),
    db.sql("INSERT INTO t VALUES (1, 3)").then(({ error }) => order.push(String(error?.code))),
  ]);
  expect(order).toEqual(["stored", "unique_violation", "unique_violation"]);
  await db.close();
});
