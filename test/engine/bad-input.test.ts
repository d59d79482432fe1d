/**
 * Values at the edges and beyond them, at every door: text of SQL, parameters, TypeScript, JSON and NDJSON over HTTP, Arrow. Each gives PostgreSQL's
 * value or a clear error, stores nothing of what is refused, and views go on.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { toEvertError } from "../../src/base/errors.ts";
import { writeArrow } from "../../src/batch/arrow.ts";
import { BatchBuilder } from "../../src/batch/builder.ts";
import type { Database } from "../../src/engine/database.ts";
import { createHttpServer, type HttpServer } from "../../src/servers/http/server.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";

const table =
  "CREATE TABLE v (id int, f float8, f4 float4, n numeric, i int, b int8, t text, h timestamptz, d date, j jsonb, u uuid, y bytea)";

let db: Database;
let server: HttpServer;
let postgres: Postgres;
let id = 0;

beforeAll(async () => {
  db = await openInMemory();
  server = await createHttpServer(db, { port: 0 });
  postgres = await Postgres.open();
  await sql(
    db,
    `${table} WITH (append_only); CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM v`,
  );
  await postgres.define(table);
});

afterAll(async () => {
  await server.close();
  await db.close();
  await postgres.close();
});

/** What the value is as text, or the SQLSTATE it is refused with. */
type Outcome = string | null | { readonly refused: string };

async function stored(column: string, append: (id: number) => Promise<unknown>): Promise<Outcome> {
  const mine = ++id;
  const before = await rowsOf(db, "SELECT n FROM counted");
  let outcome: Outcome;
  try {
    await append(mine);
    await db.settled();
    outcome = (await rowsOf(db, `SELECT ${column} FROM v WHERE id = ${mine}`))[0]![0] as string | null;
  } catch (thrown) {
    outcome = { refused: (thrown as { sqlstate?: string }).sqlstate ?? toEvertError(thrown).sqlstate };
    expect(await rowsOf(db, "SELECT n FROM counted")).toEqual(before);
  }
  return outcome;
}

async function post(path: string, type: string, body: string): Promise<void> {
  const response = await fetch(server.url + path, {
    method: "POST",
    headers: { "Content-Type": type },
    body,
  });
  const answer = (await response.json()) as { error?: { sqlstate: string; message: string } };
  if (answer.error === undefined) return;
  expect(answer.error.message).not.toBe("");
  expect(response.status).toBeGreaterThanOrEqual(400);
  expect(response.status).toBeLessThan(500);
  throw answer.error;
}

const records = "/v1/topics/v/records";

/** Doors that take a JSON text. */
const jsonDoors = {
  JSON: (column: string, json: string) =>
    stored(column, (n) => post(records, "application/json", `[{"id": ${n}, "${column}": ${json}}]`)),
  NDJSON: (column: string, json: string) =>
    stored(column, (n) => post(records, "application/x-ndjson", `{"id": ${n}, "${column}": ${json}}\n`)),
};

function parameter(column: string, value: unknown): Promise<Outcome> {
  return stored(column, async (n) => {
    const text = `INSERT INTO v (id, ${column}) VALUES ($1, $2)`;
    const { error } = await db.sql(text, { params: [n, value] });
    if (error !== undefined) throw error;
  });
}

function inText(column: string, literal: string): Promise<Outcome> {
  return stored(column, async (n) => {
    const { error } = await db.sql(`INSERT INTO v (id, ${column}) VALUES (${n}, ${literal})`);
    if (error !== undefined) throw error;
  });
}

function program(column: string, value: unknown): Promise<Outcome> {
  return stored(column, (n) => db.append("v", [{ id: n, [column]: value }]));
}

async function theirs(column: string, literal: string): Promise<Outcome> {
  const text = `INSERT INTO v (${column}) VALUES (${literal}) RETURNING ${column}`;
  const { rows, refused } = await postgres.query(text);
  return refused === null ? (rows[0]![0] as string | null) : { refused };
}

/** As text: what a string at any door means. Where doors know the type of a value, a wrong one is 42804 there. */
const texts: readonly (readonly [column: string, text: string])[] = [
  ["f", "NaN"],
  ["f", "Infinity"],
  ["f", "-Infinity"],
  ["f4", "NaN"],
  ["n", "NaN"],
  ["n", "Infinity"],
  ["n", "1e200000"],
  ["h", "4714-11-24 00:00:00+00 BC"],
  ["h", "4714-11-23 00:00:00+00 BC"],
  ["h", "infinity"],
  ["h", "294277-01-01 00:00:00+00"],
  ["h", "2024-02-30"],
  ["h", "yesterday's"],
  ["d", "4713-01-01 BC"],
  ["d", "5874897-12-31"],
  ["d", "5874898-01-01"],
  ["u", "no uuid"],
];

describe("what stands in a string is what PostgreSQL reads in it", () => {
  it.each(texts)("%s %s", async (column, text) => {
    const expected = await theirs(column, `'${text.replaceAll("'", "''")}'`);
    expect(await inText(column, `'${text.replaceAll("'", "''")}'`)).toEqual(expected);
    expect(await parameter(column, text)).toEqual(expected);
    const known = await program(column, text);
    expect([expected, { refused: "42804" }, { refused: "22P02" }, { refused: "22007" }]).toContainEqual(
      known,
    );
    if (typeof expected === "string") expect(known).toBe(expected);
    for (const door of Object.values(jsonDoors))
      expect(await door(column, JSON.stringify(text))).toEqual(known);
  });

  it("the last years of a timestamp are out of range, and said to be", async () => {
    // PostgreSQL counts from 2000; what counts from 1970, as Arrow does, ends thirty years earlier (docs/TYPES.md).
    for (const outcome of [
      await inText("h", "'294276-12-31 23:59:59+00'"),
      await parameter("h", "294276-12-31 23:59:59+00"),
      await program("h", "294276-12-31 23:59:59+00"),
      await jsonDoors.JSON("h", '"294276-12-31 23:59:59+00"'),
    ]) {
      expect(outcome).toEqual({ refused: "22008" });
    }
    expect(await inText("h", "'294246-12-31 23:59:59.999999+00'")).toBe("294246-12-31 23:59:59.999999+00");
  });
});

/** Numbers: as JSON text, which is a literal of SQL too, and as JavaScript has them. */
const numbers: readonly (readonly [column: string, json: string, js: unknown, expected: Outcome])[] = [
  ["f", "-0.0", -0, "-0"],
  ["f", "1e308", 1e308, "1e+308"],
  ["f", "5e-324", 5e-324, "5e-324"],
  ["i", "2147483647", 2147483647, "2147483647"],
  ["i", "2147483648", 2147483648, { refused: "22003" }],
  ["b", "9223372036854775807", 9223372036854775807n, "9223372036854775807"],
  ["b", "9223372036854775808", 9223372036854775808n, { refused: "22003" }],
  ["b", "-9223372036854775808", -9223372036854775808n, "-9223372036854775808"],
  ["f4", "1e39", 1e39, { refused: "22003" }],
];

describe("numbers keep all their digits, or are out of range", () => {
  it.each(numbers)("%s %s", async (column, json, js, expected) => {
    const quoted = `'${json}'`;
    expect(await theirs(column, quoted)).toEqual(expected);
    expect(await inText(column, quoted)).toEqual(expected);
    expect(await program(column, js)).toEqual(expected);
    for (const door of Object.values(jsonDoors)) expect(await door(column, json)).toEqual(expected);
  });

  it("that JSON does not have are refused in it, and JavaScript's are PostgreSQL's", async () => {
    for (const json of ["NaN", "Infinity", "-Infinity", "01", "1.", "0x10"]) {
      for (const door of Object.values(jsonDoors))
        expect(await door("f", json)).toEqual({ refused: "22P02" });
    }
    expect(await jsonDoors.JSON("f", "1e999")).toEqual({ refused: "22003" });
    expect(await program("f", Number.NaN)).toBe("NaN");
    expect(await program("f", Number.NEGATIVE_INFINITY)).toBe("-Infinity");
    for (const wrong of [1.5, "x", true, Number.NaN, {}, [], 2n ** 70n]) {
      expect(["42804", "22003"]).toContain(((await program("i", wrong)) as { refused: string }).refused);
    }
    expect(await program("h", new Date(Number.NaN))).toEqual({ refused: "22007" });
  });
});

describe("text that is no Unicode", () => {
  const broken = ["a\0b", "\ud800", "a\udc00b", "\ud83d"];

  it.each(broken)("%j is refused at every door", async (text) => {
    for (const column of ["t", "j"]) {
      expect(await program(column, text)).toEqual({ refused: "22P05" });
      for (const door of Object.values(jsonDoors)) {
        expect(await door(column, JSON.stringify(text))).toEqual({ refused: "22P05" });
      }
    }
    expect(await program("j", { deep: [text] })).toEqual({ refused: "22P05" });
    expect(await parameter("t", text)).toEqual({ refused: "22P05" });
    expect(await inText("t", `'${text}'`)).toEqual({ refused: "22P05" });
    expect(await sqlRefusal(`SELECT '${text}'`)).toBe("22P05");
  });

  it("pairs of surrogates and everything else pass unchanged", async () => {
    const text = "😀\u0001\u{10ffff}é\ufffe";
    expect(await program("t", text)).toBe(text);
    expect(await parameter("t", text)).toBe(text);
    for (const door of Object.values(jsonDoors)) expect(await door("t", JSON.stringify(text))).toBe(text);
  });
});

async function sqlRefusal(text: string): Promise<string | null> {
  return (await db.sql(text)).error?.sqlstate ?? null;
}

describe("an Arrow stream", () => {
  const schema = () => ({
    fields: db.topic("v").schema.fields.filter((f) => ["id", "f", "t"].includes(f.name)),
  });

  function stream(rows: readonly object[]): Uint8Array {
    const builder = new BatchBuilder(schema());
    for (const row of rows) builder.appendRow(row as never);
    return new Uint8Array(Buffer.concat([...writeArrow(schema(), [builder.finish()])]));
  }

  it("keeps NaN, the infinities and -0", async () => {
    const first = id + 1;
    id += 4;
    const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0];
    await db.appendArrow("v", stream(values.map((f, i) => ({ id: first + i, f, t: "x" }))));
    await db.settled();
    expect(await rowsOf(db, `SELECT f FROM v WHERE id >= ${first} ORDER BY id`)).toEqual([
      ["NaN"],
      ["Infinity"],
      ["-Infinity"],
      ["-0"],
    ]);
  });

  it("that is damaged, cut short or holds text that is none, is refused and stores nothing", async () => {
    const good = stream([{ id: ++id, f: 1, t: "abcdefgh" }]);
    const before = await rowsOf(db, "SELECT count(*) FROM v");
    const at = Buffer.from(good).indexOf("abcdefgh");
    for (const bytes of [[0xff], [0xed, 0xa0, 0x80], [0]]) {
      const bad = good.slice();
      bad.set(bytes, at + 2);
      await expect(db.appendArrow("v", bad)).rejects.toMatchObject({
        sqlstate: expect.stringMatching(/^22/),
      });
    }
    for (let length = 1; length < good.length - 16; length += 7) {
      const outcome = await db.appendArrow("v", good.slice(0, length)).catch(toEvertError);
      if ("sqlstate" in outcome) expect(outcome.code, String(length)).not.toBe("internal");
      else expect(outcome.count).toBe(0);
    }
    expect(await rowsOf(db, "SELECT count(*) FROM v")).toEqual(before);
    await db.appendArrow("v", good);
  });
});

describe("casts of what cannot be", () => {
  const casts = [
    "'abc'::int",
    "'1.5'::int",
    "'2147483648'::int",
    "1e10::int",
    "'NaN'::float8::int",
    "'x'::bool",
    "'{1,2'::int[]",
    "'{\"a\":}'::jsonb",
    "'25:00'::time",
    "'1 fortnight'::interval",
    "'\\xzz'::bytea",
    "'infinity'::numeric::int",
    "'99999999999999999999'::int8",
    "1e400::float8",
    "'2024-01-01'::date::int",
    "'[1,2]'::jsonb::int",
  ];

  it.each(casts)("%s fails as in PostgreSQL", async (cast) => {
    const { refused } = await postgres.query(`SELECT ${cast}`);
    expect(refused).not.toBeNull();
    expect(await sqlRefusal(`SELECT ${cast}`)).toBe(refused);
  });
});

describe("texts that ask for too much", () => {
  it("of 100,000 characters are answered", async () => {
    const list = Array.from({ length: 12_000 }, (_, i) => `${i}.5`).join(", ");
    const cases = Array.from({ length: 1_000 }, (_, i) => `WHEN k = ${i} THEN '${"y".repeat(10)}'`).join(" ");
    const text = `SELECT CASE ${cases} END FROM generate_series(1, 3) g(k) WHERE k + 0.5 IN (${list})`;
    expect(text.length).toBeGreaterThan(100_000);
    await db.settled();
    expect(await rowsOf(db, text)).toEqual(Array.from({ length: 3 }, () => ["y".repeat(10)]));
  });

  it.each([
    ["nested 10,000 deep", `SELECT ${"(".repeat(10_000)}1${")".repeat(10_000)}`],
    [
      "nested 10,000 queries deep",
      `SELECT * FROM ${"(SELECT * FROM ".repeat(10_000)}v${") x".repeat(10_000)}`,
    ],
    ["of 10,000 sums", `SELECT 1${" + 1".repeat(10_000)}`],
  ])("%s are refused", async (_, text) => {
    expect(await sqlRefusal(text)).toBe("54001");
    expect(await sqlRefusal(`CREATE MATERIALIZED VIEW deep AS ${text}`)).toBe("54001");
    expect(await rowsOf(db, "SELECT 1")).toEqual([["1"]]);
  });

  it("with a back reference that tries for ever are refused, and views of such rows heal", async () => {
    const pattern = "'^(.*)(.*)(.*)(.*)\\1\\2\\3\\4$'";
    await sql(db, "CREATE TABLE words (k int PRIMARY KEY, w text)");
    await sql(db, `CREATE MATERIALIZED VIEW tried AS SELECT k, w ~ ${pattern} AS yes FROM words`);
    await db.append("words", [
      { k: 1, w: "abab" },
      { k: 2, w: "abcdefghi".repeat(11) },
    ]);
    await db.settled();
    expect(await sqlRefusal("SELECT * FROM tried")).toBe("2201B");
    await db.settled();
    expect(await rowsOf(db, "SELECT count(*) FROM words")).toEqual([["2"]]);
    await sql(db, "DELETE FROM words WHERE k = 2");
    await db.settled();
    await db.settled();
    expect(await rowsOf(db, "SELECT * FROM tried")).toEqual([["1", "t"]]);
  });

  it("that recur for ever end, and say why", async () => {
    const text =
      "WITH RECURSIVE r(n) AS (SELECT n::int8 FROM seeds UNION SELECT n + 1 FROM r) SELECT count(*) AS n FROM r";
    const small = await openInMemory(undefined, { recursion: { rowsMax: 5_000 } });
    await sql(small, "CREATE TABLE seeds (n int PRIMARY KEY)");
    await sql(small, `CREATE MATERIALIZED VIEW endless AS ${text}`);
    await sql(small, "INSERT INTO seeds VALUES (1)");
    await small.settled();
    expect((await small.sql("SELECT * FROM endless")).error).toMatchObject({ sqlstate: "54000" });
    expect(await rowsOf(small, "SELECT n FROM seeds")).toEqual([["1"]]);
    await small.close();
  });
});

it("a row of 64 MiB is a row, over HTTP it is too large, and views go on", async () => {
  const own = await openInMemory();
  await sql(own, "CREATE TABLE big (k int PRIMARY KEY, t text)");
  await sql(own, "CREATE MATERIALIZED VIEW sizes AS SELECT k, length(t) AS size FROM big");
  const large = "x".repeat(64 << 20);
  await own.append("big", [{ k: 1, t: large }]);
  const door = await createHttpServer(own, { port: 0 });
  for (const type of ["application/json", "application/x-ndjson"]) {
    const body = JSON.stringify({ k: 2, t: large });
    const response = await fetch(`${door.url}/v1/topics/big/records`, {
      method: "POST",
      headers: { "Content-Type": type },
      body,
    });
    expect(response.status).toBe(413);
    expect(await response.json()).toMatchObject({ error: { sqlstate: "54000" } });
  }
  await own.append("big", [{ k: 3, t: "small" }]);
  await own.settled();
  await own.settled();
  expect(await rowsOf(own, "SELECT * FROM sizes ORDER BY k")).toEqual([
    ["1", String(64 << 20)],
    ["3", "5"],
  ]);
  await door.close();
  await own.close();
});
