/** A view's errors were kept with code, message and detail, and answered without their hints. */
import { expect, it } from "vitest";
import { openInMemory, sql, told } from "../engine/support/memory.ts";

it.each([
  ["format('%', c)", 'For a single "%" use "%%".'],
  [
    "regexp_replace(c, 'a', 'b', '1')",
    "If you meant to use regexp_replace() with a start parameter, cast the fourth argument to integer explicitly.",
  ],
  [
    "(c || '1/32/2024')::date",
    "Write it as ISO 8601, such as 2024-05-06; of 1/5/2024 the month is the first number.",
  ],
])("%s of a row", async (expression, hint) => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, c text)");
  await sql(db, `CREATE MATERIALIZED VIEW v AS SELECT k, ${expression} AS x FROM t`);
  await sql(db, "INSERT INTO t VALUES (1, '')");
  await told(db);
  expect((await db.sql("SELECT * FROM v")).error).toMatchObject({ hint });
  expect((await db.sql(`SELECT ${expression} AS x FROM t`)).error).toMatchObject({ hint });
  await db.close();
});

it.each([
  ["SELECT lenght('a')", "42883", "Did you mean length?"],
  ["SELECT cuont(*)", "42883", "Did you mean count?"],
  [
    "REFRESH MATERIALIZED VIEW v",
    "0A000",
    "A view is always up to date. DROP it and CREATE it WITH (version = '2') to build it anew.",
  ],
])("%s", async (statement, sqlstate, hint) => {
  const db = await openInMemory();
  expect((await db.sql(statement)).error).toMatchObject({ sqlstate, hint });
  await db.close();
});
