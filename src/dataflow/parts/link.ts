/**
 * What a circuit knows of the threads that keep parts of its plans (plan/parts.ts), and they of it.
 *
 * A step of a part: feed() any number of times, then finish(). From the first feed on what it has made may be taken, as far as it has come, until the
 * step is complete; then next(). The next step may be fed and finished before that: what is taken, and waited for, is always of the oldest.
 */
import type { ErrorBody, EvertError } from "../../base/errors.ts";
import type { Schema } from "../../batch/schema.ts";
import type { PlanPart } from "../../plan/parts.ts";
import type { Plan } from "../../plan/plan.ts";
import type { OperatorStats } from "../operator-stats.ts";
import type { SharedParcels } from "./shared-parcels.ts";
import type { SharedRows } from "./shared-rows.ts";

export interface PartSource {
  readonly id: number;
  readonly name: string;
  readonly schema: Schema;
  /** Columns that the part reads: others need not be there. */
  readonly reads: readonly number[];
  /** By which rows are told to shards; null: all are of the one shard there is. */
  readonly keys: readonly number[] | null;
}

/** Rows of a source: columns of it, in parcels (parcel.ts), or where a thread has read them from history. */
export interface PartRows {
  readonly sourceId: number;
  readonly columns: readonly number[];
  readonly parcels: readonly Uint8Array[];
  /** Then the parcels are the memory of these. */
  readonly shared?: SharedRows;
  /** Which of their lists is the part's; null: all rows are of the one shard there is. */
  readonly list?: number | null;
}

export interface PartError {
  readonly error: ErrorBody;
  /** How often it came; negative: it has gone. */
  readonly weight: number;
}

export interface PartLink {
  /** For people: "2 workers, split by a, b". */
  readonly place: string;
  readonly sources: readonly PartSource[];
  /** Of which the parcels are that it is fed. It holds them as long as it needs them. */
  readonly shared: SharedParcels;
  feed(rows: readonly PartRows[]): void;
  /** The step's last rows. */
  finish(rows: readonly PartRows[]): void;
  /** Ends when something has come, perhaps room; null: it has little left to take. Who feeds it much waits for that, and takes what has come. */
  readonly room: Promise<void> | null;
  /** Whether there is something for take(). */
  readonly hasRows: boolean;
  /**
   * A parcel of what the part's rows have changed by; null: nothing is here. What goes comes before what takes its place, over all shards.
   * @throws EvertError why the part has stopped.
   */
  take(): Uint8Array | null;
  /** Some of what the step has done to the errors of rows; null: nothing is here. */
  takeErrors(): readonly PartError[] | null;
  /** Whether all of the step has been taken. */
  readonly isComplete: boolean;
  /** The step is over. */
  next(): void;
  /** Ends when something has come; null: there is something to take, or nothing will come any more. */
  readonly waiting: Promise<void> | null;
  /** Bytes of its state, and of what has come and is not taken. */
  readonly bytes: number;
  /** Why the oldest step will not be complete, and none after it; null: it will. */
  readonly failed: EvertError | null;
  /** The part was built; from now on others wait for its steps. */
  live(): void;
  /** Nobody needs it any more. */
  drop(): void;
  /** What the operators of each shard have done, as last told. */
  readonly operators: readonly (readonly OperatorStats[])[];
}

/** What a link is opened for. */
export interface OpenPart {
  /** Of streams alone. */
  readonly plan: Plan;
  readonly sources: readonly PartSource[];
  readonly isSplit: boolean;
  readonly keysMove: boolean;
  /** Whether others wait for its steps, or it is to be built first. */
  readonly isLive: boolean;
}

export interface PartLinks {
  /** What of the plan is kept by threads of their own. */
  partsOf(plan: Plan): readonly PlanPart[];
  /** A part that has been fed nothing. */
  open(part: OpenPart): PartLink;
}
