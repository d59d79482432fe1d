/**
 * Erasing a key for good: afterwards no file of the data directory has its rows, nor its deletes.
 *
 * 1. The row is deleted: views follow, and everybody who follows them.
 * 2. The log goes on in a new segment, so that all that ever was of the key is in full ones, which are sealed.
 * 3. When nobody reads rows any more as they were before, and their texts are gone from memory, rows on disk are written anew, and then a checkpoint
 *    with everything, in files of their own. A start from it does not need the delete any more.
 * 4. The rows and deletes are taken out of the sealed segments.
 *
 * A replica has files of its own, and decides nothing of what is in the log: there the row has to be gone already, by erasing it on the leader, and
 * steps 3 and 4 are done for what the replica has. That it is all is seen at the end, when the topic's records are looked through once more.
 *
 * A crash, or a failure, leaves the key deleted and part of its history there: erasing it again goes on. What it was copied to is no business of this
 * one: rows of sinks, which have a history of their own, are named; as-of joins, whose rows keep what they met, forbid it; backups and other servers
 * have files of their own.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { assert } from "../base/assert.ts";
import { EvertError } from "../base/errors.ts";
import { BatchBuilder } from "../batch/builder.ts";
import { datumAt } from "../batch/column.ts";
import type { Erased, Key } from "./api.ts";
import type { TopicEntry } from "./catalog/catalog.ts";
import { TICK_ENTRY } from "./catalog/hidden-topics.ts";
import type { Core } from "./core.ts";
import { readersOfThePast } from "./live/needs.ts";
import { usersOf } from "./sql/drop.ts";
import type { Part } from "./write/part.ts";
import { deletePart, keyDatums, keyTopic } from "./write/request-parts.ts";

/** How long it is waited for those who read rows as they were. */
const READERS_MS = 60_000;
const SLICE_MS = 3;

interface Replicas {
  /**
   * While this is done, deletes up to the position go: who copies the log meanwhile may have met the key in one segment, and not find its delete in
   * another.
   */
  erasing(position: number, done: () => Promise<void>): Promise<void>;
}

/**
 * `renew`: takes a checkpoint of everything; `replicas`: whose deletes go, too. @throws EvertError what kept it from it: then erasing it again goes
 * on
 */
export async function eraseKey(
  core: Core,
  renew: () => Promise<void>,
  replicas: Replicas,
  name: string,
  key: Key,
): Promise<Erased> {
  const topic = keyTopic(core, name);
  refuseKept(core, topic);
  // Earlier rows of views that are being made anew go with that.
  await core.views.settledInTime();
  const part = deletePart(core, name, [key], "key");
  // Who writes the key from here on writes another row, which stays.
  const gone =
    core.sinks.ownerOf(topic.id) === null
      ? (await core.committer.commit([part])).position
      : await refuseShown(core, topic, key);

  const begun = await core.committer.exclusively(async () => {
    core.log.turnOver();
    const due = new Date(core.log.nowUs() / 1000);
    return [{ topic: TICK_ENTRY, op: "upsert", rows: [{ due }], path: "tick" }];
  });
  await takenOut(core, renew, replicas, topic, part, begun!.position, gone);
  return { position: String(gone), sinks: sinksOver(core, topic) };
}

/**
 * The key of `part` as it was up to `to` is taken out of what readers see, of files and of the log. `shown`: what readers have to be shown before.
 */
async function takenOut(
  core: Core,
  renew: () => Promise<void>,
  replicas: Replicas,
  topic: TopicEntry,
  part: Part,
  shown: number,
  to: number,
): Promise<void> {
  await core.publisher.waitFor(shown, READERS_MS);
  await forgotten(core, core.current().epoch);
  await renewed(core, renew);
  await core.log.sealed();
  const builder = new BatchBuilder(topic.schema);
  builder.appendKeyOnly("rows" in part ? part.rows[0] : {}, topic.key as readonly number[]);
  await replicas.erasing(to, () => core.log.erase(topic.id, builder.finish(), to));
}

/** Rows on disk are written anew, and the checkpoint; what they were before is gone when it resolves, after a power cut, too. */
async function renewed(core: Core, renew: () => Promise<void>): Promise<void> {
  const { runFiles } = core;
  const before = runFiles.names;
  for (const { store } of core.circuit.stores()) await store.cold?.renew(turns(core));
  await renew();
  for (const ends = performance.now() + READERS_MS; !(await runFiles.swept(before)); await nextTurn())
    if (performance.now() >= ends) throw stillRead(core);
}

/** Topics that views over this one are appended to. */
function sinksOver(core: Core, topic: TopicEntry): string[] {
  return usersOf(core, [topic]).flatMap(({ view }) => {
    const sink = view.sink === undefined ? undefined : core.catalog.byId(view.sink);
    return sink === undefined ? [] : [sink.name];
  });
}

/**
 * On a replica. Up to the last record of the key that there was; 0: there was none. @throws EvertError what kept it from it: then erasing it again
 * goes on
 */
export async function eraseCopy(
  core: Core,
  renew: () => Promise<void>,
  replicas: Replicas,
  name: string,
  key: Key,
): Promise<Erased> {
  const topic = keyTopic(core, name);
  refuseKept(core, topic);
  await core.views.settledInTime();
  const gone = await refuseThere(core, topic, key, () => {
    const { hint } = core.committer.refusal ?? {};
    return new EvertError("conflict", `the row is still there in "${name}"`, {
      detail: "A replica deletes nothing: it takes out of its own files what has been deleted.",
      hint: `Erase it on the leader first, and here when this server has that position.${hint === undefined ? "" : ` ${hint}`}`,
    });
  });
  const last = await lastOf(core, topic, key, gone);
  await takenOut(core, renew, replicas, topic, deletePart(core, name, [key], "key"), last, last);
  const left = await lastOf(core, topic, key);
  if (left > 0) {
    throw new EvertError("conflict", `records of the key came to "${name}" meanwhile`, {
      detail: `The last one is at position ${left}.`,
      hint: "Erase it again, on the leader first.",
    });
  }
  return { position: String(last), sinks: sinksOver(core, topic) };
}

/** The position of the last record that the log has of the key, up to a position; 0: there is none. */
async function lastOf(
  core: Core,
  topic: TopicEntry,
  key: Key,
  to = Number.POSITIVE_INFINITY,
): Promise<number> {
  const rows = core.constraints.of(topic.id)?.table;
  assert(rows != null, "a table has its rows");
  const columns = topic.key as readonly number[];
  const wanted = rows.keyText(keyDatums(topic, key, "key"));
  const turn = turns(core);
  let last = 0;
  for await (const { commits, batches } of core.log.readTopic(topic.id, core.log.topicStart(topic.id))) {
    for (const { topicId, batch, commitIndexes, commitEnds } of batches) {
      if (topicId !== topic.id) continue;
      for (let row = 0, c = 0; row < batch.length; row++) {
        while ((commitEnds[c] as number) <= row) c++;
        const { position } = commits[commitIndexes[c] as number]!;
        if (position <= to && rows.keyText(columns.map((k) => datumAt(batch.columns[k]!, row))) === wanted)
          last = position;
      }
    }
    await turn();
  }
  return last;
}

/** @throws EvertError where a view has rows that do not go with the table's */
function refuseKept(core: Core, topic: TopicEntry): void {
  const names = readersOfThePast(core, topic);
  if (names.length === 0) return;
  throw new EvertError(
    "dependent_objects",
    `views keep what they met in "${topic.name}": ${names.join(", ")}`,
    {
      detail: "They ask for its rows as they were, which stays when a row is deleted.",
      hint: "Drop them, erase, and create them again.",
    },
  );
}

/** A sink's rows are its view's: this one has to be gone already. */
function refuseShown(core: Core, topic: TopicEntry, key: Key): Promise<number> {
  return refuseThere(core, topic, key, () => {
    return new EvertError("wrong_object_type", `"${topic.name}" has the row as its view shows it`, {
      hint: "Erase first what the view reads.",
    });
  });
}

/** A position at which the row is not there. @throws EvertError where it is */
async function refuseThere(
  core: Core,
  topic: TopicEntry,
  key: Key,
  refusal: () => EvertError,
): Promise<number> {
  const rows = core.constraints.of(topic.id)?.table;
  const datums = keyDatums(topic, key, "key");
  await rows?.bring(datums);
  const { epoch, position } = core.current();
  if (rows != null && rows.find(datums, epoch) >= 0) throw refusal();
  return position;
}

/** Resolves when nothing in memory is left of rows that died at the epoch or before: what is left of texts would get into the checkpoint. */
async function forgotten(core: Core, epoch: number): Promise<void> {
  for (const ends = performance.now() + READERS_MS; ; ) {
    let isDone = false;
    await core.stepper.atBoundary(() => {
      const { circuit, stepper } = core;
      const all = circuit.vacuum(stepper.horizon, core.slices.ends(SLICE_MS));
      isDone = all && circuit.buried === 0 && !circuit.stores().some(({ store }) => store.hasDeadBy(epoch));
    });
    if (isDone) return;
    // No step lets anything go any more.
    if (core.failure !== null) throw core.failure;
    if (performance.now() >= ends) throw stillRead(core);
    await core.slices.turn();
  }
}

function stillRead(core: Core): EvertError {
  const views = core.views.beingFilled;
  if (views.length > 0) {
    const names = views.map((name) => `"${name}"`).join(", ");
    const [what, them] =
      views.length === 1 ? [`view ${names} is`, "it is"] : [`views ${names} are`, "they are"];
    return new EvertError("timeout", `${what} being made of rows as they were before the delete`, {
      hint: `The row is deleted; erase it again when ${them} there.`,
    });
  }
  return new EvertError("timeout", "somebody still reads rows as they were before the delete", {
    hint: "The row is deleted; erase it again when long queries have ended.",
  });
}

function turns(core: Core): () => Promise<void> {
  let ends = 0;
  return async () => {
    if (performance.now() >= ends) ends = await core.chores.turn();
  };
}
