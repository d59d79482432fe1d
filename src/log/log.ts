/**
 * The log as everyone above it sees it. Two implementations: the file log (this folder) and, later, Kafka.
 *
 * Vocabulary: a *commit* is one atomic append, over one or more topics, and has a *position* (1, 2, 3, ... in the
 * embedded log). A *group* is commits that are sealed together, the unit of stepping the engine; a *frame* on disk is all that share one fdatasync: a
 * group, or several that waited for it. Within a group a topic has one batch, or, where large appends come, several that follow
 * one another; no commit is in two of them. Commit boundaries are kept beside each.
 *
 * Order of events for a group: commits staged -> sealed (positions are final; its write is begun, if none is under way, and listeners are called, all
 * within one call) -> written -> fdatasync -> `durablePosition` advances, `onDurable` listeners called, each commit's promise resolves. The engine
 * may step a sealed group before it is durable; it must show nothing of it until then.
 */

import type { EvertError } from "../base/errors.ts";
import type { Batch } from "../batch/batch.ts";
import type { Datum } from "../batch/datum.ts";
import type { Schema } from "../batch/schema.ts";
import type { ColumnRange } from "./column-range.ts";
import type { KeepingRules, KeepingStats } from "./keeping/rules.ts";
import type { Page } from "./sealed/page.ts";

export type { ColumnRange } from "./column-range.ts";

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

/** A batch that is read is in the newest schema of its topic, if that says which column is which; one that was just sealed is in its own. */
export interface TopicBatch {
  readonly topicId: number;
  readonly schemaVersion: number;
  /** Offset in the topic of the batch's first row; rows follow without gap, unless `offsets` are given. */
  readonly baseOffset: number;
  /** Offset of each row, where rows between them are gone. */
  readonly offsets?: Float64Array;
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
  /**
   * Of a topic with several schemas: which column this is in all of them. Absent: 1, 2, 3 …, and if it is of the newest, every batch is read as it
   * was written.
   */
  readonly columnIds?: readonly number[];
  /** Per column, what rows of the schemas without it have there; null for null. Absent: null for all. */
  readonly missing?: readonly Datum[];
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
  /** First position wanted: groups are cut to what is asked for. */
  readonly from: Position;
  /** Stop after this position (inclusive); absent: to the durable end as of now. */
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
  /**
   * Of each topic the rows are wanted as they follow. Where retention gives up some that come behind others which have been delivered, reading ends
   * with records_gone, maybe after all has been delivered.
   */
  readonly unbroken?: boolean;
}

export interface HistoryOptions {
  readonly from: Position;
  readonly to: Position;
  /**
   * By topic the columns that are wanted, as the newest schema has them. Asked once per segment, for the topic may be changed meanwhile; null: they
   * are not all there any more, and the segment is said to be read by its positions.
   */
  readonly columns: ReadonlyMap<number, () => readonly number[] | null>;
  /** As ReadOptions.ranges. */
  readonly ranges: (topicId: number) => readonly ColumnRange[];
}

/** A stretch of the log: positions to be read; or rows of one topic that any thread can read. */
export type HistoryPart =
  | { readonly kind: "groups"; readonly from: Position; readonly to: Position }
  | HistoryPiece;

export interface HistoryPiece {
  readonly kind: "piece";
  readonly piece: SealedPiece;
  /** By which the file is read until release() is called. */
  readonly file: { readonly path: string; readonly descriptor: number };
  /** The last position of its segment. */
  readonly lastPosition: Position;
  /** It has been read, or will not be: once. */
  release(): void;
}

/** Some blocks of a topic in a sealed segment (sealed/pieces.ts). Plain data. */
export interface SealedPiece {
  readonly topicId: number;
  /** Of the segment's file, for what is said of damage. */
  readonly segment: string;
  readonly rows: number;
  /** Of the pages before compression. */
  readonly bytes: number;
  /** As they were wanted, of the schema that was the newest then; others come as nulls. */
  readonly columns: readonly number[];
  /** That the rows were written in. */
  readonly from: LogTopic;
  /** The newest when columns were asked for; null: it is that one. */
  readonly to: LogTopic | null;
  readonly blocks: readonly PieceBlock[];
}

export interface PieceBlock {
  readonly rows: number;
  /** Null: not wanted. */
  readonly columns: readonly (PiecePage | null)[];
  /** The batch in its frame's form, of a topic without a schema. */
  readonly opaque: Page | null;
}

export interface PiecePage extends Page {
  readonly nulls: number;
}

/**
 * How a reader of the log lets others have their turn: it asks before each small piece of its work (a frame, a page; well under a millisecond, and
 * maybe none of it what was asked for), and waits for what it is given. Without one it takes a turn of the event loop whenever it has worked for some
 * milliseconds.
 */
export type Pause = () => Promise<unknown> | null;

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
  readonly keeping: KeepingStats;
  readonly lastPosition: Position;
  readonly durablePosition: Position;
}

/** A frame that a follower has taken over. */
export interface ReceivedFrame {
  readonly group: Group;
  /** Resolves when it is synced. */
  readonly durable: Promise<void>;
}

/** The way into a log that follows another: see intake.ts. */
export interface LogIntake {
  /** Where the log ends: its last position, and the time of the commit there. */
  readonly end: { readonly position: Position; readonly timeUs: number };
  /** A frame as its leader has written it, into the segment that begins there. One at a time. @throws EvertError, and nothing of it is taken */
  frame(segment: Position, bytes: Uint8Array): Promise<ReceivedFrame>;
  /** Where a sealed segment is to be written, and synced, before adopt(). */
  readonly incomingPath: string;
  /**
   * Takes over the sealed segment that lies there, by its name. Listeners are told of no group: they are read. Not whole: rows have been taken out of
   * it, in whose place others are, which may stand behind it. @throws EvertError, and nothing of it is taken
   */
  adopt(name: string): Promise<{ readonly isWhole: boolean }>;
}

/** That others are to have a commit before it counts as durable: see confirmations.ts. */
export interface Requirement {
  /** How long an append waits. */
  readonly timeoutMs: number;
  /** What it is told then. */
  readonly late: (position: Position) => EvertError;
}

/** A piece of the log as it is stored: whole frames of one segment, one behind the other; or a segment that is sealed, to be read as a file. */
export type StoredPiece =
  | {
      readonly kind: "frames";
      readonly segment: Position;
      readonly last: Position;
      readonly bytes: Uint8Array;
    }
  | { readonly kind: "sealed"; readonly segment: Position; readonly last: Position; readonly file: LogFile };

/** The durable log from a position on, piece by piece, as a follower takes it over. */
export interface StoredPieces {
  /** The next piece; null: there is none yet. @throws EvertError diverged where no commit of this log begins there; log_damaged */
  next(): Promise<StoredPiece | null>;
  /** Bytes of files that are still to come. */
  readonly behind: number;
  close(): Promise<void>;
}

export interface Log {
  /** The same in every file of a log. */
  readonly logId: number;
  /** Null in a log that is led here. Until lead() nothing else comes into a log that follows: begin() is not called. */
  readonly intake: LogIntake | null;
  /**
   * From now on the log is led here; what comes begins a segment. REQUIRES that nothing is being received or written. @throws EvertError disk_full:
   * it follows as before
   */
  lead(): Promise<void>;
  /**
   * From here on the log gives the state of every table: rows may have been taken out that others replace up to there. Beyond the end only in a copy
   * that is not whole.
   */
  readonly horizon: Position;
  /** The same for who has all of the state up to `position`, and goes on from there. */
  horizonBehind(position: Position): Position;
  /** First position of the segment that the position lies in, or will. */
  segmentOf(position: Position): Position;
  /**
   * Whether deletes of commits behind the position may have been taken out: who has the log up to there from another time would keep rows that are
   * gone.
   */
  lacksDeletesBehind(position: Position): boolean;
  /** What is stored from a position on, confirmed or not. */
  stored(from: Position): StoredPieces;
  /** The last position on this disk: beyond the durable one where that waits to be confirmed. */
  readonly storedPosition: Position;
  /** Called when the stored position has advanced. */
  onStored(listener: (position: Position) => void): () => void;
  /** From now on what is written is durable, for whoever asks, only when confirm() has said that others have it: see confirmations.ts. */
  requireConfirmation(requirement: Requirement): void;
  /** Null: what is on this disk is durable. */
  readonly requirement: Requirement | null;
  confirm(position: Position): void;
  readonly lastPosition: Position;
  readonly durablePosition: Position;
  /** Rows ever appended to the topic (= its next offset), as of the last staged commit. */
  topicEnd(topicId: number): number;
  /**
   * The newest schema version in which there are durable rows of the topic, also where the definition of that version was lost; 0: there are none.
   */
  topicVersion(topicId: number): number;
  /** Rows below it have been given up by retention; 0: none have. (A compacted topic begins where it began, and lacks rows in between.) */
  topicStart(topicId: number): number;
  /** The log's time: what a commit would be stamped with now, microseconds since 1970. */
  nowUs(): number;
  /** A topic the catalog has just created or found. A newer schemaVersion replaces the older for appends, and is what all rows are read in. */
  registerTopic(topic: LogTopic): void;
  /** How many have been registered. */
  readonly schemas: number;
  /** Called when one has been. */
  onRegistered(listener: (topicId: number) => void): () => void;
  /**
   * The topic is gone: what was kept for its next rows is let go. Its schemas stay, for its records are there until they are taken out. REQUIRES that
   * no commit is being staged.
   */
  forgetTopic(topicId: number): void;
  /** The batch in the newest schema of its topic: it may have been sealed, or its reader begun, before that was registered. */
  inNewestSchema(topicBatch: TopicBatch): TopicBatch;
  /**
   * Null when a commit of about `bytes` may be staged now; otherwise a promise to await first (backpressure: open group full,
   * or zero-filled space being made). Rejects with disk_full / io_error when there is no room, record_too_large when there never will be.
   */
  room(bytes: number): Promise<void> | null;
  /** Starts a commit. Caller has awaited room(). @throws EvertError shutting_down, io_error after a failed fdatasync. */
  begin(options?: CommitOptions): CommitDraft;
  /** Ends the open group, so that the next commit starts a new one (the catalog uses it: DDL stands in a group of its own). */
  seal(): void;
  /**
   * Ends the open group; the next begins a segment, so that those before are full. REQUIRES that nobody who has waited for room() has yet to stage.
   */
  turnOver(): void;
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
   * The same rows in an order of its own, those of a topic in theirs: of segments that are sealed piece by piece, unread, for threads to read; of
   * others, where to read them. Without commits. Cancellable by return(); files are closed when the last piece has been given back.
   */
  history(options: HistoryOptions): AsyncGenerator<HistoryPart, void, undefined>;
  /**
   * Groups holding the topic's rows from `offset` on (the first group may begin below it), to the durable end as of now.
   * A log that follows may have taken over rows in a schema that is not registered yet: it ends before these.
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
  /** What may be taken out of sealed segments, in the background; asked for before each pass. Without rules nothing goes, ever. */
  keep(rules: () => KeepingRules): void;
  /**
   * Takes out all that the rules let go, up to the newest sealed segment, and resolves when nothing is left to do. @throws EvertError what kept it
   * from it
   */
  compact(): Promise<void>;
  /**
   * Takes the rows of one key, deletes too, out of all segments up to the position, which must be sealed and within the rules' horizon; afterwards no
   * file of the log has them. `key`: one row of the topic, of which its key counts. @throws EvertError what kept it from it: then some may be there
   */
  erase(topicId: number, key: Batch, to: Position): Promise<void>;
  stats(): LogStats;
  /** The files as they are now, up to the durable position. */
  files(): LogFiles;
  /** Bytes [from, to) of one of these files, in pieces. @throws EvertError not_found, also where it has given way to its sealed form */
  readFile(name: string, from: number, to: number): AsyncIterable<Uint8Array>;
  /** Seals, writes and syncs what is open, then releases files and the directory lock. */
  close(): Promise<void>;
}
