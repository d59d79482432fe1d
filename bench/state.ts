/**
 * What state costs: memory, pauses, and a restart.
 *
 * With ten million keyed rows (`--rows` for another number), in a process of their own (state/process.ts), beside a view that counts them by branch:
 *
 * - Rows are made by another thread (state/making.ts): no turn counts what that takes.
 * - Bytes per row: int8 key, two int4, a text of 20 bytes of which there are 1,000, as the engine keeps it: row, versions, key index, texts; beside the
 *   raw values (8 + 4 + 4 + 20 bytes). Then with a text of its own for each row.
 * - The longest garbage collection, by the clock, and the longest turn of the event loop, by processor time, while they were loaded.
 * - Checkpoints: of everything, and after one row in a hundred has changed: bytes, time, the longest turn. Changes a second while one checkpoint
 *   follows another every second (as a database opens it is every five), beside changes a second without any, the mean of before and after.
 * - Restart after a kill: from open() to the first answer, when the log holds a hundredth of the rows' changes more than the checkpoint, and until these
 *   are reflected too. The process is new: that it compiles its code is counted.
 *
 * With the flights of examples/flights:
 *
 * - Longest pause: the longest time for which the event loop did not turn while the flights were loaded with their ten views, and while
 *   one more view was built over them. A ticker of one millisecond measures it; beside it the same ticker in a process that does nothing
 *   but decode the same Parquet file.
 * - Restart: from open() to the first answer, from the checkpoint, with every departure and view of examples/flights.
 *
 *   node --conditions=evert-source bench/state.ts [--rows 10000000]
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as app from "../examples/flights/app.ts";
import { loadHistory } from "../examples/flights/feed.ts";
import { departuresFrom } from "../examples/flights/parquet.ts";
import { type Db, open } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, present } from "./report.ts";
import { RAW_BYTES } from "./state/accounts.ts";
import type { Opened, Report } from "./state/process.ts";

const { values: flags } = parseArgs({ options: { rows: { type: "string", default: "10000000" } } });
const ROWS = Number(flags.rows);

async function measure(): Promise<Measured[]> {
  return [...(await keyedRows()), ...(await flights())];
}

async function keyedRows(): Promise<Measured[]> {
  const { report, opened } = await withDirectory(async (dir) => {
    const made = await told<Report>(dir, "load");
    return { report: made, opened: await told<Opened>(dir, "open") };
  });
  const { loaded, ownTextBytes, whole, part, changing } = report;
  const name = `${(ROWS / 1e6).toLocaleString("en")} M rows`;
  const kept = { unit: "times the raw bytes" };
  const turn = { unit: "ms", most: 10 };
  return [
    { name: `${name}: bytes kept`, ...kept, value: loaded.bytesPerRow / RAW_BYTES, most: 1.5 },
    { name: "the same, with a text of its own in each", ...kept, value: ownTextBytes / RAW_BYTES },
    { name: `${name}: loading`, unit: "rows/s", value: loaded.rowsPerSecond },
    { name: "longest garbage collection while loading", unit: "ms", value: loaded.gcMs, most: 20 },
    { name: "longest turn while loading", value: loaded.turnMs, ...turn },
    { name: `${name}: first checkpoint`, unit: "ms", value: whole.ms },
    { name: "written", unit: "MB", value: whole.bytes / 1e6 },
    { name: "longest turn", value: whole.turnMs, ...turn },
    { name: `${name}: checkpoint after 1 % changed`, unit: "ms", value: part.ms },
    {
      name: "written",
      unit: "MB",
      value: part.bytes / 1e6,
      peer: "first checkpoint",
      peerValue: whole.bytes / 1e6,
    },
    { name: "longest turn", value: part.turnMs, ...turn },
    {
      name: `${name}: changes while checkpoints are taken`,
      unit: "changes/s",
      value: changing.with,
      peer: "without",
      peerValue: changing.without,
      goal: 0.9,
    },
    { name: "longest turn", value: changing.turnMs, ...turn },
    {
      name: `${name}: restart after a kill, open() to the first answer`,
      unit: "ms",
      value: opened.firstAnswerMs,
      most: 3000,
    },
    { name: "processor time of the process until then", unit: "ms", value: opened.processorMs },
    { name: "until all of the log is reflected", unit: "ms", value: opened.caughtUpMs },
  ];
}

/** What a process that does this with the directory tells. It is killed then, as by a crash. */
async function told<T>(dir: string, mode: "load" | "open"): Promise<T> {
  const child = fork(join(import.meta.dirname, "state", "process.ts"), [dir, String(ROWS), mode], {
    execArgv: ["--conditions=evert-source"],
  });
  const exited = once(child, "exit");
  const first = await Promise.race([once(child, "message"), exited.then(() => null)]);
  if (first === null) throw new Error("bench/state/process.ts failed");
  child.kill("SIGKILL");
  await exited;
  return first[0] as T;
}

async function flights(): Promise<Measured[]> {
  const idle = await pauseDuring(decodeAll);
  return withDirectory(async (dir) => {
    const loading = await load(dir);
    const restart = await restartMs(dir);
    return [
      {
        name: "longest pause, flights loading",
        unit: "ms",
        value: loading.pause,
        peer: "decoding alone",
        peerValue: idle,
      },
      { name: "longest pause, a view being built", unit: "ms", value: restart.pause },
      { name: "departures in the log", unit: "rows", value: loading.rows },
      { name: "restart, open() to the first answer", unit: "ms", value: restart.ms, most: 3000 },
    ];
  });
}

async function load(dir: string): Promise<{ pause: number; rows: number }> {
  const db = await openFlights(dir);
  let rows = 0;
  const pause = await pauseDuring(async () => {
    rows = await loadHistory(db, { rows: undefined, signal: new AbortController().signal }, () => {});
  });
  await db.close();
  return { pause, rows };
}

async function restartMs(dir: string): Promise<{ ms: number; pause: number }> {
  const started = performance.now();
  const db = await openFlights(dir);
  await db.view(app.totals).rows();
  const ms = performance.now() - started;
  const pause = await pauseDuring(async () => {
    const { error } = await db.engine.sql(
      "CREATE MATERIALIZED VIEW by_state AS SELECT a.state, count(*) AS n FROM flown f JOIN airports a ON a.iata = f.destination GROUP BY a.state",
    );
    if (error !== undefined) throw new Error(error.message);
    await db.engine.built();
  });
  await db.close();
  return { ms, pause };
}

function openFlights(dir: string): Promise<Db> {
  const { departures, takebacks, airports, replay, loading } = app;
  const { flown, airportTraffic, worstRoutes, hourlyTraffic, delayHistogram } = app;
  const { onTimeByDistance, latestDepartures, totals, loadProgress, loadedRows } = app;
  return open({
    dir,
    topics: [departures, takebacks, airports, replay, loading],
    views: [
      flown,
      airportTraffic,
      worstRoutes,
      hourlyTraffic,
      delayHistogram,
      onTimeByDistance,
      latestDepartures,
      totals,
      loadProgress,
      loadedRows,
    ],
  });
}

async function decodeAll(): Promise<void> {
  let rows = 0;
  for await (const block of departuresFrom(0)) rows += block.rows;
  if (rows === 0) throw new Error("there are no departures");
}

/** Milliseconds for which the event loop did not turn, at most, while `work` went on. */
async function pauseDuring(work: () => Promise<void>): Promise<number> {
  let longest = 0;
  let last = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    longest = Math.max(longest, now - last - 1);
    last = now;
  }, 1);
  await work();
  clearInterval(timer);
  return longest;
}

await present(measure);
