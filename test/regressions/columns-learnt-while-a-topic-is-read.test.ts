/**
 * A replica that had been started again stepped to a change of a topic's columns while somebody read the topic's records: those behind the change that lay in the segment at hand were left out, as not known yet, and those of the
 * next one, known by then, came behind the gap. A consumer that reads so never sees what is between.
 */
import { expect, it } from "vitest";
import { schemaOf } from "../../src/batch/schema.ts";
import { int4 } from "../../src/batch/types.ts";
import type { LogTopic } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open-log.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

const TOPIC = 7;
const a = { name: "a", type: int4, nullable: true };
const b = { name: "b", type: int4, nullable: true };
const before: LogTopic = { topicId: TOPIC, schemaVersion: 1, schema: schemaOf([a]), columnIds: [1] };
const after: LogTopic = { topicId: TOPIC, schemaVersion: 2, schema: schemaOf([a, b]), columnIds: [1, 2] };

for (const last of ["a sealed segment", "frames"])
  it(`reads no further than columns were known when it began, also where ${last} follow`, async () => {
    const disk = new SimulatedDisk();
    const options = { directory: "/data", disk, clock: new SimulatedClock() };
    const log = await openLog(options);
    const append = async (rows: readonly object[]): Promise<void> => {
      await log.room(1000);
      const draft = log.begin();
      draft.appendRows(TOPIC, rows);
      await draft.commit().durable;
    };
    log.registerTopic(before);
    log.startSealing();
    await append([{ a: 1 }]);
    await append([{ a: 2 }]);
    log.registerTopic(after);
    await append([{ a: 3, b: 3 }]);
    log.turnOver();
    await append([{ a: 4, b: 4 }]);
    if (last !== "frames") {
      log.turnOver();
      await append([{ a: 5, b: 5 }]);
    }
    await log.sealed();
    await log.close();

    const copy = await openLog({ ...options, following: { logId: () => Promise.resolve(log.logId) } });
    copy.registerTopic(before);
    const offsets = async (from: number, act: () => void): Promise<number[]> => {
      const found: number[] = [];
      for await (const { batches } of copy.readTopic(TOPIC, from)) {
        act();
        for (const { baseOffset, batch } of batches)
          for (let row = 0; row < batch.length; row++) found.push(baseOffset + row);
      }
      return found;
    };
    expect(await offsets(0, () => copy.registerTopic(after))).toEqual([0, 1]);
    expect(await offsets(2, () => {})).toEqual(last === "frames" ? [2, 3] : [2, 3, 4]);
    await copy.close();
  });
