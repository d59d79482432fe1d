/**
 * What feeds the log: the history as fast as it goes, then the last month at the pace that the page sets. Where to go on is
 * asked of a view, so a start after any stop, a crash too, neither skips nor repeats a departure.
 */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { parse } from "csv-parse";
import type { Db } from "../../src/index.ts";
import * as app from "./app.ts";
import { type ColumnBlock, datasets, departuresFrom, firstRowOfJune, toBatch } from "./parquet.ts";

const ALL_ROWS = 3_000_000;
const PROGRESS_MS = 200;
/** A commit that the views do not show after this time is a failure, not a delay. */
const SHOWN_MS_MAX = 60_000;
const REPLAY_TICK_MS = 50;
/** The rate that is told is that of so many reports: of the last second. */
const RATE_REPORTS = 5;
/** Commits that are not yet shown by the views: enough to keep the engine busy, few enough that the page is never far behind. */
const COMMITS_AHEAD = 16;

export interface FeedOptions {
  /** Only so many departures of the data set, the last sixth of them replayed; undefined: all, June replayed. */
  readonly rows: number | undefined;
  readonly signal: AbortSignal;
}

export interface Progress {
  readonly loaded: number;
  readonly total: number;
  readonly eventsPerSecond: number;
  readonly views: number;
}

/** Everything before the last month. Resolves with the number of rows once every view shows them. */
export async function loadHistory(
  db: Db,
  { rows, signal }: FeedOptions,
  onProgress: (progress: Progress) => void,
): Promise<number> {
  const { engine } = db;
  if (engine.topic("airports").records === 0) {
    await db.append(app.airports, await readAirports());
    await db.append(app.replay, { id: 1, pace: 100, paused: false });
  }
  const total = rows ?? ALL_ROWS;
  const schema = engine.topic("departures").schema;
  let loaded = await nextRow(db);
  const reports: { loaded: number; at: number }[] = [{ loaded, at: performance.now() }];
  const report = (finished: boolean): Promise<unknown> => {
    const at = performance.now();
    const since = reports[0] as { loaded: number; at: number };
    const eventsPerSecond = Math.round(((loaded - since.loaded) * 1000) / Math.max(1, at - since.at));
    reports.push({ loaded, at });
    if (reports.length > RATE_REPORTS) reports.shift();
    const progress: Progress = { loaded, total, eventsPerSecond, views: engine.views().length };
    onProgress(progress);
    return tell(db, progress, finished);
  };

  const underWay: Promise<unknown>[] = [];
  const send = (commit: Promise<unknown>): void => {
    underWay.push(commit);
    // A failure is met where the commit is waited for, which may be a moment later.
    commit.catch(() => {});
  };
  const append = async (block: ColumnBlock, history: number): Promise<void> => {
    const { position } = await engine.appendBatch("departures", toBatch(schema, block, 0, history));
    await engine.reached({ atLeast: position, timeoutMs: SHOWN_MS_MAX });
    loaded = block.firstRow + history;
  };

  if (engine.topic("loading").records === 0) await report(false);
  let reportedAt = performance.now();
  for await (const block of departuresFrom(loaded)) {
    if (signal.aborted) return loaded;
    const history = historyIn(block, rows);
    while (underWay.length >= COMMITS_AHEAD) await underWay.shift();
    if (history > 0) send(append(block, history));
    if (performance.now() - reportedAt > PROGRESS_MS) {
      reportedAt = performance.now();
      send(report(false));
    }
    if (history < block.rows) break;
  }
  await Promise.all(underWay);
  await report(true);
  return loaded;
}

/** The last month, at the pace that the table `replay` says. */
export async function replayLastMonth(db: Db, { rows, signal }: FeedOptions): Promise<void> {
  const { engine } = db;
  const total = rows ?? ALL_ROWS;
  const schema = engine.topic("departures").schema;
  let loaded = await nextRow(db);
  const source = departuresFrom(loaded);
  try {
    let block: ColumnBlock | undefined;
    let at = 0;
    let due = 0;
    let last = performance.now();
    let told = { loaded, at: last, rate: -1 };
    while (!signal.aborted && loaded < total) {
      await new Promise((resolve) => setTimeout(resolve, REPLAY_TICK_MS));
      const setting = await db.view(app.loadProgress).get(1);
      const pace = setting === undefined || setting.paused ? 0 : setting.pace;
      const now = performance.now();
      // Time that was lost to a pause of the machine is not made up for by a burst.
      due = Math.min(due + (pace * (now - last)) / 1000, Math.max(pace, 1));
      last = now;
      while (due >= 1 && loaded < total) {
        if (block === undefined || at === block.rows) {
          const { value, done } = await source.next();
          if (done === true) return;
          block = value;
          at = 0;
        }
        const n = Math.min(Math.floor(due), block.rows - at, total - loaded);
        await engine.appendBatch("departures", toBatch(schema, block, at, n));
        at += n;
        loaded += n;
        due -= n;
      }
      if (now - told.at < 1000 && loaded < total) continue;
      const rate = Math.round(((loaded - told.loaded) * 1000) / (now - told.at));
      // Nothing is said while nothing happens.
      if (loaded > told.loaded || rate !== told.rate) {
        await tell(db, { loaded, total, eventsPerSecond: rate, views: engine.views().length }, true);
      }
      told = { loaded, at: now, rate };
    }
  } finally {
    await source.return(undefined);
  }
}

/** What is held back and replayed, in words: with `rows` these end long before June. */
export function replayedPart(rows: number | undefined): string {
  return rows === undefined ? "the last month" : "the last sixth of them";
}

/** How many rows of the block are history: those before June, or of the part that was asked for, all but the last sixth. */
function historyIn(block: ColumnBlock, rows: number | undefined): number {
  if (rows === undefined) return firstRowOfJune(block);
  return Math.max(0, Math.min(block.rows, Math.floor((rows * 5) / 6) - block.firstRow));
}

function tell(db: Db, { loaded, total, eventsPerSecond, views }: Progress, finished: boolean) {
  return db.append(app.loading, {
    id: 1,
    loaded,
    total,
    finished,
    events_per_second: eventsPerSecond,
    views,
  });
}

/** Rows of the data set that the log has: the next one's number, whatever was appended by hand. */
async function nextRow(db: Db): Promise<number> {
  await db.settled();
  const [row] = await db.view(app.loadedRows).rows();
  return row?.rows ?? 0;
}

interface Airport {
  iata: string;
  name: string;
  city: string;
  state: string;
  country: string;
  latitude: number;
  longitude: number;
}

async function readAirports(): Promise<Airport[]> {
  // In small pieces: parsed at once the file would hold up the page for a few frames.
  const file = createReadStream(join(datasets, "airports.csv"), { highWaterMark: 16_384 });
  const airports: Airport[] = [];
  for await (const row of file.pipe(parse({ columns: true })) as AsyncIterable<
    Record<keyof Airport, string>
  >) {
    airports.push({ ...row, latitude: Number(row.latitude), longitude: Number(row.longitude) });
  }
  return airports;
}
