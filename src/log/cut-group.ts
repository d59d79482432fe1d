/** A group's commits of some positions, as a group. */
import { firstAbove } from "../base/search.ts";
import { sliceBatch } from "../batch/column.ts";
import type { Group, Position, TopicBatch } from "./log.ts";

/** The group without its commits outside of [from, to]; batches that have no rows left are left out. REQUIRES that some commit stays. */
export function cutGroup(group: Group, from: Position, to: Position): Group {
  const { firstPosition, lastPosition } = group;
  if (from <= firstPosition && lastPosition <= to) return group;
  const first = Math.max(from - firstPosition, 0);
  const end = Math.min(to, lastPosition) - firstPosition + 1;
  return {
    commits: group.commits.slice(first, end),
    firstPosition: firstPosition + first,
    lastPosition: firstPosition + end - 1,
    batches: group.batches.flatMap((batch) => cutBatch(batch, first, end)),
  };
}

/** Rows of the group's commits [first, end). */
function cutBatch(batch: TopicBatch, first: number, end: number): TopicBatch[] {
  const { commitIndexes, commitEnds, ops, baseOffset } = batch;
  const from = firstAbove(commitIndexes, first - 1, 0);
  const to = firstAbove(commitIndexes, end - 1, from);
  if (from === to) return [];
  const firstRow = from === 0 ? 0 : commitEnds[from - 1]!;
  const endRow = commitEnds[to - 1]!;
  return [
    {
      ...batch,
      baseOffset: baseOffset + firstRow,
      batch: sliceBatch(batch.batch, firstRow, endRow),
      ops: ops?.subarray(firstRow, endRow) ?? null,
      commitIndexes: commitIndexes.slice(from, to).map((index) => index - first),
      commitEnds: commitEnds.slice(from, to).map((row) => row - firstRow),
    },
  ];
}
