/** A query that read a stream from the log while DROP TABLE was done was refused as a bug of Evert's ("what is fed is a topic"; seed 64750). */
import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { openInMemory, sql } from "../engine/support/memory.ts";

test("who reads what is dropped meanwhile is told so", async () => {
  const db = await openInMemory();
  const codes = new Set<string | undefined>();
  for (let turns = 0; turns < 20; turns++) {
    await sql(db, "CREATE TABLE s (a int4) WITH (append_only); INSERT INTO s VALUES (1)");
    const dropped = sql(db, "DROP TABLE s");
    for (let i = 0; i < turns; i++) await turn();
    const { error } = await db.sql("SELECT a FROM s");
    codes.add(error?.code);
    await dropped;
  }
  expect([...codes]).toEqual(["undefined_table"]);
  await db.close();
});
