/**
 * `evert check` of what tests leave behind: every log on a simulated disk when its test ends, every data directory on the real one when it is removed.
 *
 * A log that is still open is looked at as its process's death would leave it. A simulated disk that a test damaged, and one that crashed and
 * was rebooted, are left out; a test that damages by other means says `damagesOnPurpose()`.
 */
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { afterEach } from "vitest";
import type { Disk } from "../../src/base/disk.ts";
import type { CheckReport } from "../../src/log/check.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const LOCK = "/lock";
/** A test that goes through thousands of disks leaves the last of them. */
const DISKS_MAX = 64;

/** The disks on which a data directory was opened since the last test ended, and where. */
const opened = new Map<SimulatedDisk, Set<string>>();
let damaged = false;

/** What this test leaves behind is not to be sound. */
export function damagesOnPurpose(): void {
  damaged = true;
}

/** Once per test file, before anything is opened. */
export function checkWhatTestsLeave(): void {
  const lock = SimulatedDisk.prototype.lock;
  SimulatedDisk.prototype.lock = function (path) {
    if (path.endsWith(LOCK)) {
      const directories = opened.get(this) ?? new Set();
      opened.set(this, directories.add(path.slice(0, -LOCK.length)));
      if (opened.size > DISKS_MAX) forgetSome();
    }
    return lock.call(this, path);
  };
  afterEach(async () => {
    try {
      if (damaged) return;
      for (const [disk, directories] of [...opened]) {
        if (disk.crashed || disk.corrupted) continue;
        for (const directory of directories) await expectSound(directory, disk.clone());
      }
    } finally {
      // The clones among them: a check locks what it looks at.
      opened.clear();
      damaged = false;
    }
  });
}

/** Those that are dead, or the oldest. */
function forgetSome(): void {
  for (const disk of opened.keys()) if (disk.crashed) opened.delete(disk);
  for (const disk of opened.keys()) {
    if (opened.size <= DISKS_MAX) return;
    opened.delete(disk);
  }
}

/** Removes a directory of a test from the real disk, after a check of the data directories in it. */
export async function removeChecked(directory: string): Promise<void> {
  const { nodeDisk } = await import("../../src/base/node-disk.ts");
  for (const found of await dataDirectories(directory)) await expectSound(found, nodeDisk);
  await rm(directory, { recursive: true, force: true });
}

async function expectSound(directory: string, disk: Disk): Promise<void> {
  const { checkLog } = await import("../../src/log/check.ts");
  const { EvertError } = await import("../../src/base/errors.ts");
  let report: CheckReport;
  try {
    report = await checkLog(directory, disk);
  } catch (error) {
    // What was locked may be no log, or one that was not made yet.
    if (error instanceof EvertError && error.code === "not_found") return;
    throw error;
  }
  if (report.damages.length === 0) return;
  throw new Error(`the test leaves a damaged log in ${directory}: ${JSON.stringify(report.damages)}`);
}

/** A data directory has its log in log/. */
async function dataDirectories(directory: string): Promise<string[]> {
  if (!existsSync(directory)) return [];
  const entries = await readdir(directory, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory() && entry.name !== "node_modules");
  if (folders.some((entry) => entry.name === "log")) return [directory];
  return (await Promise.all(folders.map((entry) => dataDirectories(join(directory, entry.name))))).flat();
}
