/** Every relation and every type of PostgreSQL's system schemas is known by name: it is there, or refused as not there yet, and never "does not exist". */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { bindStatement, loadParser, parseStatements } from "../../src/sql/statement.ts";
import { catalogOf } from "./catalog.ts";

let postgres: PGlite;

beforeAll(async () => {
  await loadParser();
  postgres = await PGlite.create();
});

afterAll(() => postgres.close());

async function names(query: string): Promise<string[]> {
  const { rows } = await postgres.query<{ name: string }>(query);
  return rows.map((r) => r.name);
}

/** SQLSTATE of what is refused; null where it is bound. */
function refused(sql: string): string | null {
  try {
    bindStatement(parseStatements(sql)[0]!, catalogOf(""));
    return null;
  } catch (error) {
    if (error instanceof EvertError) return error.sqlstate;
    throw error;
  }
}

it.each(["pg_catalog", "information_schema"])("relations of %s", async (schema) => {
  const all = await names(
    `SELECT relname AS name FROM pg_class WHERE relnamespace = '${schema}'::regnamespace AND relkind IN ('r', 'v')`,
  );
  expect(all.length).toBeGreaterThan(60);
  expect(all.filter((name) => refused(`SELECT 1 FROM ${schema}."${name}"`) !== "0A000")).toEqual([]);
  if (schema === "pg_catalog")
    expect(all.filter((name) => refused(`SELECT 1 FROM ${name}`) !== "0A000")).toEqual([]);
  expect(refused(`SELECT 1 FROM ${schema}.no_such_relation`)).toBe("42P01");
});

it("types", async () => {
  const all = await names(
    `SELECT typname AS name FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typrelid = 0
       AND typname NOT LIKE '\\_%' AND typname <> 'unknown'`,
  );
  expect(all.length).toBeGreaterThan(90);
  const wrong = all.filter(
    (name) => ![null, "0A000"].includes(refused(`SELECT CAST(NULL AS pg_catalog."${name}")`)),
  );
  expect(wrong).toEqual([]);
  expect(refused("SELECT CAST(NULL AS no_such_type)")).toBe("42704");
});
