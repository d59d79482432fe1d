/**
 * What goes into a commit beside its parts: rows of the log's own tables that say what the commit itself changes in them. They can only be made when
 * its place in the log is known, and whether it may be stored is decided in the same stretch, so that nothing comes in between.
 *
 * 1. known(): before it is staged, as often as it is put off. Null: it is new, and may be staged now.
 * 2. stage(): in the same stretch as a known() that gave null.
 * 3. staged(): it has been staged, in the same stretch. Not called where the log had no room for it; then 1. comes again.
 */
import type { TopicRange } from "../../log/log.ts";
import type { AppendOptions } from "../api.ts";
import type { Part } from "../write/part.ts";

/** The commit that a request has been stored by before. */
export interface Ridden {
  readonly position: number;
  readonly ranges: readonly TopicRange[];
}

export interface Rider {
  /** @throws EvertError why it may not be stored */
  known(): Ridden | null;
  /** Of own tables, for a commit of these parts that gets this position. */
  stage(position: number, parts: readonly Part[]): readonly Part[];
  staged(): void;
}

/** What a commit is asked for with. */
export interface CommitRequest extends AppendOptions {
  readonly rider?: Rider | undefined;
  /** Where it is an append of which records are put aside: the topic's id. */
  readonly appendsTo?: number | undefined;
}

/** Several in one commit, none of which refuses it or has been stored before. */
export function together(riders: readonly Rider[]): Rider {
  return {
    known: () => null,
    stage: (position, parts) => riders.flatMap((rider) => rider.stage(position, parts)),
    staged: () => {
      for (const rider of riders) rider.staged();
    },
  };
}
