/**
 * What a database is to other copies of its log: a leader, a follower of one, or a former leader that has been superseded.
 *
 * - A *follower* refuses to write and names its leader; nothing else comes into its log than what the leader has written, no tick and no sink's rows
 *   either.
 * - *Promotion* makes it a leader: it takes nothing more from its leader, finishes what it has, and begins an epoch (epochs.ts) with its first
 *   commit. From then on its program's definitions, ticks and sinks are its own affair. Then it tells the former leader, until that one has heard.
 * - A leader that learns of an epoch it does not know is *superseded*: it refuses to write, and remembers that beyond its end.
 */
import type { Disk } from "../../base/disk.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import type { CatalogEvent } from "../catalog/catalog-events.ts";
import type { Core } from "../core.ts";
import type {
  Fence,
  FollowingInfo,
  FollowRequest,
  Promotion,
  ReplicationApi,
  ReplicationInfo,
} from "./api.ts";
import { type Epoch, epochOf, relationOf } from "./epochs.ts";
import { Follower } from "./follower.ts";
import { Followers } from "./followers.ts";
import type { Leader, ReachLeader } from "./leader.ts";
import { type KeptNote, newNote, plainNote, type ReplicaNote } from "./note.ts";
import type { SyncOptions } from "./role.ts";

/** Between two attempts to tell a former leader. */
const FENCE_MS = 5_000;
/** What has been taken from a leader is stepped by then. */
const PROMOTION_MS = 600_000;

export interface ReplicationParts {
  readonly core: Core;
  readonly disk: Disk;
  readonly random: Random;
  readonly note: KeptNote;
  /** Who is followed; null: the log is led here. */
  readonly leader: Leader | null;
  readonly reach: ReachLeader;
  /** For whoever is reached. */
  readonly token: string | undefined;
  /** How many followers are to have a commit before it is acknowledged, and how long it waits for them. */
  readonly sync: SyncOptions;
  /** Begins with what a leader does by itself. */
  readonly lead: () => Promise<void>;
  /** Ends it. */
  readonly rest: () => void;
  readonly report: (message: string) => void;
}

export class Replication implements ReplicationApi {
  readonly #parts: ReplicationParts;
  readonly #followers: Followers;
  /** Of a log that is not led here from the start. */
  #follow: (() => Follower) | null = null;
  #follower: Follower | null = null;
  readonly #note: KeptNote;
  #refusal: EvertError | null = null;
  #promoting: Promise<Promotion> | null = null;
  /** It leads, and what belongs to that has not been done yet. */
  #begun: Promotion | null = null;
  /** What a leader does by itself has begun. */
  #hasBegun = false;
  /** Lets in those who write, once what a leader does first is done. */
  #letIn: () => void = () => {};
  #fencing: NodeJS.Timeout | null = null;
  #noting: NodeJS.Timeout | null = null;
  #isPassingOn = false;
  #isClosed = false;

  constructor(parts: ReplicationParts) {
    const { core, leader, note, disk, report } = parts;
    this.#parts = parts;
    this.#note = note;
    this.#followers = new Followers({
      log: core.log,
      epochs: () => core.catalog.epochs,
      needed: parts.sync.followers,
      nowMs: () => core.clock.monotonicUs() / 1000,
      refusal: () => (this.#follower === null ? this.#refusal : isReplicaItself(this.#follower.url)),
      superseded: (by) => this.#supersede(by),
    });
    if (leader !== null) {
      this.#refuse(followsAnother(leader.url));
      core.publisher.moments.lackUntil(core.log.horizon);
      const { id } = note.note as ReplicaNote;
      const onLevel = (): void => this.#copied();
      this.#follow = () => new Follower({ core, leader, disk, id, report, onLevel });
      this.#follower = this.#follow();
    } else if (note.note !== null && note.note.superseded !== null)
      this.#refuse(supersededBy(note.note.superseded));
  }

  /** Whether ticks, sinks and definitions of the program are this database's own affair. */
  get leads(): boolean {
    return this.#refusal === null;
  }

  /** The log's end has been reached. */
  start(): void {
    this.#follower?.start();
    if (this.leads) this.#waitForFollowers();
    const { replaces = null, isTold = false } = this.#note.note ?? {};
    if (replaces !== null && !isTold) this.#tellFormer(replaces);
  }

  info(): ReplicationInfo {
    const { log, catalog } = this.#parts.core;
    const role = this.#follower !== null ? "follower" : this.#refusal !== null ? "superseded" : "leader";
    return {
      role,
      logId: log.logId,
      epoch: epochOf(catalog),
      position: String(log.durablePosition),
      ...(this.#follower === null ? {} : { following: this.#following(this.#follower) }),
      followers: this.#followers.list(),
    };
  }

  #following(follower: Follower): FollowingInfo {
    const { state, error, leaderPosition, lagBytes, lagSeconds, wasLevel, isPartial } = follower.status();
    const own = this.#parts.core.log.durablePosition;
    return {
      leader: follower.url,
      state,
      ...(error === null ? {} : { error }),
      ...(leaderPosition === null
        ? {}
        : { leaderPosition: String(leaderPosition), lagPositions: Math.max(0, leaderPosition - own) }),
      ...(lagBytes === null ? {} : { lagBytes }),
      lagSeconds,
      wasLevel,
      isPartial,
      isCopying: this.#note.note?.isCopying === true,
    };
  }

  /** The follower has had all that its leader has. */
  #copied(): void {
    const note = this.#note.note as ReplicaNote;
    if (!note.isCopying) return;
    this.#note
      .set({ ...note, isCopying: false })
      .catch((error: unknown) =>
        this.#parts.report(`that the copy is whole could not be noted: ${toEvertError(error).message}`),
      );
  }

  stream(request: FollowRequest, signal: AbortSignal): AsyncIterable<readonly Uint8Array[]> {
    return this.#followers.stream(request, signal);
  }

  progress(follower: string, position: number): void {
    this.#followers.progress(follower, position);
  }

  /** The position that all copies of the log have come to, as far as is known. */
  copiedTo(): number {
    return this.#followers.copiedTo();
  }

  /** While this is done, deletes up to the position are being erased. */
  erasing(position: number, done: () => Promise<void>): Promise<void> {
    return this.#followers.erasing(position, done);
  }

  async fence({ logId, epochs }: Fence): Promise<void> {
    const { log, catalog } = this.#parts.core;
    const own = { epochs: catalog.epochs, end: log.durablePosition };
    const relation = relationOf(own, { epochs, end: 0 });
    if (logId !== log.logId || relation.kind !== "superseded") {
      throw new EvertError("conflict", "no epoch has begun that this copy of the log does not know of");
    }
    if (this.#follower === null) await this.#supersede(relation.by);
    else await this.#passOn(this.#follower, { logId, epochs });
  }

  /** A replica is told in the place of whom it follows, which is the one that may write: told it is only when that one knows. */
  async #passOn(follower: Follower, fence: Fence): Promise<void> {
    // Two that follow each other would pass it to and fro; one that is being promoted may lead by the next time.
    if (this.#isPassingOn || this.#promoting !== null) {
      throw new EvertError("not_ready", `this is a replica: it is for ${follower.url} to know of that`, {
        hint: "Tell it again.",
      });
    }
    const { reach, token } = this.#parts;
    this.#isPassingOn = true;
    try {
      await reach(follower.url, token).fence(fence);
    } finally {
      this.#isPassingOn = false;
    }
  }

  promote(): Promise<Promotion> {
    if (this.#begun !== null) {
      this.#promoting ??= this.#begin(this.#begun).finally(() => {
        this.#promoting = null;
      });
      return this.#promoting;
    }
    if (this.#follower === null) {
      const isFormer = this.#refusal !== null;
      return Promise.reject(
        new EvertError("invalid_request", isFormer ? "this is a former leader" : "this is the leader", {
          detail: isFormer
            ? "A follower was promoted in its place."
            : "There is nobody in whose place to put it.",
          hint: isFormer ? "Start it with --follow; it can be promoted then." : undefined,
        }),
      );
    }
    this.#promoting ??= this.#promote(this.#follower).finally(() => {
      this.#promoting = null;
    });
    return this.#promoting;
  }

  async #promote(follower: Follower): Promise<Promotion> {
    const { core, random } = this.#parts;
    const { log, catalog, committer, publisher } = core;
    this.#refusePartial();
    await follower.stop({ abort: false });
    if (core.failure !== null) throw core.failure;
    try {
      this.#refusePartial();
      await publisher.waitFor(log.lastPosition, PROMOTION_MS);
      await core.loadOwn();
      await log.lead();
    } catch (error) {
      // Nothing has changed: it follows as before.
      this.#follower = this.#follow!();
      if (!this.#isClosed) this.#follower.start();
      throw error;
    }
    const epoch = epochOf(catalog) + 1;
    const words = new Uint32Array(random.bytes(new Uint8Array(8)).buffer);
    const id = 1 + words[0]! * 0x10_0000 + (words[1]! >>> 12);
    // What came as frames went by the committer.
    committer.lastWritten.startAt(log.lastPosition);
    // The first that goes through the gate: nobody else has been let in yet.
    this.#letIn = this.comeFirst();
    committer.refusal = null;
    let position: string;
    try {
      const begins = (): CatalogEvent[] => [
        { event: "lead", epoch: { epoch, id, begins: log.lastPosition + 1 } },
      ];
      position = await core.define(begins, true);
    } catch (error) {
      committer.refusal = this.#refusal;
      this.#letIn();
      throw error;
    }
    this.#refusal = null;
    this.#follower = null;
    const replaces = follower.url;
    // The epoch has begun. Whatever fails from here on, nobody else is to lead.
    const { id: own } = this.#note.note as ReplicaNote;
    this.#begun = { epoch, position };
    this.#hasBegun = false;
    await this.#keepNote({ ...plainNote(own), replaces });
    this.#tellFormer(replaces);
    return this.#begin(this.#begun);
  }

  /**
   * @throws EvertError why what the program declares cannot be made, or that it leads cannot be noted, so that the next start would not know: it
   * leads all the same, and promote() tries that again
   */
  async #begin(promotion: Promotion): Promise<Promotion> {
    const { lead, rest } = this.#parts;
    if (!this.#hasBegun) {
      try {
        await lead();
      } finally {
        // Those that followed the former leader come when they are told to. It leads also where that has failed: then what is tried again waits for
        // them as well.
        if (this.#refusal === null) this.#waitForFollowers();
        this.#letIn();
      }
      if (this.#refusal !== null) {
        // Somebody was promoted after it, meanwhile.
        rest();
        throw this.#refusal;
      }
      this.#hasBegun = true;
    }
    if (!this.#note.isOnDisk) await this.#note.set(this.#note.note as ReplicaNote);
    this.#begun = null;
    return promotion;
  }

  /** What the note says has happened: where it cannot be written now, it is tried until it is. */
  async #keepNote(note: ReplicaNote, isAgain = false): Promise<void> {
    try {
      await this.#note.set(note);
    } catch (error) {
      if (!isAgain)
        this.#parts.report(
          `that this is the leader could not be noted, and is tried again: ${toEvertError(error).message}`,
        );
      if (this.#isClosed) return;
      this.#noting = setTimeout(() => {
        if (!this.#note.isOnDisk) void this.#keepNote(this.#note.note as ReplicaNote, true);
      }, FENCE_MS);
      this.#noting.unref();
    }
  }

  /** @throws EvertError where nothing is here, or where rows are not because others have replaced them that are not here either */
  #refusePartial(): void {
    const { log, publisher } = this.#parts.core;
    const { lastPosition, horizon } = log;
    if (lastPosition === 0 && this.#note.note?.isCopying === true) {
      throw new EvertError("not_ready", "this replica has nothing of its leader's log yet", {
        detail: "As the leader it would have another history than all who have it, from the first commit on.",
        hint: "Promote another replica. Where there is none, and the leader is lost, restore a backup.",
      });
    }
    if (publisher.moments.has(lastPosition)) return;
    throw new EvertError(
      "not_ready",
      `this replica is in the middle of a copy, at position ${lastPosition}`,
      {
        detail: `Its leader has compacted up to position ${horizon}: rows are missing here that later ones replace.`,
        hint: "Promote another replica. Where there is none, and the leader is lost, restore a backup.",
      },
    );
  }

  async #supersede(by: Epoch): Promise<void> {
    const { random, rest, report } = this.#parts;
    if (this.#follower !== null) return;
    if (this.#refusal === null) {
      this.#refuse(supersededBy(by.epoch));
      this.#begun = null;
      rest();
      this.#followers.endAll();
      report(`this is not the leader any more: epoch ${by.epoch} has begun; nothing more is written`);
    }
    const note = this.#note.note ?? newNote(random);
    // Where it could not be written, whoever has told of it tells again: the next start is to know it.
    if (note.superseded === null || !this.#note.isOnDisk)
      await this.#note.set({ ...note, superseded: note.superseded ?? by.epoch });
  }

  #refuse(error: EvertError): void {
    this.#refusal = error;
    this.#parts.core.committer.refusal = error;
  }

  /**
   * Where commits are to wait for followers, nobody else's is staged until what is given is called: those of a leader's beginning, such as what the
   * program declares, do not wait, and any other that came amid them would be acknowledged while no follower has it.
   */
  comeFirst(): () => void {
    return this.#parts.sync.followers === 0 ? () => {} : this.#parts.core.committer.reserve();
  }

  /** From now on commits wait for as many followers as are to have them. What the program declares at a start does not. */
  #waitForFollowers(): void {
    const { core, sync } = this.#parts;
    const { followers, timeoutMs } = sync;
    if (followers === 0) return;
    const late = (position: number): EvertError => {
      const connected = this.#followers.list().length;
      return new EvertError(
        "timeout",
        `${followers === 1 ? "no replica has" : `fewer than ${followers} replicas have`} position ${position} yet`,
        {
          detail: `It is stored here, and stays. It has waited ${timeoutMs} ms for replicas, of which ${connected} ${connected === 1 ? "is" : "are"} connected.`,
          hint: "It is shown once they have it. With an idempotency key the request can be sent again.",
        },
      );
    };
    core.log.requireConfirmation({ timeoutMs, late });
  }

  /** Tells the one that led before, until it has heard. */
  #tellFormer(url: string): void {
    const { core, reach, token, report } = this.#parts;
    const tell = async (): Promise<void> => {
      try {
        await reach(url, token).fence({ logId: core.log.logId, epochs: core.catalog.epochs });
      } catch (thrown) {
        const { code } = toEvertError(thrown);
        // It knows by now, by following or from somebody else; or there is another log.
        if (code !== "conflict") {
          if (this.#isClosed) return;
          this.#fencing = setTimeout(() => void tell(), FENCE_MS);
          this.#fencing.unref();
          return;
        }
      }
      if (this.#isClosed) return;
      await this.#note
        .set({ ...(this.#note.note as ReplicaNote), isTold: true })
        .catch((error: unknown) =>
          report(`that ${url} knows of this leader could not be noted: ${toEvertError(error).message}`),
        );
    };
    void tell();
  }

  /** True: what has been taken from the leader has not all been stepped, or what was appended waits for followers. */
  async close(): Promise<boolean> {
    this.#isClosed = true;
    if (this.#fencing !== null) clearTimeout(this.#fencing);
    if (this.#noting !== null) clearTimeout(this.#noting);
    await this.#promoting?.catch(() => {});
    await this.#note.settled();
    this.#followers.close();
    const isFedBehind = (await this.#follower?.stop({ abort: true })) ?? false;
    const { log } = this.#parts.core;
    return isFedBehind || (log.requirement !== null && log.durablePosition < log.lastPosition);
  }
}

function followsAnother(url: string): EvertError {
  return new EvertError("not_leader", "this is a replica: nothing can be written here", {
    detail: `Its leader is at ${url}.`,
    hint: `Send what is to be written to ${url}.`,
  });
}

function isReplicaItself(url: string): EvertError {
  return new EvertError("not_leader", `this is a replica of ${url}: follow that`, {
    detail:
      "Replicas follow the leader, not each other. Whoever waits for this one goes on when it is promoted.",
    hint: `Follow ${url}.`,
  });
}

function supersededBy(epoch: number): EvertError {
  return new EvertError("not_leader", "this is not the leader any more: nothing can be written here", {
    detail: `A replica was promoted in its place; epoch ${epoch} began with that.`,
    hint: "Write to the one that was promoted; start this one with --follow and that one's address.",
  });
}
