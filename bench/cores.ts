/**
 * Nexmark's q4 and q18 with their view kept by worker threads, beside the same view in the one thread: events per second.
 *
 * "Built": from CREATE MATERIALIZED VIEW over two million events that lie in sealed segments to its last row. The same view has been built and dropped twice
 * before in each database, for its worker threads are new: they have to read and to compile their code first, which the one thread has done in other turns. Nothing is appended
 * meanwhile, so that nothing but the view bounds it. Workers have the room that `evert start` gives them (cli/worker-heaps.ts).
 *
 * "Live", from the log: rounds of 1,000 events as durable commits, 16 of them under way at once, up to the view showing them all. The first third of them is not timed: threads have
 * to read and to compile their code first. With no workers and with one, two and three
 * they take turns, and ratios are medians over turns; both sides must come to the same rows. A ratio says something of cores only where that many are free: what
 * the load was stands in RESULTS.md, and beside each figure what of an event's time the first thread itself spent, which is what bounds the
 * throughput however many workers there are. The log alone, without any view, takes its turn as well: nothing is faster than that.
 * And so do threads of bare arithmetic: what four of them do beside one is how many cores there were.
 *
 * While history is read the first thread has little to do, so a worker more than there are cores beside it may be worth it there: `--workers 4` shows that.
 *
 *   node --conditions=evert-source bench/cores.ts [--events 600000] [--history 2000000] [--workers 3] [q4 q18 …]
 */
import { createHash } from "node:crypto";
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
/** By number of workers: what so many and the first thread should come to. */
const GOALS: readonly (number | undefined)[] = [undefined, 1.6, undefined, 2.5];

const { values, positionals } = parseArgs({
  options: {
    events: { type: "string", default: "600000" },
    history: { type: "string", default: "2000000" },
    workers: { type: "string", default: "3" },
  },
  allowPositionals: true,
});
const events = Number(values.events);
const history = Number(values.history);
const names = positionals.length === 0 ? ["q4", "q18"] : positionals;
/** From none to as many as were asked for. */
const workerCounts = Array.from({ length: Number(values.workers) + 1 }, (_, workers) => workers);
/** The log without a view. */
const LOG = workerCounts.length;
const THREADS = GOALS.length;

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
  await withDirectory(async (dir) => {
    await writeSealed(dir, nexmark(history));
    for (const query of wanted)
      measured.push(...figures(`${query.name} built`, await built(dir, query, cores)));
  });
  const rounds = [...nexmark(events)];
  const untimed = rounds.splice(0, Math.floor(rounds.length / 3));
  for (const query of wanted) {
    const seen = await live(query, untimed, rounds, cores);
    measured.push(...figures(`${query.name} live`, seen));
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

async function built(dir: string, query: NexmarkQuery, cores: number[]): Promise<Seen> {
  const spentMs: number[][] = workerCounts.map(() => []);
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
    spentMs[workers]!.push(threadMs() - before);
    answers.add(await answerOf(db, query.name));
    await db.engine.dropView(query.name);
    return (history * 1000) / ms;
  };
  const rates = await inTurns(TURNS, {
    ...Object.fromEntries(workerCounts.map((workers) => [`${workers}`, rate(workers)])),
    cores: () => freeCores(THREADS),
  });
  cores.push(...rates.cores);
  if (answers.size > 1) throw new Error(`${query.name} has another answer where workers build it`);
  return { rates, spentMs, events: history };
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

function figures(name: string, seen: Seen): Measured[] {
  const alone = seen.rates["0"]!;
  return workerCounts.map((workers) => {
    const rates = seen.rates[`${workers}`]!;
    const beside = {
      peer: "no workers",
      peerValue: median(alone),
      ratio: median(rates.map((value, turn) => value / alone[turn]!)),
      // More threads than cores only take turns.
      goal: workers < availableParallelism() ? GOALS[workers] : undefined,
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

giveWorkersRoom(LOG - 1, memoryLimitOf(undefined));
await present(measure);
