/**
 * The main job, end to end: `npm start`.
 *
 * Opens a database, serves it and the page, and appends three million real departures to it while the page is watching. The last month is held
 * back and replayed at the pace the page sets. Started again, it goes on where it was.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { parse } from "csv-parse/sync";
import { type Db, open } from "../../src/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import * as app from "./app.ts";
import { buildPage } from "./page/build.ts";
import { type ColumnBlock, datasets, departuresFrom, firstRowOfJune, toBatch } from "./parquet.ts";

const { values: options } = parseArgs({
  options: {
    data: { type: "string", default: "evert-data/flights" },
    port: { type: "string", default: "7400" },
    host: { type: "string", default: "127.0.0.1" },
  },
});

const TOTAL = 3_000_000;
const PROGRESS_MS = 200;
const REPLAY_TICK_MS = 50;

const started = performance.now();
const [db, staticDir] = await Promise.all([openDatabase(), buildPage()]);
const server = await createHttpServer(db.engine, {
  host: options.host,
  port: Number(options.port),
  staticDir,
});
console.log(`evert listening on ${server.url}`);

const stopping = new AbortController();
let stopped: Promise<void> | null = null;
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop());

try {
  await load();
  await replayForEver();
} catch (error) {
  if (!stopping.signal.aborted) {
    console.error(error);
    process.exitCode = 1;
    await stop();
  }
}
await stopped;

function openDatabase(): Promise<Db> {
  return open({
    dir: options.data,
    topics: [app.departures, app.takebacks, app.airports, app.replay, app.loading],
    views: [
      app.flown,
      app.airportTraffic,
      app.worstRoutes,
      app.hourlyTraffic,
      app.delayHistogram,
      app.onTimeByDistance,
      app.latestDepartures,
      app.totals,
      app.loadProgress,
      app.loadedRows,
    ],
    report: (message) => console.error(message),
  });
}

/** Everything before the last month, as fast as it goes. */
async function load(): Promise<void> {
  const { engine } = db;
  if (engine.topic("airports").records === 0) {
    await db.append(app.airports, await readAirports());
    await db.append(app.replay, { id: 1, pace: 100, paused: false });
  }
  const first = await nextRow();
  const bar = progressBar();
  bar?.start(TOTAL, first, { rate: "0", views: engine.views().length });
  const schema = engine.topic("departures").schema;
  let loaded = first;
  let reported = 0;
  let reportedAt = performance.now();
  const report = async (finished: boolean): Promise<void> => {
    const now = performance.now();
    const rate = now > reportedAt ? ((loaded - reported) * 1000) / (now - reportedAt) : 0;
    reported = loaded;
    reportedAt = now;
    bar?.update(loaded, { rate: Math.round(rate).toLocaleString("en"), views: engine.views().length });
    await db.append(app.loading, {
      id: 1,
      loaded,
      total: TOTAL,
      finished,
      events_per_second: Math.round(rate),
      views: engine.views().length,
    });
  };
  reported = first;
  let appended: Promise<unknown> = Promise.resolve();
  for await (const block of departuresFrom(first)) {
    if (stopping.signal.aborted) return;
    const history = firstRowOfJune(block);
    // One commit is being made durable while the next block is on its way.
    await appended;
    if (history > 0) appended = engine.appendBatch("departures", toBatch(schema, block, 0, history));
    loaded = block.firstRow + history;
    if (performance.now() - reportedAt > PROGRESS_MS) await report(false);
    if (history < block.rows) break;
  }
  await appended;
  await db.settled();
  await report(true);
  bar?.stop();
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `history is in: ${loaded.toLocaleString("en")} departures, ${seconds} s after the start; the last month is being replayed`,
  );
}

/** The last month, at the pace that the table `replay` says. */
async function replayForEver(): Promise<void> {
  const { engine } = db;
  const schema = engine.topic("departures").schema;
  let first = await nextRow();
  let due = 0;
  let last = performance.now();
  let sent = 0;
  let sentAt = last;
  const source = departuresFrom(first);
  let block: ColumnBlock | undefined;
  let at = 0;
  while (!stopping.signal.aborted && first < TOTAL) {
    await new Promise((resolve) => setTimeout(resolve, REPLAY_TICK_MS));
    const now = performance.now();
    const setting = await db.view(app.loadProgress).get(1);
    const pace = setting === undefined || setting.paused ? 0 : setting.pace;
    // Time that was lost to a pause of the machine is not made up for by a burst.
    due = Math.min(due + (pace * (now - last)) / 1000, Math.max(pace, 1));
    last = now;
    while (due >= 1 && first < TOTAL) {
      if (block === undefined || at === block.rows) {
        const { value, done } = await source.next();
        if (done === true) return;
        block = value;
        at = 0;
      }
      const n = Math.min(Math.floor(due), block.rows - at);
      await engine.appendBatch("departures", toBatch(schema, block, at, n));
      at += n;
      first += n;
      due -= n;
      sent += n;
    }
    if (now - sentAt >= 1000) {
      const rate = (sent * 1000) / (now - sentAt);
      if (sent > 0 || pace === 0) {
        await db.append(app.loading, {
          id: 1,
          loaded: first,
          total: TOTAL,
          finished: true,
          events_per_second: Math.round(rate),
          views: engine.views().length,
        });
      }
      sent = 0;
      sentAt = now;
    }
  }
}

/** Rows of the data set that the log has: the next one's number, whatever was appended by hand. */
async function nextRow(): Promise<number> {
  await db.settled();
  const [row] = await db.view(app.loadedRows).rows();
  return row?.rows ?? 0;
}

async function readAirports(): Promise<{ iata: string }[]> {
  const rows = parse(await readFile(join(datasets, "airports.csv")), { columns: true }) as Record<
    string,
    string
  >[];
  return rows.map((row) => ({
    ...row,
    latitude: Number(row.latitude),
    longitude: Number(row.longitude),
  })) as never;
}

function progressBar(): SingleBar | null {
  if (!process.stdout.isTTY) return null;
  return new SingleBar({
    format: "  {bar} {percentage}% | {value} of {total} rows | {rate} events/s | {views} views",
    hideCursor: true,
    clearOnComplete: true,
  });
}

function stop(): Promise<void> {
  stopped ??= (async () => {
    stopping.abort();
    await server.close();
    await db.close();
    process.exit();
  })();
  return stopped;
}
