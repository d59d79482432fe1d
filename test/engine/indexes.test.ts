/**
 * Declared indexes, and queries that look into them. PostgreSQL judges the answers, over random data, indexes, predicates and orders, while rows
 * come and go; EXPLAIN says whether an index was there to be looked into.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { count, table as declaredTable, view as declaredView, int4, max, sum } from "../../src/face/index.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { seed } from "../support/seed.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

const columns: Readonly<Record<string, readonly string[]>> = {
  a: ["0", "1", "2", "3", "-5", "2147483647", "NULL"],
  b: ["0", "1", "-1", "9007199254740993", "9007199254740992", "-9007199254740995", "NULL"],
  c: ["''", "'a'", "'A'", "'ab'", "'abcdefgh'", "'abcdefgi'", "'é'", "'z'", "NULL"],
  d: ["1", "1.0", "1.00", "-2.5", "1e20", "0", "'NaN'", "NULL"],
  e: ["1", "1.5", "-0.25", "999999.99", "NULL"],
  f: ["0", "'-0'", "1.5", "-1e300", "'NaN'", "'Infinity'", "NULL"],
  g: ["'2024-01-01'", "'2024-01-01 00:00:00.000001'", "'1999-12-31 23:59:59'", "'infinity'", "NULL"],
  h: ["'x'", "'xy'", "''", "NULL"],
  i: ["'2024-02-29'", "'1970-01-01'", "'-infinity'", "NULL"],
  j: ["true", "false", "NULL"],
};
const names = Object.keys(columns);
const table = `CREATE TABLE t (k int, a int, b bigint, c text, d numeric, e numeric(8, 2), f float8, g timestamptz,
  h varchar(4), i date, j bool, m int, PRIMARY KEY (k, m), UNIQUE (a, c, k, m))`;
const view = "SELECT a, c, count(*) AS n, max(e) AS most FROM t GROUP BY a, c";

const pick = <T>(random: SeededRandom, values: readonly T[]): T => values[random.below(values.length)] as T;

function someColumns(random: SeededRandom): string[] {
  const all = [...names, "k", "m"];
  return Array.from({ length: 1 + random.below(3) }, () => pick(random, all)).filter(
    (n, at, list) => list.indexOf(n) === at,
  );
}

const direction = (random: SeededRandom): string =>
  `${pick(random, ["", " ASC", " DESC"])}${pick(random, ["", "", " NULLS FIRST", " NULLS LAST"])}`;

function valueFor(random: SeededRandom, column: string): string {
  if (column === "k" || column === "m") return String(random.below(12));
  const value = pick(random, columns[column] as readonly string[]);
  return value === "NULL" ? pick(random, columns[column] as readonly string[]) : value;
}

function condition(random: SeededRandom): string {
  const column = pick(random, [...names, "k", "m"]);
  const value = (): string => valueFor(random, column);
  switch (random.below(9)) {
    case 0:
    case 1:
    case 2:
      return `${column} = ${value()}`;
    case 3:
      return `${column} IN (${value()}, ${value()}, ${value()})`;
    case 4:
      return `${column} BETWEEN ${value()} AND ${value()}`;
    case 5:
      return `${value()} ${pick(random, ["<", ">="])} ${column}`;
    case 6:
      return `${column} IS NULL`;
    case 7:
      return `${column} > ${value()} AND ${column} <= ${value()}`;
    default:
      return `(${column} = ${value()} OR a = 1)`;
  }
}

function question(random: SeededRandom, from: string, key: string): string {
  const conditions = Array.from({ length: random.below(4) }, () => condition(random));
  const where = conditions.length === 0 ? "" : ` WHERE ${conditions.join(" AND ")}`;
  const order = someColumns(random).map((n) => n + direction(random));
  const limit = pick(random, ["", ` LIMIT ${random.below(6)}`, ` LIMIT 3 OFFSET ${random.below(4)}`]);
  const shown = pick(random, ["*", `${key}, a, d`]);
  return `SELECT ${shown} FROM ${from}${where} ORDER BY ${[...order, key].join(", ")}${limit}`;
}

function row(random: SeededRandom): string {
  const values = names.map((n) => pick(random, columns[n] as readonly string[]));
  return `(${random.below(12)}, ${values.join(", ")}, ${random.below(12)})`;
}

async function change(random: SeededRandom, say: (text: string) => Promise<void>): Promise<void> {
  switch (random.below(3)) {
    case 0:
      await say(
        `INSERT INTO t VALUES ${row(random)}, ${row(random)}, ${row(random)}, ${row(random)} ON CONFLICT (k, m) DO NOTHING`,
      );
      return;
    case 1:
      await say(`UPDATE t SET a = ${pick(random, columns["a"] as string[])} WHERE ${condition(random)}`);
      return;
    default:
      await say(`DELETE FROM t WHERE k = ${random.below(12)} AND m < ${random.below(6)}`);
  }
}

it("answers as PostgreSQL does, whatever index it looks into", async () => {
  const random = new SeededRandom(seed);
  await postgres.reset();
  const disk = new SimulatedDisk();
  let engine = await openInMemory(disk);
  const say = async (text: string): Promise<void> => {
    await postgres.define(text);
    await sql(engine, text);
    await engine.settled();
  };
  await say(table);
  await postgres.define(`CREATE VIEW v AS ${view}`);
  await sql(engine, `CREATE MATERIALIZED VIEW v AS ${view}`);
  for (let n = 0; n < 20; n++) await change(random, say);
  let looked = 0;
  const indexes: string[] = [];
  for (let round = 0; round < 60; round++) {
    if (round % 4 === 0) {
      const name = `i${round}`;
      const items = someColumns(random).map((n) => n + direction(random));
      await sql(engine, `CREATE INDEX ${name} ON t (${items.join(", ")})`);
      indexes.push(name);
    }
    if (round % 7 === 6)
      await sql(engine, `DROP INDEX ${indexes.splice(random.below(indexes.length), 1)[0]}`);
    if (round === 20) await sql(engine, "CREATE INDEX ON v (n DESC, a)");
    await change(random, say);
    for (let q = 0; q < 12; q++) {
      const text = question(random, "t", "k, m");
      const theirs = await postgres.query(text);
      expect(theirs.refused, text).toBeNull();
      expect(await rowsOf(engine, text), `${text}\n${await explained(engine, text)}`).toEqual(theirs.rows);
      if ((await explained(engine, text)).includes(" by index ")) looked++;
    }
    for (const text of [
      "SELECT * FROM v WHERE a = 1 ORDER BY c NULLS FIRST",
      "SELECT * FROM v WHERE a = 1 AND c = 'ab'",
      `SELECT * FROM v ORDER BY n DESC, a, c LIMIT ${1 + random.below(5)}`,
      "SELECT * FROM v WHERE n >= 2 ORDER BY a, c",
    ])
      expect(await rowsOf(engine, text), text).toEqual((await postgres.query(text)).rows);
    if (round % 20 === 19) {
      if (round === 39) await engine.checkpoint();
      await engine.close();
      engine = await openInMemory(disk);
      await engine.built();
    }
  }
  expect(looked).toBeGreaterThan(200);
  await engine.close();
});

async function explained(engine: Awaited<ReturnType<typeof openInMemory>>, text: string): Promise<string> {
  return (await rowsOf(engine, `EXPLAIN ${text}`)).map(([line]) => line).join("\n");
}

describe("what is looked into", () => {
  it.each([
    ["SELECT * FROM o WHERE k = 5", "o_pkey: k = 5"],
    ["SELECT * FROM o WHERE 5 = k", "o_pkey: k = 5"],
    ["SELECT * FROM o WHERE k IN (1, 2)", "o_pkey: k = 1 or k = 2"],
    ["SELECT * FROM o WHERE u = 'x'", "o_u_key: u = 'x'"],
    ["SELECT * FROM o WHERE a = 1", "o_a_b_idx: a = 1"],
    ["SELECT * FROM o WHERE a = 1 AND b > 2.50 AND b <= 9", "o_a_b_idx: a = 1 and b <= 9 and b > 2.5"],
    ["SELECT * FROM o WHERE a BETWEEN 1 AND 3", "o_a_b_idx: a >= 1 and a <= 3"],
    ["SELECT * FROM o WHERE a < 5000000000", "o_a_b_idx: a < 5000000000"],
    ["SELECT * FROM o WHERE a IS NULL", "o_a_b_idx: a is null"],
    ["SELECT k FROM o ORDER BY a LIMIT 3", "o_a_b_idx, first 3"],
    ["SELECT k FROM o ORDER BY a DESC, b LIMIT 3", "o_a_b_idx, last 3"],
    ["SELECT k FROM o WHERE a = 1 ORDER BY b DESC NULLS LAST LIMIT 3 OFFSET 1", "o_a_b_idx: a = 1, first 4"],
    ["SELECT count(*) FROM o JOIN p ON p.k = o.a WHERE p.k = 3", "p_pkey: k = 3"],
    ["SELECT * FROM w WHERE a = 1", "w_pkey: a = 1"],
    ["SELECT * FROM w ORDER BY n DESC LIMIT 2", "w_n_idx, first 2"],
  ])("%s", async (text, expected) => {
    const engine = await indexed();
    expect(await explained(engine, text)).toContain(` by index ${expected}`);
    await engine.close();
  });

  it.each([
    "SELECT * FROM o WHERE k + 1 = 5",
    "SELECT * FROM o WHERE b = 5",
    "SELECT * FROM o WHERE 1 / a IS NOT NULL AND k = 5",
    "SELECT * FROM o WHERE a <> 1",
    "SELECT * FROM o ORDER BY b LIMIT 3",
    "SELECT * FROM o ORDER BY a NULLS FIRST LIMIT 3",
    "SELECT * FROM o",
  ])("nothing: %s", async (text) => {
    const engine = await indexed();
    expect(await explained(engine, text)).not.toContain(" by index ");
    await engine.close();
  });

  it("views read all rows: no index is in their plans", async () => {
    const engine = await indexed();
    const text = "EXPLAIN CREATE MATERIALIZED VIEW x AS SELECT * FROM o WHERE k = 5";
    expect((await rowsOf(engine, text)).join("\n")).not.toContain(" by index ");
    await engine.close();
  });
});

async function indexed() {
  const engine = await openInMemory();
  await sql(
    engine,
    `CREATE TABLE o (k int PRIMARY KEY, a int, b numeric, u text UNIQUE); CREATE TABLE p (k int PRIMARY KEY);
     CREATE MATERIALIZED VIEW w AS SELECT a, count(*) AS n FROM o GROUP BY a;
     CREATE INDEX ON o (a, b DESC NULLS LAST); CREATE INDEX ON w (n DESC)`,
  );
  return engine;
}

describe("CREATE INDEX", () => {
  it("is made while commits go on, and holds them all", async () => {
    const engine = await openInMemory();
    await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, a int)");
    await engine.append(
      "t",
      Array.from({ length: 30_000 }, (_, k) => ({ k, a: k % 100 })),
    );
    await engine.settled();
    let made = false;
    const making = sql(engine, "CREATE INDEX ON t (a)").then(() => {
      made = true;
    });
    let during = 0;
    for (let n = 0; !made || n < 50; n++) {
      await engine.append("t", [
        { k: n * 7, a: 1000 + n },
        { k: 40_000 + n, a: 7 },
      ]);
      if (!made) during++;
    }
    await making;
    await engine.settled();
    expect(during).toBeGreaterThan(0);
    for (const where of ["a = 7", "a = 14", "a >= 1000", "a < 3"]) {
      const looked = await rowsOf(engine, `SELECT count(*), sum(k) FROM t WHERE ${where}`);
      expect(await explained(engine, `SELECT k FROM t WHERE ${where}`)).toContain(" by index ");
      expect(looked, where).toEqual(
        await rowsOf(engine, `SELECT count(*), sum(k) FROM t WHERE (${where}) IS TRUE`),
      );
    }
    await engine.close();
  });

  it("UNIQUE is refused where rows share their values, and then holds nobody up", async () => {
    const engine = await openInMemory();
    await sql(
      engine,
      "CREATE TABLE t (k int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 1), (3, NULL), (4, NULL)",
    );
    expect((await engine.sql("CREATE UNIQUE INDEX ta ON t (a)")).error).toMatchObject({
      sqlstate: "23505",
      message: 'could not create unique index "ta"',
      detail: "Key (a)=(1) is duplicated.",
    });
    await sql(engine, "INSERT INTO t VALUES (5, 1); DELETE FROM t WHERE k IN (2, 5)");
    expect((await engine.sql("CREATE UNIQUE INDEX ON t (a) NULLS NOT DISTINCT")).error?.sqlstate).toBe(
      "23505",
    );
    await sql(engine, "CREATE UNIQUE INDEX ta ON t (a)");
    expect((await engine.sql("INSERT INTO t VALUES (6, 1)")).error).toMatchObject({
      message: 'duplicate key value violates unique constraint "ta"',
    });
    await sql(
      engine,
      "INSERT INTO t VALUES (6, 1) ON CONFLICT (a) DO UPDATE SET a = 9; DROP INDEX ta; INSERT INTO t VALUES (7, 9)",
    );
    expect(await rowsOf(engine, "SELECT k, a FROM t ORDER BY k")).toEqual([
      ["1", "9"],
      ["3", null],
      ["4", null],
      ["7", "9"],
    ]);
    await engine.close();
  });

  it("UNIQUE holds for commits that come while it is made, and after a start", async () => {
    const disk = new SimulatedDisk();
    let engine = await openInMemory(disk);
    await sql(engine, "CREATE TABLE t (k int PRIMARY KEY, a int)");
    await engine.append(
      "t",
      Array.from({ length: 20_000 }, (_, k) => ({ k, a: k })),
    );
    const making = engine.sql("CREATE UNIQUE INDEX ON t (a)");
    const outcomes: Promise<boolean>[] = [];
    for (let n = 0; n < 200; n++) {
      outcomes.push(
        engine.append("t", [{ k: 30_000 + n, a: 20_000 + (n % 50) }]).then(
          () => true,
          () => false,
        ),
      );
      if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
    }
    await Promise.all(outcomes);
    const { error } = await making;
    const [[rows, distinct]] = (await rowsOf(engine, "SELECT count(*), count(DISTINCT a) FROM t")) as [
      string[],
    ];
    // Rows that came before the constraint was held may have spoilt it; else there are none that share.
    if (error === undefined) expect(rows).toBe(distinct);
    else expect(error.sqlstate).toBe("23505");
    await engine.close();
    engine = await openInMemory(disk);
    const again = await engine.sql("INSERT INTO t VALUES (90000, 5)");
    expect(again.error?.sqlstate ?? null).toBe(error === undefined ? "23505" : null);
    await engine.close();
  });

  it("goes with its table, and leaves the rows when it is dropped", async () => {
    const disk = new SimulatedDisk();
    let engine = await openInMemory(disk);
    await sql(
      engine,
      "CREATE TABLE t (k int PRIMARY KEY, a int); INSERT INTO t VALUES (1, 1), (2, 2); CREATE INDEX i ON t (a); DROP INDEX i",
    );
    expect(await rowsOf(engine, "SELECT * FROM t WHERE a = 2")).toEqual([["2", "2"]]);
    expect(await explained(engine, "SELECT * FROM t WHERE a = 2")).not.toContain(" by index ");
    await sql(engine, "CREATE INDEX i ON t (a); DROP TABLE t; CREATE TABLE t (k int PRIMARY KEY, a int)");
    expect(await explained(engine, "SELECT * FROM t WHERE a = 2")).not.toContain(" by index ");
    await sql(engine, "CREATE INDEX i ON t (a)");
    await engine.close();
    engine = await openInMemory(disk);
    expect(await explained(engine, "SELECT * FROM t WHERE a = 2")).toContain(" by index i: a = 2");
    await engine.close();
  });

  it.each([
    ["CREATE INDEX ON o USING gin (a)", "0A000"],
    ["CREATE INDEX ON o (lower(u))", "0A000"],
    ["CREATE INDEX ON o (a) WHERE a > 1", "0A000"],
    ["CREATE INDEX ON o (a) INCLUDE (b)", "0A000"],
    ["CREATE INDEX ON o (a text_pattern_ops)", "0A000"],
    ["CREATE INDEX ON s (a)", "0A000"],
    ["CREATE UNIQUE INDEX ON w (n)", "0A000"],
    ["CREATE INDEX ON o (nope)", "42703"],
    ["CREATE INDEX ON nope (a)", "42P01"],
    ["CREATE INDEX ON plain (a)", "42809"],
    ["CREATE INDEX o ON o (a)", "42P07"],
    ["CREATE INDEX o_pkey ON o (a)", "42P07"],
    ["CREATE TABLE o_a_b_idx (a int)", "42P07"],
    ["DROP INDEX o", "42809"],
    ["DROP INDEX o_pkey", "2BP01"],
    ["DROP INDEX nope", "42704"],
    ["REINDEX TABLE o", "0A000"],
  ])("%s: %s", async (text, state) => {
    const engine = await indexed();
    await sql(engine, "CREATE TABLE s (a int) WITH (append_only); CREATE VIEW plain AS SELECT * FROM o");
    expect((await engine.sql(text)).error?.sqlstate).toBe(state);
    await engine.close();
  });
});

it("a view that is declared anew keeps its indexes, as far as it has their columns", async () => {
  const plays = declaredTable("plays", { schema: { id: int4, song: int4, ms: int4 }, key: "id" });
  const before = declaredView("per_song", plays.groupBy("song", { n: count(), ms: sum("ms") }));
  const after = declaredView(
    "per_song",
    plays.groupBy("song", { n: count(), ms: sum("ms"), most: max("ms") }),
  );
  const less = declaredView("per_song", plays.groupBy("song", { ms: sum("ms") }));
  const disk = new SimulatedDisk();
  const opened = async (declared: typeof before | typeof after | typeof less) => {
    const engine = await openInMemory(disk, { topics: [plays], views: [declared] });
    await engine.built();
    return engine;
  };
  let engine = await opened(before);
  await engine.append(
    "plays",
    [1, 2, 3, 4].map((id) => ({ id, song: id % 3, ms: id * 10 })),
  );
  await sql(engine, "CREATE INDEX by_n ON per_song (n); CREATE INDEX by_ms ON per_song (ms)");
  await engine.close();
  engine = await opened(after);
  expect(await explained(engine, "SELECT * FROM per_song WHERE n = 2")).toContain(" by index by_n: n = 2");
  expect(await rowsOf(engine, "SELECT song, most FROM per_song WHERE n = 2")).toEqual([["1", "40"]]);
  await engine.close();
  engine = await opened(less);
  expect(await explained(engine, "SELECT * FROM per_song WHERE ms > 20")).toContain(" by index by_ms");
  expect(await rowsOf(engine, "SELECT song FROM per_song WHERE ms > 20 ORDER BY 1")).toEqual([["0"], ["1"]]);
  await engine.close();
});
