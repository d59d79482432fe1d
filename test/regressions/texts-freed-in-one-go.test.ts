/**
 * Texts that no row had any more were freed all in one go: after 200,000 reads of keys that are not there, whose texts had been interned to look for them,
 * the next step stopped the world for 170 ms; so did a view of many texts that was dropped.
 */
import { afterEach, expect, it, vi } from "vitest";
import { Dictionary } from "../../src/state/dictionary.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

afterEach(() => {
  vi.restoreAllMocks();
});

it("looks at so many candidates, and goes on where it was", () => {
  const dictionary = new Dictionary();
  const ids = Array.from({ length: 100 }, (_, n) => dictionary.internString(`text ${n}`));
  expect(dictionary.collect(30)).toBe(false);
  // The empty text was a candidate, too.
  expect(dictionary.size).toBe(1 + 71);
  // One that waits is wanted after all; one that was freed is there again.
  dictionary.retain(ids[50]!);
  dictionary.retain(dictionary.internString("text 0"));
  for (const left of [43, 13]) {
    expect(dictionary.collect(30)).toBe(false);
    expect(dictionary.size).toBe(1 + left);
  }
  expect(dictionary.collect(30)).toBe(true);
  expect(dictionary.size).toBe(1 + 2);
  expect(dictionary.string(ids[50]!)).toBe("text 50");
  dictionary.release(ids[50]!);
  expect(dictionary.collect(30)).toBe(true);
  expect(dictionary.size).toBe(1 + 1);
});

it("texts of rows that were deleted go a piece at a time, and all of them", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, s text)");
  await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k, lower(s) AS s FROM t");
  await sql(db, "INSERT INTO t SELECT g, 'S ' || g FROM generate_series(1, 20000) g");
  await db.settled();
  const freed: number[] = [];
  const { collect } = Dictionary.prototype;
  vi.spyOn(Dictionary.prototype, "collect").mockImplementation(function (this: Dictionary, most) {
    const { size } = this;
    const done = collect.call(this, most);
    freed.push(size - this.size);
    return done;
  });
  await sql(db, "DROP MATERIALIZED VIEW v");
  await sql(db, "DELETE FROM t");
  await db.settled();
  for (let n = 0; n < 10_000 && db.core.dictionary.size > 10; n++) await new Promise(setImmediate);
  expect(db.core.dictionary.size).toBeLessThan(10);
  expect(Math.max(...freed)).toBeLessThanOrEqual(4_096);
  expect(freed.reduce((sum, n) => sum + n, 0)).toBeGreaterThanOrEqual(39_990);
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["0"]]);
  await db.close();
});
