/**
 * The engine: the one place that knows both ends, the log and the views.
 *
 * Start
 * 1. The log is opened and recovered. The newest checkpoint, if it can be used, gives the position to start from; the catalog is what
 *    the checkpoint says plus the catalog events after it (without a checkpoint: all of them).
 * 2. Views whose rows the checkpoint holds, made by the same code, are compiled and their stores filled. Without a checkpoint all
 *    views are compiled empty. The log after the position is replayed through the circuit: the same steps as live.
 * 3. Views the checkpoint does not hold are built from history like any new view, while everything else goes on. Where it holds the rows of an
 *    earlier definition, these are read meanwhile, as of the checkpoint's position, and marked stale.
 */
import { type Clock, systemClock } from "../base/clock.ts";
import { type Disk, joinPath } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { Batch } from "../batch/batch.ts";
import type { RecursionLimits, StateLimits } from "../dataflow/circuit.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import type { SqlFunction } from "../face/routines.ts";
import { openLog } from "../log/file-log.ts";
import type { CommitReceipt, Log } from "../log/log.ts";
import type { ClockJump } from "../log/log-time.ts";
import { loadParser } from "../sql/statement.ts";
import { Dictionary } from "../state/dictionary.ts";
import type {
  AppendOptions,
  AppendResult,
  CopyIn,
  CopyOut,
  DatabaseStats,
  Engine,
  Key,
  Operation,
  Readiness,
  ReadOptions,
  ReadTopicOptions,
  SqlOptions,
  SqlResponse,
  SubscribeOptions,
  SubscribeTarget,
  SubscriptionEvent,
  TopicInfo,
  TopicRecord,
  ViewInfo,
  ViewReader,
} from "./api.ts";
import { arrowPart } from "./arrow-input.ts";
import { CATALOG_ENTRY, SINK_ENTRY, TICK_ENTRY, type TopicEntry } from "./catalog.ts";
import { CatchUp } from "./catch-up.ts";
import {
  Checkpointer,
  type Manifest,
  readManifest,
  restoreDictionary,
  restoreStores,
  type StoreHandle,
} from "./checkpointing.ts";
import { copy } from "./copy.ts";
import { Core } from "./core.ts";
import { declareApp } from "./declare.ts";
import { memoryLimitOf } from "./default-memory.ts";
import { usersOf, words } from "./drop.ts";
import type { Part } from "./part.ts";
import { readRecords, readRecordsArrow } from "./records.ts";
import { deletePart, upsertPart } from "./request-parts.ts";
import { compile, keepOldRows, readCatalog } from "./restore.ts";
import { routinesByName } from "./routines.ts";
import { Statements } from "./statements.ts";
import { infoOf } from "./view-info.ts";
import { viewReader } from "./view-reader.ts";

export interface OpenEngineOptions {
  /** Where the log and everything derived from it lies. */
  readonly directory: string;
  /** Topics and views declared in TypeScript; made if they are not there, rebuilt if their definition has changed. */
  readonly topics?: readonly AnyTopic[] | undefined;
  readonly views?: readonly AnyView[] | undefined;
  readonly disk?: Disk | undefined;
  readonly clock?: Clock | undefined;
  /** Size of a segment of the log. Smaller ones are sealed, and can be shipped and removed, sooner. Default 64 MiB. */
  readonly segmentBytes?: number | undefined;
  /**
   * Opens as soon as the rows of the checkpoint can be read, while the log after it is still replayed: views say that they catch up, what is written
   * waits. Without a usable checkpoint there is nothing to read before.
   */
  readonly answerWhileCatchingUp?: boolean | undefined;
  /** Milliseconds between checkpoints while there is something new; 0 turns them off (one is still taken on close). Default 5,000. */
  readonly checkpointIntervalMs?: number | undefined;
  /** Functions that SQL calls by name. */
  readonly functions?: readonly SqlFunction[] | undefined;
  /** What one call of a function of the program may take; 0: any time. Default 1,000. */
  readonly functionTimeoutMs?: number | undefined;
  /** What a recursive query may do before it is taken for an endless one. */
  readonly recursion?: Partial<RecursionLimits> | undefined;
  /** What a view may keep and make before it is stopped. */
  readonly limits?: Partial<StateLimits> | undefined;
  /** Bytes that all state may take together. Default: half of the machine's memory. */
  readonly memoryLimit?: number | undefined;
  /** Told what recovery found, what a checkpoint could not be used for, what failed in the background. */
  readonly report?: ((message: string) => void) | undefined;
  /** Called when the disk has failed: nothing more will be acknowledged, the process should end. */
  readonly onFatal?: ((error: EvertError) => void) | undefined;
}

/** The checkpoint found at start, and whether the stores hold it. */
interface Found {
  readonly manifest: Manifest;
  readonly restored: boolean;
}

const CHECKPOINT_INTERVAL_MS = 5000;
const SETTLE_TIMEOUT_MS = 600_000;

export class Database implements Engine {
  readonly core: Core;
  readonly #statements: Statements;
  readonly #checkpointer: Checkpointer;
  readonly #report: (message: string) => void;
  #checkpointTimer: NodeJS.Timeout | null = null;
  #catchUp: CatchUp | null = null;
  /** Ends when the database is what it was. */
  #caughtUp: Promise<void> = Promise.resolve();
  #closing: Promise<void> | null = null;

  /** Use openEngine. */
  constructor(
    core: Core,
    disk: Disk,
    directory: string,
    found: Found | null,
    report: (message: string) => void,
  ) {
    this.core = core;
    this.#report = report;
    this.#statements = new Statements(core);
    this.#checkpointer = new Checkpointer(
      disk,
      directory,
      {
        dictionary: core.dictionary,
        stores: () => this.#stores(),
        atBoundary: (run) => core.stepper.atBoundary(run),
        current: () => core.current(),
        durable: (position) => core.durable(position),
        turn: () => core.chores.turn(),
        describe: () => ({
          catalog: core.catalog.toJSON(),
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
    } finally {
      admit?.();
    }
    await declareApp(core, topics, views);
    core.views.fillMissing();
    core.ticker.start();
    // All topics are known to the log by now.
    core.log.startSealing();
    core.sinks.start();
    this.#catchUp?.end();
    this.#catchUp = core.catchUp = null;
    if (checkpointIntervalMs > 0 && this.#closing === null) this.#checkpointEvery(checkpointIntervalMs);
  }

  #checkpointEvery(intervalMs: number): void {
    this.#checkpointTimer = setInterval(() => {
      if (this.#checkpointer.busy) return;
      this.#checkpointer.take().catch((error: unknown) => {
        if (this.#closing === null) this.#report(`a checkpoint failed: ${toEvertError(error).message}`);
      });
    }, intervalMs);
    this.#checkpointTimer.unref();
  }

  // ---- reading ----------------------------------------------------------------------------------------------------------

  get position(): string {
    return this.core.position;
  }

  readiness(): Readiness {
    return {
      ready: this.core.failure === null,
      progress: this.#catchUp?.progress ?? 1,
      position: this.position,
    };
  }

  stats(): DatabaseStats {
    const { core } = this;
    const { segments, bytes, sealing } = core.log.stats();
    let stateBytes = core.dictionary.bytes;
    for (const { store } of this.#stores()) stateBytes += store.bytes;
    return {
      position: this.position,
      logBytes: bytes,
      segments,
      sealedSegments: sealing.segments,
      unsealedSegments: sealing.waiting,
      sealedBytes: sealing.bytes,
      sealedOriginalBytes: sealing.originalBytes,
      sealingFailed: sealing.failure !== null,
      commits: core.counters.commits,
      records: core.counters.records,
      steps: core.counters.steps,
      stepSeconds: core.counters.stepMs / 1000,
      stateBytes,
      memoryLimit: core.circuit.memory.bytes,
      dictionaryBytes: core.dictionary.bytes,
      subscribers: core.subscriptions.size,
      checkpointPosition: String(this.#checkpointer.position),
      longestPauseMs: core.stepper.longestPauseMs,
    };
  }

  /** Where rows lie. Earlier rows of a view have the id of those that take their place, if these are made by the same plan: then they go. */
  #stores(): StoreHandle[] {
    const stores: StoreHandle[] = this.core.circuit.stores();
    const ids = new Set(stores.map(({ id }) => id));
    return [...stores, ...this.core.views.staleStores().filter(({ id }) => !ids.has(id))];
  }

  topics(): TopicInfo[] {
    return this.core.catalog.topics().map((entry) => this.#topicInfo(entry));
  }

  topic(name: string): TopicInfo {
    return this.#topicInfo(this.core.catalog.topic(name));
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
    const asked = targets.map((t) => ({ ...t, from: t.from == null ? t.from : Number(t.from) }));
    const from = options.from === undefined ? undefined : Number(options.from);
    const items = this.core.subscriptions.subscribe(asked, { from, signal: options.signal });
    const last = Math.max(from ?? 0, ...asked.map((t) => t.from ?? 0));
    return this.#catchUp?.isAhead(last) === true ? this.#behind(last, items, options.signal) : items;
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
    return readRecords(this.core.log, this.core.catalog.topic(name), options);
  }

  readTopicArrow(name: string, options: ReadTopicOptions = {}): AsyncIterable<Uint8Array> {
    return readRecordsArrow(this.core.log, this.core.catalog.topic(name), options);
  }

  // ---- writing ----------------------------------------------------------------------------------------------------------

  async append(topic: string, rows: readonly unknown[], options?: AppendOptions): Promise<AppendResult> {
    return this.#append(upsertPart(this.core, topic, rows, "records"), options);
  }

  async appendBatch(topic: string, batch: Batch, options?: AppendOptions): Promise<AppendResult> {
    return this.#append({ topic: this.core.catalog.topic(topic), op: "batch", batch, ops: null }, options);
  }

  async appendArrow(topic: string, stream: Uint8Array, options?: AppendOptions): Promise<AppendResult> {
    const { catalog, topicHandles } = this.core;
    return this.#append(await arrowPart(catalog.topic(topic), topicHandles.get(topic), stream), options);
  }

  async #append(part: Part, options: AppendOptions | undefined): Promise<AppendResult> {
    return this.#appended(part.topic, await this.core.committer.commit([part], options));
  }

  async appended(topic: string, options: AppendOptions): Promise<AppendResult | null> {
    const known = this.core.committer.known(options);
    await known?.durable;
    return known === null ? null : this.#appended(this.core.catalog.topic(topic), known);
  }

  #appended({ id }: TopicEntry, receipt: CommitReceipt): AppendResult {
    const range = receipt.ranges.find((r) => r.topicId === id);
    const firstOffset = range?.firstOffset ?? this.core.log.topicEnd(id);
    const lastOffset = range?.lastOffset ?? firstOffset - 1;
    return {
      position: String(receipt.position),
      count: lastOffset - firstOffset + 1,
      firstOffset,
      lastOffset,
    };
  }

  async deleteKey(topic: string, key: Key, options?: AppendOptions): Promise<{ position: string }> {
    const receipt = await this.core.committer.commit([deletePart(this.core, topic, [key], "key")], options);
    return { position: String(receipt.position) };
  }

  async transact(operations: readonly Operation[], options?: AppendOptions): Promise<{ position: string }> {
    const parts = operations.map((operation, i): Part => {
      const path = `operations[${i}]`;
      if ("delete" in operation)
        return deletePart(this.core, operation.topic, operation.delete, `${path}.delete`);
      return "append" in operation
        ? upsertPart(this.core, operation.topic, operation.append, `${path}.append`)
        : upsertPart(this.core, operation.topic, operation.upsert, `${path}.upsert`);
    });
    const receipt = await this.core.committer.commit(parts, options);
    return { position: String(receipt.position) };
  }

  copy(text: string, options: SqlOptions = {}): Promise<CopyIn | CopyOut> {
    return copy(this.core, text, options);
  }

  sql(text: string, options: SqlOptions = {}): Promise<SqlResponse> {
    return this.#statements.run(text, options);
  }

  async dropView(name: string): Promise<{ position: string }> {
    const { core } = this;
    const position = await core.define(() => {
      const entry = core.catalog.view(name);
      const users = usersOf(core, [entry]);
      if (users.length === 0) return [{ event: "drop", id: entry.id }];
      throw new EvertError("dependent_objects", `cannot drop view "${name}": others depend on it`, {
        detail: users.map(({ view, of }) => `${words(view)} depends on ${words(of)}`).join("\n"),
        hint: "Drop them first.",
      });
    });
    return { position };
  }

  #topicInfo(entry: TopicEntry): TopicInfo {
    const records = this.core.log.topicEnd(entry.id);
    const store = this.core.tableStore(entry.id);
    const relation = this.core.catalog.relation(entry.name)!;
    return {
      name: entry.name,
      kind: entry.topicKind,
      schema: relation.schema,
      key: relation.key === null ? null : relation.key.map((c) => relation.schema.fields[c]!.name),
      isChecked: (this.core.topicHandles.get(entry.name)?.standard ?? null) !== null,
      records,
      rows: store === null ? records : store.live,
      stateBytes: store?.bytes ?? 0,
    };
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
    if (isBehind) {
      // The next start begins where this one did.
      this.#catchUp?.stop();
      core.publisher.fail(gone);
      await this.#caughtUp.catch(() => {});
    }
    await core.sinks.resting();
    await core.views.abort();
    try {
      if (core.failure === null && !isBehind) {
        await this.settled();
        await this.#checkpointer.take();
      }
    } finally {
      core.subscriptions.closeAll(gone);
      await this.#checkpointer.close();
      await core.log.close();
    }
  }
}

/** Opens the directory, recovers, restores and replays. Views in need of a rebuild are built after it has resolved: see built(). */
export async function openEngine(options: OpenEngineOptions): Promise<Database> {
  const disk = options.disk ?? nodeDisk;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? (() => {});
  await loadParser();
  const onClockJump = ({ direction, wallUs, timeUs }: ClockJump): void => {
    const [wall, taken] = [wallUs, timeUs].map((us) => new Date(us / 1000).toISOString());
    report(
      `the wall clock was set ${direction}, to ${wall}; commits are stamped from ${taken} on until it fits again`,
    );
  };
  const { directory, segmentBytes } = options;
  const log = await openLog({ directory, disk, clock, onClockJump, report, segmentBytes });
  try {
    const { tornTail } = log.report;
    if (tornTail !== null) {
      report(
        `the log ended in the middle of a write; ${tornTail.bytes} bytes that were never acknowledged were cut off`,
      );
    }
    return await openOn(log, disk, clock, report, options);
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function openOn(
  log: Log,
  disk: Disk,
  clock: Clock,
  report: (message: string) => void,
  options: OpenEngineOptions,
): Promise<Database> {
  for (const { id, schemaVersion, schema } of [CATALOG_ENTRY, TICK_ENTRY, SINK_ENTRY]) {
    log.registerTopic({ topicId: id, schemaVersion, schema });
  }
  const directory = joinPath(options.directory, "checkpoint");
  const found = await readManifest(disk, directory);
  let { manifest } = found;
  const rebuilt = (reason: string): void =>
    report(`the checkpoint is not used: ${reason}; everything is rebuilt from the log`);
  if (found.reason !== null) rebuilt(found.reason);
  if (manifest !== null && manifest.position > log.durablePosition) {
    rebuilt("it is ahead of the log");
    manifest = null;
  }
  const routines = routinesByName(options.functions ?? []);
  const handles = new Map((options.views ?? []).map((v) => [v.name, v]));
  const onFatal = options.onFatal ?? (() => {});
  for (;;) {
    const dictionary = new Dictionary();
    const { catalog, kept } = await readCatalog(log, manifest, routines);
    const { recursion, functionTimeoutMs } = options;
    const memoryLimit = memoryLimitOf(options.memoryLimit);
    const limits = { recursion, functionTimeoutMs, limits: options.limits, memoryLimit };
    const core = new Core({ log, catalog, dictionary, clock, limits, handles, report, onFatal });
    try {
      if (manifest !== null) await restoreDictionary(disk, directory, manifest, dictionary);
      compile(core, manifest);
      if (manifest !== null) {
        core.circuit.prepare();
        const stores = [...core.circuit.stores(), ...keepOldRows(core, kept)];
        await restoreStores(disk, directory, manifest, dictionary, stores, 1);
        const timeUs = manifest.timeUs ?? Number.NEGATIVE_INFINITY;
        core.circuit.restored(1, timeUs);
        core.startAt(1, manifest.position, timeUs);
      }
    } catch (error) {
      if (manifest === null) throw error;
      // It is a copy: whatever is wrong with it, the log has the truth.
      rebuilt(toEvertError(error).message);
      core.retire();
      manifest = null;
      continue;
    }
    const last = manifest ?? found.manifest;
    const used = last === null ? null : { manifest: last, restored: manifest !== null };
    const database = new Database(core, disk, directory, used, report);
    await database.start(
      options.topics ?? [],
      options.views ?? [],
      options.checkpointIntervalMs ?? CHECKPOINT_INTERVAL_MS,
      options.answerWhileCatchingUp === true && manifest !== null,
    );
    return database;
  }
}
