/**
 * Orders joined with customers, grouped by region, summed and counted, kept current under inserts, changes and deletions.
 *
 * The number is events per second of the whole maintenance, in groups of 1,000 events, on one core. Beside the engine's circuit
 * (columns in, view rows and their changes out): the same job by hand on typed arrays and on `Map`s, @tanstack/db-ivm,
 * @electric-sql/d2ts, and SQLite with triggers. All take the same events and must come to the same answer. The slow ones take fewer
 * of them, which favours them: their state stays smaller. The last number is the same job through the whole database, log and disk included.
 */
import { open } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import {
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
import { best, type Measured, ratioOf } from "./report.ts";

const EVENTS = 1_000_000;
const REPEAT = 3;

interface Contender {
  take(group: Group): void;
  answer(): Answer;
}

export async function benchJoin(): Promise<Measured[]> {
  const workload = makeWorkload(EVENTS);
  const plan = await planned();
  const batches = groupBatches(workload, plan);
  const right = answerOf(MapLoop, workload);

  const circuit = await best(REPEAT, () => {
    const contender = new CircuitContender(workload, plan);
    const started = performance.now();
    for (const group of batches) contender.take(group);
    const rate = (EVENTS * 1000) / (performance.now() - started);
    checkAnswer("circuit", contender.answer(), right);
    return rate;
  });
  const typed = await rateOf("typed arrays", TypedLoop, workload);
  const maps = await rateOf("Map", MapLoop, workload);
  const measured: Measured[] = [
    beside("orders ⋈ customers, circuit", circuit, "typed arrays by hand", typed, 0.35),
    beside("the hand-written loop itself", typed, "on Map", maps, 2.5),
    beside(
      "circuit",
      circuit,
      "@tanstack/db-ivm",
      await rateOf("db-ivm", DbIvm, firstOf(workload, 50_000)),
      30,
    ),
    beside(
      "circuit",
      circuit,
      "@electric-sql/d2ts",
      await rateOf("d2ts", D2ts, firstOf(workload, 20_000)),
      60,
    ),
    beside(
      "circuit",
      circuit,
      "SQLite triggers",
      await rateOf("SQLite", SqliteTriggers, firstOf(workload, 300_000)),
      5,
    ),
  ];
  const logged = await best(2, () =>
    withDirectory(async (dir) => {
      await using db = await open({
        dir,
        topics: [orders, customers],
        views: [byRegion],
        checkpointIntervalMs: 0,
      });
      await appendCustomers(db, workload);
      const started = performance.now();
      await throughLog(db, workload);
      return (EVENTS * 1000) / (performance.now() - started);
    }),
  );
  measured.push({ ...beside("through log and disk", logged, "circuit", circuit), goal: undefined });
  return measured;
}

type Maker = new (workload: Workload) => Contender;

function rateOf(name: string, Maker: Maker, workload: Workload): Promise<number> {
  const right = answerOf(MapLoop, workload);
  return best(REPEAT, () => {
    const contender = new Maker(workload);
    const started = performance.now();
    for (const group of workload.groups) contender.take(group);
    const rate = (workload.events * 1000) / (performance.now() - started);
    checkAnswer(name, contender.answer(), right);
    return rate;
  });
}

function answerOf(Maker: Maker, workload: Workload): Answer {
  const contender = new Maker(workload);
  for (const group of workload.groups) contender.take(group);
  return contender.answer();
}

function beside(name: string, value: number, peer: string, peerValue: number, goal?: number): Measured {
  return { name, unit: "events/s", value, peer, peerValue, ratio: ratioOf(value, peerValue), goal };
}
