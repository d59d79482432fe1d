/** What an append is answered with: where its rows stand, and how many were put aside. */
import type { CommitReceipt, TopicRange } from "../../log/log.ts";
import type { AppendResult } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import { OWN_TABLES } from "../own/own-tables.ts";
import type { CommitRequest } from "../own/rider.ts";
import { deadLettersAt, takesDeadLetters } from "./dead-letters.ts";

export function appendResult(
  { log, catalog }: Core,
  { id, deadLetters }: TopicEntry,
  receipt: CommitReceipt,
): AppendResult {
  const [first] = receipt.ranges;
  if (receipt.ranges.length === 1 && first?.topicId === id) return resultAt(receipt, first);
  // An append is of one topic: of a repeated one it may be the one that had this name then, and what it put aside may be in a stream that the topic names no more.
  const all = receipt.ranges.filter(({ topicId }) => !OWN_TABLES.some((own) => own.id === topicId));
  const isDead = ({ topicId }: TopicRange): boolean => {
    if (topicId === deadLetters) return true;
    const other = catalog.byId(topicId);
    // Of two that are gone, or one, what is younger than the topic is none that had its name before.
    return other === undefined ? topicId > id : takesDeadLetters(other);
  };
  const ofTopic = all.find(({ topicId }) => topicId === id);
  const dead = all.find((range) => range !== ofTopic && (ofTopic !== undefined || isDead(range)));
  const range = ofTopic ?? all.find((other) => other !== dead);
  const firstOffset = range?.firstOffset ?? log.topicEnd(id);
  const lastOffset = range?.lastOffset ?? firstOffset - 1;
  return {
    position: String(receipt.position),
    count: lastOffset - firstOffset + 1,
    firstOffset,
    lastOffset,
    ...(dead === undefined ? {} : { deadLetters: dead.lastOffset - dead.firstOffset + 1 }),
  };
}

/** Of a producer's request that came again the first answer, too: which of its records were put aside is in the log alone. REQUIRES that the commit is durable. */
export async function repeatableAppendResult(
  core: Core,
  topic: TopicEntry,
  { rider }: CommitRequest,
  receipt: CommitReceipt,
): Promise<AppendResult> {
  const result = appendResult(core, topic, receipt);
  const isAgain = rider !== undefined && receipt.ranges.length === 1;
  // One of which nothing is stored in the topic was put aside whole, also where the topic names no stream for that any more.
  if (!isAgain || (topic.deadLetters === undefined && result.count > 0)) return result;
  const deadLetters = await deadLettersAt(core.log, topic.id, receipt.position);
  return deadLetters === 0 ? result : { ...result, deadLetters };
}

function resultAt({ position }: CommitReceipt, { firstOffset, lastOffset }: TopicRange): AppendResult {
  return { position: String(position), count: lastOffset - firstOffset + 1, firstOffset, lastOffset };
}
