/**
 * The end of the log at which commits are staged, and sealed in groups.
 *
 * Natural batching. The first commit into an idle log seals the group at the end of the current turn of the event loop, so that
 * everything appended in that turn shares one frame. While a frame is on its way to the disk the next group fills; it is
 * sealed at the end of the turn in which that frame became durable. No timer, nothing to tune: the slower the disk, the larger
 * the groups. Who must have a group sealed earlier (a transaction, before the next one is decided) has it share the next frame with others.
 */
import { assert } from "../base/assert.ts";
import { commitTooLarge } from "../batch/commit-bytes.ts";
import { Draft, type DraftOwner } from "./draft.ts";
import { encodeMeta } from "./frame.ts";
import type { KnownCommits } from "./known-commits.ts";
import { Listeners } from "./listeners.ts";
import type { CommitDraft, CommitReceipt, Group, Position } from "./log.ts";
import type { LogTime } from "./log-time.ts";
import { OpenGroup } from "./open-group.ts";
import type { OpenTopics } from "./open-topics.ts";
import { noRoom } from "./refusals.ts";
import type { Space } from "./space.ts";
import type { SealedGroup, Writer } from "./writer.ts";

export interface GroupCommitContext {
  readonly topics: OpenTopics;
  readonly time: LogTime;
  readonly knownCommits: KnownCommits;
  readonly space: Space;
  readonly writer: Writer;
  readonly commitBytesMax: number;
  readonly lastPosition: Position;
  /** Whether nothing is sealed any more. */
  readonly hasFailed: () => boolean;
  /** A group has been sealed, and all who listen have it. */
  readonly sealed: () => void;
  /** The log is at rest. */
  readonly rested: () => void;
}

export class GroupCommit implements DraftOwner {
  readonly #context: GroupCommitContext;
  readonly sealedListeners: Listeners<Group> = new Listeners();
  #lastPosition: Position;
  #group: OpenGroup;
  #drafting = false;
  #sealing = false;
  #sealScheduled = false;
  #resting = true;

  constructor(context: GroupCommitContext) {
    this.#context = context;
    this.#lastPosition = context.lastPosition;
    this.#group = new OpenGroup(this.#lastPosition + 1, context.topics);
  }

  /** Of all commits, staged ones too. */
  get lastPosition(): Position {
    return this.#lastPosition;
  }

  get group(): OpenGroup {
    return this.#group;
  }

  /** Whether a commit is being staged. */
  get isDrafting(): boolean {
    return this.#drafting;
  }

  /** Whether nothing is on its way to the disk and nothing is staged. */
  get isResting(): boolean {
    return this.#resting;
  }

  /** Commits are staged here again, behind those that were another log's. */
  beginAnew(): void {
    this.#group = new OpenGroup(this.#lastPosition + 1, this.#context.topics);
  }

  /** Commits of another log's making are here. */
  advance(lastPosition: Position, timeUs: number): void {
    this.#lastPosition = lastPosition;
    this.#context.time.reached(timeUs);
  }

  /** They came as a frame. */
  received(sealed: SealedGroup): void {
    const { group } = sealed;
    this.advance(group.lastPosition, group.commits.at(-1)?.timeUs ?? 0);
    this.#resting = false;
    this.#sealing = true;
    try {
      this.sealedListeners.tell(group);
    } finally {
      this.#sealing = false;
      this.#context.writer.enqueue(sealed);
    }
  }

  begin(idempotencyKey: string | null, requestDigest: string | null): CommitDraft {
    assert(!this.#drafting, "one commit is staged at a time");
    this.#drafting = true;
    return new Draft(this, this.#group, idempotencyKey, requestDigest);
  }

  commitDraft({ idempotencyKey, requestDigest }: Draft): CommitReceipt {
    const group = this.#group;
    const { commitBytesMax, space, time, knownCommits } = this.#context;
    const bytes = group.bytesMaxWithDraft(idempotencyKey?.length ?? 0, requestDigest?.length ?? 0);
    this.#drafting = false;
    if (bytes - group.bytesMax > commitBytesMax) {
      group.rollbackDraft();
      throw commitTooLarge(bytes - group.bytesMax, commitBytesMax);
    }
    if (!space.fits(bytes)) {
      group.rollbackDraft();
      throw noRoom(bytes - group.bytesMax, space.full);
    }
    const timeUs = time.stamp();
    const position = this.#lastPosition + 1;
    const ranges = group.endDraft({ position, timeUs, idempotencyKey, requestDigest }, bytes);
    this.#lastPosition = position;
    this.#resting = false;
    if (idempotencyKey !== null)
      knownCommits.add(idempotencyKey, timeUs, { position, requestDigest, ranges });
    knownCommits.expire(timeUs);
    this.#scheduleSeal();
    return { position, timeUs, ranges, durable: group.durable };
  }

  rollbackDraft(): void {
    this.#drafting = false;
    this.#group.rollbackDraft();
  }

  seal(): void {
    assert(!this.#drafting, "no commit is being staged when a group is sealed");
    assert(!this.#sealing, "a listener of a sealed group does not seal the next");
    const open = this.#group;
    const { space, writer, topics, hasFailed, sealed } = this.#context;
    if (open.commits.length === 0 || hasFailed()) return;
    const group = open.finish();
    const meta = encodeMeta(group);
    const placement = space.place(meta.frameBytes, group);
    this.#group = new OpenGroup(group.lastPosition + 1, topics);
    // First of all, so that the rest is done while the disk works.
    writer.enqueue({ group, meta, placement, resolve: open.resolve, reject: open.reject });
    this.#sealing = true;
    try {
      this.sealedListeners.tell(group);
    } finally {
      this.#sealing = false;
      sealed();
    }
  }

  /** Everything sealed is durable. Who waited for it may append again within this turn; else the log is at rest. */
  becameIdle(): void {
    this.#scheduleSeal();
    setImmediate(() => {
      if (this.#context.writer.busy || this.#group.commits.length > 0) return;
      this.#resting = true;
      this.#context.rested();
    });
  }

  #scheduleSeal(): void {
    const { writer } = this.#context;
    if (this.#sealScheduled || writer.busy || this.#group.commits.length === 0) return;
    this.#sealScheduled = true;
    setImmediate(() => {
      this.#sealScheduled = false;
      if (!writer.busy) this.seal();
    });
  }
}
