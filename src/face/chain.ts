/**
 * Chains: the steps of a view, as immutable data. Nothing is resolved here; compile.ts makes the plan when the catalog is
 * known, so that a chain may stand on a view whose columns only the engine knows (a SQL view).
 */
import type { AggregateResults, AggregateSpec, Aggregates, TotalResults } from "./aggregates.ts";
import type { ColumnType, Declaration, JsonSchema } from "./columns.ts";
import type { UserCode } from "./function-source.ts";
import type { ColumnName, Joined, KeyColumns, Nullable, RowOf, Simplify, Tagged } from "./rows.ts";

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
      readonly type: "inner" | "left";
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
  type: "inner" | "left",
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
