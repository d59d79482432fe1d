/** The examples of docs/SQL.md: each is a view that can be made, or is refused by name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { standardTables } from "../engine/support/standard-tables.ts";

/** Its statements are run by sql-statements.test.ts. */
const text = readFileSync(join(import.meta.dirname, "../../docs/SQL.md"), "utf8").replace(
  /^## Statements$.*?(?=^## )/ms,
  "",
);
const examples = [...text.matchAll(/^\| (.*?) \| `([^`]+)` \| (yes|0A000) \|$/gm)].map((m) => ({
  what: m[1]!,
  query: m[2]!.replaceAll("\\|", "|"),
  answer: m[3]!,
}));

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
  for (const table of standardTables) await sql(db, table);
  await sql(db, "CREATE TABLE s (k int, at timestamptz) WITH (append_only)");
});

afterAll(() => db.close());

it("there are examples of what is there and of what is not", () => {
  expect(examples.filter((e) => e.answer === "yes").length).toBeGreaterThan(10);
  expect(examples.filter((e) => e.answer === "0A000").length).toBeGreaterThan(5);
});

it.each(examples)("$what", async ({ query, answer }) => {
  const { error } = await db.sql(`CREATE MATERIALIZED VIEW v AS ${query}`);
  if (answer === "yes") {
    expect(error).toBeUndefined();
    await sql(db, "DROP MATERIALIZED VIEW v");
  } else {
    expect(error).toMatchObject({ sqlstate: answer });
  }
});

const statements = [...text.matchAll(/^\| (.*?) \| `([^`]+)` \| (done|refused) \|$/gm)].map((m) => ({
  what: m[1]!,
  statement: m[2]!,
  answer: m[3]!,
}));

it.each(statements)("$what: $statement", async ({ statement, answer }) => {
  const fresh = await openInMemory();
  for (const table of standardTables) await sql(fresh, table);
  await sql(fresh, "CREATE TABLE s (k int, at timestamptz) WITH (append_only)");
  const { error } = await fresh.sql(statement);
  expect(error?.sqlstate ?? "done").toBe(answer === "done" ? "done" : "0A000");
  await fresh.close();
});
