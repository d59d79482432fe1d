/**
 * The clocks of bench/cold.ts, each on a thread of its own: one says which key is to be read when, the other brings changes when they are due. So neither what the engine's
 * thread is busy with, nor the drawing of changes, moves what is due; and it is told to some 0.1 ms, where a timer beside the engine is rounded to a whole one.
 *
 * Reads come at random moments, those of callers who know nothing of each other (the times between them are exponential), changes at even ones; or, without a pace, as fast as they
 * are taken, a few of them made ahead.
 */
import { parentPort, workerData } from "node:worker_threads";
import { accountsOf, type RawAccounts } from "./accounts.ts";
import { Zipf } from "./zipf.ts";

export type PaceRequest = ReadPace | ChangePace;

interface Pace {
  readonly ms: number;
  /** How many keys there are. */
  readonly keys: number;
}

export interface ReadPace extends Pace {
  readonly kind: "reads";
  readonly perSecond: number;
}

export interface ChangePace extends Pace {
  readonly kind: "changes";
  /** Null: as fast as they are taken. */
  readonly perSecond: number | null;
  readonly commitRows: number;
  /** How many commits have been taken: an Int32. */
  readonly taken: SharedArrayBuffer;
}

/** `due`, and `sent`, when it was told: by nowMs(). */
export type Due =
  | { readonly kind: "read"; readonly due: number; readonly sent: number; readonly key: number }
  | { readonly kind: "change"; readonly rows: RawAccounts }
  | { readonly kind: "over" };

/** The same for all threads. */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

const AHEAD = 8;

const tell = (due: Due, transfer: readonly ArrayBuffer[] = []): void =>
  parentPort?.postMessage(due, transfer);

function tellReads({ ms, keys, perSecond }: ReadPace): void {
  const zipf = new Zipf(keys);
  const never = new Int32Array(new SharedArrayBuffer(4));
  const gap = (): number => (-Math.log(1 - Math.random()) * 1000) / perSecond;
  const began = nowMs();
  for (let due = began + gap(); due < began + ms; due += gap()) {
    const key = zipf.key();
    const wait = due - nowMs();
    if (wait > 0) Atomics.wait(never, 0, 0, wait);
    tell({ kind: "read", due, sent: nowMs(), key });
  }
}

function tellChanges({ ms, keys, perSecond, commitRows, taken }: ChangePace): void {
  const zipf = new Zipf(keys);
  const made = new Int32Array(taken);
  const began = nowMs();
  const ends = began + ms;
  const due = (commits: number): number => {
    if (perSecond !== null) return began + (commits * commitRows * 1000) / perSecond;
    return commits - Atomics.load(made, 0) < AHEAD ? 0 : Number.POSITIVE_INFINITY;
  };
  for (let commits = 0; ; commits++) {
    const keysOf = Float64Array.from({ length: commitRows }, () => zipf.key());
    const rows = accountsOf(keysOf, commits % 1000);
    for (;;) {
      const seen = Atomics.load(made, 0);
      const now = nowMs();
      if (now >= ends) return;
      if (due(commits) <= now) break;
      Atomics.wait(made, 0, seen, Math.min(ends, due(commits)) - now);
    }
    const { id, branch, level, offsets, city } = rows;
    tell({ kind: "change", rows }, [id.buffer, branch.buffer, level.buffer, offsets.buffer, city.buffer]);
  }
}

if (parentPort !== null) {
  const request = workerData as PaceRequest;
  if (request.kind === "reads") tellReads(request);
  else tellChanges(request);
  tell({ kind: "over" });
}
