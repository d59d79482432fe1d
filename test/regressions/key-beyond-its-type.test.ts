/**
 * A query compared an int4 key with 4294967303 and was given the row of 7: the index keeps 32 bits of an integer, of which the two have the same, and since a row is
 * found by its key alone no filter was left to refuse it. In a list with 7 it had given that row twice before.
 *
 * And an integer of more than 53 bits was not looked for in any index: a row with such a key was found by looking at all.
 */
import { afterEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;

afterEach(async () => {
  await db.close();
});

it("finds no row by a key that it cannot have", async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE t (id int4 PRIMARY KEY, v int2);
     CREATE INDEX ON t (v);
     CREATE TABLE small (id int2 PRIMARY KEY);
     CREATE TABLE amounts (id numeric(8,2) PRIMARY KEY, v numeric(10,2));
     CREATE INDEX ON amounts (v);
     INSERT INTO t VALUES (7, 1), (-1294967296, 2), (2147483647, 3), (-2147483648, 4);
     INSERT INTO small VALUES (7), (32767), (-32768);
     INSERT INTO amounts VALUES (1.5, 2.5), (0.84, 3)`,
  );
  const rows = async (from: string, condition: string): Promise<readonly unknown[]> => {
    const found = await rowsOf(db, `SELECT id FROM ${from} WHERE ${condition} ORDER BY id`);
    expect(found, condition).toEqual(
      await rowsOf(db, `SELECT id FROM ${from} WHERE (${condition}) IS TRUE ORDER BY id`),
    );
    return found.flat();
  };
  expect(await rows("t", "id = 4294967303")).toEqual([]);
  expect(await rows("t", "id = 3000000000")).toEqual([]);
  expect(await rows("t", "id IN (4294967303, 7)")).toEqual(["7"]);
  expect(await rows("t", "id = ANY ('{4294967303,7,NULL}'::int8[])")).toEqual(["7"]);
  expect(await rows("t", "id = 4294967303 OR id = 7")).toEqual(["7"]);
  expect(await rows("t", "id = 4294967303 OR id = 3000000000")).toEqual([]);
  expect(await rows("t", "id = ANY ('{NULL}'::int4[])")).toEqual([]);
  expect(await rows("t", "id IN (2147483647, 2147483648, -2147483648)")).toEqual([
    "-2147483648",
    "2147483647",
  ]);
  expect(await rows("t", "v = 65537")).toEqual([]);
  expect(await rows("t", "v < 65537")).toHaveLength(4);
  expect(await rows("small", "id IN (32768, 32767, -32768, -32769, 65543)")).toEqual(["-32768", "32767"]);
  expect(await rows("amounts", "id IN (184467440737095517.00, 0.84)")).toEqual(["0.84"]);
  expect(await rows("amounts", "v < 1000000000000000000000")).toEqual(["0.84", "1.50"]);
});

it("finds a row by a key that no double holds", async () => {
  db = await openInMemory();
  await sql(
    db,
    `CREATE TABLE posts (id int8 PRIMARY KEY, v int8);
     CREATE INDEX by_v ON posts (v);
     INSERT INTO posts VALUES (9007199254740993, 9007199254740993), (9223372036854775807, 9223372036854775807), (7, 7)`,
  );
  const plan = async (condition: string): Promise<string> =>
    (await rowsOf(db, `EXPLAIN SELECT * FROM posts WHERE ${condition}`)).flat().join("\n");
  const ids = async (rest: string): Promise<unknown[]> =>
    (await rowsOf(db, `SELECT id FROM posts WHERE ${rest}`)).flat();
  expect(await plan("id = 9007199254740993")).toContain("by index posts_pkey: id = 9007199254740993");
  expect(await plan("id = 9223372036854775807 AND v > 3")).toContain("by index posts_pkey");
  expect(await ids("id = 9007199254740993")).toEqual(["9007199254740993"]);
  expect(await ids("id = 9007199254740992")).toEqual([]);
  expect(await ids("id IN (9223372036854775807, 7) ORDER BY id")).toEqual(["7", "9223372036854775807"]);
  expect(await plan("v > 9007199254740992")).toContain("by index by_v");
  expect(await ids("v > 9007199254740992 ORDER BY v LIMIT 1")).toEqual(["9007199254740993"]);
  expect(await ids("v > 9007199254740993")).toEqual(["9223372036854775807"]);
  expect(await ids("v < 9007199254740993")).toEqual(["7"]);
});
