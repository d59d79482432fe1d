/**
 * Every operator and function that PostgreSQL's own catalog lists for types that we have, with the ends of these types: the largest values, infinities, NaN, what is empty, text that is
 * hardly one. PGlite is asked for each, in a block that catches its SQLSTATE; what it answers must be our answer over columns and as a constant, what it refuses our SQLSTATE. What is not
 * there says so (0A000, or 42883 of a function); the lists of functions/ say what must be.
 *
 * A run takes some of the calls: EVERT_CALLS=n another number of them, EVERT_CALLS=all each of them; EVERT_SEED=n others, and other values.
 */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { openInMemory } from "../engine/support/memory.ts";
import { Postgres } from "../engine/support/postgres.ts";
import { seed } from "../support/seed.ts";
import { endsOf, typesByName } from "./ends.ts";

const wanted = process.env["EVERT_CALLS"] ?? "300";
const VALUES_OF_A_CALL = 24;

interface Call {
  readonly name: string;
  readonly args: readonly string[];
  readonly result: string;
  text(args: readonly string[]): string;
}

/** What PostgreSQL says: a value as text, or the SQLSTATE of its error. */
interface Said {
  readonly value: string | null;
  readonly refused: string | null;
}

let postgres: Postgres;
let engine: Database;

beforeAll(async () => {
  postgres = await Postgres.open();
  engine = await openInMemory();
  await postgres.define(`
    CREATE FUNCTION tried(call text, OUT value text, OUT refused text) LANGUAGE plpgsql AS $$
      BEGIN EXECUTE 'SELECT (' || call || ')::text' INTO value; EXCEPTION WHEN OTHERS THEN refused := SQLSTATE; END $$`);
});

afterAll(async () => {
  await engine.close();
  await postgres.close();
});

const operators = `
  SELECT oprname, CASE WHEN oprleft <> 0 THEN format_type(oprleft, NULL) END, format_type(oprright, NULL), format_type(oprresult, NULL)
  FROM pg_operator WHERE oprresult <> 0 ORDER BY 1, 2, 3`;

/** Not those that operators, casts and indexes are made of, nor those that ask the system or the clock; patterns of texts and names of zones have lists of their own. */
const functions = `
  SELECT proname, (SELECT string_agg(format_type(t, NULL), '|' ORDER BY o) FROM unnest(proargtypes) WITH ORDINALITY u (t, o)), format_type(prorettype, NULL)
  FROM pg_proc
  WHERE prokind = 'f' AND provolatile <> 'v' AND NOT proretset AND provariadic = 0 AND pronargs BETWEEN 1 AND 4 AND pronamespace = 'pg_catalog'::regnamespace
    AND oid NOT IN (SELECT oprcode FROM pg_operator) AND NOT (proname = 'age' AND pronargs = 1) AND NOT (proname = 'timezone' AND 'text'::regtype = ANY (proargtypes))
    AND proname !~ '^(pg_|has_|hash|bt|gin|gist|spg|brin|lo_|inet|ts_|obj_|ri_|unicode|timestamptypmod|(repeat|lpad|rpad|power|factorial|to_char|to_number|to_timestamp|to_date)$)'
    AND proname !~ '(in|out|recv|send|_accum|_inv|_combine|transfn|larger|smaller|support|sel|cmp|_subdiff)$'
  ORDER BY 1, 2`;

const fields = ["microseconds", "hour", "day", "dow", "isodow", "doy", "week", "month", "quarter"].concat([
  "year",
  "isoyear",
  "decade",
  "century",
  "millennium",
  "epoch",
  "julian",
  "timezone_hour",
]);
const casts = ["numeric(5,2)", "varchar(2)", "char(3)", "interval day", ...Object.keys(endsOf)];

async function callsOfPostgres(): Promise<Call[]> {
  const calls: Call[] = [];
  const known = (name: string): string => typesByName[name] ?? name;
  const add = (call: Call): void => {
    if (call.args.every((type) => type in endsOf)) calls.push(call);
  };
  for (const [name, left, right, result] of (await postgres.query(operators)).rows as [
    string,
    string | null,
    string,
    string,
  ][]) {
    const args = [...(left === null ? [] : [known(left)]), known(right)];
    const text = (a: readonly string[]) => (left === null ? `${name} ${a[0]}` : `${a[0]} ${name} ${a[1]}`);
    add({ name: `${left ?? ""} ${name} ${right}`, args, result, text });
  }
  for (const [name, types, result] of (await postgres.query(functions)).rows as [string, string, string][]) {
    const args = types.split("|").map(known);
    add({ name: `${name}(${types})`, args, result, text: (a) => `"${name}"(${a.join(", ")})` });
  }
  for (const type of Object.keys(endsOf)) {
    const of = (name: string, count: number, text: (a: readonly string[]) => string, result = type) =>
      add({ name: `${name} ${type}`, args: Array(count).fill(type), result, text });
    for (const to of casts) of(`to ${to}`, 1, ([x]) => `(${x})::${to}`, to);
    of("greatest", 2, ([x, y]) => `greatest(${x}, ${y})`);
    of("nullif", 2, ([x, y]) => `nullif(${x}, ${y})`);
    of("is distinct", 2, ([x, y]) => `(${x} IS DISTINCT FROM ${y})`);
    of("between", 3, ([x, y, z]) => `(${x} BETWEEN SYMMETRIC ${y} AND ${z})`);
    of("in", 3, ([x, y, z]) => `(${x} IN (${y}, ${z}, NULL))`);
    of("json", 2, ([x, y]) => `json_build_array(to_jsonb(${x}), ${y}, ARRAY[${x}])`);
    of("row", 2, ([x, y]) => `ROW(${x}, ${y}, ARRAY[${x}, NULL])::text`);
    of("concat", 2, ([x, y]) => `concat_ws('-', ${x}, NULL, ${y}, format('%L', ${x}))`);
  }
  for (const type of ["date", "time", "timestamp", "timestamptz", "interval"]) {
    for (const field of fields) {
      add({
        name: `extract ${field} ${type}`,
        args: [type],
        result: "numeric",
        text: ([x]) => `extract(${field} FROM ${x})`,
      });
      add({
        name: `date_part ${field} ${type}`,
        args: [type],
        result: "float8",
        text: ([x]) => `date_part('${field}', ${x})`,
      });
      add({
        name: `date_trunc ${field} ${type}`,
        args: [type],
        result: type,
        text: ([x]) => `date_trunc('${field}', ${x})`,
      });
    }
  }
  return calls;
}

function some<T>(random: SeededRandom, of: readonly T[], count: number): T[] {
  const left = [...of];
  const taken: T[] = [];
  while (left.length > 0 && taken.length < count) taken.push(...left.splice(random.below(left.length), 1));
  return taken;
}

function literal(random: SeededRandom, type: string): string {
  const values = endsOf[type] as readonly string[];
  const value = values[random.below(values.length)] as string;
  return random.oneIn(25) ? `NULL::${type}` : `'${value.replaceAll("'", "''")}'::${type}`;
}

async function ask(
  query: string,
): Promise<{ rows: readonly (readonly (string | null)[])[]; refused: string | null }> {
  const { results, error } = await engine.sql(query);
  if (error !== undefined) return { rows: [], refused: error.sqlstate };
  return { rows: results[0]!.rowsText(), refused: null };
}

/** Floats of functions such as sin() may differ in the last digit. */
function same(call: Call, ours: string | null, theirs: string | null): boolean {
  if (ours === theirs || ours === null || theirs === null) return ours === theirs;
  if (!/float|double|real/.test(call.result)) return false;
  return Math.abs(Number(ours) - Number(theirs)) <= 1e-14 * Math.abs(Number(theirs));
}

/** What is wrong with it; null: it is not there. */
async function judge(call: Call, random: SeededRandom): Promise<string[] | null> {
  const rows = Array.from({ length: VALUES_OF_A_CALL }, () => call.args.map((type) => literal(random, type)));
  const first = await ask(`SELECT (${call.text(rows[0]!)})::text`);
  const isFunction = /^"|\bto\b|::/.test(call.text(rows[0]!));
  if (first.refused === "0A000" || (first.refused === "42883" && isFunction)) return null;
  const texts = rows.map((row) => call.text(row));
  const list = texts.map((text, i) => `(${i}, '${text.replaceAll("'", "''")}')`).join(", ");
  const told = await postgres.query(`SELECT i, (tried(q)).* FROM (VALUES ${list}) x (i, q) ORDER BY i`);
  expect(told.refused).toBeNull();
  const said = told.rows.map(([, value, refused]): Said => ({ value: value!, refused: refused! }));
  const wrong: string[] = [];
  const compare = (i: number, ours: Said, how: string): void => {
    const theirs = said[i]!;
    if (ours.refused === "0A000") return;
    if (ours.refused === theirs.refused && same(call, ours.value, theirs.value)) return;
    wrong.push(`${texts[i]} ${how}: ${ours.refused ?? ours.value}, not ${theirs.refused ?? theirs.value}`);
  };
  const columns = call.args.map((_, c) => `c${c}`);
  const answered = said.flatMap(({ refused }, i) => (refused === null ? [i] : []));
  if (answered.length > 0) {
    const values = answered.map((i) => `(${i}, ${rows[i]!.join(", ")})`).join(", ");
    const all = await ask(
      `SELECT i, (${call.text(columns)})::text FROM (VALUES ${values}) x (i, ${columns.join(", ")})`,
    );
    for (const [i, value] of all.rows) compare(Number(i), { value: value!, refused: null }, "of columns");
  }
  for (const [i, text] of texts.entries()) {
    const one = await ask(`SELECT (${text})::text`);
    compare(i, { value: one.rows[0]?.[0] ?? null, refused: one.refused }, "as a constant");
  }
  return wrong;
}

it("calls with the ends of their arguments' types are answered and refused as PostgreSQL does", async () => {
  const random = new SeededRandom(seed);
  const all = await callsOfPostgres();
  const calls = wanted === "all" ? all : some(random, all, Number(wanted));
  const wrong: string[] = [];
  let judged = 0;
  for (const call of calls) {
    const found = await judge(call, random);
    if (found === null) continue;
    judged++;
    wrong.push(...found.slice(0, 3).map((text) => `${call.name}: ${text}`));
  }
  expect(wrong).toEqual([]);
  // Lest all are refused.
  expect(judged).toBeGreaterThan(calls.length / 2);
}, 3_600_000);
