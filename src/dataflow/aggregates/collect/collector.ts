/** What makes one value of a group's rows, given in order: see operators/gather.ts. */
import type { SqlType } from "../../../batch/types.ts";
import type { ScalarError } from "../../kernels/errors.ts";

/** The row at hand. */
export interface GatheredRow {
  /** The value of argument i as the engine keeps it, or null. */
  value(i: number): number | null;
}

export interface Collector {
  readonly type: SqlType;
  /** Null arguments make rows of no account: they are not shown. */
  readonly strict: boolean;
  /** A group's rows begin; there are `count` of them whose first argument is not null. */
  begin(count: number): void;
  /** One row, `times` over. False: no more is needed. */
  take(row: GatheredRow, times: number): boolean;
  /** All rows are taken: a bounded piece of what is left to do before end(); false: nothing is. */
  settle?(): boolean;
  /** The group's value as the engine keeps it, or null; what went wrong is in `error`. */
  end(): number | null;
  readonly error: ScalarError | null;
}
