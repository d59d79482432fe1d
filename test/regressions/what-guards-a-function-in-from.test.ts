/**
 * WHERE jsonb_typeof(j) = 'array' is how rows are kept from a function that takes arrays only. The function was called for all rows
 * and failed; only a condition on what it gives may come behind it. And json_to_record of null is a row of nulls, not no row.
 */
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

let db: Database;

beforeEach(async () => {
  db = await openInMemory();
  await sql(db, "CREATE TABLE d (id int PRIMARY KEY, j jsonb, n int)");
  await sql(
    db,
    `INSERT INTO d VALUES (1, '{"a": 1, "b": "x"}', 0), (2, '[1, 2]', 3), (3, NULL, NULL), (4, '{"a": 2}', -1)`,
  );
});

afterEach(() => db.close());

/** Columns with commas between; a null is nothing. */
const sorted = async (query: string) => (await rowsOf(db, query)).map((row) => row.join()).sort();

it.each<[string, string[]]>([
  ["SELECT id, e FROM d, jsonb_array_elements(j) e WHERE jsonb_typeof(j) = 'array'", ["2,1", "2,2"]],
  ["SELECT id, e FROM d, jsonb_array_elements(j) e WHERE jsonb_typeof(j) = 'array' AND e > '1'", ["2,2"]],
  ["SELECT id, k FROM d, jsonb_object_keys(j) k WHERE id IN (1, 4)", ["1,a", "1,b", "4,a"]],
  ["SELECT id, x.a FROM d, jsonb_to_record(j) AS x (a int, b text) WHERE id <> 2", ["1,1", "3,", "4,2"]],
  [
    "SELECT id, x.a FROM d LEFT JOIN LATERAL jsonb_to_recordset(j) AS x (a int) ON true WHERE j IS NULL",
    ["3,"],
  ],
  ["SELECT id, s FROM d, generate_series(1, 6 / n) s WHERE n > 0", ["2,1", "2,2"]],
  ["SELECT * FROM json_to_record(NULL) AS x (a int, b text)", [","]],
  ["SELECT * FROM json_to_recordset(NULL) AS x (a int, b text)", []],
])("%s", async (query, rows) => {
  expect(await sorted(query)).toEqual(rows);
  await sql(db, `CREATE MATERIALIZED VIEW v AS ${query}`);
  expect(await sorted("SELECT * FROM v")).toEqual(rows);
});

it("asks nothing of a row before the function that reads what the function gives", async () => {
  await expect(rowsOf(db, "SELECT id, e FROM d, jsonb_array_elements(j) e WHERE e > '1'")).rejects.toThrow(
    "cannot extract elements from an object",
  );
});
