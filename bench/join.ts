/**
 * Orders joined with customers, grouped by region, summed and counted, kept current under inserts, changes and deletions.
 *
 * The number is events per second of the whole maintenance, in groups of 1,000 events, on one core: the engine's circuit, columns in, view
 * rows and their changes out. Beside it the same job by hand on typed arrays and on `Map`s, @tanstack/db-ivm, @electric-sql/d2ts,
 * and SQLite with triggers, in memory. They must come to the same answer. The circuit and the loops take a million events; the slow peers, which would
 * need minutes, the first part of them, as their line says: db-ivm and d2ts become slower with every event, so that favours them. The last number is the same job as a program sees
 * it: one durable commit for each group, the view read from the database.
 *
 * All but the last are measured in processor time of the one thread they run on, and each takes turns with what it is compared with: the
 * numbers are medians over the rounds, and so are the ratios, each of one round. Every round makes a new circuit, whose generated code has to be
 * compiled again; the code of the others stays warm.
 *
 *   node --conditions=evert-source bench/join.ts
 */
import { open } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import {
  answerOf,
  appendCustomers,
  byRegion,
  CircuitContender,
  customers,
  groupBatches,
  orders,
  planned,
  throughLog,
} from "./join/engine.ts";
import { MapLoop } from "./join/map-loop.ts";
import { D2ts, DbIvm, SqliteTriggers } from "./join/peers.ts";
import { TypedLoop } from "./join/typed-loop.ts";
import {
  type Answer,
  checkAnswer,
  firstOf,
  type Group,
  makeWorkload,
  type Workload,
} from "./join/workload.ts";
import { type Measured, median, present, rounds, threadMs } from "./report.ts";

const EVENTS = 1_000_000;
/** Of slow peers. */
const SQLITE_EVENTS = 300_000;
const IVM_EVENTS = 200_000;
const D2TS_EVENTS = 100_000;

interface Contender {
  take(group: Group): void;
  answer(): Answer;
}

async function measure(): Promise<Measured[]> {
  const workload = makeWorkload(EVENTS);
  const plan = await planned();
  const batches = groupBatches(workload, plan);
  const right = rightAnswer(workload);

  const circuit = () => {
    const contender = new CircuitContender(workload, plan);
    return rateOf("circuit", EVENTS, right, contender, () => {
      for (const group of batches) contender.take(group);
    });
  };
  const typed = () => handRate("typed arrays", TypedLoop, workload, right);
  const maps = () => handRate("Map", MapLoop, workload, right);
  const log = () => logRate(workload, right);
  const part = (name: string, Maker: new (workload: Workload) => Contender, events: number) => {
    const first = firstOf(workload, events);
    const answer = rightAnswer(first);
    return () => handRate(name, Maker, first, answer);
  };
  const sqlite = part("SQLite", SqliteTriggers, SQLITE_EVENTS);
  const ivm = part("db-ivm", DbIvm, IVM_EVENTS);
  const d2 = part("d2ts", D2ts, D2TS_EVENTS);

  const quick = await rounds(9, { circuit, typed, maps });
  const withSqlite = await rounds(3, { circuit, sqlite });
  const withIvm = await rounds(2, { circuit, ivm });
  const withD2 = await rounds(2, { circuit, d2 });
  const withLog = await rounds(4, { circuit, typed, log });
  const of = (peer: string, events: number) => `${peer}, first ${events.toLocaleString("en")} events`;
  return [
    beside("circuit", quick.circuit, "typed arrays by hand", quick.typed, 0.35),
    beside("typed arrays by hand", quick.typed, "Map by hand", quick.maps, 2.5),
    beside("circuit", withIvm.circuit, of("@tanstack/db-ivm", IVM_EVENTS), withIvm.ivm, 30),
    beside("circuit", withD2.circuit, of("@electric-sql/d2ts", D2TS_EVENTS), withD2.d2, 60),
    beside("circuit", withSqlite.circuit, of("SQLite triggers", SQLITE_EVENTS), withSqlite.sqlite, 5),
    beside("through log and disk", withLog.log, "circuit", withLog.circuit),
    beside("through log and disk", withLog.log, "typed arrays by hand", withLog.typed),
  ];
}

function rightAnswer(workload: Workload): Answer {
  const loop = new MapLoop(workload);
  for (const group of workload.groups) loop.take(group);
  return loop.answer();
}

function handRate(
  name: string,
  Maker: new (workload: Workload) => Contender,
  workload: Workload,
  right: Answer,
): number {
  const contender = new Maker(workload);
  return rateOf(name, workload.events, right, contender, () => {
    for (const group of workload.groups) contender.take(group);
  });
}

function rateOf(
  name: string,
  events: number,
  right: Answer,
  contender: { answer(): Answer },
  run: () => void,
) {
  const started = threadMs();
  run();
  const rate = (events * 1000) / (threadMs() - started);
  checkAnswer(name, contender.answer(), right);
  return rate;
}

function logRate(workload: Workload, right: Answer): Promise<number> {
  return withDirectory(async (dir) => {
    await using db = await open({ dir, topics: [orders, customers], views: [byRegion] });
    await appendCustomers(db, workload);
    const started = performance.now();
    await throughLog(db, workload);
    const rate = (EVENTS * 1000) / (performance.now() - started);
    checkAnswer("through the log", await answerOf(db), right);
    return rate;
  });
}

function beside(
  name: string,
  values: readonly number[],
  peer: string,
  peerValues: readonly number[],
  goal?: number,
): Measured {
  const ratio = median(values.map((value, round) => value / peerValues[round]!));
  return { name, unit: "events/s", value: median(values), peer, peerValue: median(peerValues), ratio, goal };
}

await present(measure);
