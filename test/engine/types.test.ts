/**
 * Values of every type through the whole engine beside PostgreSQL: inserted, logged, read, grouped, joined, ordered, checkpointed and restored. Every
 * answer is PostgreSQL's text; JSON is to_jsonb's.
 */
import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { parseJsonb } from "../../src/batch/jsonb.ts";
import { hasOwnEquality } from "../../src/batch/order-key.ts";
import { datumToText } from "../../src/batch/text-form.ts";
import { arrayOf, baseTypes, carrierOf, type SqlType, typeToString } from "../../src/batch/types.ts";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { anyValue } from "../batch/arbitraries.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";
import { rowsJsonOf } from "./support/rows.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

const types: readonly SqlType[] = [
  ...baseTypes,
  { name: "numeric", precision: 10, scale: 2 },
  ...(["int4", "numeric", "text", "interval", "timestamp", "jsonb"] as const).map((name) =>
    arrayOf({ name }),
  ),
];

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** min and max are not defined for these; json and jsonpath are not even equal to themselves. */
const unordered = /^(bool|uuid|json|jsonb|jsonpath)$/;

async function compare(engine: Database, queries: readonly string[]): Promise<void> {
  for (const query of queries) {
    const theirs = await postgres.query(query);
    expect({ query, refused: theirs.refused }).toEqual({ query, refused: null });
    expect({ query, rows: await rowsOf(engine, query) }).toEqual({ query, rows: theirs.rows });
  }
}

it.each(types.map((t) => [typeToString(t), t] as const))(
  "%s",
  async (name, type) => {
    await postgres.reset();
    const disk = new SimulatedDisk();
    let engine = await openInMemory(disk);
    const equal = type.name !== "json" && type.name !== "jsonpath";
    const scaled = type.precision === undefined ? anyValue(type) : fc.integer({ min: -99999, max: 99999 });
    const values = fc
      .sample(fc.option(scaled, { freq: 8 }), { numRuns: 60, seed: 21 })
      .map((v) =>
        v === null
          ? "null"
          : literal(type.precision === undefined ? datumToText(type, v) : String((v as number) / 100)),
      );
    const define = `create table t (id int primary key, v ${name})`;
    await postgres.define(define);
    await sql(engine, define);
    const views = [
      `create materialized view copy as select id, v from t`,
      ...(equal
        ? [
            `create materialized view groups as select v, count(*) as n, min(id) as first from t group by v`,
            `create materialized view pairs as select a.id as a, b.id as b from t a join t b on a.v = b.v`,
            `create materialized view top as select id, v from t order by v desc nulls last, id limit 7`,
          ]
        : []),
      ...(equal && !unordered.test(type.name)
        ? [
            `create materialized view ends as select id % 3 as k, min(v) as low, max(v) as high from t group by id % 3`,
          ]
        : []),
    ];
    for (const view of views) {
      await postgres.define(view.replace("materialized ", ""));
      await sql(engine, view);
    }
    // Of equal values that print differently PostgreSQL shows the one that came first, we any.
    const printsAlike = carrierOf(type) !== "double" && !hasOwnEquality(type);
    const queries = [
      ...(printsAlike && equal && !unordered.test(type.name)
        ? ["select k, low::text, high::text from ends order by k"]
        : []),
      "select id, v::text from copy order by id",
      ...(equal
        ? [
            `select first, n${printsAlike ? ", v::text" : ""} from groups order by first`,
            "select a, b from pairs order by a, b",
            "select id from top order by id",
            "select id from t order by v, id",
            "select id from t order by v desc, id",
          ]
        : []),
    ];
    const change = async (statement: string): Promise<void> => {
      const theirs = await postgres.query(statement);
      expect(theirs.refused).toBeNull();
      await sql(engine, statement);
      await engine.settled();
    };
    const list = (from: number, part: readonly string[]) =>
      part.map((v, i) => `(${from + i}, ${v})`).join(", ");
    await change(`insert into t values ${list(0, values.slice(0, 30))}`);
    await compare(engine, queries);
    await change("delete from t where id % 4 = 1");
    await change(`insert into t values ${list(100, values.slice(30))}`);
    await compare(engine, queries);
    await engine.close();
    engine = await openInMemory(disk);
    await compare(engine, queries);
    await change("update t set v = null where id % 5 = 0");
    await compare(engine, queries);
    const json = await postgres.query("select id, to_jsonb(v)::text from copy order by id");
    const rowsJson = await rowsJsonOf(engine, "copy", { order: ["id"] });
    const expected = json.rows.map(([id, v]) => parseJsonb(`{"id":${id},"v":${v}}`));
    expect(rowsJson.map((row) => parseJsonb(row))).toEqual(expected);
    await engine.close();
    // From the log alone.
    for (const path of disk.files()) if (/checkpoint|manifest|state/i.test(path)) await disk.unlink(path);
    engine = await openInMemory(disk);
    await compare(engine, queries);
    await engine.close();
  },
  60_000,
);

it("enums last with the tables that use them, and go when nobody does", async () => {
  const disk = new SimulatedDisk();
  let engine = await openInMemory(disk);
  await sql(engine, "create type mood as enum ('sad', 'ok', 'happy')");
  await sql(engine, "create table t (id int primary key, v mood, w mood[])");
  await sql(
    engine,
    "create materialized view sorted as select v, count(*) as n from t group by v order by v desc",
  );
  await sql(
    engine,
    "insert into t values (1, 'happy', '{ok,sad}'), (2, 'sad', null), (3, 'ok', '{}'), (4, 'ok', array['happy']::mood[])",
  );
  const asked = [
    "select v, n from sorted order by v desc",
    "select id, w from t order by w, id",
    "select min(v), max(v) from t",
  ];
  await engine.settled();
  const before = await Promise.all(asked.map((q) => rowsOf(engine, q)));
  expect(before).toEqual([
    [
      ["happy", "1"],
      ["ok", "2"],
      ["sad", "1"],
    ],
    [
      ["3", "{}"],
      ["1", "{ok,sad}"],
      ["4", "{happy}"],
      ["2", null],
    ],
    [["sad", "happy"]],
  ]);
  expect((await rowsJsonOf(engine, "sorted", { order: ["v"] }))[0]).toBe('{"v":"sad","n":1}');
  await engine.close();
  engine = await openInMemory(disk);
  expect(await Promise.all(asked.map((q) => rowsOf(engine, q)))).toEqual(before);
  const refused = async (text: string) => (await engine.sql(text)).error?.sqlstate;
  expect(await refused("insert into t values (9, 'blue')")).toBe("22P02");
  expect(await refused("create type mood as enum ('a')")).toBe("42710");
  expect(await refused("create type m2 as enum ('a', 'a')")).toBe("42710");
  expect(await refused("drop type mood")).toBe("2BP01");
  expect(await refused("drop type moods")).toBe("42704");
  expect(await refused("drop type if exists moods")).toBeUndefined();
  await sql(engine, "drop materialized view sorted");
  await sql(engine, "drop table t");
  await sql(engine, "drop type mood");
  expect(await refused("select 'ok'::mood")).toBe("42704");
  await engine.close();
});
