/** The figures of a database: what its metrics and `db.stats()` are made of. */
import type { DatabaseStats } from "./api.ts";
import type { Core } from "./core.ts";

export function statsOf(core: Core, checkpointPosition: number): DatabaseStats {
  const { segments, bytes, sealing, keeping } = core.log.stats();
  let stateBytes = core.dictionary.bytes + core.circuit.bytesElsewhere;
  for (const { store } of core.stores()) stateBytes += store.bytes;
  return {
    position: core.position,
    logBytes: bytes,
    segments,
    sealedSegments: sealing.segments,
    unsealedSegments: sealing.waiting,
    sealedBytes: sealing.bytes,
    sealedOriginalBytes: sealing.originalBytes,
    sealingFailed: sealing.failure !== null,
    removedRecords: keeping.rows,
    removedBytes: keeping.bytes,
    keepingFailed: keeping.failure !== null,
    commits: core.counters.commits,
    records: core.counters.records,
    steps: core.counters.steps,
    stepSeconds: core.counters.stepMs / 1000,
    decodedValues: core.stepper.decodedValues,
    stateBytes,
    memoryLimit: core.circuit.memory.bytes,
    coldBytes: core.runFiles.bytes,
    dictionaryBytes: core.dictionary.bytes,
    subscribers: core.subscriptions.size,
    checkpointPosition: String(checkpointPosition),
    longestPauseMs: core.stepper.longestPauseMs,
  };
}
