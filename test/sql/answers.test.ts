/**
 * Bound queries, evaluated naively, against PGlite's answers over the same rows: what a plan means is what PostgreSQL says the text means.
 * (That the circuit computes what a plan means is tested with the circuit.)
 */
import { PGlite } from "@electric-sql/pglite";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { formatBool, formatFloat8, formatTimestamptz, unscaledToText } from "../../src/batch/format.ts";
import { isSmallNumeric, type SqlType } from "../../src/batch/types.ts";
import type { Datum } from "../../src/plan/expression.ts";
import type { Query } from "../../src/plan/plan.ts";
import { bindStatement, loadParser, parseStatements } from "../../src/sql/statement.ts";
import { answer, type Facts, type Row } from "../dataflow/oracle.ts";
import { catalogOf, type TestCatalog } from "./catalog.ts";
import { aggregate, expr, number, truth } from "./generate.ts";

const schema = `
  create table t (a int primary key, b bigint, c float8, d numeric, e numeric(10,2), f bool, g text, h timestamptz);
  create table u (a int primary key, k text, n bigint not null);
`;

const rows = `
  insert into t values
    (1, 5, 1.5, 2.50, 10.25, true, 'x', '2024-01-01 10:20:30+00'), (2, null, -0.5, 0, 3, false, 'Y', null),
    (3, 5, null, 1.10, null, null, 'x', '2024-05-06 07:08:09.123456+02'), (4, 0, 3, null, -1.5, true, null, '1999-12-31'),
    (5, 9007199254740993, 1e100, 12345678901234567890.5, 0.01, false, '', '2024-01-01 10:20:30+00'), (6, -2, 0, 2.5, 10.25, true, 'ab', null);
  insert into u values (1, 'x', 5), (2, 'Y', 2), (3, null, 0), (7, 'x', -2), (8, 'zz', 5);
`;

let judge: PGlite;
let catalog: TestCatalog;
let facts: Facts;

beforeAll(async () => {
  await loadParser();
  catalog = catalogOf(schema);
  judge = await PGlite.create();
  // Without costs it evaluates the parts of a condition in the order in which they are written, as we do; otherwise the cheapest first.
  await judge.exec(
    `set cpu_operator_cost = 0; set timezone = 'UTC'; ${schema} ${rows} create schema empty; set search_path = empty; ${schema}`,
  );
  const tables = new Map(parseStatements(rows).map(insertedRows));
  facts = {
    now: 0,
    stream: () => [],
    table: (id) => tables.get(id) ?? [],
    view: (id) => {
      throw new Error(`no view ${id}`);
    },
  };
});

afterAll(() => judge.close());

function insertedRows(parsed: ReturnType<typeof parseStatements>[number]): [number, readonly Row[]] {
  const statement = bindStatement(parsed, catalog);
  if (statement.kind !== "insert") throw new Error("not an insert");
  const { rows: made, errors } = answer(statement.source, {
    now: 0,
    stream: () => [],
    table: () => [],
    view: () => statement.source,
  });
  expect(errors).toEqual([]);
  return [statement.relation.id, made];
}

function asText(datum: Datum, type: SqlType): string | null {
  if (datum === null) return null;
  if (typeof datum === "bigint" && isSmallNumeric(type)) return unscaledToText(datum, type.scale ?? 0);
  if (type.name === "bool") return formatBool(datum as boolean);
  if (type.name === "float8") return formatFloat8(datum as number);
  return type.name === "timestamptz" ? formatTimestamptz(datum as bigint) : String(datum);
}

type Outcome = { readonly rows: readonly string[] } | { readonly failed: true } | { readonly absent: true };

function ours(sql: string): Outcome {
  let query: Query;
  try {
    const statement = bindStatement(parseStatements(sql)[0]!, catalog);
    if (statement.kind !== "select") throw new Error(`not a query: ${sql}`);
    query = statement.query;
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    return error.code === "feature_not_supported" ? { absent: true } : { failed: true };
  }
  const result = answer(query.plan, facts);
  if (result.errors.length > 0) return { failed: true };
  const types = query.plan.schema.fields.slice(0, query.visible).map((f) => f.type);
  return { rows: result.rows.map((row) => JSON.stringify(types.map((t, i) => asText(row[i]!, t)))).sort() };
}

async function theirs(sql: string, schemaName = "public"): Promise<Outcome> {
  try {
    await judge.exec(`set search_path = ${schemaName}`);
    const parsers = Object.fromEntries(
      [16, 20, 23, 25, 701, 1184, 1700].map((oid) => [oid, (text: string) => text]),
    );
    const result = await judge.query<(string | null)[]>(sql, [], { rowMode: "array", parsers });
    return { rows: result.rows.map((row) => JSON.stringify(row)).sort() };
  } catch {
    return { failed: true };
  }
}

/** How many were compared, lest all are refused. */
let compared = 0;

async function check(sql: string): Promise<void> {
  const mine = ours(sql);
  if ("absent" in mine) return;
  const right = await theirs(sql);
  if ("rows" in right) compared++;
  // PostgreSQL may not evaluate what could fail; that we do is no wrong answer.
  if ("failed" in mine && "rows" in right) return;
  // It computes constants beforehand, also those that no row asks for: then it fails on empty tables too.
  if ("failed" in right && "rows" in mine && "failed" in (await theirs(sql, "empty"))) return;
  expect({ sql, ...withoutScale(mine, sql) }).toEqual({ sql, ...withoutScale(right, sql) });
}

/** Of numbers that are equal but written 1.0 and 1.00, which one stands for all of them is left to the order of rows. */
function withoutScale(outcome: Outcome, sql: string): Outcome {
  if (!("rows" in outcome) || !/distinct|union|group by|partition by|greatest/.test(sql)) return outcome;
  const trimmed = outcome.rows.map((row) =>
    row.replace(/"(-?\d+)\.(\d*?)0*"/g, (_, whole, rest) => `"${whole}${rest === "" ? "" : `.${rest}`}"`),
  );
  return { rows: trimmed.sort() };
}

function run(name: string, query: fc.Arbitrary<string>, numRuns: number, least: number): void {
  it(name, async () => {
    compared = 0;
    await fc.assert(fc.asyncProperty(query, check), { numRuns });
    expect(compared).toBeGreaterThan(least);
  });
}

describe("answers are PostgreSQL's", () => {
  run(
    "for expressions and filters",
    fc.tuple(expr, truth).map(([x, p]) => `select a, ${x} from t where ${p}`),
    400,
    40,
  );

  run(
    "for joins",
    fc
      .tuple(
        fc.constantFrom("join", "left join", "right join"),
        fc.constantFrom(
          "t.a = u.a",
          "t.b = u.n",
          "t.g = u.k",
          "t.d = u.n and t.f",
          "t.a = u.a and u.n > 1",
          "lower(g) = lower(k) and t.f",
          "t.e = u.n + 5.25",
        ),
        fc.constantFrom(
          "true",
          "u.k is null",
          "t.f",
          "u.n > 1 and t.a < 5",
          "t.g = 'x' or u.k = 'x'",
          "t.a is null",
        ),
      )
      .map(([j, on, where]) => `select t.a, b, u.a, k, n from t ${j} u on ${on} where ${where}`),
    150,
    60,
  );

  run(
    "for comma joins in any order",
    fc
      .tuple(
        fc.shuffledSubarray(["t", "u", "t as t2", "u as u2"], { minLength: 2 }),
        fc.shuffledSubarray(
          ["t.a = u.a", "t2.b = u.n", "u2.k = t.g", "t.a < 4", "u.n > 0", "t2.a + u2.n = t.b", "t.a = t2.a"],
          { minLength: 1 },
        ),
      )
      .map(([from, where]) => `select count(*) from ${from.join(", ")} where ${where.join(" and ")}`),
    150,
    10,
  );

  run(
    "for groups",
    fc
      .tuple(fc.constantFrom("g", "f", "lower(g)", "b > 1", "k"), aggregate, aggregate, truth)
      .map(
        ([k, x, y, p]) =>
          `select ${k}, ${x}, ${y} filter (where ${p}) from t left join u using (a) group by ${k} having count(*) > 0`,
      ),
    400,
    25,
  );

  run(
    "for functional dependencies",
    fc
      .constantFrom("t.g", "t.g || 'x'", "t.b + count(*)", "max(n)")
      .map((x) => `select ${x}, count(n) from t left join u on u.k = t.g group by t.a`),
    8,
    3,
  );

  run(
    "for top-k, in all its forms",
    fc
      .tuple(
        fc.constantFrom("f", "g", "b"),
        fc.constantFrom("", " desc", " nulls first", " desc nulls last"),
        number,
        fc.constantFrom("<= 2", "= 1", "between 2 and 3", "> 1"),
      )
      .chain(([p, dir, x, k]) =>
        fc.constantFrom(
          `select a, x from (select a, ${x} as x, row_number() over (partition by ${p} order by ${p}${dir}, a) as rn from t) s where rn ${k}`,
          `select * from (select distinct on (${p}) ${p}, a, ${x} from t order by ${p}${dir}, a desc) s where a > 1`,
          `select a, ${x} from t order by ${p}${dir}, a limit 3 offset 1`,
          `select x from (select ${x} as x, a from t order by ${p}${dir}, a limit 4) s`,
        ),
      ),
    200,
    40,
  );

  run(
    "for unions, distinct, series and subqueries",
    fc
      .tuple(expr, truth, fc.constantFrom("union", "union all"))
      .chain(([x, p, u]) =>
        fc.constantFrom(
          `select distinct ${x} from t where ${p}`,
          `select ${x} from t ${u} select ${x} from t where ${p}`,
          `select a, k from t join u using (a) ${u} select n, '1' from u`,
          `with q as (select a, ${x} as x from t) select q.a, r.x from q, q r where q.a = r.a and (q.x = r.x or q.a > 3)`,
          `select a, n from t, generate_series(1, a) n where n > 2 or ${p}`,
          `select a, x from (select a, ${x} as x, f from t) s where f and a > 1`,
        ),
      ),
    300,
    60,
  );
});
