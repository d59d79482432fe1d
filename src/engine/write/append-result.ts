/** What an append is answered with: where its rows stand, and how many were put aside. */
import type { TopicRange } from "../../log/log.ts";
import type { AppendResult } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import { OWN_TABLES } from "../own/own-tables.ts";
import type { CommitRequest } from "../own/rider.ts";
import type { StagedCommit } from "./committer.ts";
import { deadLettersAt } from "./dead-letters.ts";

export function appendResult(
  { log }: Core,
  { id, deadLetters }: TopicEntry,
  receipt: StagedCommit,
): AppendResult {
  const { appendedTo } = receipt;
  const [first] = receipt.ranges;
  if (appendedTo === undefined && receipt.ranges.length === 1 && first?.topicId === id)
    return resultAt(receipt, first);
  // An append is of one topic: of a repeated one it may be the one that had this name then.
  const all = receipt.ranges.filter(({ topicId }) => !OWN_TABLES.some((own) => own.id === topicId));
  const topicId = appendedTo?.topicId ?? id;
  const dead = all.find((other) =>
    appendedTo === undefined ? other.topicId === deadLetters : other.topicId !== topicId,
  );
  const others = all.filter((other) => other !== dead);
  const range = others.find((other) => other.topicId === topicId) ?? others[0];
  const firstOffset = range?.firstOffset ?? appendedTo?.end ?? log.topicEnd(id);
  const lastOffset = range?.lastOffset ?? firstOffset - 1;
  return {
    position: String(receipt.position),
    count: lastOffset - firstOffset + 1,
    firstOffset,
    lastOffset,
    ...(dead === undefined ? {} : { deadLetters: dead.lastOffset - dead.firstOffset + 1 }),
  };
}

/**
 * Of a producer's request that came again the first answer, too: which of its records were put aside is in the log alone. REQUIRES that the commit is
 * durable.
 */
export async function repeatableAppendResult(
  core: Core,
  topic: TopicEntry,
  { rider }: CommitRequest,
  receipt: StagedCommit,
): Promise<AppendResult> {
  const result = appendResult(core, topic, receipt);
  const isAgain = rider !== undefined && receipt.ranges.length === 1;
  // One of which nothing is stored in the topic was put aside whole, also where the topic names no stream for that any more.
  if (!isAgain || (topic.deadLetters === undefined && result.count > 0)) return result;
  const deadLetters = await deadLettersAt(core.log, topic.id, receipt.position);
  return deadLetters === 0 ? result : { ...result, deadLetters };
}

function resultAt({ position }: StagedCommit, { firstOffset, lastOffset }: TopicRange): AppendResult {
  return { position: String(position), count: lastOffset - firstOffset + 1, firstOffset, lastOffset };
}
