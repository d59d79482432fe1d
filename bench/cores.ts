/**
 * Nexmark's q4 and q18 with their view kept by worker threads, beside the same view in the one thread: events per second.
 *
 * "Built": from CREATE MATERIALIZED VIEW over millions of events that lie in sealed segments to its last row. The same view has been built and dropped twice
 * before in each database, for its worker threads are new: they have to read and to compile their code first, which the one thread has done in other turns. Nothing is appended
 * meanwhile, so that nothing but the view bounds it. Workers have the room that `evert start` gives them (cli/worker-heaps.ts). While history is read the first
 * thread has little to do, so there are as many workers as processors: all that there are, and once more with the process kept to two of them (`taskset`), workers and first thread
 * and V8's own threads together.
 *
 * "Live", from the log: rounds of 1,000 events as durable commits, 16 of them under way at once, up to the view showing them all. The first third of them is not timed: threads have
 * to read and to compile their code first. With no workers and with one, two and three
 * they take turns, and ratios are medians over turns; both sides must come to the same rows. A ratio says something of cores only where that many are free: what
 * the load was stands in RESULTS.md, and beside each figure what of an event's time the first thread itself spent, which is what bounds the
 * throughput however many workers there are. The log alone, without any view, takes its turn as well: nothing is faster than that.
 * And so do threads of bare arithmetic: what four of them do beside one is how many cores there were.
 *
 *   node --conditions=evert-source bench/cores.ts [--events 600000] [--history N] [--workers 3] [q4 q18 …]
 */
import { fork, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { giveWorkersRoom } from "../src/cli/worker-heaps.ts";
import { memoryLimitOf } from "../src/engine/default-memory.ts";
import type { Db } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { freeCores } from "./free-cores.ts";
import { defineView, openNexmark, throughLog } from "./nexmark/engine.ts";
import { nexmark, type Round } from "./nexmark/events.ts";
import { type NexmarkQuery, queries } from "./nexmark/queries.ts";
import { writeSealed } from "./nexmark/sealed-log.ts";
import { rounds as inTurns, type Measured, median, present, threadMs } from "./report.ts";

const TURNS = 3;
const BUILDS_BEFORE = 2;
/** What so many processors should come to, beside one thread. */
const GOALS: Readonly<Record<number, number>> = { 2: 1.6, 4: 2.5 };
/** Events in sealed segments: what starting a build costs should weigh little, in q4, which takes a quarter of q18's time for one. */
const HISTORY: Readonly<Record<string, number>> = { q4: 6_000_000 };
const USUAL_HISTORY = 2_000_000;

const { values, positionals } = parseArgs({
  options: {
    events: { type: "string", default: "600000" },
    history: { type: "string" },
    workers: { type: "string", default: "3" },
    /** How the process kept to two processors is told which directory to build in. */
    sealed: { type: "string" },
  },
  allowPositionals: true,
});
const events = Number(values.events);
const names = positionals.length === 0 ? ["q4", "q18"] : positionals;
const processors = availableParallelism();
/** From none to as many as were asked for. */
const workerCounts = Array.from({ length: Number(values.workers) + 1 }, (_, workers) => workers);
/** The log without a view. */
const LOG = workerCounts.length;
const THREADS = 4;

/** What the contenders came to, turn by turn; by workers, and for the log alone. */
interface Seen {
  readonly rates: Readonly<Record<string, readonly number[]>>;
  /** Processor time of the first thread. */
  readonly spentMs: readonly (readonly number[])[];
  readonly events: number;
}

async function measure(): Promise<Measured[]> {
  const measured: Measured[] = [];
  const cores: number[] = [];
  const wanted = names.map((name) => {
    const query = queries.find((q) => q.name === name);
    if (query === undefined) throw new Error(`there is no ${name}`);
    return query;
  });
  for (const query of wanted)
    await withDirectory(async (dir) => {
      await writeSealed(dir, nexmark(historyOf(query)));
      measured.push(...(await built(dir, query, cores)), ...(await builtOnTwo(dir, query)));
    });
  const rounds = [...nexmark(events)];
  const untimed = rounds.splice(0, Math.floor(rounds.length / 3));
  for (const query of wanted) {
    const seen = await live(query, untimed, rounds, cores);
    // The first thread writes the log meanwhile: it is one of the processors' work.
    measured.push(...figures(`${query.name} live`, workerCounts, seen, (workers) => workers + 1));
    const { rates } = seen;
    measured.push({
      name: `${query.name}'s events, the log alone`,
      unit: "events/s",
      value: median(rates[`${LOG}`]!),
      peer: "no workers",
      peerValue: median(rates["0"]!),
      ratio: median(rates[`${LOG}`]!.map((value, turn) => value / rates["0"]![turn]!)),
      note: `the first thread works ${nsOf(seen, LOG)} ns an event`,
    });
  }
  measured.push({
    name: `arithmetic alone, ${THREADS} threads beside one`,
    unit: "times",
    value: median(cores),
    note: "so many cores were free",
  });
  return measured;
}

function historyOf({ name }: NexmarkQuery): number {
  return values.history === undefined ? (HISTORY[name] ?? USUAL_HISTORY) : Number(values.history);
}

/** By as many workers as this process has processors, and by none. */
async function built(dir: string, query: NexmarkQuery, cores: number[]): Promise<Measured[]> {
  const counts = [0, processors];
  const history = historyOf(query);
  const spentMs: number[][] = [];
  const answers = new Set<string>();
  const rate = (workers: number) => async () => {
    await using db = await openNexmark(dir, workers);
    for (let before = 0; before < BUILDS_BEFORE; before++) {
      await defineView(db, query);
      await db.engine.dropView(query.name);
      await db.settled();
    }
    const [started, before] = [performance.now(), threadMs()];
    await defineView(db, query);
    const ms = performance.now() - started;
    (spentMs[workers] ??= []).push(threadMs() - before);
    answers.add(await answerOf(db, query.name));
    await db.engine.dropView(query.name);
    return (history * 1000) / ms;
  };
  const rates = await inTurns(TURNS, {
    ...Object.fromEntries(counts.map((workers) => [`${workers}`, rate(workers)])),
    cores: () => freeCores(Math.min(THREADS, processors)),
  });
  cores.push(...rates.cores);
  if (answers.size > 1) throw new Error(`${query.name} has another answer where workers build it`);
  const seen = { rates, spentMs, events: history };
  return figures(`${query.name} built, ${processors} processors`, counts, seen, (workers) => workers);
}

/** The same, by a process that has two processors. */
async function builtOnTwo(dir: string, { name }: NexmarkQuery): Promise<Measured[]> {
  if (processors <= 2) return [];
  const absent = { name: `${name} built, 2 processors`, unit: "events/s", value: null };
  if (spawnSync("taskset", ["--version"]).error !== undefined)
    return [{ ...absent, note: "there is no `taskset` here, which keeps a process to some processors" }];
  const child = fork(
    import.meta.filename,
    [name, "--sealed", dir, ...(values.history === undefined ? [] : ["--history", values.history])],
    { execPath: "taskset", execArgv: ["-c", "0,1", process.execPath, "--conditions=evert-source"] },
  );
  const exited = once(child, "exit");
  const said = await Promise.race([once(child, "message"), exited.then(() => null)]);
  if (said === null) throw new Error("bench/cores.ts failed on two processors");
  await exited;
  return said[0] as Measured[];
}

async function live(
  query: NexmarkQuery,
  untimed: readonly Round[],
  rounds: readonly Round[],
  cores: number[],
): Promise<Seen> {
  const timed = rounds.reduce((sum, round) => sum + round.events, 0);
  const spentMs: number[][] = [...workerCounts, LOG].map(() => []);
  const answers = new Set<string>();
  const rate = (workers: number) => () =>
    withDirectory(async (dir) => {
      await using db = await openNexmark(dir, workers === LOG ? 0 : workers);
      if (workers !== LOG) await defineView(db, query);
      await throughLog(db, untimed);
      const [started, before] = [performance.now(), threadMs()];
      await throughLog(db, rounds);
      const ms = performance.now() - started;
      spentMs[workers]!.push(threadMs() - before);
      if (workers !== LOG) answers.add(await answerOf(db, query.name));
      return (timed * 1000) / ms;
    });
  const rates = await inTurns(TURNS, {
    ...Object.fromEntries([...workerCounts, LOG].map((workers) => [`${workers}`, rate(workers)])),
    cores: () => freeCores(THREADS),
  });
  cores.push(...rates.cores);
  if (answers.size > 1) throw new Error(`${query.name} has another answer where workers keep it`);
  return { rates, spentMs, events: timed };
}

async function answerOf(db: Db, view: string): Promise<string> {
  const { results, error } = await db.engine.sql(`SELECT * FROM ${view}`);
  if (error !== undefined) throw new Error(error.message);
  return createHash("sha256").update(JSON.stringify(results[0]!.rowsText().sort())).digest("hex");
}

/** `processorsOf`: how many of them so many workers and the first thread keep busy. */
function figures(
  name: string,
  counts: readonly number[],
  seen: Seen,
  processorsOf: (workers: number) => number,
): Measured[] {
  const alone = seen.rates["0"]!;
  return counts.map((workers) => {
    const rates = seen.rates[`${workers}`]!;
    const wanted = processorsOf(workers);
    const beside = {
      peer: "no workers",
      peerValue: median(alone),
      ratio: median(rates.map((value, turn) => value / alone[turn]!)),
      // More threads than processors only take turns.
      goal: wanted <= processors ? GOALS[wanted] : undefined,
    };
    return {
      name: `${name}, ${workers === 1 ? "1 worker" : `${workers} workers`}`,
      unit: "events/s",
      value: median(rates),
      ...(workers === 0 ? {} : beside),
      note: `the first thread works ${nsOf(seen, workers)} ns an event`,
    };
  });
}

function nsOf({ spentMs, events: all }: Seen, workers: number): string {
  return ((median(spentMs[workers]!) * 1e6) / all).toFixed(0);
}

giveWorkersRoom(Math.max(LOG - 1, processors), memoryLimitOf(undefined));
const { sealed } = values;
await present(
  sealed === undefined ? measure : () => built(sealed, queries.find(({ name }) => name === names[0])!, []),
);
