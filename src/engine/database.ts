/** The database as the engine's users have it: what each of their requests comes to. */
import type { EvertError } from "../base/errors.ts";
import { positionOf } from "../base/position.ts";
import type { Batch } from "../batch/batch.ts";
import { checkedRecord } from "../face/validate.ts";
import type { BackupSource } from "../log/backup.ts";
import { type CommitReceipt, type LogFiles, OP_DELETE } from "../log/log.ts";
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
import type { TopicEntry } from "./catalog/catalog.ts";
import type { Core } from "./core.ts";
import { fallbacksFor } from "./evolution/fallbacks.ts";
import { schemaHistory } from "./evolution/schema-history.ts";
import type { Lifecycle } from "./lifecycle.ts";
import { versionsApi } from "./live/versions-api.ts";
import { infoOf } from "./live/view-info.ts";
import { viewReader } from "./live/view-reader.ts";
import { advanceConsumer, consumes, consuming, dropConsumer, openConsumer } from "./own/consumer-requests.ts";
import { refusalToTell, toldDurably } from "./own/own-rows.ts";
import { registerProducer, requestOf } from "./own/producer-requests.ts";
import type { CommitRequest } from "./own/rider.ts";
import { registerSchema } from "./own/schema-requests.ts";
import { type MakeRecord, readRecordRows, readRecords, readRecordsArrow } from "./records.ts";
import type { Replication } from "./replica/replication.ts";
import { copy } from "./sql/copy.ts";
import { dropView } from "./sql/drop.ts";
import { Statements } from "./sql/statements.ts";
import { statsOf } from "./stats.ts";
import { topicInfoOf } from "./topic-info.ts";
import { appendResult, repeatableAppendResult } from "./write/append-result.ts";
import { arrowPart } from "./write/arrow-input.ts";
import { isReceipt, type StagedNow } from "./write/committer.ts";
import { deadLetterPart } from "./write/dead-letters.ts";
import { commitExpecting } from "./write/expectations.ts";
import type { Part } from "./write/part.ts";
import { deletePart, upsertPart } from "./write/request-parts.ts";
import { Transactions, type TransactionWork } from "./write/transaction.ts";

export class Database implements Engine {
  readonly core: Core;
  readonly replication: Replication;
  readonly versions: VersionsApi;
  readonly #life: Lifecycle;
  readonly #statements: Statements;
  readonly #transactions = new Transactions(() => this.core);

  /** Use openEngine. */
  constructor(core: Core, life: Lifecycle) {
    this.core = core;
    this.#life = life;
    this.replication = life.replication;
    this.#statements = new Statements(core);
    this.versions = versionsApi(core, (text, options) => this.sql(text, options));
  }

  // ---- reading ----------------------------------------------------------------------------------------------------------

  get position(): string {
    return this.core.position;
  }

  readiness(): Readiness {
    const { role, following } = this.replication.info();
    const { progress } = this.#life;
    const ready = this.core.failure === null;
    // A former leader stays for ever at what it has.
    if (following === undefined)
      return { ready: ready && role === "leader", progress, position: this.position };
    const { wasLevel, isPartial, isCopying, state, leaderPosition = "0" } = following;
    // Of a leader to which nothing has come yet it has everything.
    const share = leaderPosition === "0" ? 1 : Math.min(1, Number(this.position) / Number(leaderPosition));
    return {
      // The beginning of a history answers nothing of use, nor does another history; all that there was does, also where the leader is gone.
      ready: ready && !isPartial && !isCopying && state !== "stopped",
      progress: Math.min(progress, wasLevel || following.leaderPosition !== undefined ? share : 1),
      position: this.position,
    };
  }

  stats(): DatabaseStats {
    return statsOf(this.core, this.#life.checkpointPosition);
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
    return this.#life.isBehind(last) ? this.#behind(last, items, options.signal) : items;
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
        if (this.#life.isBehind(last)) await this.#life.reachAgain(last);
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
    await this.#life.reachAgain(position);
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
    // Promises cost as much as staging a row, and an async function keeps all it knows while it waits: what is usual waits for one promise, with one
    // function.
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
    return receipt.durable.then(() => appendResult(this.core, topic, receipt));
  }

  fallbacks({ name, schema }: TopicInfo): readonly unknown[] | null {
    return fallbacksFor(this.core, name, schema);
  }

  checkedRecord(topic: string, record: unknown): unknown {
    const handle = this.core.topicHandles.get(topic);
    return handle === undefined ? record : checkedRecord(handle, record);
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
    const request = requestOf(this.core, entry, options);
    return this.#append(
      entry,
      [...rows, ...dead],
      dead.length === 0 ? request : { ...request, appendsTo: entry.id },
    );
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
    return repeatableAppendResult(core, topic, request, await committed);
  }

  async appended(topic: string, options: AppendOptions): Promise<AppendResult | null> {
    const { core } = this;
    const entry = core.catalog.topic(topic);
    const request = requestOf(core, entry, options);
    const known = await toldDurably(core, request, async () => core.committer.known(request));
    await known?.durable;
    return known === null ? null : repeatableAppendResult(core, entry, request, known);
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
   * Runs `work`, which decides by what it reads, and stores what it writes as one commit: as if nothing had happened meanwhile. It runs again where
   * something did, so it has no other effects. @throws EvertError what it throws; conflict
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
    const { log, publisher } = this.core;
    const files = async (): Promise<LogFiles> => {
      const all = log.files();
      // Restored, it would be a state that never was. (A segment that a replica has just taken over is known to the log first.)
      const isMidst = this.replication.info().role === "follower" && log.horizon > all.position;
      if (isMidst || !publisher.moments.has(all.position)) throw publisher.moments.refusal();
      return all;
    };
    return { files, read: (name, from, to) => log.readFile(name, from, to) };
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

  settled(): Promise<void> {
    return this.#life.settled();
  }

  /** Resolves when no view is being built. */
  built(): Promise<void> {
    return this.#life.built();
  }

  checkpoint(): Promise<void> {
    return this.#life.checkpoint();
  }

  erase(topic: string, key: Key): Promise<Erased> {
    return this.#life.erase(topic, key);
  }

  compact(): Promise<void> {
    return this.#life.compact();
  }

  close(): Promise<void> {
    return this.#life.close();
  }
}

const NO_OPTIONS: AppendOptions = {};
