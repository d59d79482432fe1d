/**
 * The plan: a frozen tree of relational operators. Both faces (SQL, TypeScript) produce it, the engine compiles it,
 * EXPLAIN prints it; none of them knows another. Make nodes only with the constructors of build.ts, which compute
 * `schema`, `key` and `appendOnly` and freeze the result.
 *
 * Every node stands for a multiset of rows that changes over time:
 * - `key`: columns that are unique among its rows at every position (and then every weight is 1), or null. The empty
 *   array means: at most one row.
 * - `appendOnly`: rows are only ever added, so nothing downstream has to find one again.
 */
import type { Field, Schema } from "../batch/schema.ts";
import type { SqlType } from "../batch/types.ts";
import type { ConstExpr, Datum, Expr, UserFunction } from "./expression.ts";
import type { ReducerRoutine, RowsRoutine } from "./routines.ts";
import type { TableFunction, TablePart } from "./table-functions.ts";

interface PlanNode {
  readonly schema: Schema;
  readonly key: readonly number[] | null;
  readonly appendOnly: boolean;
}

/** The rows of a topic (a table's current rows, a stream's records so far) or of another view. */
export interface SourcePlan extends PlanNode {
  readonly kind: "source";
  /** About how many rows it had when the query was planned; null: nobody counted. Decides the order of joins, and is no part of a plan's key. */
  readonly rows: number | null;
  readonly relation: "stream" | "table" | "view";
  /** Catalog id: never reused, stable over restarts. */
  readonly id: number;
  readonly name: string;
  /** Which of its rows are read, through an index: only in queries that run once (lookup.ts). Absent: all. */
  readonly lookup?: Lookup;
}

/** An index there is. */
export interface PlanIndex {
  readonly name: string;
  /** By hash a row is found by all of its values, in order by the first of them, by a range, and one after the other. */
  readonly kind: "hash" | "ordered";
  readonly unique: boolean;
  /** Of the key of the source: made so that it finds one row. */
  readonly isKey: boolean;
  /** Of a hash index the columns alone count. */
  readonly items: readonly OrderItem[];
}

export interface KeyBound {
  readonly value: Datum;
  readonly inclusive: boolean;
}

/** A stretch of the index, in its own order. */
export interface KeyRange {
  /** Of its first items. */
  readonly equal: readonly Datum[];
  /** Of the item behind them; null: not bounded. A null among the values is a null. */
  readonly from: KeyBound | null;
  readonly to: KeyBound | null;
}

export interface Lookup {
  readonly index: PlanIndex;
  readonly ranges: readonly KeyRange[];
  readonly backward: boolean;
  /** Only the first rows, and those that the index's first `tied` items do not tell from the last of them. */
  readonly first: { readonly rows: number; readonly tied: number } | null;
  /** The filters above it, up to a top-k, let through every row that it gives. */
  readonly exact: boolean;
}

/** Constant rows: SELECT without FROM, VALUES. */
export interface ValuesPlan extends PlanNode {
  readonly kind: "values";
  readonly rows: readonly (readonly Datum[])[];
}

/** Rows for which the predicate is true. */
export interface FilterPlan extends PlanNode {
  readonly kind: "filter";
  readonly input: Plan;
  readonly predicate: Expr;
}

/** One output column per expression. */
export interface ProjectPlan extends PlanNode {
  readonly kind: "project";
  readonly input: Plan;
  readonly exprs: readonly Expr[];
}

/** map / flatMap with a function of the user: called once per row; gives an object (map) or an iterable of objects (flatMap). */
export interface MapFunctionPlan extends PlanNode {
  readonly kind: "mapFunction";
  readonly input: Plan;
  readonly fn: UserFunction;
  readonly flat: boolean;
}

/** generate_series(start, stop[, step]) over int4/int8, lateral: each input row times each value, appended as last column. */
export interface SeriesPlan extends PlanNode {
  readonly kind: "series";
  readonly input: Plan;
  readonly start: Expr;
  readonly stop: Expr;
  readonly step: Expr;
}

/**
 * A function that gives any number of rows per input row, lateral: each input row times each of them, their columns appended.
 * With `ordinality` their number within the input row, from 1, is one column more (int8). With `outer` an input row for which
 * there are none comes out once, with nulls. `rows_from` is several of them side by side, the shorter ones filled up with nulls.
 */
export interface TableFunctionPlan extends PlanNode {
  readonly kind: "tableFunction";
  readonly input: Plan;
  readonly fn: TableFunction | RowsRoutine;
  readonly args: readonly Expr[];
  /** Of `rows_from`: the functions, which share out `args` and `columns` in this order. Empty for any other. */
  readonly parts: readonly TablePart[];
  /** What it gives, without the ordinality. */
  readonly columns: readonly Field[];
  readonly ordinality: boolean;
  readonly outer: boolean;
}

export type JoinType = "inner" | "left" | "full";

/**
 * Join on columns of equal type; output = left columns, then right columns. A null key matches nothing, but where `nullSafe` says
 * so it matches null. With no keys each row meets each. Left: a left row without a match comes out once, its right columns null;
 * full: a right row too. An outer join with a condition beside its keys is made of several nodes (outer-join.ts).
 */
export interface JoinPlan extends PlanNode {
  readonly kind: "join";
  readonly type: JoinType;
  readonly left: Plan;
  readonly right: Plan;
  readonly leftKeys: readonly number[];
  readonly rightKeys: readonly number[];
  /** By pair of keys. */
  readonly nullSafe: readonly boolean[];
}

/**
 * A subquery or LATERAL item: the right side is evaluated for each left row, whose columns it reads through `outer` expressions of this
 * id. Output as for JoinPlan. Only front ends make it: decorrelate.ts turns it into joins before anything else looks at the plan.
 */
export interface ApplyPlan extends PlanNode {
  readonly kind: "apply";
  /** Unique in the statement. */
  readonly id: number;
  readonly type: "inner" | "left";
  readonly left: Plan;
  readonly right: Plan;
  /** Over the output's columns; only of a left apply. */
  readonly residual: Expr | null;
}

/**
 * Each left row (append-only) meets the right table (keyed by rightKeys, a source table possibly filtered or projected) as
 * it stood at the left row's own commit, this commit's changes included. Output as for JoinPlan; later changes of the
 * table change nothing.
 */
export interface AsOfJoinPlan extends PlanNode {
  readonly kind: "asOfJoin";
  readonly type: "inner" | "left";
  readonly left: Plan;
  readonly right: Plan;
  readonly leftKeys: readonly number[];
  readonly rightKeys: readonly number[];
}

/** As PostgreSQL calls them; `every` is bool_and, `variance` var_samp, `stddev` stddev_samp. */
export type AggregateFunction =
  | "count"
  | "sum"
  | "avg"
  | "min"
  | "max"
  | "bool_and"
  | "bool_or"
  | "bit_and"
  | "bit_or"
  | "bit_xor"
  | HalvesFunction
  | MomentFunction
  | CollectingFunction
  | "reduce";

/**
 * Sums that are handed on to be added up once more (partial-group.ts), exact however large: of integers, or of numerics that are kept as scaled integers, the sum is
 * sum_high * 2^32 + sum_low, the low half from 0 to 2^32, with the numerics' scale. `sum_halves` (high, low) and `avg_halves` (high, low, count) make sum and avg of them. No text calls them.
 */
export type HalvesFunction = "sum_high" | "sum_low" | "sum_halves" | "avg_halves";

/** Of the sums of powers and products of their arguments; the regr_ functions, corr and covar_ take (y, x). */
export type MomentFunction =
  | "var_pop"
  | "var_samp"
  | "stddev_pop"
  | "stddev_samp"
  | "corr"
  | "covar_pop"
  | "covar_samp"
  | "regr_avgx"
  | "regr_avgy"
  | "regr_count"
  | "regr_intercept"
  | "regr_r2"
  | "regr_slope"
  | "regr_sxx"
  | "regr_sxy"
  | "regr_syy";

/** Need the group's rows, one after the other in an order. `mode` and the percentiles take what WITHIN GROUP orders by as `arg`. */
export type CollectingFunction =
  | "any_value"
  | "string_agg"
  | "array_agg"
  | "json_agg"
  | "json_agg_strict"
  | "jsonb_agg"
  | "jsonb_agg_strict"
  | "json_object_agg"
  | "json_object_agg_strict"
  | "json_object_agg_unique"
  | "json_object_agg_unique_strict"
  | "jsonb_object_agg"
  | "jsonb_object_agg_strict"
  | "jsonb_object_agg_unique"
  | "jsonb_object_agg_unique_strict"
  | "mode"
  | "percentile_cont"
  | "percentile_disc";

/**
 * A user-defined fold with its inverse: for any rows, removing what was added gives the accumulator back. `add` and `remove`
 * are called with the accumulator and then the row; their `rows` holds the shape of that one row.
 */
export interface UserReducer {
  readonly initial: unknown;
  readonly add: UserFunction;
  readonly remove: UserFunction;
  readonly source: string;
  /**
   * Where SQL calls it: its functions take the aggregate's `rest`, and no row's columns. `arg` is then not null for the rows that
   * count, whatever its value. null: a reducer of a chain.
   */
  readonly routine: ReducerRoutine | null;
}

export interface AggregateOrder {
  readonly expr: Expr;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

export interface Aggregate {
  readonly fn: AggregateFunction;
  /** null: count(*). Evaluated on the group's input; null values are skipped, but by array_agg and the JSON ones. */
  readonly arg: Expr | null;
  /** Arguments behind the first: x of corr(y, x), a delimiter, a value behind its key, the fraction of a percentile. */
  readonly rest?: readonly Expr[];
  /** Of equal arguments one alone counts. */
  readonly distinct?: boolean;
  /** ORDER BY: of those that collect rows. What it leaves open the arguments settle, ascending. */
  readonly order?: readonly AggregateOrder[];
  /** FILTER (WHERE ...): rows for which it is not true are skipped. */
  readonly filter: Expr | null;
  /** PostgreSQL's result type: count -> int8; sum(int4) -> int8; sum(int8) -> numeric; avg(int) -> numeric ... The TypeScript face may ask for float8. */
  readonly type: SqlType;
  readonly reducer: UserReducer | null;
}

/** GROUP BY; output = key columns, then one column per aggregate. Without keys: exactly one row, also over nothing. */
export interface GroupPlan extends PlanNode {
  readonly kind: "group";
  readonly input: Plan;
  readonly keys: readonly Expr[];
  readonly aggregates: readonly Aggregate[];
}

export interface DistinctPlan extends PlanNode {
  readonly kind: "distinct";
  readonly input: Plan;
}

/** UNION ALL of inputs with equal column types; names from the first. */
export interface UnionPlan extends PlanNode {
  readonly kind: "union";
  readonly inputs: readonly Plan[];
}

/**
 * INTERSECT and EXCEPT of inputs with equal column types; names from the left. With `all`, a row that stands l times left and r
 * times right comes out min(l, r) or max(l - r, 0) times; without, once where l > 0 and r > 0, or where l > 0 and r = 0. Equal
 * means equal values.
 */
export interface SetOperationPlan extends PlanNode {
  readonly kind: "setOperation";
  readonly op: "intersect" | "except";
  readonly all: boolean;
  readonly left: Plan;
  readonly right: Plan;
}

export interface OrderItem {
  readonly column: number;
  readonly descending: boolean;
  readonly nullsFirst: boolean;
}

/**
 * Per partition, the rows at ranks offset .. offset+limit-1 of the given order. What the order leaves open is settled by
 * the remaining columns, ascending, so that the answer depends on nothing but the rows (see docs/decisions).
 */
export interface TopKPlan extends PlanNode {
  readonly kind: "topK";
  readonly input: Plan;
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
  /** null: no limit (only an offset). */
  readonly limit: number | null;
  readonly offset: number;
  /** WITH TIES: also the rows that the order does not tell from the last one. */
  readonly ties: boolean;
}

/** A bound of a frame. An offset is a constant: rows or groups (int8), or a distance in the order's column (RANGE). */
export type FrameBound =
  | { readonly kind: "unboundedPreceding" | "currentRow" | "unboundedFollowing" }
  | { readonly kind: "preceding" | "following"; readonly offset: ConstExpr };

export interface Frame {
  readonly mode: "rows" | "range" | "groups";
  readonly start: FrameBound;
  readonly end: FrameBound;
  readonly exclude: "none" | "currentRow" | "group" | "ties";
}

export type WindowFunctionName =
  | "row_number"
  | "rank"
  | "dense_rank"
  | "percent_rank"
  | "cume_dist"
  | "ntile"
  | "lag"
  | "lead"
  | "first_value"
  | "last_value"
  | "nth_value";

/** One column of a window: a window function proper, or an aggregate over the row's frame. */
export interface WindowFunction {
  readonly fn: WindowFunctionName | "aggregate";
  /** Over the window's input; the arguments of `fn`. */
  readonly args: readonly Expr[];
  readonly aggregate: Aggregate | null;
  readonly frame: Frame;
  readonly type: SqlType;
}

/**
 * Window functions over one partition and order; output = the input's columns, then one column per function. What the order
 * leaves open is settled by the remaining columns, as in a top-k; peers are rows that the order alone does not tell apart.
 */
export interface WindowPlan extends PlanNode {
  readonly kind: "window";
  readonly input: Plan;
  readonly partition: readonly number[];
  readonly order: readonly OrderItem[];
  readonly functions: readonly WindowFunction[];
}

/**
 * WITH RECURSIVE: the rows of `base`, and those that `step` makes of rows found before, until it makes none. `step` reads them through
 * a recursiveRef of the same id. UNION ALL (`all`): as often as they are made; UNION: once.
 */
export interface RecursivePlan extends PlanNode {
  readonly kind: "recursive";
  /** Tells nested recursions apart: their depth of nesting. */
  readonly id: number;
  readonly base: Plan;
  readonly step: Plan;
  readonly all: boolean;
}

/** Inside a recursion's step: the rows that the iteration before has found. */
export interface RecursiveRefPlan extends PlanNode {
  readonly kind: "recursiveRef";
  readonly id: number;
  readonly name: string;
}

/**
 * Rows while from <= now() < until, where now() is the log's time. Both are timestamptz over the input; a missing bound is open, one
 * that is null lets no row through. Rows come and go by themselves as time passes.
 */
export interface TemporalPlan extends PlanNode {
  readonly kind: "temporal";
  readonly input: Plan;
  readonly from: Expr | null;
  readonly until: Expr | null;
}

export type Plan =
  | SourcePlan
  | ValuesPlan
  | FilterPlan
  | ProjectPlan
  | MapFunctionPlan
  | SeriesPlan
  | TableFunctionPlan
  | JoinPlan
  | ApplyPlan
  | AsOfJoinPlan
  | GroupPlan
  | DistinctPlan
  | UnionPlan
  | SetOperationPlan
  | TopKPlan
  | WindowPlan
  | RecursivePlan
  | RecursiveRefPlan
  | TemporalPlan;

export type PlanKind = Plan["kind"];

/** A whole query: its plan and how its result is presented. */
export interface Query {
  readonly plan: Plan;
  /** ORDER BY of the outermost SELECT: kept by reads and clients; does not change which rows there are. */
  readonly order: readonly OrderItem[];
  /** Columns of plan.schema that are shown; trailing ones may exist only to be sorted by. */
  readonly visible: number;
}

export interface OptimizedQuery extends Query {
  /** Ids of the relations it was written over; its plan may have found that it needs no row of one. */
  readonly names: ReadonlySet<number>;
}
