/**
 * The clock of bench/cold.ts, on a thread of its own: says which key is to be read when, and brings changes when they are due. So neither what the engine's thread is busy
 * with, nor the drawing of keys, moves what is due; and it is told to some 0.1 ms, where a timer beside the engine is rounded to a whole one.
 *
 * Reads come at random moments, those of callers who know nothing of each other (the times between them are exponential), changes at even ones; or, without a pace, as fast as they
 * are taken, a few of them made ahead.
 */
import { parentPort, workerData } from "node:worker_threads";
import { accountsOf, type RawAccounts } from "./accounts.ts";
import { Zipf } from "./zipf.ts";

export interface PaceRequest {
  readonly ms: number;
  /** How many keys there are. */
  readonly keys: number;
  readonly readsPerSecond: number;
  /** Null: as fast as they are taken. */
  readonly changesPerSecond: number | null;
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

function run({ ms, keys, readsPerSecond, changesPerSecond, commitRows, taken }: PaceRequest): void {
  const zipf = new Zipf(keys);
  const tell = (due: Due, transfer: readonly ArrayBuffer[] = []): void =>
    parentPort?.postMessage(due, transfer);
  const made = new Int32Array(taken);
  const began = nowMs();
  const ends = began + ms;
  const change = (): RawAccounts =>
    accountsOf(
      Float64Array.from({ length: commitRows }, () => zipf.key()),
      commits % 1000,
    );
  let commits = 0;
  let next = change();
  const changeDue = (): number => {
    if (changesPerSecond !== null) return began + (commits * commitRows * 1000) / changesPerSecond;
    return commits - Atomics.load(made, 0) < AHEAD ? 0 : Number.POSITIVE_INFINITY;
  };
  const gap = (): number => (-Math.log(1 - Math.random()) * 1000) / readsPerSecond;
  for (let read = began + gap(); ; ) {
    const seen = Atomics.load(made, 0);
    const now = nowMs();
    if (now >= ends) break;
    if (read <= now) {
      tell({ kind: "read", due: read, sent: now, key: zipf.key() });
      read += gap();
    } else if (changeDue() <= now) {
      const { id, branch, level, offsets, city } = next;
      const transfer = [id.buffer, branch.buffer, level.buffer, offsets.buffer, city.buffer];
      tell({ kind: "change", rows: next }, transfer);
      commits++;
      next = change();
    } else Atomics.wait(made, 0, seen, Math.min(ends, read, changeDue()) - now);
  }
  tell({ kind: "over" });
}

if (parentPort !== null) run(workerData as PaceRequest);
