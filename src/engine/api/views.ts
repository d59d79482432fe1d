/** Views, as they are told, read, subscribed to and versioned. Types only. */
import type { ErrorBody } from "../../base/errors.ts";
import type { Field, Schema } from "../../batch/schema.ts";
import type { OrderItem } from "../../plan/plan.ts";
import type { AlteredItem, SubscriptionItem } from "../../views/subscription-item.ts";

/** What a read waits for. */
export interface ReadOptions {
  /** Wait until this position is reflected. */
  readonly atLeast?: string | undefined;
  /** Bound of that wait; default 10,000. @throws EvertError timeout after it. */
  readonly timeoutMs?: number | undefined;
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
  /** Why its rows are not appended to its sink at present: that is attempted again. */
  readonly sinkError?: ErrorBody;
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
  /** JSON text of the same, for the servers: no object is made on the way. `fields`: of the rows that were looked into. */
  getJson(
    key: Key,
    options?: ReadOptions,
  ): Promise<Answer & { rowJson: string | undefined; fields: readonly Field[] }>;
  rows(query?: RowsQuery): Promise<Answer & { rows: Row[] }>;
  /** In chunks, each made when it is asked for. Whoever does not take them all must return() the iterator: it holds the rows. */
  rowsJson(
    query?: RowsQuery,
  ): Promise<Answer & { rowsJson: AsyncIterableIterator<readonly string[]>; fields: readonly Field[] }>;
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
 * A subscription whose targets are said while it lasts. What comes to it is told as SubscriptionEvent says, at the moment that the others are shown
 * at. A view that cannot be subscribed to is told as an error and not wanted any more; the others go on.
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
