/**
 * A program's own consumer: its topics' records in batches, and how far it has come, which the log remembers.
 *
 * 1. Opening begins an epoch: an older instance of the name is told (fenced) when it next says how far it has come.
 * 2. Reading goes on where the last commit of progress stands, and follows what is appended.
 * 3. commit() stores that a batch and all before it have been processed: whoever stops before processes it again. transact() stores what was made of
 *    a batch and the progress as one commit, or neither: each record is processed once.
 */
import { gathered } from "../../base/gathered.ts";
import type { AnyTopic, Table, Topic } from "../../face/handles.ts";
import type { Consumed, OpenConsumerOptions, OpenedConsumer } from "../api.ts";
import type { Database } from "../database.ts";
import { topicName } from "./given.ts";
import { recordTyper, type TopicRecord } from "./read.ts";
import { Transaction } from "./transaction.ts";

const BATCH_RECORDS_MAX = 512;

/** The rows of a topic, as its declaration says. */
export type RowOfTopic<T> = T extends Topic<infer Row, infer _> | Table<infer Row, infer _> ? Row : never;

export interface ConsumerOptions<T extends AnyTopic = AnyTopic>
  extends Pick<OpenConsumerOptions, "from" | "reset"> {
  readonly topics: readonly T[];
  /** Go on with records to come. Default true; false: ends with what is there. */
  readonly follow?: boolean;
  /** Records of a batch, at most. Default 512. */
  readonly batchRecordsMax?: number;
  readonly signal?: AbortSignal;
}

/** Records of one topic, in order. */
export class ConsumedBatch<Row> {
  readonly topic: string;
  readonly records: readonly TopicRecord<Row>[];
  readonly #engine: Database;
  readonly #consumed: Consumed;

  constructor(engine: Database, consumed: Consumed, records: readonly TopicRecord<Row>[]) {
    this.#engine = engine;
    this.#consumed = consumed;
    this.topic = consumed.topic;
    this.records = records;
  }

  /** All up to the end of the batch has been processed. @throws EvertError fenced: a newer instance goes on */
  commit(): Promise<{ position: string }> {
    const { name, epoch, topic, offset } = this.#consumed;
    return this.#engine.advanceConsumer(name, epoch, { [topic]: offset });
  }

  /**
   * As db.transact(work), and in the same commit that the batch has been processed. @throws EvertError fenced; conflict: it has been processed
   * already; what `work` throws
   */
  transact<T>(work: (transaction: Transaction) => Promise<T> | T): Promise<{ position: string; result: T }> {
    return this.#engine.transaction((inner) => work(new Transaction(inner)), [this.#consumed]);
  }
}

export class DbConsumer<Row> implements AsyncIterable<ConsumedBatch<Row>> {
  readonly name: string;
  readonly #engine: Database;
  readonly #options: ConsumerOptions;
  readonly #closed = new AbortController();
  #opening: Promise<OpenedConsumer> | null = null;

  constructor(engine: Database, name: string, options: ConsumerOptions) {
    this.name = name;
    this.#engine = engine;
    this.#options = options;
  }

  /** Takes the place of an earlier instance; reading does so by itself. */
  async open(): Promise<OpenedConsumer> {
    const { topics, from, reset } = this.#options;
    if (this.#opening === null) {
      const names = topics.map((topic) => topicName(topic));
      this.#opening = this.#engine.openConsumer(this.name, names, { from, reset });
      // A failure is for whoever waits; the next call asks again.
      this.#opening.catch(() => {
        this.#opening = null;
      });
    }
    return this.#opening;
  }

  /** Goes on where the last progress stands that was committed when it was opened. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedBatch<Row>, void, undefined> {
    const { name, epoch, topics } = await this.open();
    const { follow = true, batchRecordsMax = BATCH_RECORDS_MAX, signal } = this.#options;
    const left = new AbortController();
    const stop = AbortSignal.any([
      left.signal,
      this.#closed.signal,
      ...(signal === undefined ? [] : [signal]),
    ]);
    const sources = topics.map(({ topic, offset }) => ({
      source: topic,
      items: this.#engine.readTopicAs(topic, { from: offset, follow, signal: stop }, recordTyper<Row>()),
    }));
    try {
      for await (const { source: topic, items } of gathered(sources, batchRecordsMax)) {
        if (stop.aborted) return;
        const offset = (items.at(-1) as TopicRecord<Row>).offset + 1;
        yield new ConsumedBatch(this.#engine, { name, epoch, topic, offset }, items);
      }
    } finally {
      left.abort();
    }
  }

  /** Reading ends. */
  close(): void {
    this.#closed.abort();
  }
}
