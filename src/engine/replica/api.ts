/** What a database offers to other copies of its log, and to whoever looks after them. Types only. */
import type { EvertError } from "../../base/errors.ts";
import type { Epoch } from "./epochs.ts";

/** What a follower has, and asks for what follows. */
export interface FollowRequest {
  /** The follower: the same after a restart. */
  readonly follower: string;
  readonly logId: number;
  /** The position it wants next ... */
  readonly from: number;
  /** ... and the time of the commit before it; null: it has none. */
  readonly timeUs: number | null;
  readonly epochs: readonly Epoch[];
}

/** That somebody has become the leader. */
export interface Fence {
  readonly logId: number;
  readonly epochs: readonly Epoch[];
}

/** superseded: a leader in whose place another was promoted. */
export type ReplicationRole = "leader" | "follower" | "superseded";

export interface ReplicationInfo {
  readonly role: ReplicationRole;
  readonly logId: number;
  readonly epoch: number;
  /** What is durable here. */
  readonly position: string;
  /** Of a follower. */
  readonly following?: FollowingInfo;
  /** Who follows this copy now. */
  readonly followers: readonly FollowerInfo[];
}

export interface FollowingInfo {
  readonly leader: string;
  /** stopped: it cannot go on by itself. */
  readonly state: "connecting" | "following" | "stopped";
  /** Why it is not following. */
  readonly error?: EvertError;
  /** The leader's last position, as far as is known. */
  readonly leaderPosition?: string;
  readonly lagPositions?: number;
  /** Bytes of the leader's files that have not come yet. */
  readonly lagBytes?: number;
  /** Seconds since it was last known to have all that the leader has; 0 while it has. */
  readonly lagSeconds: number;
  /** Whether it has had all that the leader has, since the start. */
  readonly wasLevel: boolean;
  /** Going through a part of the log out of which rows were taken: what it answers may lack what has replaced them. */
  readonly isPartial: boolean;
  /** Its first copy is not whole yet: it has the beginning of the history. */
  readonly isCopying: boolean;
}

export interface FollowerInfo {
  readonly id: string;
  /** What it has durably, as far as it has told. */
  readonly position: number;
  /** Bytes it has not been sent. */
  readonly behindBytes: number;
  /** Milliseconds since it connected. */
  readonly connectedMs: number;
}

export interface Promotion {
  readonly epoch: number;
  /** Of the commit that began it. */
  readonly position: string;
}

export interface ReplicationApi {
  info(): ReplicationInfo;
  /** Messages for a follower (messages.ts), until the signal is given. @throws EvertError not_leader, diverged: before the first */
  stream(request: FollowRequest, signal: AbortSignal): AsyncIterable<readonly Uint8Array[]>;
  /** A follower has everything up to there, durably. */
  progress(follower: string, position: number): void;
  /** Somebody has become the leader. @throws EvertError conflict where that is not so */
  fence(fence: Fence): Promise<void>;
  /** Makes a follower the leader. @throws EvertError invalid_request where it is none */
  promote(): Promise<Promotion>;
}
