/**
 * Whose word counts. Each time a follower is made the leader an *epoch* begins: the first commit of the new leader says so, in the log, so that all
 * who follow it know. Epochs are counted, and have a random id, because two followers may be promoted at the same time.
 *
 * Two copies of a log have the same commits up to where the first epoch begins that only one of them knows of. So what two copies are to each other
 * can be told from their epochs and ends alone:
 *
 * - one knows an epoch more, and the other ends before that began: it *follows*, there is nothing in it that the first has not;
 * - it ends behind that place: from there on the two are *diverged*, and nobody merges them;
 * - the one that is to lead knows less than the one that is to follow: it is *superseded*.
 */

export interface Epoch {
  readonly epoch: number;
  readonly id: number;
  /** Position of the commit that begins it. */
  readonly begins: number;
}

/** A copy of a log: the epochs it knows of, ascending, and its last position. */
export interface Copy {
  readonly epochs: readonly Epoch[];
  readonly end: number;
}

export type Relation =
  | { readonly kind: "follows" }
  /** Both have the commits up to there, and each has others behind it. */
  | { readonly kind: "diverged"; readonly after: number }
  /** By an epoch that the leader does not know of. */
  | { readonly kind: "superseded"; readonly by: Epoch };

/** What a copy that is to follow is to the one that leads. */
export function relationOf(leader: Copy, follower: Copy): Relation {
  let known = 0;
  while (isSame(leader.epochs[known], follower.epochs[known])) known++;
  const ours = leader.epochs[known];
  const theirs = follower.epochs[known];
  if (theirs !== undefined) {
    if (ours === undefined || last(follower).epoch > last(leader).epoch)
      return { kind: "superseded", by: last(follower) };
    return { kind: "diverged", after: Math.min(ours.begins, theirs.begins) - 1 };
  }
  if (ours !== undefined && follower.end >= ours.begins) return { kind: "diverged", after: ours.begins - 1 };
  return follower.end > leader.end ? { kind: "diverged", after: leader.end } : { kind: "follows" };
}

export function epochOf({ epochs }: Pick<Copy, "epochs">): number {
  return epochs.at(-1)?.epoch ?? 0;
}

function last({ epochs }: Copy): Epoch {
  return epochs[epochs.length - 1] as Epoch;
}

function isSame(a: Epoch | undefined, b: Epoch | undefined): boolean {
  return a !== undefined && b !== undefined && a.id === b.id && a.epoch === b.epoch && a.begins === b.begins;
}

/** Epochs as they come over a wire; null: it is none of it. */
export function epochsFrom(value: unknown): readonly Epoch[] | null {
  if (!Array.isArray(value)) return null;
  const epochs: Epoch[] = [];
  for (const item of value as unknown[]) {
    const { epoch, id, begins } = (item ?? {}) as Partial<Epoch>;
    const isWhole = [epoch, id, begins].every((n) => Number.isSafeInteger(n) && (n as number) > 0);
    if (!isWhole) return null;
    epochs.push({ epoch: epoch as number, id: id as number, begins: begins as number });
  }
  return epochs;
}
