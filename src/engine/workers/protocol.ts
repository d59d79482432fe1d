/**
 * What the main thread and its workers tell each other, part by part.
 *
 *   open, then any number of steps: feed ..., finish; then drop
 *
 * Each feed is answered with `fed`, each finish with `answer`, in their order. Before that come, full parcel by full parcel, the `rows` that the step
 * has made so far, and some by some what it has done to the `errors` of rows; of these only so many are under way until the main thread has told that
 * they are `taken`. A part that has `failed` answers nothing any more.
 *
 * Beside its parts a worker reads history, for parts wherever they are: each `read` is answered with `read` or `unread`.
 */
import type { ErrorBody } from "../../base/errors.ts";
import type { OperatorStats } from "../../dataflow/operator-stats.ts";
import type { PartError, PartRows } from "../../dataflow/parts/link.ts";
import type { PartSpec, Phase } from "../../dataflow/parts/part-circuit.ts";
import type { SharedRows } from "../../dataflow/parts/shared-rows.ts";
import type { ReadTask } from "./read-history.ts";

/** One of these has one reply. */
export type Task =
  | { readonly kind: "feed"; readonly part: number; readonly rows: readonly PartRows[] }
  | { readonly kind: "finish"; readonly part: number; readonly rows: readonly PartRows[] };

/** Pieces of history are numbered by who asks. */
export interface Read {
  readonly kind: "read";
  readonly read: number;
  readonly task: ReadTask;
}

export type Request =
  | Task
  | Read
  | { readonly kind: "open"; readonly part: number; readonly spec: PartSpec }
  /** One `rows` or `errors` has been taken. */
  | { readonly kind: "taken"; readonly part: number }
  /** It is built: others wait for its steps from now on. */
  | { readonly kind: "live"; readonly part: number }
  | { readonly kind: "drop"; readonly part: number };

export type ReadReply =
  | { readonly kind: "read"; readonly read: number; readonly rows: SharedRows }
  | { readonly kind: "unread"; readonly read: number; readonly error: ErrorBody };

/** `bytes`: of the part's state. */
export type Reply =
  | { readonly kind: "fed"; readonly part: number; readonly bytes: number }
  | {
      readonly kind: "rows";
      readonly part: number;
      readonly bytes: number;
      readonly phase: Phase;
      readonly parcel: Uint8Array;
    }
  | {
      readonly kind: "errors";
      readonly part: number;
      readonly bytes: number;
      readonly errors: readonly PartError[];
    }
  | { readonly kind: "grown"; readonly part: number; readonly bytes: number }
  | {
      readonly kind: "answer";
      readonly part: number;
      readonly bytes: number;
      /** The last of the step: rows by phase, and errors. */
      readonly phases: readonly [readonly Uint8Array[], readonly Uint8Array[]];
      readonly errors: readonly PartError[];
    }
  | { readonly kind: "failed"; readonly part: number; readonly error: ErrorBody }
  | { readonly kind: "operators"; readonly part: number; readonly operators: readonly OperatorStats[] };
