/**
 * Aggregates over what is at the edge of its type, PostgreSQL as the judge: rows come and go at random, and after every commit a view of
 * each query holds what PGlite answers, or fails with its SQLSTATE. Float results may differ by 1e-12 of their size.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { seed } from "../support/seed.ts";
import { openInMemory, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";
import { difference, maintained } from "./support/views.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

interface Case {
  readonly type: string;
  readonly values: readonly string[];
  readonly aggregates: readonly string[];
  /** Whose results are floats. */
  readonly floats?: boolean;
}

const spreads = ["sum", "avg", "var_pop", "var_samp", "stddev_pop", "stddev_samp"].map((fn) => `${fn}(v)`);
const distinct = ["sum", "avg", "count", "variance"].map((fn) => `${fn}(DISTINCT v)`);
const found = [
  "min(v)",
  "max(v)",
  "mode() WITHIN GROUP (ORDER BY v)",
  "percentile_disc(0.5) WITHIN GROUP (ORDER BY v)",
  "percentile_disc(ARRAY[0, 0.3, 1]) WITHIN GROUP (ORDER BY v DESC)",
];
const lists = [
  "array_agg(v ORDER BY v, id)",
  "json_agg(v ORDER BY v, id)",
  "jsonb_agg(v ORDER BY v, id)",
  "jsonb_object_agg(id, v)",
  "json_object_agg(id, v ORDER BY id)",
];
const keys = [
  "json_object_agg(v, id ORDER BY id) FILTER (WHERE v IS NOT NULL)",
  "jsonb_object_agg(v, id ORDER BY id) FILTER (WHERE v IS NOT NULL)",
];
const bits = ["bit_and(v)", "bit_or(v)", "bit_xor(v)", "bit_xor(DISTINCT v)"];

const cases: readonly Case[] = [
  {
    type: "int2",
    values: ["0", "1", "-1", "32767", "-32768", "5", "1024"],
    aggregates: [...spreads, ...distinct, ...found, ...lists, ...keys, ...bits],
  },
  {
    type: "int4",
    values: ["0", "7", "-1", "2147483647", "-2147483648", "65535", "65536", "-65536"],
    aggregates: [...spreads, ...distinct, ...found, ...lists, ...keys, ...bits],
  },
  {
    type: "int8",
    values: ["0", "3", "-1", "9223372036854775807", "-9223372036854775808", "9007199254740993", "4294967296"],
    aggregates: [...spreads, ...distinct, ...found, ...lists, ...keys, ...bits],
  },
  {
    type: "numeric",
    values: ["0", "1.50", "-2.125", "1e30", "1e-20", "'NaN'", "123456789.987654321"],
    aggregates: [...spreads, ...distinct, ...found, ...lists, ...keys],
  },
  {
    type: "numeric(10,3)",
    values: ["0", "1.5", "-2.125", "1234567.891", "0.001"],
    aggregates: [...spreads, ...distinct, ...found, ...lists, ...keys],
  },
  {
    type: "float8",
    values: ["0", "'-0'", "0.1", "-0.1", "13.7", "3.25", "123.789"],
    aggregates: [
      ...spreads,
      "percentile_cont(0.3) WITHIN GROUP (ORDER BY v)",
      "sum(DISTINCT v)",
      "regr_slope(id * 1000 + v, id)",
      "corr(id, v + id * 1000)",
      "regr_intercept(id * 1000 + v + 50000, id)",
      "covar_samp(v, v)",
    ],
    floats: true,
  },
  {
    type: "float8",
    values: ["'NaN'", "'Infinity'", "'-Infinity'", "1", "2.5", "'-0'"],
    aggregates: [
      ...spreads,
      "regr_avgx(id, v)",
      "regr_syy(id, v)",
      "regr_sxx(id, v)",
      "regr_r2(id, v)",
      ...found,
      "json_agg(v ORDER BY v, id)",
      "jsonb_agg(v ORDER BY v, id)",
    ],
    floats: true,
  },
  {
    type: "float4",
    values: ["0.1", "1e30", "-2.5", "16777216", "1"],
    aggregates: [...found, ...lists, ...keys, "count(DISTINCT v)"],
  },
  {
    type: "interval",
    values: ["'1 mon'", "'-1 day 02:00'", "'1 year 3 mons 7 days 00:00:00.5'", "'0'", "'100 years -3 days'"],
    aggregates: [
      "sum(v)",
      "avg(v)",
      "sum(DISTINCT v)",
      "count(DISTINCT v)",
      "percentile_cont(0.25) WITHIN GROUP (ORDER BY v)",
      "percentile_cont(ARRAY[0, 0.7]) WITHIN GROUP (ORDER BY v)",
    ],
  },
  {
    type: "interval",
    values: ["'1 mon'", "'30 days'", "'24:00'", "'1 day'"],
    aggregates: ["sum(v)", "count(DISTINCT v)", "avg(v)"],
  },
  {
    type: "interval",
    values: ["'infinity'", "'-infinity'", "'1 day'"],
    aggregates: ["sum(v)", "avg(v)", "min(v)", "max(v)"],
  },
  {
    type: "bool",
    values: ["true", "false"],
    aggregates: [
      "bool_and(v)",
      "bool_or(v)",
      "every(v)",
      "bool_and(DISTINCT v)",
      ...lists,
      ...keys,
      "mode() WITHIN GROUP (ORDER BY v)",
    ],
  },
  {
    type: "text",
    values: ["''", "'a'", "'A\"\\'", "'null'", "'{x, y}'", "'é😀'", "e'\\n\\t'"],
    aggregates: [
      ...found,
      ...lists,
      ...keys,
      "string_agg(v, ', ' ORDER BY v)",
      "string_agg(DISTINCT v, v ORDER BY v DESC)",
      "any_value(v) IS NULL",
    ],
  },
  {
    type: "varchar(3)",
    values: ["'a'", "'abc'"],
    aggregates: [...found, ...lists, ...keys, "string_agg(v, '' ORDER BY v)"],
  },
  { type: "char(3)", values: ["'a'", "'abc'", "''"], aggregates: [...found, ...lists] },
  {
    type: "bytea",
    values: ["'\\x'", "'\\x00ff'", "'\\x41'"],
    aggregates: [
      "string_agg(v, '\\x2c' ORDER BY v)",
      "array_agg(v ORDER BY v, id)",
      "json_agg(v ORDER BY v, id)",
    ],
  },
  {
    type: "uuid",
    values: ["'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'", "'00000000-0000-0000-0000-000000000000'"],
    aggregates: ["count(DISTINCT v)", ...lists, ...keys, "mode() WITHIN GROUP (ORDER BY v)"],
  },
  ...["date", "timestamp", "timestamptz"].map((type) => ({
    type,
    values: ["'2024-02-29'", "'infinity'", "'0044-03-15 BC'", "'1969-12-31'"],
    aggregates: [...found, ...lists, ...keys],
  })),
  {
    type: "time",
    values: ["'00:00'", "'23:59:59.999999'", "'24:00'"],
    aggregates: [...found, ...lists, ...keys, "sum(v)", "avg(v)"],
  },
  {
    type: "json",
    values: ['\'{"b" : 1, "a":[]}\'', "'  1'", "'null'"],
    aggregates: [
      "json_agg(v ORDER BY id)",
      "jsonb_agg(v ORDER BY id)",
      "array_agg(v ORDER BY id)",
      "json_object_agg(id, v ORDER BY id)",
      "count(v)",
    ],
  },
  {
    type: "jsonb",
    values: ['\'{"b": 1, "a": []}\'', "'1.50'", "'null'", "'\"x\"'"],
    aggregates: [...lists, "count(DISTINCT v)", "jsonb_agg(DISTINCT v)", "mode() WITHIN GROUP (ORDER BY v)"],
  },
  {
    type: "int4[]",
    values: ["'{1,2}'", "'{3,4}'", "'{NULL,1}'"],
    aggregates: [
      "array_agg(v ORDER BY id)",
      "min(v)",
      "max(v)",
      "jsonb_agg(v ORDER BY id)",
      "json_agg(v ORDER BY id)",
      "count(DISTINCT v)",
    ],
  },
];

describe.each(cases)("$type", ({ type, values, aggregates, floats = false }) => {
  it("aggregates as PostgreSQL does, whatever comes and goes", async () => {
    const random = new SeededRandom(seed);
    await postgres.reset();
    const engine = await openInMemory();
    const table = `CREATE TABLE x (id int PRIMARY KEY, g int NOT NULL, v ${type})`;
    await postgres.define(table);
    await sql(engine, table);
    const queries = aggregates.flatMap((a) => [
      `SELECT ${a} AS r FROM x`,
      `SELECT g, ${a} AS r FROM x GROUP BY g`,
    ]);
    for (const [i, query] of queries.entries())
      await sql(engine, `CREATE MATERIALIZED VIEW v${i} AS ${query}`);
    const some = (): string => (random.below(5) === 0 ? "NULL" : values[random.below(values.length)]!);
    for (let step = 0; step < 8; step++) {
      const rows = Array.from({ length: step === 0 ? 0 : 1 + random.below(4) }, () => {
        const id = 1 + random.below(9);
        return random.below(4) === 0
          ? `DELETE FROM x WHERE id = ${id}`
          : `INSERT INTO x VALUES (${id}, ${random.below(2)}, ${some()}) ON CONFLICT (id) DO UPDATE SET g = excluded.g, v = excluded.v`;
      });
      expect((await postgres.transaction(rows)).refused).toBeNull();
      const { error, position } = await engine.sql(["BEGIN", ...rows, "COMMIT"].join("; "));
      expect(error).toBeUndefined();
      await engine.built();
      await engine.core.publisher.waitFor(Number(position), 60_000);
      for (const [i, query] of queries.entries()) {
        const theirs = await postgres.query(query);
        const ours = await maintained(engine, `v${i}`);
        const said = `${query}\n${(await postgres.query("SELECT * FROM x ORDER BY id")).rows.join(" | ")}`;
        if ("sqlstate" in ours || theirs.refused !== null) {
          expect("sqlstate" in ours ? ours.sqlstate : null, said).toBe(theirs.refused);
          continue;
        }
        const wrong = difference(ours, theirs.rows, new Set(floats ? [0, 1] : []));
        if (wrong !== null) throw new Error(`${wrong}\n${said}`);
      }
    }
    await engine.close();
  });
});
