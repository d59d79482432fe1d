/** A data directory whose log holds Nexmark's events in sealed segments: what a view finds that is made of history. */
import { openBareLog } from "../bare-log.ts";
import { openNexmark } from "./engine.ts";
import { type Round, TOPICS } from "./events.ts";

/** Small, so that the one that is still written to is a small part of history. */
const SEGMENT_BYTES = 16 << 20;
/** Bytes that may wait for the disk. */
const WAITING_BYTES = 2_000_000;

/** Each round one commit. */
export async function writeSealed(dir: string, rounds: Iterable<Round>): Promise<void> {
  const db = await openNexmark(dir);
  const topics = new Map(TOPICS.map((name) => [name, db.engine.core.catalog.topic(name)]));
  await db.close();
  const log = await openBareLog(dir, SEGMENT_BYTES, topics.values());
  for (const { batches } of rounds) {
    for (let wait = log.room(WAITING_BYTES); wait !== null; wait = log.room(WAITING_BYTES)) await wait;
    const draft = log.begin();
    for (const [name, batch] of batches) draft.appendBatch(topics.get(name)!.id, batch);
    await draft.commit().durable;
  }
  log.startSealing();
  await log.sealed();
  const { failure } = log.stats().sealing;
  await log.close();
  if (failure !== null) throw new Error(failure);
}
