/**
 * Orders joined with customers, grouped by region, summed and counted, kept current under inserts, changes and deletions.
 *
 * The number is events per second of the whole maintenance, in groups of 1,000 events, on one core: the engine's circuit, columns in, view
 * rows and their changes out. Beside it the same job by hand on typed arrays and on `Map`s, @tanstack/db-ivm, @electric-sql/d2ts,
 * and SQLite with triggers, in memory. All take the same events and must come to the same answer. db-ivm and d2ts become slower as
 * their state grows and are asked for the first part of the events only, which favours them; the rate is what is compared. The last number is the
 * same job as a program sees it: one durable commit for each group, the view read from the database.
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
import { type Measured, present, turns } from "./report.ts";

const EVENTS = 1_000_000;
const DB_IVM_EVENTS = 200_000;
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

  // The quick ones take turns, often: their ratio is the narrowest.
  const quick = await turns(8, {
    circuit: () => {
      const contender = new CircuitContender(workload, plan);
      return rateOf("circuit", EVENTS, right, contender, () => {
        for (const group of batches) contender.take(group);
      });
    },
    typed: () => handRate("typed arrays", TypedLoop, workload, right),
    maps: () => handRate("Map", MapLoop, workload, right),
  });
  const log = await turns(4, { log: () => logRate(workload, right) });
  const { sqlite } = await turns(2, {
    sqlite: () => handRate("SQLite", SqliteTriggers, workload, right),
  });
  const ivmPart = firstOf(workload, DB_IVM_EVENTS);
  const { ivm } = await turns(2, {
    ivm: () => handRate("db-ivm", DbIvm, ivmPart, rightAnswer(ivmPart)),
  });
  const d2Part = firstOf(workload, D2TS_EVENTS);
  const { d2 } = await turns(2, { d2: () => handRate("d2ts", D2ts, d2Part, rightAnswer(d2Part)) });

  const { circuit, typed, maps } = quick;
  const ivmName = `@tanstack/db-ivm, ${DB_IVM_EVENTS.toLocaleString("en")} events`;
  const d2Name = `@electric-sql/d2ts, ${D2TS_EVENTS.toLocaleString("en")} events`;
  return [
    beside("circuit", circuit, "typed arrays by hand", typed, 0.35),
    beside("typed arrays by hand", typed, "Map by hand", maps, 2.5),
    beside("circuit", circuit, ivmName, ivm, 30),
    beside("circuit", circuit, d2Name, d2, 60),
    beside("circuit", circuit, "SQLite triggers", sqlite, 5),
    beside("through log and disk", log.log, "circuit", circuit),
    beside("through log and disk", log.log, "typed arrays by hand", typed),
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
  const started = performance.now();
  run();
  const rate = (events * 1000) / (performance.now() - started);
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

function beside(name: string, value: number, peer: string, peerValue: number, goal?: number): Measured {
  return { name, unit: "events/s", value, peer, peerValue, goal };
}

await present(measure);
