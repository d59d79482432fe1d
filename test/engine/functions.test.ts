/** Functions written in TypeScript, called from SQL: what they are called with, where they may stand, what goes wrong with them. */
import { afterEach, describe, expect, test } from "vitest";
import { z } from "zod";
import {
  type Db,
  int4,
  int8,
  jsonb,
  nullable,
  numeric,
  type OpenOptions,
  open,
  reducer,
  scalar,
  setReturning,
  text,
  timestamptz,
} from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { told } from "./support/memory.ts";

const initials = scalar("initials", {
  args: [text],
  returns: text,
  fn: (name) => [...name.matchAll(/\b\p{L}/gu)].join(""),
});
const describeIt = scalar("describe_it", {
  args: [nullable(int4), z.string()],
  returns: nullable(jsonb<{ n: number | null; s: string } | null>()),
  fn: (n, s) => (s === "none" ? null : { n, s }),
});
const words = setReturning("words", {
  args: [text],
  returns: { word: text, at: int4 },
  fn: function* (s) {
    let at = 0;
    for (const word of s.split(" ")) yield { word, at: at++ };
  },
});
const letters = setReturning("letters", { args: [text], returns: text, fn: (s) => [...s] });
const product = reducer("product", {
  args: [int8],
  returns: int8,
  initial: { zeros: 0, product: 1 },
  add: (state, n) =>
    n === 0 ? { ...state, zeros: state.zeros + 1 } : { ...state, product: state.product * n },
  remove: (state, n) =>
    n === 0 ? { ...state, zeros: state.zeros - 1 } : { ...state, product: state.product / n },
  result: (state) => (state.zeros > 0 ? 0 : state.product),
});
const rowsSeen = reducer("rows_seen", {
  args: [],
  returns: int8,
  initial: 0,
  add: (n) => n + 1,
  remove: (n) => n - 1,
});

const functions = [initials, describeIt, words, letters, product, rowsSeen];
let db: Db;
afterEach(async () => db?.close());

async function start(options: Partial<OpenOptions> = {}): Promise<Db> {
  db = await open({ dir: "data", disk: new SimulatedDisk(), functions, checkpointIntervalMs: 0, ...options });
  return db;
}

async function rows(query: string, of: Db = db): Promise<unknown[][]> {
  await told(of.engine);
  const { results, error } = await of.engine.sql(query);
  if (error !== undefined) throw Object.assign(new Error(error.message), error);
  return results.at(-1)!.rowsJson.map((row) => JSON.parse(row) as unknown[]);
}

describe("scalar", () => {
  test("wherever an expression may stand", async () => {
    await start();
    await rows("CREATE TABLE p (id int PRIMARY KEY, name text)");
    await rows("INSERT INTO p VALUES (1, 'Ada Lovelace'), (2, 'Alan Turing'), (3, NULL), (4, 'Anna Long')");
    expect(await rows("SELECT id, initials(name) FROM p ORDER BY id")).toEqual([
      [1, "AL"],
      [2, "AT"],
      [3, null],
      [4, "AL"],
    ]);
    expect(await rows("SELECT id FROM p WHERE initials(upper(name)) = 'AT'")).toEqual([[2]]);
    expect(await rows("SELECT initials(name), count(*) FROM p GROUP BY initials(name) ORDER BY 1")).toEqual([
      ["AL", 2],
      ["AT", 1],
      [null, 1],
    ]);
    expect(
      await rows(
        "SELECT a.id, b.id FROM p a JOIN p b ON initials(a.name) = initials(b.name) AND a.id < b.id",
      ),
    ).toEqual([[1, 4]]);
    expect(
      await rows("SELECT initials('Grace ' || 'Hopper'), describe_it(NULL, 'x'), describe_it(1, 'none')"),
    ).toEqual([["GH", { n: null, s: "x" }, null]]);
    expect(await rows("SELECT name FROM p ORDER BY initials(name) DESC NULLS LAST, id LIMIT 1")).toEqual([
      ["Alan Turing"],
    ]);
    await rows("INSERT INTO p VALUES (5, initials('X Y')) RETURNING initials(name)");
    await rows("UPDATE p SET name = initials(name) WHERE initials(name) = 'AT'");
    expect(await rows("SELECT id, name FROM p WHERE id IN (2, 5) ORDER BY 1")).toEqual([
      [2, "AT"],
      [5, "XY"],
    ]);
  });

  test("in a view, kept up to date", async () => {
    await start();
    await rows("CREATE TABLE p (id int PRIMARY KEY, name text)");
    await rows("CREATE MATERIALIZED VIEW v AS SELECT initials(name) AS i, count(*) AS n FROM p GROUP BY 1");
    await rows("INSERT INTO p VALUES (1, 'Ada Lovelace'), (2, 'Alan Turing')");
    await rows("UPDATE p SET name = 'A. T.' WHERE id = 1");
    expect(await rows("SELECT * FROM v")).toEqual([["AT", 2]]);
    await rows("DELETE FROM p WHERE id = 2");
    expect(await rows("SELECT * FROM v")).toEqual([["AT", 1]]);
  });

  test("types of all carriers go in and out", async () => {
    await start({
      functions: [
        scalar("same_numeric", { args: [numeric(10, 2)], returns: numeric(10, 2), fn: (x) => x }),
        scalar("any_numeric", { args: [numeric()], returns: numeric(), fn: (x) => x }),
        scalar("same_int8", { args: [int8], returns: int8, fn: (x) => x }),
        scalar("same_time", { args: [timestamptz], returns: timestamptz, fn: (x) => x }),
        scalar("negate", { args: [z.boolean()], returns: z.boolean(), fn: (x) => !x }),
      ],
    });
    expect(
      (
        await db.engine.sql(
          `SELECT same_numeric(1.5), any_numeric(1.50), any_numeric(x), same_int8(9007199254740993), same_int8(3),
             same_time('2024-05-06 07:08:09.123456Z'), negate(true)
           FROM (VALUES (2.50::numeric(10, 2))) AS t (x)`,
        )
      ).results[0]!.rowsText(),
    ).toEqual([["1.50", "1.50", "2.50", "9007199254740993", "3", "2024-05-06 07:08:09.123456+00", "f"]]);
  });
});

describe("set-returning", () => {
  test("in FROM, alone, lateral and outer", async () => {
    await start();
    await rows("CREATE TABLE d (id int PRIMARY KEY, body text)");
    await rows("INSERT INTO d VALUES (1, 'to be or'), (2, NULL), (3, 'be')");
    expect(await rows("SELECT * FROM words('a b') ORDER BY at")).toEqual([
      ["a", 0],
      ["b", 1],
    ]);
    expect(await rows("SELECT letters, l FROM letters('xy') WITH ORDINALITY AS t (letters, l)")).toEqual([
      ["x", 1],
      ["y", 2],
    ]);
    await rows("CREATE MATERIALIZED VIEW w AS SELECT word, count(*) AS n FROM d, words(body) GROUP BY word");
    expect(await rows("SELECT * FROM w ORDER BY word")).toEqual([
      ["be", 2],
      ["or", 1],
      ["to", 1],
    ]);
    await rows("DELETE FROM d WHERE id = 1");
    expect(await rows("SELECT * FROM w")).toEqual([["be", 1]]);
    expect(
      await rows("SELECT id, word FROM d LEFT JOIN LATERAL words(body) AS x ON true ORDER BY id"),
    ).toEqual([
      [2, null],
      [3, "be"],
    ]);
  });
});

test("two functions of one form are two", async () => {
  const either = (name: string, n: number) =>
    setReturning(name, { args: [], returns: int4, fn: n === 1 ? () => [1] : () => [2] });
  await start({ functions: [either("one", 1), either("two", 2)] });
  expect(await rows("SELECT a, b FROM one() AS a, two() AS b")).toEqual([[1, 2]]);
});

describe("reducer", () => {
  test("as an aggregate: groups, FILTER, DISTINCT, nothing at all", async () => {
    await start();
    await rows("CREATE TABLE f (id int PRIMARY KEY, g text, n int)");
    await rows(
      `CREATE MATERIALIZED VIEW v AS SELECT g, product(n) AS p, product(DISTINCT n) AS d, product(n) FILTER (WHERE n > 2) AS big,
         rows_seen(*) AS seen FROM f GROUP BY g`,
    );
    await rows(
      "INSERT INTO f VALUES (1, 'a', 2), (2, 'a', 3), (3, 'a', 3), (4, 'b', 0), (5, 'b', 7), (6, 'b', NULL)",
    );
    expect(await rows("SELECT * FROM v ORDER BY g")).toEqual([
      ["a", 18, 6, 9, 3],
      ["b", 0, 0, 7, 3],
    ]);
    await rows("DELETE FROM f WHERE id IN (3, 4)");
    expect(await rows("SELECT * FROM v ORDER BY g")).toEqual([
      ["a", 6, 6, 3, 2],
      ["b", 7, 7, 7, 2],
    ]);
    expect(await rows("SELECT product(n), rows_seen(*) FROM f WHERE false")).toEqual([[1, 0]]);
  });

  test("over a window", async () => {
    await start();
    await rows("CREATE TABLE f (id int PRIMARY KEY, n int)");
    await rows(
      `CREATE MATERIALIZED VIEW v AS SELECT id, product(n) OVER (ORDER BY id) AS p,
         product(n) OVER (ORDER BY id ROWS 1 PRECEDING) AS q, rows_seen(*) OVER () AS all_rows FROM f`,
    );
    await rows("INSERT INTO f VALUES (1, 2), (2, 0), (3, NULL), (4, 5)");
    await db.settled();
    expect(await rows("SELECT * FROM v ORDER BY id")).toEqual([
      [1, 2, 2, 4],
      [2, 0, 0, 4],
      [3, 0, 0, 4],
      [4, 0, 5, 4],
    ]);
    await rows("UPDATE f SET n = 3 WHERE id = 2");
    await db.settled();
    expect(await rows("SELECT * FROM v ORDER BY id")).toEqual([
      [1, 2, 2, 4],
      [2, 6, 6, 4],
      [3, 6, 3, 4],
      [4, 30, 5, 4],
    ]);
  });
});

describe("names", () => {
  test.each(["lower", "sum", "unnest", "row_number", "coalesce"])("%s is built in", async (name) => {
    const own = scalar(name, { args: [], returns: text, fn: () => "" });
    await expect(start({ functions: [own] })).rejects.toMatchObject({
      code: "duplicate_function",
      sqlstate: "42723",
    });
  });

  test("a name stands for one function", async () => {
    const other = scalar("initials", { args: [], returns: text, fn: () => "" });
    await expect(start({ functions: [initials, other] })).rejects.toMatchObject({ sqlstate: "42723" });
  });

  test.each([
    ["SELECT initials()", "42883"],
    ["SELECT initials('a', 'b')", "42883"],
    ["SELECT initials(1)", "42883"],
    ["SELECT finals('a')", "42883"],
    ["SELECT product('x'::text)", "42883"],
    ["SELECT product(*)", "42883"],
    ["SELECT rows_seen()", "42809"],
    ["SELECT initials(DISTINCT 'a')", "42809"],
    ["SELECT initials('a') OVER ()", "42809"],
    ["SELECT * FROM p WHERE product(id) > 1", "42803"],
    ["SELECT words('a')", "0A000"],
    ["SELECT * FROM initials('a')", "0A000"],
    ["SELECT * FROM product(1)", "42803"],
  ])("%s", async (query, sqlstate) => {
    await start();
    await rows("CREATE TABLE p (id int PRIMARY KEY)");
    await expect(rows(query)).rejects.toMatchObject({ sqlstate });
  });
});
