/** A query sees one state, however long it takes to begin. */
import { expect, it } from "vitest";
import type { Build } from "../../src/dataflow/circuit.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

it("what a query reads is held while its indexes are made", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int); CREATE TABLE u (n int PRIMARY KEY)");
  await sql(db, "INSERT INTO t SELECT g, 1 FROM generate_series(1, 100) g; INSERT INTO u VALUES (1)");
  const { circuit } = db.core;
  const make = circuit.build.bind(circuit);
  let waits = 200;
  let begun = false;
  circuit.build = (...given) => {
    const build: Build = make(...given);
    const prepare = build.prepare.bind(build);
    build.prepare = (deadline) => {
      begun = true;
      return waits-- > 0 ? false : prepare(deadline);
    };
    return build;
  };
  const asked = rowsOf(db, "SELECT count(*), sum(t.n) FROM t JOIN u ON t.n = u.n");
  while (!begun) await new Promise((resolve) => setImmediate(resolve));
  circuit.build = make;
  await db.append(
    "t",
    Array.from({ length: 100 }, (_, i) => ({ k: i + 1, n: 2 })),
  );
  await db.append("u", [{ n: 2 }]);
  await db.settled();
  expect(waits).toBeGreaterThan(0);
  expect(await asked).toEqual([["100", "100"]]);
  await db.close();
});
