/** Where rows stay in memory and a commit is refused for it, the refusal names the views, indexes and constraints that keep them there, and no others. */
import { afterEach, describe, expect, it } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import type { Database } from "../../src/engine/database.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "./support/memory.ts";

const LIMIT = 4 << 20;
let db: Database;
afterEach(() => db.close());

async function open(statements: string, column = "a int4"): Promise<void> {
  db = await openInMemory(new SimulatedDisk(), { memoryLimit: LIMIT });
  // Beside what keeps rows, a view of the same table that does not: it is not to be blamed.
  const other = "CREATE MATERIALIZED VIEW innocent AS SELECT g, count(*) AS n FROM t GROUP BY g";
  await sql(
    db,
    `CREATE TABLE t (k int4 PRIMARY KEY, g int4, ${column}); CREATE TABLE small (k int4 PRIMARY KEY, g int4, a int4); ${other}; ${statements}`,
  );
}

const rows = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ({ k: from + i, g: (from + i) % 100, a: from + i }));

/** Appends until the table refuses. */
async function refusal(): Promise<EvertError> {
  for (let k = 0; k < 150_000; k += 500) {
    const error = await db.append("t", rows(k, 500)).then(
      () => null,
      (thrown: EvertError) => thrown,
    );
    if (error !== null) return error;
    await db.settled();
  }
  throw new Error("it took all rows");
}

/** By what keeps the rows: what makes it, how it is named, what drops it. */
const KINDS: readonly [string, string, string, string][] = [
  [
    "an order far into the table",
    "CREATE MATERIALIZED VIEW best AS SELECT * FROM t ORDER BY a LIMIT 10 OFFSET 20000",
    'view "best"',
    "DROP MATERIALIZED VIEW best",
  ],
  [
    "a recursion",
    "CREATE MATERIALIZED VIEW reached AS WITH RECURSIVE r (k, g, a) AS (SELECT k, g, a FROM t WHERE k = 1 UNION SELECT t.k, t.g, t.a FROM r JOIN t ON t.a = r.k) SELECT k, g, a FROM r",
    'view "reached"',
    "DROP MATERIALIZED VIEW reached",
  ],
  [
    "what depends on the order of all rows",
    "CREATE MATERIALIZED VIEW ends AS SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY a) AS a FROM t",
    'view "ends"',
    "DROP MATERIALIZED VIEW ends",
  ],
  ["a declared index", "CREATE INDEX by_a ON t (a)", 'index "by_a"', "DROP INDEX by_a"],
];

describe.each(KINDS)("rows that stay in memory for %s", (_, make, name, drop) => {
  it("are told of by name where the table is full, where another one is, and where a commit is too large; dropped, rows go to disk", async () => {
    await open(make);
    const error = await refusal();
    expect(error).toMatchObject({ code: "out_of_memory", retryable: true });
    expect(error.detail).toContain('"t" keeps its rows in memory.');
    expect(error.detail).toMatch(/All rows of table "t" \(\d+ bytes\) stay in memory for /);
    expect(error.detail).toContain(` for ${name}.`);
    expect(error.hint).toBe(`Delete rows, drop ${name}, or open the database with a higher memoryLimit.`);
    // Of another table it is the same cause, for what it has itself is next to nothing.
    await expect(db.append("small", rows(0, 500))).rejects.toMatchObject({
      code: "out_of_memory",
      detail: expect.stringContaining(`stay in memory for ${name}.`),
      hint: expect.stringContaining(`drop ${name}, or`),
    });
    await expect(db.append("t", rows(1_000_000, 100_000))).rejects.toMatchObject({
      hint: expect.stringContaining(name),
    });
    await sql(db, drop);
    await db.settled();
    for (let k = 500_000; k < 560_000; k += 2_000) {
      await db.append("t", rows(k, 2_000));
      await db.settled();
    }
    expect(db.core.tables.store(db.core.catalog.entry("t")!.id)?.cold?.rows).toBeGreaterThan(20_000);
  });
});

it("a unique constraint is named", async () => {
  await open("SELECT 1", "a int4 UNIQUE");
  const { detail, hint } = await refusal();
  expect(detail).toContain('stay in memory for unique constraint "t_a_key".');
  expect(hint).toContain('drop unique constraint "t_a_key", or');
});

it("all that keep the same rows are named, with views that are made from such views", async () => {
  await open(
    `${KINDS[0]![1]}; ${KINDS[3]![1]}; CREATE MATERIALIZED VIEW above AS SELECT k + 1 AS k FROM best; CREATE MATERIALIZED VIEW least AS SELECT percentile_disc(0.1) WITHIN GROUP (ORDER BY a) AS a FROM t`,
  );
  const { detail, hint } = await refusal();
  expect(detail).toContain('stay in memory for views "best", "above", "least", index "by_a".');
  expect(hint).toContain('drop views "best", "above", "least", index "by_a", or');
});

it("rows that a view keeps in an order, or that have an index, are told of as the view's", async () => {
  await open("CREATE MATERIALIZED VIEW v AS SELECT k, a FROM t WHERE k < 15000; CREATE INDEX on_v ON v (a)");
  await db.append("t", rows(0, 15_000));
  await db.settled();
  const kept = db.core.circuit.keptRows(0).filter(({ owner }) => owner?.kind === "view");
  expect(kept).toHaveLength(1);
  await expect(db.append("t", rows(0, 100_000))).rejects.toMatchObject({
    code: "commit_too_large",
    hint: expect.stringMatching(/drop view "v", index "on_v", or open/),
  });
});
