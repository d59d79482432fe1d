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
  bool,
  type Columns,
  type ColumnType,
  type Declaration,
  float8,
  int4,
  int8,
  jsonb,
  nullable,
  numeric,
  text,
  timestamptz,
} from "./columns.ts";
export { Table, Topic, table, topic, View, type ViewOptions, view } from "./handles.ts";
export { type SqlText, sql } from "./sql-text.ts";
