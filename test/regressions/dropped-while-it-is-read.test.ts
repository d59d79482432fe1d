/** Who read a stream while DROP TABLE was done was refused as a bug of Evert's: a query ("what is fed is a topic"; seed 64750), and a reader of its records, where its columns had changed meanwhile (seed 7300033 of copies). */
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
  // One that was quick enough has its rows: the drop is made when it is durable.
  expect([...codes].filter((code) => code !== undefined)).toEqual(["undefined_table"]);
  await db.close();
});

test("so is who reads its records, in columns that it had in between", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE s (a int4) WITH (append_only); INSERT INTO s VALUES (1)");
  const reading = db.readTopic("s", { follow: true })[Symbol.asyncIterator]();
  expect((await reading.next()).value).toMatchObject({ valueJson: '{"a":1}' });
  await sql(db, "ALTER TABLE s ADD COLUMN b int4; INSERT INTO s VALUES (2, 3); DROP TABLE s");
  await expect(reading.next()).rejects.toMatchObject({
    code: "undefined_table",
    message: '"s" was dropped while it was read',
  });
  await db.close();
});
