/** What clients do with a leader and its copies. Much of it is what they do with a log that has none (simulate.ts). */
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { Archive } from "./archive.ts";
import { consume } from "./consumer.ts";
import { defineAnywhere } from "./defining.ts";
import * as keeping from "./keeping.ts";
import type { Life, Run } from "./life.ts";
import { produce } from "./producer.ts";
import * as reads from "./reads.ts";
import * as shaping from "./shaping.ts";
import { changeVersions, readVersion } from "./versions.ts";
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
const WRITES: readonly Operation[] = [
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
  defineAnywhere,
];

/** A key that was erased somewhere is erased here, unless this is the leader. */
async function eraseCopy(life: Life, random: SeededRandom): Promise<void> {
  const { erasedKeys } = life.run.oracle.forgetting;
  const one = erasedKeys[random.below(erasedKeys.length)];
  if (one !== undefined && life.db.replication.info().role === "follower")
    life.errand(keeping.eraseCopy(life, one.topic, one.key));
}

/** On any of them. */
const READS: readonly Operation[] = [
  reads.readView,
  reads.readTopic,
  reads.query,
  reads.watch,
  checkpoint,
  compact,
  eraseCopy,
];

/** Where there are topics whose columns change, also these, as often as all others. */
const SHAPING_WRITES: readonly Operation[] = [
  ...Array.from({ length: 9 }, () => shaping.write),
  ...Array.from({ length: 6 }, () => shaping.change),
];
const SHAPING_READS: readonly Operation[] = Array.from({ length: 5 }, () => shaping.read);

/** Where there is a view with versions, also these. */
const VERSIONING_WRITES: readonly Operation[] = Array.from({ length: 12 }, () => changeVersions);
const VERSIONING_READS: readonly Operation[] = Array.from({ length: 4 }, () => readVersion);

/** `draws`: of where backups go. */
export function operationsOf(
  run: Run,
  hasVersions: boolean,
  draws: SeededRandom,
): { readonly writes: readonly Operation[]; readonly reads: readonly Operation[] } {
  const archive = new Archive(run, draws);
  const backUp = async (life: Life): Promise<void> => life.errand(archive.take(life));
  const reads = [...READS, backUp];
  if (hasVersions)
    return { writes: [...WRITES, ...VERSIONING_WRITES], reads: [...reads, ...VERSIONING_READS] };
  if (run.shapes === null) return { writes: WRITES, reads };
  return { writes: [...WRITES, ...SHAPING_WRITES], reads: [...reads, ...SHAPING_READS] };
}
