/** `evert/client`: live views in the browser, or in any program with fetch. */
export { type ErrorCode, EvertError } from "../base/errors.ts";
export { comparePositions } from "../base/position.ts";
export type { SqlColumn, SqlResponse, SqlResult } from "../batch/sql-answer.ts";
export { connect } from "./client.ts";
export {
  type AnyRow,
  type AppendOptions,
  type AppendResult,
  type Client,
  type ClientOptions,
  type ColumnOf,
  type ColumnsOf,
  type ConsumedBatch,
  type ConsumedRecord,
  type Consumer,
  type ConsumerOptions,
  type Expectation,
  type Key,
  type LiveStatus,
  type LiveView,
  type Named,
  type Operation,
  type Producer,
  type ReadOptions,
  type RowOf,
  type RowsQuery,
  type TransactOptions,
  type ViewRef,
  type ViewSnapshot,
  viewRef,
} from "./types.ts";
