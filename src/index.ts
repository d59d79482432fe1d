/** The door: everything `import … from "evert"` gives. No logic. */

export type { Clock } from "./base/clock.ts";
export type { Disk } from "./base/disk.ts";
export { type ErrorBody, type ErrorCode, EvertError } from "./base/errors.ts";
export { comparePositions } from "./base/position.ts";
export type {
  AppendOptions,
  AppendResult,
  ReadOptions,
  ReadTopicOptions,
  RowsOptions,
  SqlOptions,
  SqlResponse,
  TopicRecord,
} from "./engine/api.ts";
export type {
  DbTransactOptions,
  TopicExpectation,
  TopicOperation,
  Transaction,
} from "./engine/db-transaction.ts";
export {
  type Backup,
  type Changes,
  type Db,
  type OpenOptions,
  open,
  type RowChange,
  type ViewHandle,
} from "./engine/open.ts";
export * from "./face/index.ts";
