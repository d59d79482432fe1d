/**
 * The database of a test file whose rows go to disk as soon as they may. After each test it is closed, and has reported nothing that the test has not
 * expected.
 */
import { afterEach, expect } from "vitest";
import type { Database } from "../../../src/engine/database.ts";
import type { OpenEngineOptions } from "../../../src/engine/open-engine.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { openInMemory } from "./memory.ts";

/** The one that was opened last. */
export let db: Database;
/** What databases have reported, other than those with a `report` of their own. */
export const said: string[] = [];

afterEach(async () => {
  await db.close().catch(() => {});
  expect(said.splice(0)).toEqual([]);
});

export async function open(disk: SimulatedDisk, options: Partial<OpenEngineOptions> = {}): Promise<void> {
  await openWith(disk, { warm: 0, ...options });
  await db.built();
}

/** Opens one with these options, and waits for no view. */
export async function openWith(disk: SimulatedDisk, options: Partial<OpenEngineOptions>): Promise<void> {
  db = await openInMemory(disk, { report: (message) => said.push(message), ...options });
}

/** Ends in one way or another, and goes on with what is on the disk then. */
export async function startAgain(disk: SimulatedDisk, random: SeededRandom): Promise<SimulatedDisk> {
  const how = (["close", "process", "power cut"] as const)[random.below(3)]!;
  if (how === "close") await db.close();
  const left = disk.reboot(how === "close" ? "process" : how);
  await db.close().catch(() => {});
  said.length = 0;
  await open(left);
  return left;
}

/** Steps that concern nothing but table `other`, until what the last one made may go out, too. */
export async function cooled(): Promise<void> {
  for (let i = 0; i < 4; i++) {
    await db.append("other", [{ k: i }]);
    await db.settled();
  }
}

/** Changes a bit here and there in all files of rows that are not in memory. */
export function damageRuns(disk: SimulatedDisk): void {
  for (const path of disk.files().filter((file) => file.includes("/run-")))
    for (let at = 0; at < 4000; at += 50) disk.corrupt(path, at, (b) => b ^ 1);
}
