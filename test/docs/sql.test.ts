/** The examples of docs/SQL.md: each is a view that can be made, a definition that is done, or is refused by name. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { standardTables } from "../engine/support/standard-tables.ts";

const text = readFileSync(join(import.meta.dirname, "../../docs/SQL.md"), "utf8");

/** The examples of some of its sections. */
function examplesOf(wanted: (section: string) => boolean) {
  const sections = text.split(/^## /m).filter((section) => wanted(/^.*/.exec(section)![0]));
  return [...sections.join("").matchAll(/^\| (.*?) \| `([^`]+)` \| (yes|0A000) \|$/gm)].map((m) => ({
    what: m[1]!,
    example: m[2]!.replaceAll("\\|", "|"),
    answer: m[3]!,
  }));
}

// Those of "Statements" are one history: sql-statements.test.ts.
const examples = examplesOf((section) => !["Statements", "Constraints and indexes"].includes(section));
const constraints = examplesOf((section) => section === "Constraints and indexes");

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

it.each(examples)("$what: $example", async ({ example, answer }) => {
  const { error } = await db.sql(`CREATE MATERIALIZED VIEW v AS ${example}`);
  if (answer === "yes") {
    expect(error).toBeUndefined();
    await sql(db, "DROP MATERIALIZED VIEW v");
  } else {
    expect(error).toMatchObject({ sqlstate: answer });
  }
});

it.each(constraints)("$what: $example", async ({ example, answer }) => {
  const fresh = await openInMemory();
  for (const table of standardTables) await sql(fresh, table);
  await sql(fresh, "CREATE TABLE s (k int, at timestamptz) WITH (append_only)");
  const { error } = await fresh.sql(example);
  expect(error?.sqlstate ?? "yes").toBe(answer);
  await fresh.close();
});

it("every table of examples is walked", () => {
  const rows = text.split("\n").filter((line) => /\| (yes|0A000) \|$/.test(line));
  const statements = examplesOf((section) => section === "Statements");
  expect(examples.length + constraints.length + statements.length).toBe(rows.length);
  expect(constraints.length).toBeGreaterThan(10);
});
