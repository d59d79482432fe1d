import { afterEach, describe, expect, test } from "vitest";
import { Cooling } from "../../src/dataflow/cooling.ts";
import { MemoryLimit } from "../../src/dataflow/memory-limit.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { ColdTable, type Key } from "../state/cold/rows.ts";

const LIMIT = 1 << 20;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
const keyOf = (i: number): Key => [`k${i}`, String(i), BigInt(i)];
const said: string[] = [];

afterEach(() => expect(said.splice(0)).toEqual([]));

/** A table of 100 rows, of which as many go to disk as may; the memory limit sees `used` bytes taken. */
async function cooled(used = LIMIT, warm = 0): Promise<{ table: ColdTable; cooling: Cooling }> {
  const table = new ColdTable(new SimulatedDisk());
  const cooling = new Cooling(new MemoryLimit(LIMIT, () => used), () => [table.store], {
    files: table.files,
    turn: async () => performance.now() + 4,
    report: (message) => said.push(message),
    warm,
  });
  for (let i = 0; i < 100; i++) await table.upsert({ key: keyOf(i), n: null, t: null });
  table.step();
  return { table, cooling };
}

async function cool(cooling: Cooling, table: ColdTable): Promise<number> {
  if (cooling.isDue(table.epoch)) await cooling.cool(table.epoch, turn);
  return table.cold.rows;
}

describe("rows go out as soon as they may", () => {
  test("behind a checkpoint that lets go of them one after the other", async () => {
    const { table, cooling } = await cooled();
    const capture = table.cold.capture(null);
    const pin = table.store.pin(table.epoch, true);
    expect(await cool(cooling, table)).toBe(0);
    table.step();
    expect(await cool(cooling, table)).toBe(0);
    capture.at = 50;
    expect(await cool(cooling, table)).toBe(50);
    table.step();
    expect(await cool(cooling, table)).toBe(50);
    capture.at = Number.POSITIVE_INFINITY;
    expect(await cool(cooling, table)).toBe(100);
    capture.release();
    pin.release();
  });

  test("again, after they have come back, though no step has come", async () => {
    const { table, cooling } = await cooled();
    expect(await cool(cooling, table)).toBe(100);
    expect(cooling.isDue(table.epoch)).toBe(false);
    for (let i = 0; i < 20; i++) await table.find(keyOf(i));
    expect(table.cold.rows).toBe(80);
    expect(await cool(cooling, table)).toBe(100);
  });
});

describe("rows that could not go because somebody was amid of them", () => {
  test("go when he is not any more, though nothing has changed", async () => {
    const { table, cooling } = await cooled();
    const going = cooling.cool(table.epoch, turn);
    const hold = table.store.hold();
    await going;
    expect(table.cold.rows).toBe(0);
    expect(cooling.isDue(table.epoch)).toBe(false);
    hold.release();
    expect(cooling.isDue(table.epoch)).toBe(true);
    expect(await cool(cooling, table)).toBe(100);
  });
});

describe("files", () => {
  test("are not made for a table of a few rows", async () => {
    const { table, cooling } = await cooled(LIMIT, 0.5);
    expect(cooling.isDue(table.epoch)).toBe(false);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(false);
    for (let i = 0; i < 1000; i++) await table.upsert({ key: keyOf(i), n: null, t: null });
    table.step();
    expect(cooling.isDue(table.epoch)).toBe(true);
  });

  test("are not opened without bound", async () => {
    const { table, cooling } = await cooled();
    const files = [];
    while (table.files.count < 512) files.push(await table.files.create());
    expect(cooling.isDue(table.epoch)).toBe(false);
    files[0]!.release();
    expect(cooling.isDue(table.epoch)).toBe(true);
  });
});

describe("rows that all come back", () => {
  test("find the room taken by those that are coming back to another", async () => {
    const { table, cooling } = await cooled(LIMIT * 0.93);
    await cool(cooling, table);
    const { strideWords } = table.store.layout;
    expect(100 * (strideWords * 4 + 22)).toBeLessThan(LIMIT * 0.0075);
    // They take the slots that the cold rows have left, so that these need new ones: room for one of three that want them.
    for (let i = 100; i < 200; i++) await table.upsert({ key: keyOf(i), n: null, t: null });
    const held: Promise<void>[] = [];
    const asked = async (): Promise<number> => {
      for (let i = 0; i < 3; i++) held.push(cooling.thaw(table.store));
      const results = await Promise.allSettled(held);
      return results.filter(({ status }) => status === "fulfilled").length;
    };
    expect(await asked()).toBeLessThan(3);
    expect(table.cold.isEmpty).toBe(true);
  });

  test("do not fail with a merge beside them", async () => {
    const disk = new SimulatedDisk();
    const table = new ColdTable(disk);
    for (let i = 0; i < 320; i++) {
      await table.upsert({ key: keyOf(i), n: null, t: null });
      if (i % 10 !== 9) continue;
      table.step();
      await table.cold.spill(table.epoch, turn);
    }
    disk.fail({ operation: "write", path: /run-/, code: "ENOSPC" });
    const merge = table.cold.merge(turn);
    const thawed = table.cold.thaw(turn);
    await expect(merge).rejects.toMatchObject({ code: "disk_full" });
    await thawed;
    expect(table.cold.isEmpty).toBe(true);
  });
});

describe("a table takes more than it has free slots for", () => {
  test("only while rows of it can go", async () => {
    const { table, cooling } = await cooled(LIMIT * 0.95);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(true);
    const pin = table.store.pin(0, true);
    expect(await cool(cooling, table)).toBe(0);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(false);
    pin.release();
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(true);
    const firm = table.store.pin(table.epoch);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(false);
    firm.release();
    const capture = table.cold.capture(null);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(false);
    capture.release();
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(true);
  });

  test("also while somebody is amid of its rows, which soon is over", async () => {
    const { table, cooling } = await cooled(LIMIT * 0.95);
    const held = table.store.hold();
    expect(await cool(cooling, table)).toBe(0);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(true);
    held.release();
    held.release();
    expect(await cool(cooling, table)).toBe(100);
  });

  test("when the last step is all that can go, which it can with the next one", async () => {
    const { table, cooling } = await cooled(LIMIT * 0.95);
    await table.upsert({ key: keyOf(1), n: null, t: "changed" });
    expect(await cool(cooling, table)).toBe(99);
    expect(cooling.isDue(table.epoch)).toBe(false);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(true);
  });

  test("not where all but a little of the limit is taken: views have the rest", async () => {
    const { table, cooling } = await cooled(LIMIT * 0.98);
    expect(cooling.makesRoom(table.store, table.epoch)).toBe(false);
  });
});
