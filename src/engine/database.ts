/**
 * The engine: the one place that knows both ends, the log and the views.
 *
 * Start
 * 1. The log is opened and recovered. The newest checkpoint, if it can be used, gives the position to start from; the catalog is what the checkpoint
 *    says plus the catalog events after it (without a checkpoint: all of them).
 * 2. Views whose rows the checkpoint holds, made by the same code, are compiled and their stores filled. Without a checkpoint all views are compiled
 *    empty. The log after the position is replayed through the circuit: the same steps as live.
 * 3. Views the checkpoint does not hold are built from history like any new view, while everything else goes on.
 *
 * Running: committer -> log -> stepper -> publisher -> views and subscriptions; checkpoints in the background.
 */
import type { Clock } from "../base/clock.ts";
import { systemClock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { joinPath } from "../base/disk.ts";
import { type ErrorBody, EvertError, toEvertError } from "../base/errors.ts";
import { nodeDisk } from "../base/node-disk.ts";
import type { Batch, Utf8Column } from "../batch/batch.ts";
import { type Build, Circuit, type ViewNode } from "../dataflow/circuit.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import { openLog } from "../log/file-log.ts";
import type { Log, TopicBatch } from "../log/log.ts";
import type { Plan, Query } from "../plan/plan.ts";
import { loadParser } from "../sql/statement.ts";
import { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";
import { type Touched, takeTouched } from "../views/frames.ts";
import { Subscriptions } from "../views/subscriptions.ts";
import { View } from "../views/view.ts";
import type {
  AppendOptions,
  AppendResult,
  DatabaseStats,
  Engine,
  Key,
  Operation,
  Readiness,
  ReadOptions,
  ReadTopicOptions,
  RowsQuery,
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
import { type BackfillContext, fillAndJoin } from "./backfill.ts";
import {
  CATALOG_SCHEMA,
  CATALOG_TOPIC,
  type CatalogEntry,
  type CatalogEvent,
  EngineCatalog,
  entryFromJson,
  eventFromJson,
  eventToJson,
  type TopicEntry,
  type ViewEntry,
} from "./catalog.ts";
import {
  Checkpointer,
  type Manifest,
  readManifest,
  restoreDictionary,
  restoreStores,
} from "./checkpointing.ts";
import { Committer, type Part } from "./committer.ts";
import { declareApp } from "./declare.ts";
import { fingerprintOf, planView } from "./planner.ts";
import { Publisher } from "./publisher.ts";
import { addReads, type Reads, wantsOf } from "./reads.ts";
import { readRecords } from "./records.ts";
import { Statements } from "./statements.ts";
import { nextTurn, Stepper } from "./stepper.ts";

export interface OpenEngineOptions {
  /** Where the log and everything derived from it lies. */
  readonly directory: string;
  /** Topics and views declared in TypeScript; made if they are not there, rebuilt if their definition has changed. */
  readonly topics?: readonly AnyTopic[] | undefined;
  readonly views?: readonly AnyView[] | undefined;
  readonly disk?: Disk | undefined;
  readonly clock?: Clock | undefined;
  /** Milliseconds between checkpoints while there is something new; 0 turns them off (one is still taken on close). Default 5,000. */
  readonly checkpointIntervalMs?: number | undefined;
  /** Told what recovery found, what a checkpoint could not be used for, what failed in the background. */
  readonly report?: ((message: string) => void) | undefined;
  /** Called when the disk has failed: nothing more will be acknowledged, the process should end. */
  readonly onFatal?: ((error: EvertError) => void) | undefined;
}

/** A view as the engine runs it. */
export interface LiveView {
  readonly entry: ViewEntry;
  query: Query | null;
  node: ViewNode | null;
  view: View | null;
  /** First epoch and position at which it may be read. */
  readableFrom: number;
  build: {
    readonly build: Build | null;
    progress: number;
    readonly abort: AbortController;
    done: Promise<void>;
  } | null;
  /** Why it cannot be kept up to date at all. */
  error: EvertError | null;
}

const DEFAULT_TIMEOUT_MS = 10_000;

export class Database implements Engine {
  readonly log: Log;
  readonly catalog: EngineCatalog;
  readonly dictionary: Dictionary;
  readonly circuit: Circuit;
  readonly stepper: Stepper;
  readonly committer: Committer;
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;
  readonly live = new Map<number, LiveView>();
  readonly clock: Clock;
  readonly #handles = new Map<string, AnyView>();
  readonly #tables: Map<number, Store>;
  readonly #checkpointer: Checkpointer;
  readonly #report: (message: string) => void;
  readonly #statements: Statements;
  #checkpointTimer: NodeJS.Timeout | null = null;
  #ready = false;
  #replayFrom = 0;
  #replayTo = 0;
  #closing: Promise<void> | null = null;
  #commits = 0;
  #records = 0;
  #steps = 0;
  #stepMs = 0;
  /** What the live views read of streams. */
  #reads: Reads = new Map();
  readonly #buildReads = new WeakMap<Build, Reads>();
  #durableWaiters: { position: number; resolve: () => void; reject: (e: EvertError) => void }[] = [];
  #failure: EvertError | null = null;

  /** Use openEngine. */
  constructor(parts: {
    log: Log;
    catalog: EngineCatalog;
    dictionary: Dictionary;
    circuit: Circuit;
    clock: Clock;
    disk: Disk;
    directory: string;
    handles: ReadonlyMap<string, AnyView>;
    live: ReadonlyMap<number, LiveView>;
    tables: Map<number, Store>;
    start: { epoch: number; position: number };
    checkpoint: { readonly manifest: Manifest; readonly restored: boolean } | null;
    report: (message: string) => void;
    onFatal: (error: EvertError) => void;
  }) {
    this.log = parts.log;
    this.catalog = parts.catalog;
    this.dictionary = parts.dictionary;
    this.circuit = parts.circuit;
    this.clock = parts.clock;
    this.#report = parts.report;
    for (const [name, handle] of parts.handles) this.#handles.set(name, handle);
    for (const [id, live] of parts.live) this.live.set(id, live);
    this.#tables = parts.tables;
    this.publisher = new Publisher(parts.start, (step) => {
      this.subscriptions.publish(step);
      this.circuit.vacuum(step.epoch);
    });
    this.subscriptions = new Subscriptions({
      now: () => performance.now(),
      published: () => this.publisher.published,
      resolve: (name) => {
        const live = this.#liveView(name);
        const view = this.#readable(live);
        return { view, error: () => this.#viewError(live) };
      },
    });
    this.stepper = new Stepper(this.circuit, this.catalog, this.dictionary, parts.start, {
      // A table keeps all its columns; of a stream, only what views read is decoded.
      wants: (entry) => (entry.topicKind === "table" ? () => true : wantsOf(this.#reads, entry.id)),
      onCatalog: (batch) => this.#applyCatalog(batch),
      onStepped: (epoch, position, rows, ms) => this.#stepped(epoch, position, rows, ms),
      onBroken: (error) => this.#broken(toEvertError(error), parts.onFatal),
    });
    this.committer = new Committer(this.log, this.stepper);
    this.#checkpointer = new Checkpointer(
      parts.disk,
      checkpointDirectory(parts.directory),
      {
        dictionary: this.dictionary,
        stores: () => this.circuit.stores(),
        atBoundary: (run) => this.stepper.atBoundary(run),
        current: () => ({ epoch: this.stepper.epoch, position: this.stepper.position }),
        durable: (position) => this.durable(position),
        describe: () => ({ catalog: this.catalog.toJSON(), views: this.#fingerprints() }),
      },
      parts.checkpoint,
    );
    this.#statements = new Statements(this);
    this.log.onSealed((group) => {
      this.#commits += group.commits.length;
      this.stepper.enqueue(group);
    });
    this.log.onDurable((position) => {
      this.publisher.durable(position);
      this.#durableAdvanced(position);
    });
    this.log.onFailed((error) => this.#broken(toEvertError(error), parts.onFatal));
  }

  /** The way from the checkpoint to now: replays the log, then starts the builds of what the checkpoint did not hold. */
  async start(
    app: { topics: readonly AnyTopic[]; views: readonly AnyView[] },
    checkpointIntervalMs: number,
  ): Promise<void> {
    this.#replayFrom = this.stepper.position;
    this.#replayTo = this.log.durablePosition;
    this.publisher.durable(this.log.durablePosition);
    if (this.#replayTo > this.#replayFrom) {
      for await (const group of this.log.read({
        from: this.#replayFrom + 1,
        to: this.#replayTo,
        everyGroup: true,
      })) {
        const room = this.stepper.room();
        if (room !== null) await room;
        this.stepper.enqueue(group);
      }
      await this.stepper.atBoundary(() => {});
    }
    for (const live of this.live.values())
      if (live.node === null && live.error === null) this.startBuild(live);
    this.#ready = true;
    await declareApp(this, app.topics, app.views);
    if (checkpointIntervalMs > 0) {
      this.#checkpointTimer = setInterval(() => {
        if (this.#checkpointer.busy) return;
        this.#checkpointer.take().catch((error: unknown) => {
          if (this.#closing === null) this.#report(`a checkpoint failed: ${toEvertError(error).message}`);
        });
      }, checkpointIntervalMs);
      this.#checkpointTimer.unref();
    }
  }

  // ---- reading --------------------------------------------------------------------------------------------------------

  get position(): string {
    return String(this.publisher.published.position);
  }

  readiness(): Readiness {
    const behind = this.#replayTo - this.#replayFrom;
    const progress = behind <= 0 ? 1 : Math.min(1, (this.stepper.position - this.#replayFrom) / behind);
    return {
      ready: this.#ready && this.#failure === null,
      progress: this.#ready ? 1 : progress,
      position: this.position,
    };
  }

  stats(): DatabaseStats {
    const { segments, bytes } = this.log.stats();
    let stateBytes = this.dictionary.bytes;
    for (const { store } of this.circuit.stores()) stateBytes += store.bytes;
    return {
      position: this.position,
      logBytes: bytes,
      segments,
      commits: this.#commits,
      records: this.#records,
      steps: this.#steps,
      stepSeconds: this.#stepMs / 1000,
      stateBytes,
      dictionaryBytes: this.dictionary.bytes,
      subscribers: this.subscriptions.size,
      checkpointPosition: String(this.#checkpointer.position),
      longestPauseMs: this.stepper.longestPauseMs,
    };
  }

  topics(): TopicInfo[] {
    return this.catalog.topics().map((entry) => this.#topicInfo(entry));
  }

  topic(name: string): TopicInfo {
    return this.#topicInfo(this.catalog.topic(name));
  }

  views(): ViewInfo[] {
    return this.catalog
      .views()
      .filter((entry) => entry.materialized)
      .map((entry) => this.#viewInfo(this.live.get(entry.id) as LiveView));
  }

  view(name: string): ViewReader {
    const live = this.#liveView(name);
    const self = this;
    return {
      get info() {
        return self.#viewInfo(live);
      },
      async get(key: Key, options?: ReadOptions) {
        const { view, slot, position } = await self.#lookup(name, key, options);
        return { row: slot < 0 ? undefined : view.encoder.row(slot), position };
      },
      async getJson(key: Key, options?: ReadOptions) {
        const { view, slot, position } = await self.#lookup(name, key, options);
        return { rowJson: slot < 0 ? undefined : view.encoder.rowJson(slot), position };
      },
      async rows(query: RowsQuery = {}) {
        const rows: Record<string, unknown>[] = [];
        const position = await self.#scan(name, query, (view, slot) => rows.push(view.encoder.row(slot)));
        return { rows, position };
      },
      async rowsJson(query: RowsQuery = {}) {
        const rowsJson: string[] = [];
        const position = await self.#scan(name, query, (view, slot) =>
          rowsJson.push(view.encoder.rowJson(slot)),
        );
        return { rowsJson, position };
      },
    };
  }

  async #lookup(
    name: string,
    key: Key,
    options: ReadOptions = {},
  ): Promise<{ view: View; slot: number; position: string }> {
    await this.reached(options);
    const live = this.#liveView(name);
    const view = this.#readable(live);
    this.#throwViewError(live);
    const { epoch, position } = this.publisher.published;
    return { view, slot: view.find(key, epoch), position: String(position) };
  }

  async #scan(name: string, query: RowsQuery, emit: (view: View, slot: number) => void): Promise<string> {
    await this.reached(query);
    const live = this.#liveView(name);
    const view = this.#readable(live);
    this.#throwViewError(live);
    const { epoch, position } = this.publisher.published;
    await view.scan(epoch, query, (slot) => emit(view, slot));
    return String(position);
  }

  /** Waits until reads reflect options.atLeast. */
  async reached(options: ReadOptions): Promise<void> {
    if (options.atLeast === undefined) return;
    const wanted = Number(options.atLeast);
    if (!/^\d{1,15}$/.test(options.atLeast)) {
      throw new EvertError("invalid_request", `"${options.atLeast}" is not a position`, {
        hint: "Give a position as an earlier answer gave it.",
      });
    }
    await this.publisher.waitFor(wanted, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  }

  subscribe(
    targets: readonly SubscribeTarget[],
    options: SubscribeOptions = {},
  ): AsyncIterable<SubscriptionEvent> {
    const asked = targets.map((t) => ({ ...t, from: t.from == null ? t.from : Number(t.from) }));
    return this.subscriptions.subscribe(asked, {
      from: options.from === undefined ? undefined : Number(options.from),
      signal: options.signal,
    });
  }

  readTopic(name: string, options: ReadTopicOptions = {}): AsyncIterable<TopicRecord> {
    return readRecords(this.log, this.catalog.topic(name), options);
  }

  // ---- writing --------------------------------------------------------------------------------------------------------

  async append(topic: string, rows: readonly unknown[], options?: AppendOptions): Promise<AppendResult> {
    return this.#append({ topic: this.catalog.topic(topic), op: "upsert", rows, path: "records" }, options);
  }

  async appendBatch(topic: string, batch: Batch, options?: AppendOptions): Promise<AppendResult> {
    return this.#append({ topic: this.catalog.topic(topic), op: "batch", batch, ops: null }, options);
  }

  async #append(part: Part, options: AppendOptions | undefined): Promise<AppendResult> {
    const receipt = await this.committer.commit([part], options);
    const range = receipt.ranges.find((r) => r.topicId === part.topic.id);
    const firstOffset = range?.firstOffset ?? this.log.topicEnd(part.topic.id);
    const lastOffset = range?.lastOffset ?? firstOffset - 1;
    return {
      position: String(receipt.position),
      count: lastOffset - firstOffset + 1,
      firstOffset,
      lastOffset,
    };
  }

  async deleteKey(topic: string, key: Key, options?: AppendOptions): Promise<{ position: string }> {
    const receipt = await this.committer.commit([this.#deletePart(topic, [key], "key")], options);
    return { position: String(receipt.position) };
  }

  async transact(operations: readonly Operation[], options?: AppendOptions): Promise<{ position: string }> {
    const parts = operations.map((operation, i): Part => {
      const path = `operations[${i}]`;
      if ("delete" in operation) return this.#deletePart(operation.topic, operation.delete, `${path}.delete`);
      const topic = this.catalog.topic(operation.topic);
      return "append" in operation
        ? { topic, op: "upsert", rows: operation.append, path: `${path}.append` }
        : { topic, op: "upsert", rows: operation.upsert, path: `${path}.upsert` };
    });
    const receipt = await this.committer.commit(parts, options);
    return { position: String(receipt.position) };
  }

  #deletePart(name: string, keys: readonly Key[], path: string): Part {
    const topic = this.catalog.topic(name);
    if (topic.topicKind === "stream") {
      throw new EvertError("wrong_object_type", `"${name}" is a stream: its records are kept`, {
        hint: "Append an event that says what happened instead.",
      });
    }
    const names = (topic.key as readonly number[]).map((c) => topic.schema.fields[c]!.name);
    const rows = keys.map((key) => {
      if (key !== null && typeof key === "object" && !Array.isArray(key)) return key;
      const values = names.length === 1 ? [key] : Array.isArray(key) ? key : [key];
      if (values.length !== names.length) {
        throw new EvertError("invalid_request", `the key of "${name}" is (${names.join(", ")})`);
      }
      return Object.fromEntries(names.map((n, i) => [n, values[i]]));
    });
    return { topic, op: "delete", rows, path };
  }

  sql(text: string, options: SqlOptions = {}): Promise<SqlResponse> {
    return this.#statements.run(text, options);
  }

  // ---- catalog ----------------------------------------------------------------------------------------------------------

  /** Commits catalog events and waits until they are applied; they stand in a group of their own. */
  async define(events: readonly CatalogEvent[]): Promise<string> {
    this.log.seal();
    const room = this.log.room(4096 * events.length);
    if (room !== null) await room;
    this.log.seal();
    const draft = this.log.begin();
    for (const event of events) draft.appendRow(CATALOG_TOPIC, { definition: eventToJson(event) });
    const receipt = draft.commit();
    this.log.seal();
    await receipt.durable;
    await this.stepper.atBoundary(() => {});
    await this.publisher.waitFor(receipt.position, DEFAULT_TIMEOUT_MS);
    return String(receipt.position);
  }

  async dropView(name: string): Promise<{ position: string }> {
    const entry = this.catalog.view(name);
    const users = this.dependents(entry.id);
    if (users.length > 0) {
      throw new EvertError("dependent_objects", `cannot drop view "${name}": others depend on it`, {
        detail: users.map((u) => `view "${u.name}" depends on view "${name}"`).join("\n"),
        hint: "Drop them first.",
      });
    }
    return { position: await this.define([{ event: "drop", id: entry.id }]) };
  }

  /** Resolves when the view can be read, with a position that reflects it. @throws EvertError why it could not be built. */
  async whenBuilt(id: number): Promise<string> {
    const live = this.live.get(id);
    await live?.build?.done;
    if (live?.error != null) throw live.error;
    return this.position;
  }

  /** @throws EvertError when a view that the query reads has no rows to show. */
  checkReadable(query: Query): void {
    for (const id of sourceIds(query)) {
      const live = this.live.get(id);
      if (live === undefined) continue;
      this.#readable(live);
      this.#throwViewError(live);
    }
  }

  /** Views whose plan reads the relation. */
  dependents(id: number): ViewEntry[] {
    return [...this.live.values()]
      .filter((l) => l.query !== null && sourceIds(l.query).has(id))
      .map((l) => l.entry);
  }

  #applyCatalog(batch: TopicBatch): void {
    const column = batch.batch.columns[0] as Utf8Column;
    const decoder = new TextDecoder();
    for (let row = 0; row < batch.batch.length; row++) {
      const json = decoder.decode(column.data.subarray(column.offsets[row], column.offsets[row + 1]));
      const event = eventFromJson(JSON.parse(json));
      // A replay meets what the catalog already holds.
      if (event.event === "create" && this.catalog.byId(event.entry.id) !== undefined) continue;
      if (event.event === "drop" && this.catalog.byId(event.id) === undefined) continue;
      this.#apply(event);
    }
  }

  #apply(event: CatalogEvent): void {
    if (event.event === "create") {
      this.catalog.apply(event);
      const { entry } = event;
      if (entry.kind === "topic") addTopic(this.log, this.circuit, this.#tables, entry);
      else this.#addView(entry);
      return;
    }
    const gone = this.catalog.byId(event.id);
    if (gone?.kind === "topic") {
      this.catalog.apply(event);
      this.#tables.delete(gone.id);
      this.circuit.removeSource(gone.id);
      return;
    }
    const live = this.live.get(event.id);
    this.catalog.apply(event);
    if (live === undefined) return;
    this.live.delete(event.id);
    live.build?.abort.abort();
    if (live.view !== null) this.subscriptions.replaced(live.view);
    if (live.node !== null) this.circuit.removeView(event.id);
  }

  #addView(entry: ViewEntry): void {
    const live = newLiveView(entry);
    this.live.set(entry.id, live);
    planLive(live, this.catalog, this.#handles);
    if (live.error === null && entry.materialized) this.startBuild(live);
  }

  registerHandle(handle: AnyView): void {
    this.#handles.set(handle.name, handle);
  }

  handle(name: string): AnyView | undefined {
    return this.#handles.get(name);
  }

  /** Plans again what could not be planned for want of its code. */
  replan(live: LiveView): void {
    planLive(live, this.catalog, this.#handles);
    if (live.error === null && live.node === null && live.build === null) this.startBuild(live);
  }

  startBuild(live: LiveView): void {
    const abort = new AbortController();
    const state = { build: null as Build | null, progress: 0, abort, done: Promise.resolve() };
    live.build = state;
    state.done = this.#build(live, state).catch((thrown: unknown) => {
      if (abort.signal.aborted) return;
      live.error = toEvertError(thrown);
      this.#report(`view "${live.entry.name}" could not be built: ${live.error.message}`);
    });
  }

  async #build(
    live: LiveView,
    state: { build: Build | null; progress: number; abort: AbortController },
  ): Promise<void> {
    const { entry } = live;
    const query = live.query as Query;
    // A view over views waits for theirs.
    for (const id of sourceIds(query)) {
      const below = this.live.get(id);
      if (below?.build != null) await below.build.done;
      if (below !== undefined && below.node === null) {
        throw new EvertError("view_failed", `view "${below.entry.name}", which it reads, has no rows`, {
          cause: below.error,
        });
      }
    }
    let build: Build | null = null;
    await this.stepper.atBoundary(() => {
      build = this.circuit.build(entry.id, entry.name, query.plan, { onError: entry.onError });
    });
    state.build = build as unknown as Build;
    this.noteReads(state.build, query.plan);
    try {
      await fillAndJoin(
        this.backfill,
        state.build,
        (node, epoch) => {
          this.attach(live, node);
          live.readableFrom = epoch;
        },
        state.abort.signal,
        (fraction) => {
          state.progress = fraction;
        },
      );
      // An empty step publishes the epoch it joined at, however quiet the log is.
      await this.stepper.kick();
      live.build = null;
    } catch (error) {
      state.build.cancel();
      throw error;
    }
  }

  attach(live: LiveView, node: ViewNode): void {
    const query = live.query as Query;
    live.node = node;
    addReads(query.plan, this.#reads);
    live.view = new View({
      name: live.entry.name,
      store: node.store,
      fields: query.plan.schema.fields.slice(0, query.visible),
      keyColumns: shownKey(node.keyColumns, query.visible),
      order: query.order,
    });
  }

  get backfill(): BackfillContext {
    return {
      log: this.log,
      catalog: this.catalog,
      dictionary: this.dictionary,
      durable: (position) => this.durable(position),
      current: () => ({ epoch: this.stepper.epoch, position: this.stepper.position }),
      atBoundary: (run) => this.stepper.atBoundary(run),
      wants: (id, build) =>
        build.tables.includes(id) ? () => true : wantsOf(this.#buildReads.get(build) as Reads, id),
    };
  }

  /** Remembers which columns a build is to be fed. */
  noteReads(build: Build, plan: Plan): void {
    const reads: Reads = new Map();
    addReads(plan, reads);
    this.#buildReads.set(build, reads);
  }

  // ---- inside ------------------------------------------------------------------------------------------------------------

  #stepped(epoch: number, position: number, rows: number, ms: number): void {
    this.#steps++;
    this.#stepMs += ms;
    this.#records += rows;
    const touched = new Map<View, Touched>();
    for (const { view } of this.live.values()) {
      // Also of views nobody watches: someone may begin to before this step is published.
      if (view === null) continue;
      const t = takeTouched(view.store);
      if (t !== null) touched.set(view, t);
    }
    this.publisher.stepped(epoch, position, touched);
  }

  durable(position: number): Promise<void> {
    if (this.log.durablePosition >= position) return Promise.resolve();
    if (this.#failure !== null) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => this.#durableWaiters.push({ position, resolve, reject }));
  }

  #durableAdvanced(position: number): void {
    if (this.#durableWaiters.length === 0) return;
    const ready = this.#durableWaiters.filter((w) => w.position <= position);
    this.#durableWaiters = this.#durableWaiters.filter((w) => w.position > position);
    for (const w of ready) w.resolve();
  }

  #broken(error: EvertError, onFatal: (error: EvertError) => void): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.committer.close(error);
    this.publisher.fail(error);
    for (const w of this.#durableWaiters) w.reject(error);
    this.#durableWaiters = [];
    onFatal(error);
  }

  #liveView(name: string): LiveView {
    const entry = this.catalog.view(name);
    const live = this.live.get(entry.id);
    if (live === undefined || !entry.materialized) {
      throw new EvertError("wrong_object_type", `view "${name}" is not materialized`, {
        hint: "Query it with SQL, or create it as a materialized view.",
      });
    }
    return live;
  }

  #readable(live: LiveView): View {
    if (live.error !== null) throw live.error;
    if (live.view === null || live.readableFrom > this.publisher.published.epoch) {
      const percent = Math.floor((live.build?.progress ?? 1) * 100);
      throw new EvertError("not_ready", `view "${live.entry.name}" is being built`, {
        detail: `${percent} % of its history has been read.`,
        hint: "Ask again in a moment.",
      });
    }
    return live.view;
  }

  #viewError(live: LiveView): EvertError | null {
    return (
      live.error ??
      live.node?.failed ??
      (live.entry.onError === "skip" ? null : (live.node?.firstError() ?? null))
    );
  }

  /** Why reads of the view fail, or null. */
  viewFailure(name: string): EvertError | null {
    return this.#viewError(this.#liveView(name));
  }

  #throwViewError(live: LiveView): void {
    const error = this.#viewError(live);
    if (error !== null) throw error;
  }

  /** A table's rows; null for a stream. */
  tableStore(id: number): Store | null {
    return this.#tables.get(id) ?? null;
  }

  #topicInfo(entry: TopicEntry): TopicInfo {
    const records = this.log.topicEnd(entry.id);
    const store = this.tableStore(entry.id);
    const relation = this.catalog.relation(entry.name)!;
    return {
      name: entry.name,
      kind: entry.topicKind,
      schema: relation.schema,
      key: relation.key === null ? null : relation.key.map((c) => relation.schema.fields[c]!.name),
      records,
      rows: store === null ? records : store.live,
      stateBytes: store?.bytes ?? 0,
    };
  }

  #viewInfo(live: LiveView): ViewInfo {
    const { entry, node, view, query } = live;
    const error = this.#viewError(live);
    const published = this.publisher.published;
    const status = live.build !== null ? "building" : error !== null ? "failed" : "live";
    const fields = view?.fields ?? query?.plan.schema.fields.slice(0, query.visible) ?? [];
    const info = {
      name: entry.name,
      status: status as ViewInfo["status"],
      schema: { fields },
      key: view?.keyColumns?.map((c) => view.fields[c]!.name) ?? null,
      order: query?.order ?? [],
      rows: node?.store.live ?? 0,
      stateBytes: node === null ? 0 : node.store.bytes,
      position: String(published.position),
      lag: this.log.lastPosition - published.position,
      progress: live.build?.progress ?? 1,
      errors: entry.onError === "skip" ? 0 : (node?.errorCount ?? 0),
      skipped: entry.onError === "skip" ? (node?.errorCount ?? 0) : 0,
      definition: entry.sql ?? "TypeScript",
    };
    return error === null ? info : { ...info, error: error.toJSON() as ErrorBody };
  }

  #fingerprints(): Record<string, string> {
    const views: Record<string, string> = {};
    for (const live of this.live.values())
      if (live.node !== null) views[live.entry.id] = live.entry.fingerprint;
    return views;
  }

  // ---- ending --------------------------------------------------------------------------------------------------------------

  async settled(): Promise<void> {
    this.log.seal();
    await this.publisher.waitFor(this.log.lastPosition, 600_000);
  }

  /** Resolves when no view is being built. */
  async built(): Promise<void> {
    for (;;) {
      const building = [...this.live.values()].find((l) => l.build !== null && l.error === null);
      if (building?.build == null) return;
      await building.build.done;
      await nextTurn();
    }
  }

  async checkpoint(): Promise<void> {
    await this.#checkpointer.take();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#checkpointTimer !== null) clearInterval(this.#checkpointTimer);
    const gone = new EvertError("shutting_down", "the database is being closed");
    this.committer.close(gone);
    for (const live of this.live.values()) live.build?.abort.abort();
    await Promise.all([...this.live.values()].map((l) => l.build?.done));
    try {
      if (this.#failure === null) {
        await this.settled();
        await this.#checkpointer.take();
      }
    } finally {
      this.subscriptions.closeAll(gone);
      await this.#checkpointer.close();
      await this.log.close();
    }
  }
}

/** Opens the directory, recovers, restores and replays; resolves when every view not in need of a rebuild is current. */
export async function openEngine(options: OpenEngineOptions): Promise<Database> {
  const disk = options.disk ?? nodeDisk;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? (() => {});
  await loadParser();
  const log = await openLog({ directory: options.directory, disk, clock });
  try {
    return await openOn(log, disk, clock, report, options);
  } catch (error) {
    await log.close();
    throw error;
  }
}

async function openOn(
  log: Awaited<ReturnType<typeof openLog>>,
  disk: Disk,
  clock: Clock,
  report: (message: string) => void,
  options: OpenEngineOptions,
): Promise<Database> {
  log.registerTopic({ topicId: CATALOG_TOPIC, schemaVersion: 1, schema: CATALOG_SCHEMA });
  const directory = checkpointDirectory(options.directory);
  const found = await readManifest(disk, directory);
  let manifest = found.manifest;
  if (manifest !== null && manifest.position > log.durablePosition) {
    report("the checkpoint is ahead of the log and is not used");
    manifest = null;
  }
  const handles = new Map((options.views ?? []).map((v) => [v.name, v]));
  for (;;) {
    const dictionary = new Dictionary();
    const catalog = await readCatalog(log, manifest);
    const circuit = new Circuit({ dictionary });
    const live = new Map<number, LiveView>();
    const tables = new Map<number, Store>();
    try {
      if (manifest !== null) await restoreDictionary(disk, directory, manifest, dictionary);
      for (const entry of catalog.topics()) addTopic(log, circuit, tables, entry);
      const nodes: { live: LiveView; node: ViewNode }[] = [];
      for (const entry of catalog.views()) {
        const view = newLiveView(entry);
        live.set(entry.id, view);
        planLive(view, catalog, handles);
        if (view.error !== null || !entry.materialized) continue;
        const kept = manifest === null || manifest.views[entry.id] === entry.fingerprint;
        const below = [...sourceIds(view.query as Query)].every(
          (id) => live.get(id) === undefined || live.get(id)?.node !== null,
        );
        if (!kept || !below) continue;
        const node = circuit.addView(entry.id, entry.name, (view.query as Query).plan, {
          onError: entry.onError,
        });
        view.node = node;
        nodes.push({ live: view, node });
      }
      if (manifest !== null) {
        await restoreStores(disk, directory, manifest, circuit.stores(), 1);
        circuit.restored(1);
        dictionary.collect();
      }
      const database = new Database({
        log,
        catalog,
        dictionary,
        circuit,
        clock,
        disk,
        directory: options.directory,
        handles,
        live,
        tables,
        start: { epoch: manifest === null ? 0 : 1, position: manifest?.position ?? 0 },
        checkpoint:
          manifest !== null
            ? { manifest, restored: true }
            : found.manifest === null
              ? null
              : { manifest: found.manifest, restored: false },
        report,
        onFatal: options.onFatal ?? (() => {}),
      });
      for (const { live: view, node } of nodes) database.attach(view, node);
      await database.start(
        { topics: options.topics ?? [], views: options.views ?? [] },
        options.checkpointIntervalMs ?? 5000,
      );
      return database;
    } catch (error) {
      const failure = toEvertError(error);
      if (manifest === null || failure.code !== "log_damaged") throw error;
      report(`the checkpoint is not used: ${failure.message}; everything is rebuilt from the log`);
      manifest = null;
    }
  }
}

async function readCatalog(log: Log, manifest: Manifest | null): Promise<EngineCatalog> {
  const catalog = new EngineCatalog();
  if (manifest !== null) {
    for (const json of manifest.catalog as unknown[]) {
      const entry: CatalogEntry = entryFromJson(json);
      catalog.apply({ event: "create", entry });
    }
  }
  const from = (manifest?.position ?? 0) + 1;
  for await (const group of log.read({ from, topics: new Set([CATALOG_TOPIC]) })) {
    for (const batch of group.batches) {
      const column = batch.batch.columns[0] as Utf8Column;
      for (let row = 0; row < batch.batch.length; row++) {
        const bytes = column.data.subarray(column.offsets[row], column.offsets[row + 1]);
        catalog.apply(eventFromJson(JSON.parse(new TextDecoder().decode(bytes))));
      }
    }
  }
  return catalog;
}

function addTopic(log: Log, circuit: Circuit, tables: Map<number, Store>, entry: TopicEntry): void {
  log.registerTopic({
    topicId: entry.id,
    schemaVersion: entry.schemaVersion,
    schema: entry.schema,
    ...(entry.key === null ? {} : { keyColumns: entry.key }),
  });
  if (entry.topicKind === "stream") circuit.addStream(entry.id, entry.name, entry.schema);
  else
    tables.set(
      entry.id,
      circuit.addTable(entry.id, entry.name, entry.schema, entry.key as readonly number[]).store,
    );
}

function newLiveView(entry: ViewEntry): LiveView {
  return { entry, query: null, node: null, view: null, readableFrom: 0, build: null, error: null };
}

/** Plans the view and tells the catalog what it looks like; keeps the error when it cannot be planned. */
function planLive(live: LiveView, catalog: EngineCatalog, handles: ReadonlyMap<string, AnyView>): void {
  const { entry } = live;
  // A plain view has no rows of its own: its text is written out where it is named.
  if (!entry.materialized) return;
  try {
    const query = planView(entry, catalog, handles);
    if (fingerprintOf(query, entry) !== entry.fingerprint) {
      throw new EvertError("view_failed", `view "${entry.name}" was made by other code`, {
        hint: "Start with the app that defines it, or drop it.",
      });
    }
    live.query = query;
    live.error = null;
    catalog.describeView(entry.id, {
      schema: { fields: query.plan.schema.fields.slice(0, query.visible) },
      key: shownKey(query.plan.key, query.visible),
      // Without a key equal rows are one with a weight: one more of them takes the old version away.
      appendOnly: query.plan.appendOnly && query.plan.key !== null,
      order: query.order,
    });
  } catch (thrown) {
    live.error = toEvertError(thrown);
  }
}

/** A key that lies within the visible columns, or none. */
function shownKey(key: readonly number[] | null, visible: number): readonly number[] | null {
  return key !== null && key.every((c) => c < visible) ? key : null;
}

/** Relations the query reads. */
function sourceIds(query: Query): Set<number> {
  const ids = new Set<number>();
  const visit = (value: unknown): void => {
    if (value === null || typeof value !== "object") return;
    const node = value as { kind?: string; id?: number };
    if (node.kind === "source" && typeof node.id === "number") ids.add(node.id);
    for (const name of ["input", "left", "right"] as const) visit((value as Record<string, unknown>)[name]);
    const { inputs } = value as { inputs?: readonly unknown[] };
    inputs?.forEach(visit);
  };
  visit(query.plan);
  return ids;
}

function checkpointDirectory(directory: string): string {
  return joinPath(directory, "checkpoint");
}
