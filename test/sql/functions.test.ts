/**
 * Expressions as text, PostgreSQL as the judge. Each line of functions/*.txt is one expression; blank lines and lines that begin with
 * # are none. Each is asked twice, of PGlite and of ours:
 *
 * 1. as a constant, evaluated by the naive interpreter: the same text, or the same SQLSTATE and message;
 * 2. lifted: its literals become `CASE WHEN v THEN literal END` over a table whose v is true, false and null, so that the compiled loop
 *    computes it over a column with nulls. What a literal's type is may change by that, for PostgreSQL as for us.
 *
 * A line that begins with = is only asked as a constant; one that begins with ~ may differ in the last digits of a float; one that begins with ! is refused here
 * with 0A000, though PostgreSQL knows it.
 */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, describe, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { valueToText } from "../../src/batch/text-form.ts";
import type { Database } from "../../src/engine/database.ts";
import { bindStatement, loadParser, parseStatements } from "../../src/sql/statement.ts";
import { answer, type Facts } from "../dataflow/oracle.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";
import { catalogOf } from "./catalog.ts";

const folder = join(import.meta.dirname, "functions");
const only = process.env["EVERT_FUNCTIONS"];
const files = readdirSync(folder).filter(
  (f) => f.endsWith(".txt") && (only === undefined || f === `${only}.txt`),
);

const tables = `
  create type mood as enum ('sad', 'ok', 'happy');
  create table lifted (id int primary key, v bool);
  insert into lifted values (1, true), (2, false), (3, null);
`;

interface Case {
  readonly line: number;
  readonly mark: "" | "=" | "~" | "!";
  readonly expression: string;
}

function readCases(file: string): Case[] {
  return readFileSync(join(folder, file), "utf8")
    .split("\n")
    .flatMap((text, i) => {
      const found = /^([=~!]?)\s*(.*?)\s*$/.exec(text)!;
      if (found[2] === "" || text.startsWith("#")) return [];
      return [{ line: i + 1, mark: found[1] as Case["mark"], expression: found[2]! }];
    });
}

/** Literals, each with the type written before or behind it. What is no value stands before the alternatives of what is. */
const literals =
  /"[^"]*"|\bfrom\s+'(?:[^']|'')*'(?=\s+for\b)|(\b(?:date|time|timestamp|timestamptz|interval|numeric)\s+)?(?:\b[eE])?'(?:[^']|'')*'(?:::[a-z0-9_]+(?:\(\d+(?:,\d+)?\))?(?:\[\])*)?|::[a-z0-9_]+(?:\(\d+(?:,\d+)?\))?|[a-z_][a-z_0-9]*|\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:::[a-z0-9_]+)?/gi;

function lift(expression: string): string {
  return expression.replace(literals, (token) =>
    /^(?:(?:date|time|timestamp|timestamptz|interval|numeric)\s+)?[eE]?'|^\d/i.test(token)
      ? `(case when v then ${token} end)`
      : token,
  );
}

type Outcome = string | null | readonly (string | null)[];

let judge: PGlite;
let engine: Database;
const catalog = { current: null as ReturnType<typeof catalogOf> | null };
const noFacts: Facts = {
  now: 0,
  stream: () => [],
  table: () => [],
  view: (id) => {
    throw new Error(`no view ${id}`);
  },
};

beforeAll(async () => {
  await loadParser();
  catalog.current = catalogOf(tables.split(";").slice(0, 2).join(";"));
  judge = await PGlite.create();
  await judge.exec(`set timezone = 'UTC'; ${tables}`);
  engine = await openInMemory();
  await sql(engine, tables);
});

afterAll(async () => {
  await engine.close();
  await judge.close();
});

/** Every type the expressions give, so that PGlite leaves its text alone. */
const asText: Record<number, (text: string) => string> = Object.fromEntries(
  [
    ...[16, 17, 20, 21, 23, 25, 114, 700, 701, 1042, 1043, 1082, 1083, 1114, 1184, 1186, 1700, 2950, 3802],
    ...[
      199, 1000, 1001, 1005, 1007, 1009, 1014, 1015, 1016, 1021, 1022, 1115, 1182, 1183, 1185, 1187, 1231,
      2951, 3807,
    ],
  ].map((oid) => [oid, (text: string) => text]),
);

async function theirs(query: string): Promise<Outcome> {
  try {
    const { rows } = await judge.query<(string | null)[]>(query, [], { rowMode: "array", parsers: asText });
    return rows.map((row) => row[0] as string | null);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === undefined) throw error;
    return `${code} ${message}`;
  }
}

function constant(expression: string): Outcome {
  try {
    const statement = bindStatement(parseStatements(`select ${expression}`)[0]!, catalog.current!);
    if (statement.kind !== "select") throw new Error(`not a query: ${expression}`);
    const { plan } = statement.query;
    const { rows, errors } = answer(plan, noFacts);
    const [error] = errors;
    if (error !== undefined) return error;
    return rows.map((row) => valueToText(plan.schema.fields[0]!.type, row[0]!));
  } catch (error) {
    if (error instanceof EvertError) return `${error.sqlstate} ${error.message}`;
    throw error;
  }
}

async function compiled(query: string): Promise<Outcome> {
  const { results, error } = await engine.sql(query);
  if (error !== undefined) return `${error.sqlstate} ${error.message}`;
  return (results[0] as (typeof results)[number]).rowsText().map((row) => row[0] as string | null);
}

/** SQLSTATE and message of a constant; a loop may fail at another row first. */
function same(ours: Outcome, theirs: Outcome, mark: Case["mark"]): boolean {
  if (typeof ours === "string" || typeof theirs === "string" || ours === null || theirs === null)
    return ours === theirs;
  return (
    ours.length === theirs.length &&
    ours.every((x, i) => x === theirs[i] || (mark === "~" && nearly(x, theirs[i] as string | null)))
  );
}

function nearly(a: string | null, b: string | null): boolean {
  const [x, y] = [Number(a), Number(b)];
  return a !== null && b !== null && Math.abs(x - y) <= 1e-12 * Math.max(Math.abs(x), Math.abs(y), 1e-3);
}

describe.each(files)("%s", (file) => {
  const cases = readCases(file);

  it("as constants", async () => {
    const wrong: string[] = [];
    for (const { line, mark, expression } of cases) {
      const right = await theirs(`select ${expression}`);
      const ours = constant(expression);
      const ok =
        mark === "!"
          ? typeof ours === "string" && ours.startsWith("0A000") && Array.isArray(right)
          : same(ours, right, mark);
      if (!ok) wrong.push(`${line}: ${expression}\n   ours   ${show(ours)}\n   theirs ${show(right)}`);
    }
    if (wrong.length > 0) throw new Error(`${wrong.length} of ${cases.length}\n${wrong.join("\n")}`);
  });

  it("over a column with nulls", async () => {
    const wrong: string[] = [];
    for (const { line, mark, expression } of cases) {
      if (mark === "=" || mark === "!") continue;
      const query = `select ${lift(expression)} from lifted order by id`;
      const right = await theirs(query);
      // Both calling it no SQL would say nothing.
      if (typeof right === "string" && right.startsWith("42601 syntax error"))
        throw new Error(`${query}: ${right}`);
      const ours = await compiled(query);
      if (!same(ours, right, mark))
        wrong.push(`${line}: ${query}\n   ours   ${show(ours)}\n   theirs ${show(right)}`);
    }
    if (wrong.length > 0) throw new Error(`${wrong.length} of ${cases.length}\n${wrong.join("\n")}`);
  });
});

function show(outcome: Outcome): string {
  return JSON.stringify(outcome);
}
