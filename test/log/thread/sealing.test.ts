/** Segments that a thread of its own seals, on the real disk: the same bytes, and whatever befalls the thread, the same log. */
import { cp, mkdir, readFile, rm, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import fc from "fast-check";
import { expect, it, vi } from "vitest";
import type { Disk } from "../../../src/base/disk.ts";
import { nodeDisk } from "../../../src/base/node-disk.ts";
import { checkLog } from "../../../src/log/check.ts";
import type { Log } from "../../../src/log/log.ts";
import { segmentName } from "../../../src/log/segment.ts";
import type { Request } from "../../../src/log/thread/requests.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { anyRow } from "../../batch/fixtures.ts";
import { append, type OpenedLog, schema } from "../harness.ts";
import { everything, fillMixed, openMixed, widen } from "../sealed/support.ts";
import { atStarts, directory, expectSameFiles, files, threads, withoutThread } from "./support.ts";

const wideRows = fc.sample(anyRow, { numRuns: 12, seed: 5 });

const said: string[] = [];

async function open(at = directory, disk: Disk = nodeDisk): Promise<OpenedLog> {
  said.length = 0;
  const report = (message: string) => said.push(message);
  return openMixed(disk, { directory: at, report, sealRetryMs: 10 });
}

/** A log with full segments that nobody has sealed. */
async function filled(): Promise<void> {
  const log = await open();
  await fillMixed(log, new SeededRandom(3), wideRows, { commits: 400 });
  expect(log.stats().segments).toBeGreaterThan(2);
  await log.close();
}

async function reopened(at = directory, disk: Disk = nodeDisk): Promise<OpenedLog> {
  const log = await open(at, disk);
  widen(log);
  return log;
}

const read = (log: Log): Promise<string[][]> => everything(log, new SeededRandom(103));

async function seal(log: Log): Promise<void> {
  log.startSealing();
  await log.sealed();
}

it("writes the same files as are written without it", async () => {
  await filled();
  const copy = `${directory}-copy`;
  await cp(directory, copy, { recursive: true });
  try {
    const log = await reopened();
    const before = await read(log);
    await seal(log);
    expect(threads.length).toBe(1);
    expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
    expect(await read(log)).toEqual(before);
    await log.close();

    const other = await reopened(copy, withoutThread);
    await seal(other);
    expect(threads.length).toBe(1);
    await other.close();
    expect(await expectSameFiles(copy)).toBeGreaterThan(1);
  } finally {
    await rm(copy, { recursive: true });
  }
  expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
  const log = await reopened();
  expect((await read(log)).length).toBeGreaterThan(0);
  expect(said).toEqual([]);
  await log.close();
});

it("learns of topics that come after it was started", async () => {
  const log = await open();
  log.startSealing();
  const fill = async (topicId: number): Promise<void> => {
    for (let id = 0; id < 100; id++) await append(log, [{ topicId, id, note: "x".repeat(2000) }]);
    await log.sealed();
  };
  await fill(1);
  expect(log.stats().sealing.segments).toBeGreaterThan(0);
  log.registerTopic({ topicId: 44, schemaVersion: 1, schema, keyColumns: [0] });
  await fill(44);
  await fill(44);
  expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
  let records = 0;
  for await (const { batches } of log.readTopic(44, 0))
    for (const { batch } of batches) records += batch.length;
  expect([records, threads.length, said]).toEqual([200, 1, []]);
  await log.close();
});

it("is told of a topic once, with the first request behind it", async () => {
  const posted = vi.spyOn(Worker.prototype, "postMessage");
  const told = (): number[] =>
    posted.mock.calls
      .splice(0)
      .map(([request]) => request as Request)
      .flatMap((request) => (request.kind === "work" ? [request.topics.length] : []));
  try {
    const log = await open();
    log.startSealing();
    const fill = async (): Promise<void> => {
      for (let id = 0; id < 100; id++) await append(log, [{ topicId: 1, id, note: "x".repeat(2000) }]);
      await log.sealed();
    };
    await fill();
    const [first, ...others] = told();
    expect(first).toBeGreaterThan(1);
    expect(others.length).toBeGreaterThan(0);
    expect(others.every((topics) => topics === 0)).toBe(true);
    for (const topicId of [44, 45]) log.registerTopic({ topicId, schemaVersion: 1, schema, keyColumns: [0] });
    await fill();
    const [next, ...rest] = told();
    expect(next).toBe(2);
    expect(rest.every((topics) => topics === 0)).toBe(true);
    await log.close();
  } finally {
    posted.mockRestore();
  }
});

it("is done without where it ends by itself, which is said once", async () => {
  await filled();
  atStarts((thread) => void thread.terminate());
  const log = await reopened();
  const before = await read(log);
  await seal(log);
  expect(log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
  expect(await read(log)).toEqual(before);
  await log.close();
  expect(said).toEqual([
    expect.stringContaining("the thread that rewrites segments has ended: it exited with code"),
  ]);
  expect(threads.length).toBe(1);
});

it("says what is damaged, and leaves that segment as it is", async () => {
  await filled();
  const first = segmentName(1);
  const path = join(directory, "log", first);
  const bytes = await readFile(path);
  const log = await reopened();
  bytes[20_000]! ^= 1;
  await writeFile(path, bytes);
  await seal(log);
  expect(log.stats().sealing).toMatchObject({ waiting: 1, failure: expect.stringContaining(first) });
  expect(said).toEqual([expect.stringContaining("could not be sealed")]);
  expect(await files()).toContain(first);
  expect((await files()).filter((name) => name.startsWith("sealing-"))).toEqual([]);
  await log.close();
});

it("tries again what the disk has refused", async () => {
  await filled();
  const log = await reopened();
  const obstacle = join(directory, "log", "sealing-1");
  await mkdir(obstacle);
  await seal(log);
  expect(log.stats().sealing).toMatchObject({
    segments: 0,
    failure: expect.stringContaining("could not be sealed"),
  });
  await rmdir(obstacle);
  await expect.poll(() => log.stats().sealing).toMatchObject({ waiting: 0, failure: null });
  expect(threads.length).toBe(1);
  await log.close();
});

it("gives up what is half done when the log is closed", async () => {
  await filled();
  let exited = 0;
  atStarts((thread) => thread.once("exit", () => exited++));
  for (let waitMs = 0; waitMs < 120; waitMs += 20) {
    const log = await reopened();
    log.startSealing();
    await new Promise((resolve) => setTimeout(resolve, waitMs));
    await log.close();
    expect(exited).toBe(threads.length);
    expect((await files()).filter((name) => name.startsWith("sealing-"))).toEqual([]);
    expect(said).toEqual([]);
  }
  expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
});
