/**
 * What the engine offers to everyone at its edges: the TypeScript face, the servers, the CLI. Types only.
 *
 * Positions cross this border as opaque strings; `comparePositions` (base/position.ts) orders two.
 * Everything read here reflects durable commits only.
 */

import type { ErrorBody, EvertError } from "../base/errors.ts";
import type { Batch } from "../batch/batch.ts";
import type { Schema } from "../batch/schema.ts";
import type { SqlColumn } from "../batch/sql-answer.ts";
import type { BackupSource } from "../log/backup.ts";
import type { Keeping } from "../plan/keeping.ts";
import type { OrderItem } from "../plan/plan.ts";
import type { AlteredItem, SubscriptionItem } from "../views/subscription-item.ts";
import type { TimeText } from "./read-time.ts";
import type { ReplicationApi } from "./replica/api.ts";

/** What a read waits for. */
export interface ReadOptions {
  /** Wait until this position is reflected. */
  readonly atLeast?: string | undefined;
  /** Bound of that wait; default 10,000. @throws EvertError timeout after it. */
  readonly timeoutMs?: number | undefined;
}

/** How rows are appended. */
export interface AppendOptions {
  readonly idempotencyKey?: string | undefined;
  /** Digest of the request body: same key with another digest is refused with idempotency_conflict. Absent: it is made of the rows. */
  readonly requestDigest?: string | undefined;
  /** In place of a key: the request's place among those of a producer. Appends to one topic only. @throws EvertError fenced, out_of_sequence. */
  readonly producer?: ProducerSequence | undefined;
}

/** What could not be decoded of an append. */
export interface DeadLetter {
  readonly error: EvertError;
  readonly bytes: Uint8Array;
  /** Of the writer's, if it names one. */
  readonly schemaId: number | null;
}

export interface AppendBatchOptions extends AppendOptions {
  /** Stored in the same commit, in the stream that the topic names for them. Without one, the first is thrown. */
  readonly deadLetters?: readonly DeadLetter[] | undefined;
  /** Rows that delete, by their places in ascending order: only their keys are looked at. REQUIRES a topic with a key. */
  readonly deleted?: readonly number[] | undefined;
}

/** A request's place among those that a producer sends to a topic (producers.ts). */
export interface ProducerSequence {
  readonly id: string;
  /** Rises whenever the producer starts anew. */
  readonly epoch: number;
  /** Of the producer's requests to the topic in this epoch: 0, 1, 2, … */
  readonly seq: number;
  /** So many numbers, from `seq` on, are this request's. Default 1. */
  readonly count?: number | undefined;
}

/** What is known of a producer. */
export interface ProducerInfo {
  readonly id: string;
  readonly epoch: number;
  /** What it has sent in this epoch: by topic the last number, and where that was stored. */
  readonly topics: readonly { readonly topic: string; readonly seq: number; readonly position: string }[];
}

/**
 * Where the rows stand that were appended. Told once they are durable. Of a producer's request that was stored before its last five, only that it
 * is there is known: `count` is 0, and `position` one at which it was.
 */
export interface AppendResult {
  readonly position: string;
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** How many records could not be decoded and went to the topic's dead letters. Absent: none, or it is not known any more. */
  readonly deadLetters?: number;
}

/** What erasing a key has done. */
export interface Erased {
  /** Up to which nothing of it is left. */
  readonly position: string;
  /** Topics that views over this one are appended to: they may have rows made of it, to be erased there. */
  readonly sinks: readonly string[];
}

export type Operation =
  | { readonly topic: string; readonly append: readonly unknown[] }
  | { readonly topic: string; readonly upsert: readonly unknown[] }
  | { readonly topic: string; readonly delete: readonly unknown[] };

/**
 * What a transaction expects, or is refused with conflict:
 * - a position alone: nothing has been committed since;
 * - a topic and a position: nothing has been committed to it since;
 * - a topic, a key and a version: the row with this key is there as it was at that position; null: it is not there.
 * Positions are those of answers: of the read by which the transaction was decided, or of an append.
 */
export type Expectation =
  | { readonly position: string }
  | { readonly topic: string; readonly position: string }
  | { readonly topic: string; readonly key: Key; readonly version: string | null };

export interface TransactOptions extends AppendOptions {
  readonly expect?: readonly Expectation[] | undefined;
  /** Progress of a consumer that is stored with it, or not at all. @throws EvertError fenced; conflict: these records have been processed. */
  readonly consume?: readonly Consumed[] | undefined;
}

/** How far a consumer has come on a topic. */
export interface Consumed {
  readonly name: string;
  readonly epoch: number;
  readonly topic: string;
  /** Of the record that it reads next. */
  readonly offset: number;
}

export interface OpenConsumerOptions extends Pick<AppendOptions, "idempotencyKey"> {
  /** Where it begins on topics that it has not read before. Default "earliest". */
  readonly from?: ReadTopicOptions["from"];
  /** It begins there on all of them. */
  readonly reset?: boolean | undefined;
}

export interface OpenedConsumer {
  readonly name: string;
  /** Which opening it is: what an earlier one says is refused from now on. */
  readonly epoch: number;
  readonly topics: readonly { readonly topic: string; readonly offset: number }[];
  readonly position: string;
}

export interface ConsumerInfo {
  readonly name: string;
  readonly epoch: number;
  /** When it last said how far it has come: ISO 8601 in UTC. */
  readonly updatedAt: string;
  readonly topics: readonly ConsumerProgress[];
}

export interface ConsumerProgress {
  readonly topic: string;
  /** Of the record that it reads next, and of the record that is appended next. */
  readonly offset: number;
  readonly end: number;
  /** Records that are yet to be read. */
  readonly lag: number;
  /** Records that the topic's retention has given up before they were read. */
  readonly lost: number;
  /** Of the commit in which it came this far. */
  readonly position: string;
}

/** One statement's answer. `rows` are encoded lazily: `json` as to_jsonb prints them, `text` as PostgreSQL's text output. */
export interface StatementResult {
  /** PostgreSQL's command tag: "SELECT 3", "INSERT 0 1", "CREATE TABLE". */
  readonly command: string;
  readonly columns: readonly SqlColumn[];
  readonly rowCount: number;
  /** Each row a JSON array text, e.g. `[1,"a",null]`. */
  readonly rowsJson: readonly string[];
  /** The same one by one, each made when it is taken; as text, its values are strings in PostgreSQL's text output, or null; as objects, each an object's text. */
  rowTexts(form: "json" | "text" | "objects"): Iterable<string>;
  /** Each row's values as PostgreSQL's text output or null. */
  rowsText(): (string | null)[][];
  /** Each row's values as a program has them (docs/TYPES.md). */
  values(): unknown[][];
}

/** The answer to a request's last statement, whose rows are made as they are taken. */
export interface FlowingResult {
  readonly columns: readonly SqlColumn[];
  /** How many have been made so far. */
  readonly rowCount: number;
  /** PostgreSQL's command tag: of the rows made so far. */
  readonly command: string;
  /**
   * All rows, each as `write` takes it: a JSON array text, or, of `objects`, an object's, as in StatementResult. To be asked for once, and read to its end
   * or returned. @throws EvertError of what reads them; what the request's signal was aborted with.
   */
  pieces(
    form: "json" | "text" | "objects",
    write: (row: string) => string,
  ): AsyncGenerator<string, void, undefined>;
  /** Nothing more of it is wanted. */
  close(): void;
}

/** The answers to the statements of a request, up to the first that failed. */
export interface SqlResponse {
  readonly results: readonly StatementResult[];
  /** Where it was asked for, the last answer, if that has rows: it comes after the results, and is to be read or closed. */
  readonly flowing?: FlowingResult;
  /** Set when statement results.length failed; those before it stand. */
  readonly error?: ErrorBody & { readonly status: number };
  readonly position: string;
}

/** Parameters of a request in SQL, and what it waits for. */
export interface SqlOptions extends ReadOptions {
  /** $1, $2 ...: JSON values. */
  readonly params?: readonly unknown[] | undefined;
  /** Stops long queries. */
  readonly signal?: AbortSignal | undefined;
  /** The rows of a SELECT that is the last statement are not in its result: they are made as they are taken, and may be any number. Default false. */
  readonly flowing?: boolean | undefined;
  /** More than one statement is refused. Default false. */
  readonly single?: boolean | undefined;
}

/** COPY … FROM STDIN, taking its text. Nothing is stored before finish(). */
export interface CopyIn {
  readonly direction: "in";
  /** @throws EvertError of the line that cannot be read; request_too_large. */
  write(bytes: Uint8Array): Promise<void>;
  finish(): Promise<{ readonly position: string; readonly rowCount: number; readonly command: string }>;
}

/** COPY … TO STDOUT, giving its text. */
export interface CopyOut {
  readonly direction: "out";
  readonly position: string;
  readonly format: "text" | "csv";
  /** Made as they are taken. REQUIRES that it is begun, and read to the end or returned: until then rows are held for it. */
  readonly pieces: AsyncGenerator<string, void, undefined>;
}

/** A topic's columns from one change of them to the next. */
export interface SchemaVersionInfo {
  readonly version: number;
  /** Of the commit that made it, and its time; null: it is the first. */
  readonly position: string | null;
  readonly timestamp: string | null;
  readonly schema: Schema;
  /** What its key's columns were called; null: it has none. */
  readonly key: readonly string[] | null;
  /** What was changed, in words. */
  readonly changes: readonly string[];
}

/** A schema that a writer of a topic has registered, in the words of whatever it is written in. */
export interface RegisteredSchema {
  /** 1, 2, 3, … over all topics; it stands for this schema for ever. */
  readonly id: number;
  readonly topicId: number;
  readonly text: string;
  /** Of the commit that registered it. */
  readonly position: string;
}

export interface TopicInfo {
  /** Never given to another one. */
  readonly id: number;
  readonly name: string;
  /** Which of its schemas is the present one. */
  readonly schemaVersion: number;
  readonly kind: "stream" | "table";
  readonly schema: Schema;
  readonly key: readonly string[] | null;
  /** Its records are looked at one by one, by a schema of the program's own: they must come as values, not as columns. */
  readonly isChecked: boolean;
  /** Names of columns that have a DEFAULT. */
  readonly withDefault: readonly string[];
  /** Records ever appended. */
  readonly records: number;
  /** Offset of the first record that is there: those before it have been given up. */
  readonly start: number;
  /** What may be taken out of its history; null: nothing. */
  readonly keeping: Keeping | null;
  /** The stream that takes what cannot be decoded; null: that is refused. */
  readonly deadLetters: string | null;
  /** Views that hold back what might go. */
  readonly heldBackBy: readonly string[];
  /** Current rows of a table; records of a stream. */
  readonly rows: number;
  /** Bytes of state held for it. */
  readonly stateBytes: number;
  /** Of its rows that are not in memory, on disk. */
  readonly coldBytes: number;
}

/** catching_up: after a start, while the log behind its checkpoint is replayed; it answers at its position. */
export type ViewStatus = "building" | "catching_up" | "live" | "stale" | "failed";

export interface ViewInfo {
  readonly name: string;
  readonly status: ViewStatus;
  readonly schema: Schema;
  readonly key: readonly string[] | null;
  readonly order: readonly OrderItem[];
  readonly rows: number;
  /** Of its rows and of all its operators; what it shares with other views is counted with each. */
  readonly stateBytes: number;
  /** Of its rows that are not in memory, on disk. */
  readonly coldBytes: number;
  /** Changes its operators have taken from topics and other views, and changes of its rows, since it is kept or since the start. */
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** Time its operators have worked; of small steps an estimate. */
  readonly stepSeconds: number;
  /** The position its rows reflect. */
  readonly position: string;
  /** Commits it is behind the log. */
  readonly lag: number;
  /** 0..1 while building or catching up. */
  readonly progress: number;
  /** Rows in its error collection. */
  readonly errors: number;
  /** Rows left out by onError: "skip". */
  readonly skipped: number;
  readonly definition: string;
  readonly error?: ErrorBody;
  /** In data order, its own rows last. Not in lists of views. */
  readonly operators?: readonly OperatorInfo[];
}

/** An operator of a view: what EXPLAIN ANALYZE tells of it. */
export interface OperatorInfo {
  readonly operator: string;
  /** The parts of the plan it works off. */
  readonly plan: readonly string[];
  /** Their places in the list. */
  readonly inputs: readonly number[];
  /** source: a topic or another view, whose figures are not told here. */
  readonly role: "own" | "shared" | "source";
  readonly rowsIn: number;
  readonly rowsOut: number;
  /** In its state. */
  readonly rows: number;
  readonly stateBytes: number;
  /** Of its rows that are not in memory, on disk. */
  readonly coldBytes: number;
  /** In which rows moved. */
  readonly steps: number;
  readonly seconds: number;
}

/** A key as users give it: the single key column's value, or an array for a composite key. */
export type Key = unknown;

export interface RowsQuery extends ReadOptions {
  /** Equality filters by column name. */
  readonly where?: Readonly<Record<string, unknown>> | undefined;
  /** Column names, "-" in front for descending, or one of them. Absent: the view's own order. */
  readonly order?: string | readonly string[] | undefined;
  readonly limit?: number | undefined;
}

/** The same of a view whose rows have a type. */
export interface RowsOptions<Row> extends ReadOptions {
  readonly where?: Partial<Row>;
  /** Column names, "-" in front for descending; or one of them. */
  readonly order?: string | readonly string[];
  readonly limit?: number;
}

/** Row of a view in TypeScript form (see batch/types.ts). */
export type Row = Record<string, unknown>;

export interface ViewReader {
  readonly info: ViewInfo;
  /** One row by key, at the answered position. */
  get(key: Key, options?: ReadOptions): Promise<Answer & { row: Row | undefined }>;
  /** JSON text of the same, for the servers: no object is made on the way. */
  getJson(key: Key, options?: ReadOptions): Promise<Answer & { rowJson: string | undefined }>;
  rows(query?: RowsQuery): Promise<Answer & { rows: Row[] }>;
  /** In chunks, each made when it is asked for. Whoever does not take them all must return() the iterator: it holds the rows. */
  rowsJson(query?: RowsQuery): Promise<Answer & { rowsJson: AsyncIterableIterator<readonly string[]> }>;
}

export interface Answer {
  readonly position: string;
  /** Set while the view is built anew: the rows are those of its earlier definition, as of `position`. */
  readonly stale?: true;
  /** Set after a start, while the log behind the checkpoint is replayed: `position` is what the log said earlier. */
  readonly catchingUp?: true;
}

/** One term of a view's ORDER BY, by column name. Text compares by its UTF-8 bytes (C collation). */
export interface OrderColumn {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/**
 * What a subscriber is told, in order:
 * 1. for the targets that resume: the steps they missed, up to the current position P;
 * 2. for each other target: one or more snapshots at P (the last one says so); while a view is rebuilt, of its old rows at their position;
 * 3. one step for every step after P that touched any of them, each holding every touched view.
 * So all views always show one moment, also when one is added to a subscription that resumes the others.
 */
export type SubscriptionEvent = SubscriptionItem;

export interface SubscribeTarget {
  readonly view: string;
  /** Only the row with this key. */
  readonly key?: Key | undefined;
  /** Resume this target from this position; absent: SubscribeOptions.from; null: a snapshot, whatever the others do. */
  readonly from?: string | null | undefined;
}

export interface SubscribeOptions {
  /** Resume: the position of the last event seen, for every target that says nothing itself. */
  readonly from?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What of a view a subscription is to tell from now on. */
export interface SubscriptionChange {
  readonly view: string;
  /** All of them are of this view. None: nothing of it. */
  readonly targets: readonly SubscribeTarget[];
  /** It is told anew, or from the positions that the targets give. Otherwise they are some of those that there were, and nothing is told. */
  readonly isAnew: boolean;
}

/**
 * A subscription whose targets are said while it lasts. What comes to it is told as SubscriptionEvent says, at the moment that the others are shown at. A view that
 * cannot be subscribed to is told as an error and not wanted any more; the others go on.
 */
export interface OpenSubscription {
  /** To be read once. */
  readonly events: AsyncIterable<SubscriptionEvent | AlteredItem>;
  /** Takes effect when it resolves; has come about where `events` tell of the token. Calls are not to overlap. */
  alter(changes: readonly SubscriptionChange[], token: unknown): Promise<void>;
}

/** A version of a view: a view of its own, `name@version`. */
export interface VersionInfo {
  readonly version: number;
  /** The plain name means it; it meant it before. */
  readonly isCurrent: boolean;
  readonly isPrevious: boolean;
  readonly info: ViewInfo;
}

/** How two versions of a view differ, at one position. */
export interface VersionDiff {
  readonly position: string;
  /** Rows that are in one alone, and rows of one key that are not the same. Without a key that both have, there are none of the latter. */
  readonly onlyFrom: number;
  readonly onlyTo: number;
  readonly differing: number;
  /** Columns that are not compared: the other version does not have them. */
  readonly columnsOnlyFrom: readonly string[];
  readonly columnsOnlyTo: readonly string[];
  /** Some of them. */
  readonly rows: readonly {
    readonly from: Readonly<Record<string, unknown>> | null;
    readonly to: Readonly<Record<string, unknown>> | null;
  }[];
}

/** Versions of views, side by side (view-versions.ts). `view` is a plain name. */
export interface VersionsApi {
  /** @throws EvertError undefined_table */
  list(view: string): VersionInfo[];
  /** Makes a version beside the others, from a SELECT; resolves when it has its rows. */
  build(
    view: string,
    select: string,
    version?: number,
  ): Promise<{ readonly version: number; readonly name: string; readonly position: string }>;
  /** From now on the plain name means that version, for whoever reads and whoever watches. */
  promote(view: string, version: number): Promise<{ readonly position: string; readonly version: number }>;
  /** The plain name means the version before. */
  rollback(view: string): Promise<{ readonly position: string; readonly version: number }>;
  diff(view: string, from: number, to: number, rowsMax: number): Promise<VersionDiff>;
}

/** One record of a topic, with its place in it and in the log. */
export interface TopicRecord {
  readonly offset: number;
  readonly position: string;
  /** ISO 8601 in UTC. */
  readonly timestamp: string;
  readonly keyJson: string | undefined;
  /** null: a tombstone. */
  readonly valueJson: string | null;
}

/** Records of a topic in columns: rows [from, to) of a batch. */
export interface TopicRows {
  readonly batch: Batch;
  readonly from: number;
  readonly to: number;
  /** Of the columns; those of a table without key are followed by one that is nobody's. */
  readonly schemaVersion: number;
  readonly isDeleted: (row: number) => boolean;
}

/** Which records of a topic are read, and whether to go on with those to come. */
export interface ReadTopicOptions {
  /** An offset, an end of the topic, or a time ("2026-11-21T09:00:00Z"): the first record of then or later. Default "earliest". */
  readonly from?: number | "earliest" | "latest" | Date | TimeText | undefined;
  readonly limit?: number | undefined;
  /** Go on with records as they become durable, without polling. */
  readonly follow?: boolean | undefined;
  /** Which of the topic's schemas the reader knows: at a record that has the columns of another one the reading ends with conflict. */
  readonly schemaVersion?: number | undefined;
  readonly signal?: AbortSignal | undefined;
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
  /** The same in columns, of records that are complete. REQUIRES that the topic's records are not checked one by one (TopicInfo). */
  appendBatch(topic: string, batch: Batch, options?: AppendBatchOptions): Promise<AppendResult>;
  /**
   * One Arrow IPC stream, in one commit. Columns by name; one that is not there has its default, or is null. The stream's memory is given away: the caller does not write to
   * it any more. @throws as append.
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
  /** Deletes a row, and takes all that there ever was of it out of the data directory's files. @throws EvertError what kept it from it: then erasing it again goes on */
  erase(topic: string, key: Key): Promise<Erased>;
  /** Takes out of the log all that topics' retention and compaction let go, up to now. @throws EvertError what kept it from it */
  compact(): Promise<void>;
  /** Drains, checkpoints, closes the log. */
  close(): Promise<void>;
}
