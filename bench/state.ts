/**
 * What state costs: memory, pauses, and a restart.
 *
 * - Bytes per row: a table of a million rows (int8 key, two int4, a text of 20 bytes of which there are 1,000) as the engine keeps it: row, versions, key
 *   index, texts; beside the raw values (8 + 4 + 4 + 20 bytes). Lower is better, so the ratio is raw / ours.
 * - Longest pause: the longest time for which the event loop did not turn while the flights were loaded with their ten views, and while
 *   one more view was built over them. A ticker of one millisecond measures it; beside it the same ticker in a process that does nothing
 *   but decode the same Parquet file.
 * - Restart: from open() to the first answer, from the checkpoint, with every departure and view of examples/flights.
 *
 *   node --conditions=evert-source bench/state.ts
 */
import * as app from "../examples/flights/app.ts";
import { loadHistory } from "../examples/flights/feed.ts";
import { departuresFrom } from "../examples/flights/parquet.ts";
import { type Db, int4, int8, open, table, text } from "../src/index.ts";
import { withDirectory } from "./directory.ts";
import { type Measured, present } from "./report.ts";

const ROWS = 1_000_000;
const COMMIT_ROWS = 10_000;
const RAW_BYTES = 8 + 4 + 4 + 20;

const accounts = table("accounts", {
  key: "id",
  schema: { id: int8, branch: int4, level: int4, city: text },
});

async function measure(): Promise<Measured[]> {
  const bytes = await withDirectory(bytesPerRow);
  const idle = await pauseDuring(decodeAll);
  return withDirectory(async (dir) => {
    const loading = await load(dir);
    const restart = await restartMs(dir);
    return [
      {
        name: "raw bytes of a row, of those kept",
        unit: "bytes",
        value: RAW_BYTES,
        peer: "kept",
        peerValue: bytes,
      },
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

async function bytesPerRow(dir: string): Promise<number> {
  const db = await open({ dir, topics: [accounts], views: [] });
  const before = stateBytes(db);
  for (let from = 0; from < ROWS; from += COMMIT_ROWS) {
    await db.append(
      accounts,
      Array.from({ length: COMMIT_ROWS }, (_, i) => {
        const id = from + i;
        return {
          id,
          branch: id % 977,
          level: id % 7,
          city: `city number ${String(id % 1000).padStart(8, "0")}`,
        };
      }),
    );
  }
  await db.settled();
  const bytes = (stateBytes(db) - before) / ROWS;
  await db.close();
  return bytes;
}

/** Of all rows, indexes and texts. */
function stateBytes(db: Db): number {
  return db.engine.stats().stateBytes;
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
    const { error } = await db.sql(
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
