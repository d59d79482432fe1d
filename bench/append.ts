/**
 * Durable appends: what it costs to have an event of 100 bytes on the disk for good.
 *
 * The first numbers are events per second, one group after the other, each acknowledged before the next begins: a group is a commit,
 * given as columns. Beside each, the bare loop: the same payload bytes, one CRC32C, one write into a zero-filled file, one fdatasync,
 * in the same order and with the same file system calls off the event loop, and nothing else. Between the two lie schemas, framing,
 * positions, promises, the zeros that the log writes ahead of itself, and the engine's step. The same with rows as objects follows.
 *
 * The last number is commits per second of 256 concurrent writers of one row each, with five views kept current. Its bare loop writes as many
 * payloads, always those that came while the disk was busy, and resolves as many promises.
 *
 *   node --conditions=evert-source bench/append.ts
 */
import { type FileHandle, open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32c } from "../src/base/crc32c.ts";
import type { Batch } from "../src/batch/batch.ts";
import { BatchBuilder } from "../src/batch/builder.ts";
import { count, type Db, int4, int8, open, sum, text, topic, view } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, present, turns } from "./report.ts";

const EVENT_BYTES = 100;
const ROUNDS = 12;
/** Groups of a turn, by their size: some tenths of a second. */
const TURN_GROUPS: Readonly<Record<number, number>> = { 1: 1500, 100: 1000, 1000: 300 };
const MIB = 1 << 20;
const BARE_BYTES = 64 * MIB;

const WRITERS = 256;
const COMMITS = 100_000;

// 8 + 8 + 4 + 80 bytes.
const events = topic("events", { schema: { id: int8, at: int8, user_id: int4, body: text } });
const body = "x".repeat(80);

async function measure(): Promise<Measured[]> {
  const measured: Measured[] = [];
  await withDirectory(async (dir) => {
    await using db = await open({ dir: join(dir, "db"), topics: [events], checkpointIntervalMs: 0 });
    const bare = await BareFile.open(join(dir, "bare"));
    for (const size of [1, 100, 1000]) measured.push(...(await groupsOf(size, db, bare)));
    await bare.close();
  });
  measured.push(await concurrentCommits());
  return measured;
}

async function groupsOf(size: number, db: Db, bare: BareFile): Promise<Measured[]> {
  const rows = Array.from({ length: size }, (_, i) => ({ id: i, at: 1e15 + i, user_id: i % 1000, body }));
  const batch = batchOf(rows);
  const payload = new Uint8Array(size * EVENT_BYTES).fill(120);
  const groups = TURN_GROUPS[size] as number;
  const turn = (group: () => Promise<unknown>) => async (): Promise<number> => {
    // The log's zeros of the turn before are not to stand in this one's way.
    await sleep(100);
    const started = performance.now();
    for (let i = 0; i < groups; i++) await group();
    return (groups * size * 1000) / (performance.now() - started);
  };
  const best = await turns(ROUNDS, {
    bare: turn(() => bare.write(payload)),
    columns: turn(() => db.engine.appendBatch("events", batch)),
    objects: turn(() => db.append(events, rows)),
  });
  const beside = { unit: "events/s", peer: "bare loop", peerValue: best.bare };
  return [
    { name: `append, groups of ${size}, columns`, value: best.columns, ...beside, goal: 0.7 },
    { name: `append, groups of ${size}, objects`, value: best.objects, ...beside },
  ];
}

function batchOf(rows: readonly object[]): Batch {
  const builder = new BatchBuilder(events.schema);
  for (const row of rows) builder.appendRow(row);
  return builder.finish();
}

/** A zero-filled file, written round and round. */
class BareFile {
  readonly #file: FileHandle;
  #at = 0;
  checksum = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<BareFile> {
    const file = await openFile(path, "w+");
    const zeros = new Uint8Array(MIB);
    for (let at = 0; at < BARE_BYTES; at += MIB) await file.write(zeros, 0, MIB, at);
    await file.sync();
    return new BareFile(file);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.checksum ^= crc32c(bytes);
    if (this.#at + bytes.length > BARE_BYTES) this.#at = 0;
    await this.#file.write(bytes, 0, bytes.length, this.#at);
    await this.#file.datasync();
    this.#at += bytes.length;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
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

async function concurrentCommits(): Promise<Measured> {
  const best = await turns(4, { bare: bareCommits, engine: engineCommits });
  return {
    name: `${WRITERS} writers of one row, five views`,
    unit: "commits/s",
    value: best.engine,
    peer: "bare loop",
    peerValue: best.bare,
    least: 50_000,
  };
}

function engineCommits(): Promise<number> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir, topics: [clicks], views: fiveViews });
    const rate = await commitRate((k) =>
      db.append(clicks, { user_id: k % 1000, kind: k % 10, amount: k % 1000 }),
    );
    await db.settled();
    const rows = await db.view(byKind).rows();
    if (rows.reduce((n, r) => n + r.n, 0) !== COMMITS) throw new Error("a commit is missing");
    return rate;
  });
}

function bareCommits(): Promise<number> {
  return withDirectory(async (dir) => {
    const file = await BareFile.open(join(dir, "bare"));
    const buffer = new Uint8Array(WRITERS * 12);
    const payload = new Uint8Array(12).fill(1);
    let waiting: (() => void)[] = [];
    let busy = false;
    const flush = async (): Promise<void> => {
      busy = true;
      while (waiting.length > 0) {
        const group = waiting;
        waiting = [];
        for (let i = 0; i < group.length; i++) buffer.set(payload, i * 12);
        await file.write(buffer.subarray(0, group.length * 12));
        for (const resolve of group) resolve();
        // Those who were answered come again first.
        await new Promise(setImmediate);
      }
      busy = false;
    };
    const rate = await commitRate(() => {
      const written = new Promise<void>((resolve) => waiting.push(resolve));
      if (!busy) void flush();
      return written;
    });
    await file.close();
    return rate;
  });
}

async function commitRate(commit: (k: number) => Promise<unknown>): Promise<number> {
  let next = 0;
  const writer = async (): Promise<void> => {
    while (next < COMMITS) await commit(next++);
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: WRITERS }, writer));
  return (COMMITS * 1000) / (performance.now() - started);
}

await present(measure);
