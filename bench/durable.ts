/**
 * Durable appends of one row by many writers at once: what an acknowledged record costs beside the bare loop on the same disk.
 *
 * So many writers append a record each (100 bytes, or 1 KiB), to one topic or to a thousand by turns, and append the next one when it is answered. The bare loop does what a durable log
 * cannot do without: those that came while the disk was busy are copied behind one another, checksummed, written into a zero-filled file, synced with fdatasync, and each is answered.
 * It has no schemas, positions, batches, engine or readers. The two take turns in one run; each ratio is the median of the rounds'.
 *
 * - "appends": per second.
 * - "p99": the slowest hundredth of all appends, in milliseconds, beside that of a bare write of the same bytes with its fdatasync, one at a time.
 *
 *   node --conditions=evert-source bench/durable.ts
 */
import { type FileHandle, open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { crc32c } from "../src/base/crc32c.ts";
import { type Db, int8, open, text, topic } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, median, present, rounds } from "./report.ts";

const ROUNDS = 3;
const TURN_MS = 250;
const REST_MS = 50;
const WRITERS = [1, 16, 256];
const SIZES = [100, 1024];
const TOPICS = [1, 1000];
const MIB = 1 << 20;
const BARE_BYTES = 64 * MIB;
/** Beside the text a record has eight bytes. */
const ID_BYTES = 8;

const topics = Array.from({ length: Math.max(...TOPICS) }, (_, i) =>
  topic(`events_${i}`, { schema: { id: int8, body: text } }),
);

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir: join(dir, "db"), topics, checkpointIntervalMs: 0 });
    const bare = await BareLog.open(join(dir, "bare"));
    const measured: Measured[] = [];
    for (const writers of WRITERS)
      for (const size of SIZES)
        for (const many of TOPICS) measured.push(...(await compare(db, bare, { writers, size, many })));
    await bare.close();
    return measured;
  });
}

interface Case {
  readonly writers: number;
  readonly size: number;
  readonly many: number;
}

async function compare(db: Db, bare: BareLog, { writers, size, many }: Case): Promise<Measured[]> {
  const body = "x".repeat(size - ID_BYTES);
  const payload = new Uint8Array(size).fill(120);
  const times: Record<"evert" | "alone", number[]> = { evert: [], alone: [] };
  const { evert, loop } = await rounds(ROUNDS, {
    loop: () => rateOf(writers, () => bare.append(payload), null),
    evert: () => rateOf(writers, (k) => db.append(topics[k % many]!, { id: k, body }), times.evert),
    alone: () => rateOf(1, () => bare.append(payload), times.alone),
  });
  const name = `${writers} ${writers === 1 ? "writer" : "writers"}, ${size === 1024 ? "1 KiB" : `${size} bytes`}, ${many === 1 ? "one topic" : `${many} topics`}`;
  return [
    {
      name: `${name}: appends`,
      unit: "/s",
      value: median(evert),
      peer: "bare loop",
      peerValue: median(loop),
      ratio: median(evert.map((rate, i) => rate / loop[i]!)),
      goal: 0.8,
    },
    {
      name: `${name}: p99`,
      unit: "ms",
      value: percentile(times.evert, 0.99),
      peer: "bare fdatasync",
      peerValue: percentile(times.alone, 0.99),
    },
  ];
}

/** `times`: takes down how long each was under way. */
async function rateOf(
  writers: number,
  append: (k: number) => Promise<unknown>,
  times: number[] | null,
): Promise<number> {
  await sleep(REST_MS);
  let next = 0;
  const began = performance.now();
  const end = began + TURN_MS;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      for (let from = performance.now(); from < end; ) {
        await append(next++);
        const to = performance.now();
        times?.push(to - from);
        from = to;
      }
    }),
  );
  return (next * 1000) / (performance.now() - began);
}

function percentile(times: readonly number[], part: number): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * part)] ?? Number.NaN;
}

/** A zero-filled file, written round and round; who comes while it is busy waits for the next write. */
class BareLog {
  readonly #file: FileHandle;
  readonly #buffer = new Uint8Array(MIB);
  #waiting: { readonly payload: Uint8Array; readonly resolve: () => void }[] = [];
  #busy = false;
  #at = 0;
  checksum = 0;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  static async open(path: string): Promise<BareLog> {
    const file = await openFile(path, "w+");
    const zeros = new Uint8Array(MIB);
    for (let at = 0; at < BARE_BYTES; at += MIB) await file.write(zeros, 0, MIB, at);
    await file.sync();
    return new BareLog(file);
  }

  append(payload: Uint8Array): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.push({ payload, resolve });
      if (!this.#busy) void this.#flush();
    });
  }

  close(): Promise<void> {
    return this.#file.close();
  }

  async #flush(): Promise<void> {
    this.#busy = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      let bytes = 0;
      for (const { payload } of group) {
        this.#buffer.set(payload, bytes);
        bytes += payload.length;
      }
      const written = this.#buffer.subarray(0, bytes);
      this.checksum ^= crc32c(written);
      if (this.#at + bytes > BARE_BYTES) this.#at = 0;
      await this.#file.write(written, 0, bytes, this.#at);
      await this.#file.datasync();
      this.#at += bytes;
      for (const { resolve } of group) resolve();
      // Those who were answered come again first.
      await new Promise(setImmediate);
    }
    this.#busy = false;
  }
}

await present(measure);
