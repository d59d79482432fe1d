/**
 * Named consumers: how far a reader of topics has come, kept in the log.
 *
 * A consumer has a name and, for each topic that it reads, the offset of the record that it reads next. Opening it begins an epoch: the newest
 * instance of a name goes on, an older one is refused (fenced) when it says how far it has come, on every topic. Within an epoch progress only grows,
 * so that a request which is doubled or comes late takes nothing back; who wants to read again opens it anew, from where it likes.
 *
 * Progress is a row of the table evert_consumers. It may be a commit of its own, or stand in the commit of what was made of the records: then both
 * are there or neither, and each record is processed once. In such a commit it has to grow: the same records are never processed twice, whoever
 * tries.
 *
 * A name that is taken away and comes again begins above all epochs that have been taken away: of these one row is kept, of no consumer. So an
 * instance of before is refused also then.
 *
 * Nothing is held back for a consumer: one that stands still is only shown as being behind, and one whose records a topic's retention gives up
 * meanwhile is told when it reads. Consumers are not forgotten by themselves.
 */
import { EvertError } from "../../base/errors.ts";
import type { Log } from "../../log/log.ts";
import type { Store } from "../../state/store.ts";
import type { ConsumerInfo } from "../api.ts";
import type { TopicEntry } from "../catalog/catalog.ts";
import type { Part } from "../write/part.ts";
import { TableRows } from "../write/table-rows.ts";
import { CONSUMERS_ENTRY } from "./own-tables.ts";
import type { Rider } from "./rider.ts";

/** Topics of all consumers together. */
const PROGRESS_MAX = 100_000;
export const TOPICS_MAX = 1_000;
/** The row with this name, which no consumer may have, says what epoch a new one begins with. */
const NO_NAME = "";
const NO_TOPIC = 0;

interface Progress {
  readonly topicId: number;
  readonly topic: string;
  nextOffset: number;
  /** Of the commit that it stands in. */
  position: number;
}

interface Consumer {
  readonly name: string;
  epoch: number;
  updatedUs: number;
  readonly topics: Map<number, Progress>;
}

/** A topic that is to be read, and where from if the consumer has not read it before. */
export interface Opened {
  readonly topic: TopicEntry;
  readonly from: number | "latest";
}

/** How far it has come on a topic. */
export interface Reached {
  readonly topic: TopicEntry;
  /** Of the record that is read next. */
  readonly offset: number;
}

export class Consumers {
  readonly #log: Log;
  /** As it is called by now: a row says how it was called then. */
  readonly #topicName: (id: number) => string | undefined;
  readonly #leastEpoch: () => number;
  #consumers = new Map<string, Consumer>();
  #count = 0;
  /** The epoch that a new name begins with: above those of all that have been taken away. */
  #firstEpoch = 0;

  /** `leastEpoch`: what a new epoch is at least, by who leads. */
  constructor(log: Log, topicName: (id: number) => string | undefined, leastEpoch: () => number) {
    this.#log = log;
    this.#topicName = topicName;
    this.#leastEpoch = leastEpoch;
  }

  /** Takes what the table says, as of an epoch of the engine. REQUIRES that nothing has been staged behind it. */
  async load(store: Store, engineEpoch: number): Promise<void> {
    const loaded = new Map<string, Consumer>();
    this.#firstEpoch = 0;
    for await (const rows of new TableRows(CONSUMERS_ENTRY, store, []).all(engineEpoch)) {
      for (const row of rows) {
        const [name, topic] = [row[0] as string, row[2] as string];
        const [topicId, , epoch, nextOffset, position, updatedUs] = row.slice(1).map(Number) as number[];
        if (name === NO_NAME) {
          this.#firstEpoch = epoch as number;
          continue;
        }
        const consumer = consumerIn(loaded, name);
        consumer.epoch = Math.max(consumer.epoch, epoch as number);
        consumer.updatedUs = Math.max(consumer.updatedUs, updatedUs as number);
        consumer.topics.set(topicId as number, { topicId, topic, nextOffset, position } as Progress);
      }
    }
    this.#consumers = loaded;
    this.#count = [...loaded.values()].reduce((sum, { topics }) => sum + topics.size, 0);
  }

  all(): ConsumerInfo[] {
    return [...this.#consumers.values()].sort((a, b) => (a.name < b.name ? -1 : 1)).map((c) => this.#info(c));
  }

  /** @throws EvertError not_found */
  info(name: string): ConsumerInfo {
    return this.#info(this.#known(name));
  }

  #info({ name, epoch, updatedUs, topics }: Consumer): ConsumerInfo {
    const told = [...topics.values()].map(({ topicId, topic: before, nextOffset, position }) => {
      const topic = this.#topicName(topicId) ?? before;
      const [start, end] = [this.#log.topicStart(topicId), this.#log.topicEnd(topicId)];
      const lag = Math.max(0, end - Math.max(start, nextOffset));
      return {
        topic,
        offset: nextOffset,
        end,
        lag,
        lost: Math.max(0, start - nextOffset),
        position: String(position),
      };
    });
    told.sort((a, b) => (a.topic < b.topic ? -1 : 1));
    return { name, epoch, updatedAt: new Date(updatedUs / 1000).toISOString(), topics: told };
  }

  /** For a commit that begins a new epoch. `reset`: it begins at `from` also where it has been. `began` is told which once it is staged. */
  opens(name: string, opened: readonly Opened[], reset: boolean, began: (epoch: number) => void): Rider {
    checkName(name);
    let epoch = 0;
    let next: Progress[] = [];
    return {
      known: () => {
        // It may have waited while one of them was dropped: what has that name since is another.
        const gone = opened.find(({ topic }) => this.#topicName(topic.id) === undefined);
        if (gone !== undefined) throw dropped(gone.topic);
        const before = this.#consumers.get(name)?.topics;
        const fresh = opened.filter(({ topic }) => before?.has(topic.id) !== true).length;
        if (this.#count + fresh <= PROGRESS_MAX) return null;
        throw new EvertError("too_many_requests", `there are ${PROGRESS_MAX} consumers of topics already`, {
          hint: "Delete those that are not needed any more: DELETE /v1/consumers/{consumer}.",
        });
      },
      stage: (position) => {
        const before = this.#consumers.get(name);
        epoch = Math.max(before === undefined ? this.#firstEpoch : before.epoch + 1, this.#leastEpoch());
        next = opened.map(({ topic, from }) => {
          const known = reset ? undefined : before?.topics.get(topic.id)?.nextOffset;
          const start = from === "latest" ? this.#log.topicEnd(topic.id) : from;
          return { topicId: topic.id, topic: topic.name, nextOffset: known ?? start, position };
        });
        // All its rows say the epoch: it does not go with one of its topics.
        const rest = [...(before?.topics.values() ?? [])].filter(
          ({ topicId }) => !next.some((one) => one.topicId === topicId),
        );
        next.push(...rest);
        return [this.#rows(name, epoch, next)];
      },
      staged: () => {
        this.#take(name, epoch, next);
        began(epoch);
      },
    };
  }

  /** For a commit that says how far it has come. `isWork`: it holds what was made of the records, so that these may not have been read before. */
  advances(name: string, epoch: number, reached: readonly Reached[], isWork: boolean): Rider {
    checkReached(name, epoch, reached);
    let next: Progress[] = [];
    return {
      known: () => {
        const { topics } = this.#checked(name, epoch, reached, isWork);
        const known = reached.map(({ topic }) => topics.get(topic.id) as Progress);
        if (isWork || reached.some(({ offset }, i) => offset !== known[i]?.nextOffset)) return null;
        // Nothing to store: it has been said before.
        return { position: Math.max(...known.map(({ position }) => position)), ranges: [] };
      },
      stage: (position) => {
        next = reached.map(({ topic, offset }) => ({
          topicId: topic.id,
          topic: topic.name,
          nextOffset: offset,
          position,
        }));
        return [this.#rows(name, epoch, next)];
      },
      staged: () => this.#take(name, epoch, next),
    };
  }

  /** For a commit that takes it away. */
  removes(name: string): Rider {
    return {
      known: () => {
        this.#known(name);
        return null;
      },
      stage: (position) => {
        const consumer = this.#known(name);
        const keys = [...consumer.topics.keys()].map((topicId) => ({ consumer: name, topic_id: topicId }));
        return [...deletion(keys), ...this.#goes([consumer], position)];
      },
      staged: () => {
        this.#count -= this.#known(name).topics.size;
        this.#gone(this.#known(name));
      },
    };
  }

  /** For a commit that takes topics away. */
  dropping(topicIds: () => readonly number[]): Rider {
    let ids: readonly number[] = [];
    return {
      known: () => null,
      stage: (position) => {
        ids = topicIds();
        const consumers = [...this.#consumers.values()];
        const keys = consumers.flatMap(({ name, topics }) =>
          ids.flatMap((id) => (topics.has(id) ? [{ consumer: name, topic_id: id }] : [])),
        );
        const gone =
          keys.length === 0
            ? []
            : consumers.filter(({ topics }) => [...topics.keys()].every((id) => ids.includes(id)));
        return [...deletion(keys), ...this.#goes(gone, position)];
      },
      staged: () => {
        for (const consumer of this.#consumers.values()) {
          for (const id of ids) if (consumer.topics.delete(id)) this.#count--;
          // As after a start: without a row there is none.
          if (consumer.topics.size === 0) this.#gone(consumer);
        }
      },
    };
  }

  /** What is to be kept of those that a commit takes away. */
  #goes(consumers: readonly Consumer[], position: number): Part[] {
    if (consumers.length === 0) return [];
    const epoch = consumers.reduce((most, one) => Math.max(most, one.epoch + 1), this.#firstEpoch);
    return [this.#rows(NO_NAME, epoch, [{ topicId: NO_TOPIC, topic: "", nextOffset: 0, position }])];
  }

  #gone({ name, epoch }: Consumer): void {
    this.#firstEpoch = Math.max(this.#firstEpoch, epoch + 1);
    this.#consumers.delete(name);
  }

  /** @throws EvertError not_found, fenced, conflict, invalid_request */
  #checked(name: string, epoch: number, reached: readonly Reached[], isWork: boolean): Consumer {
    const consumer = this.#known(name);
    if (epoch < consumer.epoch) throw fenced(name, epoch, consumer.epoch);
    // Whoever leads now gives none below its own first: one that it has not come to was given by a leader that was lost with it.
    if (epoch > consumer.epoch && epoch < this.#leastEpoch()) throw lost(name, epoch, consumer.epoch);
    if (epoch > consumer.epoch) {
      throw new EvertError("invalid_request", `consumer ${quoted(name)} has not come to epoch ${epoch}`, {
        detail: `Its epoch is ${consumer.epoch}.`,
        hint: "Open it: the answer says which epoch it is.",
      });
    }
    for (const { topic, offset } of reached) {
      const at = consumer.topics.get(topic.id)?.nextOffset;
      const end = this.#log.topicEnd(topic.id);
      if (at === undefined) {
        throw new EvertError(
          "invalid_request",
          `consumer ${quoted(name)} was not opened for "${topic.name}"`,
          {
            hint: "Open it with all topics that it reads.",
          },
        );
      }
      if (offset > end) {
        throw new EvertError("invalid_request", `"${topic.name}" ends at offset ${end}, before ${offset}`);
      }
      if (offset < at || (isWork && offset === at)) throw behind(name, topic, offset, at);
    }
    return consumer;
  }

  #known(name: string): Consumer {
    const consumer = this.#consumers.get(name);
    if (consumer !== undefined) return consumer;
    throw new EvertError("not_found", `there is no consumer ${quoted(name)}`, {
      hint: "It is made when it is opened: POST /v1/consumers.",
    });
  }

  #rows(consumer: string, epoch: number, progress: readonly Progress[]): Part {
    const at = new Date(this.#log.nowUs() / 1000);
    const rows = progress.map(({ topicId, topic, nextOffset, position }) => ({
      consumer,
      topic_id: topicId,
      topic,
      epoch,
      next_offset: nextOffset,
      position,
      updated_at: at,
    }));
    return { topic: CONSUMERS_ENTRY, op: "upsert", rows, path: CONSUMERS_ENTRY.name };
  }

  #take(name: string, epoch: number, progress: readonly Progress[]): void {
    const consumer = consumerIn(this.#consumers, name);
    consumer.epoch = epoch;
    consumer.updatedUs = this.#log.nowUs();
    for (const one of progress) this.#set(consumer, one);
  }

  #set({ topics }: Consumer, progress: Progress): void {
    if (!topics.has(progress.topicId)) this.#count++;
    topics.set(progress.topicId, progress);
  }
}

function consumerIn(consumers: Map<string, Consumer>, name: string): Consumer {
  let consumer = consumers.get(name);
  if (consumer === undefined) {
    consumer = { name, epoch: 0, updatedUs: Number.NEGATIVE_INFINITY, topics: new Map() };
    consumers.set(name, consumer);
  }
  return consumer;
}

function deletion(rows: readonly object[]): Part[] {
  return rows.length === 0
    ? []
    : [{ topic: CONSUMERS_ENTRY, op: "delete", rows, path: CONSUMERS_ENTRY.name }];
}

/** @throws EvertError invalid_request */
function checkReached(name: string, epoch: number, reached: readonly Reached[]): void {
  checkName(name);
  for (const value of [epoch, ...reached.map(({ offset }) => offset)]) {
    if (Number.isSafeInteger(value) && value >= 0) continue;
    throw new EvertError(
      "invalid_request",
      "a consumer's epoch and its offsets must be whole numbers from 0 to 2^53 - 1",
    );
  }
  if (reached.length > 0 && new Set(reached.map(({ topic }) => topic.id)).size === reached.length) return;
  throw new EvertError(
    "invalid_request",
    "a consumer's progress is an offset for each topic that it has come further on",
  );
}

/** @throws EvertError invalid_request */
function checkName(name: string): void {
  if (/^[\x20-\x7e]{1,255}$/.test(name)) return;
  throw new EvertError("invalid_request", "a consumer's name must be 1 to 255 printable ASCII characters");
}

function dropped({ name }: TopicEntry): EvertError {
  return new EvertError("undefined_table", `"${name}" was dropped before the consumer was opened`);
}

/** A newer instance has taken its place. */
export function fenced(name: string, epoch: number, current: number): EvertError {
  return new EvertError("fenced", `consumer ${quoted(name)} has been opened anew since`, {
    detail: `The request's epoch is ${epoch}, the consumer's ${current}.`,
    hint: "Let one instance at a time use the name; the newest goes on.",
  });
}

/** The leader that gave the epoch is gone, and nobody has opened the consumer since. */
function lost(name: string, epoch: number, current: number): EvertError {
  return new EvertError(
    "fenced",
    `the epoch of consumer ${quoted(name)} was lost with the leader that gave it`,
    {
      detail: `The request's epoch is ${epoch}, the consumer's ${current}.`,
      hint: "Open it anew: it goes on where its stored progress ends.",
    },
  );
}

function behind(name: string, { name: topic }: TopicEntry, offset: number, at: number): EvertError {
  return new EvertError(
    "conflict",
    at === offset
      ? `consumer ${quoted(name)} has come to offset ${at} of "${topic}" already`
      : `consumer ${quoted(name)} has come further than to offset ${offset} of "${topic}": to ${at}`,
    {
      detail: "These records have been processed already.",
      hint: "To read them again, open it anew with reset.",
    },
  );
}

function quoted(name: string): string {
  return JSON.stringify(name);
}
