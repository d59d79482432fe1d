import { describe, expect, test } from "vitest";
import { Store } from "../../../src/state/store.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { ColdTable, DIRECTORY, type Key, type Row, textOf } from "./rows.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

const names = ["", "a", "ab", "äö", "a name that does not fit a few bytes", "x".repeat(300)];
const amounts = ["0", "1", "1.0", "1.00", "-2.50", "-2.5", "123456789012345678901234567890.5"];

class Random extends SeededRandom {
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }

  key(): Key {
    const id = BigInt(this.below(8)) + (this.below(4) === 0 ? 2n ** 60n : 0n);
    return [this.pick(names), this.pick(amounts), id];
  }

  row(): Row {
    const n = this.below(3) === 0 ? null : this.below(2) === 0 ? -(2n ** 61n) : BigInt(this.below(100));
    return { key: this.key(), n, t: this.below(3) === 0 ? null : this.pick(names) };
  }
}

describe("rows go to disk and come back", () => {
  test.each(Array.from({ length: 40 }, (_, seed) => seed))(
    "whatever happens, every row is in one place (seed %i)",
    async (seed) => {
      const random = new Random(seed);
      const table = new ColdTable(
        new SimulatedDisk({ seed }),
        random.pick([
          [0, 1, 2],
          [2, 0, 1],
        ]),
      );
      const { store } = table;
      const change = async (): Promise<void> => {
        if (random.below(4) === 0) await table.delete(random.key());
        else await table.upsert(random.row());
      };
      for (let round = 0; round < 60; round++) {
        for (let i = random.below(12); i > 0; i--) await change();
        switch (random.below(6)) {
          case 0:
            store.vacuum(table.epoch);
            break;
          case 1:
          case 2:
            await table.cold.spill(table.epoch, turn);
            break;
          case 3:
            // Rows come back while runs become one.
            {
              const merged = table.cold.merge(turn);
              for (let i = 0; i < 5; i++) await table.find(random.key());
              await merged;
            }
            break;
          case 4: {
            const pin = store.pin(table.epoch, true);
            const { epoch, wanted } = table;
            table.step();
            const rows = await table.scan(epoch, async () => {
              await change();
              if (random.below(8) === 0) table.step();
              if (random.below(3) === 0) await table.cold.spill(table.epoch, turn);
              if (random.below(3) === 0) await table.cold.merge(turn);
            });
            expect(rows).toEqual(wanted);
            pin.release();
            break;
          }
          default:
            table.step();
        }
        expect(store.live).toBe(table.expected.size);
        const key = random.key();
        const slot = await table.find(key);
        const row = table.expected.get(`${key[0]}|${Number(key[1])}|${key[2]}`);
        expect(slot < 0 ? undefined : table.rowAt(store, slot)).toBe(
          row === undefined ? undefined : textOf(row),
        );
      }
      expect(await table.scan(table.epoch, async () => {})).toEqual(table.wanted);
      table.store.warmers++;
      await table.cold.thaw(turn);
      expect(table.cold.isEmpty).toBe(true);
      expect(table.captured(table.epoch, table.cold.capture(null)).sort()).toEqual(table.wanted);
    },
  );

  test("what nobody asked for goes, what was read or changed stays a round longer", async () => {
    const table = await filled(100);
    expect(await table.cold.spill(table.epoch, turn)).toBe(100);
    expect(table.store.live).toBe(100);
    expect(table.store.freeSlots).toBe(100);
    await table.find(keyOf(7));
    expect(table.cold.rows).toBe(99);
    expect(table.rowAt(table.store, await table.find(keyOf(7)))).toBe(textOf(table.expected.get("k7|7|7")!));
  });

  test("nothing that a reader may still miss goes", async () => {
    const table = await filled(50);
    expect(await table.cold.spill(0, turn)).toBe(0);
    const firm = table.store.pin(table.epoch);
    expect(await table.cold.spill(table.epoch, turn)).toBe(0);
    firm.release();
    const second = table.store.hashIndex({ columns: [4], unique: false });
    expect(await table.cold.spill(table.epoch, turn)).toBe(0);
    table.store.dropIndex(second);
    const capture = table.cold.capture(null);
    expect(await table.cold.spill(table.epoch, turn)).toBe(0);
    capture.release();
    expect(await table.cold.spill(table.epoch, turn)).toBe(50);
  });

  test("what was asked for is still known when a checkpoint lets go of it", async () => {
    const table = await filled(100);
    await table.cold.spill(table.epoch, turn);
    await table.find(keyOf(7));
    const capture = table.cold.capture(null);
    for (let i = 0; i < 3; i++) expect(await table.cold.spill(table.epoch, turn)).toBe(0);
    capture.release();
    await table.upsert({ key: keyOf(100), n: null, t: null });
    table.step();
    // A round that finds one to take spares the other.
    table.step();
    expect(await table.cold.spill(table.epoch, turn)).toBe(1);
    expect(table.cold.rows).toBe(100);
    const { brought } = table.cold;
    await table.find(keyOf(7));
    expect(table.cold.brought).toBe(brought);
  });

  test("many runs become few, and files that nobody needs go", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(400, disk, 20);
    expect(table.cold.runs).toBe(20);
    await table.cold.merge(turn);
    expect(table.cold.runs).toBeLessThan(8);
    expect(table.cold.rows).toBe(400);
    await table.files.published(new Set());
    expect((await disk.list(DIRECTORY)).length).toBe(table.cold.runs);
    table.store.discard();
    await table.files.published(new Set());
    expect(await disk.list(DIRECTORY)).toEqual([]);
  });

  test("a checkpoint names what is cold, and a start finds it there", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(300, disk, 3);
    for (let i = 0; i < 40; i++) await table.find(keyOf(i * 3));
    const capture = table.cold.capture(null);
    const hot = table.captured(table.epoch, capture).length;
    expect(hot + table.cold.rows).toBe(300);
    // What comes back now is not in it.
    await table.find(keyOf(1));
    await table.find(keyOf(2));
    expect(table.captured(table.epoch, capture).length).toBe(hot);
    await capture.sync();
    await disk.syncDirectory(DIRECTORY);
    await table.files.published(new Set(capture.runs.map(({ file }) => file)));
    capture.release();
    const again = new ColdTable(disk.reboot("power cut"));
    await again.files.start(new Set(capture.runs.map(({ file }) => file)));
    await again.cold.restore(capture.runs, new Map(capture.here.map(({ id, bits }) => [id, bits])), []);
    expect(again.cold.rows).toBe(300 - hot);
    for (const i of [1, 2, 4, 299]) expect(await again.find(keyOf(i))).toBeGreaterThanOrEqual(0);
    expect(await again.find(keyOf(3))).toBe(-1);
  });
});

describe("the files", () => {
  test("take no name that the checkpoint gives to another, though that has gone", async () => {
    const disk = new SimulatedDisk();
    const table = new ColdTable(disk);
    await table.files.start(new Set(["run-7"]));
    expect((await table.files.create()).name).toBe("run-8");
  });

  test("begin with no number while it is not known which are there", async () => {
    const disk = new SimulatedDisk();
    const { files } = new ColdTable(disk);
    disk.fail({ operation: "list", code: "EIO" });
    await expect(files.start(new Set())).rejects.toMatchObject({ code: "io_error" });
    await files.start(new Set());
    expect((await files.create()).name).toBe("run-1");
  });

  test("stay while a checkpoint that names them may or may not be there", async () => {
    const disk = new SimulatedDisk();
    const { files } = new ColdTable(disk);
    const [one, two] = [await files.create(), await files.create()];
    await files.published(new Set([one.name]));
    files.publishing(new Set([two.name]));
    one.release();
    two.release();
    for (let turns = 0; turns < 20; turns++) await turn();
    expect((await disk.list(DIRECTORY)).sort()).toEqual([one.name, two.name]);
    const { files: later } = new ColdTable(disk);
    await later.start(new Set([two.name]));
    expect(await disk.list(DIRECTORY)).toEqual([two.name]);
  });

  test("are told from others of their names", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(200, disk);
    const capture = table.cold.capture(null);
    const other = new ColdTable(new SimulatedDisk());
    // The same keys, and so the same index but for what the blocks hold.
    for (let i = 0; i < 200; i++) await other.upsert({ key: keyOf(i), n: 7n * 2n ** 55n, t: "another text" });
    other.step();
    await other.cold.spill(other.epoch, turn);
    const [theirs] = other.cold.capture(null).runs;
    const [ours] = capture.runs;
    expect(theirs!.extents[0]!.crc).not.toBe(ours!.extents[0]!.crc);
    const restored = new ColdTable(disk);
    const swapped = [{ file: ours!.file, extents: [{ ...ours!.extents[0]!, crc: theirs!.extents[0]!.crc }] }];
    const here = new Map(capture.here.map(({ id, bits }) => [id, bits]));
    await expect(restored.cold.restore(swapped, here, [])).rejects.toMatchObject({ code: "log_damaged" });
  });

  test("are closed once, when nobody reads or writes, and refuse who comes later", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(200, disk);
    const scan = table.cold.scan(() => Number.POSITIVE_INFINITY);
    const reading = scan.read();
    const closing = table.files.close();
    await reading;
    await closing;
    expect(scan.hasRows).toBe(true);
    scan.close();
    await expect(table.find(keyOf(3))).rejects.toMatchObject({ code: "shutting_down" });
    expect(table.files.isWithdrawn).toBe(false);
    // What the next start may need is left to it.
    table.store.discard();
    await table.files.published(new Set(["run-1"]));
    expect(await disk.list(DIRECTORY)).toEqual(["run-1"]);
  });

  test("are left when what goes out has gone, or has not", async () => {
    const table = await filled(200, new SimulatedDisk(), 0);
    const spilled = table.cold.spill(table.epoch, turn);
    let stopped = false;
    const stop = table.cold.stop().then(() => {
      stopped = true;
    });
    await spilled;
    expect(stopped).toBe(false);
    await stop;
    expect(table.cold.rows + table.captured(table.epoch, table.cold.capture(null)).length).toBe(200);
  });
});

describe("a disk that lies", () => {
  test("no flipped bit gives a wrong answer", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(200, disk);
    const [name] = await disk.list(DIRECTORY);
    const path = `${DIRECTORY}/${name}`;
    const file = await disk.open(path, "write");
    const size = await file.size();
    for (let at = 3; at < size; at += 211) {
      const copy = disk.clone();
      const there = await copy.open(path, "write");
      const byte = new Uint8Array(1);
      await there.read(byte, at);
      byte[0] = byte[0]! ^ (1 << (at % 8));
      await there.write(byte, at);
      const capture = table.cold.capture(null);
      capture.release();
      const other = new ColdTable(copy);
      const read = async (): Promise<number> => {
        await other.cold.restore(capture.runs, new Map(capture.here.map(({ id, bits }) => [id, bits])), []);
        for (let i = 0; i < 200; i++) {
          const slot = await other.find(keyOf(i));
          expect(other.rowAt(other.store, slot)).toBe(textOf(table.expected.get(`k${i}|${i}|${i}`)!));
        }
        return 200;
      };
      await expect(read()).rejects.toMatchObject({ code: "log_damaged" });
    }
  });

  test("a file that is too short, and a disk that fails", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(200, disk);
    const [name] = await disk.list(DIRECTORY);
    disk.fail({ operation: "read", path: /run-/, code: "EIO" });
    await expect(table.find(keyOf(5))).rejects.toMatchObject({ code: "io_error" });
    // It was the disk, not the row.
    expect(await table.find(keyOf(5))).toBeGreaterThanOrEqual(0);
    disk.fail({ operation: "read", path: /run-/, bytesMax: 100, times: 1000 });
    expect(await table.find(keyOf(6))).toBeGreaterThanOrEqual(0);
    disk.heal();
    await (await disk.open(`${DIRECTORY}/${name}`, "write")).truncate(64);
    await expect(table.find(keyOf(199))).rejects.toMatchObject({ code: "log_damaged" });
  });

  test("where a run cannot be written all rows stay", async () => {
    const disk = new SimulatedDisk();
    const table = await filled(100, disk, 0);
    disk.fail({ operation: "write", path: /run-/, code: "ENOSPC" });
    await expect(table.cold.spill(table.epoch, turn)).rejects.toMatchObject({ code: "disk_full" });
    expect(table.cold.rows).toBe(0);
    expect(await table.scan(table.epoch, async () => {})).toEqual(table.wanted);
    expect(await table.cold.spill(table.epoch, turn)).toBe(100);
  });
});

function keyOf(i: number): Key {
  return [`k${i}`, String(i), BigInt(i)];
}

/** So many rows, which have gone to disk in so many runs. */
async function filled(rows: number, disk = new SimulatedDisk(), runs = 1): Promise<ColdTable> {
  const table = new ColdTable(disk);
  for (let i = 0; i < rows; i++) {
    await table.upsert({ key: keyOf(i), n: BigInt(i) * 2n ** 55n, t: i % 3 === 0 ? null : `text ${i}` });
    if (runs > 0 && (i + 1) % (rows / runs) === 0) {
      table.step();
      if (runs > 1) await table.cold.spill(table.epoch, turn);
    }
  }
  table.step();
  if (runs === 1 && rows === 200) await table.cold.spill(table.epoch, turn);
  return table;
}

test("the scratch of a scan has the store's layout", () => {
  const table = new ColdTable(new SimulatedDisk());
  expect(new Store("page", table.store.layout.columns, table.store.dictionary).layout).toEqual(
    table.store.layout,
  );
});
