/**
 * A transaction looks at all that it has read again whenever there has been a step since. Where that took several slices, and a step came within them each time, it looked again without end: who read many
 * rows on a slow machine got none while somebody else went on writing others.
 */
import { expect, it } from "vitest";
import type { Slices } from "../../src/base/slices.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

/** Pieces of work as on a machine that is endlessly slow: 16 reads are looked at in one. */
const slices: Slices = {
  ends: () => Number.NEGATIVE_INFINITY,
  turn: () => new Promise((resolve) => setImmediate(resolve)),
};
const READS = 1_600;
/** Far more than come while all are looked at a few times. */
const STEPS_MAX = 2_000;

it.each(["reads one row more", "reads a view", "writes"])(
  "one that has read many rows and %s comes to an end beside somebody who writes others",
  async (then) => {
    const db = await openInMemory(undefined, { slices });
    await sql(
      db,
      `CREATE TABLE mine (k int4 PRIMARY KEY, n int4); CREATE TABLE other (k int4 PRIMARY KEY, n int4);
     CREATE MATERIALIZED VIEW sum AS SELECT sum(n) AS n FROM mine`,
    );
    await db.built();
    await db.append(
      "mine",
      Array.from({ length: READS + 1 }, (_, k) => ({ k, n: 1 })),
    );
    let isOver = false;
    let runs = 0;
    const step = async (n: number): Promise<void> => {
      await db.append("other", [{ k: 1, n }]);
      await db.settled();
    };
    const writing = async (): Promise<number> => {
      let n = 0;
      while (!isOver && n < STEPS_MAX) await step(n++);
      return n;
    };
    let writer: Promise<number> | null = null;
    const { result } = await db.transaction(async (tx) => {
      runs++;
      let sum = 0;
      for (let k = 0; k < READS; k++) sum += Number((await tx.get("mine", k))?.["n"]);
      writer ??= writing();
      await step(-1);
      if (then === "reads one row more") sum += Number((await tx.get("mine", READS))?.["n"]);
      else if (then === "reads a view") expect(await tx.rows("sum")).toEqual([{ n: READS + 1 }]);
      else tx.append("mine", [{ k: -1, n: sum }]);
      return sum;
    });
    isOver = true;
    expect(await writer).toBeLessThan(STEPS_MAX);
    expect([result, runs]).toEqual([then === "reads one row more" ? READS + 1 : READS, 1]);
    if (then === "writes")
      expect(await rowsOf(db, "SELECT n FROM mine WHERE k = -1")).toEqual([[`${READS}`]]);
    await db.close();
  },
);
