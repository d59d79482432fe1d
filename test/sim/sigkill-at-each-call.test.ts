/**
 * SIGKILL in the place of each call of the real disk that an append, a seal, a checkpoint, a compaction, a backup, a close, an open and a promotion make, and in the middle of each write. What was acknowledged is there,
 * the rest whole or not at all, views are their queries, `evert check` finds nothing, and the database goes on.
 */
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import type { EvertError } from "../../src/base/errors.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import type { Database } from "../../src/engine/database.ts";
import { type OpenEngineOptions, openEngine } from "../../src/engine/open-engine.ts";
import { overHttp, type ReachLeader } from "../../src/engine/replica/leader.ts";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { readManifest } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import { level } from "../engine/replica/support.ts";
import { Directories } from "../engine/support/directories.ts";
import { allHold } from "../engine/support/holds.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";
import { removeChecked } from "../support/left-behind.ts";
import { GONE } from "./gone.ts";

const program = fileURLToPath(new URL("killed.ts", import.meta.url));
/** Processes at once. */
const AT_ONCE = 4;
/** More than any of them calls. */
const CALLS_MAX = 200;

const directories = new Directories();

/** Half of what a process takes is to compile its modules, if it finds them not compiled. */
const compiled = directories.make();

const open = (directory: string, options: Partial<OpenEngineOptions> = {}): Promise<Database> =>
  openEngine({ directory, segmentBytes: 64 * 1024, checkpointIntervalMs: 0, report: doubts, ...options });

function doubts(line: string): void {
  if (line.startsWith("the checkpoint is not used")) throw new Error(line);
}

/** A directory with some history: a sealed segment, one that is not, a checkpoint, commits behind it. */
async function history(): Promise<string> {
  const directory = join(await directories.make(), "data");
  const db = await open(directory);
  await sql(
    db,
    `CREATE TABLE event (n int4) WITH (append_only); CREATE TABLE filler (text text) WITH (append_only);
     CREATE TABLE latest (k int4 PRIMARY KEY, n int4) WITH (compact, tombstones_for = '1 hour');
     CREATE MATERIALIZED VIEW counted AS SELECT n % 10 AS d, count(*) AS c FROM event GROUP BY n % 10;
     CREATE MATERIALIZED VIEW joined AS SELECT l.k, e.n FROM latest l JOIN event e ON e.n = l.n`,
  );
  for (let n = 0; n < 6; n++) {
    await db.append("event", [{ n }]);
    await db.append("latest", [{ k: n % 3, n }]);
    await db.append("filler", [{ text: "z".repeat(20_000) }]);
  }
  await db.core.log.sealed();
  await db.checkpoint();
  await db.append("latest", [{ k: 0, n: 2 }]);
  await db.close();
  return directory;
}

/** The same as a copy, made over HTTP; its leader is gone. */
async function copied(): Promise<string> {
  const leader = await open(await history());
  const server = await createHttpServer(leader, { port: 0 });
  const directory = join(await directories.make(), "data");
  // Where the leader is said to be nobody is; it is reached all the same.
  const reach: ReachLeader = (url, token) => {
    const leader = overHttp(server.url, token);
    return {
      url,
      logId: () => leader.logId(),
      follow: (request, signal) => leader.follow(request, signal),
      file: (name, bytes, signal) => leader.file(name, bytes, signal),
      progress: (follower, position) => leader.progress(follower, position),
      fence: (fence) => leader.fence(fence),
    };
  };
  const replica = await open(directory, { follow: { url: GONE }, reach });
  await level(leader, replica);
  await replica.core.log.sealed();
  await replica.close();
  await server.close();
  await leader.close();
  return directory;
}

interface End {
  readonly acked: boolean;
  /** null: it was killed on the way. */
  readonly calls: readonly string[] | null;
}

async function run(directory: string, operation: string, at: number, how: "before" | "torn"): Promise<End> {
  const child = spawn(process.execPath, [program, directory, operation, String(at), how], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, NODE_COMPILE_CACHE: await compiled },
  });
  let said = "";
  let wrong = "";
  child.stdout.on("data", (bytes) => {
    said += String(bytes);
  });
  child.stderr.on("data", (bytes) => {
    wrong += String(bytes);
  });
  return new Promise((resolve, reject) => {
    child.on("close", (_code, signal) => {
      if (signal !== "SIGKILL") reject(new Error(`the process ended by itself:\n${wrong}`));
      const calls = /^calls (.*)$/m.exec(said)?.[1];
      resolve({ acked: said.includes("acked\n"), calls: calls === undefined ? null : JSON.parse(calls) });
    });
  });
}

/** A directory opens as one of the two, never as neither or both. */
async function roleOf(directory: string): Promise<"leader" | "follower"> {
  const roles: ("leader" | "follower")[] = [];
  for (const follow of [undefined, { url: GONE }]) {
    const reached = await open(directory, { follow }).catch((error: EvertError) => {
      expect(error).toMatchObject({ code: "invalid_request" });
      return null;
    });
    if (reached === null) continue;
    const { role } = reached.replication.info();
    expect(role).toBe(follow === undefined ? "leader" : "follower");
    roles.push(role as "leader" | "follower");
    await reached.close();
  }
  expect(roles).toHaveLength(1);
  return roles[0] as "leader" | "follower";
}

/** It is a follower still, which can be promoted, or the leader; whoever was promised something, by the leader. */
async function judgePromotion(directory: string, acked: boolean): Promise<void> {
  if ((await roleOf(directory)) === "leader") return;
  expect(acked).toBe(false);
  const db = await open(directory, { follow: { url: GONE } });
  const refused = db.append("event", [{ n: 1 }]);
  await expect(refused).rejects.toMatchObject({ code: "not_leader" });
  const { epoch } = await db.replication.promote();
  expect(epoch).toBeGreaterThan(0);
  await db.close();
  expect(await roleOf(directory)).toBe("leader");
}

async function judge(directory: string, acked: boolean): Promise<void> {
  expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
  for (let start = 0; start < 2; start++) {
    const db = await open(directory);
    await db.built();
    const events = (await rowsOf(db, "SELECT n FROM event WHERE n >= 1000 ORDER BY n")).flat();
    const latest = (await rowsOf(db, "SELECT n FROM latest WHERE k = 1")).flat();
    const isThere = events.length > 0;
    expect([events, latest]).toEqual(isThere ? [["1000", "1001"], ["1000"]] : [[], ["4"]]);
    if (acked) expect(isThere).toBe(true);
    await allHold(db, Object.fromEntries(db.views().map(({ name, definition }) => [name, definition])));
    // It goes on, and what is appended now is there the second time.
    await db.append("event", [{ n: 100 + start }]);
    await db.settled();
    expect(await rowsOf(db, "SELECT count(*) FROM event WHERE n BETWEEN 100 AND 999")).toEqual([
      [String(start + 1)],
    ]);
    await db.core.log.sealed();
    await db.close();
  }
}

/** What is there of the backup is whole. */
async function judgeBackup(directory: string): Promise<void> {
  const backup = join(directory, "..", "backup");
  if ((await readManifest(nodeDisk, backup)) === null) return;
  const restored = join(directory, "..", "restored");
  await restoreBackup({ backup, directory: restored, disk: nodeDisk });
  expect((await checkLog(restored, nodeDisk)).damages).toEqual([]);
}

describe.each([
  ["append", /write .*\.log$/],
  ["seal", /rename .*sealing-/],
  ["checkpoint", /rename .*manifest/],
  ["compact", /rename .*compacting-/],
  ["close", /rename .*manifest/],
  ["open", /unlink .*next-/],
  ["backup", /rename .*backup\.json/],
  ["promote", /rename .*replica\.json/],
])("SIGKILL in each call of %s", (operation, essential) => {
  it("loses nothing and leaves nothing half", async () => {
    const from = await (operation === "promote" ? copied() : history());
    const dry = await directories.copy(join(from, ".."));
    const { calls } = await run(join(dry, "data"), operation, CALLS_MAX, "before");
    // Its calls are known, and what it is about is among them.
    expect(calls?.some((call) => essential.test(call))).toBe(true);
    const tries = (calls ?? []).flatMap((call, i) => [
      { at: i + 1, how: "before" as const },
      ...(call.startsWith("write") ? [{ at: i + 1, how: "torn" as const }] : []),
    ]);
    const tried = tries.length;
    let killed = 0;
    const worker = async (): Promise<void> => {
      for (let one = tries.shift(); one !== undefined; one = tries.shift()) {
        const parent = await directories.copy(join(from, ".."));
        const directory = join(parent, "data");
        try {
          const { acked, calls: done } = await run(directory, operation, one.at, one.how);
          if (done === null) killed++;
          if (operation === "promote") await judgePromotion(directory, acked);
          await judge(directory, acked);
          if (operation === "backup") await judgeBackup(directory);
        } catch (error) {
          throw new Error(`${operation}, killed ${one.how} call ${one.at}: ${calls?.[one.at - 1]}`, {
            cause: error,
          });
        }
        await removeChecked(parent);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    // What goes on behind it (files prepared for later) is sometimes done before it begins: then there are fewer calls than there were.
    expect(killed).toBeGreaterThan(tried / 2);
  }, 600_000);
});
