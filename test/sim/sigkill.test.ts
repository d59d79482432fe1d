/**
 * A process that appends is killed (SIGKILL) at random moments, again and again on one directory: while it opens, appends, takes checkpoints, builds a
 * view. Every acknowledged commit is there exactly once, every other at most once and whole, and every view is its query over what is there.
 * EVERT_SIGKILL_ROUNDS=500 looks longer.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, it } from "vitest";
import type { Database } from "../../src/engine/database.ts";
import { openEngine } from "../../src/engine/open-engine.ts";
import { Directories } from "../engine/support/directories.ts";
import { allHold } from "../engine/support/holds.ts";
import { difference, maintained, type TextRow } from "../engine/support/views.ts";

const ROUNDS = Number(process.env["EVERT_SIGKILL_ROUNDS"] ?? 20);
const WRITERS = 6;
const appender = fileURLToPath(new URL("appender.ts", import.meta.url));

const directories = new Directories();
let child: ChildProcess | null = null;

afterEach(() => {
  child?.kill("SIGKILL");
});

/** What the writers were told, over all rounds. */
class Ledger {
  /** By writer: the first commit not acknowledged. */
  readonly next: number[] = Array.from({ length: WRITERS }, () => 0);
  /** "writer/n" -> position. */
  readonly acknowledged = new Map<string, number>();
  readonly tried = new Set<string>();

  note(line: string): void {
    const [word, writer, n, position] = line.split(" ") as [string, string, string, string];
    if (word === "try") this.tried.add(`${writer}/${n}`);
    if (word !== "ack") return;
    this.acknowledged.set(`${writer}/${n}`, Number(position));
    this.next[Number(writer)] = Number(n) + 1;
  }
}

/** Lets an appender live for so long after it is ready, or after its start. */
async function round(
  directory: string,
  ledger: Ledger,
  lateView: string | null,
  killed: { afterMs: number; since: "ready" | "start" },
): Promise<void> {
  const args = [appender, directory, JSON.stringify(ledger.next), ...(lateView === null ? [] : [lateView])];
  const process_ = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
  child = process_;
  let wrong = "";
  process_.stderr.on("data", (bytes) => {
    wrong += String(bytes);
  });
  const kill = (): void => {
    setTimeout(() => process_.kill("SIGKILL"), killed.afterMs);
  };
  const ended = new Promise<NodeJS.Signals | null>((resolve) =>
    process_.on("close", (_code, signal) => resolve(signal)),
  );
  if (killed.since === "start") kill();
  for await (const line of createInterface(process_.stdout)) {
    if (line === "ready" && killed.since === "ready") kill();
    ledger.note(line);
  }
  const signal = await ended;
  child = null;
  if (signal !== "SIGKILL") throw new Error(`the appender ended by itself:\n${wrong}`);
}

interface Commit {
  events: number;
  latest: number;
  notes: number;
}

/** What the topics hold, by "writer/n", and at which positions. */
async function recorded(db: Database): Promise<Map<string, Map<number, Commit>>> {
  const commits = new Map<string, Map<number, Commit>>();
  const count = async (topic: string, part: keyof Commit): Promise<void> => {
    for await (const { position, valueJson } of db.readTopic(topic)) {
      if (valueJson === null) continue;
      const { writer, n } = JSON.parse(valueJson) as { writer: number; n: number };
      const id = `${writer}/${n}`;
      let at = commits.get(id);
      if (at === undefined) commits.set(id, (at = new Map()));
      let commit = at.get(Number(position));
      if (commit === undefined) at.set(Number(position), (commit = { events: 0, latest: 0, notes: 0 }));
      commit[part]++;
    }
  };
  await count("event", "events");
  await count("latest", "latest");
  await count("note", "notes");
  return commits;
}

async function check(directory: string, ledger: Ledger): Promise<void> {
  const db = await openEngine({ directory, checkpointIntervalMs: 0 });
  try {
    if (db.topics().length === 0) return;
    await db.built();
    const commits = await recorded(db);
    for (const [id, position] of ledger.acknowledged) {
      expect(commits.get(id), `commit ${id}, acknowledged at ${position}`).toEqual(
        new Map([[position, WHOLE]]),
      );
    }
    for (const [id, at] of commits) {
      expect(ledger.tried.has(id), `commit ${id} was made by somebody`).toBe(true);
      expect([...at.values()], `commit ${id} is there whole and once`).toEqual([WHOLE]);
    }
    await checkViews(db, commits);
  } finally {
    await db.close();
  }
}

const WHOLE: Commit = { events: 3, latest: 1, notes: 1 };

async function checkViews(db: Database, commits: ReadonlyMap<string, unknown>): Promise<void> {
  const views = db.views();
  await allHold(db, Object.fromEntries(views.map(({ name, definition }) => [name, definition])));
  if (!views.some((v) => v.name === "per_writer")) return;
  const perWriter = new Map<number, number[]>();
  for (const id of commits.keys()) {
    const [writer, n] = id.split("/").map(Number) as [number, number];
    perWriter.set(writer, [...(perWriter.get(writer) ?? []), n]);
  }
  const counted = [...perWriter].map(([writer, ns]): TextRow => {
    const total = ns.reduce((sum, n) => sum + n, 0);
    return [writer, 3 * ns.length, 3 * total, Math.max(...ns)].map(String);
  });
  expect(difference((await maintained(db, "per_writer")) as TextRow[], counted)).toBeNull();
}

it("what was acknowledged is there once, whole and in every view, however often the process is killed", async () => {
  const directory = await directories.make();
  const ledger = new Ledger();
  for (let i = 0; i < ROUNDS; i++) {
    const since = i % 5 === 3 ? "start" : "ready";
    const afterMs = since === "start" ? 100 + Math.random() * 600 : 20 + Math.random() * 300;
    await round(directory, ledger, i % 4 === 2 ? `late_${i}` : null, { afterMs, since });
    if (i % 4 === 3) await check(directory, ledger);
  }
  expect(ledger.acknowledged.size).toBeGreaterThan(ROUNDS);
  await check(directory, ledger);
  await rm(join(directory, "checkpoint"), { recursive: true, force: true });
  await check(directory, ledger);
}, 3_600_000);
