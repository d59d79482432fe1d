/** A start makes the indexes of a large table in a thread of its own: every row is found afterwards, also after further changes; and without the thread. */
import { mkdtemp } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import type { Batch } from "../../src/batch/batch.ts";
import { ELSEWHERE_SLOTS_MIN, Indexing } from "../../src/engine/checkpoint/indexing.ts";
import { type Db, int4, int8, open, table } from "../../src/index.ts";
import { removeChecked } from "../support/left-behind.ts";

const accounts = table("accounts", { key: "id", schema: { id: int8, level: int4 } });
const ROWS = ELSEWHERE_SLOTS_MIN + 40_000;
const COMMIT_ROWS = 20_000;
/** Ids are not in the order of their slots. */
const idOf = (n: number): number => (n * 7_919) % ROWS;

function batchOf(db: Db, from: number, to: number, level: number): Batch {
  const { schema } = db.engine.topic("accounts");
  const length = to - from;
  const [id, int] = schema.fields.map(({ type }) => type);
  const ids = BigInt64Array.from({ length }, (_, i) => BigInt(idOf(from + i)));
  return {
    schema,
    length,
    weights: null,
    columns: [
      { kind: "fixed", type: id!, length, validity: null, values: ids },
      { kind: "fixed", type: int!, length, validity: null, values: new Int32Array(length).fill(level) },
    ],
  };
}

async function put(db: Db, from: number, to: number, level: number): Promise<void> {
  for (let at = from; at < to; at += COMMIT_ROWS)
    await db.engine.appendBatch("accounts", batchOf(db, at, Math.min(to, at + COMMIT_ROWS), level));
}

async function levelOf(db: Db, id: number): Promise<unknown> {
  const { results } = await db.sql(`SELECT level FROM accounts WHERE id = ${id}`);
  return results[0]!.rows.map(([level]) => level);
}

afterEach(() => {
  vi.restoreAllMocks();
});

// With one core there is no such thread.
it.skipIf(availableParallelism() < 2)(
  "finds every row after a start, whoever made the index",
  { timeout: 120_000 },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "evert-indexing-"));
    const options = { dir, topics: [accounts], checkpointIntervalMs: 0 };
    try {
      let db = await open(options);
      await put(db, 0, ROWS, 1);
      await db.engine.checkpoint();
      // The second part of the checkpoint has other slots for the same keys, and empty ones.
      await put(db, 1_000, 30_000, 2);
      for (let n = 0; n < 100; n++) await db.delete(accounts, idOf(n));
      await db.close();
      for (const round of [0, 1]) {
        const made = vi.spyOn(Indexing.prototype, "lines");
        if (round === 1) made.mockResolvedValue(null);
        db = await open(options);
        expect(made).toHaveBeenCalledOnce();
        const lines = await made.mock.results[0]!.value;
        expect(lines === null).toBe(round === 1);
        expect(db.engine.topic("accounts").rows).toBe(ROWS - 100 + round * 100);
        for (let n = 0; n < ROWS; n += 52_711)
          expect(await levelOf(db, idOf(n))).toEqual(
            n === 0 && round === 0 ? [] : [n >= 1_000 && n < 30_000 ? 2 : 1],
          );
        // Rows are replaced, and come again: none is there twice.
        await put(db, 0, 100, 1);
        await put(db, 500_000, 540_000, 3);
        await db.settled();
        expect(db.engine.topic("accounts").rows).toBe(ROWS);
        for (const n of [0, 99, 500_000, 539_999])
          expect(await levelOf(db, idOf(n))).toEqual([n < 100 ? 1 : 3]);
        await put(db, 500_000, 540_000, 1);
        await db.close();
        made.mockRestore();
      }
    } finally {
      await removeChecked(dir);
    }
  },
);
