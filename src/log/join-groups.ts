/**
 * Several sealed groups as one, for the disk: transactions that each had to be stepped before the next was decided share a frame, and its sync.
 *
 * 1. Groups follow one another. A topic's small batches become one, as if their commits had been staged together; large ones stay what they are, one
 *    behind the other.
 * 2. A group with rows of the catalog is joined with none: whoever reads what follows may need the topics it makes. Nor do groups join that
 *    have a topic in two schema versions.
 * 3. The joined frame is hardly ever longer than the frames of its groups would be (each has a header). Where it would be, because one batch's
 *    deletes or nulls cost all rows a bit, fewer are joined: there is room for no more than was made sure of.
 */
import { assert } from "../base/assert.ts";
import { BatchBuilder } from "../batch/builder.ts";
import type { CommitInfo, Group, TopicBatch } from "./log.ts";
import { LARGE_BATCH_ROWS } from "./open-topic.ts";

/** The topic whose commits stand alone. */
const CATALOG_TOPIC = 0;

/** How many of the groups, from the first on, may stand in one frame. At least one. */
export function joinable(groups: readonly Group[]): number {
  const versions = new Map<number, number>();
  let count = 0;
  for (const { commits, batches } of groups) {
    // A closing mark is a frame of its own, too.
    const isAlone = commits.length === 0 || batches.some(({ topicId }) => topicId === CATALOG_TOPIC);
    const fits = batches.every(({ topicId, schemaVersion }) => {
      return (versions.get(topicId) ?? schemaVersion) === schemaVersion;
    });
    if (count > 0 && (isAlone || !fits)) break;
    count++;
    if (isAlone) break;
    for (const { topicId, schemaVersion } of batches) versions.set(topicId, schemaVersion);
  }
  return count;
}

/** REQUIRES groups that follow one another and are joinable. */
export function joinGroups(groups: readonly Group[]): Group {
  const [first] = groups;
  assert(first !== undefined, "there is a group to join");
  if (groups.length === 1) return first;
  const commits: CommitInfo[] = [];
  /** By topic, its batches, with how many commits stand before their group's. */
  const topics = new Map<number, Placed[]>();
  for (const group of groups) {
    for (const batch of group.batches) {
      const placed = { batch, commitsBefore: commits.length };
      const known = topics.get(batch.topicId);
      if (known === undefined) topics.set(batch.topicId, [placed]);
      else known.push(placed);
    }
    for (const commit of group.commits) commits.push(commit);
  }
  const { firstPosition } = first;
  return {
    commits,
    firstPosition,
    lastPosition: firstPosition + commits.length - 1,
    batches: [...topics.values()].flatMap(joinBatches),
  };
}

interface Placed {
  readonly batch: TopicBatch;
  readonly commitsBefore: number;
}

/** A topic's batches: runs of small ones become one each. */
function joinBatches(placed: readonly Placed[]): TopicBatch[] {
  const joined: TopicBatch[] = [];
  for (let from = 0; from < placed.length; ) {
    let to = from + 1;
    let { length } = placed[from]!.batch.batch;
    for (; to < placed.length && length < LARGE_BATCH_ROWS; to++) {
      const next = placed[to]!.batch.batch.length;
      if (next >= LARGE_BATCH_ROWS) break;
      length += next;
    }
    joined.push(joinRun(placed.slice(from, to), length));
    from = to;
  }
  return joined;
}

function joinRun(placed: readonly Placed[], rows: number): TopicBatch {
  const [{ batch: first, commitsBefore }] = placed as readonly [Placed];
  if (placed.length === 1)
    return { ...first, commitIndexes: first.commitIndexes.map((i) => i + commitsBefore) };
  const boundaries = placed.reduce((sum, { batch }) => sum + batch.commitIndexes.length, 0);
  const commitIndexes = new Uint32Array(boundaries);
  const commitEnds = new Uint32Array(boundaries);
  const ops = placed.some(({ batch }) => batch.ops !== null) ? new Uint8Array(rows) : null;
  const builder = new BatchBuilder(first.batch.schema);
  let row = 0;
  let boundary = 0;
  for (const { batch, commitsBefore: before } of placed) {
    assert(batch.baseOffset === first.baseOffset + row, "a topic's batches follow one another");
    // Its nulls were looked at when it was staged.
    builder.appendBatch(batch.batch, 0, batch.batch.length, true);
    if (batch.ops !== null) ops?.set(batch.ops, row);
    for (let i = 0; i < batch.commitIndexes.length; i++, boundary++) {
      commitIndexes[boundary] = batch.commitIndexes[i]! + before;
      commitEnds[boundary] = batch.commitEnds[i]! + row;
    }
    row += batch.batch.length;
  }
  return { ...first, batch: builder.finish(), ops, commitIndexes, commitEnds };
}
