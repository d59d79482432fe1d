/**
 * Every request and answer of the HTTP interface under /v1, as types. The server writes these, the client and the
 * command line read them; nothing else describes them. What event streams say is in event-messages.ts.
 *
 * Positions are opaque strings; comparePositions (base/position.ts) orders two. Values are JSON as PostgreSQL's
 * to_jsonb prints them (see batch/types.ts), so an int8 or a numeric may have more digits than a double holds.
 */
import type { ErrorBody } from "../../base/errors.ts";
import type { SqlResponse, SqlResult as StatementAnswer } from "../../batch/sql-answer.ts";

export const contentTypes = {
  json: "application/json",
  ndjson: "application/x-ndjson",
  eventStream: "text/event-stream",
  arrow: "application/vnd.apache.arrow.stream",
  /** Messages in Avro's framing, each as Confluent's serializers write it (wire/avro/framing.ts). */
  avro: "avro/binary",
  /** An object container file. */
  avroFile: "application/avro",
  bytes: "application/octet-stream",
} as const;

export const headers = {
  /** On every answer: the newest position reads reflect, or the answer's own position where it has one. */
  position: "Evert-Position",
  /** On answers with a view's rows, and on what it is: the same for as long as its columns are. */
  columns: "Evert-Columns",
  idempotencyKey: "Idempotency-Key",
  lastEventId: "Last-Event-ID",
  prefer: "Prefer",
  /** Of an append, those of the Durable Streams protocol: who sends it, since which start, and as the how manyth. */
  producerId: "Producer-Id",
  producerEpoch: "Producer-Epoch",
  producerSeq: "Producer-Seq",
  /** On its refusal: which number would be stored, and which came. */
  producerExpectedSeq: "Producer-Expected-Seq",
  producerReceivedSeq: "Producer-Received-Seq",
} as const;

/** In `Prefer`, of one who waits long for the beginning of an answer: to be told now and then, by 102, that there will be one. */
export const preferProcessing = "processing";

/** What a query string of rows says beside values of columns. */
export const rowsParameters: readonly string[] = ["order", "limit", "from", "atLeast", "timeoutMs"];

/** A request body larger than this is refused with 413 unless it is committed in chunks (`?atomic=false`). */
export const bodyBytesMax = 64 * 1024 * 1024;
/** How long a read waits for `atLeast` when it does not say. */
export const timeoutMsDefault = 10_000;

export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

export interface ColumnMessage {
  readonly name: string;
  /** PostgreSQL's typname: `_int4` for `int4[]`, an enum's own name. */
  readonly type: string;
  /** Of an enum, or of an array of one, in a view's snapshot: its labels in their order. */
  readonly labels?: readonly string[] | undefined;
}

/** The body of every answer whose status is 400 or more. */
export interface ErrorMessage {
  readonly error: ErrorBody;
}

// ---- POST /v1/sql

export interface SqlRequest {
  readonly sql: string;
  /** $1, $2, ... */
  readonly params?: readonly JsonValue[];
  readonly atLeast?: string;
  readonly timeoutMs?: number;
  /** json (default): values as to_jsonb prints them. text: each value as PostgreSQL's text output, or null. */
  readonly format?: "json" | "text";
}

export interface SqlResult extends StatementAnswer {
  readonly columns: readonly ColumnMessage[];
  readonly rows: readonly (readonly JsonValue[])[];
}

export interface SqlAnswer extends SqlResponse {
  readonly results: readonly SqlResult[];
  /** Statement `results.length` (from 0) failed; those before it stand. The answer has this error's status. */
  readonly error?: ErrorBody;
}

// ---- /v1/topics

export interface TopicColumnMessage extends ColumnMessage {
  /** As PostgreSQL prints it: `numeric(10,2)`. */
  readonly declaredType: string;
  readonly nullable: boolean;
  /** Of a topic's present columns: records that do not name it have its default. */
  readonly hasDefault?: true;
}

export interface TopicMessage {
  readonly name: string;
  readonly kind: "stream" | "table";
  readonly columns: readonly TopicColumnMessage[];
  /** Which of its schemas has these columns. */
  readonly schemaVersion: number;
  /** Key columns, or null. */
  readonly key: readonly string[] | null;
  /** Records ever appended. */
  readonly records: number;
  /** Offset of the first record that is there. */
  readonly start: number;
  /** What may be taken out of its history; null: nothing. */
  readonly keeping: KeepingMessage | null;
  /** Current rows of a table; records of a stream. */
  readonly rows: number;
  readonly stateBytes: number;
  /** Of its rows that are not in memory, on disk. */
  readonly coldBytes: number;
}

/** Lengths of time as PostgreSQL prints intervals; null: does not go by it. */
export interface KeepingMessage {
  readonly retainFor: string | null;
  readonly retainBytes: number | null;
  readonly compact: boolean;
  readonly tombstonesFor: string | null;
  readonly despiteViews: boolean;
  /** Views that hold back what might go. */
  readonly heldBackBy: readonly string[];
}

export interface TopicsAnswer {
  readonly topics: readonly TopicMessage[];
  readonly position: string;
}

/** A topic's columns from one change of them to the next. */
export interface SchemaMessage {
  readonly version: number;
  /** Of the commit that made it, and its time; null: it is the first. */
  readonly position: string | null;
  readonly timestamp: string | null;
  readonly columns: TopicMessage["columns"];
  /** What was changed, in words. */
  readonly changes: readonly string[];
  /** The same as an Avro schema, and its id; null: there is none. */
  readonly avro: { readonly id: number; readonly schema: string } | null;
}

/** GET /v1/topics/{topic}/schemas: oldest first */
export interface SchemasAnswer {
  readonly schemas: readonly SchemaMessage[];
  readonly position: string;
}

/** POST /v1/topics/{topic}/records */
export interface AppendAnswer {
  readonly position: string;
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** Records that could not be decoded and went to the topic's dead letters. Absent: none. */
  readonly deadLetters?: number;
}

/** POST /v1/topics/{topic}/records?atomic=false: offsets and position are null when nothing was stored. */
export interface ChunkedProgress {
  readonly position: string | null;
  readonly count: number;
  readonly firstOffset: number | null;
  readonly lastOffset: number | null;
  /** Commits made. */
  readonly commits: number;
  /** Records that could not be decoded and went to the topic's dead letters. Absent: none. */
  readonly deadLetters?: number;
}

/** A chunked append that failed on the way: `committed` stands. */
export interface ChunkedErrorMessage extends ErrorMessage {
  readonly committed: ChunkedProgress;
}

/** POST /v1/producers */
export interface RegisteredAnswer {
  readonly id: string;
  readonly epoch: number;
  readonly position: string;
}

/** GET /v1/producers/{producer}: by topic the last number that is stored in this epoch. */
export interface ProducerAnswer {
  readonly id: string;
  readonly epoch: number;
  readonly topics: readonly { readonly topic: string; readonly seq: number; readonly position: string }[];
}

/** POST /v1/consumers */
export interface OpenedConsumerAnswer {
  readonly name: string;
  /** Which opening it is; it goes with what the consumer says from now on. */
  readonly epoch: number;
  readonly topics: readonly { readonly topic: string; readonly offset: number }[];
  readonly position: string;
}

/** GET /v1/consumers/{consumer} */
export interface ConsumerMessage {
  readonly name: string;
  readonly epoch: number;
  /** ISO 8601 in UTC. */
  readonly updatedAt: string;
  readonly topics: readonly ConsumerProgressMessage[];
}

export interface ConsumerProgressMessage {
  readonly topic: string;
  /** Of the record that it reads next, and of the record that is appended next. */
  readonly offset: number;
  readonly end: number;
  /** Records that are yet to be read, and those that were given up before. */
  readonly lag: number;
  readonly lost: number;
  readonly position: string;
}

export interface ConsumersAnswer {
  readonly consumers: readonly ConsumerMessage[];
  readonly position: string;
}

/** DELETE /v1/topics/{topic}/records/{key}, POST /v1/transactions, DELETE /v1/views/{view} */
export interface PositionAnswer {
  readonly position: string;
}

/** DELETE /v1/topics/{topic}/records/{key}?erase=true */
export interface ErasedAnswer extends PositionAnswer {
  /** Topics that views over this one are appended to: they may have rows made of it, to be erased there. */
  readonly sinks: readonly string[];
}

/** GET /v1/backup: the log's files at this position; of each the first so many bytes. */
export interface BackupAnswer {
  readonly logId: number;
  readonly position: string;
  readonly files: readonly { readonly name: string; readonly bytes: number }[];
}

/** One line of GET /v1/topics/{topic}/records. */
export interface RecordMessage {
  readonly offset: number;
  readonly position: string;
  /** ISO 8601 in UTC. */
  readonly timestamp: string;
  /** Keyed topics only: the key column's value, or an array of a composite key's values. */
  readonly key?: JsonValue;
  /** null: a tombstone. */
  readonly value: JsonValue;
}

// ---- POST /v1/transactions

export type OperationMessage =
  | { readonly topic: string; readonly append: JsonValue | readonly JsonValue[] }
  | { readonly topic: string; readonly upsert: JsonValue | readonly JsonValue[] }
  /** Keys: one scalar or a list of keys; a composite key is an array of its values, inside the list. */
  | { readonly topic: string; readonly delete: JsonValue | readonly JsonValue[] };

export interface TransactionRequest {
  readonly operations: readonly OperationMessage[];
  readonly idempotencyKey?: string;
}

// ---- /v1/views

export interface ViewMessage {
  readonly name: string;
  readonly status: "building" | "catching_up" | "live" | "stale" | "failed";
  readonly columns: readonly TopicColumnMessage[];
  readonly key: readonly string[] | null;
  /** The view's own order; empty when it has none. */
  readonly order: readonly OrderColumnMessage[];
  readonly rows: number;
  /** Of its rows and of all its operators; what it shares with other views is counted with each. */
  readonly stateBytes: number;
  /** Of its rows that are not in memory, on disk. */
  readonly coldBytes: number;
  /** Changes its operators have taken, and changes of its rows, since it is kept or since the start. */
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
  /** Rows left out by `onError: "skip"`. */
  readonly skipped: number;
  readonly definition: string;
  readonly error?: ErrorBody;
  /** Why its rows are not appended to its sink at present: that is attempted again. */
  readonly sinkError?: ErrorBody;
  /** In GET /v1/views/{view} only: in data order, the view's own rows last. */
  readonly operators?: readonly OperatorMessage[];
}

/** One term of a view's ORDER BY. Text compares by its UTF-8 bytes (C collation). */
export interface OrderColumnMessage {
  readonly column: string;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/** What EXPLAIN ANALYZE tells of an operator. */
export interface OperatorMessage {
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

export interface ViewsAnswer {
  readonly views: readonly ViewMessage[];
  /** Of all topics and views; what several share counts once. */
  readonly stateBytes: number;
  /** What that may be. */
  readonly memoryLimit: number;
  /** Of files of rows that are not in memory. */
  readonly coldBytes: number;
  readonly position: string;
}

/** A version of a view. */
export interface VersionMessage {
  readonly version: number;
  /** The plain name means it; it meant it before. */
  readonly isCurrent: boolean;
  readonly isPrevious: boolean;
  /** Its name is `view@version`. */
  readonly view: ViewMessage;
}

/** GET /v1/views/{view}/versions */
export interface VersionsAnswer {
  readonly versions: readonly VersionMessage[];
  readonly position: string;
}

/** POST /v1/views/{view}/versions: it has its rows. */
export interface BuiltAnswer {
  readonly version: number;
  readonly name: string;
  readonly position: string;
}

/** POST /v1/views/{view}/versions/{version}/promote, POST /v1/views/{view}/rollback */
export interface PromotedAnswer {
  readonly version: number;
  readonly position: string;
}

/** GET /v1/views/{view}/diff: how two versions differ at this position. Without a key that both have, rows are in one alone. */
export interface DiffAnswer {
  readonly position: string;
  readonly onlyFrom: number;
  readonly onlyTo: number;
  readonly differing: number;
  /** What is not compared. */
  readonly columnsOnlyFrom: readonly string[];
  readonly columnsOnlyTo: readonly string[];
  /** Some of them. */
  readonly rows: readonly {
    readonly from: Readonly<Record<string, unknown>> | null;
    readonly to: Readonly<Record<string, unknown>> | null;
  }[];
}

export interface RowsAnswer<R = JsonRow> {
  readonly rows: readonly R[];
  readonly position: string;
  /** Set while the view is built anew: the rows are those of its earlier definition, as of `position`. */
  readonly stale?: true;
  /** Set after a start, while the log behind the checkpoint is replayed. */
  readonly catchingUp?: true;
}

export interface RowAnswer<R = JsonRow> {
  readonly row: R;
  readonly position: string;
  readonly stale?: true;
  readonly catchingUp?: true;
}

/** The 404 of GET /v1/views/{view}/rows/{key}: there is no such row at `position`. */
export interface RowMissingMessage extends ErrorMessage {
  readonly position: string;
  readonly stale?: true;
  readonly catchingUp?: true;
}

export type JsonRow = { readonly [column: string]: JsonValue };

// ---- Replicas

/** GET /v1/replication */
export interface ReplicationAnswer {
  /** superseded: a leader in whose place a follower was promoted. */
  readonly role: "leader" | "follower" | "superseded";
  readonly logId: number;
  readonly epoch: number;
  readonly position: string;
  readonly following?: FollowingMessage;
  readonly followers: readonly FollowerMessage[];
}

/** Of a follower: whom it follows, and how far it is behind. */
export interface FollowingMessage {
  readonly leader: string;
  readonly state: "connecting" | "following" | "stopped";
  readonly error?: ErrorBody;
  readonly leaderPosition?: string;
  readonly lagPositions?: number;
  readonly lagBytes?: number;
  readonly lagSeconds: number;
}

/** Of a leader: one that follows it. */
export interface FollowerMessage {
  readonly id: string;
  readonly position: string;
  readonly behindBytes: number;
  readonly connectedSeconds: number;
}

/** POST /v1/promote */
export interface PromotionAnswer {
  readonly epoch: number;
  readonly position: string;
}

// ---- Health

export interface HealthAnswer {
  readonly status: "ok";
  readonly position: string;
}

/** GET /v1/ready: status 200 when ready, 503 before. */
export interface ReadyAnswer {
  readonly ready: boolean;
  /** 0..1: how much of the log after the checkpoint has been replayed. */
  readonly progress: number;
  readonly position: string;
}
