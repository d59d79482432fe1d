/** The type of a column as messages carry it: what PostgreSQL's catalog calls it. */
import { PGlite } from "@electric-sql/pglite";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { baseTypes } from "../../../src/batch/types.ts";
import { connect } from "../../../src/client/index.ts";
import type { SqlAnswer } from "../../../src/wire/http/messages.ts";
import { client, engine, server } from "./served.ts";

const kind = `CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy')`;
const names = [...baseTypes.map((type) => type.name).filter((name) => name !== "jsonpath"), "mood"];
const select = `SELECT ${names
  .flatMap((name) => [name, `${name}[]`])
  .concat("numeric(5,2)", "varchar(3)[]")
  .map((type, i) => `NULL::${type} AS c${i}`)
  .join(", ")}`;

let postgres: PGlite;

beforeAll(async () => {
  postgres = await PGlite.create();
  await postgres.exec(kind);
});

afterAll(() => postgres.close());

beforeEach(async () => {
  await engine.sql(kind);
});

test("in the answer to SQL, over HTTP and in the process", async () => {
  const { fields } = await postgres.query(select);
  const { rows } = await postgres.query<{ oid: number; typname: string }>("SELECT oid, typname FROM pg_type");
  const typnames = new Map(rows.map(({ oid, typname }) => [oid, typname]));
  const wanted = fields.map(({ name, dataTypeID }) => ({ name, type: typnames.get(dataTypeID) }));

  const { body } = await client.post("/v1/sql", { sql: select });
  expect((body as SqlAnswer).results[0]!.columns).toEqual(wanted);
  expect((await engine.sql(select)).results[0]!.columns).toEqual(wanted);
});

test("a client reads values and orders rows by it", async () => {
  const remote = connect(server.url, { notifyIntervalMs: 0 });
  try {
    const { position } = await remote.sql(
      "CREATE TABLE t (id int PRIMARY KEY, moods mood[], mood mood, prices numeric[], big int8[], at float8[]);" +
        "INSERT INTO t VALUES (1, '{happy}', 'happy', '{1.50,NULL}', '{9007199254740993}', '{NaN,1}')," +
        "(2, '{sad,ok}', 'sad', '{}', '{1}', NULL), (3, '{sad}', 'ok', NULL, NULL, '{Infinity}');" +
        "CREATE MATERIALIZED VIEW by_mood AS SELECT * FROM t ORDER BY mood;" +
        "CREATE MATERIALIZED VIEW by_moods AS SELECT * FROM t ORDER BY moods DESC",
    );
    const first = {
      id: 1,
      moods: ["happy"],
      mood: "happy",
      prices: ["1.50", null],
      big: [9007199254740993n],
      at: [Number.NaN, 1],
    };
    expect(
      (await remote.sql("SELECT * FROM t WHERE id = 1", [], { atLeast: position })).results[0]!.rows,
    ).toEqual([Object.values(first)]);
    const idsOf = async (view: string) => {
      const rows = await remote.view<typeof first>(view).ready();
      expect(rows.find(({ id }) => id === 1)).toEqual(first);
      return rows.map(({ id }) => id);
    };
    expect(await idsOf("by_mood")).toEqual([2, 3, 1]);
    expect(await idsOf("by_moods")).toEqual([1, 2, 3]);
  } finally {
    remote.close();
  }
});
