/** Answers are held in memory until they are sent: how much of them there may be, and that they are written one row at a time. */
import { expect, it } from "vitest";
import { openInMemory, sql } from "./support/memory.ts";

it("an answer beyond its bytes is refused, also when several of one request are", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, c text)");
  await sql(db, "INSERT INTO t SELECT g, repeat('x', 1000000) FROM generate_series(1, 100) g");
  const { results, error } = await db.sql("SELECT c FROM t; SELECT c FROM t; SELECT c FROM t; SELECT 1");
  expect(results.map((r) => r.rowCount)).toEqual([100, 100]);
  expect(error).toMatchObject({
    code: "statement_too_complex",
    message: "the answer is larger than 256 MiB",
  });
  // The next request has all of it again.
  expect((await sql(db, "SELECT c FROM t")).rowCount).toBe(100);
  await db.close();
});

it("rows are written when they are taken, in both forms", async () => {
  const db = await openInMemory();
  const result = await sql(db, "SELECT g, NULL, 'a\"b', '{1,2}'::int[], 1.50 FROM generate_series(1, 2) g");
  expect([...result.rowTexts("json")]).toEqual([
    '[1,null,"a\\"b",[1,2],1.50]',
    '[2,null,"a\\"b",[1,2],1.50]',
  ]);
  expect([...result.rowTexts("json")]).toEqual(result.rowsJson);
  expect([...result.rowTexts("text")].map((text) => JSON.parse(text))).toEqual(result.rowsText());
  const [first] = result.rowTexts("text");
  expect(first).toBe('["1",null,"a\\"b","{1,2}","1.50"]');
  await db.close();
});
