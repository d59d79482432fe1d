/** What producers ask for: an epoch, and that what they append is stored once. */
import { EvertError } from "../../base/errors.ts";
import type { AppendOptions } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Core } from "../core.ts";
import { ownRowAt } from "./own-rows.ts";
import { PRODUCERS_ENTRY } from "./own-tables.ts";
import { fenced } from "./producers.ts";
import type { CommitRequest } from "./rider.ts";

/** What an append to the topic is committed with. @throws EvertError invalid_request */
export function requestOf(core: Core, topic: TopicEntry, options: AppendOptions): CommitRequest {
  const { producer, idempotencyKey } = options;
  if (producer === undefined) return options;
  if (idempotencyKey === undefined) return { rider: core.producers.sends(topic, producer) };
  throw new EvertError(
    "invalid_request",
    "a request has an idempotency key or the number of a producer, not both",
  );
}

/** Begins a new epoch, in a commit of its own. The same key again: the epoch that began then. */
export async function registerProducer(
  core: Core,
  id: string,
  { idempotencyKey }: AppendOptions,
): Promise<{ epoch: number; position: string }> {
  let epoch: number | null = null;
  const rider = core.producers.registers(id, (began) => {
    epoch = began;
  });
  const named = idempotencyKey === undefined ? {} : { idempotencyKey, requestDigest: `producer ${id}` };
  const receipt = await core.committer.commit([], { ...named, rider });
  // The request came again. Those that were forgotten in the same commit stand before it.
  epoch ??= await ownRowAt(core, PRODUCERS_ENTRY, "epoch", receipt);
  // Compacted: the producer has been registered again since.
  if (epoch === null) throw fenced(id, 0, core.producers.info(id)?.epoch ?? 0);
  return { epoch, position: String(receipt.position) };
}
