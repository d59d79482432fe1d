/** What cold rows need of the store that they move out of and into. */
import type { Rows } from "../rows.ts";

export interface ColdHost extends Rows {
  readonly epoch: number;
  /** Rows born up to then, and not dead, are the same to all who read at `horizon` or later, where nobody else reads before this one. */
  sharedUntil(horizon: number): number;
  /** Whether rows may go out now. */
  readonly mayCool: boolean;
  /** The same, but for those who hold them for a moment. */
  readonly mayCoolSoon: boolean;
  readonly alloc: () => number;
  reserve(rows: number): void;
  /** Enters a row that has come back into the slot. */
  admit(slot: number): void;
  /** The row has gone out: its slot is free. */
  dismiss(slot: number): void;
}

/** Lets the event loop have a turn if the one at hand is used up. */
export type Pause = () => Promise<void> | void;
