/** Steps are numbered in 31 bits: what happens at the last of them, and that a start begins anew. */
import { describe, expect, it } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import { LAST_EPOCH } from "../../src/state/rows.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "./support/memory.ts";

describe("the last step", () => {
  const total = "SELECT n, s FROM v";

  it("stands like any other; then the engine stops with its reason, and goes on after a start", async () => {
    const disk = new SimulatedDisk();
    let fatal: EvertError | null = null;
    const db = await openInMemory(disk, {
      onFatal: (error) => {
        fatal = error;
      },
    });
    await sql(db, "CREATE TABLE t (k int PRIMARY KEY, n int)");
    await sql(db, "CREATE MATERIALIZED VIEW v AS SELECT count(*) AS n, sum(n) AS s FROM t");
    await db.append("t", [{ k: 1, n: 1 }]);
    await db.checkpoint();
    db.core.stepper.epoch = LAST_EPOCH - 2;
    await db.append("t", [{ k: 2, n: 2 }]);
    await db.append("t", [{ k: 1, n: 5 }]);
    await db.settled();
    expect(db.core.stepper.epoch).toBe(LAST_EPOCH);
    expect((await db.view("v").rows()).rows).toEqual([{ n: 2, s: 7 }]);
    // The commit is durable, and cannot be shown any more.
    const last = db.append("t", [{ k: 3, n: 3 }]);
    await last.catch(() => {});
    while (fatal === null) await new Promise((resolve) => setImmediate(resolve));
    expect(fatal).toMatchObject({ message: "this process has made as many steps as it can count" });
    await expect(db.append("t", [{ k: 4, n: 4 }])).rejects.toThrow("as many steps");
    await db.close();

    const again = await openInMemory(disk.reboot("process"));
    expect(again.core.stepper.epoch).toBeLessThan(20);
    expect(await rowsOf(again, total)).toEqual([["3", "10"]]);
    await again.append("t", [{ k: 2, n: 0 }]);
    expect(await rowsOf(again, total)).toEqual([["3", "8"]]);
    await again.close();
  });
});

it("a recursion whose iterations run out is made anew, and nobody sees it", async () => {
  const recursive =
    "WITH RECURSIVE r AS (SELECT a, b FROM e UNION SELECT r.a, e.b FROM r JOIN e ON r.b = e.a) SELECT a, b FROM r";
  const db = await openInMemory(undefined, { recursion: { renewAfter: 7 } });
  const kept = await openInMemory();
  for (const each of [db, kept]) {
    await sql(each, "CREATE TABLE e (a int, b int, PRIMARY KEY (a, b))");
    await sql(each, `CREATE MATERIALIZED VIEW v AS ${recursive}`);
  }
  const random = new SeededRandom(5);
  for (let i = 0; i < 60; i++) {
    const [a, b] = [random.below(6), random.below(6)];
    const statement =
      random.below(3) === 0
        ? `DELETE FROM e WHERE a = ${a}`
        : `INSERT INTO e VALUES (${a}, ${b}) ON CONFLICT DO NOTHING`;
    for (const each of [db, kept]) {
      await sql(each, statement);
      await each.settled();
    }
    const rows = await rowsOf(db, "SELECT a, b FROM v ORDER BY a, b");
    expect(rows).toEqual(await rowsOf(kept, "SELECT a, b FROM v ORDER BY a, b"));
  }
  await Promise.all([db.close(), kept.close()]);
});
