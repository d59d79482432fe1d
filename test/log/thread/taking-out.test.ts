/** Rows that a thread of its own takes out of sealed segments, on the real disk: the same bytes, and whatever befalls the thread or the log meanwhile, the same rows. */
import { cp, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Worker } from "node:worker_threads";
import { beforeEach, describe, expect, it } from "vitest";
import type { Disk } from "../../../src/base/disk.ts";
import { nodeDisk } from "../../../src/base/node-disk.ts";
import { BatchBuilder } from "../../../src/batch/builder.ts";
import { checkLog } from "../../../src/log/check.ts";
import type { Log } from "../../../src/log/log.ts";
import type { Answer, Request } from "../../../src/log/thread/requests.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { append, type OpenedLog, openSmall, schema } from "../harness.ts";
import {
  type Contents,
  clock,
  compacted,
  contents,
  fill,
  type KeptRow,
  of,
  rules,
  STREAM,
  sealAll,
  TABLE,
  tableOf,
  topicRows,
  WHOLE,
} from "../keeping/support.ts";
import { atStarts, directory, expectSameFiles, files, threads, withoutThread } from "./support.ts";

const RULES = { [TABLE]: { tombstonesForUs: 0 }, [STREAM]: { retainForUs: 60_000_000 } };

let said: string[] = [];
/** Called with each request, before the thread has it. */
let onRequest: (request: Request, thread: Worker) => void = () => {};

beforeEach(() => {
  said = [];
  onRequest = () => {};
  atStarts((thread) => {
    const post = thread.postMessage.bind(thread);
    thread.postMessage = (request: Request) => {
      onRequest(request, thread);
      post(request);
    };
  });
});

function open(at = directory, disk: Disk = nodeDisk): Promise<OpenedLog> {
  const report = (message: string) => said.push(message);
  return openSmall(disk, { directory: at, clock, keepEveryMs: 0, report });
}

/** A log of which all full segments are sealed. */
async function filled(seed: number, commits = 500): Promise<OpenedLog> {
  const log = await open();
  await fill(log, new SeededRandom(seed), commits);
  await sealAll(log);
  expect(log.stats().segments).toBeGreaterThan(3);
  return log;
}

/** Position of the last commit that is in a sealed segment. */
async function sealedTo(log: Log): Promise<number> {
  const frames = (await files()).flatMap((name) => /^(\d{20})\.log$/.exec(name)?.[1] ?? []).map(Number);
  return frames.length === 0 ? log.durablePosition : Math.min(...frames) - 1;
}

/** All that may go has gone, and nothing else. */
async function expectTakenOut(log: Log, before: Contents, nowUs: number): Promise<void> {
  const after = await contents(log);
  expect(after.commits).toEqual(before.commits);
  expect(of(after.rows, WHOLE)).toEqual(of(before.rows, WHOLE));
  const table = of(after.rows, TABLE);
  expect(table).toEqual(compacted(of(before.rows, TABLE), await sealedTo(log), nowUs));
  expect(table.length).toBeLessThan(of(before.rows, TABLE).length);
  const start = log.topicStart(STREAM);
  expect(start).toBeGreaterThan(0);
  expect(of(after.rows, STREAM)).toEqual(of(before.rows, STREAM).filter(({ offset }) => offset >= start));
}

/** As many rows of the table as there were, or fewer, and the same table. */
function expectSameTable(rows: readonly KeptRow[], before: Contents): void {
  expect(tableOf(of(rows, TABLE))).toEqual(tableOf(of(before.rows, TABLE)));
  expect(of(rows, WHOLE)).toEqual(of(before.rows, WHOLE));
}

it("writes the same files as are written without it", async () => {
  const full = await filled(1);
  const before = await contents(full);
  await full.close();
  const copy = `${directory}-copy`;
  await cp(directory, copy, { recursive: true });
  try {
    const log = await open();
    threads.length = 0;
    log.keep(rules(RULES));
    const nowUs = log.nowUs();
    await log.compact();
    expect(threads.length).toBe(1);
    await expectTakenOut(log, before, nowUs);
    const { segments, rows, bytes } = log.stats().keeping;
    expect(segments).toBeGreaterThan(2);
    await log.close();

    const other = await open(copy, withoutThread);
    other.keep(rules(RULES));
    await other.compact();
    expect(threads.length).toBe(1);
    expect(other.stats().keeping).toMatchObject({ segments, rows, bytes });
    await other.close();
    await expectSameFiles(copy);
  } finally {
    await rm(copy, { recursive: true });
  }
  expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
  expect(said).toEqual([]);
});

it("starts no thread where there is nothing to look at", async () => {
  const full = await filled(2);
  await full.close();
  threads.length = 0;
  const log = await open();
  log.keep(rules({}));
  await log.compact();
  expect(threads).toEqual([]);
  await log.close();
});

describe("where the thread ends by itself, the pass is done again without, which is said once", () => {
  for (const [kind, nth] of [
    ["compare", 1],
    ["compare", 3],
    ["takeOut", 1],
    ["takeOut", 3],
  ] as const) {
    it(`at ${kind} ${nth}`, async () => {
      const log = await filled(3);
      const before = await contents(log);
      let seen = 0;
      onRequest = (request, thread) => {
        if (request.kind === "work" && request.work.kind === kind && ++seen === nth) void thread.terminate();
      };
      log.keep(rules(RULES));
      const nowUs = log.nowUs();
      await log.compact();
      expect(seen).toBe(nth);
      await expectTakenOut(log, before, nowUs);
      expect((await files()).filter((name) => /^(compacting|sealing)-/.test(name))).toEqual([]);
      expect(log.stats().keeping.failure).toBeNull();
      await log.close();
      expect(said).toEqual([expect.stringContaining("the thread that rewrites segments has ended")]);
      expect(threads.length).toBe(1);
      expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
    });
  }
});

it("gives up what is half done when the log is closed, wherever it is, and the next life does the rest", async () => {
  const full = await filled(4);
  const before = await contents(full);
  await full.close();
  let exited = 0;
  for (let nth = 1; ; nth++) {
    threads.length = 0;
    exited = 0;
    const log = await open();
    log.keep(rules(RULES));
    let seen = 0;
    let closing: Promise<void> | null = null;
    onRequest = (_, thread) => {
      if (seen === 0) thread.once("exit", () => exited++);
      if (++seen === nth) closing = log.close();
    };
    const nowUs = log.nowUs();
    const outcome = await log.compact().then(
      () => "done",
      (error) => error.code,
    );
    const isWhole = closing === null;
    if (isWhole) await expectTakenOut(log, before, nowUs);
    expect(outcome).toBe(isWhole ? "done" : "shutting_down");
    await (closing ?? log.close());
    expect(exited).toBe(threads.length);
    expect((await files()).filter((name) => name.startsWith("compacting-"))).toEqual([]);
    expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
    onRequest = () => {};
    const later = await open();
    expectSameTable((await contents(later)).rows, before);
    await later.close();
    if (isWhole) break;
  }
  expect(said).toEqual([]);
});

it("loses nothing that is written, sealed or read meanwhile, and one thread does it all", async () => {
  const log = await filled(5);
  const before = await contents(log);
  // A reader that has begun reads on in what it has open.
  const reading = topicRows(log, TABLE, 0);
  const news: string[] = [];
  let writing: Promise<void> | null = null;
  const write = async (): Promise<void> => {
    for (let i = 0; i < 200; i++) {
      news.push(`news ${i} ${"n".repeat(1000)}`);
      await append(log, [{ topicId: TABLE, id: 1000 + i, note: news[i]! }]);
    }
  };
  onRequest = (request) => {
    if (request.kind === "work" && request.work.kind === "takeOut") writing ??= write();
  };
  const sealedBefore = log.stats().sealing.segments;
  log.keep(rules({ [TABLE]: { tombstonesForUs: 0 } }));
  await log.compact();
  expect(writing).not.toBeNull();
  await writing;
  await log.sealed();
  expect(log.stats().sealing.segments).toBeGreaterThan(sealedBefore);
  await log.compact();
  expect(threads.length).toBe(1);
  const offsets = (await reading).map(({ offset }) => offset);
  expect(offsets).toEqual([...new Set(offsets)].sort((a, b) => a - b));
  const { rows } = await contents(log);
  expectSameTable(
    rows.filter(({ topicId, id }) => topicId !== TABLE || id < 1000),
    before,
  );
  expect(rows.filter(({ id }) => id >= 1000).map(({ note }) => note)).toEqual(news);
  await log.close();
  expect(said).toEqual([]);
  expect((await checkLog(directory, nodeDisk)).damages).toEqual([]);
});

it("leaves room to those who append between two of its requests", async () => {
  const log = await filled(9);
  let written = 0;
  let isDone = false;
  const write = async (): Promise<void> => {
    for (; !isDone; written++) await append(log, [{ topicId: WHOLE, id: 1, note: "meanwhile" }]);
  };
  const asked = new Set<number>();
  let answeredAt: number | null = null;
  const left: number[] = [];
  onRequest = (request, thread) => {
    if (request.kind !== "work" || request.work.kind === "seal") return;
    if (asked.size === 0)
      thread.on("message", ({ id }: Answer) => {
        if (asked.has(id)) answeredAt = written;
      });
    asked.add(request.id);
    if (answeredAt !== null) left.push(written - answeredAt);
  };
  log.keep(rules({ [TABLE]: { tombstonesForUs: 0 } }));
  // With several of them the log is never at rest.
  const writers = [write(), write(), write()];
  await log.compact();
  isDone = true;
  await Promise.all(writers);
  expect(left.length).toBeGreaterThan(5);
  // Sixteen frames, of which some were under way.
  expect(Math.min(...left)).toBeGreaterThan(10);
  await log.close();
});

it("compares keys over the versions of a schema, also one that came after the thread was started", async () => {
  const log = await filled(6);
  const before = await contents(log);
  log.keep(rules({ [TABLE]: { tombstonesForUs: 0 } }));
  await log.compact();
  log.registerTopic({ topicId: TABLE, schemaVersion: 2, schema, keyColumns: [0] });
  for (let i = 0; i < 150; i++) await append(log, [{ topicId: TABLE, id: i % 3, note: "x".repeat(900) }]);
  await log.sealed();
  await log.compact();
  const last = new Map<number, number>();
  const to = await sealedTo(log);
  for (const { id, offset, position } of of((await contents(log)).rows, TABLE)) {
    if (position > to) continue;
    expect(last.has(id)).toBe(false);
    last.set(id, offset);
  }
  const expected = tableOf(of(before.rows, TABLE));
  for (const id of [0, 1, 2]) expected.set(id, "x".repeat(900));
  expect(tableOf(of((await contents(log)).rows, TABLE))).toEqual(
    new Map([...expected].sort(([a], [b]) => a - b)),
  );
  expect([threads.length, said]).toEqual([1, []]);
  await log.close();
});

it("says what is damaged, and leaves that segment as it is", async () => {
  const full = await filled(7);
  await full.close();
  const name = (await files()).find((n) => n.endsWith(".sealed"))!;
  const path = join(directory, "log", name);
  const bytes = await readFile(path);
  const log = await open();
  log.keep(rules(RULES));
  const damaged = Uint8Array.from(bytes);
  // Among the first pages, which are the table's.
  damaged[60]! ^= 1;
  await writeFile(path, damaged);
  await expect(log.compact()).rejects.toMatchObject({ code: "log_damaged" });
  expect(log.stats().keeping.failure).toContain("could not be taken out");
  expect(await files()).toContain(name);
  expect((await files()).filter((n) => n.startsWith("compacting-"))).toEqual([]);
  await writeFile(path, bytes);
  await log.compact();
  expect(log.stats().keeping.failure).toBeNull();
  expect(await files()).not.toContain(name);
  await log.close();
});

it("erases a key", async () => {
  const log = await filled(8);
  const before = await contents(log);
  const builder = new BatchBuilder(schema);
  builder.appendRow({ id: 7, note: null });
  const to = await sealedTo(log);
  log.keep(rules({}));
  await log.erase(TABLE, builder.finish(), to);
  const left = before.rows.filter((row) => row.topicId !== TABLE || row.id !== 7 || row.position > to);
  expect(left.length).toBeLessThan(before.rows.length);
  expect((await contents(log)).rows).toEqual(left);
  expect([threads.length, said]).toEqual([1, []]);
  await log.close();
});
