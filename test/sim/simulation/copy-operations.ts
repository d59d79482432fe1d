/** What clients do with a leader and its copies. Much of it is what they do with a log that has none (simulate.ts). */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { consume } from "./consumer.ts";
import * as keeping from "./keeping.ts";
import type { Life } from "./life.ts";
import { produce } from "./producer.ts";
import * as reads from "./reads.ts";
import * as writes from "./writes.ts";

export type Operation = (life: Life, random: SeededRandom) => Promise<void>;

// These wait for what waits for copies, as long as it takes.

async function erase(life: Life, random: SeededRandom): Promise<void> {
  life.errand(keeping.erase(life, random));
}

async function checkpoint(life: Life): Promise<void> {
  life.errand(reads.checkpoint(life));
}

async function compact(life: Life, random: SeededRandom): Promise<void> {
  life.errand(keeping.compact(life, random));
}

/** On the leader. */
export const WRITES: readonly Operation[] = [
  writes.appendEvents,
  writes.appendEvents,
  writes.appendMany,
  writes.retry,
  writes.retry,
  writes.upsert,
  writes.remove,
  writes.transact,
  writes.decide,
  writes.statement,
  produce,
  produce,
  consume,
  consume,
  keeping.keep,
  erase,
];

/** A key that was erased somewhere is erased here, unless this is the leader. */
async function eraseCopy(life: Life, random: SeededRandom): Promise<void> {
  const { erasedKeys } = life.run.oracle.forgetting;
  const one = erasedKeys[random.below(erasedKeys.length)];
  if (one !== undefined && life.db.replication.info().role === "follower")
    life.errand(keeping.eraseCopy(life, one.topic, one.key));
}

/** On any of them. */
export const READS: readonly Operation[] = [
  reads.readView,
  reads.readTopic,
  reads.query,
  reads.watch,
  checkpoint,
  compact,
  eraseCopy,
];
