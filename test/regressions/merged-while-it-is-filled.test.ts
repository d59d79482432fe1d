/**
 * Rows go to a run piece by piece. A merge that came by between two pieces took the run for a sparse one, moved what was there of it, and let go of it: the rows
 * of the next pieces went to a run that nobody looked in, and were lost.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { ColdTable } from "../state/cold/rows.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** So many that a sixteenth of them goes in more than two pieces. */
const ROWS = 80_000;

it.each(["merge", "come back, and merge", "are needed in memory"] as const)(
  "keeps what is yet to come: rows %s meanwhile",
  async (what) => {
    const table = new ColdTable(new SimulatedDisk(), [2, 0, 1]);
    const { store, cold } = table;
    for (let i = 0; i < ROWS; i++) await table.upsert({ key: ["k", "1", BigInt(i)], n: null, t: null });
    table.step();
    store.vacuum(table.epoch);
    let warming: Promise<void> | null = null;
    let times = 0;
    const gone = await cold.spill(table.epoch, async () => {
      if (cold.rows === 0 || times++ > 0) return;
      if (what === "come back, and merge")
        for (let i = 0; i < ROWS; i++) await table.find(["k", "1", BigInt(i)]);
      if (what !== "are needed in memory") return cold.merge(turn);
      store.warmers++;
      warming = cold.thaw(turn);
      await turn();
    });
    await warming;
    expect(times).toBeGreaterThan(0);
    if (what === "are needed in memory") expect(cold.isEmpty).toBe(true);
    else expect(gone).toBeGreaterThan(2_048);
    const told = new Set(await table.scan(table.epoch, turn));
    expect(table.wanted.filter((row) => !told.has(row))).toEqual([]);
    expect(told.size).toBe(ROWS);
  },
  60_000,
);
