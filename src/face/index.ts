/** The TypeScript face: what `import … from "evert"` gives beside open(). */

export {
  type Aggregate,
  type AggregateOptions,
  avg,
  count,
  countDistinct,
  every,
  type ListOptions,
  list,
  max,
  min,
  mode,
  percentile,
  type Reducer,
  reduce,
  some,
  stddev,
  sum,
  variance,
} from "./aggregates.ts";
export { Chain, desc, Ordered } from "./chain.ts";
export {
  array,
  bool,
  bytea,
  type Columns,
  type ColumnType,
  type Declaration,
  date,
  enumeration,
  float4,
  float8,
  int2,
  int4,
  int8,
  interval,
  jsonb,
  nullable,
  numeric,
  text,
  time,
  timestamp,
  timestamptz,
  uuid,
  varchar,
} from "./columns.ts";
export { Table, Topic, table, topic, View, type ViewOptions, view } from "./handles.ts";
export { reducer, type SqlFunction, scalar, setReturning, type ValueType } from "./routines.ts";
export { type SqlText, sql } from "./sql-text.ts";
