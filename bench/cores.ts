/**
 * Nexmark's q4 and q18 with their view kept by worker threads, beside the same view in the one thread: events per second, from the log.
 *
 * Rounds of 1,000 events as durable commits, 16 of them under way at once, up to the view showing them all. The first third of them is not timed: threads have
 * to read and to compile their code first. With no workers and with one, two and three
 * they take turns, and ratios are medians over turns; both sides must come to the same rows. A ratio says something of cores only where that many are free: what
 * the load was stands in RESULTS.md, and beside each figure what of an event's time the first thread itself spent, which is what bounds the
 * throughput however many workers there are. The log alone, without any view, takes its turn as well: nothing is faster than that.
 * And so do threads of bare arithmetic: what four of them do beside one is how many cores there were.
 *
 *   node --conditions=evert-source bench/cores.ts [--events 600000] [q4 q18 …]
 */
import { availableParallelism } from "node:os";
import { parseArgs } from "node:util";
import { withDirectory } from "./directory.ts";
import { freeCores } from "./free-cores.ts";
import { defineView, openNexmark, throughLog } from "./nexmark/engine.ts";
import { nexmark } from "./nexmark/events.ts";
import { queries } from "./nexmark/queries.ts";
import { rounds as inTurns, type Measured, median, present, threadMs } from "./report.ts";

const TURNS = 3;
/** By number of workers: what so many and the first thread should come to. */
const GOALS: readonly (number | undefined)[] = [undefined, 1.6, undefined, 2.5];

const { values, positionals } = parseArgs({
  options: { events: { type: "string", default: "600000" } },
  allowPositionals: true,
});
const events = Number(values.events);
const names = positionals.length === 0 ? ["q4", "q18"] : positionals;
/** The log without a view. */
const LOG = GOALS.length;

async function measure(): Promise<Measured[]> {
  const rounds = [...nexmark(events)];
  const untimed = rounds.splice(0, Math.floor(rounds.length / 3));
  const timed = rounds.reduce((sum, round) => sum + round.events, 0);
  const measured: Measured[] = [];
  const cores: number[] = [];
  for (const name of names) {
    const query = queries.find((q) => q.name === name);
    if (query === undefined) throw new Error(`there is no ${name}`);
    const spent: number[][] = [...GOALS, LOG].map(() => []);
    const answers = new Set<string>();
    const rate = (workers: number) => () =>
      withDirectory(async (dir) => {
        await using db = await openNexmark(dir, workers === LOG ? 0 : workers);
        if (workers !== LOG) await defineView(db, query);
        await throughLog(db, untimed);
        const [started, before] = [performance.now(), threadMs()];
        await throughLog(db, rounds);
        const ms = performance.now() - started;
        spent[workers]!.push(threadMs() - before);
        const perSecond = (timed * 1000) / ms;
        if (workers === LOG) return perSecond;
        const { results, error } = await db.sql(`SELECT * FROM ${name}`);
        if (error !== undefined) throw new Error(error.message);
        answers.add(JSON.stringify(results[0]!.rowsText().sort()));
        return perSecond;
      });
    const contenders: Record<string, () => Promise<number>> = {
      ...Object.fromEntries([...GOALS, LOG].map((_, workers) => [`${workers}`, rate(workers)])),
      cores: () => freeCores(GOALS.length),
    };
    const seen = await inTurns(TURNS, contenders);
    cores.push(...seen["cores"]!);
    if (answers.size > 1) throw new Error(`${name} has another answer where workers keep it`);
    const alone = seen["0"]!;
    const nsOf = (workers: number): string => ((median(spent[workers]!) * 1e6) / timed).toFixed(0);
    for (const [workers, goal] of GOALS.entries()) {
      const rates = seen[`${workers}`]!;
      const beside = {
        peer: "no workers",
        peerValue: median(alone),
        ratio: median(rates.map((value, turn) => value / alone[turn]!)),
        // More threads than cores only take turns.
        goal: workers < availableParallelism() ? goal : undefined,
      };
      measured.push({
        name: `${name}, ${workers === 1 ? "1 worker" : `${workers} workers`}`,
        unit: "events/s",
        value: median(rates),
        ...(workers === 0 ? {} : beside),
        note: `the first thread works ${nsOf(workers)} ns an event`,
      });
    }
    measured.push({
      name: `${name}'s events, the log alone`,
      unit: "events/s",
      value: median(seen[`${LOG}`]!),
      peer: "no workers",
      peerValue: median(alone),
      ratio: median(seen[`${LOG}`]!.map((value, turn) => value / alone[turn]!)),
      note: `the first thread works ${nsOf(LOG)} ns an event`,
    });
  }
  measured.push({
    name: `arithmetic alone, ${GOALS.length} threads beside one`,
    unit: "times",
    value: median(cores),
    note: "so many cores were free",
  });
  return measured;
}

await present(measure);
