/**
 * `NULL IS DISTINCT FROM x` asks only whether x is null, so PostgreSQL says that it begins at IS; the place of an error was that of NULL.
 * Found by sql/pglite.test.ts, seed 1082933532.
 */
import { expect, it } from "vitest";
import { openInMemory } from "../engine/support/memory.ts";

it.each([
  ["SELECT 1 WHERE (NULL IS DISTINCT FROM 2)::int", "SELECT 1 WHERE (NULL ".length + 1],
  ["SELECT 1 WHERE (2 IS NOT DISTINCT FROM NULL)::int", "SELECT 1 WHERE (".length + 1],
])("the place of the mistake in %s", async (query, position) => {
  const db = await openInMemory();
  const { error } = await db.sql(query);
  expect(error).toMatchObject({ sqlstate: "42804", position });
  await db.close();
});
