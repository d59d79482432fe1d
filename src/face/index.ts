/** The TypeScript face: what `import … from "evert"` gives beside open(). */

export {
  type Aggregate,
  type AggregateOptions,
  avg,
  count,
  max,
  min,
  type Reducer,
  reduce,
  sum,
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
export { type SqlText, sql } from "./sql-text.ts";
