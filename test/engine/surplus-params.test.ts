/** Parameters that no statement names are refused as PostgreSQL refuses them; nothing of the request is done. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const table = "CREATE TABLE t (a int)";
let lite: PGlite;
let db: Database;

beforeAll(async () => {
  lite = await PGlite.create();
  await lite.exec(table);
  db = await openInMemory();
  await sql(db, table);
});

afterAll(async () => {
  await lite.close();
  await db.close();
});

async function theirs(text: string, params: readonly unknown[]): Promise<string | null> {
  try {
    await lite.query(text, [...params]);
    return null;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

it.each([
  ["SELECT 1", []],
  ["SELECT 1", [1]],
  ["SELECT $1::int", [1]],
  ["SELECT $1::int", [1, 2]],
  ["SELECT $1::int + (SELECT max(a) FROM t WHERE a < $2)", [1, 2]],
  ["SELECT $1::int + (SELECT max(a) FROM t WHERE a < $2)", [1, 2, 3]],
  ["INSERT INTO t VALUES ($1)", [1, null]],
  ["WITH x AS (SELECT a FROM t LIMIT $2) SELECT a FROM x WHERE a = $1", [1, 1]],
] as const)("%s with %j", async (text, params) => {
  const expected = await theirs(text, params);
  // Also once its tree is kept.
  for (let i = 0; i < 4; i++) expect((await db.sql(text, { params })).error?.sqlstate ?? null).toBe(expected);
});

it("counts the parameters of all statements before any of them is run", async () => {
  const text = "INSERT INTO t VALUES ($2); SELECT $1::int";
  expect((await db.sql(text, { params: [1, 2, 3] })).error).toMatchObject({
    code: "protocol_violation",
    sqlstate: "08P01",
    message: "3 parameters came with SQL that names 2",
  });
  expect(await rowsOf(db, "SELECT a FROM t")).toEqual([]);
  expect((await db.sql(text, { params: [1, 2] })).error).toBeUndefined();
  expect(await rowsOf(db, "SELECT a FROM t")).toEqual([["2"]]);
});

it("of COPY too", async () => {
  const thrown = await db.copy("COPY t FROM STDIN", { params: [1] }).catch((error: unknown) => error);
  expect(thrown).toBeInstanceOf(EvertError);
  expect(thrown).toMatchObject({ sqlstate: "08P01" });
});
