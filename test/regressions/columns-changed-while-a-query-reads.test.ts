/**
 * A query read a stream record by record, each in the columns that the stream had by then: where one was dropped or got another type meanwhile, later rows had nulls in its place, at a position at which
 * they had values (seed 8500004 of copies, once it looked at what is read while columns change).
 */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { sql } from "../engine/support/memory.ts";

/** Of many frames: they are read in several turns of the event loop. */
async function opened(rows: number, commits: number): Promise<Database> {
  const db = await openEngine({ directory: "/data", disk: new SimulatedDisk(), checkpointIntervalMs: 0 });
  await sql(db, "CREATE TABLE s (a int4, b int4) WITH (append_only)");
  for (let n = 0; n < commits; n++) {
    await db.append(
      "s",
      Array.from({ length: rows }, (_, i) => ({ a: n * rows + i, b: 1 })),
    );
  }
  await db.settled();
  return db;
}

test("a query has the values of a column whose type is changed while it reads", async () => {
  const db = await opened(1, 40);
  let type = "int8";
  // It has to meet the change between two records.
  for (let round = 0; round < 12; round++) {
    const read = db.sql("SELECT a, b FROM s");
    for (let i = 0; i < round; i++) await turn();
    await sql(db, `ALTER TABLE s ADD COLUMN c${round} int4, ALTER b TYPE ${type}`);
    const { results, error } = await read;
    expect(error).toBeUndefined();
    expect(results[0]?.rowsJson.filter((row) => row.includes("null"))).toEqual([]);
    expect(results[0]?.rowsJson).toHaveLength(40);
    await sql(db, `ALTER TABLE s DROP COLUMN b, ADD COLUMN b int4 DEFAULT 1`);
    type = type === "int8" ? "numeric" : "int8";
  }
  await db.close();
});

test("it is told where the column is dropped, and reads what there is where it asks for that", async () => {
  const db = await opened(1, 40);
  const said = new Set<string | undefined>();
  for (let round = 0; round < 12; round++) {
    const reads = [db.sql("SELECT a, b FROM s"), db.sql("SELECT * FROM s")] as const;
    for (let i = 0; i < round; i++) await turn();
    await sql(db, "ALTER TABLE s DROP COLUMN b, ADD COLUMN other int4 DEFAULT 1");
    const [named, all] = await Promise.all(reads);
    said.add(named.error?.code);
    for (const { results, error } of [named, all]) {
      if (error !== undefined) continue;
      expect(results[0]?.rowsJson.filter((row) => row.includes("null"))).toEqual([]);
    }
    expect(all.error).toBeUndefined();
    await sql(db, "ALTER TABLE s DROP COLUMN other, ADD COLUMN b int4 DEFAULT 1");
  }
  for (const code of said) expect([undefined, "undefined_column"]).toContain(code);
  await db.close();
});

test("so has one whose rows are sent as they are read, where none has been sent yet", async () => {
  const db = await opened(1, 40);
  let type = "int8";
  for (let round = 0; round < 24; round++) {
    const altered = sql(db, `ALTER TABLE s ALTER b TYPE ${type}`);
    for (let i = 0; i < round; i++) await turn();
    const query = "SELECT b, count(*) AS n FROM s GROUP BY b";
    const [{ flowing, error }, copied] = await Promise.all([
      db.sql(query, { flowing: true }),
      db.copy(`COPY (${query}) TO STDOUT`),
    ]);
    await altered;
    const lines: string[] = [];
    if (copied.direction === "out") for await (const piece of copied.pieces) lines.push(String(piece));
    expect(lines).toEqual(["1\t40\n"]);
    expect(error).toBeUndefined();
    const pieces: string[] = [];
    for await (const piece of flowing!.pieces("json", (row) => `${row}\n`)) pieces.push(piece);
    expect(pieces).toEqual([expect.stringMatching(/^\["?1"?,"?40"?\]\n$/)]);
    await sql(db, `ALTER TABLE s DROP COLUMN b, ADD COLUMN b int4 DEFAULT 1`);
    type = type === "int8" ? "numeric" : "int8";
  }
  await db.close();
});

test("who takes its rows one after the other is told that they are not all as they were", async () => {
  const db = await opened(500, 20);
  const { flowing } = await db.sql("SELECT a, b FROM s", { flowing: true });
  let taken = 0;
  const take = async (): Promise<void> => {
    for await (const _ of flowing!.pieces("json", (row) => `${row}\n`))
      if (taken++ === 0) await sql(db, "ALTER TABLE s DROP COLUMN b");
  };
  await expect(take()).rejects.toMatchObject({ code: "conflict" });
  await db.close();
});
