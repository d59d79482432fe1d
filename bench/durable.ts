/**
 * Durable appends of one row by many writers at once: what an acknowledged record costs beside the bare loop on the same disk.
 *
 * So many writers append a record each (100 bytes, or 1 KiB), to one topic or to a thousand by turns, and append the next one when it is answered. Three take turns
 * in one run, after all of them have run for a while; each ratio is the median of the rounds':
 *
 * - "db.append": what a program calls. Beside the log it has the engine: names, who may write, constraints, the step.
 * - "log alone": the same rows as commits of src/log, with nobody behind it.
 * - The bare loop, by hand, does what no durable log can do without, and nothing else: it takes the row, an object, apart into bytes behind those that came while the disk was
 *   busy, with their length and their topic; checksums them, writes them into a zero-filled file, syncs it, and answers each writer with its record's place. It has no
 *   schemas, columns, batches by topic, readers or recovery, and its file is written round and round: it never needs new room.
 *   It has no time for a record, no limits of memory and room, and goes through Node's thread pool twice for a write (to write, to sync), where the log goes once.
 *   (Until 2026-11-22 it was handed bytes, the same for every record, and told nobody a place: a buffer being copied, and no record of anything.)
 *
 * - "appends": per second. While the disk works those who wait have nothing to append, so a round takes the time of a write and that in which all of them append again; the loop takes the least that a program can for the second. So the ratio
 *   goes by the disk: near 1 where it is slow or others use it, and with many writers on a fast one that of the processor's time for an append. Both are told in docs/decisions/0062-durable-appends-once-more.md.
 * - "p99": the slowest hundredth of all appends, in milliseconds, beside that of a bare write of the same bytes with its fdatasync, one at a time.
 *
 *   node --conditions=evert-source bench/durable.ts
 */
import { type FileHandle, open as openFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../src/base/clock.ts";
import { crc32c } from "../src/base/crc32c.ts";
import { nodeDisk } from "../src/base/node-disk.ts";
import { int8, open, text, topic } from "../src/index.ts";
import { openLog } from "../src/log/open-log.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, median, present, rounds } from "./report.ts";

const ROUNDS = 5;
const TURN_MS = 250;
/** What a contender does behind its turn, such as zeros for the next, is not to stand in another's way. */
const REST_MS = 100;
const WARM_MS = 600;
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

interface Row {
  readonly id: number;
  readonly body: string;
}

interface Contender {
  /** Resolves when the row is durable. `index`: of its topic. */
  append(index: number, row: Row): Promise<unknown>;
  close(): Promise<void>;
}

const NAMES = { loop: "bare loop", log: "log alone", db: "db.append" } as const;
type Name = keyof typeof NAMES;

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const contenders: Readonly<Record<Name, Contender>> = {
      loop: await BareLog.open(join(dir, "bare")),
      log: await logAlone(join(dir, "log")),
      db: await database(join(dir, "db")),
    };
    for (const contender of Object.values(contenders)) {
      for (const writers of WRITERS)
        for (const many of TOPICS)
          await rateOf(contender, { writers, size: SIZES[0]!, many }, null, WARM_MS / 6);
    }
    const measured: Measured[] = [];
    for (const writers of WRITERS)
      for (const size of SIZES)
        for (const many of TOPICS) measured.push(...(await compare(contenders, { writers, size, many })));
    for (const contender of Object.values(contenders)) await contender.close();
    return measured;
  });
}

interface Case {
  readonly writers: number;
  readonly size: number;
  readonly many: number;
}

async function compare(contenders: Readonly<Record<Name, Contender>>, what: Case): Promise<Measured[]> {
  const { writers, size, many } = what;
  const times: Record<Name | "alone", number[]> = { loop: [], log: [], db: [], alone: [] };
  const rates = await rounds(ROUNDS, {
    loop: () => rateOf(contenders.loop, what, times.loop),
    log: () => rateOf(contenders.log, what, times.log),
    db: () => rateOf(contenders.db, what, times.db),
    alone: () => rateOf(contenders.loop, { ...what, writers: 1 }, times.alone),
  });
  const name = `${writers} ${writers === 1 ? "writer" : "writers"}, ${size === 1024 ? "1 KiB" : `${size} bytes`}, ${many === 1 ? "one topic" : `${many} topics`}`;
  return (["db", "log"] as const).flatMap((who): Measured[] => [
    {
      name: `${name}: appends, ${NAMES[who]}`,
      unit: "/s",
      value: median(rates[who]),
      peer: NAMES.loop,
      peerValue: median(rates.loop),
      ratio: median(rates[who].map((rate, i) => rate / rates.loop[i]!)),
      goal: 0.8,
    },
    {
      name: `${name}: p99, ${NAMES[who]}`,
      unit: "ms",
      value: percentile(times[who], 0.99),
      peer: "bare fdatasync",
      peerValue: percentile(times.alone, 0.99),
    },
  ]);
}

/** `times`: takes down how long each was under way. */
async function rateOf(
  contender: Contender,
  { writers, size, many }: Case,
  times: number[] | null,
  turnMs: number = TURN_MS,
): Promise<number> {
  await sleep(REST_MS);
  const body = "x".repeat(size - ID_BYTES);
  let next = 0;
  const began = performance.now();
  const end = began + turnMs;
  await Promise.all(
    Array.from({ length: writers }, async () => {
      for (let from = performance.now(); from < end; ) {
        const id = next++;
        await contender.append(id % many, { id, body });
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

async function database(dir: string): Promise<Contender> {
  const db = await open({ dir, topics, checkpointIntervalMs: 0 });
  return { append: (index, row) => db.append(topics[index]!, row), close: () => db.close() };
}

/** Topics are numbered from 1: 0 is the catalog's. */
async function logAlone(directory: string): Promise<Contender> {
  const log = await openLog({ directory, disk: nodeDisk, clock: systemClock });
  for (const [i, { schema }] of topics.entries())
    log.registerTopic({ topicId: i + 1, schemaVersion: 1, schema });
  return {
    async append(index, row) {
      const bytes = row.body.length + 64;
      for (let wait = log.room(bytes); wait !== null; wait = log.room(bytes)) await wait;
      const draft = log.begin();
      draft.appendRow(index + 1, row);
      const { durable, position } = draft.commit();
      await durable;
      return position;
    },
    close: () => log.close(),
  };
}

/** Before the row: its length and its topic. */
const HEAD_BYTES = 8;

/** A zero-filled file, written round and round; who comes while it is busy waits for the next write. */
class BareLog implements Contender {
  readonly #file: FileHandle;
  readonly #buffer = Buffer.alloc(MIB);
  #waiting: { readonly index: number; readonly row: Row; readonly resolve: (place: number) => void }[] = [];
  #busy = false;
  #at = 0;
  #written = 0;
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

  append(index: number, row: Row): Promise<number> {
    return new Promise((resolve) => {
      this.#waiting.push({ index, row, resolve });
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
      const buffer = this.#buffer;
      let bytes = 0;
      for (const { index, row } of group) {
        const { id, body } = row;
        const length = buffer.write(body, bytes + HEAD_BYTES + ID_BYTES);
        buffer.writeUInt32LE(length, bytes);
        buffer.writeUInt32LE(index, bytes + 4);
        buffer.writeInt32LE(id | 0, bytes + 8);
        buffer.writeInt32LE(Math.floor(id / 0x1_0000_0000), bytes + 12);
        bytes += HEAD_BYTES + ID_BYTES + length;
      }
      const written = buffer.subarray(0, bytes);
      this.checksum ^= crc32c(written);
      if (this.#at + bytes > BARE_BYTES) this.#at = 0;
      await this.#file.write(written, 0, bytes, this.#at);
      await this.#file.datasync();
      this.#at += bytes;
      for (const { resolve } of group) resolve(this.#written++);
      // Those who were answered come again first.
      await new Promise(setImmediate);
    }
    this.#busy = false;
  }
}

await present(measure);
