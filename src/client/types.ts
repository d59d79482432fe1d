/** What a user of the client holds on to. Types only. */
import type { EvertError } from "../base/errors.ts";
import type { NumberArray } from "../batch/column-of.ts";
import type { SqlResponse } from "../batch/sql-answer.ts";

/**
 * The row type of a view handle. Views and topics declared in `app.ts` carry it in a property that exists in the type
 * only, so `import type` is all a browser needs. A plain object type stands for itself.
 */
export type RowOf<V> = V extends object
  ? string extends keyof V
    ? V
    : "$row" extends keyof V
      ? NonNullable<V["$row"]>
      : V
  : never;

/** What may be appended to a topic, when its type is given; anything otherwise. */
export type InputOf<T> = unknown extends T
  ? unknown
  : T extends { readonly $input?: infer I }
    ? InputOr<T, I>
    : RowOf<T>;
type InputOr<T, I> = "$input" extends keyof T ? NonNullable<I> : RowOf<T>;

/**
 * The values of one column. Numbers may come in any typed array. Times may come as microseconds since 1970 in a BigInt64Array, dates as
 * days since 1970 in an Int32Array.
 */
export type ColumnOf<Value> =
  | readonly Value[]
  | (Extract<Value, number | bigint> extends never ? never : NumberArray)
  | (Extract<Value, string | Date> extends never ? never : BigInt64Array | Int32Array);

/** What may be appended to a topic column by column, when its type is given: an array for each property. Anything of that shape otherwise. */
export type ColumnsOf<T> = unknown extends T
  ? Readonly<Record<string, readonly unknown[] | NumberArray>>
  : { readonly [Name in keyof InputOf<T>]: ColumnOf<InputOf<T>[Name]> };

/** Anything with a name: a view or topic handle of the server's program, or one made by `viewRef`. */
export interface Named {
  readonly name: string;
}

/** A view's name together with its row type, for the browser side: `viewRef<typeof charts>("charts")`. */
export interface ViewRef<Row> extends Named {
  readonly $row?: Row;
}

export function viewRef<V>(name: string): ViewRef<RowOf<V>> {
  return { name };
}

/** A row as it comes when nobody said what it is. */
export type AnyRow = Readonly<Record<string, unknown>>;

/** The single key column's value, or an array of the values of a composite key. */
export type Key =
  | string
  | number
  | bigint
  | boolean
  | null
  | readonly (string | number | bigint | boolean | null)[];

/**
 * connecting: no rows yet. live: rows are current. reconnecting: the rows are those of the last moment seen, and will continue from there. stale: the
 * rows are those of the view's earlier definition, while the server rebuilds it. error: see `error`; the client goes on trying where that can help.
 */
export type LiveStatus = "connecting" | "live" | "reconnecting" | "stale" | "error";

/** One moment of a view. Immutable; the same object for as long as nothing in it changes. */
export interface ViewSnapshot<Row> {
  /** In the view's ORDER BY; what that leaves open is settled by the columns from left to right, ascending. */
  readonly rows: readonly Row[];
  /** The position these rows were last touched at; undefined before the first. */
  readonly position: string | undefined;
  readonly status: LiveStatus;
  readonly error: EvertError | undefined;
}

/**
 * A view kept current over the client's one connection. It is fetched while somebody listens (`subscribe` or `ready`),
 * and for a moment longer, so that a screen that remounts finds it again.
 */
export interface LiveView<Row> extends ViewSnapshot<Row> {
  readonly name: string;
  /** All four properties at one moment, as one immutable object. */
  readonly snapshot: ViewSnapshot<Row>;
  /** The row with this key among `rows`. */
  get(key: Key): Row | undefined;
  /** Called after every change of `snapshot`; all views of the client have changed together when it is called. */
  subscribe(listener: () => void): () => void;
  /** Resolves with the rows once the view is live; rejects when the server says that it cannot be. */
  ready(): Promise<readonly Row[]>;
}

export interface ReadOptions {
  /** Wait until this position is reflected. */
  readonly atLeast?: string | undefined;
  /** Bound of that wait, on the server. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface RowsQuery extends ReadOptions {
  /** Equality filters by column name. */
  readonly where?: Readonly<Record<string, string | number | bigint | boolean>> | undefined;
  /** Column names, "-" in front for descending, or one of them. Absent: the view's own order. */
  readonly order?: string | readonly string[] | undefined;
  readonly limit?: number | undefined;
}

export interface AppendOptions {
  /** Same key and rows: stored once. Made up when absent, so that a retry after a lost answer stores nothing twice. */
  readonly idempotencyKey?: string | undefined;
  /**
   * How the rows travel. "arrow": as columns, which the server takes several times as fast, and which is worth it from some hundred rows on; the
   * topic's columns are asked for once. Default "json".
   */
  readonly format?: "json" | "arrow" | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface AppendResult {
  readonly position: string;
  readonly count: number;
  readonly firstOffset: number;
  readonly lastOffset: number;
  /** How many records could not be decoded and went to the topic's dead letters. Absent: none. */
  readonly deadLetters?: number;
}

/** One part of a transaction. A table's record replaces the row with its key. */
export type Operation =
  | { readonly topic: string | Named; readonly append: unknown }
  | { readonly topic: string | Named; readonly upsert: unknown }
  | { readonly topic: string | Named; readonly delete: unknown };

/**
 * What must hold for a transaction to be stored:
 * - a position: nothing has been committed since;
 * - a topic and a position: nothing has been committed to it since;
 * - a table, a key and a version: its row is there as it was at that position; null: there is none.
 */
export type Expectation =
  | { readonly position: string }
  | { readonly topic: string | Named; readonly position: string }
  | { readonly topic: string | Named; readonly key: Key; readonly version: string | null };

export interface TransactOptions {
  /** What does not hold is thrown as `conflict`, and nothing is stored. */
  readonly expect?: readonly Expectation[] | undefined;
  /** As in AppendOptions. */
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ClientOptions {
  /** Sent as `Authorization: Bearer ...`. */
  readonly token?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Steps that arrive within this time of the last notification are shown together; the first one at once. Default 16; 0: never wait. */
  readonly notifyIntervalMs?: number | undefined;
  /** A connection silent for this long is dead. Default two and a half times the server's heartbeat. */
  readonly silenceMsMax?: number | undefined;
  /** Longest pause between two attempts to connect. Default 5,000. */
  readonly backoffMsMax?: number | undefined;
  /** How long a view is kept after its last listener has left. Default 2,000. */
  readonly lingerMs?: number | undefined;
  /** How long an append is tried again while the server cannot be reached. Default 30,000. */
  readonly retryMsMax?: number | undefined;
  readonly fetch?: typeof fetch | undefined;
}

/**
 * Appends that are stored once and in the order in which they were asked for, whatever becomes of connections and the server meanwhile. Who makes a
 * producer with the same id takes its place: what the earlier one sends from then on is refused (`fenced`), so that a program and its successor never
 * write side by side.
 */
export interface Producer {
  readonly id: string;
  /** Which start of the producer this is; undefined before its first append. */
  readonly epoch: number | undefined;
  /**
   * All rows as one commit. It need not be awaited before the next one: some are on the way at once, the others wait. One that is refused for good is
   * left out, and those behind it are stored.
   */
  append<T = unknown>(topic: string | Named, rows: InputOf<T> | readonly InputOf<T>[]): Promise<AppendResult>;
  /** Resolves when all that was asked for is stored or refused. */
  flush(): Promise<void>;
  /** What is not answered yet is refused; it may have been stored. */
  close(): void;
}

export interface ConsumerOptions {
  readonly topics: readonly (string | Named)[];
  /** Where it begins on topics that it has not read before. Default "earliest". */
  readonly from?: "earliest" | "latest" | number | Date | undefined;
  /** It begins there on all of them. */
  readonly reset?: boolean | undefined;
  /** Go on with records to come. Default true; false: ends with what is there. */
  readonly follow?: boolean | undefined;
  /** Records of a batch, at most. Default 512. */
  readonly batchRecordsMax?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One record of a topic; of a table's tombstone the value is null. */
export interface ConsumedRecord<Row = AnyRow> {
  readonly offset: number;
  readonly position: string;
  /** ISO 8601 in UTC. */
  readonly timestamp: string;
  /** Of a table's record: the key column's value, or an array of the values of a composite key. */
  readonly key?: unknown;
  readonly value: Row | null;
}

/** Records of one topic, in order. */
export interface ConsumedBatch<Row = AnyRow> {
  readonly topic: string;
  readonly records: readonly ConsumedRecord<Row>[];
  /** All up to the end of the batch has been processed. @throws EvertError fenced: a newer instance goes on */
  commit(): Promise<{ position: string }>;
  /**
   * What was made of the batch, and that it has been processed, as one commit or not at all. @throws EvertError fenced; conflict: it has been
   * processed already
   */
  transact(operations: readonly Operation[]): Promise<{ position: string }>;
}

/**
 * Who reads topics under a name; the server remembers how far it has come. Whoever opens the name next takes its place: what this one says from then
 * on is refused.
 */
export interface Consumer<Row = AnyRow> extends AsyncIterable<ConsumedBatch<Row>> {
  readonly name: string;
  /** Takes the place of an earlier instance; reading does so by itself. */
  open(): Promise<{ readonly epoch: number }>;
  /** Reading ends. */
  close(): void;
}

export interface Client {
  /** The newest position this client has been told of, in any answer or step; undefined before the first. */
  readonly position: string | undefined;
  /** The live view of that name; the same object for the same name. */
  view<V extends Named>(view: V): LiveView<RowOf<V>>;
  view<V = AnyRow>(name: string): LiveView<RowOf<V>>;
  /** Stored once, or an error. Tried again by itself when the network or the server goes away. */
  append<T = unknown>(
    topic: string | Named,
    rows: InputOf<T> | readonly InputOf<T>[],
    options?: AppendOptions,
  ): Promise<AppendResult>;
  /**
   * The same for columns, as an Arrow stream: one array for each column, all of one length, not to be changed before this is settled. A column left
   * out is null. Several under way at once go faster than one after the other; each is a commit of its own.
   */
  appendColumns<T = unknown>(
    topic: string | Named,
    columns: ColumnsOf<T>,
    options?: Omit<AppendOptions, "format">,
  ): Promise<AppendResult>;
  /** Whoever has the id from now on; its epoch begins with its first append. */
  producer(id: string): Producer;
  /** Reads topics, from where the name has come, through broken connections; each batch comes again until it is committed. */
  consumer(name: string, options: ConsumerOptions): Consumer;
  /** All of the operations, as one commit, or none. Stored once, or an error; tried again by itself like append. */
  transact(operations: readonly Operation[], options?: TransactOptions): Promise<{ position: string }>;
  /** Each statement is a transaction of its own unless inside BEGIN ... COMMIT. Sent once, never again by itself. */
  sql(text: string, params?: readonly unknown[], options?: ReadOptions): Promise<SqlResponse>;
  /**
   * The rows of one query at one position, as objects, some at a time as they arrive: for answers too long to be held. The server makes them as they
   * are taken.
   * @throws EvertError also between rows, where the connection breaks: not all have come then.
   */
  stream<Row = AnyRow>(
    query: string,
    params?: readonly unknown[],
    options?: ReadOptions,
  ): AsyncGenerator<readonly Row[], void, undefined>;
  /** One row, read from the server. */
  get<V = AnyRow>(view: string | Named, key: Key, options?: ReadOptions): Promise<RowOf<V> | undefined>;
  /** Rows at one moment, read from the server. `stale`: of the view's earlier definition, while it is built anew. */
  rows<V = AnyRow>(
    view: string | Named,
    query?: RowsQuery,
  ): Promise<{ rows: RowOf<V>[]; position: string; stale?: true }>;
  /** Ends the connection and every live view. */
  close(): void;
}
