/**
 * What PostgreSQL knows and is not here is refused by name, never passed over: a tablespace, an access method, ON COMMIT DROP made a table as if nobody
 * had said it. And old and new in RETURNING, which PostgreSQL 18 has, were said to be no tables.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, a int)");
  await sql(db, "INSERT INTO t VALUES (1, 2)");
});

afterEach(() => db.close());

it.each([
  ["CREATE TABLE x (a int) TABLESPACE fast", "0A000"],
  ["CREATE TABLE x (a int) USING columnar", "0A000"],
  ["CREATE TABLE x (a text STORAGE external)", "0A000"],
  ["CREATE TABLE x (a text COMPRESSION pglz)", "0A000"],
  ["CREATE TABLE x (a int) ON COMMIT DROP", "42P16"],
  ["CREATE MATERIALIZED VIEW x TABLESPACE fast AS SELECT k FROM t", "0A000"],
  ["CREATE MATERIALIZED VIEW x USING heap AS SELECT k FROM t", "0A000"],
  ["UPDATE t SET a = 3 RETURNING old.a", "0A000"],
  ["UPDATE t SET a = 3 RETURNING k, a + new.a", "0A000"],
  ["DELETE FROM t RETURNING old.*", "0A000"],
  ["UPDATE t SET a = 3 RETURNING olds.a", "42P01"],
])("%s: %s", async (query, sqlstate) => {
  const { error } = await db.sql(query);
  expect(error).toMatchObject({ sqlstate });
  expect(db.topics().map(({ name }) => name)).toEqual(["t"]);
  expect(await rowsOf(db, "SELECT k, a FROM t")).toEqual([["1", "2"]]);
});

it.each([
  ["UPDATE t AS old SET a = 3 RETURNING old.a", [["3"]]],
  ["UPDATE t SET a = 3 FROM (VALUES (7)) AS new (b) RETURNING new.b", [["7"]]],
  ["INSERT INTO t VALUES (2, 5) RETURNING t.a", [["5"]]],
])("%s", async (query, rows) => {
  expect(await rowsOf(db, query)).toEqual(rows);
});
