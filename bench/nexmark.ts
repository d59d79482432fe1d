/**
 * Nexmark, q0 to q22, on one core: events per second.
 *
 * First each query is a view over the first 20,000 events and is compared with PostgreSQL's answer (PGlite) at two cuts; a query that differs ends the
 * bench. Then, for each query by itself:
 *
 * - "from memory": rounds of 1,000 events, each one step of a circuit with this view alone. Batches are made before the clock starts; in it are
 *   columns to chunks, operators, the view's rows with their indexes, and what of them has changed. The answers of q0 to q2 are kept as rows, too.
 *   The median of three circuits.
 * - "from the log": the same rounds as durable commits, 16 of them under way at once, up to the view showing them all.
 *
 * q3, q4, q7 and q18 have their bound beside them: the same job by hand (nexmark/loops.ts), and that again beside its form on `Map`s. There the
 * number is records per second, of the topics that the query reads and no others: four million of them, in rounds of 1,000, each round one step that leaves the
 * whole answer and what of it has changed. It is processor time of the one thread, medians over turns; answers and numbers of changes are compared.
 * What the collector does on threads of its own is not in it, which favours the `Map`s. Each turn of each contender is a process of its own, which finds
 * its rounds in a file, so that none has another's compiled code or memory.
 *
 * Why four million: a database runs for hours, and what it can keep up is to be measured. 600,000 records take 150 ms, of which a tenth to a third is
 * code that V8 has not compiled yet and, for all, tables that are still in a core's cache, with no more than a collection or two: the ratios moved with the size (docs/decisions/0040)
 * and stay where they are from two to four million on.
 *
 * The number of events counts all of them, people, auctions and bids, also for a query that reads one topic
 * (so it is told elsewhere), but for the loops by hand.
 * Beside it stands what was published for Flink on one core of another machine; it is a mark to aim at and no comparison.
 *
 *   node --conditions=evert-source bench/nexmark.ts [--events 1000000] [--records 4000000] [q3 q4 …]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withDirectory } from "./directory.ts";
import { contend, type Task } from "./nexmark/contend.ts";
import {
  CircuitContender,
  defineView,
  openNexmark,
  type Planned,
  planned,
  throughLog,
} from "./nexmark/engine.ts";
import { nexmark, type Round } from "./nexmark/events.ts";
import { Judge, sortedRows } from "./nexmark/judge.ts";
import { HAND_QUERIES } from "./nexmark/loops.ts";
import { type NexmarkQuery, queries } from "./nexmark/queries.ts";
import { writeRounds } from "./nexmark/round-file.ts";
import { geometricMean, rounds as inTurns, type Measured, median, present } from "./report.ts";

const JUDGED_EVENTS = 20_000;
const FLINK = "published for Flink";
/** Each with a circuit of its own, whose code is compiled anew. */
const MEMORY_TURNS = 3;
const TURNS = 3;

const { values, positionals } = parseArgs({
  options: {
    events: { type: "string", default: "300000" },
    records: { type: "string", default: "4000000" },
  },
  allowPositionals: true,
});
const events = Number(values.events);
/** For the loops by hand. */
const records = Number(values.records);
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
      ...(query.flink === undefined ? {} : { peer: FLINK, peerValue: query.flink, goal: 3 }),
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
  rounds.length = 0;
  measured.push(...(await besideLoops()));
  const ratios = measured.filter((m) => m.peer === FLINK).map((m) => (m.value ?? 0) / (m.peerValue ?? 1));
  if (ratios.length === 0) return measured;
  const mean = geometricMean(ratios);
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
        const { results, error } = await db.engine.sql(`SELECT * FROM ${name}`);
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
  const plan = await planIn(dir, query);
  const rates: number[] = [];
  const longest: number[] = [];
  let stateBytes = 0;
  for (let turn = 0; turn < MEMORY_TURNS; turn++) {
    const contender = new CircuitContender(plan);
    const rate = await timed(() => {
      for (const round of rounds) contender.take(round);
    });
    contender.check();
    rates.push(rate);
    longest.push(contender.longestStepMs);
    stateBytes = contender.stateBytes;
  }
  return { rate: median(rates), stateBytes, longestStepMs: median(longest) };
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

/** Queries from memory and by hand, in turns; all must come to the same answer by the same number of changes. */
async function besideLoops(): Promise<Measured[]> {
  const measured: Measured[] = [];
  for (const query of wanted) {
    const topics = HAND_QUERIES[query.name];
    if (topics === undefined) continue;
    const seen = await withDirectory(async (dir) => {
      const plan = await planIn(join(dir, "database"), query);
      const path = join(dir, "rounds");
      await writeRounds(path, nexmark(records, topics));
      const answers = new Set<string>();
      const rate = (contender: Task["contender"]) => async () => {
        const { ms, answer } = await contend({ query: query.name, contender, path, planned: plan });
        answers.add(answer);
        return (records * 1000) / ms;
      };
      const rates = await inTurns(TURNS, {
        engine: rate("engine"),
        typed: rate("typed"),
        maps: rate("maps"),
      });
      if (answers.size > 1)
        throw new Error(`${query.name} by hand has another answer: ${[...answers].join("; ")}`);
      return rates;
    });
    measured.push(
      beside(query.name, seen.engine, "typed arrays by hand", seen.typed, 0.5),
      beside(`${query.name} on typed arrays by hand`, seen.typed, "Map by hand", seen.maps, 2.5),
    );
  }
  return measured;
}

async function planIn(dir: string, query: NexmarkQuery): Promise<Planned> {
  await using db = await openNexmark(dir);
  return await planned(db, query);
}

function beside(
  name: string,
  values: readonly number[],
  peer: string,
  peerValues: readonly number[],
  goal: number,
): Measured {
  const ratio = median(values.map((value, turn) => value / peerValues[turn]!));
  return { name, unit: "records/s", value: median(values), peer, peerValue: median(peerValues), ratio, goal };
}

async function timed(run: () => Promise<void> | void): Promise<number> {
  const started = performance.now();
  await run();
  return (events * 1000) / (performance.now() - started);
}

await present(measure);
