/** The door: everything `import … from "evert"` gives. No logic. */

export type { Clock } from "./base/clock.ts";
export type { Disk } from "./base/disk.ts";
export { type ErrorBody, type ErrorCode, EvertError } from "./base/errors.ts";
export { comparePositions } from "./base/position.ts";
export type { SqlResponse, SqlResult } from "./batch/sql-answer.ts";
export type {
  AppendOptions,
  AppendResult,
  ReadOptions,
  ReadTopicOptions,
  RowsOptions,
  SchemaVersionInfo,
} from "./engine/api.ts";
export {
  ConsumedBatch,
  type ConsumerOptions,
  DbConsumer,
  type RowOfTopic,
} from "./engine/db/consumer.ts";
export { DbProducer } from "./engine/db/producer.ts";
export type { TopicRecord } from "./engine/db/read.ts";
export type { SqlOptions } from "./engine/db/sql.ts";
export type {
  DbTransactOptions,
  TopicExpectation,
  TopicOperation,
  Transaction,
} from "./engine/db/transaction.ts";
export {
  type Backup,
  type Changes,
  type Db,
  type OpenOptions,
  open,
  type RowChange,
  type ViewHandle,
} from "./engine/open.ts";
export type { FollowOptions } from "./engine/replica/role.ts";
export * from "./face/index.ts";
