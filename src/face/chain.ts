/**
 * Chains: the steps of a view, as immutable data. Nothing is resolved here; compile.ts makes the plan when the catalog is
 * known, so that a chain may stand on a view whose columns only the engine knows (a SQL view).
 */
import type { AggregateResults, AggregateSpec, Aggregates, TotalResults } from "./aggregates.ts";
import type { ColumnType, Declaration, JsonSchema } from "./columns.ts";
import type { UserCode } from "./function-source.ts";
import type { ColumnName, Joined, KeyColumns, Nullable, RowOf, Simplify, Tagged } from "./rows.ts";
import type { FrameSpec, WindowColumns, WindowResults } from "./windows.ts";

/** What a chain starts from: a topic, a table or a view, by name. */
export interface Relation {
  readonly kind: "topic" | "table" | "view";
  readonly name: string;
}

/** A column, several, or a function of the row. */
export type Selector = string | readonly string[] | UserCode;

export interface OrderSpec {
  readonly by: string | UserCode;
  readonly descending: boolean;
}

export type ChainNode =
  | { readonly kind: "source"; readonly relation: Relation }
  | { readonly kind: "filter"; readonly input: ChainNode; readonly predicate: UserCode }
  | {
      readonly kind: "map";
      readonly input: ChainNode;
      readonly fn: UserCode;
      readonly flat: boolean;
      readonly declared: Declaration | null;
    }
  | { readonly kind: "select"; readonly input: ChainNode; readonly columns: readonly string[] }
  | {
      readonly kind: "join";
      readonly type: "inner" | "left" | "right" | "full";
      readonly asOf: boolean;
      readonly left: ChainNode;
      readonly right: ChainNode;
      readonly leftKey: Selector;
      /** null: the right side's own key. */
      readonly rightKey: Selector | null;
      /** null: left's columns, and right's whose names are not taken. */
      readonly combine: UserCode | null;
      readonly declared: Declaration | null;
    }
  | {
      readonly kind: "group";
      readonly input: ChainNode;
      /** null: one row over everything. */
      readonly key: Selector | null;
      readonly aggregates: Readonly<Record<string, AggregateSpec>>;
      readonly declared: Declaration | null;
    }
  | {
      readonly kind: "topK";
      readonly input: ChainNode;
      readonly partitionBy: Selector | null;
      readonly order: readonly OrderSpec[];
      readonly limit: number | null;
      readonly offset: number;
    }
  | { readonly kind: "union"; readonly inputs: readonly ChainNode[] }
  | { readonly kind: "distinct"; readonly input: ChainNode }
  | {
      readonly kind: "window";
      readonly input: ChainNode;
      readonly partitionBy: Selector | null;
      readonly order: readonly OrderSpec[];
      readonly frame: FrameSpec | null;
      readonly columns: WindowColumns<never>;
    }
  | {
      readonly kind: "timeWindow";
      readonly input: ChainNode;
      readonly window: "tumble" | "hop" | "session";
      readonly at: string;
      /** Of a session the gap that ends it. */
      readonly size: string;
      readonly every: string | null;
      readonly origin: string;
      readonly partitionBy: Selector | null;
    }
  | {
      readonly kind: "iterate";
      readonly base: ChainNode;
      readonly step: ChainNode;
      /** What the step reads. */
      readonly found: ChainNode;
      readonly all: boolean;
    }
  /** Inside an iterate's step: the rows found before. */
  | { readonly kind: "found" }
  | { readonly kind: "order"; readonly input: ChainNode; readonly order: readonly OrderSpec[] };

/** Types of the columns a function computes; those it only hands on keep theirs. */
export type ColumnsOf<Row> = { readonly [K in keyof Row]?: ColumnType<unknown, Row[K]> } | JsonSchema;

/** A key of a join's side: a column's name, several names, or a function of the row giving one value or an array of them. */
export type JoinKey<Row> = ColumnName<Row> | readonly ColumnName<Row>[] | ((row: Readonly<Row>) => unknown);

/** A column's name, with "-" before it for descending, or a function of the row; `desc(fn)` for descending. */
export type OrderBy<Row> =
  | ColumnName<Row>
  | `-${ColumnName<Row>}`
  | ((row: Readonly<Row>) => unknown)
  | Descending<(row: Readonly<Row>) => unknown>;

export interface Descending<F> {
  readonly descending: F;
}

/** Orders by a function of the row, greatest first. */
export function desc<Row>(by: (row: Readonly<Row>) => unknown): Descending<(row: Readonly<Row>) => unknown> {
  return { descending: by };
}

export interface TopK<Row> {
  /** Rows are ranked among those with the same values here; among all rows when not said. */
  readonly partitionBy?: JoinKey<Row>;
  readonly orderBy: OrderBy<Row> | readonly OrderBy<Row>[];
  /** How many of each partition; all when not said. */
  readonly limit?: number;
  /** Leave out so many first. */
  readonly offset?: number;
}

export interface WindowOver<Row> {
  /** Rows are seen among those with the same values here; among all rows when not said. */
  readonly partitionBy?: JoinKey<Row>;
  readonly orderBy?: OrderBy<Row> | readonly OrderBy<Row>[];
}

/** The window that a row belongs to: from its start on, up to its end but not at it. */
export interface TimeWindow {
  window_start: string;
  window_end: string;
}

export interface Tumble<Row> {
  /** The column of the rows' time. */
  readonly at: ColumnName<Row>;
  /** "5 minutes", "1 day": how long a window is. */
  readonly size: string;
  /** A moment at which a window begins. Default 1970-01-01T00:00:00Z. */
  readonly origin?: string;
}

export interface Hop<Row> extends Tumble<Row> {
  /** How far apart windows begin. */
  readonly every: string;
}

export interface Session<Row> {
  readonly at: ColumnName<Row>;
  /** A row further away than this from the one before begins a new session. */
  readonly gap: string;
  /** Rows with the same values here have sessions of their own. */
  readonly partitionBy?: JoinKey<Row>;
}

/** Rows in an order: for reading. What a view made from it holds is the same without. */
export class Ordered<Row> {
  readonly node: ChainNode;
  /** Never there: carries the row's type. */
  declare readonly $row?: Row;

  constructor(node: ChainNode) {
    this.node = node;
  }
}

export class Chain<Row> {
  readonly node: ChainNode;
  /** Never there: carries the row's type. */
  declare readonly $row?: Row;

  constructor(node: ChainNode) {
    this.node = node;
  }

  /** The rows for which the function is true. */
  filter(predicate: (row: Readonly<Row>) => boolean): Chain<Row> {
    return new Chain({ kind: "filter", input: this.node, predicate });
  }

  /** Each row as the object the function makes of it. `columns` gives the types of computed properties. */
  map<R extends object>(
    fn: (row: Readonly<Row>) => R,
    columns?: ColumnsOf<RowOf<R>>,
  ): Chain<Simplify<RowOf<R>>> {
    return new Chain({ kind: "map", input: this.node, fn, flat: false, declared: declaration(columns) });
  }

  /** Each row as any number of objects. */
  flatMap<R extends object>(
    fn: (row: Readonly<Row>) => Iterable<R>,
    columns?: ColumnsOf<RowOf<R>>,
  ): Chain<Simplify<RowOf<R>>> {
    return new Chain({ kind: "map", input: this.node, fn, flat: true, declared: declaration(columns) });
  }

  /** Only these columns. */
  select<K extends ColumnName<Row>>(...columns: readonly K[]): Chain<Simplify<Pick<Row, K>>> {
    return new Chain({ kind: "select", input: this.node, columns });
  }

  /**
   * Each pair of rows whose keys are equal, kept current when either side changes. Without `rightKey` it is the key of the
   * other side; without `combine` a pair is left's columns and those of the right whose names are not taken.
   */
  join<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    rightKey: JoinKey<R>,
    combine: (left: Readonly<Row>, right: Readonly<R>) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  join<R>(other: Chain<R>, leftKey: JoinKey<Row>): Chain<Joined<Row, R>>;
  join<R>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    rightKey: ColumnName<R> | readonly ColumnName<R>[],
  ): Chain<Joined<Row, R>>;
  join<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    combine: (left: Readonly<Row>, right: Readonly<R>) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  join(other: Chain<unknown>, leftKey: unknown, ...rest: unknown[]): Chain<never> {
    return joined(this.node, "inner", false, other, leftKey, rest);
  }

  /** As `join`; a row without a match comes out once, its right side null. */
  leftJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    rightKey: JoinKey<R>,
    combine: (left: Readonly<Row>, right: Readonly<R> | null) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  leftJoin<R>(other: Chain<R>, leftKey: JoinKey<Row>): Chain<Joined<Row, Nullable<R>>>;
  leftJoin<R>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    rightKey: ColumnName<R> | readonly ColumnName<R>[],
  ): Chain<Joined<Row, Nullable<R>>>;
  leftJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    combine: (left: Readonly<Row>, right: Readonly<R> | null) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  leftJoin(other: Chain<unknown>, leftKey: unknown, ...rest: unknown[]): Chain<never> {
    return joined(this.node, "left", false, other, leftKey, rest);
  }

  /** As `join`; a row of the other side without a match comes out once, its left side null. */
  rightJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    rightKey: JoinKey<R>,
    combine: (left: Readonly<Row> | null, right: Readonly<R>) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  rightJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    combine: (left: Readonly<Row> | null, right: Readonly<R>) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  rightJoin(other: Chain<unknown>, leftKey: unknown, ...rest: unknown[]): Chain<never> {
    return joined(this.node, "right", false, other, leftKey, rest);
  }

  /** As `join`; a row of either side without a match comes out once, the other side null. */
  fullJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    rightKey: JoinKey<R>,
    combine: (left: Readonly<Row> | null, right: Readonly<R> | null) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  fullJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    combine: (left: Readonly<Row> | null, right: Readonly<R> | null) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  fullJoin(other: Chain<unknown>, leftKey: unknown, ...rest: unknown[]): Chain<never> {
    return joined(this.node, "full", false, other, leftKey, rest);
  }

  /** Each row with the other side's row as it stood at the record's own commit; later changes there change nothing. */
  asOfJoin<R>(other: Chain<R>, leftKey: JoinKey<Row>): Chain<Joined<Row, R>>;
  asOfJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    combine: (left: Readonly<Row>, right: Readonly<R>) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  asOfJoin(other: Chain<unknown>, leftKey: unknown, ...rest: unknown[]): Chain<never> {
    return joined(this.node, "inner", true, other, leftKey, rest);
  }

  /** As `asOfJoin`; a row without a match comes out too, its right side null. */
  leftAsOfJoin<R>(other: Chain<R>, leftKey: JoinKey<Row>): Chain<Joined<Row, Nullable<R>>>;
  leftAsOfJoin<R, O extends object>(
    other: Chain<R>,
    leftKey: JoinKey<Row>,
    combine: (left: Readonly<Row>, right: Readonly<R> | null) => O,
    columns?: ColumnsOf<RowOf<O>>,
  ): Chain<Simplify<RowOf<O>>>;
  leftAsOfJoin(other: Chain<unknown>, leftKey: unknown, ...rest: unknown[]): Chain<never> {
    return joined(this.node, "left", true, other, leftKey, rest);
  }

  /**
   * One row per value of the key: the key's columns, then the aggregates. A key that reads one property has its name, an
   * object literal gives one column per property, a column's name or several stand for themselves; anything else is `key`.
   */
  groupBy<N extends ColumnName<Row>, A extends Aggregates<Row>>(
    key: N | readonly N[],
    aggregates: A,
  ): Chain<Simplify<Pick<Row, N> & AggregateResults<A>>>;
  groupBy<K, A extends Aggregates<Row>>(
    key: (row: Tagged<Row>) => K,
    aggregates: A,
    columns?: ColumnsOf<KeyColumns<K>>,
  ): Chain<Simplify<KeyColumns<K> & AggregateResults<A>>>;
  groupBy(key: Selector, aggregates: Aggregates<Row>, columns?: object): Chain<never> {
    const specs = specsOf(aggregates);
    return new Chain({
      kind: "group",
      input: this.node,
      key,
      aggregates: specs,
      declared: declaration(columns),
    });
  }

  /** One row over everything: the aggregates. */
  reduce<A extends Aggregates<Row>>(aggregates: A): Chain<Simplify<TotalResults<A>>> {
    return new Chain({
      kind: "group",
      input: this.node,
      key: null,
      aggregates: specsOf(aggregates),
      declared: null,
    });
  }

  /** The first rows by an order, of each partition. When a row leaves, the next one comes up. */
  topK(spec: TopK<Row>): Chain<Row> {
    return new Chain({
      kind: "topK",
      input: this.node,
      partitionBy: (spec.partitionBy as Selector | undefined) ?? null,
      order: orderSpecs(spec.orderBy),
      limit: spec.limit ?? null,
      offset: spec.offset ?? 0,
    });
  }

  /**
   * Each row with further columns, computed over the rows of its partition in an order: window functions, and aggregates over a frame. Without
   * a frame that is all rows up to this one and its equals; without an order, all rows.
   */
  window<W extends WindowColumns<Row>>(
    over: WindowOver<Row> & { readonly frame?: undefined },
    columns: W,
  ): Chain<Simplify<Row & WindowResults<W, false>>>;
  window<W extends WindowColumns<Row>>(
    over: WindowOver<Row> & { readonly frame: FrameSpec },
    columns: W,
  ): Chain<Simplify<Row & WindowResults<W, true>>>;
  window(over: WindowOver<Row> & { readonly frame?: FrameSpec | undefined }, columns: object): Chain<never> {
    return new Chain({
      kind: "window",
      input: this.node,
      partitionBy: (over.partitionBy as Selector | undefined) ?? null,
      order: over.orderBy === undefined ? [] : orderSpecs(over.orderBy),
      frame: over.frame ?? null,
      columns: { ...columns } as WindowColumns<never>,
    });
  }

  /** Each row with the window it falls into: windows of one size, side by side. */
  tumble(spec: Tumble<Row>): Chain<Simplify<Row & TimeWindow>> {
    return this.timeWindow("tumble", spec.at, spec.size, spec);
  }

  /** Each row with every window it falls into: windows of one size that begin at equal distances, and overlap. */
  hop(spec: Hop<Row>): Chain<Simplify<Row & TimeWindow>> {
    return this.timeWindow("hop", spec.at, spec.size, spec);
  }

  /** Each row with its session: rows that follow one another without a gap. */
  session(spec: Session<Row>): Chain<Simplify<Row & TimeWindow>> {
    return this.timeWindow("session", spec.at, spec.gap, spec);
  }

  private timeWindow(
    window: "tumble" | "hop" | "session",
    at: string,
    size: string,
    spec: { readonly every?: string; readonly origin?: string; readonly partitionBy?: unknown },
  ): Chain<never> {
    const { every = null, origin = "1970-01-01T00:00:00Z" } = spec;
    const partitionBy = (spec.partitionBy as Selector | undefined) ?? null;
    return new Chain({ kind: "timeWindow", input: this.node, window, at, size, every, origin, partitionBy });
  }

  /**
   * These rows, and what `step` makes of rows found before, again and again until it makes none that are new. With `all` each as often as it is
   * made.
   */
  iterate(step: (found: Chain<Row>) => Chain<Row>, options: { readonly all?: boolean } = {}): Chain<Row> {
    const found: ChainNode = { kind: "found" };
    const made = step(new Chain(found)).node;
    return new Chain({ kind: "iterate", base: this.node, step: made, found, all: options.all ?? false });
  }

  /** The rows of all of them. They have the same columns, in any order. */
  union(...others: readonly Chain<Row>[]): Chain<Row> {
    return new Chain({ kind: "union", inputs: [this.node, ...others.map((o) => o.node)] });
  }

  /** Each row once. */
  distinct(): Chain<Row> {
    return new Chain({ kind: "distinct", input: this.node });
  }

  /** The order in which reads and clients show the view. */
  orderBy(...order: readonly OrderBy<Row>[]): Ordered<Row> {
    return new Ordered({ kind: "order", input: this.node, order: orderSpecs(order) });
  }
}

function joined(
  left: ChainNode,
  type: "inner" | "left" | "right" | "full",
  asOf: boolean,
  other: Chain<unknown>,
  leftKey: unknown,
  rest: readonly unknown[],
): Chain<never> {
  // The third argument is a right key when it is a name, or when a function follows it.
  const hasRightKey =
    rest[0] !== undefined && (typeof rest[0] !== "function" || typeof rest[1] === "function");
  const [rightKey = null, combine = null, columns] = hasRightKey ? rest : [null, ...rest];
  return new Chain({
    kind: "join",
    type,
    asOf,
    left,
    right: other.node,
    leftKey: leftKey as Selector,
    rightKey: rightKey as Selector | null,
    combine: combine as UserCode | null,
    declared: declaration(columns as object | undefined),
  });
}

function declaration(columns: object | undefined): Declaration | null {
  return (columns as Declaration | undefined) ?? null;
}

function specsOf(aggregates: Aggregates<never>): Readonly<Record<string, AggregateSpec>> {
  return Object.fromEntries(Object.entries(aggregates).map(([name, a]) => [name, a.spec]));
}

function orderSpecs(order: unknown): OrderSpec[] {
  return (Array.isArray(order) ? order : [order]).map(
    (item: string | UserCode | Descending<UserCode>): OrderSpec => {
      if (typeof item === "function") return { by: item, descending: false };
      if (typeof item === "object") return { by: item.descending, descending: true };
      return item.startsWith("-") ? { by: item.slice(1), descending: true } : { by: item, descending: false };
    },
  );
}
