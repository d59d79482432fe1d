/**
 * The log as everyone above it sees it. Two implementations: the file log (this folder) and, later, Kafka.
 *
 * Vocabulary: a *commit* is one atomic append, over one or more topics, and has a *position* (1, 2, 3, ... in the
 * embedded log). A *group* is all commits that share one fdatasync; it is the unit of writing, of stepping the engine
 * and of a frame on disk. Within a group a topic has one batch, or, where large appends come, several that follow
 * one another; no commit is in two of them. Commit boundaries are kept beside each.
 *
 * Order of events for a group:  commits staged -> sealed (listeners called, synchronously; positions are final) ->
 * written -> fdatasync -> `durablePosition` advances, `onDurable` listeners called, each commit's promise resolves.
 * The engine may step a sealed group before it is durable; it must show nothing of it until then.
 */
import type { Batch } from "../batch/batch.ts";
import type { Schema } from "../batch/schema.ts";

/** Position of a commit in the embedded log: 0 = before everything. Opaque above the engine, where it is a decimal string. */
export type Position = number;

export interface CommitInfo {
  readonly position: Position;
  /** Log time in microseconds since 1970; never falls. */
  readonly timeUs: number;
  readonly idempotencyKey: string | null;
  /** Digest of the request that carried the key (to tell "same key, other body"); null without a key. */
  readonly requestDigest: string | null;
}

/** Per row: 0 = append (stream) or upsert (table), 1 = delete (only the key columns count, the others are null). */
export const OP_UPSERT = 0;
export const OP_DELETE = 1;

export interface TopicBatch {
  readonly topicId: number;
  readonly schemaVersion: number;
  /** Offset in the topic of the batch's first row; rows follow without gap. */
  readonly baseOffset: number;
  readonly batch: Batch;
  /** null when every row is OP_UPSERT. */
  readonly ops: Uint8Array | null;
  /** Which commits have rows here: indexes into group.commits, ascending ... */
  readonly commitIndexes: Uint32Array;
  /** ... and where each one's rows end (exclusive); same length as commitIndexes. */
  readonly commitEnds: Uint32Array;
}

export interface Group {
  readonly commits: readonly CommitInfo[];
  readonly firstPosition: Position;
  readonly lastPosition: Position;
  /** By topic; of a topic by offset. */
  readonly batches: readonly TopicBatch[];
}

/** What the log knows of a topic. The catalog (engine) registers each before its first append or read. */
export interface LogTopic {
  readonly topicId: number;
  readonly schemaVersion: number;
  readonly schema: Schema;
  /** Table topics: the columns of the key, which is all a delete keeps. */
  readonly keyColumns?: readonly number[];
}

/**
 * One commit being staged. Made, filled and ended within one synchronous stretch of code: the open group's builders are
 * shared by all commits, so nothing else may run in between.
 */
export interface CommitDraft {
  /**
   * Validates and appends one JSON-like object. @throws EvertError with the path of the value that does not fit, which begins
   * with `path[index]` if they are given; the draft is as it was before the call.
   */
  appendRow(topicId: number, row: unknown, op?: number, path?: string, index?: number): void;
  /** Appends rows[0], rows[1], … as upserts. @throws as appendRow; the draft is as it was before the call. */
  appendRows(topicId: number, rows: readonly unknown[], path?: string): void;
  /** Appends columns; the batch's schema must equal the topic's. `ops` as in TopicBatch. @throws EvertError; the draft is as it was. */
  appendBatch(topicId: number, batch: Batch, ops?: Uint8Array | null): void;
  /**
   * Ends the commit. Its position is final at once; `durable` resolves after the fdatasync, rejects if the disk fails.
   * @throws EvertError, and the draft is rolled back: record_too_large; disk_full or too_many_requests when the commit turned
   * out so much larger than what room() was asked for that there is no zero-filled room for it yet.
   */
  commit(): CommitReceipt;
  /** Forgets everything appended since begin(). */
  rollback(): void;
}

export interface TopicRange {
  readonly topicId: number;
  readonly firstOffset: number;
  /** Inclusive. */
  readonly lastOffset: number;
}

export interface CommitReceipt {
  readonly position: Position;
  readonly timeUs: number;
  readonly ranges: readonly TopicRange[];
  readonly durable: Promise<void>;
}

export interface CommitOptions {
  readonly idempotencyKey?: string | null;
  readonly requestDigest?: string | null;
}

/** What an idempotency key already stands for. Kept 24 hours of log time, rebuilt from the log on open. */
export interface KnownCommit {
  readonly position: Position;
  readonly requestDigest: string | null;
  readonly ranges: readonly TopicRange[];
}

export interface ReadOptions {
  /** First position wanted (a group that begins before it but contains it may be delivered whole). */
  readonly from: Position;
  /** Stop after this position (inclusive, with the same freedom); absent: to the durable end as of now. */
  readonly to?: Position;
  /**
   * Only these topics' batches are decoded; commits and groups without them may be left out unless `everyGroup`, and commits come without
   * their idempotency keys. Absent: all topics.
   */
  readonly topics?: ReadonlySet<number>;
  /** Deliver groups with no batch of the wanted topics too (with empty batches), so that the reader sees each position. */
  readonly everyGroup?: boolean;
  /**
   * Columns of a topic that are wanted, null: all. The others come as nulls; in sealed segments they are not read. Asked once per segment.
   */
  readonly columns?: (topicId: number) => ReadonlySet<number> | null;
  /**
   * What the wanted rows of a topic have in common: rows that do not have it need not be delivered, but may be (whole blocks of a sealed
   * segment are passed over, nothing else). Not heeded with `everyGroup`.
   */
  readonly ranges?: (topicId: number) => readonly ColumnRange[];
  readonly pause?: Pause;
  /** The caller is done with the batches of a group when it asks for the next one: their memory may be used again. */
  readonly reuse?: boolean;
}

/**
 * How a reader of the log lets others have their turn: it asks before each small piece of its work (a frame, a page; well under a millisecond, and maybe
 * none of it what was asked for), and waits for what it is given. Without one it takes a turn of the event loop whenever it has worked for some milliseconds.
 */
export type Pause = () => Promise<unknown> | null;

/** The column's value is not null and lies within; an absent end is open. Numbers for what is no text, its UTF-8 for what is. */
export interface ColumnRange {
  readonly column: number;
  readonly min?: number | Uint8Array;
  readonly max?: number | Uint8Array;
}

/** What a copy of the log consists of, as of one position. */
export interface LogFiles {
  /** The same in every file of a log, and of none other. */
  readonly logId: number;
  readonly position: Position;
  /** Ascending; of each its first bytes, so many. Those of a name stay what they are; a file of frames grows and gives way to its sealed form. */
  readonly files: readonly LogFile[];
}

export interface LogFile {
  readonly name: string;
  readonly bytes: number;
}

export interface SealingStats {
  /** Segments in sealed form. */
  readonly segments: number;
  /** Full segments that wait for it. */
  readonly waiting: number;
  /** Bytes of the frames they were made of, and of their files. */
  readonly originalBytes: number;
  readonly bytes: number;
  /** Why the last attempt failed; null once one has succeeded. */
  readonly failure: string | null;
}

export interface LogStats {
  readonly segments: number;
  /** Of frames and of sealed segments. */
  readonly bytes: number;
  readonly sealing: SealingStats;
  readonly lastPosition: Position;
  readonly durablePosition: Position;
}

export interface Log {
  readonly lastPosition: Position;
  readonly durablePosition: Position;
  /** Rows ever appended to the topic (= its next offset), as of the last staged commit. */
  topicEnd(topicId: number): number;
  /** A topic the catalog has just created or found. A newer schemaVersion replaces the older for appends. */
  /** The log's time: what a commit would be stamped with now, microseconds since 1970. */
  nowUs(): number;
  registerTopic(topic: LogTopic): void;
  /**
   * Null when a commit of about `bytes` may be staged now; otherwise a promise to await first (backpressure: open group full,
   * or zero-filled space being made). Rejects with disk_full / io_error when there is no room, record_too_large when there never will be.
   */
  room(bytes: number): Promise<void> | null;
  /** Starts a commit. Caller has awaited room(). @throws EvertError shutting_down, io_error after a failed fdatasync. */
  begin(options?: CommitOptions): CommitDraft;
  /** Ends the open group, so that the next commit starts a new one (the catalog uses it: DDL stands in a group of its own). */
  seal(): void;
  knownCommit(idempotencyKey: string): KnownCommit | null;
  /** Called synchronously when a group is sealed, in position order. */
  onSealed(listener: (group: Group) => void): () => void;
  /** Called when the durable position has advanced. */
  onDurable(listener: (position: Position) => void): () => void;
  /** Called once, when the disk has failed and nothing more will be acknowledged; in the same turn, if it has by now. */
  onFailed(listener: (error: Error) => void): () => void;
  /** Groups from disk in order, durable ones only; bounded memory, cancellable by return(). */
  read(options: ReadOptions): AsyncIterable<Group>;
  /**
   * Groups holding the topic's rows from `offset` on (the first group may begin below it), to the durable end as of now.
   * Commits come without their idempotency keys. Seeks by a sparse in-memory index; never scans from the start of the log.
   */
  readTopic(topicId: number, offset: number): AsyncIterable<Group>;
  /** Offset of the topic's first durable row of log time `timeUs` or later; its end if there is none. Reads next to nothing. */
  offsetAt(topicId: number, timeUs: number): Promise<number>;
  /**
   * The catalog has registered every topic it knows: from now on full segments are sealed in the background. What fails there is reported, the
   * segment stays as it is, and is tried again later.
   */
  startSealing(): void;
  /** Resolves when no full segment waits to be sealed, or the last attempt has failed. */
  sealed(): Promise<void>;
  stats(): LogStats;
  /** The files as they are now, up to the durable position. */
  files(): LogFiles;
  /** Bytes [from, to) of one of these files, in pieces. @throws EvertError not_found, also where it has given way to its sealed form */
  readFile(name: string, from: number, to: number): AsyncIterable<Uint8Array>;
  /** Seals, writes and syncs what is open, then releases files and the directory lock. */
  close(): Promise<void>;
}
