/** What a program in the same process is given: values in their TypeScript form, and errors that are thrown. */
import { join } from "node:path";
import { describe, expect, expectTypeOf, it } from "vitest";
import {
  type Db,
  int4,
  int8,
  nullable,
  numeric,
  open,
  table,
  text,
  timestamptz,
  topic,
  view,
} from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const songs = table("songs", { key: "id", schema: { id: int8, name: text } });
const prices = table("prices", {
  key: ["genre", "year"],
  schema: { genre: text, year: int4, price: numeric(10, 2) },
});
const plays = topic("plays", { schema: { song: int8, at: nullable(timestamptz) } });
const lengths = view(
  "lengths",
  songs.map((s) => ({ id: s.id, length: s.name.length })),
);

async function opened(): Promise<Db> {
  return open({ dir: "data", disk: new SimulatedDisk(), topics: [songs, prices, plays], views: [lengths] });
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

it("records have their values, and a table's their keys", async () => {
  await using db = await opened();
  const large = 2n ** 60n + 1n;
  const { position } = await db.append(songs, [
    { id: 1, name: "one" },
    { id: large, name: "large" },
  ]);
  await db.delete(songs, large);
  await db.append(prices, { genre: "punk", year: 1976, price: "1.50" });
  await db.append(plays, { song: 1, at: "2026-01-01T00:00:00Z" });
  const [first, second, gone] = await all(db.read(songs));
  expect(first).toEqual({
    offset: 0,
    position,
    timestamp: expect.stringMatching(/^\d{4}-.*Z$/),
    key: 1,
    value: { id: 1, name: "one" },
  });
  expect(second).toMatchObject({ offset: 1, key: large, value: { id: large, name: "large" } });
  expect(gone).toMatchObject({ offset: 2, key: large, value: null });
  expect(await all(db.read(prices))).toMatchObject([
    { key: ["punk", 1976], value: { genre: "punk", year: 1976, price: "1.50" } },
  ]);
  const [play] = await all(db.read(plays));
  expect(play).not.toHaveProperty("key");
  expect(play?.value).toEqual({ song: 1, at: "2026-01-01T00:00:00+00:00" });
  if (play?.value) expectTypeOf(play.value.song).toEqualTypeOf<number>();
});

it("a read that follows has the columns that the topic got meanwhile", async () => {
  await using db = await opened();
  await db.sql("CREATE TABLE t (id int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1)");
  const t = table("t", { key: "id", schema: { id: int4, a: int4 } });
  const read = db.read(t, { follow: true })[Symbol.asyncIterator]();
  expect((await read.next()).value).toMatchObject({ key: 1, value: { id: 1, a: 1 } });
  await db.sql("ALTER TABLE t ADD COLUMN b text DEFAULT 'x'; INSERT INTO t VALUES (2, 2)");
  expect((await read.next()).value).toMatchObject({ key: 2, value: { id: 2, a: 2, b: "x" } });
  await read.return?.();
});

it("a consumer is told whose row a tombstone took away", async () => {
  await using db = await opened();
  await db.append(songs, { id: 7, name: "seven" });
  await db.delete(songs, 7);
  const batches = await all(db.consumer("c", { topics: [songs], follow: false }));
  expect(batches.flatMap(({ records }) => records)).toMatchObject([
    { key: 7, value: { id: 7, name: "seven" } },
    { key: 7, value: null },
  ]);
});

it("SQL gives rows of values", async () => {
  await using db = await opened();
  const { position } = await db.append(songs, { id: 1, name: "one" });
  const answer = await db.sql(
    "SELECT id, 1.50 AS price, ARRAY[1, NULL] AS list, '{\"a\": 1}'::jsonb AS j, $1::int AS p FROM songs; SELECT 2 AS n",
    [4],
    { atLeast: position },
  );
  expect(answer).toEqual({
    results: [
      {
        command: "SELECT 1",
        columns: ["int8", "numeric", "_int4", "jsonb", "int4"].map((type, i) => ({
          name: ["id", "price", "list", "j", "p"][i],
          type,
        })),
        rows: [[1, "1.50", [1, null], { a: 1 }, 4]],
        rowCount: 1,
      },
      { command: "SELECT 1", columns: [{ name: "n", type: "int4" }], rows: [[2]], rowCount: 1 },
    ],
    position,
  });
  expect((await db.sql("INSERT INTO songs VALUES (2, 'two')")).results).toEqual([
    { command: "INSERT 0 1", columns: [], rows: [], rowCount: 1 },
  ]);
});

it("SQL that fails is thrown; the statements before it stand", async () => {
  await using db = await opened();
  await expect(db.sql("INSERT INTO songs VALUES (1, 'a'); SELECT nope FROM songs")).rejects.toMatchObject({
    name: "EvertError",
    code: "undefined_column",
    sqlstate: "42703",
    position: 43,
  });
  await expect(db.sql("INSERT INTO songs VALUES (1, 'b')")).rejects.toMatchObject({ sqlstate: "23505" });
  expect((await db.sql("SELECT name FROM songs")).results[0]?.rows).toEqual([["a"]]);
  await expect(db.sql("SELECT $1::int", { params: [1] } as never)).rejects.toMatchObject({
    code: "invalid_request",
  });
  await expect(db.sql(undefined as never)).rejects.toMatchObject({ code: "invalid_request" });
});

it("an operation has one record or key, or a list of them", async () => {
  await using db = await opened();
  await db.transact([
    { topic: songs, append: { id: 1, name: "one" } },
    {
      topic: songs,
      upsert: [
        { id: 2, name: "two" },
        { id: 3, name: "three" },
      ],
    },
    { topic: plays, append: [{ song: 1 }] },
    { topic: prices, upsert: { genre: "punk", year: 1976, price: 1 } },
  ]);
  await db.transact(
    [
      { topic: songs, delete: 2 },
      { topic: prices, delete: ["punk", 1976] },
    ],
    {
      expect: { topic: songs, key: 9, version: null },
    },
  );
  await db.transact((tx) => tx.delete(songs, 3));
  await db.settled();
  expect(
    (await db.sql("SELECT id FROM songs; SELECT count(*) FROM prices")).results.map((r) => r.rows),
  ).toEqual([[[1]], [[0]]]);
});

it.each([
  ["no list", undefined, "a transaction is a function, or a list of at least one operation"],
  ["nothing", [], "a transaction is a function, or a list of at least one operation"],
  ["null", [null], "operations[0] must be an object"],
  ["a name", [{ topic: "songs", append: [] }], "operations[0]: topic must be what topic() or table() gives"],
  ["no verb", [{ topic: songs }], "operations[0]: an operation has a topic, and exactly one of"],
  [
    "two verbs",
    [{ topic: songs, append: [], delete: 1 }],
    "operations[0]: an operation has a topic, and exactly one of",
  ],
  [
    "another verb",
    [{ topic: songs, insert: [] }],
    "operations[0]: an operation has a topic, and exactly one of",
  ],
])("refuses operations that are none: %s", async (_, operations, message) => {
  await using db = await opened();
  const before = db.position;
  await expect(async () => db.transact(operations as never)).rejects.toMatchObject({
    code: "invalid_request",
    message: expect.stringContaining(message),
  });
  expect(db.position).toBe(before);
});

it.each([
  ["nothing", {}],
  ["a topic", { topic: songs }],
  ["a key of no topic", { key: 1, version: null }],
  ["a key without a version", { topic: songs, key: 1 }],
  ["a number", 7],
])("refuses an expectation that is none: %s", async (_, expected) => {
  await using db = await opened();
  await expect(async () =>
    db.transact([{ topic: songs, append: { id: 1, name: "x" } }], { expect: [expected] as never }),
  ).rejects.toMatchObject({ code: "invalid_request", message: expect.stringContaining("expect[0]") });
  expect(await db.view(lengths).rows()).toEqual([]);
});

it("reads by an order of one column as by a list of them", async () => {
  await using db = await opened();
  const { position } = await db.append(songs, [
    { id: 1, name: "one" },
    { id: 2, name: "three" },
  ]);
  const rows = await db.view(lengths).rows({ order: "-length", atLeast: position });
  expect(rows.map((r) => r.id)).toEqual([2, 1]);
});

it("takes a Date as a parameter of SQL", async () => {
  await using db = await opened();
  const { results } = await db.sql("SELECT $1::timestamptz, $2::int8, $3::text", [
    new Date(0),
    2n ** 60n,
    null,
  ]);
  expect(results[0]?.rows).toEqual([["1970-01-01T00:00:00+00:00", 2n ** 60n, null]]);
});

it.each<[string, (db: Db) => unknown, object]>([
  [
    "a position to follow from",
    (db) => all(db.view(lengths).subscribe({ from: "abc" })),
    { message: '"abc" is not a position' },
  ],
  [
    "a position to wait for",
    (db) => db.view(lengths).get(1, { atLeast: "abc" }),
    { message: '"abc" is not a position' },
  ],
  [
    "a limit of records",
    (db) => all(db.read(songs, { limit: -1 })),
    { message: "-1 is not a number of records" },
  ],
  ["a topic's name", (db) => db.append("songs" as never, { id: 1 } as never), {}],
  ["no topic", (db) => db.append(undefined as never, {} as never), {}],
  ["no record", (db) => db.append(songs, []), { message: "there is no record to append" }],
  ["no record of a producer", (db) => db.producer("p").append(songs, []), {}],
  ["no topic of a producer", (db) => db.producer("p").append(undefined as never, {} as never), {}],
  ["no topic to read", (db) => all(db.read(undefined as never)), {}],
  ["no table to delete from", (db) => db.delete(undefined as never, 1), {}],
  ["no table to erase in", (db) => db.erase(undefined as never, 1), {}],
  ["no view", (db) => db.view(undefined as never), {}],
  ["a Date that is none", (db) => db.sql("SELECT $1", [new Date(Number.NaN)]), {}],
  ["a function", (db) => db.sql("SELECT $1", [() => 1]), {}],
  [
    "a key that is no text",
    (db) => db.append(plays, { song: 1 } as never, { idempotencyKey: 5 as never }),
    { code: "invalid_argument" },
  ],
])("refuses %s", async (_, ask, refused) => {
  await using db = await opened();
  await expect(async () => ask(db)).rejects.toMatchObject({
    name: "EvertError",
    code: "invalid_request",
    ...refused,
  });
});

it("stores nothing where there is no record", async () => {
  await using db = await opened();
  const { position } = db;
  const refused = [db.append(songs, []), db.producer("p").append(songs, [])];
  expect((await Promise.allSettled(refused)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  expect(await all(db.read(songs))).toEqual([]);
  const { position: next } = await db.append(songs, { id: 1, name: "one" } as never);
  expect(next).toBe(String(Number(position) + 1));
});

it.each<[string, () => unknown, string]>([
  ["a topic without a schema", () => topic("x", {} as never), "invalid_table_definition"],
  ["a table without a schema", () => table("x", { key: "id" } as never), "invalid_table_definition"],
  ["a table without a key", () => table("x", { schema: { id: int4 } } as never), "invalid_table_definition"],
  ["a view of nothing", () => view("x", undefined as never), "invalid_argument"],
  ["a view of a text", () => view("x", "SELECT 1" as never), "invalid_argument"],
])("refuses %s", (_, declare, code) => {
  expect(declare).toThrow(expect.objectContaining({ name: "EvertError", code }));
});

it.each([[{ topics: songs }], [{ topics: [undefined] }], [{ views: ["v"] }], [{ views: 5 }]])(
  "refuses to open with what is no handle, %#",
  async (options) => {
    await expect(open({ dir: "data", disk: new SimulatedDisk(), ...options } as never)).rejects.toMatchObject(
      {
        code: "invalid_request",
        message: expect.stringMatching(/^(topics|views) must be a list/),
      },
    );
  },
);

it("says that a file stands in the directory's place", async () => {
  const file = join(import.meta.dirname, "in-process.test.ts");
  await expect(open({ dir: file })).rejects.toMatchObject({
    code: "io_error",
    message: expect.stringContaining("ENOTDIR"),
  });
});

describe("what a program in JavaScript gets wrong is told with a way out", () => {
  it.each([
    ["a topic of nothing", () => topic("x", undefined as never), 'topic "x" has no schema', "schema: {"],
    ["a table of nothing", () => table("x", null as never), 'table "x" has no schema', "schema: {"],
    ["a view of nothing", () => view("x", undefined as never), 'view "x" has no definition', "SELECT"],
  ])("%s", (_, declare, message, hint) => {
    expect(declare).toThrow(expect.objectContaining({ message, hint: expect.stringContaining(hint) }));
  });

  it.each([
    ["sql as a tag", (db: Db) => db.sql(["SELECT 1"] as never), "parentheses"],
    ["a name to append to", (db: Db) => db.append("songs" as never, { id: 1 }), 'topic("plays"'],
  ])("%s", async (_, ask, hint) => {
    await using db = await opened();
    await expect(async () => ask(db)).rejects.toMatchObject({
      code: "invalid_request",
      hint: expect.stringContaining(hint),
    });
  });
});
