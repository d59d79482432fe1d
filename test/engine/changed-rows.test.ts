/**
 * UPDATE and DELETE find their rows by a query, and look themselves at what the transaction has changed before: drawn transactions, PostgreSQL as the
 * judge of what each does, with rows in memory and on disk, with an index and without.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";
import { Postgres } from "./support/postgres.ts";

const TRANSACTIONS = 60;
/** Behind all keys that there are: PostgreSQL refuses a key that another row of the same statement is still to leave. */
const KEYS_MOVE_BY = 100_000;
/** Beside the rows that change: more of them than are looked at one by one. */
const others = [
  "INSERT INTO a SELECT i, 50, 'of nobody' FROM generate_series(10001, 10300) AS t (i)",
  "INSERT INTO b SELECT 50, 'of nobody' FROM generate_series(1, 300)",
].join("; ");
const tables = "CREATE TABLE a (k int PRIMARY KEY, n int, s text); CREATE TABLE b (n int, t text)";
const contents = [
  "SELECT * FROM a WHERE k < 10000 OR n <> 50 ORDER BY k",
  "SELECT * FROM b WHERE n IS DISTINCT FROM 50 ORDER BY n, t",
  "SELECT count(*), sum(n) FROM a",
  "SELECT count(*), sum(n) FROM b",
];

let postgres: Postgres;

beforeAll(async () => {
  postgres = await Postgres.open();
});

afterAll(() => postgres.close());

function statement(random: SeededRandom): string {
  const some = () => random.below(24);
  const list = () => Array.from({ length: 1 + random.below(5) }, some).join(", ");
  const pick = <T>(from: readonly T[]): T => from[random.below(from.length)]!;
  const ofA = [
    `k = ${some()}`,
    `k IN (${list()})`,
    `k NOT IN (${list()})`,
    `n IN (${list()})`,
    `n = ${some()}`,
    `n IS NULL OR k = ${some()}`,
    `k > ${some()} AND s = 'of ${random.below(3)}'`,
    `s LIKE '%${random.below(3)}'`,
    `12 / n > ${random.below(4)}`,
    `k IN (SELECT n FROM b)`,
  ];
  const ofB = [
    `n IN (${list()})`,
    `t = 'of ${random.below(3)}'`,
    `n IS NULL`,
    `n + 1 < ${some()}`,
    `12 / n = 2`,
  ];
  switch (random.below(8)) {
    case 0:
    case 1:
      return `INSERT INTO a VALUES (${some()}, ${pick(["NULL", "0", some(), some()])}, 'of ${random.below(3)}') ON CONFLICT (k) DO UPDATE SET n = excluded.n`;
    case 2:
      return `INSERT INTO b VALUES (${pick(["NULL", some()])}, 'of ${random.below(3)}')`;
    case 3:
      return `UPDATE a SET n = ${pick(["n + 1", "0", "NULL", "k", "24 / n"])} WHERE ${pick(ofA)}`;
    case 4:
      return `UPDATE a SET k = k + ${KEYS_MOVE_BY} WHERE ${pick(ofA)}`;
    case 5:
      return `DELETE FROM a WHERE ${pick(ofA)}`;
    case 6:
      return `UPDATE b SET n = ${pick(["n + 1", "0", "NULL"])} WHERE ${pick(ofB)}`;
    default:
      return `DELETE FROM b WHERE ${pick(ofB)}`;
  }
}

describe.each([1, 2, 3, 4])("transactions that change what they have changed before (seed %i)", (seed) => {
  it.each([
    ["in memory", {}, ""],
    ["in memory, with an index", {}, "CREATE INDEX ON a (n)"],
    ["on disk", { warm: 0 }, ""],
  ])("%s", async (_, options, index) => {
    const random = new SeededRandom(seed);
    await postgres.reset();
    await postgres.define(`${tables}; ${others}`);
    const disk = new SimulatedDisk();
    const engine = await openInMemory(disk, options);
    await sql(engine, `${tables}; ${others}`);
    if (index !== "") await sql(engine, index);
    let [failed, changedRows] = [0, 0];
    for (let i = 0; i < TRANSACTIONS; i++) {
      const statements = Array.from({ length: 1 + random.below(5) }, () => statement(random));
      let theirs: string | undefined;
      try {
        await postgres.define(["BEGIN", ...statements, "COMMIT"].join("; "));
      } catch (error) {
        theirs = (error as { code: string }).code;
        await postgres.define("ROLLBACK");
      }
      const { error, results } = await engine.sql(["BEGIN", ...statements, "COMMIT"].join("; "));
      const said = statements.join(";\n");
      expect(error?.sqlstate, `${said}\n${error?.message}`).toBe(theirs);
      for (const query of contents)
        expect(await rowsOf(engine, query), said).toEqual((await postgres.query(query)).rows);
      if (error !== undefined) failed++;
      else if (results.some(({ command }) => /^(UPDATE|DELETE) [1-9]/.test(command))) changedRows++;
    }
    await engine.close();
    // Both ways have been gone.
    expect(failed).toBeGreaterThan(0);
    expect(changedRows).toBeGreaterThan(10);
  });
});

it("a row for which a predicate would fail counts as the transaction has left it", async () => {
  const engine = await openInMemory();
  await sql(
    engine,
    `${tables}; ${others}; INSERT INTO a VALUES (1, 0, 'x'), (2, 6, 'y'); INSERT INTO b VALUES (0, 'x'), (4, 'y')`,
  );
  await sql(
    engine,
    `BEGIN; UPDATE a SET n = 1 WHERE k = 1; DELETE FROM a WHERE 12 / n > 3;
     DELETE FROM b WHERE n = 0; UPDATE b SET t = 'three' WHERE 12 / n = 3; COMMIT`,
  );
  expect(await rowsOf(engine, contents[0]!)).toEqual([["2", "6", "y"]]);
  expect(await rowsOf(engine, contents[1]!)).toEqual([["4", "three"]]);
  await engine.close();
});
