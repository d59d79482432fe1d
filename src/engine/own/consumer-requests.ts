/** What consumers ask for: to be opened, to say how far they have come, to be taken away. */
import { EvertError } from "../../base/errors.ts";
import type { AppendOptions, Consumed, Expectation, OpenConsumerOptions, OpenedConsumer } from "../api.ts";
import type { Core } from "../core.ts";
import { timeUsOf } from "../read-time.ts";
import type { Part } from "../write/part.ts";
import { digestOf } from "../write/request-digest.ts";
import { fenced, type Opened, TOPICS_MAX } from "./consumers.ts";
import { ownRowAt, toldDurably } from "./own-rows.ts";
import { CONSUMERS_ENTRY } from "./own-tables.ts";
import type { CommitRequest, Rider } from "./rider.ts";

/** @throws EvertError undefined_table, invalid_request */
export async function openConsumer(
  core: Core,
  name: string,
  topics: readonly string[],
  { from = "earliest", reset = false, idempotencyKey }: OpenConsumerOptions,
): Promise<OpenedConsumer> {
  if (topics.length === 0 || topics.length > TOPICS_MAX || new Set(topics).size < topics.length) {
    throw new EvertError("invalid_request", `a consumer reads 1 to ${TOPICS_MAX} topics, each named once`);
  }
  await core.caughtUp();
  const opened: Opened[] = [];
  for (const topicName of topics) {
    const topic = core.catalog.topic(topicName);
    opened.push({ topic, from: await startOf(core, topic.id, from) });
  }
  let epoch: number | null = null;
  const rider = core.consumers.opens(name, opened, reset, (began) => {
    epoch = began;
  });
  const digest = JSON.stringify(["consumer", name, topics, from, reset]);
  const named = idempotencyKey === undefined ? {} : { idempotencyKey, requestDigest: digest };
  const receipt = await core.committer.commit([], { ...named, rider });
  // The request came again.
  epoch ??= await ownRowAt(core, CONSUMERS_ENTRY, "epoch", receipt);
  const info = core.consumers.info(name);
  // Compacted: it has been opened again since.
  if (epoch === null) throw fenced(name, 0, info.epoch);
  const offsets = info.topics.filter(({ topic }) => topics.includes(topic));
  return {
    name,
    epoch,
    topics: offsets.map(({ topic, offset }) => ({ topic, offset })),
    position: String(receipt.position),
  };
}

async function startOf(
  core: Core,
  topicId: number,
  from: NonNullable<OpenConsumerOptions["from"]>,
): Promise<number | "latest"> {
  if (from === "latest") return from;
  if (from === "earliest") return core.log.topicStart(topicId);
  if (typeof from !== "number") return core.log.offsetAt(topicId, timeUsOf(from));
  const end = core.log.topicEnd(topicId);
  if (Number.isSafeInteger(from) && from >= 0 && from <= end) return from;
  const name = core.catalog.byId(topicId)?.name ?? "";
  throw new EvertError("invalid_request", `${from} is no offset of "${name}" yet`, {
    detail: `The record that comes next has offset ${end}.`,
    hint: "From latest it reads what comes, from earliest all that is there.",
  });
}

export async function advanceConsumer(
  core: Core,
  name: string,
  epoch: number,
  progress: Readonly<Record<string, number>>,
  { idempotencyKey }: AppendOptions,
): Promise<{ position: string }> {
  const reached = Object.entries(progress).map(([topic, offset]) => ({
    topic: core.catalog.topic(topic),
    offset,
  }));
  const rider = core.consumers.advances(name, epoch, reached, false);
  const digest = JSON.stringify(["progress", name, epoch, progress]);
  const named = idempotencyKey === undefined ? {} : { idempotencyKey, requestDigest: digest };
  const request = { ...named, rider };
  const receipt = await toldDurably(core, request, () => core.committer.commit([], request));
  return { position: String(receipt.position) };
}

export async function dropConsumer(core: Core, name: string): Promise<{ position: string }> {
  const request = { rider: core.consumers.removes(name) };
  const receipt = await toldDurably(core, request, () => core.committer.commit([], request));
  return { position: String(receipt.position) };
}

/** For a commit of what was made of the records. @throws EvertError invalid_request */
export function consumes(core: Core, consumed: readonly Consumed[]): Rider {
  const [{ name, epoch }] = consumed as readonly [Consumed];
  if (consumed.some((other) => other.name !== name || other.epoch !== epoch)) {
    throw new EvertError("invalid_request", "a transaction holds the progress of one consumer, in one epoch");
  }
  const reached = consumed.map(({ topic, offset }) => ({ topic: core.catalog.topic(topic), offset }));
  return core.consumers.advances(name, epoch, reached, true);
}

/** The request of a transaction that holds progress. */
export function consuming(
  core: Core,
  parts: readonly Part[],
  options: AppendOptions,
  { expect, consume }: { readonly expect: readonly Expectation[]; readonly consume: readonly Consumed[] },
): CommitRequest {
  const isKeyed = options.idempotencyKey !== undefined && options.requestDigest === undefined;
  // Progress is a part of what was asked for.
  const digest = isKeyed ? { requestDigest: `${digestOf(parts, expect)} ${JSON.stringify(consume)}` } : {};
  return { ...options, ...digest, rider: consumes(core, consume) };
}
