/**
 * Durable appends: what an event of 100 bytes costs until it is on the disk for good.
 *
 * The numbers are events per second, appended one group after the other, each group acknowledged before the next begins. Beside each, the bare
 * loop: the same payload bytes, one CRC32C, one write into a preallocated file, one fdatasync, and nothing else. What is
 * between the two is validation, columns, framing, positions, promises and the engine's step (one view reads the topic).
 * The last number is commits per second of 256 concurrent writers of one row each, with five views kept current.
 *
 *   node --conditions=evert-source bench/append.ts
 */
import { open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { crc32c } from "../src/base/crc32c.ts";
import { count, int4, open, sum, text, topic, view } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { best, type Measured, ratioOf } from "./report.ts";

const EVENT_BYTES = 100;
const REPEAT = 3;

/** Groups per run: about a second of work for the bare loop on a slow disk. */
const GROUPS: Readonly<Record<number, number>> = { 1: 1000, 100: 600, 1000: 300 };

const payload = "x".repeat(EVENT_BYTES);
const events = topic("events", { schema: { payload: text } });
const counted = view("counted", events.groupBy("payload", { n: count() }));

export async function benchAppend(): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const size of [1, 100, 1000]) {
    const groups = GROUPS[size] as number;
    const ours = await best(REPEAT, () => appended(size, groups));
    const bare = await best(REPEAT, () => bareLoop(size, groups));
    measured.push({
      name: `append, groups of ${size}`,
      unit: "events/s",
      value: ours,
      peer: "bare loop",
      peerValue: bare,
      ratio: ratioOf(ours, bare),
      goal: 0.7,
    });
  }
  const commits = await best(REPEAT, () => concurrentCommits(256, 100_000));
  measured.push({
    name: "256 writers of one row, five views",
    unit: "commits/s",
    value: commits,
    goalValue: 50_000,
  });
  return measured;
}

function appended(size: number, groups: number): Promise<number> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir, topics: [events], views: [counted], checkpointIntervalMs: 0 });
    const rows = Array.from({ length: size }, () => ({ payload }));
    for (let i = 0; i < 20; i++) await db.append(events, rows);
    const started = performance.now();
    for (let i = 0; i < groups; i++) await db.append(events, rows);
    return (groups * size * 1000) / (performance.now() - started);
  });
}

function bareLoop(size: number, groups: number): Promise<number> {
  return withDirectory(async (dir) => {
    const file = await openFile(join(dir, "bare"), "w+");
    try {
      const group = new TextEncoder().encode(payload.repeat(size));
      const zeros = new Uint8Array(1 << 20);
      for (let at = 0; at < group.length * (groups + 20); at += zeros.length)
        await file.write(zeros, 0, zeros.length, at);
      await file.datasync();
      let sink = 0;
      let at = 0;
      const write = async (): Promise<void> => {
        sink ^= crc32c(group);
        await file.write(group, 0, group.length, at);
        await file.datasync();
        at += group.length;
      };
      for (let i = 0; i < 20; i++) await write();
      const started = performance.now();
      for (let i = 0; i < groups; i++) await write();
      const rate = (groups * size * 1000) / (performance.now() - started);
      return sink === 1 ? 0 : rate;
    } finally {
      await file.close();
    }
  });
}

const clicks = topic("clicks", { schema: { user_id: int4, kind: int4, amount: int4 } });
const byKind = view("by_kind", clicks.groupBy("kind", { n: count() }));
const fiveViews = [
  view("by_user", clicks.groupBy("user_id", { n: count(), total: sum("amount") })),
  byKind,
  view("large", clicks.filter((c) => c.amount > 900).groupBy("kind", { n: count() })),
  view(
    "by_both",
    clicks.groupBy((c) => ({ user_id: c.user_id, kind: c.kind }), { total: sum("amount") }),
  ),
  view("top", clicks.topK({ partitionBy: "kind", orderBy: ["-amount"], limit: 5 })),
];

function concurrentCommits(writers: number, commits: number): Promise<number> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir, topics: [clicks], views: fiveViews });
    let next = 0;
    const write = async (): Promise<void> => {
      while (next < commits) {
        const k = next++;
        await db.append(clicks, { user_id: k % 1000, kind: k % 10, amount: k % 1000 });
      }
    };
    const started = performance.now();
    await Promise.all(Array.from({ length: writers }, write));
    await db.settled();
    const rate = (commits * 1000) / (performance.now() - started);
    const rows = await db.view(byKind).rows();
    if (rows.reduce((n, r) => n + r.n, 0) !== commits) throw new Error("a commit is missing");
    return rate;
  });
}
