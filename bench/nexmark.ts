/**
 * Nexmark, q0 to q22, on one core: events per second.
 *
 * First each query is a view over the first 20,000 events and is compared with PostgreSQL's answer (PGlite) at two cuts; a query that differs ends the
 * bench. Then, for each query by itself:
 *
 * - "from memory": rounds of 1,000 events, each one step of a circuit with this view alone. Batches are made before the clock starts; in it are
 *   columns to chunks, operators, the view's rows with their indexes, and what of them has changed. The answers of q0 to q2 are kept as rows, too.
 * - "from the log": the same rounds as durable commits, 16 of them under way at once, up to the view showing them all.
 *
 * The number of events counts all of them, people, auctions and bids, also for a query that reads one topic: so it is told elsewhere.
 * Beside it stands what was published for Flink on one core of another machine; it is a mark to aim at and no comparison.
 *
 *   node --conditions=evert-source bench/nexmark.ts [--events 1000000] [q3 q4 …]
 */
import { parseArgs } from "node:util";
import { withDirectory } from "./directory.ts";
import { CircuitContender, defineView, openNexmark, planned, throughLog } from "./nexmark/engine.ts";
import { nexmark, type Round } from "./nexmark/events.ts";
import { Judge, sortedRows } from "./nexmark/judge.ts";
import { type NexmarkQuery, queries } from "./nexmark/queries.ts";
import { type Measured, present } from "./report.ts";

const JUDGED_EVENTS = 20_000;

const { values, positionals } = parseArgs({
  options: { events: { type: "string", default: "500000" } },
  allowPositionals: true,
});
const events = Number(values.events);
const wanted = queries.filter(({ name }) => positionals.length === 0 || positionals.includes(name));

async function measure(): Promise<Measured[]> {
  await withDirectory(verify);
  const rounds = [...nexmark(events)];
  const measured: Measured[] = [];
  for (const query of wanted) {
    const memory = await withDirectory((dir) => fromMemory(dir, query, rounds));
    const log = await withDirectory((dir) => fromLog(dir, query, rounds));
    const mib = (memory.stateBytes / 2 ** 20).toFixed(0);
    measured.push({
      name: `${query.name} from memory`,
      unit: "events/s",
      value: memory.rate,
      ...(query.flink === undefined ? {} : { peer: "published for Flink", peerValue: query.flink, goal: 3 }),
      note: `${mib} MiB of state, longest step ${memory.longestStepMs.toFixed(0)} ms`,
    });
    measured.push({
      name: `${query.name} from the log`,
      unit: "events/s",
      value: log,
      peer: "from memory",
      peerValue: memory.rate,
    });
  }
  const ratios = measured.filter((m) => m.goal !== undefined).map((m) => (m.value ?? 0) / (m.peerValue ?? 1));
  if (ratios.length === 0) return measured;
  const mean = Math.exp(ratios.reduce((sum, ratio) => sum + Math.log(ratio), 0) / ratios.length);
  return [...measured, { name: "geometric mean over Flink's", unit: "times", value: mean, least: 10 }];
}

/** @throws where a view and PostgreSQL differ */
async function verify(dir: string): Promise<void> {
  const db = await openNexmark(dir);
  const judge = await Judge.open();
  try {
    for (const query of wanted) await defineView(db, query);
    const rounds = [...nexmark(JUDGED_EVENTS)];
    const half = rounds.length / 2;
    for (const part of [rounds.slice(0, half), rounds.slice(half)]) {
      await throughLog(db, part);
      await judge.take(part);
      for (const { name, sql } of wanted) {
        const { results, error } = await db.sql(`SELECT * FROM ${name}`);
        if (error !== undefined) throw new Error(`${name}: ${error.message}`);
        const ours = sortedRows(results[0]!.rowsText());
        const theirs = await judge.answer(sql);
        const wrong = ours.findIndex((row, i) => row !== theirs[i]);
        if (ours.length !== theirs.length || wrong >= 0)
          throw new Error(
            `${name} is not PostgreSQL's answer: ${ours[wrong]} for ${theirs[wrong]}, ${ours.length} rows for ${theirs.length}`,
          );
      }
    }
  } finally {
    await judge.close();
    await db.close();
  }
}

async function fromMemory(dir: string, query: NexmarkQuery, rounds: readonly Round[]) {
  const db = await openNexmark(dir);
  const plan = await planned(db, query);
  await db.close();
  const contender = new CircuitContender(plan);
  const rate = await timed(() => {
    for (const round of rounds) contender.take(round);
  });
  contender.check();
  return { rate, stateBytes: contender.stateBytes, longestStepMs: contender.longestStepMs };
}

async function fromLog(dir: string, query: NexmarkQuery, rounds: readonly Round[]): Promise<number> {
  const db = await openNexmark(dir);
  await defineView(db, query);
  const rate = await timed(() => throughLog(db, rounds));
  const failure = db.engine.viewFailure(query.name);
  if (failure !== null) throw failure;
  await db.close();
  return rate;
}

async function timed(run: () => Promise<void> | void): Promise<number> {
  const started = performance.now();
  await run();
  return (events * 1000) / (performance.now() - started);
}

await present(measure);
