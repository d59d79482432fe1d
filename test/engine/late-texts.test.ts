/**
 * Texts that an operator takes late are interned for the rows that it keeps: what the views hold is what their queries give, over random commits
 * with nulls and ties, through checkpoints and restarts; and texts of rows that were dropped never reach the dictionary.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

const ranked = (limit: number, topic: string, order: string) =>
  `SELECT k, n, a, b FROM (SELECT *, row_number() OVER (PARTITION BY k ORDER BY ${order}) AS place FROM ${topic}) AS x
   WHERE place <= ${limit}`;

/** A topic each: a column that two operators take is not late for either. */
const queries: Readonly<Record<string, string>> = {
  passed: "SELECT a, id, b, a AS again FROM passed_in WHERE n > 3",
  looked: "SELECT b, lower(a) AS a FROM looked_in WHERE a <> 'x' AND n < 6",
  last: ranked(1, "last_in", "n DESC"),
  last_whole: `SELECT DISTINCT ON (k) id, k, n, a, b FROM whole_in ORDER BY k, n DESC, id`,
  last_tied: ranked(1, "last_tied_in", "n % 2"),
  best: ranked(3, "best_in", "n, b DESC NULLS LAST"),
  tied: ranked(2, "tied_in", "id % 2"),
  shared_once: "SELECT a FROM shared_in WHERE n = 1",
  shared_twice: "SELECT a, b FROM shared_in WHERE n = 2",
};
const topics = [
  "passed_in",
  "looked_in",
  "last_in",
  "whole_in",
  "last_tied_in",
  "best_in",
  "tied_in",
  "shared_in",
];

async function define(db: Database): Promise<void> {
  for (const topic of topics)
    await sql(
      db,
      `CREATE TABLE ${topic} (id int8, k int4 NOT NULL, n int4, a text, b text) WITH (append_only)`,
    );
  for (const [name, query] of Object.entries(queries))
    await sql(db, `CREATE MATERIALIZED VIEW ${name} AS ${query}`);
  await db.built();
}

const someText = fc.oneof(
  fc.constantFrom("x", "", "A", "b", null),
  fc.string({ unit: "binary", maxLength: 20 }),
);
const record = fc.record({ k: fc.nat(3), n: fc.nat(8), a: someText, b: someText });
const commits = fc.array(fc.array(record, { minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 });

async function check(db: Database): Promise<void> {
  await db.settled();
  for (const [name, query] of Object.entries(queries)) {
    const kept = (await rowsOf(db, `SELECT * FROM ${name}`)).map((row) => JSON.stringify(row)).sort();
    const asked = (await rowsOf(db, query)).map((row) => JSON.stringify(row)).sort();
    expect(kept, name).toEqual(asked);
  }
}

describe("texts that come late", () => {
  test("are those of the rows that are kept, after every commit and every restart", async () => {
    await fc.assert(
      fc.asyncProperty(commits, fc.nat(5), async (history, restartAt) => {
        const disk = new SimulatedDisk();
        let db = await openInMemory(disk);
        await define(db);
        let id = 0;
        for (const [at, records] of history.entries()) {
          // U+0000 is in no text.
          const clean = (value: string | null) => value?.replaceAll("\0", "") ?? null;
          const rows = records.map((r) => ({ ...r, id: id++, a: clean(r.a), b: clean(r.b) }));
          for (const topic of topics) await db.append(topic, rows);
          await check(db);
          if (at !== restartAt) continue;
          await db.close();
          db = await openInMemory(disk);
          await check(db);
        }
        await db.close();
      }),
      { numRuns: 25 },
    );
  });

  test("of rows that are dropped are never interned", async () => {
    const db = await openInMemory();
    await define(db);
    const rows = (topic: string, n: (i: number) => number) =>
      db.append(
        topic,
        Array.from({ length: 1000 }, (_, i) => ({ id: i, k: 0, n: n(i), a: `${topic} ${i}`, b: null })),
      );
    const { dictionary } = db.core;
    await db.settled();
    const before = dictionary.highWater;
    await rows("passed_in", (i) => (i === 500 ? 4 : 1));
    await rows("last_in", (i) => i);
    await db.settled();
    // A chunk's last row stays for a while, and a step has a few of them.
    expect(dictionary.highWater - before).toBeLessThan(50);
    await rows("shared_in", () => 1);
    await db.settled();
    expect(dictionary.highWater - before).toBeGreaterThan(1000);
    await check(db);
    await db.close();
  });
});
