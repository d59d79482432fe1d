/** The disk that tests rely on loses what a real one would lose, and nothing else. */
import { describe, expect, test } from "vitest";
import { writeFully } from "../../src/base/disk.ts";
import { SECTOR_BYTES } from "../../src/testing/inode.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

async function made(seed: number): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed });
  await disk.makeDirectory("/d");
  const file = await disk.open("/d/f", "write");
  await writeFully(file, new Uint8Array(4 * SECTOR_BYTES).fill(1), 0);
  await file.datasync();
  await disk.syncDirectory("/d");
  await file.close();
  return disk;
}

const SEEDS = Array.from({ length: 60 }, (_, seed) => seed + 1);

describe("after a power cut", () => {
  test("synced bytes and names are there", async () => {
    for (const seed of SEEDS) {
      const after = (await made(seed)).reboot("power cut");
      expect(after.contents("/d/f")).toEqual(new Uint8Array(4 * SECTOR_BYTES).fill(1));
    }
  });

  test("unsynced bytes are there by whole sectors, in every mixture", async () => {
    const seen = new Set<string>();
    for (const seed of SEEDS) {
      const disk = await made(seed);
      const file = await disk.open("/d/f", "write");
      await writeFully(file, new Uint8Array(2 * SECTOR_BYTES).fill(2), SECTOR_BYTES / 2);
      const bytes = disk.reboot("power cut").contents("/d/f");
      // Three sectors are touched, the first and the third by half.
      const parts = [0.5, 1, 2].map((from) => bytes[from * SECTOR_BYTES]!);
      expect(bytes[0]).toBe(1);
      expect(bytes[3 * SECTOR_BYTES]).toBe(1);
      expect(new Set(bytes.subarray(SECTOR_BYTES, 2 * SECTOR_BYTES)).size).toBe(1);
      seen.add(parts.join(""));
    }
    expect([...seen]).toEqual(expect.arrayContaining(["111", "222", "112", "211"]));
  });

  test("bytes written through are there, those written to the same file otherwise need not be", async () => {
    const seen = new Set<number>();
    for (const seed of SEEDS) {
      const disk = await made(seed);
      const file = await disk.open("/d/f", "write");
      const through = await disk.open("/d/f", "write-through");
      await writeFully(file, new Uint8Array(SECTOR_BYTES).fill(2), 0);
      await writeFully(through, new Uint8Array(SECTOR_BYTES).fill(3), SECTOR_BYTES);
      const bytes = disk.reboot("power cut").contents("/d/f");
      expect(bytes.subarray(SECTOR_BYTES, 2 * SECTOR_BYTES)).toEqual(new Uint8Array(SECTOR_BYTES).fill(3));
      seen.add(bytes[0]!);
    }
    expect([...seen].sort()).toEqual([1, 2]);
  });

  test("bytes written through onto unsynced ones stay on top", async () => {
    for (const seed of SEEDS) {
      const disk = await made(seed);
      const file = await disk.open("/d/f", "write");
      const through = await disk.open("/d/f", "write-through");
      await writeFully(file, new Uint8Array(2 * SECTOR_BYTES).fill(2), 0);
      await writeFully(through, Uint8Array.of(3), SECTOR_BYTES);
      expect(disk.clone().reboot("power cut").contents("/d/f")[SECTOR_BYTES]).toBe(3);
      await file.datasync();
      expect(disk.reboot("power cut").contents("/d/f")[SECTOR_BYTES]).toBe(3);
    }
  });

  test("bytes written through whose sync failed are not safe", async () => {
    const seen = new Set<number>();
    for (const seed of SEEDS) {
      const disk = await made(seed);
      const through = await disk.open("/d/f", "write-through");
      disk.fail({ operation: "datasync", code: "EIO" });
      await expect(through.write(Uint8Array.of(9), 0)).rejects.toMatchObject({ code: "io_error" });
      seen.add(disk.reboot("power cut").contents("/d/f")[0]!);
    }
    expect([...seen].sort()).toEqual([1, 9]);
  });

  test("an unsynced name is there or not, a later one never without an earlier one", async () => {
    const seen = new Set<string>();
    for (const seed of SEEDS) {
      const disk = await made(seed);
      await (await disk.open("/d/a", "write")).close();
      await disk.rename("/d/f", "/d/b");
      seen.add(disk.reboot("power cut").files().join());
    }
    expect([...seen].sort()).toEqual(["/d/a,/d/b", "/d/a,/d/f", "/d/f"]);
  });

  test("bytes of a failed datasync stay unsafe though a later one succeeds, until they are written again", async () => {
    let lost = 0;
    for (const seed of SEEDS) {
      const disk = await made(seed);
      const file = await disk.open("/d/f", "write");
      await writeFully(file, Uint8Array.of(9), 0);
      disk.fail({ operation: "datasync", code: "EIO" });
      await expect(file.datasync()).rejects.toMatchObject({ code: "io_error" });
      await file.datasync();
      expect(disk.contents("/d/f")[0]).toBe(9);
      const again = disk.clone();
      if (disk.reboot("power cut").contents("/d/f")[0] === 1) lost++;
      const file2 = await again.open("/d/f", "write");
      await writeFully(file2, Uint8Array.of(9), 0);
      await file2.datasync();
      expect(again.reboot("power cut").contents("/d/f")[0]).toBe(9);
    }
    expect(lost).toBeGreaterThan(0);
    expect(lost).toBeLessThan(SEEDS.length);
  });
});

test("the death of a process loses nothing, a power cut after it may", async () => {
  const kept = new Set<number>();
  for (const seed of SEEDS) {
    const disk = await made(seed);
    await writeFully(await disk.open("/d/f", "write"), Uint8Array.of(9), 0);
    const next = disk.reboot("process");
    expect(next.contents("/d/f")[0]).toBe(9);
    await expect(disk.open("/d/f", "read")).rejects.toMatchObject({ code: "io_error" });
    kept.add(next.reboot("power cut").contents("/d/f")[0]!);
  }
  expect([...kept].sort()).toEqual([1, 9]);
});

test("a full disk writes what fits, then says so; a bigger one goes on", async () => {
  const disk = new SimulatedDisk({ capacityBytes: 10 });
  const file = await disk.open("/f", "write");
  expect(await file.write(new Uint8Array(8), 0)).toBe(8);
  expect(await file.write(new Uint8Array(8), 8)).toBe(2);
  await expect(file.write(new Uint8Array(1), 10)).rejects.toMatchObject({ code: "disk_full" });
  expect(await file.write(new Uint8Array(8), 0)).toBe(8);
  disk.capacityBytes = 11;
  expect(await file.write(new Uint8Array(8), 10)).toBe(1);
});

test("faults strike where and as often as they should", async () => {
  const disk = new SimulatedDisk();
  const [a, b] = [await disk.open("/a", "write"), await disk.open("/b", "write")];
  disk.fail({ operation: "write", path: /b$/, skip: 1, times: 2, code: "EIO" });
  const one = Uint8Array.of(1);
  expect(await a.write(one, 0)).toBe(1);
  expect(await b.write(one, 0)).toBe(1);
  await expect(b.write(one, 0)).rejects.toMatchObject({ code: "io_error" });
  expect(await a.write(one, 0)).toBe(1);
  await expect(b.write(one, 0)).rejects.toMatchObject({ code: "io_error" });
  expect(await b.write(one, 0)).toBe(1);
  disk.fail({ operation: "write", code: "EIO" });
  disk.heal();
  expect(await b.write(one, 0)).toBe(1);
});

test("the n-th change is the last", async () => {
  const disk = await made(1);
  const file = await disk.open("/d/f", "write");
  disk.crashAfter(2);
  await file.write(Uint8Array.of(2), 0);
  expect(disk.crashed).toBe(false);
  await expect(file.write(Uint8Array.of(3), 0)).rejects.toMatchObject({ code: "io_error" });
  expect(disk.crashed).toBe(true);
  await expect(file.read(new Uint8Array(1), 0)).rejects.toMatchObject({ code: "io_error" });
});

/** Far from one another: the first numbers of neighbouring seeds are alike. */
const FAR_SEEDS = Array.from({ length: 400 }, (_, i) => Math.imul(i + 1, 0x9e3779b1));

test("with names of any order, a later one may be there without an earlier one", async () => {
  const seen = new Set<string>();
  for (const seed of FAR_SEEDS) {
    const disk = (await made(seed)).clone({ seed, names: "any" });
    await (await disk.open("/d/a", "write")).close();
    await (await disk.open("/d/b", "write")).close();
    seen.add(disk.reboot("power cut").files().join());
  }
  expect([...seen].sort()).toEqual(["/d/a,/d/b,/d/f", "/d/a,/d/f", "/d/b,/d/f", "/d/f"]);
});

test("a write may tear at any byte, and touches no other", async () => {
  const lengths = new Set<number>();
  for (const seed of FAR_SEEDS) {
    const disk = (await made(1)).clone({ seed, tears: "bytes" });
    await writeFully(await disk.open("/d/f", "write"), new Uint8Array(100).fill(9), 200);
    const bytes = disk.reboot("power cut").contents("/d/f");
    const torn = bytes.subarray(200, 300).findIndex((byte) => byte !== 9);
    lengths.add(torn);
    if (torn >= 0) expect(bytes.subarray(200 + torn, 300).every((byte) => byte === 1)).toBe(true);
    expect([...bytes.subarray(0, 200), ...bytes.subarray(300)].every((byte) => byte === 1)).toBe(true);
  }
  expect(lengths.has(-1) && lengths.has(0)).toBe(true);
  expect(lengths.size).toBeGreaterThan(10);
});

test("a process that dies in a write leaves its beginning", async () => {
  const lengths = new Set<number>();
  for (const seed of FAR_SEEDS) {
    const disk = (await made(1)).clone({ seed });
    const file = await disk.open("/d/f", "write");
    disk.crashAfter(1);
    await expect(writeFully(file, new Uint8Array(100).fill(9), 0)).rejects.toMatchObject({
      code: "io_error",
    });
    lengths.add(
      disk
        .reboot("process")
        .contents("/d/f")
        .findIndex((byte) => byte !== 9),
    );
  }
  expect(lengths.size).toBeGreaterThan(10);
});

test("a read gives one bit wrong, and the next one right", async () => {
  const disk = await made(1);
  const file = await disk.open("/d/f", "read");
  disk.fail({ operation: "read", flipsBit: true });
  const bytes = new Uint8Array(100);
  expect(await file.read(bytes, 0)).toBe(100);
  expect(bytes.filter((byte) => byte !== 1)).toHaveLength(1);
  await file.read(bytes, 0);
  expect(bytes.every((byte) => byte === 1)).toBe(true);
});

test("a disk that has become read-only refuses what changes it and reads on", async () => {
  const disk = await made(1);
  const file = await disk.open("/d/f", "write");
  disk.readOnly = true;
  const refused = { code: "io_error", message: expect.stringContaining("EROFS") };
  await expect(file.write(Uint8Array.of(9), 0)).rejects.toMatchObject(refused);
  await expect(file.datasync()).rejects.toMatchObject(refused);
  await expect(disk.rename("/d/f", "/d/g")).rejects.toMatchObject(refused);
  await expect(disk.open("/d/h", "write")).rejects.toMatchObject(refused);
  expect(await (await disk.open("/d/f", "read")).read(new Uint8Array(10), 0)).toBe(10);
  disk.readOnly = false;
  expect(await file.write(Uint8Array.of(9), 0)).toBe(1);
});

test("too many open files are said by who opens", async () => {
  const disk = await made(1);
  disk.fail({ operation: "open", code: "EMFILE" });
  await expect(disk.open("/d/f", "read")).rejects.toMatchObject({
    code: "too_many_files",
    message: expect.stringContaining("EMFILE"),
  });
  await (await disk.open("/d/f", "read")).close();
});
