/**
 * What a circuit knows of the threads that keep parts of its plans (plan/parts.ts), and they of it.
 *
 * A step of a part: feed() any number of times, then finish(); `waiting` ends when every shard has answered, and answers() gives what they said. The
 * next step may be fed and finished before that: what is waited and asked for is always the oldest.
 */
import type { ErrorBody } from "../../base/errors.ts";
import type { Schema } from "../../batch/schema.ts";
import type { PlanPart } from "../../plan/parts.ts";
import type { Plan } from "../../plan/plan.ts";
import type { OperatorStats } from "../operator-stats.ts";

export interface PartSource {
  readonly id: number;
  readonly name: string;
  readonly schema: Schema;
  /** Columns that the part reads: others need not be there. */
  readonly reads: readonly number[];
  /** By which rows are told to shards; null: all are of the one shard there is. */
  readonly keys: readonly number[] | null;
}

/** Rows of a source: columns of it, in parcels (parcel.ts). */
export interface PartRows {
  readonly sourceId: number;
  readonly columns: readonly number[];
  readonly parcels: readonly Uint8Array[];
}

export interface PartError {
  readonly error: ErrorBody;
  /** How often it came; negative: it has gone. */
  readonly weight: number;
}

/** What a step has done to a shard. */
export interface PartAnswer {
  /**
   * Parcels of what its rows have changed by, in two phases: the first of every shard goes before the second of any. Where keys may move from one
   * to another, the first is what has left, net of what came and went within the step; else the second is empty.
   */
  readonly phases: readonly [readonly Uint8Array[], readonly Uint8Array[]];
  readonly errors: readonly PartError[];
  /** Of its state. */
  readonly bytes: number;
  /** Why it has stopped, for good. */
  readonly failed: ErrorBody | null;
}

export interface PartLink {
  /** For people: "2 workers, split by a, b". */
  readonly place: string;
  readonly sources: readonly PartSource[];
  feed(rows: readonly PartRows[]): void;
  /** The step's last rows. */
  finish(rows: readonly PartRows[]): void;
  /** Resolves when answers() may be called; null: now. */
  readonly waiting: Promise<void> | null;
  /** Resolves when it has little left to take; null: so it is. Who feeds it much waits for that. */
  readonly room: Promise<void> | null;
  /** By shard. */
  answers(): readonly PartAnswer[];
  /** Nobody needs it any more. */
  drop(): void;
  /** What the operators of each shard have done, as last asked for. */
  readonly operators: readonly (readonly OperatorStats[])[];
}

/** What a link is opened for. */
export interface OpenPart {
  /** Of streams alone. */
  readonly plan: Plan;
  readonly sources: readonly PartSource[];
  readonly isSplit: boolean;
  readonly keysMove: boolean;
}

export interface PartLinks {
  /** What of the plan is kept by threads of their own. */
  partsOf(plan: Plan): readonly PlanPart[];
  /** A part that has been fed nothing. */
  open(part: OpenPart): PartLink;
}
