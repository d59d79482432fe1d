/** The statements of docs/SQL.md, in order: each is done, or refused by name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { standardTables } from "../engine/support/standard-tables.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/SQL.md"), "utf8");
const section = /^## Statements$(.*?)^## /ms.exec(text)?.[1] ?? "";
const statements = [...section.matchAll(/^\| (.*?) \| `([^`]+)` \| (yes|0A000) \|$/gm)].map((m) => ({
  what: m[1]!,
  statement: m[2]!,
  answer: m[3]!,
}));

let db: Database;

beforeAll(async () => {
  db = await openInMemory();
  for (const table of standardTables) await sql(db, table);
  await sql(db, "CREATE TABLE sunk (k int PRIMARY KEY, c text)");
});

afterAll(() => db.close());

it("there are statements of both kinds", () => {
  expect(statements.filter((s) => s.answer === "yes").length).toBeGreaterThan(15);
  expect(statements.filter((s) => s.answer === "0A000").length).toBeGreaterThan(20);
});

it.each(statements)("$what: $statement", async ({ statement, answer }) => {
  const { error } = await db.sql(statement);
  if (answer === "yes") {
    expect(error).toBeUndefined();
    return;
  }
  expect(error).toMatchObject({ sqlstate: "0A000" });
  expect(error!.message).toMatch(/ is not supported yet$/);
});
