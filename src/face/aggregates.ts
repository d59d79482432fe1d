/** Aggregates for groupBy and reduce: plain descriptions, resolved when the view is opened. */
import type { ColumnType } from "./columns.ts";
import { jsonb } from "./columns.ts";
import type { UserCode } from "./function-source.ts";
import type { ColumnName } from "./rows.ts";

/** What to aggregate: the name of a column, or a function of the row. */
export type ValueSource = string | UserCode;

export type AggregateSpec =
  | { readonly fn: "count"; readonly of: ValueSource | null; readonly where: UserCode | null }
  | {
      readonly fn:
        | "sum"
        | "avg"
        | "min"
        | "max"
        | "countDistinct"
        | "every"
        | "some"
        | "variance"
        | "stddev"
        | "mode";
      readonly of: ValueSource;
      readonly where: UserCode | null;
    }
  | {
      readonly fn: "percentile";
      readonly of: ValueSource;
      readonly fraction: number;
      readonly where: UserCode | null;
    }
  | {
      readonly fn: "list";
      readonly of: ValueSource;
      readonly orderBy: ValueSource | null;
      readonly descending: boolean;
      readonly distinct: boolean;
      readonly where: UserCode | null;
    }
  | {
      readonly fn: "reduce";
      readonly initial: unknown;
      readonly add: UserCode;
      readonly remove: UserCode;
      readonly type: ColumnType;
      readonly where: UserCode | null;
    };

/** An aggregate over rows of type `Row` whose answer is a `Result`. */
export interface Aggregate<in Row, out Result> {
  readonly spec: AggregateSpec;
  /** Never there: carries the type. */
  readonly $row?: (row: Row) => void;
  /** Never there: carries the type. */
  readonly $result?: Result;
}

/** An aggregate with an answer over no rows at all, too. */
export interface TotalAggregate<in Row, out Result> extends Aggregate<Row, Result> {
  /** Never there. */
  readonly $total?: true;
}

export interface AggregateOptions<Row> {
  /** Only rows for which this is true count. */
  readonly where?: (row: Readonly<Row>) => boolean;
}

/** A number, or a string for numeric columns, which are strings in TypeScript. */
type Summable = number | bigint | string | null;

/** int8 sums come back as numbers; bigint is only read where a number would not be exact. */
type Sum<V> = V extends bigint ? number : V extends number ? number : V extends string ? string : V;

function make(spec: AggregateSpec): Aggregate<unknown, never> {
  return Object.freeze({ spec: Object.freeze(spec) });
}

/** How many rows there are; with a column or function: for how many it is not null. */
export function count<Row>(options?: AggregateOptions<Row>): TotalAggregate<Row, number>;
export function count<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => unknown),
  options?: AggregateOptions<Row>,
): TotalAggregate<Row, number>;
export function count<Row>(
  of?: string | UserCode | AggregateOptions<Row>,
  options?: AggregateOptions<Row>,
): TotalAggregate<Row, number> {
  if (typeof of === "object") return make({ fn: "count", of: null, where: of.where ?? null });
  return make({ fn: "count", of: of ?? null, where: options?.where ?? null });
}

/** The sum of the values that are not null; null when there is none. */
export function sum<Row, V extends Summable>(
  of: (row: Readonly<Row>) => V,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Sum<V>>;
export function sum<Row, K extends ColumnName<Row>>(
  of: K,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Sum<Row[K]>>;
export function sum<Row>(of: ValueSource, options?: AggregateOptions<Row>): Aggregate<Row, never> {
  return make({ fn: "sum", of, where: options?.where ?? null });
}

/** The mean of the values that are not null; null when there is none. */
export function avg<Row, V extends Summable>(
  of: (row: Readonly<Row>) => V,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Sum<V>>;
export function avg<Row, K extends ColumnName<Row>>(
  of: K,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Sum<Row[K]>>;
export function avg<Row>(of: ValueSource, options?: AggregateOptions<Row>): Aggregate<Row, never> {
  return make({ fn: "avg", of, where: options?.where ?? null });
}

/** The smallest value that is not null, in PostgreSQL's order. */
export function min<Row, V>(
  of: (row: Readonly<Row>) => V,
  options?: AggregateOptions<Row>,
): Aggregate<Row, V>;
export function min<Row, K extends ColumnName<Row>>(
  of: K,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Row[K]>;
export function min<Row>(of: ValueSource, options?: AggregateOptions<Row>): Aggregate<Row, never> {
  return make({ fn: "min", of, where: options?.where ?? null });
}

/** The greatest value that is not null, in PostgreSQL's order. */
export function max<Row, V>(
  of: (row: Readonly<Row>) => V,
  options?: AggregateOptions<Row>,
): Aggregate<Row, V>;
export function max<Row, K extends ColumnName<Row>>(
  of: K,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Row[K]>;
export function max<Row>(of: ValueSource, options?: AggregateOptions<Row>): Aggregate<Row, never> {
  return make({ fn: "max", of, where: options?.where ?? null });
}

/** How many different values there are that are not null. */
export function countDistinct<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => unknown),
  options?: AggregateOptions<Row>,
): TotalAggregate<Row, number>;
export function countDistinct<Row>(of: ValueSource, options?: AggregateOptions<Row>) {
  return make({ fn: "countDistinct", of, where: options?.where ?? null });
}

/** Whether it is true of every row of which it is known; null when there is none. */
export function every<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => boolean | null),
  options?: AggregateOptions<Row>,
): Aggregate<Row, boolean>;
export function every<Row>(of: ValueSource, options?: AggregateOptions<Row>) {
  return make({ fn: "every", of, where: options?.where ?? null });
}

/** Whether it is true of some row; null when it is known of none. */
export function some<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => boolean | null),
  options?: AggregateOptions<Row>,
): Aggregate<Row, boolean>;
export function some<Row>(of: ValueSource, options?: AggregateOptions<Row>) {
  return make({ fn: "some", of, where: options?.where ?? null });
}

/** The variance of a sample; null of fewer than two values. */
export function variance<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => Summable),
  options?: AggregateOptions<Row>,
): Aggregate<Row, number | null>;
export function variance<Row>(of: ValueSource, options?: AggregateOptions<Row>) {
  return make({ fn: "variance", of, where: options?.where ?? null });
}

/** The standard deviation of a sample; null of fewer than two values. */
export function stddev<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => Summable),
  options?: AggregateOptions<Row>,
): Aggregate<Row, number | null>;
export function stddev<Row>(of: ValueSource, options?: AggregateOptions<Row>) {
  return make({ fn: "stddev", of, where: options?.where ?? null });
}

/** The value below which this part (0 to 1) of the values lies, between two of them where need be: 0.5 is the median. */
export function percentile<Row>(
  of: ColumnName<Row> | ((row: Readonly<Row>) => Summable),
  fraction: number,
  options?: AggregateOptions<Row>,
): Aggregate<Row, number | null>;
export function percentile<Row>(of: ValueSource, fraction: number, options?: AggregateOptions<Row>) {
  return make({ fn: "percentile", of, fraction, where: options?.where ?? null });
}

/** The value that occurs most; of several the least. */
export function mode<Row, V>(
  of: (row: Readonly<Row>) => V,
  options?: AggregateOptions<Row>,
): Aggregate<Row, V | null>;
export function mode<Row, K extends ColumnName<Row>>(
  of: K,
  options?: AggregateOptions<Row>,
): Aggregate<Row, Row[K] | null>;
export function mode<Row>(of: ValueSource, options?: AggregateOptions<Row>): Aggregate<Row, never> {
  return make({ fn: "mode", of, where: options?.where ?? null });
}

export interface ListOptions<Row> extends AggregateOptions<Row> {
  /** What the items are ordered by; without it, and where it leaves the order open, by themselves. `"-column"` is descending. */
  readonly orderBy?: ColumnName<Row> | `-${ColumnName<Row>}` | ((row: Readonly<Row>) => unknown);
  /** Each value once, in its own order. */
  readonly distinct?: boolean;
}

/** The values of all rows, nulls too, as a list; null when there is no row. */
export function list<Row, V>(
  of: (row: Readonly<Row>) => V,
  options?: ListOptions<Row>,
): Aggregate<Row, readonly V[] | null>;
export function list<Row, K extends ColumnName<Row>>(
  of: K,
  options?: ListOptions<Row>,
): Aggregate<Row, readonly Row[K][] | null>;
export function list<Row>(of: ValueSource, options: ListOptions<Row> = {}): Aggregate<Row, never> {
  const { orderBy = null, distinct = false, where = null } = options;
  const descending = typeof orderBy === "string" && orderBy.startsWith("-");
  const by = (descending ? orderBy.slice(1) : orderBy) as ValueSource | null;
  return make({ fn: "list", of, orderBy: by, descending, distinct, where });
}

export interface Reducer<Row, A> extends AggregateOptions<Row> {
  readonly initial: A;
  /** The accumulator with one more row. Returns a new value or the same one; must not depend on the order of rows. */
  readonly add: (accumulator: A, row: Readonly<Row>) => A;
  /** Takes back what `add` did for this row. */
  readonly remove: (accumulator: A, row: Readonly<Row>) => A;
  /** The accumulator's column; jsonb when not said. */
  readonly type?: ColumnType;
}

/** A fold of one's own: how a row is added, and how it is taken away again when it changes or leaves. */
export function reduce<Row, A>(reducer: Reducer<Row, A>): TotalAggregate<Row, A> {
  const { initial, add, remove, type = jsonb(), where = null } = reducer;
  return make({ fn: "reduce", initial, add, remove, type, where });
}

export type Aggregates<Row> = Readonly<Record<string, Aggregate<Row, unknown>>>;

export type AggregateResults<A> = {
  -readonly [N in keyof A]: A[N] extends Aggregate<never, infer Result> ? Result : never;
};

/** Results over everything, which may be nothing: then only a total aggregate is not null. */
export type TotalResults<A> = {
  -readonly [N in keyof A]: A[N] extends Aggregate<never, infer Result>
    ? "$total" extends keyof A[N]
      ? Result
      : Result | null
    : never;
};
