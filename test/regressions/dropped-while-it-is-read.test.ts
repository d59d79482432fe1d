/** A query that read a stream from the log while DROP TABLE was done was refused as a bug of Evert's ("what is fed is a topic"; seed 64750). */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("who reads what is dropped meanwhile is told so", async () => {
  const db = await openInMemory();
  const codes = new Set<string | undefined>();
  // It has to meet the drop between planning and reading.
  for (let round = 0; round < 60; round++) {
    await sql(db, "CREATE TABLE s (a int4) WITH (append_only)");
    for (let a = 0; a < 3; a++) await sql(db, `INSERT INTO s VALUES (${a})`);
    const dropped = sql(db, "DROP TABLE s");
    for (let i = 0; i < round % 20; i++) await turn();
    const { error } = await db.sql("SELECT a FROM s");
    codes.add(error?.code);
    await dropped;
  }
  expect([...codes]).toEqual(["undefined_table"]);
  await db.close();
});
