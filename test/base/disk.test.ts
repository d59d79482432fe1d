/** One suite for both disks. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { type Disk, diskError, joinPath, readFully, writeFully } from "../../src/base/disk.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

describe.each([
  ["the machine's disk", (): Disk => nodeDisk],
  ["the simulated disk", (): Disk => new SimulatedDisk()],
])("%s", (_, make) => {
  let disk: Disk;
  let root: string;
  beforeEach(async () => {
    disk = make();
    root = await mkdtemp(join(tmpdir(), "evert-disk-"));
    await disk.makeDirectory(root);
  });
  afterEach(() => rm(root, { recursive: true, force: true }));

  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  test("reads what was written, anywhere in a file", async () => {
    const file = await disk.open(`${root}/a`, "write");
    await writeFully(file, bytes(1, 2, 3), 0);
    await writeFully(file, bytes(9), 5);
    await file.datasync();
    expect(await file.size()).toBe(6);
    const target = new Uint8Array(10);
    expect(await readFully(file, target, 1)).toBe(5);
    expect([...target]).toEqual([2, 3, 0, 0, 9, 0, 0, 0, 0, 0]);
    expect(await file.read(target, 6)).toBe(0);
    await file.truncate(2);
    expect(await file.size()).toBe(2);
    await file.truncate(4);
    expect(await readFully(file, target.fill(7), 0)).toBe(4);
    expect([...target.subarray(0, 4)]).toEqual([1, 2, 0, 0]);
    await file.close();
  });

  test("a handle that writes through reads and writes as any other", async () => {
    const file = await disk.open(`${root}/a`, "write-through");
    await writeFully(file, bytes(1, 2, 3), 0);
    const other = await disk.open(`${root}/a`, "write");
    await writeFully(other, bytes(7), 1);
    const target = new Uint8Array(3);
    expect(await readFully(file, target, 0)).toBe(3);
    expect([...target]).toEqual([1, 7, 3]);
    await other.close();
    await file.close();
  });

  test("opening for writing keeps what is there; for reading needs it to be there", async () => {
    await expect(disk.open(`${root}/a`, "read")).rejects.toMatchObject({ code: "not_found" });
    const file = await disk.open(`${root}/a`, "write");
    await writeFully(file, bytes(1), 0);
    await file.close();
    for (const mode of ["read", "write", "write-through"] as const) {
      const again = await disk.open(`${root}/a`, mode);
      expect(await again.size()).toBe(1);
      await again.close();
    }
  });

  test("lists, renames, removes", async () => {
    for (const name of ["b", "a", "c"]) await (await disk.open(`${root}/${name}`, "write")).close();
    await disk.makeDirectory(`${root}/d/e`);
    await disk.makeDirectory(`${root}/d/e`);
    expect(await disk.list(root)).toEqual(["a", "b", "c", "d"]);
    await disk.rename(`${root}/a`, `${root}/z`);
    await disk.rename(`${root}/b`, `${root}/c`);
    await disk.syncDirectory(root);
    expect(await disk.list(root)).toEqual(["c", "d", "z"]);
    await disk.unlink(`${root}/z`);
    expect(await disk.list(root)).toEqual(["c", "d"]);
    await expect(disk.unlink(`${root}/z`)).rejects.toMatchObject({ code: "not_found" });
    await expect(disk.rename(`${root}/z`, `${root}/y`)).rejects.toMatchObject({ code: "not_found" });
    await expect(disk.list(`${root}/nowhere`)).rejects.toMatchObject({ code: "not_found" });
  });

  test("a renamed file stays open", async () => {
    const file = await disk.open(`${root}/a`, "write");
    await disk.rename(`${root}/a`, `${root}/b`);
    await writeFully(file, bytes(5), 0);
    const other = await disk.open(`${root}/b`, "read");
    expect(await other.size()).toBe(1);
    await file.close();
    await other.close();
  });

  test("a lock is held once, by whomever", async () => {
    const lock = await disk.lock(`${root}/lock`);
    await expect(disk.lock(`${root}/lock`)).rejects.toMatchObject({ code: "directory_locked" });
    await (await disk.lock(`${root}/other`)).release();
    await lock.release();
    await (await disk.lock(`${root}/lock`)).release();
  });
});

test("a lock that cannot be made is an error of its own", async () => {
  await expect(nodeDisk.lock("/nowhere/at/all")).rejects.toMatchObject({ code: "io_error" });
});

test.each([
  ["ENOENT", "not_found"],
  ["ENOSPC", "disk_full"],
  ["EDQUOT", "disk_full"],
  ["EIO", "io_error"],
  ["EACCES", "io_error"],
])("%s is %s", (systemCode, code) => {
  const cause = new Error("why");
  expect(diskError(systemCode, "write", "x", cause)).toMatchObject({
    code,
    cause,
    message: `cannot write x: ${systemCode}`,
  });
});

test("paths are joined with one slash", () => {
  expect(joinPath("a", "b")).toBe("a/b");
  expect(joinPath("/", "b")).toBe("/b");
});
