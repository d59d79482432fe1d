/** How a data directory may be opened: what it remembers (note.ts), and what is asked for. */
import { EvertError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { Leader, ReachLeader } from "./leader.ts";
import { type KeptNote, newNote, plainNote, type ReplicaNote } from "./note.ts";

const SYNC_TIMEOUT_MS = 10_000;

/** A leader to follow. */
export interface FollowOptions {
  readonly url: string;
  /** For its answers, where it asks for one. */
  readonly token?: string | undefined;
  /** Where the two histories have parted, this one's is kept aside, in a folder `diverged-…`, and a copy of the leader's takes its place. */
  readonly rejoin?: boolean | undefined;
}

/** Commits that wait for followers. */
export interface SyncOptions {
  /** How many are to have a commit durably before it is acknowledged and shown; 0: none. */
  readonly followers: number;
  /** How long an append waits for them. */
  readonly timeoutMs: number;
}

/** @throws EvertError invalid_argument */
export function syncOptions(followers = 0, timeoutMs = SYNC_TIMEOUT_MS): SyncOptions {
  if (!Number.isSafeInteger(followers) || followers < 0 || !(timeoutMs > 0)) {
    throw new EvertError("invalid_argument", "syncFollowers is a number of replicas, syncTimeoutMs a time", {
      detail: `They are ${followers} and ${timeoutMs}.`,
    });
  }
  return { followers, timeoutMs };
}

export interface Role {
  /** Who is followed; null: the log is led here. */
  readonly leader: Leader | null;
  /** What the directory is to remember once it is open; null: nothing. */
  readonly note: ReplicaNote | null;
}

/** @throws EvertError invalid_request where what is remembered and what is asked for contradict each other */
export function roleOf(
  { note }: KeptNote,
  directory: string,
  random: Random,
  follow: FollowOptions | undefined,
  reach: ReachLeader,
): Role {
  if (follow === undefined) {
    if (note === null || note.follows === null) return { leader: null, note };
    throw new EvertError("invalid_request", `${directory} is a replica of ${note.follows}`, {
      detail: "As a leader it would have another history than those that follow the same one.",
      hint: "Start it with --follow; to have it lead, promote it then: evert promote.",
    });
  }
  const leader = reach(follow.url, follow.token);
  // It leads, unless it has heard of somebody who was promoted after it: this one may well be the one it replaced.
  if (note?.replaces === leader.url && note.superseded === null && follow.rejoin !== true) {
    throw new EvertError("invalid_request", `${directory} was promoted in place of ${leader.url}`, {
      detail: "It leads. As a follower it would wait for a leader that follows it.",
      hint: "Start it without --follow; if it is to follow once more, say --rejoin.",
    });
  }
  const { id, isCopying } = note ?? newNote(random);
  return { leader, note: { ...plainNote(id), isCopying, follows: leader.url } };
}
