/**
 * The log in files: the Log interface over the parts of this folder. openLog (open-log.ts) makes one.
 *
 *   begin/commit -> GroupCommit: OpenGroup -> seal: Space.place -> Writer: encode, write, fdatasync (listeners meanwhile)
 *                -> DurableEnd: LogIndex, listeners, promises
 */
import { assert } from "../base/assert.ts";
import type { DiskDirectory, DiskLock } from "../base/disk.ts";
import type { EvertError } from "../base/errors.ts";
import { systemRandom } from "../base/random.ts";
import { systemSlices } from "../base/slices.ts";
import type { Batch } from "../batch/batch.ts";
import { COMMIT_BYTES_MAX, commitTooLarge } from "../batch/commit-bytes.ts";
import { Admission } from "./admission.ts";
import { DurableEnd } from "./durable-end.ts";
import { encodeMeta, HEADER_BYTES } from "./frame.ts";
import type { FrameOrder } from "./frame-order.ts";
import { GroupCommit } from "./group-commit.ts";
import { readHistory } from "./history.ts";
import { Intake } from "./intake.ts";
import type { KeepingRules } from "./keeping/rules.ts";
import type { KnownCommits } from "./known-commits.ts";
import { Listeners, tellOne } from "./listeners.ts";
import type {
  CommitDraft,
  CommitOptions,
  Group,
  HistoryOptions,
  HistoryPart,
  KnownCommit,
  Log,
  LogFiles,
  LogIntake,
  LogStats,
  LogTopic,
  Position,
  ReadOptions,
  Requirement,
  StoredPieces,
  TopicBatch,
} from "./log.ts";
import { randomLogId } from "./log-id.ts";
import type { LogIndex } from "./log-index.ts";
import type { LogOptions } from "./log-options.ts";
import { LogTime } from "./log-time.ts";
import { OpenTopics } from "./open-topics.ts";
import { type ReaderSource, readGroups, readTopicGroups } from "./reader.ts";
import type { Recovered, RecoveryReport } from "./recovery.ts";
import { checkKey, shuttingDown, UNCONFIRMED_BYTES_MAX, unconfirmed, writeFailure } from "./refusals.ts";
import { offsetAt } from "./seek-time.ts";
import type { WritableSegment } from "./segment.ts";
import { Space, type Where } from "./space.ts";
import { fileOf, readFileOf, StoredLog } from "./stored-log.ts";
import { TopicRegistry } from "./topics.ts";
import { Upkeep } from "./upkeep.ts";
import { type SealedGroup, Writer } from "./writer.ts";

const MIB = 1 << 20;
const GROUP_BYTES_MAX = 8 * MIB;
const AHEAD_BYTES_MAX = 64 * MIB;

/** Use openLog. */
export class FileLog implements Log {
  readonly report: RecoveryReport;
  readonly #lock: DiskLock;
  readonly #held: DiskDirectory;
  readonly logId: number;
  readonly #commitBytesMax: number;
  readonly #commits: GroupCommit;
  readonly #space: Space;
  readonly #admission: Admission;
  readonly #writer: Writer;
  readonly #index: LogIndex;
  readonly #knownCommits: KnownCommits;
  readonly #time: LogTime;
  readonly #registry = new TopicRegistry();
  readonly #reader: ReaderSource;
  readonly #upkeep: Upkeep;
  readonly #topics: OpenTopics;

  readonly #failedListeners = new Listeners<Error>();
  readonly #registered = new Listeners<number>();

  readonly #end: DurableEnd;
  #intake: Intake | null = null;
  #failure: EvertError | null = null;
  #closing: Promise<void> | null = null;

  constructor(
    options: LogOptions & { readonly segmentBytes: number },
    directory: string,
    held: DiskDirectory,
    { report, order, index, knownCommits }: Recovered,
    active: WritableSegment | null,
    lock: DiskLock,
  ) {
    const { disk, following, segmentBytes, slices = systemSlices } = options;
    this.report = report;
    this.#lock = lock;
    this.#held = held;
    this.#commitBytesMax = options.commitBytesMax ?? COMMIT_BYTES_MAX;
    this.#index = index;
    this.#registry.lacksDefinitions = () => index.lacksDefinitions;
    this.#registry.takesOver = () => this.#intake !== null;
    this.#knownCommits = knownCommits;
    this.#time = new LogTime(options.clock, order.lastTimeUs, options.onClockJump ?? (() => {}));
    this.#reader = { disk, directory, index, registry: this.#registry, slices };
    const logId = order.logId ?? randomLogId(options.random ?? systemRandom);
    this.logId = logId;
    const said = options.report ?? (() => {});
    this.#upkeep = new Upkeep({
      ...this.#reader,
      logId,
      options,
      report: said,
      isAppending: () => !this.#commits.isResting,
      nowUs: () => this.nowUs(),
      lastPosition: () => this.#commits.lastPosition,
      durable: (position) => this.#end.reached(position),
    });
    this.#topics = new OpenTopics(this.#registry, order.topicEnds);
    this.#end = new DurableEnd(index, order.lastPosition, report.frames > 0 && !report.closedCleanly, {
      filled: () => this.#upkeep.sealer.wake(),
      progressed: () => this.#upkeep.sealer.progressed(),
    });
    this.#space = new Space(
      {
        disk,
        directory,
        segmentBytes,
        aheadBytesMax: options.aheadBytesMax ?? AHEAD_BYTES_MAX,
        events: {
          grown: () => (this.#intake ?? this.#admission).admit(),
          full: (error) => (this.#intake ?? this.#admission).diskFull(error),
          failed: (error) => this.#fail(error, []),
        },
      },
      active,
    );
    this.#admission = new Admission(
      this.#space,
      () => this.#commits.group,
      options.groupBytesMax ?? GROUP_BYTES_MAX,
    );
    this.#writer = new Writer(
      {
        disk,
        directory,
        held,
        logId,
        durable: (frame) => this.#end.written(frame),
        idle: () => this.#commits.becameIdle(),
        failed: (error, refused) => this.#fail(error, refused),
      },
      active,
    );
    this.#commits = new GroupCommit({
      topics: this.#topics,
      time: this.#time,
      knownCommits,
      space: this.#space,
      writer: this.#writer,
      commitBytesMax: this.#commitBytesMax,
      lastPosition: order.lastPosition,
      hasFailed: () => this.#failure !== null,
      sealed: () => {
        this.#admission.admit();
        index.enter();
      },
      rested: () => {
        index.enter();
        this.#space.rest();
        this.#upkeep.sealer.progressed();
      },
    });
    if (following !== undefined) {
      this.#intake = new Intake({
        ...this.#reader,
        logId,
        order,
        knownCommits,
        space: this.#space,
        staged: (sealed) => this.#commits.received(sealed),
        drained: () => this.#writer.drained(),
        adopted: () => this.#adopted(order),
        refusal: () => this.#refusal(),
        report: said,
      });
    }
    this.#space.fill();
  }

  get intake(): LogIntake | null {
    return this.#intake;
  }

  async lead(): Promise<void> {
    await this.#intake?.roomToLead();
    // One that has only a closing mark begins where the leader's segment is to begin.
    if (!this.#space.isUnused) await this.#space.abandon();
    this.#intake = null;
    this.#commits.beginAnew();
  }

  /** A sealed segment is in its place, and durable: nothing is behind it that would say when the log is at rest again, so it stays what it was. */
  #adopted({ lastPosition, lastTimeUs }: FrameOrder): void {
    this.#commits.advance(lastPosition, lastTimeUs);
    this.#end.adopted(lastPosition);
  }

  get horizon(): Position {
    return this.#index.horizonBehind(0);
  }

  horizonBehind(position: Position): Position {
    return this.#index.horizonBehind(position);
  }

  segmentOf(position: Position): Position {
    return this.#index.segmentOf(position);
  }

  lacksDeletesBehind(position: Position): boolean {
    return this.#index.lacksDeletesBehind(position);
  }

  stored(from: Position): StoredPieces {
    return new StoredLog({ ...this.#reader, waiting: () => this.#end.confirmations.extents() }, from);
  }

  get lastPosition(): Position {
    return this.#commits.lastPosition;
  }

  get durablePosition(): Position {
    return this.#end.position;
  }

  topicEnd(topicId: number): number {
    return this.#topics.end(topicId);
  }

  topicVersion(topicId: number): number {
    return this.#index.topicVersion(topicId);
  }

  topicStart(topicId: number): number {
    return this.#index.topicStart(topicId);
  }

  nowUs(): number {
    return this.#time.peek();
  }

  registerTopic(topic: LogTopic): void {
    // A group holds one version of a topic: a newer one starts another.
    if (this.#topics.isIn(topic.topicId, this.#commits.group.firstPosition)) this.seal();
    this.#topics.close(topic.topicId);
    this.#registry.register(topic);
    this.#registered.tellAll(topic.topicId);
  }

  get schemas(): number {
    return this.#registry.count;
  }

  onRegistered(listener: (topicId: number) => void): () => void {
    return this.#registered.add(listener);
  }

  forgetTopic(topicId: number): void {
    assert(!this.#commits.isDrafting, "no commit is being staged when a topic is forgotten");
    this.#topics.close(topicId);
  }

  inNewestSchema(topicBatch: TopicBatch): TopicBatch {
    const { topicId, schemaVersion } = topicBatch;
    return this.#registry.evolution(topicId, schemaVersion)?.topicBatch(topicBatch) ?? topicBatch;
  }

  // ---- staging ----

  room(bytes: number): Promise<void> | null {
    const refusal = this.#refusal();
    if (refusal !== null) return Promise.reject(refusal);
    if (bytes > this.#commitBytesMax) return Promise.reject(commitTooLarge(bytes, this.#commitBytesMax));
    if (this.#end.confirmations.bytes > UNCONFIRMED_BYTES_MAX) return Promise.reject(unconfirmed());
    return this.#admission.room(bytes);
  }

  begin(options: CommitOptions = {}): CommitDraft {
    const refusal = this.#refusal();
    if (refusal !== null) throw refusal;
    assert(this.#intake === null, "nothing is staged in a log that follows another");
    const key = options.idempotencyKey ?? null;
    const digest = key === null ? null : (options.requestDigest ?? null);
    checkKey("idempotency key", key);
    checkKey("request digest", digest);
    return this.#commits.begin(key, digest);
  }

  knownCommit(idempotencyKey: string): KnownCommit | null {
    return this.#knownCommits.get(idempotencyKey);
  }

  // ---- sealing and durability ----

  seal(): void {
    this.#commits.seal();
  }

  turnOver(): void {
    this.seal();
    this.#space.turnOver();
  }

  onSealed(listener: (group: Group) => void): () => void {
    return this.#commits.sealedListeners.add(listener);
  }

  onDurable(listener: (position: Position) => void): () => void {
    return this.#end.durable.add(listener);
  }

  get storedPosition(): Position {
    return this.#end.storedPosition;
  }

  onStored(listener: (position: Position) => void): () => void {
    return this.#end.stored.add(listener);
  }

  get requirement(): Requirement | null {
    return this.#end.confirmations.requirement;
  }

  requireConfirmation(requirement: Requirement): void {
    this.#end.confirmations.require(requirement);
  }

  confirm(position: Position): void {
    this.#end.confirmations.confirm(position);
  }

  onFailed(listener: (error: Error) => void): () => void {
    const off = this.#failedListeners.add(listener);
    const failure = this.#failure;
    if (failure !== null)
      queueMicrotask(() => {
        if (this.#failedListeners.has(listener)) tellOne(listener, failure);
      });
    return off;
  }

  /** The disk has failed: nothing that is not durable yet will be acknowledged, ever. */
  #fail(cause: unknown, refused: readonly SealedGroup[]): void {
    const isFirst = this.#failure === null;
    this.#failure ??= writeFailure(cause);
    const failure = this.#failure;
    for (const { reject } of refused) reject(failure);
    if (!isFirst) return;
    for (const { reject } of [...this.#writer.stop(), this.#commits.group]) reject(failure);
    this.#admission.refuseAll(failure);
    this.#intake?.admit();
    this.#end.confirmations.end(failure);
    void this.#space.stop();
    void this.#upkeep.stop();
    this.#failedListeners.tellAll(failure);
  }

  /** Why nothing can be appended any more, or null. */
  #refusal(): EvertError | null {
    if (this.#failure !== null) return this.#failure;
    return this.#closing === null ? null : shuttingDown();
  }

  // ---- reading ----

  read(options: ReadOptions): AsyncIterable<Group> {
    return readGroups(this.#reader, {
      from: options.from,
      to: Math.min(options.to ?? this.#end.position, this.#end.position),
      topics: options.topics ?? null,
      everyGroup: options.everyGroup ?? false,
      columns: options.columns,
      ranges: options.ranges,
      pause: options.pause,
      reuse: options.reuse,
      unbroken: options.unbroken,
    });
  }

  history(options: HistoryOptions): AsyncGenerator<HistoryPart, void, undefined> {
    return readHistory(this.#reader, options);
  }

  readTopic(topicId: number, offset: number): AsyncIterable<Group> {
    return readTopicGroups(this.#reader, topicId, offset);
  }

  offsetAt(topicId: number, timeUs: number): Promise<number> {
    return offsetAt(this.#reader, topicId, timeUs);
  }

  startSealing(): void {
    this.#upkeep.sealer.start();
  }

  sealed(): Promise<void> {
    return this.#upkeep.sealer.idle();
  }

  keep(rules: () => KeepingRules): void {
    this.#upkeep.compactor.keep(rules);
  }

  compact(): Promise<void> {
    return this.#upkeep.compactor.compact();
  }

  erase(topicId: number, key: Batch, to: Position): Promise<void> {
    return this.#upkeep.compactor.erase(topicId, key, to);
  }

  stats(): LogStats {
    return {
      segments: this.#index.segments.length,
      bytes: this.#index.bytes,
      sealing: this.#upkeep.sealer.stats(),
      keeping: this.#upkeep.compactor.stats(),
      lastPosition: this.#commits.lastPosition,
      durablePosition: this.#end.position,
    };
  }

  files(): LogFiles {
    const files = this.#index.segments.map(fileOf);
    return { logId: this.logId, position: this.#end.position, files };
  }

  readFile(name: string, from: number, to: number): AsyncIterable<Uint8Array> {
    return readFileOf(this.#reader, name, from, to);
  }

  // ---- the end ----

  close(): Promise<void> {
    // Begun in a turn of its own: whoever asks meanwhile is refused, and a commit being staged has ended.
    this.#closing ??= Promise.resolve().then(() => this.#close());
    return this.#closing;
  }

  async #close(): Promise<void> {
    this.seal();
    this.#admission.refuseAll(shuttingDown());
    this.#intake?.admit();
    await this.#writer.drained();
    this.#end.confirmations.end(shuttingDown());
    await this.#upkeep.stop();
    await this.#space.stop();
    // A follower begins no segment of its own.
    const where = this.#intake === null ? "anywhere" : "active";
    if (this.#failure === null && this.#end.needsClosingMark && this.#space.fits(HEADER_BYTES, where)) {
      this.#writeClosingMark(where);
      await this.#writer.drained();
    }
    await this.#writer.close();
    await this.#space.close();
    await this.#held.close();
    await this.#lock.release();
  }

  #writeClosingMark(where: Where): void {
    const group: Group = {
      commits: [],
      firstPosition: this.#commits.lastPosition + 1,
      lastPosition: this.#commits.lastPosition,
      batches: [],
    };
    const meta = encodeMeta(group);
    const placement = this.#space.place(meta.frameBytes, group, where);
    this.#writer.enqueue({ group, meta, placement, resolve: () => {}, reject: () => {} });
  }
}
