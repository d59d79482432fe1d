/** An erasing that ran into a view begun meanwhile ended with "somebody still reads rows", and told to wait for long queries; it was the view's build that read them. */
import { afterEach, expect, test, vi } from "vitest";
import type { Build } from "../../src/dataflow/circuit.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

afterEach(() => vi.restoreAllMocks());

test("it names the view", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY, s text)");
  await sql(db, "INSERT INTO t SELECT i, 'text ' || i FROM generate_series(1, 100) i");
  await db.settled();
  const { circuit } = db.core;
  const make = circuit.build.bind(circuit);
  let isHeldUp = true;
  let hasBegun = false;
  circuit.build = (...given) => {
    const build: Build = make(...given);
    const run = build.run.bind(build);
    build.run = (deadline) => {
      hasBegun = true;
      return isHeldUp ? false : run(deadline);
    };
    return build;
  };
  // The view is begun once the erasing has looked for such.
  const { settledInTime } = db.core.views;
  let making: Promise<unknown> | null = null;
  db.core.views.settledInTime = async () => {
    await settledInTime.call(db.core.views);
    making ??= sql(db, "CREATE MATERIALIZED VIEW slow AS SELECT s, count(*) FROM t GROUP BY s");
    while (!hasBegun) await new Promise((resolve) => setImmediate(resolve));
  };
  // A minute passes quickly.
  let now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => (now += 10));
  await expect(db.erase("t", 7)).rejects.toMatchObject({
    code: "timeout",
    message: 'view "slow" is being made of rows as they were before the delete',
    hint: "The row is deleted; erase it again when it is there.",
  });
  vi.restoreAllMocks();
  isHeldUp = false;
  circuit.build = make;
  await making;
  await db.erase("t", 7);
  await db.close();
});
