/**
 * What the engine offers to everyone at its edges: the TypeScript face, the servers, the CLI. Types only.
 *
 * Positions cross this border as opaque strings; `comparePositions` (base/position.ts) orders two.
 * Everything read here reflects durable commits only.
 */

import type { Batch } from "../batch/batch.ts";
import type { BackupSource } from "../log/backup.ts";
import type { CopyIn, CopyOut, SqlOptions, SqlResponse } from "./api/sql.ts";
import type {
  ReadTopicOptions,
  RegisteredSchema,
  SchemaVersionInfo,
  TopicInfo,
  TopicRecord,
  TopicRows,
} from "./api/topics.ts";
import type {
  Key,
  OpenSubscription,
  ReadOptions,
  SubscribeOptions,
  SubscribeTarget,
  SubscriptionEvent,
  VersionsApi,
  ViewInfo,
  ViewReader,
} from "./api/views.ts";
import type {
  AppendBatchOptions,
  AppendOptions,
  AppendResult,
  ConsumerInfo,
  Erased,
  OpenConsumerOptions,
  OpenedConsumer,
  Operation,
  ProducerInfo,
  ProducerSequence,
  TransactOptions,
} from "./api/writing.ts";
import type { ReplicationApi } from "./replica/api.ts";

export type * from "./api/sql.ts";
export type * from "./api/topics.ts";
export type * from "./api/views.ts";
export type * from "./api/writing.ts";

/** The engine as servers, the CLI and the TypeScript face see it. */
export interface Engine {
  /** Newest position that reads reflect. */
  readonly position: string;
  readiness(): Readiness;
  stats(): DatabaseStats;

  /** One value or many, in one commit. @throws EvertError naming row, path and reason; then nothing of it is stored. */
  append(topic: string, rows: readonly unknown[], options?: AppendOptions): Promise<AppendResult>;
  /** What the columns have in records that do not name them, at this moment (BatchBuilder.setFallbacks); null: none has a default. */
  fallbacks(topic: TopicInfo): readonly unknown[] | null;
  /**
   * The record as the program's own schema leaves it, of a topic whose records are checked one by one (TopicInfo). @throws EvertError of the first
   * value that it refuses
   */
  checkedRecord(topic: string, record: unknown): unknown;
  /** The same as append in columns, of records that are complete. REQUIRES of a topic whose records are checked that these were. */
  appendBatch(topic: string, batch: Batch, options?: AppendBatchOptions): Promise<AppendResult>;
  /**
   * One Arrow IPC stream, in one commit. Columns by name; one that is not there has its default, or is null. The stream's memory is given away: the
   * caller does not write to it any more. @throws as append.
   */
  appendArrow(topic: string, stream: Uint8Array, options?: AppendOptions): Promise<AppendResult>;
  /** What the request was answered whose idempotency key this is; null: there was none. @throws EvertError idempotency_conflict. */
  appended(topic: string, options: AppendOptions): Promise<AppendResult | null>;
  /** Begins a new epoch of a producer: 0 is the first. The same key: the same epoch. */
  registerProducer(id: string, options?: AppendOptions): Promise<{ epoch: number; position: string }>;
  /** What is known of a producer; null: nothing. */
  producer(id: string): Promise<ProducerInfo | null>;
  /** Waits, so long at most, until all that comes before the request has been taken. */
  producerReached(topic: string, place: ProducerSequence, timeoutMs: number): Promise<void>;
  /** Begins a new epoch of a consumer, which is made if it is not there. The same key: the same epoch. */
  openConsumer(
    name: string,
    topics: readonly string[],
    options?: OpenConsumerOptions,
  ): Promise<OpenedConsumer>;
  consumers(): Promise<ConsumerInfo[]>;
  /** @throws EvertError not_found */
  consumer(name: string): Promise<ConsumerInfo>;
  /** How far it has come, by topic the offset of the record that it reads next. @throws EvertError fenced, conflict */
  advanceConsumer(
    name: string,
    epoch: number,
    progress: Readonly<Record<string, number>>,
    options?: AppendOptions,
  ): Promise<{ position: string }>;
  dropConsumer(name: string): Promise<{ position: string }>;
  deleteKey(topic: string, key: Key, options?: AppendOptions): Promise<{ position: string }>;
  transact(operations: readonly Operation[], options?: TransactOptions): Promise<{ position: string }>;

  sql(text: string, options?: SqlOptions): Promise<SqlResponse>;
  /** One COPY … FROM STDIN or TO STDOUT. */
  copy(text: string, options?: SqlOptions): Promise<CopyIn | CopyOut>;

  topics(): TopicInfo[];
  topic(name: string): TopicInfo;
  /** The schemas that the topic has had, oldest first. @throws EvertError undefined_table */
  schemas(topic: string): readonly SchemaVersionInfo[];
  /** Registers a schema for a topic; the same text again: the same number. It is not looked into. */
  registerSchema(topic: string, text: string): Promise<RegisteredSchema>;
  /** Those of all topics, in the order of their numbers; also of topics that are gone. */
  registeredSchemas(): Promise<readonly RegisteredSchema[]>;
  views(): ViewInfo[];
  view(name: string): ViewReader;
  dropView(name: string): Promise<{ position: string }>;
  readonly versions: VersionsApi;

  readTopic(topic: string, options?: ReadTopicOptions): AsyncIterable<TopicRecord>;
  /** The same records as one stream of Arrow's IPC format, in pieces: the schema, record batches, the end. */
  readTopicArrow?(topic: string, options?: ReadTopicOptions): AsyncIterable<Uint8Array>;
  /** The same records in columns, for codecs. */
  readTopicBatches(topic: string, options?: ReadTopicOptions): AsyncIterable<TopicRows>;
  /** What an event holds may be read until the next is asked for: see SubscriptionEvent. */
  subscribe(
    targets: readonly SubscribeTarget[],
    options?: SubscribeOptions,
  ): AsyncIterable<SubscriptionEvent>;
  openSubscription(signal: AbortSignal): OpenSubscription;
  /** The log's files, for a copy of it. */
  readonly backupSource: BackupSource;
  /** Other copies of the log, which follow this one or are followed by it. */
  readonly replication: ReplicationApi;
  /** Waits as a read with these options would. @throws EvertError timeout. */
  reached(options: ReadOptions): Promise<void>;
  /** Resolves when every commit up to now is durable and reflected. */
  settled(): Promise<void>;
  checkpoint(): Promise<void>;
  /**
   * Deletes a row, and takes all that there ever was of it out of the data directory's files. @throws EvertError what kept it from it: then erasing
   * it again goes on
   */
  erase(topic: string, key: Key): Promise<Erased>;
  /** Takes out of the log all that topics' retention and compaction let go, up to now. @throws EvertError what kept it from it */
  compact(): Promise<void>;
  /** Drains, checkpoints, closes the log. */
  close(): Promise<void>;
}

export interface DatabaseStats {
  readonly position: string;
  readonly logBytes: number;
  readonly segments: number;
  /** Segments in sealed form, and full ones that wait for it. */
  readonly sealedSegments: number;
  readonly unsealedSegments: number;
  /** Of the sealed segments' files, and of the frames they were made of. */
  readonly sealedBytes: number;
  readonly sealedOriginalBytes: number;
  /** The last attempt to seal a segment failed; it is tried again. */
  readonly sealingFailed: boolean;
  /** Records and bytes that retention and compaction have taken out of sealed segments since the start; whether the last attempt has failed. */
  readonly removedRecords: number;
  readonly removedBytes: number;
  readonly keepingFailed: boolean;
  readonly commits: number;
  readonly records: number;
  readonly steps: number;
  /** Time spent in steps since the start. */
  readonly stepSeconds: number;
  /** Values that steps have taken from the log's columns since the start: of a stream, only what views read is. */
  readonly decodedValues: number;
  readonly stateBytes: number;
  /** What it may be. */
  readonly memoryLimit: number;
  /** Of files of rows that are not in memory. */
  readonly coldBytes: number;
  readonly dictionaryBytes: number;
  readonly subscribers: number;
  readonly checkpointPosition: string;
  readonly longestPauseMs: number;
}

export interface Readiness {
  /** Whether reads are answered. */
  readonly ready: boolean;
  /** 0..1: how much of the log after the checkpoint has been replayed. Below 1, answers are of an earlier position, and what is written waits. */
  readonly progress: number;
  readonly position: string;
}
