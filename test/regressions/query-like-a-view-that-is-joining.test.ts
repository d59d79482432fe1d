/**
 * A query took rows from a view that computes the same and has just joined the circuit, at an epoch that was not durable yet. As of the epoch before, which the
 * query read, these rows were not there: the answer was empty. Found by the simulation, seed 912.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test("a query gives the rows of its position while a view like it joins", async () => {
  const like = "SELECT v, count(*) AS c FROM t GROUP BY v";
  let answers = 0;
  for (let seed = 1; seed <= 8; seed++) {
    const db = await openInMemory(new SimulatedDisk({ seed }));
    await sql(
      db,
      "CREATE TABLE t (k int4 PRIMARY KEY, v int4); CREATE TABLE other (n int4) WITH (append_only)",
    );
    await db.append("t", [{ k: 1, v: 7 }]);
    await db.settled();
    let isOver = false;
    // The log is never at rest: what readers see is behind what has been stepped.
    const busy = (async () => {
      while (!isOver) await Promise.all([1, 2, 3].map((n) => db.append("other", [{ n }])));
    })();
    for (let view = 0; view < 5; view++) {
      let made = false;
      const making = sql(db, `CREATE MATERIALIZED VIEW v${view} AS ${like}`).then(() => {
        made = true;
      });
      while (!made) {
        expect(await rowsOf(db, like)).toEqual([["7", "1"]]);
        answers++;
        await new Promise((done) => setImmediate(done));
      }
      await making;
      await sql(db, `DROP MATERIALIZED VIEW v${view}`);
    }
    isOver = true;
    await busy;
    await db.close();
  }
  expect(answers).toBeGreaterThan(40);
});
