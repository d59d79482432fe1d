/**
 * A view over tables that was dropped between the last piece of its build and the boundary at which it was to join the circuit joined it all the same: nobody asked
 * whether it was still wanted. It was kept up to date from then on, and nothing could drop it. Found by reading, when what dropped views leave behind was looked through.
 */
import { setImmediate as turn } from "node:timers/promises";
import { expect, it } from "vitest";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a view that is gone does not join the circuit", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, n int4); INSERT INTO t VALUES (1, 1), (2, 1)");
  await db.settled();
  const { circuit, stepper } = db.core;
  const before = circuit.stores().length;
  const build = circuit.build.bind(circuit);
  let isFed = false;
  circuit.build = (...given) => {
    const made = build(...given);
    const end = made.end.bind(made);
    made.end = () => {
      isFed = true;
      end();
    };
    return made;
  };
  const atBoundary = stepper.atBoundary.bind(stepper);
  const dropped: Promise<unknown>[] = [];
  stepper.atBoundary = async (run) => {
    if (isFed && dropped.length === 0) {
      dropped.push(sql(db, "DROP MATERIALIZED VIEW v"));
      await dropped[0];
    }
    return atBoundary(run);
  };
  const created = db.sql("CREATE MATERIALIZED VIEW v AS SELECT n, count(*) AS c FROM t GROUP BY n");
  await created;
  expect(dropped).toHaveLength(1);
  for (let turns = 0; turns < 100; turns++) await turn();
  expect(circuit.stores()).toHaveLength(before);
  await db.close();
});
