/** A comment behind the expression of a DEFAULT or of a domain's CHECK swallowed what was put behind it: no row could be stored, no domain made. */
import { expect, it } from "vitest";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it.each([
  ["a default", "CREATE TABLE t (k int PRIMARY KEY, b text DEFAULT lower('X') -- as said\n)"],
  ["a check", "CREATE TABLE t (k int PRIMARY KEY, b text DEFAULT 'x' CHECK (b <> ')' -- as said\n))"],
  [
    "a domain",
    "CREATE DOMAIN d AS text CHECK (value <> ')' -- as said\n); CREATE TABLE t (k int PRIMARY KEY, b d DEFAULT 'x')",
  ],
])("of %s", async (_, text) => {
  const engine = await openInMemory();
  await sql(engine, text);
  await sql(engine, "INSERT INTO t (k) VALUES (1)");
  expect(await rowsOf(engine, "SELECT b FROM t")).toEqual([["x"]]);
  await engine.close();
});
