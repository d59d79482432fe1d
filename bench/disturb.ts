/**
 * How much appends slow down while the log works in the background: full segments are sealed, and what later rows have replaced is taken out of sealed ones.
 *
 * Three logs on the same disk take turns in one run, each with 16 writers that append a row of some 200 bytes to a table topic of 20,000 keys, and the next when it is durable. Segments are
 * small (4 MiB), so that in each turn of the two that do so several are sealed, or sealed and compacted, from the first moment on: more than any log has to do that is written at
 * that pace into segments of 64 MiB.
 *
 * - "while sealing", "while sealing and compacting": appends per second, beside the log that does neither; the ratio is the median of the rounds'.
 * - "p99 of an append": the slowest hundredth in milliseconds, beside that of the log that does neither.
 *
 * And a fourth log, to which nobody appends: a million and a half rows of 700,000 keys in sealed segments of 16 MiB, of which all but the last of each key are taken out.
 *
 * - "longest turn while compacting": milliseconds of processor time between two turns of the event loop.
 * - "compacting": rows per second, of those that are there.
 *
 *   node --conditions=evert-source bench/disturb.ts
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { systemClock } from "../src/base/clock.ts";
import { nodeDisk } from "../src/base/node-disk.ts";
import { schemaOf } from "../src/batch/schema.ts";
import { int4, text } from "../src/batch/types.ts";
import type { Log } from "../src/log/log.ts";
import { openLog } from "../src/log/open-log.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, median, present, rounds, watchTurns } from "./report.ts";

const ROUNDS = 8;
const TURN_MS = 1000;
const REST_MS = 50;
const WRITERS = 16;
const KEYS = 20_000;
const SEGMENT_BYTES = 4 << 20;
/** Between two looks for what may be taken out. */
const KEEP_EVERY_MS = 200;
const TOPIC = 1;
const MANY_ROWS = 1_500_000;
const MANY_KEYS = 700_000;
const MANY_SEGMENT_BYTES = 16 << 20;
const MANY_AT_ONCE = 1000;
/** Rows of a commit: enough of them to fill a segment in some tenths of a second. */
const ROWS = 16;

const schema = schemaOf([
  { name: "id", type: int4, nullable: false },
  { name: "body", type: text, nullable: false },
]);

interface Contender {
  readonly log: Log;
  readonly times: number[];
  written: number;
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const rest = await contender(join(dir, "rest"));
    const sealing = await contender(join(dir, "sealing"));
    const both = await contender(join(dir, "both"));
    sealing.log.startSealing();
    both.log.startSealing();
    keepLast(both.log);
    const rates = await rounds(ROUNDS, {
      rest: () => turn(rest),
      sealing: async () => {
        const rate = await turn(sealing);
        // What is left to do is not to disturb the others' turns.
        await sealing.log.sealed();
        return rate;
      },
      both: async () => {
        const rate = await turn(both);
        await both.log.sealed();
        await both.log.compact();
        return rate;
      },
    });
    if (sealing.log.stats().sealing.segments === 0) throw new Error("no segment was sealed");
    if (both.log.stats().keeping.rows === 0) throw new Error("no row was taken out");
    const measured = [
      ...figures("while sealing", { rest, other: sealing, ratesAtRest: rates.rest, rates: rates.sealing }),
      ...figures("while sealing and compacting", {
        rest,
        other: both,
        ratesAtRest: rates.rest,
        rates: rates.both,
      }),
    ];
    for (const { log } of [rest, sealing, both]) await log.close();
    measured.push(...(await alone(join(dir, "alone"))));
    return measured;
  });
}

/** Of each key the last row is kept. */
function keepLast(log: Log): void {
  log.keep(() => ({
    horizon: log.durablePosition,
    isDropped: () => false,
    topics: new Map([[TOPIC, { retainForUs: null, retainBytes: null, neededBy: [], tombstonesForUs: 0 }]]),
  }));
}

/** Compacting with nothing beside it. */
async function alone(directory: string): Promise<Measured[]> {
  const of = await contender(directory, { segmentBytes: MANY_SEGMENT_BYTES, keepEveryMs: 0 });
  const { log } = of;
  while (of.written < MANY_ROWS) await append(of, MANY_AT_ONCE, MANY_KEYS);
  log.startSealing();
  await log.sealed();
  keepLast(log);
  const longest = watchTurns();
  const began = performance.now();
  await log.compact();
  const took = performance.now() - began;
  const pauseMs = longest();
  if (log.stats().keeping.rows < MANY_ROWS / 3) throw new Error("not enough was taken out");
  await log.close();
  return [
    { name: "longest turn while compacting", unit: "ms", value: pauseMs, most: 10 },
    { name: "compacting", unit: "rows/s", value: (MANY_ROWS * 1000) / took },
  ];
}

interface Compared {
  readonly rest: Contender;
  readonly other: Contender;
  readonly ratesAtRest: readonly number[];
  readonly rates: readonly number[];
}

function figures(name: string, { rest, other, ratesAtRest, rates }: Compared): Measured[] {
  return [
    {
      name: `appends ${name}`,
      unit: "/s",
      value: median(rates),
      peer: "without",
      peerValue: median(ratesAtRest),
      ratio: median(rates.map((rate, i) => rate / ratesAtRest[i]!)),
      goal: 0.8,
    },
    {
      name: `p99 of an append ${name}`,
      unit: "ms",
      value: p99(other.times),
      peer: "without",
      peerValue: p99(rest.times),
    },
  ];
}

async function contender(
  directory: string,
  { segmentBytes = SEGMENT_BYTES, keepEveryMs = KEEP_EVERY_MS } = {},
): Promise<Contender> {
  const log = await openLog({
    directory,
    disk: nodeDisk,
    clock: systemClock,
    segmentBytes,
    keepEveryMs,
  });
  log.registerTopic({ topicId: TOPIC, schemaVersion: 1, schema, keyColumns: [0] });
  return { log, times: [], written: 0 };
}

async function turn(of: Contender): Promise<number> {
  await sleep(REST_MS);
  const began = performance.now();
  const end = began + TURN_MS;
  let commits = 0;
  await Promise.all(
    Array.from({ length: WRITERS }, async () => {
      while (performance.now() < end) {
        const from = performance.now();
        await append(of);
        of.times.push(performance.now() - from);
        commits++;
      }
    }),
  );
  return (commits * 1000) / (performance.now() - began);
}

async function append(of: Contender, rows = ROWS, keys = KEYS): Promise<void> {
  const { log } = of;
  for (let wait = log.room(rows * 256); wait !== null; wait = log.room(rows * 256)) await wait;
  const draft = log.begin();
  for (let i = 0; i < rows; i++) {
    // Keys in an order of their own, each with another text.
    const n = of.written++;
    draft.appendRow(TOPIC, { id: (n * 7919) % keys, body: `${n} `.padEnd(190, `${n * 31}`) });
  }
  await draft.commit().durable;
}

function p99(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length * 0.99)] ?? Number.NaN;
}

await present(measure);
