/** A thread that makes indexes from a checkpoint, and ends: see indexing.ts. */
import { parentPort, workerData } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { nodeDisk } from "../../base/node-disk.ts";
import { systemSlices } from "../../base/slices.ts";
import { applyBlock } from "../../state/checkpoint.ts";
import { KeyLines } from "../../state/key-lines.ts";
import { readBlocks } from "./checkpoint-reader.ts";
import type { IndexingRequest, MadeLines } from "./indexing.ts";

assert(parentPort !== null, "a thread for indexes is started by a start");
const { path, ranges, stores } = workerData as IndexingRequest;
const targets = stores.map((spec) => (spec === null ? null : new KeyLines(spec)));
const file = await nodeDisk.open(path, "read");
try {
  await readBlocks(file, ranges, systemSlices, (kind, payload) => applyBlock(kind, payload, null, targets));
} finally {
  await file.close();
}
const made: MadeLines = targets.map((target) => target?.lines() ?? null);
parentPort.postMessage(made);
