/**
 * The main job, end to end: `npm start`.
 *
 * Opens a database, serves it and the page, and appends three million real departures to it while the page is watching. The last month is held
 * back and replayed at the pace the page sets. Started again, it goes on where it was.
 */
import { parseArgs } from "node:util";
import { SingleBar } from "cli-progress";
import { type Db, EvertError, open } from "../../src/index.ts";
import { createHttpServer } from "../../src/servers/http/server.ts";
import * as app from "./app.ts";
import { loadHistory, replayedPart, replayLastMonth } from "./feed.ts";
import { buildPage } from "./page/build.ts";

const usage = "npm start -- [--data DIR] [--host ADDRESS] [--port NUMBER] [--rows NUMBER]";
const options = readOptions();

const started = performance.now();
const stopping = new AbortController();

try {
  await serve();
} catch (error) {
  if (!(error instanceof EvertError)) throw error;
  console.error([error.message, error.detail, error.hint].filter(Boolean).join("\n"));
  process.exit(1);
}

async function serve(): Promise<void> {
  const [db, staticDir] = await Promise.all([openDatabase(), buildPage()]);
  const server = await createHttpServer(db.engine, {
    host: options.host,
    port: options.port,
    staticDir,
  });
  const stop = async (): Promise<void> => {
    if (stopping.signal.aborted) return;
    stopping.abort();
    await server.close();
    await db.close();
    process.exit(0);
  };
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => void stop());
  console.log(`evert listening on ${server.url}`);
  try {
    await feed(db);
  } catch (error) {
    // What was under way when the database was closed is refused; it is still in the data set.
    if (!stopping.signal.aborted) throw error;
  }
}

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

async function feed(db: Db): Promise<void> {
  const { rows } = options;
  const bar = progressBar();
  const loaded = await loadHistory(db, { rows, signal: stopping.signal }, (progress) => {
    bar?.setTotal(progress.total);
    bar?.update(progress.loaded, {
      rate: progress.eventsPerSecond.toLocaleString("en"),
      views: progress.views,
    });
  });
  bar?.stop();
  if (stopping.signal.aborted) return;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(
    `history is in: ${loaded.toLocaleString("en")} departures, ${seconds} s after the start; ${replayedPart(rows)} is being replayed`,
  );
  await replayLastMonth(db, { rows, signal: stopping.signal });
}

function progressBar(): SingleBar | null {
  if (!process.stdout.isTTY) return null;
  const bar = new SingleBar({
    format: "  {bar} {percentage}% | {value} of {total} rows | {rate} events/s | {views} views",
    hideCursor: true,
    clearOnComplete: true,
  });
  bar.start(1, 0, { rate: "0", views: 0 });
  return bar;
}

interface Options {
  readonly data: string;
  readonly host: string;
  readonly port: number;
  /** Only so many departures, for a test or a small machine. */
  readonly rows: number | undefined;
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        data: { type: "string", default: "evert-data/flights" },
        host: { type: "string", default: "127.0.0.1" },
        port: { type: "string", default: "7400" },
        rows: { type: "string" },
        help: { type: "boolean", short: "h", default: false },
      },
    });
    const { data, host, port, rows } = values;
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    return {
      data,
      host,
      port: wholeNumber("--port", port, 65_535),
      rows: rows === undefined ? undefined : wholeNumber("--rows", rows, Number.MAX_SAFE_INTEGER),
    };
  } catch (error) {
    console.error(`error: ${(error as Error).message}`);
    console.error(usage);
    process.exit(2);
  }
}

function wholeNumber(option: string, text: string, max: number): number {
  if (/^[0-9]{1,16}$/.test(text) && Number(text) <= max) return Number(text);
  throw new Error(`${option} must be a whole number up to ${max}: ${text}`);
}
