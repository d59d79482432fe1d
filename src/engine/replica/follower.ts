/**
 * The follower's side: from the leader's stream into this log, and from there into this engine.
 *
 * 1. It asks for what comes after its own last position, and says which epochs it knows; the leader answers, or says why it cannot follow.
 * 2. *Frames* go into the log one by one (log/intake.ts): verified, stepped, written, synced. A frame that changes the catalog is stepped before the
 *    next one is looked at, which may need what it makes. Frames wait where the engine or the disk is behind, and then the leader waits.
 * 3. A *sealed segment* is fetched as a file and taken over whole; then its groups are read from it, as after a start, and stepped.
 * 4. When the connection ends, or something comes that is not as it was sent, it asks again, from where its log ends by then: what came before is not
 *    asked for twice, and nothing is left out, because nothing is taken that does not follow what is there.
 *
 * What cannot get better by itself (two histories, an unknown format) stops it; reads go on.
 */
import { type Disk, writeFully } from "../../base/disk.ts";
import { type ErrorCode, EvertError, toEvertError } from "../../base/errors.ts";
import { Stall } from "../../base/stall.ts";
import { HEADER_BYTES, readHeader } from "../../log/frame.ts";
import type { LogIntake } from "../../log/log.ts";
import { CATALOG_TOPIC } from "../catalog/hidden-topics.ts";
import type { Core } from "../core.ts";
import { relationOf } from "./epochs.ts";
import type { Leader } from "./leader.ts";
import { type Hello, type Message, type MessageReader, payloadOf, type SealedFile } from "./messages.ts";

/** A leader of which nothing comes for so long is taken for gone. */
const SILENCE_MS = 10_000;
const RETRY_MS = 100;
const RETRY_MS_MAX = 5_000;
/** Frames on their way to the disk, beyond which no more are taken. */
const WRITING_BYTES_MAX = 8 << 20;
/** How often the leader is told how far this is, where nobody waits for it. */
const PROGRESS_MS = 1_000;
const HOPELESS: ReadonlySet<ErrorCode> = new Set(["diverged", "format_unsupported"]);

export interface FollowerStatus {
  readonly state: "connecting" | "following" | "stopped";
  /** Why it is not following. */
  readonly error: EvertError | null;
  /** The leader's last position, as far as is known; null: it has not been heard of. */
  readonly leaderPosition: number | null;
  readonly lagBytes: number | null;
  /** Seconds since it was last known to have all that the leader has; 0 while it has. */
  readonly lagSeconds: number;
  /** Whether it has had all that the leader has, since the start. */
  readonly wasLevel: boolean;
  /** It goes through a part of the log out of which rows were taken: what has replaced them may stand where it has not come yet. */
  readonly isPartial: boolean;
}

export interface FollowerOptions {
  readonly core: Core;
  readonly leader: Leader;
  readonly disk: Disk;
  readonly id: string;
  readonly report: (message: string) => void;
  /** It has, for the first time since it began, all that the leader has. */
  readonly onLevel: () => void;
}

export class Follower {
  readonly #options: FollowerOptions;
  readonly #intake: LogIntake;
  readonly #stopping = new AbortController();
  /** Given up at once, with what is at hand. */
  #isAborted = false;
  #run: Promise<void> | null = null;
  #state: FollowerStatus["state"] = "connecting";
  #error: EvertError | null = null;
  #leaderPosition: number | null = null;
  #behind: number | null = null;
  #levelAtUs: number;
  #wasLevel = false;
  #retryMs = RETRY_MS;
  #writingBytes = 0;
  #lastWrite: Promise<void> = Promise.resolve();
  /** The segment whose groups are being stepped reaches this far. */
  #feedingTo = 0;
  #told = -1;
  /** Commits of the leader wait for this follower. */
  #isWaitedFor = false;
  #telling: Promise<void> | null = null;

  /** REQUIRES a log that follows. */
  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#intake = options.core.log.intake as LogIntake;
    this.#levelAtUs = options.core.clock.monotonicUs();
  }

  /** Everything in the log has been stepped, or is on its way to be. */
  start(): void {
    this.#run = this.#follow();
  }

  get url(): string {
    return this.#options.leader.url;
  }

  status(): FollowerStatus {
    const { clock, publisher } = this.#options.core;
    const isLevel = this.#state === "following" && this.#isLevel();
    return {
      state: this.#state,
      error: this.#error,
      leaderPosition: this.#leaderPosition,
      lagBytes: this.#behind,
      lagSeconds: isLevel ? 0 : Math.max(0, (clock.monotonicUs() - this.#levelAtUs) / 1e6),
      wasLevel: this.#wasLevel,
      isPartial: !publisher.moments.isWhole,
    };
  }

  /** Takes nothing more. What has been taken is stepped to its end, or, if `abort`, left to the next start. True: some of it is. */
  async stop({ abort }: { abort: boolean }): Promise<boolean> {
    this.#isAborted = abort;
    this.#stopping.abort();
    await this.#run;
    await this.#telling;
    await this.#lastWrite.catch(() => {});
    this.#state = "stopped";
    return this.#feedingTo > this.#options.core.stepper.position && abort;
  }

  async #follow(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      try {
        await this.#session(signal);
        this.#error = null;
      } catch (thrown) {
        if (signal.aborted) return;
        this.#failed(toEvertError(thrown));
        if (this.#state === "stopped") return;
      }
      if (!signal.aborted) this.#state = "connecting";
      await sleep(this.#retryMs, signal);
      this.#retryMs = Math.min(RETRY_MS_MAX, this.#retryMs * 2);
    }
  }

  #failed(error: EvertError): void {
    const { report, core } = this.#options;
    const isOver = HOPELESS.has(error.code) || core.failure !== null;
    this.#state = isOver ? "stopped" : "connecting";
    if (this.#error?.message !== error.message || isOver) {
      const { message, detail, hint } = error;
      const what = isOver ? "this replica has stopped following" : "following is interrupted";
      const sentences = [`${what}: ${message}`, detail, hint].filter((text) => text !== undefined);
      report(sentences.map((text) => text.replace(/\.$/, "")).join(". "));
    }
    this.#error = error;
  }

  async #session(stopping: AbortSignal): Promise<void> {
    const { core, leader, id } = this.#options;
    const { log, catalog } = core;
    const connection = new AbortController();
    const end = (): void => connection.abort();
    stopping.addEventListener("abort", end);
    const off = log.onDurable(() => {
      this.#tellSoon();
      if (!this.#wasLevel) this.#lookLevel();
    });
    try {
      // What is written and does not last is not to be asked for again before that is known.
      await this.#lastWrite;
      const { position, timeUs } = this.#intake.end;
      const { epochs } = catalog;
      const request = { follower: id, logId: log.logId, from: position + 1, epochs };
      const asked = { ...request, timeUs: position === 0 ? null : timeUs };
      const stream = await unlessSilent(connection, () => leader.follow(asked, connection.signal));
      const first = await this.#next(stream, connection);
      if (first?.kind !== "hello") {
        throw new EvertError("protocol_violation", "the leader does not say who it is");
      }
      this.#greeted(payloadOf<Hello>(first), first.position);
      for (let message: Message | null = first; message !== null && !stopping.aborted; ) {
        if (message.kind === "frames") await this.#frames(message);
        else if (message.kind === "sealed") await this.#sealed(message, connection);
        this.#heard(message);
        message = await this.#next(stream, connection);
      }
    } finally {
      off();
      stopping.removeEventListener("abort", end);
      connection.abort();
    }
  }

  #next(stream: MessageReader, connection: AbortController): Promise<Message | null> {
    return unlessSilent(connection, (heard) => {
      stream.onPiece = heard;
      return stream.next();
    });
  }

  /** @throws EvertError not_leader where it knows less than this copy */
  #greeted({ logId, epochs, waits }: Hello, end: number): void {
    const { log, catalog } = this.#options.core;
    const own = { epochs: catalog.epochs, end: this.#intake.end.position };
    if (logId !== log.logId || relationOf({ epochs, end }, own).kind === "superseded") {
      throw new EvertError("not_leader", `${this.url} is not the leader of this log any more`, {
        hint: "Follow the one that was promoted.",
      });
    }
    this.#state = "following";
    this.#error = null;
    this.#told = -1;
    this.#isWaitedFor = waits;
  }

  #heard({ position, behind }: Message): void {
    this.#retryMs = RETRY_MS;
    this.#leaderPosition = position;
    this.#behind = behind;
    this.#tellSoon();
    this.#lookLevel();
  }

  #lookLevel(): void {
    const position = this.#leaderPosition;
    if (position === null || !this.#isLevel()) return;
    if (!this.#wasLevel) this.#options.onLevel();
    this.#wasLevel = true;
    // A leader that has lost its end shows what it has; what it once took out because of what is lost is not to be had any more.
    this.#options.core.publisher.moments.levelAt(position);
    this.#levelAtUs = this.#options.core.clock.monotonicUs();
  }

  #isLevel(): boolean {
    return this.#leaderPosition !== null && this.#options.core.log.durablePosition >= this.#leaderPosition;
  }

  async #frames({ segment, payload }: Message): Promise<void> {
    const { stepper } = this.#options.core;
    for (let at = 0; at < payload.length && !this.#stopping.signal.aborted; ) {
      const header = payload.length - at < HEADER_BYTES ? null : readHeader(payload, at);
      const end = at + (header?.frameBytes ?? 0);
      if (header === null || end > payload.length) {
        throw new EvertError("log_damaged", "what came from the leader is not as it was sent", {
          detail: "a frame's header is not sound",
        });
      }
      // A closing mark says nothing to another log.
      if (header.commitCount > 0) {
        await stepper.room();
        if (this.#writingBytes > WRITING_BYTES_MAX) await this.#lastWrite;
        await this.#frame(segment, payload.subarray(at, end));
      }
      at = end;
    }
  }

  async #frame(segment: number, bytes: Uint8Array): Promise<void> {
    const { group, durable } = await this.#intake.frame(segment, bytes);
    this.#writingBytes += bytes.length;
    this.#lastWrite = durable.then(() => {
      this.#writingBytes -= bytes.length;
    });
    this.#lastWrite.catch(() => {});
    if (!group.batches.some(({ topicId }) => topicId === CATALOG_TOPIC)) return;
    // It is made when it is durable, and what comes behind it may need what it makes.
    await durable;
    await this.#options.core.stepper.atBoundary(() => {});
  }

  async #sealed(message: Message, connection: AbortController): Promise<void> {
    const { leader, disk, core } = this.#options;
    const { name, bytes } = payloadOf<SealedFile>(message);
    const from = this.#intake.end.position + 1;
    const file = await disk.open(this.#intake.incomingPath, "write");
    try {
      await file.truncate(0);
      let at = 0;
      const pieces = leader.file(name, bytes, connection.signal)[Symbol.asyncIterator]();
      const next = (): Promise<IteratorResult<Uint8Array>> => unlessSilent(connection, () => pieces.next());
      for (let item = await next(); item.done !== true; item = await next()) {
        await writeFully(file, item.value, at);
        at += item.value.length;
      }
      if (at !== bytes) throw new EvertError("connection_failed", `${name} has not come whole`);
      await file.datasync();
    } finally {
      await file.close();
    }
    await this.#lastWrite;
    const { isWhole } = await this.#intake.adopt(name);
    // No more was taken out because of what the leader had then.
    if (!isWhole) core.publisher.moments.lackUntil(Math.min(core.log.horizon, message.position));
    const { position } = this.#intake.end;
    this.#feedingTo = position;
    try {
      await this.#feed(from, position);
    } catch (thrown) {
      const error = toEvertError(thrown);
      // The engine has not seen what is in the log: the next start replays it.
      if (!this.#isAborted) core.fail(error);
      throw error;
    }
    await core.stepper.atBoundary(() => {});
  }

  /** Steps what is in the log, from there to there. What comes behind a change of the catalog may need what it makes. */
  async #feed(from: number, to: number): Promise<void> {
    const { log } = this.#options.core;
    const changes: number[] = [];
    for await (const { commits } of log.read({ from, to, topics: new Set([CATALOG_TOPIC]) }))
      for (const { position } of commits) if (position >= from && position <= to) changes.push(position);
    let at = from;
    for (const change of changes) {
      if (change > at) await this.#feedRange(at, change - 1);
      await this.#feedRange(change, change);
      await this.#options.core.stepper.atBoundary(() => {});
      at = change + 1;
    }
    if (at <= to) await this.#feedRange(at, to);
  }

  async #feedRange(from: number, to: number): Promise<void> {
    const { core } = this.#options;
    for await (const group of core.log.read(core.replayOptions(from, to))) {
      if (this.#isAborted) throw new EvertError("shutting_down", "the database is being closed");
      await core.stepper.room();
      if (core.failure !== null) throw core.failure;
      core.stepper.enqueue(group);
    }
  }

  /** Tells the leader how far this is: one request at a time, and not more often than is of use. */
  #tellSoon(): void {
    if (this.#telling !== null || this.#stopping.signal.aborted || this.#state !== "following") return;
    if (this.#options.core.log.durablePosition <= this.#told) return;
    this.#telling = this.#tell().finally(() => {
      this.#telling = null;
      // Something may have become durable behind the last look.
      this.#tellSoon();
    });
  }

  async #tell(): Promise<void> {
    const { core, leader, id } = this.#options;
    if (!this.#isWaitedFor) await sleep(PROGRESS_MS, this.#stopping.signal);
    for (let { durablePosition } = core.log; durablePosition > this.#told; { durablePosition } = core.log) {
      if (this.#stopping.signal.aborted) return;
      this.#told = durablePosition;
      // A leader that is gone is met by the stream; one that comes back asks what there is.
      await leader.progress(id, durablePosition).catch(() => {});
      if (!this.#isWaitedFor) return;
    }
  }
}

/** What is waited for of a leader, whose connection is given up where nothing comes. `wait` tells of what does before it is all there. */
async function unlessSilent<T>(
  connection: AbortController,
  wait: (heard: () => void) => Promise<T>,
): Promise<T> {
  const silence = new Error(`nothing has been heard of it for ${SILENCE_MS / 1000} seconds`);
  const stall = new Stall();
  const heard = (): void => stall.start(SILENCE_MS, () => connection.abort(silence));
  heard();
  try {
    return await wait(heard);
  } finally {
    stall.stop();
  }
}

function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    timer.unref();
    signal.addEventListener("abort", done);
  });
}
