/** Window functions for `window`: plain descriptions, resolved when the view is opened. Aggregates stand beside them as they are. */
import type { Aggregate, AggregateResults, TotalResults, ValueSource } from "./aggregates.ts";
import type { ColumnName, Simplify } from "./rows.ts";

export type WindowSpec =
  | { readonly fn: "row_number" | "rank" | "dense_rank" | "percent_rank" | "cume_dist" }
  | { readonly fn: "ntile"; readonly buckets: number }
  | {
      readonly fn: "lag" | "lead";
      readonly of: ValueSource;
      readonly offset: number;
      /** What stands where there is no such row. */
      readonly otherwise: string | number | boolean | null;
    }
  | { readonly fn: "first_value" | "last_value"; readonly of: ValueSource }
  | { readonly fn: "nth_value"; readonly of: ValueSource; readonly n: number };

/** A window function over rows of type `Row` whose answer is a `Result`. */
export interface WindowColumn<in Row, out Result> {
  readonly window: WindowSpec;
  /** Never there: carries the type. */
  readonly $row?: (row: Row) => void;
  /** Never there: carries the type. */
  readonly $result?: Result;
}

/** What a bound of a frame says: so many before (negative) or behind, 0 for the row itself, null for all there are. */
export type FrameEnd = number | null;

/**
 * The rows around each that an aggregate is over. `rows` counts rows, `groups` groups of rows of equal order; `range` is a distance in what the
 * rows are ordered by, for times an interval: `{ range: ["-1 hour", 0] }`.
 */
export type FrameSpec = (
  | { readonly rows: readonly [FrameEnd, FrameEnd] }
  | { readonly groups: readonly [FrameEnd, FrameEnd] }
  | { readonly range: readonly [FrameEnd | string, FrameEnd | string] }
) & { readonly exclude?: "row" | "group" | "ties" };

export type WindowColumns<Row> = Readonly<
  Record<string, WindowColumn<Row, unknown> | Aggregate<Row, unknown>>
>;

type Functions<W> = { [N in keyof W as W[N] extends { readonly window: WindowSpec } ? N : never]: W[N] };
type Sums<W> = { [N in keyof W as W[N] extends { readonly window: WindowSpec } ? never : N]: W[N] };

/** The columns of `window`; a frame of one's own may be empty, and then only a total aggregate is not null. */
export type WindowResults<W, Framed extends boolean> = Simplify<
  {
    -readonly [N in keyof Functions<W>]: W[N & keyof W] extends WindowColumn<never, infer R> ? R : never;
  } & (Framed extends true ? TotalResults<Sums<W>> : AggregateResults<Sums<W>>)
>;

function make(window: WindowSpec): WindowColumn<unknown, never> {
  return Object.freeze({ window: Object.freeze(window) });
}

/** 1, 2, 3 ... in the window's order. */
export function rowNumber(): WindowColumn<unknown, number> {
  return make({ fn: "row_number" });
}

/** As rowNumber, but equal rows have the first one's number. */
export function rank(): WindowColumn<unknown, number> {
  return make({ fn: "rank" });
}

/** As rank, without gaps. */
export function denseRank(): WindowColumn<unknown, number> {
  return make({ fn: "dense_rank" });
}

/** The rank from 0 to 1: (rank - 1) / (rows - 1). */
export function percentRank(): WindowColumn<unknown, number> {
  return make({ fn: "percent_rank" });
}

/** Which part of the rows comes before, or is equal. */
export function cumeDist(): WindowColumn<unknown, number> {
  return make({ fn: "cume_dist" });
}

/** Which of so many buckets of like size the row is in: 1, 2 ... */
export function ntile(buckets: number): WindowColumn<unknown, number> {
  return make({ fn: "ntile", buckets });
}

/** The value `offset` rows before; `otherwise`, or null, where there is no such row. */
export function lag<Row, V>(
  of: (row: Readonly<Row>) => V,
  offset?: number,
  otherwise?: V & (string | number | boolean),
): WindowColumn<Row, V | null>;
export function lag<Row, K extends ColumnName<Row>>(
  of: K,
  offset?: number,
  otherwise?: Row[K] & (string | number | boolean),
): WindowColumn<Row, Row[K] | null>;
export function lag<Row>(
  of: ValueSource,
  offset = 1,
  otherwise: string | number | boolean | null = null,
): WindowColumn<Row, never> {
  return make({ fn: "lag", of, offset, otherwise });
}

/** The value `offset` rows behind; `otherwise`, or null, where there is no such row. */
export function lead<Row, V>(
  of: (row: Readonly<Row>) => V,
  offset?: number,
  otherwise?: V & (string | number | boolean),
): WindowColumn<Row, V | null>;
export function lead<Row, K extends ColumnName<Row>>(
  of: K,
  offset?: number,
  otherwise?: Row[K] & (string | number | boolean),
): WindowColumn<Row, Row[K] | null>;
export function lead<Row>(
  of: ValueSource,
  offset = 1,
  otherwise: string | number | boolean | null = null,
): WindowColumn<Row, never> {
  return make({ fn: "lead", of, offset, otherwise });
}

/** The value of the frame's first row. */
export function firstValue<Row, V>(of: (row: Readonly<Row>) => V): WindowColumn<Row, V | null>;
export function firstValue<Row, K extends ColumnName<Row>>(of: K): WindowColumn<Row, Row[K] | null>;
export function firstValue<Row>(of: ValueSource): WindowColumn<Row, never> {
  return make({ fn: "first_value", of });
}

/** The value of the frame's last row. */
export function lastValue<Row, V>(of: (row: Readonly<Row>) => V): WindowColumn<Row, V | null>;
export function lastValue<Row, K extends ColumnName<Row>>(of: K): WindowColumn<Row, Row[K] | null>;
export function lastValue<Row>(of: ValueSource): WindowColumn<Row, never> {
  return make({ fn: "last_value", of });
}

/** The value of the frame's n-th row, from 1. */
export function nthValue<Row, V>(of: (row: Readonly<Row>) => V, n: number): WindowColumn<Row, V | null>;
export function nthValue<Row, K extends ColumnName<Row>>(of: K, n: number): WindowColumn<Row, Row[K] | null>;
export function nthValue<Row>(of: ValueSource, n: number): WindowColumn<Row, never> {
  return make({ fn: "nth_value", of, n });
}
