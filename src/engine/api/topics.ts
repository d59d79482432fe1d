/** Topics and their records, as they are told and read. Types only. */
import type { Batch } from "../../batch/batch.ts";
import type { Schema } from "../../batch/schema.ts";
import type { Keeping } from "../../plan/keeping.ts";
import type { TimeText } from "../read-time.ts";

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
