/** What somebody beside the log knows of how far it had come: a checkpoint is taken of what is durable, a backup says its position. */

export interface Reached {
  readonly position: number;
  /** Of the log; null: that is not known. */
  readonly logId: number | null;
}

/** What the files of a log have. */
export interface FoundEnd {
  readonly lastPosition: number;
  /** null: nothing in them says it. */
  readonly logId: number | null;
}

/** Whether the log has lost its end. What is known of another log says nothing of this one. */
export function lacksEnd({ lastPosition, logId: own }: FoundEnd, { position, logId }: Reached): boolean {
  return position > lastPosition && (own === null || logId === null || own === logId);
}
