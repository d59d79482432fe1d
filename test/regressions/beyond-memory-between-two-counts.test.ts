import { afterEach, expect, test, vi } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

afterEach(() => vi.restoreAllMocks());

// What state takes is counted every 20 ms or less often. What was built between two counts joined the others, however large.
test("a view that is built faster than memory is counted is stopped all the same, and so is a query", async () => {
  const db = await openInMemory(new SimulatedDisk(), { memoryLimit: 4 * 2 ** 20 });
  try {
    await sql(db, "CREATE TABLE s (k int4, a int4) WITH (append_only)");
    for (let from = 0; from < 100_000; from += 2000) {
      await db.append(
        "s",
        Array.from({ length: 2000 }, (_, i) => ({ k: from + i, a: 1 })),
      );
    }
    await db.settled();
    expect(db.stats().stateBytes).toBeLessThan(2 ** 20);
    // From here on no time passes: whatever is made is made between two counts.
    const now = performance.now();
    vi.spyOn(performance, "now").mockReturnValue(now);
    const large = "SELECT k, sum(a) AS a FROM s GROUP BY k";
    for (const statement of [
      `SELECT count(*) FROM (${large}) x`,
      `CREATE MATERIALIZED VIEW large AS ${large}`,
    ]) {
      expect((await db.sql(statement)).error).toMatchObject({
        code: "view_limit",
        message: "the database has reached its memory limit",
      });
    }
  } finally {
    vi.restoreAllMocks();
    await db.close();
  }
});
