/** PostgreSQL takes basic regular expressions, by the option b or by (?b): here they are refused as what is not there (0A000), and not called a bad option. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory } from "../engine/support/memory.ts";

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
});

afterAll(() => db.close());

it.each([
  ["SELECT regexp_like('a', 'a', 'b')", "0A000"],
  ["SELECT regexp_replace('a', 'a', 'x', 'gb')", "0A000"],
  ["SELECT 'a' ~ '(?b)a'", "0A000"],
  ["SELECT regexp_like('a', 'a', 'z')", "22023"],
  ["SELECT 'a' ~ '(?z)a'", "2201B"],
])("%s: %s", async (query, sqlstate) => {
  const { error } = await db.sql(query);
  expect(error).toMatchObject({ sqlstate });
});
