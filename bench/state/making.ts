/**
 * Rows made by a thread beside the engine's, a few commits ahead: what making them takes, and leaves to the collector (a bigint for each id), is then in no turn of the engine's
 * event loop.
 */
import { on } from "node:events";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { accountsOf, type RawAccounts } from "./accounts.ts";

/** Commits of `commitRows` rows each, until there are `rows` of them. */
export interface Making {
  /** Ids: one after the other from 0 on, or at random below `below`. */
  readonly ids: { readonly below: number } | null;
  readonly rows: number;
  readonly commitRows: number;
  /** Of the n-th commit, (n modulo this) + 1; 0: the level of all is 0. */
  readonly levels: number;
  /** How many texts there are; absent: a thousand. */
  readonly texts?: number | undefined;
}

interface Asked extends Making {
  /** How many have been taken: an Int32. */
  readonly taken: SharedArrayBuffer;
}

const AHEAD = 8;

export async function* made(making: Making): AsyncGenerator<RawAccounts> {
  const taken = new Int32Array(new SharedArrayBuffer(4));
  const asked: Asked = { ...making, taken: taken.buffer };
  const thread = new Worker(new URL(import.meta.url), { workerData: asked });
  try {
    let left = Math.ceil(making.rows / making.commitRows);
    for await (const [raw] of on(thread, "message")) {
      Atomics.add(taken, 0, 1);
      Atomics.notify(taken, 0);
      yield raw as RawAccounts;
      if (--left === 0) return;
    }
  } finally {
    await thread.terminate();
  }
}

function make({ ids, rows, commitRows, levels, texts, taken }: Asked): void {
  const seen = new Int32Array(taken);
  for (let n = 0; n * commitRows < rows; n++) {
    const from = n * commitRows;
    const keys = Float64Array.from({ length: Math.min(commitRows, rows - from) }, (_, i) =>
      ids === null ? from + i : Math.floor(Math.random() * ids.below),
    );
    const raw = accountsOf(keys, levels === 0 ? 0 : 1 + (n % levels), texts);
    for (let at = Atomics.load(seen, 0); n - at >= AHEAD; at = Atomics.load(seen, 0))
      Atomics.wait(seen, 0, at);
    const { id, branch, level, offsets, city } = raw;
    parentPort?.postMessage(raw, [id.buffer, branch.buffer, level.buffer, offsets.buffer, city.buffer]);
  }
  // It waits here to be ended: what was sent is delivered.
  setInterval(() => {}, 1 << 30);
}

if (!isMainThread) make(workerData as Asked);
