/**
 * Some of Nexmark's queries beside other engines: events per second of one core, on the same events, in the same run.
 *
 * The number is the engine's circuit as in bench/nexmark.ts ("from memory": rounds of 1,000 events, each one step, the answer kept as rows). Beside it,
 * each with as many events as fit its pace, the same number for both sides:
 *
 * - Feldera's dbsp (peers/dbsp), one worker thread, a round a transaction: q0, q3, q4, q7, q18. It gives the changes of the answer and keeps no rows of it.
 * - Kafka Streams (peers/kafka-streams) in its TopologyTestDriver, in memory: q0, and q3 and q4 as joins of a stream with a table.
 * - SQLite under triggers, @tanstack/db-ivm and @electric-sql/d2ts, in memory (nexmark/library-peers.ts): q3 and q4. Their rows are objects made before
 *   the clock starts. Of the libraries the second number is of few events, as they become slower with each, which favours them.
 * - PostgreSQL, REFRESH MATERIALIZED VIEW after each round: the round's 1,000 events by the time of COPY and REFRESH once all events are there. A server on
 *   loopback, or PGlite where it is not installed.
 *
 * First every peer takes 20,000 events, and its whole answer is compared with the engine's, as the engine's is with PostgreSQL's; one that differs ends
 * the bench. Then it is timed by the wall clock, which takes the peer's whole machinery into account: medians over several turns after one that
 * only warms up. A peer that is not on this machine is named as absent.
 *
 *   node --conditions=evert-source bench/nexmark-peers.ts [--events 500000] [q3 q4 …]
 */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { withDirectory } from "./directory.ts";
import { CircuitContender, openNexmark, type Planned, planned } from "./nexmark/engine.ts";
import { writeEvents } from "./nexmark/event-file.ts";
import { nexmark, type Round } from "./nexmark/events.ts";
import { JudgeTables } from "./nexmark/judge.ts";
import { D2ts, DbIvm, type LibraryJob, type LibraryPeer, SqliteTriggers } from "./nexmark/library-peers.ts";
import { averageText } from "./nexmark/loops.ts";
import { type NexmarkQuery, queries } from "./nexmark/queries.ts";
import { rowRound } from "./nexmark/row-rounds.ts";
import { PeerAbsent, peerOrAbsent } from "./peers/peer.ts";
import { openPglite } from "./peers/pglite.ts";
import { openPostgres } from "./peers/postgres.ts";
import { dbsp, kafkaStreams, type Program, runProgram } from "./peers/programs.ts";
import type { SqlPeer } from "./peers/sql.ts";
import { type Measured, median, present } from "./report.ts";

const JUDGED_EVENTS = 20_000;
const TURNS = 3;
const LIBRARY_EVENTS = 20_000;
const SQLITE_EVENTS = 50_000;
const KAFKA_EVENTS = 100_000;
const REFRESHED_EVENTS = 100_000;
const UNIT = "events/s";

const { values, positionals } = parseArgs({
  options: { events: { type: "string", default: "500000" } },
  allowPositionals: true,
});
const events = Number(values.events);

interface Beside {
  readonly program: Program;
  readonly jobs: readonly string[];
  readonly events: number;
}

const programs: readonly Beside[] = [
  { program: dbsp, jobs: ["q0", "q3", "q4", "q7", "q18"], events },
  { program: kafkaStreams, jobs: ["q0", "q3", "q4"], events: Math.min(events, KAFKA_EVENTS) },
];
const libraries = [
  { name: "SQLite triggers", Peer: SqliteTriggers, events: SQLITE_EVENTS },
  { name: "@tanstack/db-ivm", Peer: DbIvm, events: LIBRARY_EVENTS },
  { name: "@electric-sql/d2ts", Peer: D2ts, events: LIBRARY_EVENTS },
];
const refreshed = ["q3", "q4", "q7"];

const wanted = queries.filter(
  ({ name }) => programs[0]!.jobs.includes(name) && (positionals.length === 0 || positionals.includes(name)),
);

class Bench {
  readonly #dir: string;
  readonly #plans: ReadonlyMap<string, Planned>;
  readonly #judged = [...nexmark(JUDGED_EVENTS)];
  /** By their number of events. */
  readonly #timed = new Map<number, { readonly rounds: readonly Round[]; readonly file: string }>();

  private constructor(dir: string, plans: ReadonlyMap<string, Planned>) {
    this.#dir = dir;
    this.#plans = plans;
  }

  static async open(dir: string): Promise<Bench> {
    await using db = await openNexmark(join(dir, "db"));
    const plans = new Map<string, Planned>();
    for (const query of wanted) plans.set(query.name, await planned(db, query));
    const bench = new Bench(dir, plans);
    for (const count of new Set([JUDGED_EVENTS, ...programs.map((p) => p.events)])) {
      const rounds = [...nexmark(count)];
      const file = join(dir, `events-${count}`);
      await writeEvents(file, rounds);
      bench.#timed.set(count, { rounds, file });
    }
    return bench;
  }

  async beside({ program, events: count }: Beside, job: string): Promise<Measured> {
    const dir = this.#dir;
    try {
      const { answer } = await runProgram(program, {
        events: this.#timed.get(JUDGED_EVENTS)!.file,
        job,
        turns: 1,
        dir,
      });
      this.#judge(program.name, job, answer);
      const { rounds, file } = this.#timed.get(count)!;
      const peer = await runProgram(program, { events: file, job, turns: TURNS + 1, dir });
      const { rate, rows } = this.#engine(job, rounds);
      if (peer.answer.length !== rows)
        throw new Error(`${job} in ${program.name}: ${peer.answer.length} rows for ${rows}`);
      return this.#measured(job, rate, program.name, median(peer.rates.slice(1)), count);
    } catch (error) {
      if (!(error instanceof PeerAbsent)) throw error;
      return { name: `${job} in ${program.name}`, unit: UNIT, value: null, note: `absent: ${error.message}` };
    }
  }

  library(name: string, job: LibraryJob, make: () => LibraryPeer, count: number): Measured {
    const judged = make();
    for (const round of this.#judged) judged.take(rowRound(round));
    this.#judge(name, job, judged.rows());
    const rounds = [...nexmark(count)];
    const given = rounds.map(rowRound);
    const rates = Array.from({ length: TURNS }, () => {
      const peer = make();
      return rateOf(count, () => {
        for (const round of given) peer.take(round);
      });
    });
    return this.#measured(job, this.#engine(job, rounds).rate, name, median(rates), count);
  }

  /** @throws where the answers differ */
  async refresh(peer: SqlPeer, { name, sql }: NexmarkQuery): Promise<Measured> {
    const tables = new JudgeTables(peer);
    await tables.create();
    await tables.take(this.#judged);
    this.#judge(peer.name, name, this.#lines(name, await peer.rows(sql)));
    await tables.empty();
    const rounds = [...nexmark(REFRESHED_EVENTS)];
    await tables.take(rounds.slice(0, -TURNS));
    await peer.run(`CREATE MATERIALIZED VIEW answer AS ${sql}`);
    const rates: number[] = [];
    for (const round of rounds.slice(-TURNS)) {
      const started = performance.now();
      await tables.take([round]);
      await peer.run("REFRESH MATERIALIZED VIEW answer");
      rates.push((round.events * 1000) / (performance.now() - started));
    }
    await peer.run("DROP MATERIALIZED VIEW answer");
    await tables.drop();
    const { rate } = this.#engine(name, rounds);
    return this.#measured(name, rate, `${peer.name}'s full refresh`, median(rates), REFRESHED_EVENTS);
  }

  #engine(job: string, rounds: readonly Round[]): { readonly rate: number; readonly rows: number } {
    const count = rounds.reduce((sum, round) => sum + round.events, 0);
    let rows = 0;
    const rates = Array.from({ length: TURNS + 1 }, () => {
      const contender = new CircuitContender(this.#plans.get(job)!);
      const rate = rateOf(count, () => {
        for (const round of rounds) contender.take(round);
      });
      contender.check();
      rows = contender.rows().length;
      return rate;
    });
    return { rate: median(rates.slice(1)), rows };
  }

  /** @throws where the peer's answer to the first events is not the engine's */
  #judge(peer: string, job: string, answer: readonly string[]): void {
    const contender = new CircuitContender(this.#plans.get(job)!);
    for (const round of this.#judged) contender.take(round);
    contender.check();
    const right = contender.rows().sort();
    const theirs = answer.map((line) => (job === "q4" ? withAverage(line) : line)).sort();
    const wrong = right.findIndex((line, i) => line !== theirs[i]);
    if (right.length !== theirs.length || wrong >= 0)
      throw new Error(
        `${job} in ${peer} is not the engine's answer: ${theirs[wrong]} for ${right[wrong]}, ${theirs.length} rows for ${right.length}`,
      );
  }

  /** PostgreSQL's rows as the engine's lines. */
  #lines(job: string, rows: readonly (readonly (string | null)[])[]): string[] {
    const { fields } = this.#plans.get(job)!.plan.schema;
    return rows.map((row) =>
      row.map((value, c) => (fields[c]!.type.name === "timestamp" ? microseconds(value!) : value)).join("|"),
    );
  }

  #measured(job: string, value: number, peer: string, peerValue: number, count: number): Measured {
    return { name: job, unit: UNIT, value, peer, peerValue, note: `${count.toLocaleString("en")} events` };
  }
}

/** To as many digits as the engine's line has. */
function withAverage(line: string): string {
  const [category, average] = line.split("|");
  return `${category}|${averageText(Number(average))}`;
}

function microseconds(timestamp: string): string {
  const [whole, fraction = ""] = timestamp.split(".");
  return String(Date.parse(`${whole!.replace(" ", "T")}Z`) * 1000 + Number(fraction.padEnd(6, "0")));
}

function rateOf(count: number, run: () => void): number {
  const started = performance.now();
  run();
  return (count * 1000) / (performance.now() - started);
}

async function measure(): Promise<Measured[]> {
  return withDirectory(async (dir) => {
    const bench = await Bench.open(dir);
    const measured: Measured[] = [];
    for (const { name } of wanted)
      for (const beside of programs)
        if (beside.jobs.includes(name)) measured.push(await bench.beside(beside, name));
    for (const { name } of wanted) {
      if (name !== "q3" && name !== "q4") continue;
      for (const { name: peer, Peer, events: count } of libraries)
        measured.push(bench.library(peer, name, () => new Peer(name), count));
    }
    const server = await peerOrAbsent("PostgreSQL (PGlite is measured instead)", UNIT, openPostgres);
    const postgres = server.peer ?? (await openPglite());
    try {
      for (const query of wanted)
        if (refreshed.includes(query.name)) measured.push(await bench.refresh(postgres, query));
    } finally {
      await postgres.close();
    }
    return [...measured, ...server.absent];
  });
}

await present(measure);
