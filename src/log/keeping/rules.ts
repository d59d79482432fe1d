/**
 * What may be taken out of sealed segments. History is kept for ever unless a rule says otherwise; whoever sets one has looked at who still needs
 * what goes (docs/decisions/0044-keeping.md).
 */
import type { ColumnRange } from "../column-range.ts";

/** Who still needs a topic's rows: those that may lie within all of these ranges; without ranges, all. */
export interface Need {
  readonly name: string;
  readonly ranges: readonly ColumnRange[];
}

export interface TopicRule {
  /** Rows go when they are older, in microseconds of log time, all of a topic in one segment at once; null: they stay. */
  readonly retainForUs: number | null;
  /** The oldest go while those that stay take at least so many bytes of sealed segments; null: they stay. */
  readonly retainBytes: number | null;
  /** Whose needs hold them back. */
  readonly neededBy: readonly Need[];
  /** Of each key only the last row stays, and a delete for so many microseconds of log time; null: all stay. REQUIRES a topic with a key. */
  readonly tombstonesForUs: number | null;
}

export interface KeepingRules {
  /**
   * Rows of commits behind it stay, and none goes because of them. Whoever goes on from a position at or behind it, as from a checkpoint, meets every
   * change.
   */
  readonly horizon: number;
  /** By topic; those without a rule keep everything. */
  readonly topics: ReadonlyMap<number, TopicRule>;
  /**
   * Deletes of commits behind it stay, however old: a copy of the log has come so far, and may have what they deleted. Asked for again and again;
   * absent: there are no copies.
   */
  readonly copiedTo?: () => number;
  /** Of a topic that is no more nothing stays. */
  readonly isDropped: (topicId: number) => boolean;
}

export interface KeepingStats {
  /** Segments written anew since the log was opened, rows taken out of them, and by how many bytes they have become smaller. */
  readonly segments: number;
  readonly rows: number;
  readonly bytes: number;
  /** By topic, the names of those whose needs hold rows back that might go. */
  readonly heldBack: ReadonlyMap<number, readonly string[]>;
  /** Why the last attempt failed; null once one has succeeded. */
  readonly failure: string | null;
}
