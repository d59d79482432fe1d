/** Cold rows found by other columns than their key's: all rows with the values asked for, wherever they went and however often. */
import { describe, expect, test } from "vitest";
import { MatchPage } from "../../../src/dataflow/operators/match-pages.ts";
import type { HashIndex } from "../../../src/state/hash-index.ts";
import { Marks } from "../../../src/state/marks.ts";
import { masksOf } from "../../../src/state/null-masks.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { ColdTable, DIRECTORY, type Row, textOf } from "./rows.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
/** Of rows.ts: the columns that are joined on. */
const N = 3;
const T = 4;
const texts = ["", "a", "a text that does not fit a few bytes", null] as const;
const numbers = [null, 0n, 1n, -(2n ** 61n), 2n ** 61n] as const;

/** A table that is joined by n and t together, and by t alone. */
class Joined {
  readonly table: ColdTable;
  readonly #indexes;
  /** Rows that were met where they lie. */
  told = 0;
  /** `late`: columns are joined on from join() on. */
  constructor(disk: SimulatedDisk, late = false) {
    this.table = new ColdTable(disk);
    this.#indexes = late ? [] : this.join();
  }

  join() {
    const { store } = this.table;
    return [[N, T], [T]].map((columns) => store.hashIndex({ columns, unique: false }, true));
  }

  /** Rows with this n and t, or this t: those in memory once what was asked for is there. */
  async found(n: bigint | null | undefined, t: string | null, indexes = this.#indexes): Promise<string[]> {
    const { cold } = this.table;
    const index = n === undefined ? indexes[1]! : indexes[0]!;
    const links = cold.linksBy(index.spec.columns)!;
    for (let seen = -1; seen !== cold.moves; ) {
      seen = cold.moves;
      links.wantHash(links.key.ofCodes(this.#codes(n, t)));
      const found = await cold.find(links, Number.POSITIVE_INFINITY);
      if (found === null) continue;
      await cold.bringFound(found);
      cold.foundAll(found, seen);
    }
    return this.#here(n, t, index).sort();
  }

  #codes(n: bigint | null | undefined, t: string | null): number[] {
    const { dictionary } = this.table.store;
    return [
      ...(n === undefined
        ? []
        : [n === null ? 0 : BigInt.asIntN(53, n) === n ? Number(n) : dictionary.internBigInt(n)]),
      t === null ? 0 : dictionary.internString(t),
    ];
  }

  /** Those in memory, but for some. */
  #here(n: bigint | null | undefined, t: string | null, index: HashIndex, but = new Marks()): string[] {
    const { table } = this;
    const { store } = table;
    const rows: string[] = [];
    const nulls = masksOf(n === undefined ? [t] : [n === null ? null : 1, t]);
    for (let slot = index.find(...this.#codes(n, t), ...nulls); slot >= 0; slot = index.next(slot))
      if (store.visible(slot, table.epoch) && !but.has(slot)) rows.push(table.rowAt(store, slot));
    return rows;
  }

  /** The same, of which those on disk stay there, while `between` happens: rows come back, and go out once those in memory have been looked at. */
  async scanned(
    n: bigint | null | undefined,
    t: string | null,
    between: () => Promise<void>,
  ): Promise<string[]> {
    const { store, cold } = this.table;
    const index = n === undefined ? this.#indexes[1]! : this.#indexes[0]!;
    const links = cold.linksBy(index.spec.columns)!;
    const hold = store.hold();
    links.wantHash(links.key.ofCodes(this.#codes(n, t)));
    const found = await cold.find(links, Number.POSITIVE_INFINITY);
    const scan = found === null ? null : cold.scanFound(found);
    await between();
    const rows = this.#here(n, t, index, scan?.back);
    hold.release();
    await between();
    const page = new MatchPage(store, index.spec.columns);
    const nulls = masksOf(n === undefined ? [t] : [n === null ? null : 1, t]);
    for (let reading = scan?.read(page.take) ?? null; reading !== null; reading = scan!.read(page.take)) {
      await reading;
      await between();
    }
    this.told += page.length;
    const told = page.index;
    for (let slot = told.find(...this.#codes(n, t), ...nulls); slot >= 0; slot = told.next(slot))
      rows.push(this.table.rowAt(page.store, slot));
    page.empty();
    scan?.close();
    return rows.sort();
  }

  wanted(n: bigint | null | undefined, t: string | null): string[] {
    const all = [...this.table.expected.values()];
    return all
      .filter((row) => (n === undefined || row.n === n) && row.t === t)
      .map(textOf)
      .sort();
  }
}

function pick<V>(random: SeededRandom, list: readonly V[]): V {
  return list[random.below(list.length)] as V;
}

function rowOf(random: SeededRandom): Row {
  return { key: ["k", "1", BigInt(random.below(60))], n: pick(random, numbers), t: pick(random, texts) };
}

describe("rows are found by what they are joined on", () => {
  test.each(Array.from({ length: 30 }, (_, seed) => seed))(
    "once each where they lie, while they come back and go (seed %i)",
    async (seed) => {
      const random = new SeededRandom(seed);
      const joined = new Joined(new SimulatedDisk({ seed }));
      const { table } = joined;
      const between = async (): Promise<void> => {
        for (let i = random.below(12); i > 0; i--) await table.find(["k", "1", BigInt(random.below(80))]);
        if (random.oneIn(2)) await table.cold.spill(table.epoch, turn);
        if (random.oneIn(3)) await table.cold.merge(turn);
      };
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 20; i++)
          await table.upsert({ ...rowOf(random), key: ["k", "1", BigInt(random.below(80))] });
        table.step();
        table.store.vacuum(table.epoch);
        for (let i = random.below(4); i > 0; i--) await between();
        const [n, t] = [pick(random, numbers), pick(random, texts)];
        expect(await joined.scanned(n, t, between)).toEqual(joined.wanted(n, t));
        expect(await joined.scanned(undefined, t, between)).toEqual(joined.wanted(undefined, t));
        expect(await joined.found(undefined, t)).toEqual(joined.wanted(undefined, t));
      }
      expect(joined.told).toBeGreaterThan(0);
    },
  );

  test.each(Array.from({ length: 30 }, (_, seed) => seed))("wherever they are (seed %i)", async (seed) => {
    const random = new SeededRandom(seed);
    const joined = new Joined(new SimulatedDisk({ seed }));
    const { table } = joined;
    for (let round = 0; round < 60; round++) {
      for (let i = random.below(8); i > 0; i--) {
        const row = rowOf(random);
        if (random.oneIn(4)) await table.delete(row.key);
        else await table.upsert(row);
      }
      table.step();
      if (random.oneIn(2)) table.store.vacuum(table.epoch);
      if (random.oneIn(2)) await table.cold.spill(table.epoch, turn);
      // Rows are asked for while runs, of rows and of links, become one.
      const merged = random.oneIn(2)
        ? table.cold.merge(turn)
        : random.oneIn(4)
          ? table.cold.renew(turn)
          : null;
      for (let i = 0; i < 3; i++) {
        const { n, t } = rowOf(random);
        expect(await joined.found(n, t)).toEqual(joined.wanted(n, t));
        expect(await joined.found(undefined, t)).toEqual(joined.wanted(undefined, t));
      }
      await merged;
      expect(table.store.live).toBe(table.expected.size);
    }
  });

  test("that were on disk before they were joined, once they are linked", async () => {
    const random = new SeededRandom(7);
    const joined = new Joined(new SimulatedDisk(), true);
    const { table } = joined;
    for (let i = 0; i < 200; i++) await table.upsert(rowOf(random));
    table.step();
    table.store.vacuum(table.epoch);
    await table.cold.spill(table.epoch, turn);
    expect(table.cold.rows).toBe(table.expected.size);
    const indexes = joined.join();
    expect(table.store.isCoolable).toBe(false);
    await Promise.all([table.cold.link(turn), table.cold.merge(turn), table.cold.link(turn)]);
    expect(table.store.isCoolable).toBe(true);
    for (const t of texts) {
      expect(await joined.found(undefined, t, indexes)).toEqual(joined.wanted(undefined, t));
      for (const n of numbers) expect(await joined.found(n, t, indexes)).toEqual(joined.wanted(n, t));
    }
    for (const index of indexes) table.store.dropIndex(index, true);
    expect(table.cold.linksBy([T])).toBeNull();
    expect(table.store.isCoolable).toBe(true);
  });

  test("after a restart that names their files, as after none", async () => {
    const random = new SeededRandom(3);
    const disk = new SimulatedDisk();
    const joined = new Joined(disk);
    const { table } = joined;
    for (let i = 0; i < 100; i++) await table.upsert(rowOf(random));
    table.step();
    table.store.vacuum(table.epoch);
    await table.cold.spill(table.epoch, turn);
    const capture = table.cold.capture(null);
    await capture.sync();
    await disk.syncDirectory(DIRECTORY);
    capture.release();
    const restored = async (links: typeof capture.links): Promise<Joined> => {
      const again = new Joined(disk.reboot("power cut"));
      await again.table.cold.restore(
        capture.runs,
        new Map(capture.here.map(({ id, bits }) => [id, bits])),
        links,
      );
      for (const [key, row] of table.expected) again.table.expected.set(key, row);
      return again;
    };
    const again = await restored(capture.links);
    expect(again.table.store.isCoolable).toBe(true);
    for (const t of texts) expect(await again.found(undefined, t)).toEqual(joined.wanted(undefined, t));
    // What a checkpoint does not say is not taken for nothing.
    expect((await restored([])).table.store.isCoolable).toBe(false);
  });
});

describe("links", () => {
  test("of rows that go and come again are not more and more", async () => {
    const joined = new Joined(new SimulatedDisk());
    const { table } = joined;
    for (let i = 0; i < 2_000; i++) await table.upsert({ key: ["k", "1", BigInt(i)], n: BigInt(i), t: "a" });
    for (let round = 0; round < 40; round++) {
      table.step();
      table.store.vacuum(table.epoch);
      while ((await table.cold.spill(table.epoch, turn)) > 0);
      await table.cold.merge(turn);
      expect(table.cold.rows).toBe(2_000);
      for (let i = 0; i < 2_000; i++) await table.find(["k", "1", BigInt(i)]);
    }
    const links = table.cold.linksBy([T])!.runs.reduce((sum, { live }) => sum + live, 0);
    expect(links).toBeLessThan(24_000);
  });

  test("of one key, however many, are counted while they are read, and their room is given back", async () => {
    const joined = new Joined(new SimulatedDisk());
    const { table } = joined;
    const ROWS = 34_000;
    for (let i = 0; i < ROWS; i++) await table.upsert({ key: ["k", "1", BigInt(i)], n: BigInt(i), t: "a" });
    table.step();
    table.store.vacuum(table.epoch);
    while ((await table.cold.spill(table.epoch, turn)) > 0);
    await table.cold.merge(turn);
    expect(table.cold.rows).toBe(ROWS);
    const links = table.cold.linksBy([T])!;
    const before = table.cold.bytes;
    links.wantHash(links.key.ofCodes([table.store.dictionary.internString("a")]));
    let most = 0;
    let isRead = false;
    const finding = table.cold.find(links, 1)!.finally(() => {
      isRead = true;
    });
    while (!isRead) {
      most = Math.max(most, table.cold.bytes);
      await turn();
    }
    expect((await finding).rows.length).toBe(ROWS);
    // A link is two hashes and where its row ends, and then one of them in a list.
    expect(most - before).toBeGreaterThan(ROWS * 4);
    expect(most - before).toBeLessThan(ROWS * 28);
    // A block with all links of a key stays for no other read.
    expect(table.cold.bytes - before).toBeLessThan(128 << 10);
  }, 60_000);

  test("that are damaged are an error, and no answer", async () => {
    const disk = new SimulatedDisk();
    const joined = new Joined(disk);
    const { table } = joined;
    for (let i = 0; i < 100; i++) await table.upsert({ key: ["k", "1", BigInt(i)], n: null, t: "a" });
    table.step();
    await table.cold.spill(table.epoch, turn);
    const [run] = table.cold.linksBy([T])!.runs;
    disk.corrupt(run!.file.path, 40, (byte) => byte ^ 1);
    await expect(joined.found(undefined, "a")).rejects.toMatchObject({ code: "log_damaged" });
  });

  test("that cannot be written leave their rows where they are", async () => {
    const disk = new SimulatedDisk();
    const joined = new Joined(disk);
    const { table } = joined;
    for (let i = 0; i < 100; i++) await table.upsert({ key: ["k", "1", BigInt(i)], n: null, t: "a" });
    table.step();
    // The first of its files, of links, then the second, and then that of the rows.
    for (const file of [1, 3, 6]) {
      disk.fail({ operation: "write", path: new RegExp(`run-${file}$`), code: "ENOSPC" });
      await expect(table.cold.spill(table.epoch, turn)).rejects.toMatchObject({ code: "disk_full" });
      expect(table.cold.isEmpty).toBe(true);
    }
    expect(await table.cold.spill(table.epoch, turn)).toBe(100);
    expect(await joined.found(undefined, "a")).toEqual(joined.wanted(undefined, "a"));
  });
});
