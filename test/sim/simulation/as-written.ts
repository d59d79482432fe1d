/**
 * The log read once more, by somebody who knows nothing of it but the schemas that were defined, each as it was when it was: rows come in the schema that their batch names, and whole commits with their keys.
 * What the engine reads is in the newest schema: there nobody would see that a batch names another one which happens to fit.
 */
import type { Column } from "../../../src/batch/batch.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { CATALOG_ENTRY, SINK_ENTRY, TICK_ENTRY } from "../../../src/engine/catalog/hidden-topics.ts";
import { OWN_TABLES } from "../../../src/engine/own/own-tables.ts";
import { type Group, OP_DELETE } from "../../../src/log/log.ts";
import { offsetOf } from "../../../src/log/offsets.ts";
import { openLog } from "../../../src/log/open-log.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { cellOf, columnOf, isShaped } from "./columns.ts";
import { isSameRow, type Stored, Violation } from "./commits.ts";
import type { Oracle } from "./oracle.ts";

/** What a topic is from a position on. */
interface Defined {
  readonly from: number;
  readonly version: number;
}

/**
 * REQUIRES that the oracle has adopted what the log holds, and that nothing is under way.
 * @returns by position, the key that a commit has and what stands for its request
 * @throws Violation
 */
export async function checkAsWritten(
  oracle: Oracle,
  directory: string,
  disk: SimulatedDisk,
): Promise<ReadonlyMap<number, string>> {
  const log = await openLog({ directory, disk: disk.clone({ seed: 1 }), clock: new SimulatedClock() });
  const keys = new Map<number, string>();
  try {
    for (const { id, schemaVersion, schema } of [CATALOG_ENTRY, TICK_ENTRY, SINK_ENTRY, ...OWN_TABLES])
      log.registerTopic({ topicId: id, schemaVersion, schema });
    const defined = new Map<number, Defined[]>();
    for (const { position, events } of oracle.history)
      for (const event of events) {
        if ((event.event !== "create" && event.event !== "alter") || event.entry.kind !== "topic") continue;
        const { id, schemaVersion, schema, key } = event.entry;
        const keyColumns = key === null ? {} : { keyColumns: key };
        log.registerTopic({ topicId: id, schemaVersion, schema, ...keyColumns });
        defined.set(id, [...(defined.get(id) ?? []), { from: position, version: schemaVersion }]);
      }
    for await (const group of log.read({ from: 1, everyGroup: true })) {
      for (const { position, idempotencyKey, requestDigest } of group.commits) {
        const wanted = oracle.keyAt(position);
        if (wanted !== undefined && idempotencyKey !== wanted)
          throw new Violation(
            `commit ${position} has the key ${idempotencyKey}, and was sent with ${wanted}`,
          );
        keys.set(position, `${idempotencyKey} ${requestDigest}`);
      }
      checkGroup(group, oracle, defined);
    }
  } finally {
    await log.close();
  }
  return keys;
}

/** Each batch names the version that its topic had, and has the values that were written in it. */
function checkGroup(group: Group, oracle: Oracle, defined: ReadonlyMap<number, readonly Defined[]>): void {
  for (const topicBatch of group.batches) {
    const { topicId, schemaVersion, batch, ops, commitIndexes, commitEnds } = topicBatch;
    const versions = defined.get(topicId);
    if (versions === undefined) continue;
    const names = batch.schema.fields.map(({ name }) => columnOf(name));
    let row = 0;
    commitIndexes.forEach((commit, i) => {
      const { position } = group.commits[commit] as { position: number };
      const version = versions.findLast(({ from }) => from < position)?.version;
      if (version !== schemaVersion)
        throw new Violation(
          `topic ${topicId} was written at ${position} in version ${schemaVersion}, and had ${version}`,
        );
      const records = oracle.history[position - 1]?.records ?? [];
      for (; row < (commitEnds[i] as number); row++) {
        const offset = offsetOf(topicBatch, row);
        const known = records.find((record) => record.topicId === topicId && record.offset === offset);
        if (known === undefined || !isShaped(known.topic)) continue;
        const value = Object.fromEntries(
          names.map((name, c) => [name, cellOf(datumAt(batch.columns[c] as Column, row))]),
        );
        checkRow(known, ops?.[row] === OP_DELETE ? null : value, `${position} ${offset}`);
      }
    });
  }
}

function checkRow({ topic, value: wanted }: Stored, value: object | null, where: string): void {
  if (!isSameRow(value, wanted))
    throw new Violation(
      `${topic} ${where} was written as ${JSON.stringify(value)}, and should be ${JSON.stringify(wanted)}`,
    );
}
