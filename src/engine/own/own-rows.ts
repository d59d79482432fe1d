/** Rows of own tables, as a commit wrote them; and what is told only when it is durable. */
import { type ErrorCode, EvertError } from "../../base/errors.ts";
import { datumAt } from "../../batch/column.ts";
import { fieldIndex } from "../../batch/schema.ts";
import type { CommitReceipt } from "../../log/log.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import type { Part } from "../write/part.ts";
import type { CommitRequest } from "./rider.ts";

/** Refusals by what has been staged. */
const TOLD_LATER: ReadonlySet<ErrorCode> = new Set([
  "fenced",
  "out_of_sequence",
  "conflict",
  "unique_violation",
]);

/** Nobody is told of what is not durable: neither by an answer nor by a refusal that it is the reason of. */
export function toldDurably<T>(core: Core, { rider }: CommitRequest, work: () => Promise<T>): Promise<T> {
  // What the log's own tables say is known when it has been replayed.
  const told = rider === undefined ? work() : core.caughtUp().then(work);
  return told.catch(async (error: unknown) => {
    throw await refusalToTell(core, error);
  });
}

/** The error, once it may be told. */
export async function refusalToTell(core: Core, error: unknown): Promise<unknown> {
  if (error instanceof EvertError && TOLD_LATER.has(error.code))
    await core.durability.told(core.log.lastPosition);
  return error;
}

/**
 * As Committer.exclusively, for who decides by what is there: also where that is to store nothing, or to refuse. `untold`: what was found is not to
 * be told of.
 */
export async function decidedDurably(
  { committer, durability, stepper }: Core,
  decide: () => Promise<readonly Part[] | null>,
  untold: () => void = () => {},
): Promise<CommitReceipt | null> {
  let seen = 0;
  const look = (): Promise<readonly Part[] | null> => {
    seen = stepper.position;
    return decide();
  };
  const told = async (): Promise<void> => {
    try {
      await durability.told(seen);
    } catch (error) {
      untold();
      throw error;
    }
  };
  let isDecided = false;
  const onStaged = (): void => {
    isDecided = true;
  };
  const receipt = await committer.exclusively(look, { onStaged }).catch(async (error: unknown) => {
    if (isDecided) untold();
    else await told();
    throw error;
  });
  if (receipt === null) await told();
  return receipt;
}

/**
 * What stands in the column of the last row that the commit wrote to the table; null: it has been compacted away. REQUIRES that the commit is
 * durable.
 */
export async function ownRowAt(
  core: Core,
  { id, schema }: TopicEntry,
  column: string,
  { ranges, position }: CommitReceipt,
): Promise<number | null> {
  const offset = ranges.find(({ topicId }) => topicId === id)?.lastOffset ?? 0;
  const c = fieldIndex(schema, column);
  for await (const { commits, batches } of core.log.readTopic(id, offset)) {
    for (const { topicId, batch, commitIndexes, commitEnds } of batches) {
      if (topicId !== id) continue;
      const at = commitIndexes.findIndex((index) => commits[index]?.position === position);
      if (at >= 0) return Number(datumAt(batch.columns[c]!, (commitEnds[at] as number) - 1));
    }
    if ((commits.at(-1)?.position ?? 0) >= position) break;
  }
  return null;
}
