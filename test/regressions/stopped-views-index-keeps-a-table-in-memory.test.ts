/**
 * A view with a window over a table stopped at a limit, as it should. Its index on the table stayed until the view was dropped, and with it all
 * rows of the table in memory: some thousand rows later every table of the database refused what was written to it.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { db, openWith } from "../engine/support/cold.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

const LIMIT = 4 << 20;
const [ROWS, BATCH] = [120_000, 1_000];

it.each([
  ["a window", "SELECT k, sum(a) OVER (PARTITION BY g ORDER BY k) AS s FROM t"],
  ["the least of each group", "SELECT k, min(a) AS a FROM t GROUP BY k"],
  [
    "a rank without partition",
    "SELECT * FROM (SELECT k, rank() OVER (ORDER BY k) AS r FROM t) x WHERE r <= 100000",
  ],
])(
  "%s that has stopped lets go of the table that it read, and all tables take rows",
  async (_, query) => {
    await openWith(new SimulatedDisk(), { memoryLimit: LIMIT, limits: { rowsMax: 10_000 } });
    await sql(
      db,
      `CREATE TABLE t (k int4 PRIMARY KEY, g int4 NOT NULL, a int4 NOT NULL, s text NOT NULL);
       CREATE TABLE small (k int4 PRIMARY KEY, a int4 NOT NULL);
       CREATE MATERIALIZED VIEW beside AS SELECT a, count(*) AS n FROM small GROUP BY a;
       CREATE MATERIALIZED VIEW seen AS ${query}`,
    );
    await db.built();
    let most = 0;
    for (let from = 0; from < ROWS; from += BATCH) {
      await db.append(
        "t",
        Array.from({ length: BATCH }, (_, i) => ({
          k: from + i,
          g: i % 50,
          a: 1,
          s: `row ${from + i}`,
        })),
      );
      most = Math.max(most, db.core.circuit.memory.used);
    }
    await db.append("small", [{ k: 1, a: 5 }]);
    await db.settled();
    expect(db.viewFailure("seen")).toMatchObject({ code: "view_limit" });
    expect(await rowsOf(db, "SELECT a, n FROM beside")).toEqual([["5", "1"]]);
    const table = [...db.core.circuit.stores()].find(({ store }) => store.name === "t");
    expect(table!.store.live).toBe(ROWS);
    expect(table!.store.cold!.rows).toBeGreaterThan(ROWS / 2);
    expect(most).toBeLessThan(LIMIT * 1.1);
    await sql(db, "DROP MATERIALIZED VIEW seen");
    await db.append("t", [{ k: ROWS, g: 0, a: 1, s: "one more" }]);
    await db.settled();
    expect(table!.store.live).toBe(ROWS + 1);
  },
  60_000,
);
