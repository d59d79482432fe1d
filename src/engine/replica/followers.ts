/**
 * The leader's side: who follows, and what they are sent.
 *
 * The leader needs to know nothing of its followers to be right. Each asks for what comes after its own last position and is sent that, from the
 * files of the log, at the pace it takes it; so a slow one holds up nobody, and one that was away for a while is no other than one that is new.
 * Nothing is kept for them but, for a while, old deletes (copies.ts).
 */
import { EvertError } from "../../base/errors.ts";
import type { Log, StoredPiece } from "../../log/log.ts";
import type { FollowerInfo, FollowRequest } from "./api.ts";
import { Copies } from "./copies.ts";
import { type Epoch, epochOf, relationOf } from "./epochs.ts";
import { encodeMessage, type Hello, jsonPayload, type Message } from "./messages.ts";

/** How often a follower hears of a leader that has nothing to say. */
export const HEARTBEAT_MS = 1_000;
const EMPTY = new Uint8Array(0);

export interface FollowersContext {
  readonly log: Log;
  readonly epochs: () => readonly Epoch[];
  /** How many followers are to have a commit before it counts as durable. */
  readonly needed: number;
  readonly nowMs: () => number;
  /** Why nobody can follow this copy, or null. */
  readonly refusal: () => EvertError | null;
  /** Somebody knows an epoch that is not in this log. */
  readonly superseded: (by: Epoch) => Promise<void>;
}

interface Connected {
  readonly id: string;
  position: number;
  behindBytes: number;
  readonly sinceMs: number;
  isOver: boolean;
}

export class Followers {
  readonly #context: FollowersContext;
  readonly #connected = new Map<string, Connected>();
  readonly #copies: Copies;
  readonly #off: () => void;
  /** Resolved, and made anew, whenever there may be more to send. */
  #news: { readonly promise: Promise<void>; readonly resolve: () => void } = signalOf();

  constructor(context: FollowersContext) {
    this.#context = context;
    this.#copies = new Copies(context.nowMs, (position) => this.#segmentsTo(position));
    this.#off = context.log.onStored(() => this.#tell());
  }

  list(): FollowerInfo[] {
    const now = this.#context.nowMs();
    return [...this.#connected.values()].map(({ id, position, behindBytes, sinceMs }) => {
      return { id, position, behindBytes, connectedMs: now - sinceMs };
    });
  }

  /** A follower has everything up to there, durably. @throws EvertError where there is not so much */
  progress(id: string, position: number): void {
    const { storedPosition } = this.#context.log;
    if (position > storedPosition) {
      throw new EvertError("invalid_request", `no follower has position ${position}`, {
        detail: `The log ends at position ${storedPosition}.`,
      });
    }
    const follower = this.#connected.get(id);
    if (follower === undefined) return;
    follower.position = Math.max(follower.position, position);
    this.#copies.told(id, position);
    this.#confirm();
  }

  /** What as many followers have as are to have it is confirmed. */
  #confirm(): void {
    const { log, needed } = this.#context;
    if (needed === 0) return;
    const positions = [...this.#connected.values()].map(({ position }) => position).sort((a, b) => b - a);
    const position = positions[needed - 1];
    if (position !== undefined) log.confirm(position);
  }

  /**
   * All copies have the segments up to there, as far as is known. A segment of which one has a part is yet to take that part's place: deletes in it
   * have to stay, too.
   */
  copiedTo(): number {
    const position = this.#copies.copiedTo();
    return Number.isFinite(position) ? this.#segmentsTo(position) : position;
  }

  /** Whoever has so much has whole segments up to there. */
  #segmentsTo(position: number): number {
    return this.#context.log.segmentOf(position + 1) - 1;
  }

  /** While this is done, deletes up to the position go, whoever has not got them. */
  erasing(position: number, done: () => Promise<void>): Promise<void> {
    return this.#copies.erasing(position, done);
  }

  /** Ends all streams. */
  close(): void {
    this.#off();
    this.endAll();
  }

  endAll(): void {
    for (const follower of this.#connected.values()) follower.isOver = true;
    this.#tell();
  }

  /** Messages for a follower, as bytes, until the signal is given. @throws EvertError not_leader, diverged: before the first */
  async *stream(
    request: FollowRequest,
    signal: AbortSignal,
  ): AsyncGenerator<readonly Uint8Array[], void, undefined> {
    await this.#check(request);
    const { log, epochs, nowMs, needed } = this.#context;
    const former = this.#connected.get(request.follower);
    if (former !== undefined) former.isOver = true;
    const position = request.from - 1;
    const self: Connected = {
      id: request.follower,
      position,
      behindBytes: 0,
      sinceMs: nowMs(),
      isOver: false,
    };
    this.#connected.set(self.id, self);
    this.#copies.came(self.id, position);
    this.#confirm();
    const stored = log.stored(request.from);
    const message = (kind: Message["kind"], segment: number, payload: Uint8Array): Uint8Array[] => {
      self.behindBytes = stored.behind;
      return encodeMessage({ kind, segment, position: log.storedPosition, behind: stored.behind, payload });
    };
    let sent = position;
    try {
      const hello: Hello = { logId: log.logId, epochs: epochs(), waits: needed > 0 };
      yield message("hello", 0, jsonPayload(hello));
      while (!signal.aborted && !self.isOver) {
        const news = this.#news.promise;
        const { erased } = this.#copies;
        const piece = await stored.next();
        if (piece === null) {
          this.#copies.sentAll(self.id, sent);
          if (!(await arrived(news, HEARTBEAT_MS, signal))) yield message("heartbeat", 0, EMPTY);
          continue;
        }
        if (piece.kind === "sealed") {
          if (!this.#copies.isWhole(self.id)) this.#checkDeletes(sent);
        }
        sent = piece.last;
        this.#copies.sent(self.id, sent, erased);
        yield message(piece.kind, piece.segment, payloadOf(piece));
      }
    } finally {
      if (this.#connected.get(self.id) === self) {
        this.#connected.delete(self.id);
        this.#copies.left(self.id);
      }
      await stored.close();
    }
  }

  /** @throws EvertError why the follower cannot follow */
  async #check({ follower, logId, from, timeUs, epochs }: FollowRequest): Promise<void> {
    const { log, epochs: known, superseded, refusal } = this.#context;
    if (logId !== log.logId) {
      throw new EvertError("diverged", "the follower has another log than this leader", {
        detail: "A log made anew is another one, also where it has the same topics.",
        hint: "Follow with an empty directory, or with --rejoin, which keeps the other log aside.",
      });
    }
    const leader = { epochs: known(), end: log.storedPosition };
    const relation = relationOf(leader, { epochs, end: from - 1 });
    if (relation.kind === "superseded") await superseded(relation.by);
    const refused = refusal();
    if (refused !== null) throw refused;
    if (relation.kind === "diverged") throw apart(relation.after, from - 1, epochOf(leader));
    // What waits for its followers is read by nobody yet: they have it from here.
    const isRead = timeUs !== null && from - 1 <= log.durablePosition;
    const own = isRead ? await this.#timeOf(from - 1) : timeUs;
    if (own !== timeUs) {
      throw new EvertError("diverged", `the commit at position ${from - 1} is another one here`, {
        detail:
          "The two histories part at this position or before it: one of them was restored from a backup, perhaps.",
        hint: "Follow with --rejoin, which keeps the follower's log aside and begins again from a copy.",
      });
    }
    if (!this.#copies.comesWhole(follower, from - 1)) this.#checkDeletes(from - 1);
  }

  /** @throws EvertError where deletes have gone that a follower lacks which has been sent so much */
  #checkDeletes(sent: number): void {
    if (!this.#context.log.lacksDeletesBehind(sent)) return;
    throw new EvertError(
      "diverged",
      `the follower is too far behind: deletes after position ${sent} are gone`,
      {
        detail:
          "The leader has compacted its log, or erased from it: the follower would keep rows that were deleted.",
        hint: "Follow with --rejoin, which begins again from a copy. Keep tombstones (tombstones_for) longer than a replica may be away.",
      },
    );
  }

  /** Log time of the commit at the position. */
  async #timeOf(position: number): Promise<number | null> {
    const groups = this.#context.log.read({
      from: position,
      to: position,
      topics: new Set(),
      everyGroup: true,
    });
    for await (const { commits } of groups) {
      const found = commits.find((commit) => commit.position === position);
      if (found !== undefined) return found.timeUs;
    }
    return null;
  }

  #tell(): void {
    const { resolve } = this.#news;
    this.#news = signalOf();
    resolve();
  }
}

/** Two histories that have parted: told to whoever would follow. */
export function apart(after: number, end: number, epoch: number): EvertError {
  const only = end - after;
  return new EvertError(
    "diverged",
    `the follower's log and the leader's have parted after position ${after}`,
    {
      detail: `${only === 1 ? "1 commit is" : `${only} commits are`} in the follower's log alone, from position ${after + 1} to ${end}; the leader's epoch ${epoch} has others in their place.`,
      hint: "Follow with --rejoin, which keeps the follower's log aside and begins again from a copy.",
    },
  );
}

function payloadOf(piece: StoredPiece): Uint8Array {
  return piece.kind === "frames" ? piece.bytes : jsonPayload(piece.file);
}

function signalOf(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** False: so many milliseconds have passed before. */
async function arrived(news: Promise<void>, ms: number, signal: AbortSignal): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  let onAbort: () => void = () => {};
  const over = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
    onAbort = () => resolve(true);
    signal.addEventListener("abort", onAbort);
  });
  try {
    return await Promise.race([news.then(() => true), over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", onAbort);
  }
}
