import type { Disk } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { positionOf } from "../base/position.ts";
import type { Batch } from "../batch/batch.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import type { BackupSource } from "../log/backup.ts";
import { type CommitReceipt, OP_DELETE, type TopicRange } from "../log/log.ts";
import type {
  AppendBatchOptions,
  AppendOptions,
  AppendResult,
  Consumed,
  ConsumerInfo,
  CopyIn,
  CopyOut,
  DatabaseStats,
  Engine,
  Erased,
  Key,
  OpenConsumerOptions,
  OpenedConsumer,
  OpenSubscription,
  Operation,
  ProducerInfo,
  ProducerSequence,
  Readiness,
  ReadOptions,
  ReadTopicOptions,
  RegisteredSchema,
  SchemaVersionInfo,
  SqlOptions,
  SqlResponse,
  SubscribeOptions,
  SubscribeTarget,
  SubscriptionEvent,
  TopicInfo,
  TopicRecord,
  TopicRows,
  TransactOptions,
  VersionsApi,
  ViewInfo,
  ViewReader,
} from "./api.ts";
import { arrowPart } from "./arrow-input.ts";
import type { TopicEntry } from "./catalog.ts";
import { CatchUp } from "./catch-up.ts";
import { Checkpointer, logIdText, type Manifest, type StoreHandle } from "./checkpointing.ts";
import { isReceipt, type StagedNow } from "./committer.ts";
import { advanceConsumer, consumes, consuming, dropConsumer, openConsumer } from "./consumer-requests.ts";
import { copy } from "./copy.ts";
import type { Core } from "./core.ts";
import { deadLetterPart, deadLettersAt } from "./dead-letters.ts";
import { declareApp } from "./declare.ts";
import { dropView } from "./drop.ts";
import { eraseCopy, eraseKey } from "./erase.ts";
import { commitExpecting } from "./expectations.ts";
import { fallbacksFor } from "./fallbacks.ts";
import { keepingRules, learnDropped } from "./keeping.ts";
import { refusalToTell, toldDurably } from "./own-rows.ts";
import { OWN_TABLES } from "./own-tables.ts";
import type { Part } from "./part.ts";
import { registerProducer, requestOf } from "./producer-requests.ts";
import { type MakeRecord, readRecordRows, readRecords, readRecordsArrow } from "./records.ts";
import { Replication, type ReplicationParts } from "./replica/replication.ts";
import { deletePart, upsertPart } from "./request-parts.ts";
import type { CommitRequest } from "./rider.ts";
import { schemaHistory } from "./schema-history.ts";
import { registerSchema } from "./schema-requests.ts";
import { Statements } from "./statements.ts";
import { statsOf } from "./stats.ts";
import { topicInfoOf } from "./topic-info.ts";
import { Transactions, type TransactionWork } from "./transaction.ts";
import { versionsApi } from "./versions-api.ts";
import { infoOf } from "./view-info.ts";
import { viewReader } from "./view-reader.ts";

/** The checkpoint found at start, and whether the stores hold it. */
export interface Found {
  readonly manifest: Manifest;
  readonly restored: boolean;
}

const SETTLE_TIMEOUT_MS = 600_000;

export class Database implements Engine {
  readonly core: Core;
  readonly #statements: Statements;
  readonly replication: Replication;
  readonly versions: VersionsApi;
  readonly #checkpointer: Checkpointer;
  readonly #transactions = new Transactions(() => this.core);
  readonly #report: (message: string) => void;
  #checkpointTimer: NodeJS.Timeout | null = null;
  #catchUp: CatchUp | null = null;
  #keeping: Promise<void> = Promise.resolve();
  /** Ends when the database is what it was. */
  #caughtUp: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;
  #declared: { readonly topics: readonly AnyTopic[]; readonly views: readonly AnyView[] } = {
    topics: [],
    views: [],
  };

  /** Use openEngine. */
  constructor(
    core: Core,
    disk: Disk,
    directory: string,
    found: Found | null,
    report: (message: string) => void,
    replica: Pick<ReplicationParts, "sync" | "note" | "leader" | "reach" | "token" | "random">,
  ) {
    this.core = core;
    this.#report = report;
    this.#statements = new Statements(core);
    this.versions = versionsApi(core, (text, options) => this.sql(text, options));
    this.replication = new Replication({
      ...replica,
      core,
      disk,
      report,
      lead: () => this.#lead(),
      rest: () => {
        core.ticker.stop();
        core.sinks.stop();
      },
    });
    // Rows of tables are lost, whoever met it: a query, or a step.
    core.runFiles.onDamaged = (error) => core.fail(error);
    this.#checkpointer = new Checkpointer(
      disk,
      directory,
      {
        dictionary: core.dictionary,
        runFiles: core.runFiles,
        stores: () => this.#stores(),
        atBoundary: (run) => core.stepper.atBoundary(run),
        current: () => core.current(),
        durable: (position) => core.durability.wait(position),
        turn: () => core.chores.turn(),
        describe: () => ({
          logId: logIdText(core.log.logId),
          catalog: core.catalog.toJSON(),
          lastId: core.catalog.nextId() - 1,
          views: core.views.fingerprints(),
          rows: core.views.keptRows(this.#stores(), core.current().position),
        }),
      },
      found,
    );
  }

  /**
   * From the checkpoint to now: replays the log, then starts to build what the checkpoint did not hold. `beside`: resolves at once, and readers are
   * answered meanwhile.
   */
  async start(
    topics: readonly AnyTopic[],
    views: readonly AnyView[],
    checkpointIntervalMs: number,
    beside: boolean,
  ): Promise<void> {
    const { core } = this;
    this.#catchUp = core.catchUp = new CatchUp(core);
    if (!beside) return this.#reachEnd(topics, views, checkpointIntervalMs, null);
    // What these say of records holds for the first that is let in.
    for (const handle of topics) core.topicHandles.set(handle.name, handle);
    this.#caughtUp = this.#reachEnd(topics, views, checkpointIntervalMs, core.committer.hold());
    this.#caughtUp.catch((error: unknown) => {
      this.#catchUp?.end();
      if (this.#closing === null) core.fail(toEvertError(error));
    });
  }

  /** `admit` lets in those who write. */
  async #reachEnd(
    topics: readonly AnyTopic[],
    views: readonly AnyView[],
    checkpointIntervalMs: number,
    admit: (() => void) | null,
  ): Promise<void> {
    const { core } = this;
    try {
      await (this.#catchUp as CatchUp).run(admit !== null);
      core.replayed();
      // Constant rows and aggregates over nothing are there even if the log is empty.
      await core.stepper.kick();
      await core.loadOwn();
    } catch (error) {
      // Who waits to write is let in by a start that has failed only to be told so.
      if (admit !== null && this.#closing === null) core.fail(toEvertError(error));
      throw error;
    } finally {
      admit?.();
    }
    this.#declared = { topics, views };
    for (const handle of topics) core.topicHandles.set(handle.name, handle);
    if (this.replication.leads) await this.#lead();
    else core.views.fillMissing();
    // All topics are known to the log by now.
    core.log.startSealing();
    this.#keeping = this.#keep();
    if (this.#closing === null) this.replication.start();
    this.#catchUp?.end();
    this.#catchUp = core.catchUp = null;
    if (checkpointIntervalMs > 0 && this.#closing === null) this.#checkpointEvery(checkpointIntervalMs);
  }

  /** What the program declares is made true, and ticks and sinks write: none of that is for a follower to do. */
  async #lead(): Promise<void> {
    const { core } = this;
    await declareApp(core, this.#declared.topics, this.#declared.views, this.#report);
    core.views.fillMissing();
    core.ticker.start();
    core.sinks.start();
  }

  /** Retention and compaction begin, beside what else goes on: which topics are gone is read off the log. */
  async #keep(): Promise<void> {
    const { core } = this;
    try {
      await learnDropped(core, () => this.#closing !== null);
      core.log.keep(() => keepingRules(core, this.#checkpointer.position, () => this.replication.copiedTo()));
    } catch (error) {
      if (this.#closing === null)
        this.#report(
          `retention and compaction do not go on before the next start: ${toEvertError(error).message}`,
        );
    }
  }

  #checkpointEvery(intervalMs: number): void {
    const take = (): void => {
      this.#checkpointer.take().catch((error: unknown) => {
        if (this.#closing === null) this.#report(`a checkpoint failed: ${toEvertError(error).message}`);
      });
    };
    this.#checkpointTimer = setInterval(() => {
      if (!this.#checkpointer.busy) take();
    }, intervalMs);
    this.#checkpointTimer.unref();
    // A start with changed columns has no use for a checkpoint from before them: it would replay the whole log.
    this.core.evolution.applied = () => {
      // When its step is done.
      const done = this.core.stepper.atBoundary(() => {});
      done.then(() => {
        if (this.#closing === null) take();
      }, ignored);
    };
  }

  // ---- reading ----------------------------------------------------------------------------------------------------------

  get position(): string {
    return this.core.position;
  }

  readiness(): Readiness {
    const { following } = this.replication.info();
    const progress = this.#catchUp?.progress ?? 1;
    const ready = this.core.failure === null;
    if (following === undefined) return { ready, progress, position: this.position };
    const { wasLevel, isPartial, leaderPosition = "0" } = following;
    const share = Math.min(1, Number(this.position) / Math.max(1, Number(leaderPosition)));
    return {
      // With nothing yet it answers nothing of use; with something it answers, also where its leader is gone.
      ready: ready && !isPartial && (wasLevel || this.position !== "0"),
      progress: Math.min(progress, wasLevel || following.leaderPosition !== undefined ? share : 1),
      position: this.position,
    };
  }

  stats(): DatabaseStats {
    return statsOf(this.core, this.#stores(), this.#checkpointer.position);
  }

  /** Where rows lie. Earlier rows of a view have the id of those that take their place, if these are made by the same plan: then they go. */
  #stores(): StoreHandle[] {
    const stores: StoreHandle[] = this.core.circuit.stores();
    const ids = new Set(stores.map(({ id }) => id));
    return [...stores, ...this.core.views.staleStores().filter(({ id }) => !ids.has(id))];
  }

  topics(): TopicInfo[] {
    return this.core.catalog.topics().map((entry) => topicInfoOf(this.core, entry));
  }

  topic(name: string): TopicInfo {
    return topicInfoOf(this.core, this.core.catalog.topic(name));
  }

  schemas(topic: string): SchemaVersionInfo[] {
    return schemaHistory(this.core.catalog.topic(topic));
  }

  async registerSchema(topic: string, text: string): Promise<RegisteredSchema> {
    return registerSchema(this.core, this.core.catalog.topic(topic), text);
  }

  registeredSchemas(): Promise<readonly RegisteredSchema[]> {
    return this.#ownTell(() => this.core.schemas.all());
  }

  views(): ViewInfo[] {
    return [...this.core.views.all()].map((live) => infoOf(this.core, live));
  }

  view(name: string): ViewReader {
    return viewReader(this.core, name);
  }

  /** Why reads of the view fail, or null. */
  viewFailure(name: string): EvertError | null {
    return this.core.views.errorOf(this.core.views.named(name));
  }

  /** Waits until reads reflect options.atLeast. */
  reached(options: ReadOptions): Promise<void> {
    return this.core.reached(options);
  }

  subscribe(
    targets: readonly SubscribeTarget[],
    options: SubscribeOptions = {},
  ): AsyncIterable<SubscriptionEvent> {
    this.core.stepper.lookedFor();
    const asked = targets.map((t) => ({ ...t, from: t.from == null ? t.from : positionOf(t.from) }));
    const from = options.from === undefined ? undefined : positionOf(options.from);
    const items = this.core.subscriptions.subscribe(asked, { from, signal: options.signal });
    const last = Math.max(from ?? 0, ...asked.map((t) => t.from ?? 0));
    return this.#catchUp?.isAhead(last) === true ? this.#behind(last, items, options.signal) : items;
  }

  openSubscription(signal: AbortSignal): OpenSubscription {
    const { subscription, items } = this.core.subscriptions.open(signal);
    return {
      events: items,
      alter: async (changes, token) => {
        const asked = changes.map(({ view, targets, isAnew }) => ({
          view,
          targets: targets.map((t) => ({ ...t, from: t.from == null ? t.from : positionOf(t.from) })),
          isAnew,
        }));
        const last = Math.max(0, ...asked.flatMap(({ targets }) => targets.map((t) => t.from ?? 0)));
        if (this.#catchUp?.isAhead(last) === true) await this.core.publisher.waitFor(last, SETTLE_TIMEOUT_MS);
        this.core.stepper.lookedFor();
        subscription.alter(asked, token);
      },
    };
  }

  /** What a subscriber has seen before a restart is reached again first: nobody is shown an earlier moment. */
  async *#behind(
    position: number,
    items: AsyncIterable<SubscriptionEvent>,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SubscriptionEvent> {
    await this.core.publisher.waitFor(position, SETTLE_TIMEOUT_MS);
    if (signal?.aborted !== true) yield* items;
  }

  readTopic(name: string, options: ReadTopicOptions = {}): AsyncIterable<TopicRecord> {
    return this.readTopicAs(name, options, (record) => record);
  }

  /** The same, of each record what is made of it. */
  readTopicAs<T>(
    name: string,
    options: ReadTopicOptions,
    make: MakeRecord<T>,
  ): AsyncGenerator<T, void, undefined> {
    const { log, catalog } = this.core;
    this.core.refuseEnded();
    return readRecords(log, catalog.topic(name), (id) => this.core.catalog.byId(id), options, make);
  }

  readTopicBatches(name: string, options: ReadTopicOptions = {}): AsyncIterable<TopicRows> {
    this.core.refuseEnded();
    return readRecordRows(this.core.log, this.core.catalog.topic(name), options);
  }

  readTopicArrow(name: string, options: ReadTopicOptions = {}): AsyncIterable<Uint8Array> {
    this.core.refuseEnded();
    return readRecordsArrow(this.core.log, this.core.catalog.topic(name), options);
  }

  // ---- writing ----------------------------------------------------------------------------------------------------------

  append(
    topic: string,
    rows: readonly unknown[],
    options: AppendOptions = NO_OPTIONS,
  ): Promise<AppendResult> {
    const { core } = this;
    let part: Part;
    let request: CommitRequest;
    try {
      part = upsertPart(core, topic, rows, "records");
      request = requestOf(core, part.topic, options);
    } catch (error) {
      return Promise.reject(error);
    }
    // Promises cost as much as staging a row, and an async function keeps all it knows while it waits: what is usual waits for one promise, with one function.
    const parts = [part];
    let staged: StagedNow;
    try {
      staged = core.committer.stageNow(parts, request, true);
    } catch (error) {
      return refusalToTell(core, error).then((refusal) => Promise.reject(refusal));
    }
    if (!isReceipt(staged)) return this.#append(part.topic, parts, request, staged);
    return this.#appendedDurably(part.topic, staged);
  }

  #appendedDurably(topic: TopicEntry, receipt: CommitReceipt): Promise<AppendResult> {
    return receipt.durable.then(() => this.#appended(topic, receipt));
  }

  fallbacks({ name, schema }: TopicInfo): readonly unknown[] | null {
    return fallbacksFor(this.core, name, schema);
  }

  async appendBatch(
    topic: string,
    batch: Batch,
    { deleted = [], deadLetters = [], ...options }: AppendBatchOptions = {},
  ): Promise<AppendResult> {
    const { catalog, log } = this.core;
    const entry = catalog.topic(topic);
    const dead = deadLetterPart(catalog, entry, deadLetters, log.nowUs());
    const ops = deleted.length === 0 ? null : new Uint8Array(batch.length);
    for (const row of deleted) (ops as Uint8Array)[row] = OP_DELETE;
    const rows: Part[] = batch.length === 0 ? [] : [{ topic: entry, op: "batch", batch, ops }];
    return this.#append(entry, [...rows, ...dead], requestOf(this.core, entry, options));
  }

  async appendArrow(topic: string, stream: Uint8Array, options?: AppendOptions): Promise<AppendResult> {
    const part = await arrowPart(this.core, topic, stream);
    return this.#append(part.topic, [part], requestOf(this.core, part.topic, options ?? {}));
  }

  /** `staged`: where it has been tried. */
  async #append(
    topic: TopicEntry,
    parts: readonly Part[],
    request: CommitRequest,
    staged?: StagedNow,
  ): Promise<AppendResult> {
    const { core } = this;
    const committed = toldDurably(core, request, () => core.committer.commit(parts, request, staged));
    return this.#appendedBefore(topic, request, await committed);
  }

  async appended(topic: string, options: AppendOptions): Promise<AppendResult | null> {
    const { core } = this;
    const entry = core.catalog.topic(topic);
    const request = requestOf(core, entry, options);
    const known = await toldDurably(core, request, async () => core.committer.known(request));
    await known?.durable;
    return known === null ? null : this.#appendedBefore(entry, request, known);
  }

  registerProducer(id: string, options: AppendOptions = {}): Promise<{ epoch: number; position: string }> {
    return registerProducer(this.core, id, options);
  }

  openConsumer(
    name: string,
    topics: readonly string[],
    options: OpenConsumerOptions = {},
  ): Promise<OpenedConsumer> {
    return openConsumer(this.core, name, topics, options);
  }

  consumers(): Promise<ConsumerInfo[]> {
    return this.#ownTell(() => this.core.consumers.all());
  }

  consumer(name: string): Promise<ConsumerInfo> {
    return this.#ownTell(() => this.core.consumers.info(name));
  }

  /** What the log's own tables say. */
  async #ownTell<T>(tell: () => T): Promise<T> {
    const { core } = this;
    await core.ownKnown();
    const told = tell();
    await core.durability.told(core.log.lastPosition);
    return told;
  }

  advanceConsumer(
    name: string,
    epoch: number,
    progress: Readonly<Record<string, number>>,
    options: AppendOptions = {},
  ): Promise<{ position: string }> {
    return advanceConsumer(this.core, name, epoch, progress, options);
  }

  dropConsumer(name: string): Promise<{ position: string }> {
    return dropConsumer(this.core, name);
  }

  producerReached(topic: string, place: ProducerSequence, timeoutMs: number): Promise<void> {
    const { core } = this;
    return core.producers.reached(core.catalog.topic(topic).id, place, timeoutMs);
  }

  producer(id: string): Promise<ProducerInfo | null> {
    return this.#ownTell(() => this.core.producers.info(id));
  }

  /** Of a producer's request that came again the first answer, too: which of its records were put aside is in the log alone. REQUIRES that the commit is durable. */
  async #appendedBefore(
    topic: TopicEntry,
    { rider }: CommitRequest,
    receipt: CommitReceipt,
  ): Promise<AppendResult> {
    const result = this.#appended(topic, receipt);
    const isAgain = rider !== undefined && receipt.ranges.length === 1;
    if (!isAgain || topic.deadLetters === undefined) return result;
    const deadLetters = await deadLettersAt(this.core.log, topic.id, receipt.position);
    return deadLetters === 0 ? result : { ...result, deadLetters };
  }

  #appended({ id, deadLetters }: TopicEntry, receipt: CommitReceipt): AppendResult {
    const [first] = receipt.ranges;
    if (receipt.ranges.length === 1 && first?.topicId === id) return appendResult(receipt, first);
    // An append is of one topic: of a repeated one it may be the one that had this name then.
    const all = receipt.ranges.filter(({ topicId }) => !OWN_TABLES.some((own) => own.id === topicId));
    const dead = all.find((r) => r.topicId === deadLetters);
    const ranges = all.filter((r) => r !== dead);
    const range = ranges.find((r) => r.topicId === id) ?? ranges[0];
    const firstOffset = range?.firstOffset ?? this.core.log.topicEnd(id);
    const lastOffset = range?.lastOffset ?? firstOffset - 1;
    return {
      position: String(receipt.position),
      count: lastOffset - firstOffset + 1,
      firstOffset,
      lastOffset,
      ...(dead === undefined ? {} : { deadLetters: dead.lastOffset - dead.firstOffset + 1 }),
    };
  }

  async deleteKey(topic: string, key: Key, options?: AppendOptions): Promise<{ position: string }> {
    const receipt = await this.core.committer.commit([deletePart(this.core, topic, [key], "key")], options);
    return { position: String(receipt.position) };
  }

  async transact(
    operations: readonly Operation[],
    { expect = [], consume = [], ...options }: TransactOptions = {},
  ): Promise<{ position: string }> {
    const parts = operations.map((operation, i): Part => {
      const path = `operations[${i}]`;
      if ("delete" in operation)
        return deletePart(this.core, operation.topic, operation.delete, `${path}.delete`);
      return "append" in operation
        ? upsertPart(this.core, operation.topic, operation.append, `${path}.append`)
        : upsertPart(this.core, operation.topic, operation.upsert, `${path}.upsert`);
    });
    const { core } = this;
    const request = consume.length === 0 ? options : consuming(core, parts, options, { expect, consume });
    const receipt = await toldDurably(core, request, () =>
      expect.length === 0
        ? core.committer.commit(parts, request)
        : commitExpecting(core, parts, expect, request),
    );
    return { position: String(receipt.position) };
  }

  /**
   * Runs `work`, which decides by what it reads, and stores what it writes as one commit: as if nothing had happened meanwhile. It runs again where something
   * did, so it has no other effects. @throws EvertError what it throws; conflict
   */
  transaction<T>(
    work: (transaction: TransactionWork) => Promise<T> | T,
    consume: readonly Consumed[] = [],
  ): Promise<{ position: string; result: T }> {
    const { core } = this;
    const rider = consume.length === 0 ? undefined : consumes(core, consume);
    return toldDurably(core, { rider }, () => this.#transactions.run(work, rider));
  }

  get backupSource(): BackupSource {
    const { log } = this.core;
    return { files: async () => log.files(), read: (name, from, to) => log.readFile(name, from, to) };
  }

  copy(text: string, options: SqlOptions = {}): Promise<CopyIn | CopyOut> {
    return copy(this.core, text, options);
  }

  sql(text: string, options: SqlOptions = {}): Promise<SqlResponse> {
    return this.#statements.run(text, options);
  }

  async dropView(name: string): Promise<{ position: string }> {
    return { position: await dropView(this.core, name) };
  }

  // ---- ending -----------------------------------------------------------------------------------------------------------

  async settled(): Promise<void> {
    await this.#caughtUp;
    const { log, publisher, sinks } = this.core;
    // What sinks append is a commit too, and may have them append more.
    for (let at = -1; at !== log.lastPosition; ) {
      at = log.lastPosition;
      log.seal();
      await publisher.waitFor(at, SETTLE_TIMEOUT_MS);
      await sinks.resting();
    }
  }

  /** Resolves when no view is being built. */
  async built(): Promise<void> {
    await this.#caughtUp;
    await this.core.views.settled();
  }

  async checkpoint(): Promise<void> {
    await this.#caughtUp;
    await this.#checkpointer.take();
  }

  /** Erases a key for good: see erase.ts. */
  async erase(topic: string, key: Key): Promise<Erased> {
    await this.#caughtUp;
    await this.#keeping;
    const erase = this.replication.leads ? eraseKey : eraseCopy;
    return erase(this.core, () => this.#checkpointer.renew(), this.replication, topic, key);
  }

  /** Takes out of the log all that topics' retention and compaction let go, up to now. @throws EvertError what kept it from it */
  async compact(): Promise<void> {
    await this.checkpoint();
    await this.core.log.sealed();
    await this.#keeping;
    await this.core.log.compact();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    const { core } = this;
    core.ticker.stop();
    if (this.#checkpointTimer !== null) clearInterval(this.#checkpointTimer);
    const gone = new EvertError("shutting_down", "the database is being closed");
    core.sinks.stop();
    core.committer.close(gone);
    const isBehind = this.#catchUp !== null;
    const isFedBehind = await this.replication.close();
    if (isFedBehind) core.giveUp(gone);
    if (isBehind) {
      // The next start begins where this one did.
      this.#catchUp?.stop();
      core.publisher.fail(gone);
      await this.#caughtUp.catch(() => {});
    }
    try {
      await core.sinks.resting();
      await core.views.abort();
      if (core.failure === null && !isBehind && !isFedBehind) {
        await this.settled();
        await this.#checkpointer.take();
      }
    } finally {
      core.end(gone);
      core.subscriptions.closeAll(gone);
      await this.#checkpointer.close();
      await core.circuit.cooling?.stop();
      await core.runFiles.close();
      await core.workers?.close();
      await this.#keeping;
      await core.log.close();
    }
  }
}

function appendResult({ position }: CommitReceipt, { firstOffset, lastOffset }: TopicRange): AppendResult {
  return { position: String(position), count: lastOffset - firstOffset + 1, firstOffset, lastOffset };
}

const NO_OPTIONS: AppendOptions = {};

/** The database has failed, and has said so. */
function ignored(): void {}
