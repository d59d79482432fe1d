/**
 * UNIQUE and CHECK. PostgreSQL is the judge of single statements, over random histories; then what only a log has: every door, commits that
 * are staged and not stepped, a start from the log and from a checkpoint.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
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

const keyed = `CREATE TABLE t (k int PRIMARY KEY, a int UNIQUE, b numeric, c text,
  d float8 CONSTRAINT small CHECK (d < 100), UNIQUE NULLS NOT DISTINCT (b, c), CHECK (a > 0 AND c <> 'no'))`;
const keyless = "CREATE TABLE h (a int UNIQUE, b numeric UNIQUE, c text CHECK (length(c) < 3))";

const pick = (random: SeededRandom, values: readonly string[]): string =>
  values[random.below(values.length)] as string;

const ints = ["0", "1", "2", "3", "4", "5", "NULL"];
const numerics = ["1", "1.0", "1.00", "2.5", "NULL"];
const texts = ["'a'", "'b'", "'no'", "'abc'", "NULL"];
const doubles = ["0", "'-0'", "99.5", "100", "'NaN'", "NULL"];

function statement(random: SeededRandom): string {
  const keys = ["1", "2", "3", "4", "5", "6"];
  const row = (): string =>
    `(${pick(random, keys)}, ${pick(random, ints)}, ${pick(random, numerics)}, ${pick(random, texts)}, ${pick(random, doubles)})`;
  const bare = (): string => `(${pick(random, ints)}, ${pick(random, numerics)}, ${pick(random, texts)})`;
  const conflicts = [
    "",
    "ON CONFLICT DO NOTHING",
    "ON CONFLICT (a) DO NOTHING",
    "ON CONFLICT (c, b) DO NOTHING",
    "ON CONFLICT ON CONSTRAINT t_pkey DO UPDATE SET a = excluded.a, d = 7",
    "ON CONFLICT (a) DO UPDATE SET b = excluded.b, c = t.c",
    "ON CONFLICT ON CONSTRAINT t_b_c_key DO UPDATE SET a = t.a + 1 WHERE t.k > 2",
    "ON CONFLICT ON CONSTRAINT small DO NOTHING",
  ];
  switch (random.below(9)) {
    case 0:
      return `INSERT INTO t VALUES ${row()}, ${row()} ${pick(random, conflicts)}`;
    case 1:
    case 2:
      return `INSERT INTO t VALUES ${row()} ${pick(random, conflicts)} RETURNING *`;
    case 3:
      return `UPDATE t SET a = ${pick(random, ints)}, b = ${pick(random, numerics)} WHERE k = ${pick(random, keys)}`;
    case 4:
      return `UPDATE t SET k = ${pick(random, keys)}, c = ${pick(random, texts)} WHERE k = ${pick(random, keys)}`;
    case 5:
      return `DELETE FROM t WHERE k = ${pick(random, keys)}`;
    case 6:
      return `INSERT INTO h VALUES ${bare()}, ${bare()} ${pick(random, ["", "ON CONFLICT DO NOTHING", "ON CONFLICT (b) DO UPDATE SET c = 'x'"])}`;
    case 7:
      return `UPDATE h SET b = ${pick(random, numerics)}, c = ${pick(random, texts)} WHERE a = ${pick(random, ints)}`;
    default:
      return `DELETE FROM h WHERE a = ${pick(random, ints)}`;
  }
}

const contents = ["SELECT * FROM t ORDER BY k", "SELECT * FROM h ORDER BY a, b, c"];

it("answers random statements as PostgreSQL does, also after a start", async () => {
  const random = new SeededRandom(seed);
  await postgres.reset();
  const disk = new SimulatedDisk();
  let engine = await openInMemory(disk);
  for (const table of [keyed, keyless]) {
    await postgres.define(table);
    await sql(engine, table);
  }
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    const text = statement(random);
    const theirs = await postgres.query(text);
    const { error, results } = await engine.sql(text);
    expect(error?.sqlstate ?? null, `${text}\n${error?.message}`).toBe(theirs.refused);
    if (error === undefined) expect(results[0]!.rowsText(), text).toEqual(theirs.rows);
    else refused++;
    for (const query of contents)
      expect(await rowsOf(engine, query), text).toEqual((await postgres.query(query)).rows);
    if (i % 100 === 99) {
      if (i === 199) await engine.checkpoint();
      await engine.close();
      engine = await openInMemory(disk);
    }
  }
  expect(refused).toBeGreaterThan(50);
  await engine.close();
});

it("answers random transactions as PostgreSQL does", async () => {
  const random = new SeededRandom(seed + 1);
  await postgres.reset();
  const engine = await openInMemory();
  for (const table of [keyed, keyless]) {
    await postgres.define(table);
    await sql(engine, table);
  }
  for (let i = 0; i < 100; i++) {
    const texts = Array.from({ length: 2 + random.below(4) }, () => statement(random));
    const theirs = await postgres.transaction(texts);
    const { error } = await engine.sql(["BEGIN", ...texts, "COMMIT"].join(";\n"));
    expect(error?.sqlstate ?? null, `${texts.join(";\n")}\n${error?.message}`).toBe(theirs.refused);
    for (const query of contents)
      expect(await rowsOf(engine, query), texts.join(";\n")).toEqual((await postgres.query(query)).rows);
  }
  await engine.close();
});

describe("what is said", () => {
  it.each([
    [
      "INSERT INTO t VALUES (2, 1)",
      'duplicate key value violates unique constraint "t_a_key"',
      "Key (a)=(1) already exists.",
    ],
    [
      "INSERT INTO t VALUES (1, 9)",
      'duplicate key value violates unique constraint "t_pkey"',
      "Key (k)=(1) already exists.",
    ],
    [
      "INSERT INTO t VALUES (2, 2, 1.00, 'a')",
      'duplicate key value violates unique constraint "t_b_c_key"',
      "Key (b, c)=(1.00, a) already exists.",
    ],
    [
      "INSERT INTO t VALUES (2, 2, 3, 'b', 100)",
      'new row for relation "t" violates check constraint "small"',
      "Failing row contains (2, 2, 3, b, 100).",
    ],
    [
      "UPDATE t SET c = 'no'",
      'new row for relation "t" violates check constraint "t_check"',
      "Failing row contains (1, 1, 1.0, no, null).",
    ],
  ])("%s", async (text, message, detail) => {
    const engine = await openInMemory();
    await sql(engine, keyed);
    await sql(engine, "INSERT INTO t VALUES (1, 1, 1.0, 'a')");
    expect((await engine.sql(text)).error).toMatchObject({ message, detail });
    await engine.close();
  });
});

describe("every door", () => {
  const refusal = async (work: Promise<unknown>): Promise<string> => {
    try {
      await work;
      return "taken";
    } catch (error) {
      return error instanceof EvertError ? `${error.sqlstate} ${error.detail}` : String(error);
    }
  };

  it("appends and transactions are judged whole", async () => {
    const engine = await openInMemory();
    await sql(engine, keyed);
    await engine.append("t", [
      { k: 1, a: 1, b: "1", c: "x" },
      { k: 2, a: 2, b: "2", c: "x" },
    ]);
    expect(await refusal(engine.append("t", [{ k: 3, a: 1 }]))).toBe("23505 Key (a)=(1) already exists.");
    expect(await refusal(engine.append("t", [{ k: 3, a: -1 }]))).toMatch(/^23514/);
    // Values may change hands within a commit.
    const swapped = [
      { k: 1, a: 2, b: "1", c: "x" },
      { k: 2, a: 1, b: "2", c: "x" },
    ];
    expect(await refusal(engine.append("t", swapped))).toBe("taken");
    expect(
      await refusal(
        engine.transact([
          { topic: "t", delete: [1] },
          { topic: "t", upsert: [{ k: 9, a: 2, b: "9" }] },
        ]),
      ),
    ).toBe("taken");
    const both = [
      { k: 10, a: 5 },
      { k: 11, a: 5 },
    ];
    expect(await refusal(engine.transact([{ topic: "t", upsert: both }]))).toBe(
      "23505 Key (a)=(5) already exists.",
    );
    expect(await rowsOf(engine, "SELECT k, a FROM t ORDER BY k")).toEqual([
      ["2", "1"],
      ["9", "2"],
    ]);
    await engine.close();
  });

  it("of commits that come at once one alone is stored", async () => {
    const engine = await openInMemory();
    await sql(engine, keyless);
    const outcomes = await Promise.all(
      Array.from({ length: 60 }, (_, i) => refusal(engine.append("h", [{ a: i % 20, b: String(i % 20) }]))),
    );
    expect(outcomes.filter((o) => o === "taken")).toHaveLength(20);
    expect(await rowsOf(engine, "SELECT count(*), count(DISTINCT a) FROM h")).toEqual([["20", "20"]]);
    await engine.close();
  });

  it("judges a long history of commits against what is staged, stepped and restored", async () => {
    const random = new SeededRandom(seed + 2);
    const disk = new SimulatedDisk();
    let engine = await openInMemory(disk);
    await sql(engine, "CREATE TABLE u (k int PRIMARY KEY, v text UNIQUE)");
    const model = new Map<number, string>();
    for (let round = 0; round < 30; round++) {
      const pending: Promise<string>[] = [];
      const expected: string[] = [];
      for (let n = random.below(40); n > 0; n--) {
        const next = new Map(model);
        if (random.below(4) === 0) {
          const k = random.below(12);
          next.delete(k);
          pending.push(refusal(engine.deleteKey("u", k)));
        } else {
          const rows = Array.from({ length: 1 + random.below(3) }, () => ({
            k: random.below(12),
            v: `v${random.below(12)}`,
          }));
          for (const { k, v } of rows) next.set(k, v);
          pending.push(refusal(engine.append("u", rows)));
        }
        const isSound = new Set(next.values()).size === next.size;
        expected.push(isSound ? "taken" : "23505");
        if (!isSound) continue;
        model.clear();
        for (const [k, v] of next) model.set(k, v);
      }
      const got = (await Promise.all(pending)).map((outcome) => outcome.split(" ")[0]);
      expect(got).toEqual(expected);
      if (round % 10 === 9) {
        if (round === 19) await engine.checkpoint();
        await engine.close();
        engine = await openInMemory(disk);
      }
    }
    const rows = [...model].sort(([a], [b]) => a - b).map(([k, v]) => [String(k), v]);
    expect(await rowsOf(engine, "SELECT * FROM u ORDER BY k")).toEqual(rows);
    await engine.close();
  });

  it("a commit of many rows is judged a piece at a time, and nothing comes in between", async () => {
    const engine = await openInMemory();
    await sql(engine, "CREATE TABLE u (k int PRIMARY KEY, v int UNIQUE CHECK (v < 1000000))");
    const rows = Array.from({ length: 20_000 }, (_, i) => ({ k: i, v: i }));
    const large = refusal(engine.append("u", rows));
    const small = Array.from({ length: 50 }, (_, i) =>
      refusal(engine.append("u", [{ k: 50_000 + i, v: i * 400 }])),
    );
    const outcomes = await Promise.all([large, ...small]);
    // Whoever comes first has the values: the large one, or some of the others.
    const taken = outcomes.slice(1).filter((o) => o === "taken").length;
    expect(outcomes[0]).toMatch(taken === 0 ? /^taken$/ : /^23505/);
    expect(await refusal(engine.append("u", rows))).toMatch(taken === 0 ? /^taken$/ : /^23505/);
    const count = taken === 0 ? 20_000 : taken;
    expect(await rowsOf(engine, "SELECT count(*), count(DISTINCT v) FROM u")).toEqual([
      [String(count), String(count)],
    ]);
    await engine.close();
  });

  it("a repeated request is answered as the first time, though its values are taken by then", async () => {
    const engine = await openInMemory();
    await sql(engine, keyless);
    const once = () => engine.append("h", [{ a: 1, b: "1" }], { idempotencyKey: "one" });
    const first = await once();
    expect((await once()).position).toBe(first.position);
    await engine.close();
  });
});

describe("refused by name", () => {
  it.each([
    "CREATE TABLE x (a int REFERENCES t)",
    "CREATE TABLE x (a int, FOREIGN KEY (a) REFERENCES t)",
    "CREATE TABLE x (a int, EXCLUDE (a WITH =))",
    "CREATE TABLE x (a int UNIQUE DEFERRABLE)",
    "CREATE TABLE x (a int UNIQUE) WITH (append_only)",
    "CREATE TABLE x (a int CHECK (a IN (SELECT 1)))",
    "CREATE TABLE x (a int, b int, UNIQUE (a) INCLUDE (b))",
  ])("%s", async (text) => {
    const engine = await openInMemory();
    await sql(engine, keyed);
    expect((await engine.sql(text)).error?.sqlstate).toBe("0A000");
    await engine.close();
  });
});
