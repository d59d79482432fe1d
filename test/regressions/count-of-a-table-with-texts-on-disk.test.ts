/**
 * count(*) of a table larger than memory met the memory limit: rows that were read from disk brought their texts with them, which nobody had asked for, and
 * which stayed until the query's step was over.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { db, openWith } from "../engine/support/cold.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const [ROWS, BATCH] = [100_000, 1_000];

it("counts and adds up what is on disk, within the limit", async () => {
  await openWith(new SimulatedDisk(), { memoryLimit: 4 << 20 });
  await sql(
    db,
    "CREATE TABLE t (k int4 PRIMARY KEY, s text NOT NULL, wide int8 NOT NULL, w int8 NOT NULL, a int4 NOT NULL)",
  );
  for (let from = 0; from < ROWS; from += BATCH)
    await db.append(
      "t",
      Array.from({ length: BATCH }, (_, i) => ({
        k: from + i,
        s: `the text of row number ${from + i}`,
        wide: String(2n ** 60n + BigInt(from + i)),
        w: String(2n ** 61n),
        a: 1,
      })),
    );
  await db.settled();
  const table = db.core.circuit.stores().find(({ store }) => store.name === "t");
  expect(table!.store.cold!.rows).toBeGreaterThan(ROWS / 2);
  expect(await rowsOf(db, "SELECT count(*), sum(a), count(DISTINCT w) FROM t WHERE a > 0")).toEqual([
    [String(ROWS), String(ROWS), "1"],
  ]);
  expect(await rowsOf(db, `SELECT s, wide FROM t WHERE k = ${ROWS - 1}`)).toEqual([
    [`the text of row number ${ROWS - 1}`, String(2n ** 60n + BigInt(ROWS - 1))],
  ]);
});
