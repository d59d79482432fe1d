/**
 * Starting on a long log that was closed: open() in a fresh process, until reads are answered.
 *
 * A stream of events of eight columns with a view that counts them, appended in commits of 1,000 rows, sealed, checkpointed, closed. The log is then opened by a
 * process of its own, several times; then it is made four times as long, and so on. What a start reads is the checkpoint, the directories of sealed segments and
 * the frames of the last segment: it should not take longer because the log is long.
 *
 * - "start on n MiB": milliseconds of open(), the median. The goal is that of a log of 10 GB: a second.
 * - "start, per GiB more": milliseconds that each GiB adds, between the shortest and the longest log.
 *
 *   node --conditions=evert-source bench/start.ts [--gib 10]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Batch } from "../src/batch/batch.ts";
import { BatchBuilder } from "../src/batch/builder.ts";
import { count, float8, int4, int8, open, text, topic, view } from "../src/index.ts";
import { SeededRandom } from "../src/testing/seeded-random.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, median, present } from "./report.ts";

const { values: flags } = parseArgs({ options: { gib: { type: "string" }, open: { type: "string" } } });

const MIB = 1 << 20;
const COMMIT = 1000;
/** Of the frames: sealed they take less. */
const SIZES_MIB = flags.gib === undefined ? [64, 256, 1024] : [256, 1024, Number(flags.gib) * 1024];
const STARTS = 7;
/** Commits on their way at once. */
const AHEAD = 32;

const events = topic("events", {
  schema: {
    id: int8,
    user_id: int4,
    kind: int4,
    region: int4,
    amount: float8,
    at: int8,
    page: text,
    session: text,
  },
});
const byKind = view("by_kind", events.groupBy("kind", { n: count() }));

function options(dir: string) {
  return { dir, topics: [events], views: [byKind], checkpointIntervalMs: 0 } as const;
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (directory) => {
    const dir = join(directory, "db");
    const measured: Measured[] = [];
    const medians: { gib: number; ms: number }[] = [];
    const batches = Array.from({ length: 64 }, (_, i) => rows(i * COMMIT, new SeededRandom(i)));
    for (const mib of SIZES_MIB) {
      await grow(dir, mib, batches);
      const times: number[] = [];
      for (let i = 0; i < STARTS; i++) times.push(await startInProcess(dir));
      const ms = median(times);
      medians.push({ gib: mib / 1024, ms });
      measured.push({ name: `start on ${mib} MiB of frames`, unit: "ms", value: ms, most: 1000 });
    }
    const [first, last] = [medians[0]!, medians.at(-1)!];
    measured.push({
      name: "start, per GiB more",
      unit: "ms",
      value: Math.max(0, (last.ms - first.ms) / (last.gib - first.gib)),
      most: 20,
    });
    return measured;
  });
}

/** Appends until so much has been written; everything but the last segment is sealed. */
async function grow(dir: string, mib: number, batches: readonly Batch[]): Promise<void> {
  await using db = await open(options(dir));
  const { log } = db.engine.core;
  const under: Promise<unknown>[] = [];
  const written = (): number =>
    log.stats().sealing.originalBytes + log.stats().bytes - log.stats().sealing.bytes;
  for (let i = 0; written() < mib * MIB; i++) {
    under.push(db.engine.appendBatch("events", batches[i % batches.length]!));
    if (under.length >= AHEAD) await under.shift();
  }
  await Promise.all(under);
  await db.settled();
  await log.sealed();
  await db.engine.checkpoint();
}

function rows(first: number, random: SeededRandom) {
  const builder = new BatchBuilder(events.schema);
  for (let id = first; id < first + COMMIT; id++)
    builder.appendRow({
      id,
      user_id: random.below(1_000_000),
      kind: random.below(8),
      region: random.below(64),
      amount: random.below(100_000) / 100,
      at: 1_700_000_000_000_000 + id * 1000,
      page: `/page/${random.below(5000)}`,
      session: `session ${random.below(1_000_000_000)}`,
    });
  return builder.finish();
}

async function startInProcess(dir: string): Promise<number> {
  const child = fork(import.meta.filename, ["--open", dir], { execArgv: ["--conditions=evert-source"] });
  let ms = Number.NaN;
  child.on("message", (message) => {
    ms = message as number;
  });
  const [code] = await once(child, "exit");
  if (code !== 0) throw new Error(`a start ended with code ${code}`);
  return ms;
}

async function startHere(dir: string): Promise<void> {
  const began = performance.now();
  const db = await open(options(dir));
  const kinds = await db.view(byKind).rows();
  const ms = performance.now() - began;
  if (kinds.length !== 8) throw new Error("the view is not what it was");
  process.send!(ms);
  await db.close();
}

if (flags.open === undefined) await present(measure);
else await startHere(flags.open);
