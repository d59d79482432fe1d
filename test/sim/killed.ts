/**
 * A process that does one thing on a disk that kills it at some call (killing-disk.ts, sigkill-at-each-call.test.ts). It says on standard output:
 *
 *   acked        the row it appends is promised
 *   calls […]    it has come to its end; what it called, as JSON
 */
import { writeSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { nodeDisk } from "../../src/base/node-disk.ts";
import type { Database } from "../../src/engine/database.ts";
import { type OpenEngineOptions, openEngine } from "../../src/engine/open-engine.ts";
import { backupLog } from "../../src/log/backup.ts";
import { GONE } from "./gone.ts";
import { killingDisk } from "./killing-disk.ts";

const [directory, operation, at, how] = process.argv.slice(2) as [string, string, string, string];
const disk = killingDisk(nodeDisk);
const say = (line: string): number => writeSync(1, `${line}\n`);
const arm = (): void => disk.arm(Number(at), how === "torn");

const open = (options: Partial<OpenEngineOptions> = {}): Promise<Database> =>
  openEngine({ directory, disk, segmentBytes: 64 * 1024, checkpointIntervalMs: 0, ...options });

async function append(db: Database): Promise<void> {
  await db.transact([
    { topic: "event", append: [{ n: 1000 }, { n: 1001 }] },
    { topic: "latest", upsert: [{ k: 1, n: 1000 }] },
  ]);
  say("acked");
}

const OPERATIONS: Readonly<Record<string, () => Promise<void>>> = {
  async append() {
    const db = await open();
    await db.core.log.sealed();
    arm();
    await append(db);
  },
  /** The segment that is full by now is given its sealed form, while a row is appended. */
  async seal() {
    const db = await open();
    await db.core.log.sealed();
    await db.append("filler", [{ text: "x".repeat(40_000) }]);
    arm();
    await db.append("filler", [{ text: "y".repeat(40_000) }]);
    await append(db);
    await db.core.log.sealed();
  },
  async checkpoint() {
    const db = await open();
    await db.append("latest", [{ k: 2, n: 5 }]);
    await db.settled();
    arm();
    await db.checkpoint();
    await append(db);
  },
  async compact() {
    const db = await open();
    await db.checkpoint();
    await db.core.log.sealed();
    arm();
    await db.compact();
    await append(db);
  },
  async close() {
    const db = await open();
    await append(db);
    arm();
    await db.close();
  },
  async open() {
    arm();
    await append(await open());
  },
  /** Of a follower whose leader is gone. */
  async promote() {
    const db = await open({ follow: { url: GONE } });
    arm();
    await db.replication.promote();
    await append(db);
  },
  async backup() {
    const db = await open();
    arm();
    await append(db);
    await backupLog({ source: db.backupSource, directory: `${directory}/../backup`, disk, now: 0 });
  },
};

await OPERATIONS[operation]?.();
say(`calls ${JSON.stringify(disk.calls)}`);
// For the processes that come after this one, which do not get so far.
flushCompileCache();
// As if it were killed now: nothing is closed.
process.kill(process.pid, "SIGKILL");
