/** The real disk, a real second process, and SIGKILL. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, expect, test } from "vitest";
import { systemClock } from "../../src/base/clock.ts";
import { nodeDisk } from "../../src/base/node-disk.ts";
import { checkLog } from "../../src/log/check.ts";
import { openLog } from "../../src/log/open-log.ts";
import { removeChecked } from "../support/left-behind.ts";
import { append, type OpenedLog, readAll, register } from "./harness.ts";

let directory: string;
let child: Appender | null = null;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "evert-log-"));
});
afterEach(async () => {
  await child?.kill();
  child = null;
  await removeChecked(directory);
});

async function open(): Promise<OpenedLog> {
  const log = await openLog({ directory, disk: nodeDisk, clock: systemClock, segmentBytes: 256 * 1024 });
  register(log);
  return log;
}

/** The child, and what it has said so far. */
class Appender {
  readonly process: ChildProcess;
  readonly acknowledged: number[] = [];
  errors = "";
  readonly #lines: AsyncIterator<string>;

  constructor() {
    const script = new URL("appending-process.ts", import.meta.url).pathname;
    this.process = spawn(process.execPath, [script, directory], { stdio: ["ignore", "pipe", "pipe"] });
    this.process.stderr!.on("data", (text: Buffer) => {
      this.errors += text.toString();
    });
    this.#lines = createInterface({ input: this.process.stdout! })[Symbol.asyncIterator]();
  }

  async line(): Promise<string | null> {
    const { value, done } = await this.#lines.next();
    return done === true ? null : value;
  }

  async appendUntil(count: number): Promise<void> {
    while (this.acknowledged.length < count) this.acknowledged.push(Number(await this.line()));
  }

  /** What it still said before it died is read, too. */
  async kill(): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await gone;
    for (let line = await this.line(); line !== null; line = await this.line()) {
      if (/^\d+$/.test(line)) this.acknowledged.push(Number(line));
    }
  }
}

test("a directory held by another process is refused, with its number, and free once that was killed", async () => {
  child = new Appender();
  expect(await child.line(), child.errors).toBe("open");
  await expect(open()).rejects.toMatchObject({
    code: "directory_locked",
    detail: expect.stringContaining(`process ${child.process.pid} `),
  });
  await expect(checkLog(directory, nodeDisk)).rejects.toMatchObject({ code: "directory_locked" });
  await child.kill();
  const log = await open();
  await log.close();
  expect(child.errors).toBe("");
});

test("what a killed process had acknowledged is there, once, and the next one goes on", async () => {
  const acknowledged = new Set<number>();
  for (let life = 0; life < 4; life++) {
    child = new Appender();
    expect(await child.line(), child.errors).toBe("open");
    await child.appendUntil(20 + life * 150);
    await child.kill();
    for (const position of child.acknowledged) acknowledged.add(position);
    const log = await open();
    const commits = await readAll(log);
    expect(commits.map((commit) => commit.position)).toEqual(commits.map((_, i) => i + 1));
    expect(commits.length).toBeGreaterThanOrEqual(Math.max(...acknowledged));
    for (const { position, key, rows } of commits) {
      expect(rows).toHaveLength(1);
      expect(rows[0]).toContain(` ${position} "`);
      expect(log.knownCommit(key!)).not.toBeNull();
    }
    await log.close();
    expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
  }
  expect(acknowledged.size).toBeGreaterThan(500);
  const log = await open();
  // Whether a process has come to it before it was killed is not said: a thread does it. What it has left half is done now.
  log.startSealing();
  await log.sealed();
  expect(log.stats().sealing.segments).toBeGreaterThan(0);
  await log.close();
});

test("a second open in this process is refused until the first is closed, however often", async () => {
  const log = await open();
  for (let i = 0; i < 3; i++) await expect(open()).rejects.toMatchObject({ code: "directory_locked" });
  await append(log, [{ topicId: 1, id: 1, note: "still mine" }]);
  await log.close();
  const again = await open();
  expect(await readAll(again)).toHaveLength(1);
  await again.close();
});
