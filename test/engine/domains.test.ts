/** Domains, as text, PostgreSQL as the judge: what each statement answers, or its SQLSTATE and message, and what the tables hold then. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf } from "./support/memory.ts";

const statements = [
  "CREATE DOMAIN posint AS int CHECK (value > 0)",
  "CREATE DOMAIN small AS posint CONSTRAINT below CHECK (VALUE < 100)",
  "CREATE DOMAIN code AS varchar(5) NOT NULL CHECK (value ~ '^[A-Z]+$') CHECK (length(value) > 1)",
  "CREATE DOMAIN price AS numeric(6,2) CONSTRAINT b CHECK (value >= 0) CONSTRAINT a CHECK (value <> 13)",
  "CREATE DOMAIN nothing AS int CHECK (other > 0)",
  "CREATE DOMAIN nothing AS int CHECK (value + 1)",
  "CREATE DOMAIN nothing AS int NOT NULL NULL",
  "CREATE DOMAIN nothing AS int PRIMARY KEY",
  "CREATE DOMAIN nothing AS absent",
  "CREATE DOMAIN posint AS text",
  "SELECT 5::posint, '7'::small + 1, CAST(3 AS small) * 2.5, NULL::posint IS NULL",
  "SELECT 0::posint",
  "SELECT (-1)::small",
  "SELECT 100::small",
  "SELECT 'x'::posint",
  "SELECT 'AB'::code || '!', length('ABC'::code)",
  "SELECT 'A'::code",
  "SELECT 'ab'::code",
  "SELECT 'ABCDEFG'::code",
  "SELECT NULL::code",
  "SELECT 13::price",
  "SELECT (-1)::price",
  "SELECT 12.345::price",
  "SELECT 1::posint(3)",
  "SELECT x::posint FROM (VALUES (1), (2)) v (x)",
  "SELECT x::posint FROM (VALUES (1), (0)) v (x)",
  "CREATE TABLE t (k int PRIMARY KEY, p posint, s small DEFAULT 5, c code DEFAULT 'ZZ')",
  "INSERT INTO t VALUES (1, 2, 3, 'AB')",
  "INSERT INTO t (k, p) VALUES (2, NULL)",
  "INSERT INTO t VALUES (3, 0)",
  "INSERT INTO t VALUES (3, 1, 100)",
  "INSERT INTO t VALUES (3, 1, 1, NULL)",
  "INSERT INTO t VALUES (3, 1, 1, 'abc')",
  "INSERT INTO t VALUES (3, 'x')",
  "INSERT INTO t SELECT k + 10, k, k * 2, 'ABC' FROM t",
  "INSERT INTO t SELECT k + 20, k - 1 FROM t",
  "UPDATE t SET p = p - 1 WHERE k = 1",
  "UPDATE t SET p = p - 1 WHERE k = 1",
  "UPDATE t SET (s, c) = (99, 'QQ') WHERE k = 2 RETURNING *",
  "UPDATE t SET (s, c) = (SELECT 100, 'QQ') WHERE k = 2",
  "UPDATE t SET c = DEFAULT WHERE k = 1",
  "INSERT INTO t VALUES (1) ON CONFLICT (k) DO UPDATE SET p = 0",
  "SELECT p + s, p = 1, coalesce(p, 7), max(s) OVER () FROM t ORDER BY k",
  "SELECT s, count(*) FROM t GROUP BY s ORDER BY s",
  "CREATE DOMAIN five AS int DEFAULT 5",
  "CREATE DOMAIN also_five AS five",
  "CREATE DOMAIN seven AS five DEFAULT 3 + 4 CHECK (value > 6)",
  "CREATE DOMAIN low AS int CHECK (value > 0) DEFAULT -1 NOT NULL",
  "CREATE DOMAIN word AS varchar(5) DEFAULT lower('ABC') || ')' CONSTRAINT short CHECK (length(value) < 5)",
  "CREATE DOMAIN nothing AS int DEFAULT 'x'",
  "CREATE DOMAIN nothing AS int DEFAULT 1 DEFAULT 2",
  "CREATE DOMAIN nothing AS int DEFAULT true",
  "CREATE DOMAIN none AS five DEFAULT NULL",
  "CREATE TABLE d (k int PRIMARY KEY, a five, b also_five, c seven, e low, f five DEFAULT 8, g five DEFAULT NULL, h none, w word)",
  "INSERT INTO d (k, e) VALUES (1, 3)",
  "INSERT INTO d (k) VALUES (2)",
  "INSERT INTO d VALUES (3, DEFAULT, NULL, 9, 1)",
  "UPDATE d SET a = 1, c = DEFAULT WHERE k = 3",
  "INSERT INTO d (k, e) SELECT 4, 4",
  "SELECT * FROM d ORDER BY k",
  "DROP TABLE d",
  "DROP DOMAIN posint",
  "DROP DOMAIN absent",
  "DROP DOMAIN IF EXISTS absent",
  "DROP DOMAIN price",
  "SELECT 1::price",
];

let lite: PGlite;
let db: Database;
const disk = new SimulatedDisk();

beforeAll(async () => {
  lite = await PGlite.create();
  db = await openInMemory(disk);
});

afterAll(async () => {
  await lite.close();
  await db.close();
});

const parsers = Object.fromEntries(
  [16, 20, 21, 23, 25, 700, 701, 1043, 1700].map((oid) => [oid, (v: string) => v]),
);

async function theirs(statement: string) {
  try {
    const { rows } = await lite.query<unknown[]>(statement, [], { rowMode: "array", parsers });
    return { refused: null, message: null, rows };
  } catch (error) {
    const { code, message } = error as { code: string; message: string };
    return { refused: code, message, rows: [] };
  }
}

it("answers what PostgreSQL does, also after a start", async () => {
  for (const statement of statements) {
    const judged = await theirs(statement);
    const { results, error } = await db.sql(statement);
    expect({ refused: error?.sqlstate ?? null, statement, said: error?.message }).toEqual({
      refused: judged.refused,
      statement,
      said: error?.message,
    });
    if (["23514", "23502"].includes(judged.refused ?? "")) expect(error!.message).toBe(judged.message);
    if (error === undefined) expect(results[0]!.rowsText(), statement).toEqual(judged.rows);
  }
  const rows = await rowsOf(db, "SELECT * FROM t ORDER BY k");
  expect(rows).toEqual((await theirs("SELECT * FROM t ORDER BY k")).rows);
  await db.close();
  db = await openInMemory(disk);
  expect(await rowsOf(db, "SELECT * FROM t ORDER BY k")).toEqual(rows);
  expect((await db.sql("INSERT INTO t VALUES (99, 0)")).error).toMatchObject({
    sqlstate: "23514",
    message: 'value for domain posint violates check constraint "posint_check"',
  });
});

it("holds for what is copied and appended", async () => {
  const call = await db.copy("COPY t (k, p) FROM STDIN");
  if (call.direction !== "in") throw new Error("it copies out");
  await expect(call.write(new TextEncoder().encode("200\t1\n201\t-1\n"))).rejects.toMatchObject({
    sqlstate: "23514",
    detail: 'COPY t, line 2, column p: "-1"',
  });
  const refused = {
    sqlstate: "23514",
    message: 'value for domain posint violates check constraint "posint_check"',
  };
  await expect(
    db.append("t", [
      { k: 300, p: 1, c: "AB" },
      { k: 301, p: -1, c: "AB" },
    ]),
  ).rejects.toMatchObject(refused);
  await expect(db.transact([{ topic: "t", upsert: [{ k: 300, p: -1, c: "AB" }] }])).rejects.toMatchObject(
    refused,
  );
  expect(await rowsOf(db, "SELECT * FROM t WHERE k >= 300")).toEqual([]);
  await db.append("t", [{ k: 300, p: 1, c: "AB" }]);
  expect(await rowsOf(db, "SELECT k, p FROM t WHERE k >= 300")).toEqual([["300", "1"]]);
  await db.deleteKey("t", 1);
});
