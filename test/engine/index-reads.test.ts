/** Reads of a view's rows by filter and order: through whatever indexes there are they give what looking at all rows gives. */
import { expect, it } from "vitest";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { seed } from "../support/seed.ts";
import { openInMemory, sql } from "./support/memory.ts";

type Row = Readonly<Record<string, number | string | null>>;

const columns = ["a", "b", "c", "k"];

/** Nulls are last ascending, first descending. */
function compare(order: readonly string[], x: Row, y: Row): number {
  for (const item of order) {
    const descending = item.startsWith("-");
    const [p, q] = [x, y].map((row) => row[descending ? item.slice(1) : item] as number | string | null);
    if (p === q) continue;
    const d = p === null ? 1 : q === null ? -1 : (p as number) < (q as number) ? -1 : 1;
    return descending ? -d : d;
  }
  return 0;
}

it("gives the same with and without", async () => {
  const random = new SeededRandom(seed);
  const pick = <T>(values: readonly T[]): T => values[random.below(values.length)] as T;
  const engine = await openInMemory();
  await sql(
    engine,
    `CREATE TABLE t (k int PRIMARY KEY, a int, b text, c numeric);
     CREATE MATERIALIZED VIEW v AS SELECT k, a, b, c FROM t ORDER BY b DESC, a`,
  );
  const values: Readonly<Record<string, readonly (string | number | null)[]>> = {
    a: [0, 1, 2, 3, null],
    b: ["", "x", "y", "z", null],
    c: ["1", "1.0", "2.50", null],
    k: Array.from({ length: 300 }, (_, i) => i),
  };
  let declared = 0;
  for (let round = 0; round < 40; round++) {
    if (round % 5 === 0) {
      const items = [0, 1].map(() => `${pick(["a", "b", "c"])}${pick(["", " DESC"])}`);
      await sql(engine, `CREATE INDEX i${declared++} ON v (${items.join(", ")})`);
    }
    if (round % 9 === 8) await sql(engine, `DROP INDEX i${random.below(declared)}`).catch(() => undefined);
    const rows = Array.from({ length: 40 }, () => ({
      k: pick(values["k"]!),
      a: pick(values["a"]!),
      b: pick(values["b"]!),
      c: pick(values["c"]!),
    }));
    await engine.append("t", rows);
    await sql(engine, `DELETE FROM t WHERE k % 11 = ${random.below(11)}`);
    await engine.settled();
    const reader = engine.view("v");
    const all = (await reader.rows()).rows as Row[];
    expect(all).toEqual([...all].sort((x, y) => compare(["-b", "a", "k"], x, y)));
    for (let n = 0; n < 20; n++) {
      const asked = columns.filter(() => random.below(3) === 0);
      const where = Object.fromEntries(asked.map((c) => [c, pick(values[c]!)]));
      const order = pick([undefined, ["a"], ["-a", "b"], ["b"], ["-b", "a"], ["c", "-a"], ["-c", "a"]]);
      const limit = pick([undefined, 1, 3, 10]);
      const { rows: got } = await reader.rows({ where, order, limit });
      const isEqual = (x: unknown, y: unknown): boolean =>
        x === y ||
        (x !== null && y !== null && Number(x) === Number(y) && typeof x === "string" && /\d/.test(x));
      const passing = all.filter((row) => asked.every((c) => isEqual(row[c], where[c])));
      const label = JSON.stringify({ where, order, limit });
      expect(got.length, label).toBe(Math.min(passing.length, limit ?? passing.length));
      for (const row of got) expect(passing, label).toContainEqual(row);
      // With the view's own order the rows are decided, with another one their places in it.
      if (order === undefined) expect(got, label).toEqual(passing.slice(0, limit));
      else {
        const sorted = [...passing].sort((x, y) => compare(order, numeric(x), numeric(y)));
        const places = (list: readonly Row[]) =>
          list.map((r) => order.map((o) => numeric(r)[o.replace("-", "")]));
        expect(places(got as Row[]), label).toEqual(places(sorted.slice(0, limit)));
      }
    }
  }
  await engine.close();
});

/** Numerics come as texts. */
function numeric(row: Row): Row {
  return { ...row, c: row["c"] === null ? null : Number(row["c"]) };
}
