/** DROP: what is read by a view, plain or materialized, goes with CASCADE only; PostgreSQL is the judge of what is said. */
import { afterAll, beforeAll, expect, it } from "vitest";
import type { ErrorBody } from "../../src/base/errors.ts";
import { openInMemory, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

const made = [
  "CREATE TABLE t (a int)",
  "CREATE TABLE u (a int)",
  "CREATE VIEW v1 AS SELECT * FROM t",
  "CREATE VIEW v2 AS SELECT * FROM v1",
  "CREATE MATERIALIZED VIEW v3 AS SELECT * FROM t",
  "CREATE VIEW v4 AS SELECT v2.a FROM v2, v3",
  "CREATE VIEW v5 AS SELECT * FROM t",
  "CREATE MATERIALIZED VIEW v6 AS SELECT v5.a FROM v5, u",
  "CREATE INDEX i ON u (a)",
];

it.each([
  "DROP TABLE t",
  "DROP TABLE t, u",
  "DROP VIEW v1",
  "DROP VIEW v5",
  "DROP VIEW v1, v5",
  "DROP VIEW v1, v2",
  "DROP VIEW v4",
  "DROP VIEW v1, v2, v4",
  "DROP MATERIALIZED VIEW v3",
  "DROP MATERIALIZED VIEW v6",
  "DROP VIEW v5 CASCADE",
  "DROP TABLE t CASCADE",
  "DROP TABLE u, t CASCADE",
  "DROP TABLE nope",
  "DROP TABLE IF EXISTS nope, u CASCADE",
  "DROP VIEW t",
  "DROP TABLE v1",
  "DROP TABLE i",
  "DROP INDEX t",
  "DROP INDEX v3",
  "DROP INDEX i",
  "DROP INDEX nope",
  "DROP INDEX IF EXISTS nope",
])("%s", async (text) => {
  await postgres.reset();
  const engine = await openInMemory();
  for (const one of made) {
    await postgres.define(one);
    await sql(engine, one);
  }
  const theirs = await postgres.refusal(text);
  const { error } = await engine.sql(text);
  expect(error === undefined ? null : told(error)).toEqual(theirs === null ? null : told(theirs));
  // And what is left is the same.
  for (const name of ["t", "u", "v1", "v2", "v3", "v4", "v5", "v6"]) {
    const there = (await postgres.query(`SELECT * FROM ${name}`)).refused === null;
    expect((await engine.sql(`SELECT * FROM ${name}`)).error === undefined, name).toBe(there);
  }
  await engine.close();
});

/** With several views named, PostgreSQL tells of them in the order of its own list. */
function told({ sqlstate, message, detail, hint }: Partial<ErrorBody>) {
  return { sqlstate, message, detail: detail?.split("\n").sort(), hint };
}
