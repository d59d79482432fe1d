/** The departures of vega-datasets' flights-3m.parquet as batches, in the order of the file, which is that of time. */
import { createRequire } from "node:module";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import type { Batch, Column } from "../../src/batch/batch.ts";
import type { Schema } from "../../src/batch/schema.ts";

export interface TextBlock {
  readonly offsets: Int32Array;
  readonly data: Uint8Array;
}

export interface ColumnBlock {
  readonly firstRow: number;
  readonly rows: number;
  readonly id: BigInt64Array;
  readonly departedAt: BigInt64Array;
  readonly delay: Int32Array;
  readonly distance: Int32Array;
  readonly origin: TextBlock;
  readonly destination: TextBlock;
}

export type WorkerRequest = "next";

const entry = createRequire(import.meta.url).resolve("vega-datasets");
/** The package's data files lie beside its code; its export map names only the code. */
export const datasets: string = join(
  entry.slice(0, entry.lastIndexOf("vega-datasets") + "vega-datasets".length),
  "data",
);

/** Blocks from row `from` on; two are fetched ahead. */
export async function* departuresFrom(from: number): AsyncGenerator<ColumnBlock> {
  const path = join(datasets, "flights-3m.parquet");
  const worker = new Worker(new URL("./parquet-worker.ts", import.meta.url), { workerData: { path, from } });
  const arrived: (ColumnBlock | null)[] = [];
  let wake: () => void = () => {};
  let failure: unknown = null;
  worker.on("message", (block: ColumnBlock | null) => {
    arrived.push(block);
    wake();
  });
  worker.on("error", (error) => {
    failure = error;
    wake();
  });
  try {
    worker.postMessage("next" satisfies WorkerRequest);
    worker.postMessage("next" satisfies WorkerRequest);
    for (;;) {
      while (arrived.length === 0 && failure === null) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if (failure !== null) throw failure;
      const block = arrived.shift() as ColumnBlock | null;
      if (block === null) return;
      worker.postMessage("next" satisfies WorkerRequest);
      yield block;
    }
  } finally {
    await worker.terminate();
  }
}

/** A block as a batch of the topic, without its first `skip` rows, at most `limit` of them. */
export function toBatch(schema: Schema, block: ColumnBlock, skip = 0, limit: number = block.rows): Batch {
  const end = Math.min(block.rows, skip + limit);
  const fixed = (i: number, values: Int32Array | BigInt64Array): Column => ({
    kind: "fixed",
    type: schema.fields[i]!.type,
    length: end - skip,
    validity: null,
    values: values.subarray(skip, end),
  });
  const texts = (i: number, values: TextBlock): Column => {
    const base = values.offsets[skip] as number;
    return {
      kind: "utf8",
      type: schema.fields[i]!.type,
      length: end - skip,
      validity: null,
      offsets: values.offsets.slice(skip, end + 1).map((o) => o - base),
      data: values.data.subarray(base, values.offsets[end]),
    };
  };
  return {
    schema,
    length: end - skip,
    columns: [
      fixed(0, block.id),
      fixed(1, block.departedAt),
      fixed(2, block.delay),
      fixed(3, block.distance),
      texts(4, block.origin),
      texts(5, block.destination),
    ],
    weights: null,
  };
}

/** First row of the last month: everything before is history, the rest is replayed. */
export function firstRowOfJune(block: ColumnBlock): number {
  const june = BigInt(Date.UTC(2001, 5, 1)) * 1000n;
  if ((block.departedAt[block.rows - 1] as bigint) < june) return block.rows;
  let low = 0;
  let high = block.rows;
  while (low < high) {
    const mid = (low + high) >>> 1;
    if ((block.departedAt[mid] as bigint) < june) low = mid + 1;
    else high = mid;
  }
  return low;
}
