/** What the tests of the log's thread stand on: a directory of each test's own on the real disk, and the threads that the test has started. */
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { afterEach, beforeEach, expect } from "vitest";
import type { Disk } from "../../../src/base/disk.ts";
import { nodeDisk } from "../../../src/base/node-disk.ts";

const { hasPaths: _, ...pathless } = nodeDisk;
/** No thread finds its files. */
export const withoutThread: Disk = pathless;

export let directory: string;
/** Those of this test, in the order in which they were started. */
export const threads: Worker[] = [];
let onThread: (thread: Worker) => void = () => {};

/** From now on `act` is called with each thread that is started, to the end of the test. */
export function atStarts(act: (thread: Worker) => void): void {
  onThread = act;
}

const started = (thread: Worker): void => {
  threads.push(thread);
  onThread(thread);
};

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-log-thread-"));
  threads.length = 0;
  onThread = () => {};
  process.on("worker", started);
});

afterEach(async () => {
  process.off("worker", started);
  await rm(directory, { recursive: true });
});

/** Names of the log's files. */
export async function files(at = directory): Promise<string[]> {
  return (await readdir(join(at, "log"))).sort();
}

/** The copy of the log has the same files, and the same bytes in those that are sealed. How many these are. */
export async function expectSameFiles(copy: string): Promise<number> {
  const names = await files();
  expect(await files(copy)).toEqual(names);
  const sealed = names.filter((name) => name.endsWith(".sealed"));
  for (const name of sealed)
    expect(
      (await readFile(join(directory, "log", name))).equals(await readFile(join(copy, "log", name))),
    ).toBe(true);
  return sealed.length;
}
