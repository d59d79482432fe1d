/**
 * A large commit that waited for room among the rows to be stepped had asked for the one before to be published, too, and forgot that: where the disk failed before
 * it was, nobody took the refusal, which ended the process.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { db, openWith } from "../engine/support/cold.ts";
import { sql } from "../engine/support/memory.ts";

const unhandled: unknown[] = [];
const note = (error: unknown): void => {
  unhandled.push(error);
};

beforeEach(() => {
  process.on("unhandledRejection", note);
});

afterEach(() => {
  process.off("unhandledRejection", note);
});

it("is refused with those before it, and nothing else is said", async () => {
  const disk = new SimulatedDisk();
  await openWith(disk, { memoryLimit: 4 << 20, report: () => {}, onFatal: () => {} });
  await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, a int4)");
  const rows = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => ({ k: from + i, a: i }));
  for (let k = 0; k < 40_000; k += 2_000) await db.append("t", rows(k, 2_000));
  await db.settled();
  const large = [1, 2, 3, 4].map((i) => rows(i * 1_000_000, 20_000));
  // The disk fails when the first has been staged and the others are about to be.
  Object.defineProperty(large[1]!.at(-1)!, "a", {
    enumerable: true,
    get: () => {
      disk.fail({ operation: "datasync", path: /\.log$/, code: "EIO", times: Number.POSITIVE_INFINITY });
      return 0;
    },
  });
  const ends = await Promise.allSettled(large.map((some) => db.append("t", some)));
  for (const end of ends) expect(end).toMatchObject({ status: "rejected", reason: { code: "io_error" } });
  await nextTurn();
  await nextTurn();
  expect(unhandled).toEqual([]);
});
