/**
 * What PostgreSQL has and we do not yet. It takes part in resolution, so that a call PostgreSQL would resolve to it is refused (0A000) and
 * never answered by something else.
 */
import { bytea, type SqlType, text } from "../batch/types.ts";

/** Overloads PostgreSQL has beside ours: "name" or "op" -> argument types. */
export const absentOverloads: Readonly<Record<string, readonly (readonly SqlType[])[]>> = {
  reverse: [[bytea]],
  // Full text search.
  "@@": [[text, text]],
};
