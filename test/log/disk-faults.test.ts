/** Disks that are full, fail or write less than they were given. */
import { describe, expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, readAll, room, stage } from "./harness.ts";

const SEGMENT = 64 * 1024;

describe("a full disk", () => {
  test("is met before a commit is accepted; appends go on by themselves when there is room again", async () => {
    const disk = new SimulatedDisk({ capacityBytes: SEGMENT + 1000 });
    const log = await openSmall(disk);
    let accepted = 0;
    const fill = async (): Promise<void> => {
      for (;;) {
        await room(log, 3000);
        await stage(log, [{ topicId: 1, id: accepted, note: "x".repeat(3000) }]).durable;
        accepted++;
      }
    };
    await expect(fill()).rejects.toMatchObject({ code: "disk_full", retryable: true });
    expect(accepted).toBeGreaterThan(5);
    await expect(log.room(3000)).rejects.toMatchObject({ code: "disk_full" });
    expect(() => stage(log, [{ topicId: 1, id: 0, note: "x".repeat(60_000) }])).toThrow(
      expect.objectContaining({ code: "disk_full" }),
    );
    expect(await readAll(log)).toHaveLength(accepted);
    expect(log.lastPosition).toBe(accepted);

    disk.capacityBytes *= 10;
    await append(log, [{ topicId: 1, id: -1, note: "x".repeat(3000) }]);
    expect(await readAll(log)).toHaveLength(accepted + 1);
    await log.close();
    const again = await openSmall(disk);
    expect(await readAll(again)).toHaveLength(accepted + 1);
    await again.close();
  });

  test("gives its last room to the one who waits", async () => {
    const disk = new SimulatedDisk({ capacityBytes: 30_000 });
    const log = await openSmall(disk);
    await append(log, [{ topicId: 1, id: 1, note: "small" }]);
    await expect(log.room(40_000)).rejects.toMatchObject({ code: "disk_full" });
    await append(log, [{ topicId: 1, id: 2, note: "still" }]);
    await log.close();
  });

  test("does not keep a log from opening and reading", async () => {
    const disk = new SimulatedDisk();
    let log = await openSmall(disk);
    await append(log, [{ topicId: 1, id: 1, note: "x" }]);
    await log.close();
    disk.capacityBytes = 0;
    log = await openSmall(disk);
    expect(await readAll(log)).toHaveLength(1);
    await log.close();
  });

  test("said by fdatasync of zeros is a full disk; those zeros do not count", async () => {
    const disk = new SimulatedDisk();
    disk.fail({ operation: "datasync", path: /next/, code: "ENOSPC", times: 3 });
    const log = await openSmall(disk);
    await expect(log.room(100)).rejects.toMatchObject({ code: "disk_full" });
    await append(log, [{ topicId: 1, id: 1, note: "x" }]);
    await log.close();
  });
});

describe.each([
  ["write", "EIO"],
  ["datasync", "EIO"],
  ["datasync", "ENOSPC"],
  ["write", "ENOSPC"],
] as const)("a %s of a frame that fails with %s", (operation, code) => {
  test("is believed: everything staged is refused, reads of what is durable go on, success later changes nothing", async () => {
    const disk = new SimulatedDisk();
    const log = await openSmall(disk, { aheadBytesMax: SEGMENT });
    await append(log, [{ topicId: 1, id: 1, note: "safe" }]);
    const failures: Error[] = [];
    log.onFailed((error) => failures.push(error));
    await room(log, 5000);
    disk.fail({ operation, path: /\.log$/, code });
    const first = stage(log, [{ topicId: 1, id: 2, note: "lost" }]);
    log.seal();
    const second = stage(log, [{ topicId: 1, id: 3, note: "lost too" }]);
    const waiting = log.room(1_000_000);
    await expect(first.durable).rejects.toMatchObject({ code: "io_error" });
    await expect(second.durable).rejects.toMatchObject({ code: "io_error" });
    await expect(waiting).rejects.toMatchObject({ code: "io_error" });
    expect(failures).toHaveLength(1);
    expect(() => log.begin()).toThrow(expect.objectContaining({ code: "io_error" }));
    await expect(log.room(1)).rejects.toMatchObject({ code: "io_error" });
    expect(log.durablePosition).toBe(1);
    expect(await readAll(log)).toHaveLength(1);
    await log.close();

    const again = await openSmall(disk);
    expect((await readAll(again))[0]!.rows).toEqual(['1@0 1 "safe"']);
    await again.close();
  });
});

test("a failing disk under the zeros ends the log, too", async () => {
  const disk = new SimulatedDisk();
  disk.fail({ operation: "datasync", path: /next/, code: "EIO" });
  const log = await openSmall(disk);
  await expect(log.room(100)).rejects.toMatchObject({ code: "io_error" });
  expect(() => log.begin()).toThrow(expect.objectContaining({ code: "io_error" }));
  await log.close();
});

test("short writes and short reads are continued where they stopped", async () => {
  const disk = new SimulatedDisk();
  disk.fail({ operation: "write", bytesMax: 777, times: Number.POSITIVE_INFINITY });
  disk.fail({ operation: "read", bytesMax: 1000, times: Number.POSITIVE_INFINITY });
  const log = await openSmall(disk);
  for (let id = 0; id < 5; id++) await append(log, [{ topicId: 1, id, note: String(id).repeat(2000) }]);
  expect((await readAll(log)).map((commit) => commit.rows[0]!.length)).toEqual([
    2008, 2008, 2008, 2008, 2008,
  ]);
  await log.close();
  const again = await openSmall(disk);
  expect(await readAll(again)).toHaveLength(5);
  await again.close();
});

test("a write that takes nothing and says nothing is an error", async () => {
  const disk = new SimulatedDisk();
  const log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "x" }]);
  disk.fail({ operation: "write", bytesMax: 0 });
  await expect(append(log, [{ topicId: 1, id: 2, note: "y" }])).rejects.toMatchObject({ code: "io_error" });
  await log.close();
});

test("a log that cannot be opened lets the directory go", async () => {
  const disk = new SimulatedDisk();
  let log = await openSmall(disk);
  await append(log, [{ topicId: 1, id: 1, note: "x" }]);
  await log.close();
  disk.fail({ operation: "read", path: /log$/, code: "EIO" });
  await expect(openSmall(disk)).rejects.toMatchObject({ code: "io_error" });
  log = await openSmall(disk);
  await log.close();
});
