/**
 * The way in: from rows at the door to a durable commit.
 *
 * 1. Backpressure first: the log must have zero-filled room, the engine must not be far behind.
 * 2. The commit is staged in one synchronous stretch (stage-part.ts), within the call where nothing has to be waited for: validated into the open
 *    group's columns, or rolled back as if it had never been.
 * 3. The caller is answered when the group is on disk.
 *
 * Statements that decide by reading (INSERT into a keyed table, UPDATE, DELETE) hold the gate while they read and stage, so that nothing
 * comes in between: they are serializable, and other appends wait that long.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type ErrorCode, EvertError } from "../../base/errors.ts";
import type { CommitReceipt, Log } from "../../log/log.ts";
import { CATALOG_TOPIC } from "../catalog/hidden-topics.ts";
import type { CommitRequest } from "../own/rider.ts";
import type { Stepper } from "../stepper.ts";
import { type AppendPlace, placeBehind, withPlace } from "./append-place.ts";
import type { CommitRoom, Weight } from "./commit-room.ts";
import type { Constraints, Judgement } from "./constraints.ts";
import type { DurableWaiters } from "./durable-waiters.ts";
import { Gate } from "./gate.ts";
import { LastWritten } from "./last-written.ts";
import { estimate, measure, type Part, rowsOf } from "./part.ts";
import { digestOf } from "./request-digest.ts";
import { isSmall, prepared, stagePart } from "./stage-part.ts";

/** Rows that a group may have however little memory there is. */
const GROUP_ROWS_MIN = 256;
/** How often room is looked for anew because rows have been freed. */
const SWEEPS_MAX = 64;
/** About what a rider puts into a commit. */
const RIDER_BYTES = 1024;
const NO_REQUEST: CommitRequest = {};
/** A commit turned out larger than what was asked for. */
const NO_ROOM: ReadonlySet<ErrorCode> = new Set(["too_many_requests", "disk_full", "too_many_files"]);
export const NO_MEMORY: ReadonlySet<ErrorCode> = new Set(["out_of_memory", "commit_too_large"]);

/** Of an append of which records were put aside, what its ranges do not say. */
export interface StagedCommit extends CommitReceipt {
  readonly appendedTo?: AppendPlace | undefined;
}

/** What has been staged; otherwise what is to be waited for first, or null. */
export type StagedNow = StagedCommit | Promise<void> | null;

export class Committer {
  readonly #log: Log;
  readonly #stepper: Stepper;
  readonly #constraints: Constraints;
  readonly #durability: Pick<DurableWaiters, "acknowledged" | "told" | "wait">;
  // Made once: a function for each commit costs as much as what it does.
  readonly #topicEnd = (id: number): number => this.#log.topicEnd(id);
  readonly #gate = new Gate();
  readonly #open = (): void => this.#gate.open();
  /** Before the gate: closed while a leader does what is to be done before anybody else writes. */
  readonly #door = new Gate();
  /** A commit is being staged, and its rows' own code may run. */
  #staging = false;
  #refusal: EvertError | null = null;
  #closed: EvertError | null = null;
  /** Of the log's open group. */
  #openRows = 0;
  /** Refuses what may not be staged, by throwing. */
  guard: (part: Part) => void = () => {};
  /** Whether there is memory for what they bring. */
  memory: Pick<CommitRoom, "weigh" | "wait" | "refuse" | "staged"> | null = null;
  /** Parts as they are to be staged: their topics may have been changed since they were made. */
  upToDate: (parts: readonly Part[]) => readonly Part[] = (parts) => parts;

  readonly lastWritten: LastWritten;

  constructor(
    log: Log,
    stepper: Stepper,
    constraints: Constraints,
    durability: Pick<DurableWaiters, "acknowledged" | "told" | "wait">,
  ) {
    this.#log = log;
    this.#stepper = stepper;
    this.#constraints = constraints;
    this.#durability = durability;
    this.lastWritten = new LastWritten(log.lastPosition);
  }

  /** Why nothing is to be written here at present, or null. Who waits at the gate is refused with it at once. */
  get refusal(): EvertError | null {
    return this.#refusal;
  }

  set refusal(error: EvertError | null) {
    this.#refusal = error;
    if (error === null) return;
    for (const gate of [this.#gate, this.#door]) if (gate.opened !== null) gate.refuse(error);
  }

  /** The log's open group is another. */
  sealed(): void {
    this.#openRows = 0;
  }

  /** From now on every commit is refused with this. */
  close(error: EvertError): void {
    this.#closed = error;
  }

  /** Stages and waits until durable. A key that is known answers as the first time. `staged`: where it has been tried. */
  async commit(
    parts: readonly Part[],
    request: CommitRequest = NO_REQUEST,
    staged: StagedNow = this.stageNow(parts, request),
  ): Promise<StagedCommit> {
    // Who has asked for room stands in the queue for it, and is refused there when the disk is full or fails: nobody else would take that.
    if (staged instanceof Promise) await staged;
    const receipt = isReceipt(staged) ? staged : await this.#stageInTurn(parts, request);
    await receipt.durable;
    return receipt;
  }

  /**
   * What is usual, without waiting for anything: a few rows, and there is room. Where nothing is staged, commit() goes on with what this gives.
   * `isFresh`: the parts were made in this turn, so that their topics are as they were then.
   */
  stageNow(parts: readonly Part[], request: CommitRequest, isFresh = false): StagedNow {
    // A row may be an object whose properties are computed, by code that appends.
    if (this.#staging || request.idempotencyKey !== undefined || request.rider !== undefined) return null;
    if (request.requestDigest !== undefined || !isSmall(parts)) return null;
    const weight = this.memory?.weigh(parts) ?? "small";
    const wait = this.#wait(estimate(parts), false, weight === "large");
    if (wait !== null) return wait;
    try {
      return this.#stage(parts, request, undefined, weight, isFresh);
    } catch (error) {
      if (error instanceof EvertError && NO_ROOM.has(error.code)) return null;
      return this.#freed(error);
    }
  }

  /** What is to be waited for where there is no memory because what is dead has yet to be freed. @throws `error` otherwise */
  #freed(error: unknown): Promise<void> {
    const swept = error instanceof EvertError && NO_MEMORY.has(error.code) ? this.#stepper.swept() : null;
    if (swept === null) throw error;
    return swept;
  }

  async #stageInTurn(parts: readonly Part[], request: CommitRequest): Promise<StagedCommit> {
    const named = request.idempotencyKey !== undefined && request.requestDigest === undefined;
    const options = named ? { ...request, requestDigest: digestOf(parts) } : request;
    return this.known(options) ?? this.#admitted(await prepared(parts), options);
  }

  /** Many rows are judged a piece at a time: meanwhile nobody else may stage. */
  #admitted(parts: readonly Part[], options: CommitRequest): Promise<StagedCommit> {
    if (isSmall(parts) || this.#judge(parts) === null) return this.#admit(parts, options, false);
    return this.#alone(async () => {
      const known = this.known(options);
      if (known !== null) return known;
      const current = this.upToDate(parts);
      return this.#admit(current, options, true, await this.#judged(current));
    });
  }

  #judge(parts: readonly Part[]): Judgement | null {
    return this.#constraints.judge(parts, this.#topicEnd);
  }

  async #judged(parts: readonly Part[]): Promise<Judgement | null> {
    const judgement = this.#judge(parts);
    while (judgement !== null && !judgement.advance()) await nextTurn();
    return judgement;
  }

  /** Closes the gate, which REQUIRES that it is open; what is given opens it again. */
  hold(): () => void {
    this.#gate.close();
    return this.#open;
  }

  /**
   * Until what is given is called, nobody stages anything but those who decide alone and are said to come first; the others wait. REQUIRES that this
   * is not so already.
   */
  reserve(): () => void {
    this.#door.close();
    return () => this.#door.open();
  }

  /** Runs `work` with the gate closed, which then stays so until what `work` asks for has ended. `isFirst`: see reserve(). */
  async #alone<T>(work: (stay: (until: Promise<void>) => void) => Promise<T>, isFirst = false): Promise<T> {
    const opens = (): Promise<void> | null => (isFirst ? null : this.#door.opened) ?? this.#gate.opened;
    for (let opened = opens(); opened !== null; opened = opens()) {
      if (this.refusal !== null) throw this.refusal;
      await opened;
    }
    const open = this.hold();
    let stays: Promise<void> | null = null;
    try {
      return await work((until) => {
        stays = until;
      });
    } finally {
      if (stays === null) open();
      else (stays as Promise<void>).then(open, open);
    }
  }

  /**
   * Runs `decide` alone: everything before it has been stepped, and nothing is staged until it has given its parts (null:
   * nothing to do). The parts are staged before the gate opens. `isFirst`: it comes before those whom reserve() keeps out.
   */
  async exclusively(
    decide: () => Promise<readonly Part[] | null>,
    options: CommitRequest & { readonly onStaged?: () => void; readonly isFirst?: boolean } = {},
  ): Promise<StagedCommit | null> {
    let made: Promise<void> | null = null;
    const receipt = await this.#alone(async (stay) => {
      if (this.refusal !== null) throw this.refusal;
      this.#log.seal();
      await this.#stepper.atBoundary(() => {});
      const parts = await decide();
      if (parts === null) return null;
      const ready = await prepared(parts);
      const staged = await this.#admit(ready, options, true, await this.#judged(ready));
      if (ready.some((part) => part.topic.id === CATALOG_TOPIC)) stay((made = this.#made(staged.position)));
      return staged;
    }, options.isFirst);
    options.onStaged?.();
    await receipt?.durable;
    await made;
    return receipt;
  }

  /**
   * Resolves when a change of the catalog is made, which is when it is durable (step-queue.ts). It is a group of its own, made before anything behind
   * it is stepped, and before anything else is staged, which it may be about.
   */
  async #made(position: number): Promise<void> {
    this.#log.seal();
    // It goes on by itself. Who waits behind it has nothing stored, and is told so in time.
    this.#durability.told(position).catch((error: EvertError) => this.#gate.refuse(error));
    await this.#durability.wait(position);
    this.#gate.admit();
    await this.#stepper.atBoundary(() => {});
  }

  /** What the request has been stored by, or null. @throws EvertError idempotency_conflict; what its rider refuses it with. */
  known(options: CommitRequest): StagedCommit | null {
    const key = options.idempotencyKey;
    const known = key === undefined ? null : this.#log.knownCommit(key);
    if (known === null) {
      // What the log's own tables say is known to who leads the log.
      if (options.rider !== undefined && this.refusal !== null) throw this.refusal;
      const ridden = options.rider?.known() ?? null;
      return ridden === null
        ? null
        : { ...ridden, timeUs: 0, durable: this.#durability.acknowledged(ridden.position) };
    }
    const digest = options.requestDigest ?? null;
    const { requestDigest: kept } = known;
    const appendedTo = kept === digest || kept === null || digest === null ? null : placeBehind(digest, kept);
    if (kept !== digest && appendedTo === null) {
      throw new EvertError("idempotency_conflict", "this idempotency key was used with another request", {
        detail: `It stands for the commit at position ${known.position}.`,
        hint: "Use a fresh key for a fresh request; repeat a request with the very same body.",
      });
    }
    return {
      position: known.position,
      timeUs: 0,
      ranges: known.ranges,
      durable: this.#durability.acknowledged(known.position),
      ...(appendedTo === null ? {} : { appendedTo }),
    };
  }

  /**
   * Waits until the parts may be staged, and stages them. `holdsGate`: the caller is the one who closed it, and may have had them judged.
   * @throws EvertError once closed.
   */
  async #admit(
    parts: readonly Part[],
    options: CommitRequest,
    holdsGate: boolean,
    judged?: Judgement | null,
  ): Promise<StagedCommit> {
    const weight = this.memory?.weigh(parts) ?? "small";
    let sweeps = 0;
    for (let bytes = estimate(parts) + (options.rider === undefined ? 0 : RIDER_BYTES); ; ) {
      for (let wait: Promise<void> | null = null; ; await wait) {
        wait = this.#wait(bytes, holdsGate, weight === "large");
        if (wait === null) break;
      }
      // No await from the last check on: the gate is open, there is room, and nobody has staged this key meanwhile.
      const known = this.known(options);
      if (known !== null) return known;
      try {
        return this.#stage(parts, options, judged, weight);
      } catch (error) {
        if (!(error instanceof EvertError) || !NO_ROOM.has(error.code)) {
          if (++sweeps > SWEEPS_MAX) throw error;
          await this.#freed(error);
          continue;
        }
        // Values are longer than most: the room they take is asked for, and given or refused for good.
        bytes = Math.max(measure(parts), 2 * bytes);
      }
    }
  }

  /** Null: so many bytes may be staged now; else what to wait for. @throws EvertError once closed. */
  #wait(bytes: number, holdsGate: boolean, isLarge: boolean): Promise<void> | null {
    if (this.refusal !== null) throw this.refusal;
    if (!holdsGate) {
      const opened = this.#door.opened ?? this.#gate.opened;
      if (opened !== null) return opened;
    }
    if (this.#closed !== null) throw this.#closed;
    // Each is asked only where it is waited for: a promise that nobody takes may be rejected.
    const stepped = this.#stepper.room();
    if (stepped !== null) return stepped;
    return (isLarge ? this.memory?.wait() : null) ?? this.#log.room(bytes);
  }

  #stage(
    parts: readonly Part[],
    options: CommitRequest,
    judged: Judgement | null | undefined,
    weight: Weight,
    isFresh = false,
  ): StagedCommit {
    this.#staging = true;
    try {
      // What defaults look at may be computed, too.
      return this.#stageParts(isFresh ? parts : this.upToDate(parts), options, judged, weight);
    } finally {
      this.#staging = false;
    }
  }

  #stageParts(
    parts: readonly Part[],
    options: CommitRequest,
    judged: Judgement | null | undefined,
    weight: Weight,
  ): StagedCommit {
    if (this.#closed !== null) throw this.#closed;
    const judgement = judged === undefined ? this.#judge(parts) : judged;
    if (judged === undefined) judgement?.finish();
    if (weight !== "small") this.memory?.refuse(parts);
    const { idempotencyKey, requestDigest, appendsTo } = options;
    const appendedTo =
      appendsTo === undefined ? null : { topicId: appendsTo, end: this.#log.topicEnd(appendsTo) };
    const named =
      appendedTo === null || typeof requestDigest !== "string"
        ? options
        : { idempotencyKey, requestDigest: withPlace(requestDigest, appendedTo) };
    const rows = rowsOf(parts);
    // A group is stepped whole: what may have to be taken in parts is none of others'.
    if (this.#openRows > 0 && this.#fillsStep(rows)) this.#log.seal();
    const draft = this.#log.begin(idempotencyKey === undefined ? undefined : named);
    let ridden: readonly Part[] | null = null;
    try {
      // Rows staged so far, by topic: the log counts them only when the commit ends.
      const staged = parts.length > 1 ? new Map<number, number>() : null;
      for (const part of parts) {
        this.guard(part);
        const before = staged?.get(part.topic.id) ?? 0;
        // Only a hidden row id is told where it stands.
        const end = part.topic.hiddenRowId ? this.#log.topicEnd(part.topic.id) : 0;
        stagePart(draft, part, end + before);
        staged?.set(part.topic.id, before + (part.op === "batch" ? part.batch.length : part.rows.length));
      }
      if (options.rider !== undefined) {
        ridden = options.rider.stage(this.#log.lastPosition + 1, parts);
        for (const part of ridden) stagePart(draft, part, 0);
      }
    } catch (error) {
      draft.rollback();
      throw error;
    }
    const receipt = draft.commit();
    const { position } = receipt;
    judgement?.staged(position);
    if (weight === "large") this.memory?.staged(position);
    this.#openRows += rows;
    // The rows of a step stay in memory.
    if (this.#fillsStep(this.#openRows)) this.#log.seal();
    options.rider?.staged();
    this.lastWritten.note(position, parts, ridden);
    return appendedTo === null ? receipt : { ...receipt, appendedTo };
  }

  #fillsStep(rows: number): boolean {
    return rows > GROUP_ROWS_MIN && this.#stepper.fillsStep(rows);
  }
}

export function isReceipt(staged: StagedNow): staged is StagedCommit {
  return staged !== null && !(staged instanceof Promise);
}
