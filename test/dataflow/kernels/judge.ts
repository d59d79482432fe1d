/** PostgreSQL (PGlite) as the judge: an expression over a table of values, compared in text output, or in SQLSTATE and message. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, expect } from "vitest";
import { EvertError } from "../../../src/base/errors.ts";
import type { SqlType, TypeName } from "../../../src/batch/types.ts";
import type { Expr } from "../../../src/plan/expression.ts";
import type { Resolution } from "../../../src/plan/functions.ts";
import { call, column, datum, datumText, interpret, type Outcome, runCompiled } from "./support.ts";

export type Said = string | null;

export interface Judge {
  /** What PostgreSQL says of each: "is VALUE", "error SQLSTATE MESSAGE", or null. */
  ask(expressions: readonly string[]): Promise<Said[]>;
}

/** One PGlite for the tests of a file. */
export function openJudge(): Judge {
  let postgres: PGlite;
  beforeAll(async () => {
    postgres = new PGlite();
    await postgres.exec(`CREATE FUNCTION try(expression text) RETURNS text LANGUAGE plpgsql AS $$
      DECLARE result text;
      BEGIN
        EXECUTE 'SELECT (SELECT x::text FROM (SELECT ' || expression || ') AS t(x))' INTO result;
        RETURN 'is ' || result;
      EXCEPTION WHEN OTHERS THEN RETURN 'error ' || SQLSTATE || ' ' || SQLERRM;
      END $$`);
  });
  afterAll(() => postgres.close());
  return {
    async ask(expressions) {
      const { rows } = await postgres.query<{ said: Said }>(
        "SELECT try(e) AS said FROM unnest($1::text[]) WITH ORDINALITY AS t(e, n) ORDER BY n",
        [expressions],
      );
      return rows.map((r) => r.said);
    },
  };
}

/** Values by type; each also as null. */
export const samples = {
  int4: ["0", "1", "-1", "2", "7", "-7", "10", "2147483647", "-2147483648", "46341"],
  int8: [
    "0",
    "1",
    "-1",
    "3",
    "-10",
    "9007199254740991",
    "-9007199254740991",
    "9007199254740992",
    "9223372036854775807",
    "-9223372036854775808",
    "4611686018427387904",
    "3037000500",
  ],
  float8: [
    "0",
    "-0",
    "1",
    "-1",
    "0.5",
    "1.5",
    "2.5",
    "-2.5",
    "0.1",
    "1e15",
    "123456789.125",
    "1e308",
    "-1e308",
    "5e-324",
    "NaN",
    "Infinity",
    "-Infinity",
    "9223372036854775807",
    "-9223372036854775808",
    "2147483647.4",
    "1e-5",
  ],
  numeric: [
    "0",
    "0.00",
    "1",
    "-1",
    "1.50",
    "-2.5",
    "0.5",
    "3",
    "10",
    "99.995",
    "0.0001",
    "-0.00012345",
    "12345678901234567890.123",
    "1e20",
    "9223372036854775807.5",
    "2147483647.5",
    "NaN",
    "Infinity",
    "-Infinity",
    "0.9",
    "1.05",
  ],
  bool: ["true", "false"],
  text: [
    "",
    "a",
    "abc",
    "ABC",
    "aXbXc",
    " trim me  ",
    "été",
    "日本語",
    "a\u{1F600}b",
    "%",
    "a_c",
    "a%",
    "\\",
    "xyx",
    "hello WORLD o'neil 3rd",
  ],
  timestamptz: [
    "1970-01-01 00:00:00+00",
    "2000-02-29 12:34:56.789012+00",
    "1969-12-31 23:59:59.999999+00",
    "2024-12-30 06:07:08+00",
    "1683-01-01 00:00:00+00",
    "0001-01-01 00:00:00+00",
    "0044-03-15 10:00:00+00 BC",
    "2500-07-04 01:02:03.5+00",
    "1900-01-01 00:00:00+00",
    "2001-01-01 00:00:00+00",
    "infinity",
    "-infinity",
  ],
} satisfies Partial<Record<TypeName, readonly string[]>>;

export function literal(value: string | null, type: SqlType): string {
  return value === null ? `NULL::${type.name}` : `'${value.replaceAll("'", "''")}'::${type.name}`;
}

/** The call of a resolved function on the columns 0.. */
export function resolvedCall(resolution: Resolution, types: readonly SqlType[]): Expr {
  const args = types.map((type, i): Expr => {
    const cast = resolution.argCasts[i]!;
    return cast === null ? column(i, type) : call(cast, [column(i, type)], resolution.argTypes[i]!);
  });
  return call(resolution.fn, args, resolution.resultType);
}

export function said(outcome: Outcome, type: SqlType): Said {
  if (!("datum" in outcome)) return `error ${outcome.sqlstate} ${outcome.message}`;
  if (outcome.datum === null) return null;
  // x::text of a bool is not its output form.
  return `is ${type.name === "bool" ? String(outcome.datum) : datumText(outcome.datum, type)}`;
}

/** Compares all rows; reports every difference at once. */
export async function compare(
  judge: Judge,
  sql: (args: readonly string[]) => string,
  resolve: () => { expr: Expr; type: SqlType },
  types: readonly SqlType[],
  rows: readonly (readonly (string | null)[])[],
  same: (ours: Said, theirs: Said, type: SqlType) => boolean = (ours, theirs) => ours === theirs,
): Promise<void> {
  let made: { expr: Expr; type: SqlType };
  const askedOf = (row: readonly (string | null)[]) => sql(row.map((v, i) => literal(v, types[i]!)));
  try {
    made = resolve();
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    // What is refused by its types is refused for every value.
    const asked = askedOf(rows[0]!);
    const [theirs] = await judge.ask([asked]);
    expect(`${asked}: error ${error.sqlstate} ${error.message}`).toBe(`${asked}: ${theirs}`);
    return;
  }
  const asked = rows.map(askedOf);
  const theirs = await judge.ask(asked);
  const data = rows.map((row) => row.map((v, i) => datum(v, types[i]!)));
  const compiled = runCompiled(
    made.expr,
    made.type,
    types.map((type) => ({ type, nullable: true })),
    data,
  );
  const differences: string[] = [];
  rows.forEach((_, k) => {
    const interpreted = said(interpret(made.expr, data[k]!), made.type);
    const ours = said(compiled[k]!, made.type);
    if (interpreted !== ours) differences.push(`${asked[k]}: compiled ${ours}, interpreted ${interpreted}`);
    else if (!same(ours, theirs[k]!, made.type))
      differences.push(`${asked[k]}: ours ${ours}, PostgreSQL ${theirs[k]}`);
  });
  expect(differences).toEqual([]);
}

export function product(lists: readonly (readonly (string | null)[])[]): (string | null)[][] {
  return lists.reduce<(string | null)[][]>(
    (rows, list) => rows.flatMap((row) => list.map((v) => [...row, v])),
    [[]],
  );
}

export function withNull(type: SqlType): (string | null)[] {
  return [...samples[type.name as keyof typeof samples], null];
}

/** glibc, musl and V8 round these differently in the last digits. */
export const approximate = new Set(
  (
    "exp ln log power ^ cbrt ||/ degrees radians sin cos tan cot asin acos atan sind cosd tand cotd asind acosd atand " +
    "sinh cosh tanh asinh acosh atanh"
  ).split(" "),
);

/** Equal but for the last digits of a double. */
export function nearly(ours: Said, theirs: Said, type: SqlType): boolean {
  if (ours === theirs) return true;
  if (type.name !== "float8") return false; // numeric is exact to its last digit
  if (ours === null || theirs === null || !ours.startsWith("is ") || !theirs.startsWith("is ")) return false;
  const [a, b] = [Number(ours.slice(3)), Number(theirs.slice(3))];
  return Math.abs(a - b) <= Math.abs(b) * 1e-13;
}

export const all: SqlType[] = [
  { name: "int4" },
  { name: "int8" },
  { name: "float8" },
  { name: "numeric" },
  { name: "bool" },
  { name: "text" },
  { name: "timestamptz" },
];
