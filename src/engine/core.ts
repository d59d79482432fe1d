/**
 * The engine's parts, put together: committer -> log -> stepper -> publisher -> views and subscriptions. What statements, declarations and
 * queries work on; database.ts puts the public face on it.
 */
import { assert } from "../base/assert.ts";
import { Chores } from "../base/chores.ts";
import type { Clock } from "../base/clock.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { positionOf } from "../base/position.ts";
import type { Slices } from "../base/slices.ts";
import { Circuit, type CircuitLimits } from "../dataflow/circuit.ts";
import type { EvaluationContext } from "../dataflow/kernels/evaluate.ts";
import { Guard } from "../dataflow/kernels/guard.ts";
import type { AnyTopic, AnyView } from "../face/handles.ts";
import type { CommitReceipt, Log, ReadOptions as LogReadOptions, TopicBatch } from "../log/log.ts";
import type { RunFiles } from "../state/cold/run-files.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";
import { Subscriptions } from "../views/subscriptions.ts";
import type { ReadOptions } from "./api.ts";
import type { BackfillContext } from "./builds/backfill.ts";
import type { EngineCatalog, TopicEntry } from "./catalog/catalog.ts";
import { type CatalogEvent, eventToJson } from "./catalog/catalog-events.ts";
import { Definitions } from "./catalog/definitions.ts";
import { CATALOG_ENTRY, TICK_ENTRY } from "./catalog/hidden-topics.ts";
import type { CatchUp } from "./catch-up.ts";
import type { StoreHandle } from "./checkpoint/checkpointing.ts";
import { columnsAt, placedBatch, placedOf, rangesAt } from "./evolution/evolved.ts";
import { EvolvingTables } from "./evolution/evolving-tables.ts";
import { completedAnew } from "./evolution/fallbacks.ts";
import { upToDate } from "./evolution/outdated.ts";
import { Indexes } from "./indexes.ts";
import { LiveViews } from "./live/live-views.ts";
import { DEFAULT_TIMEOUT_MS } from "./moments.ts";
import { Consumers } from "./own/consumers.ts";
import { firstEpochOf } from "./own/leaders-epochs.ts";
import { CONSUMERS_ENTRY, PRODUCERS_ENTRY, refuseOwnTable, SCHEMAS_ENTRY } from "./own/own-tables.ts";
import { Producers } from "./own/producers.ts";
import { together } from "./own/rider.ts";
import { Schemas } from "./own/schemas.ts";
import { Publisher } from "./publisher.ts";
import { ReadTurns } from "./queries/read-turns.ts";
import { epochOf } from "./replica/epochs.ts";
import { Sinks } from "./sinks.ts";
import { StepPositions } from "./step-positions.ts";
import { Stepper, type StepperHooks } from "./stepper.ts";
import { Tables } from "./tables.ts";
import { Ticker } from "./ticker.ts";
import type { Workers } from "./workers/workers.ts";
import { CommitRoom } from "./write/commit-room.ts";
import { Committer } from "./write/committer.ts";
import { Constraints } from "./write/constraints.ts";
import { DurableWaiters } from "./write/durable-waiters.ts";
import { LongWait } from "./write/long-wait.ts";
import { refusePart } from "./write/part-guard.ts";
import { PlainTopics } from "./write/plain-topics.ts";

export interface CoreParts {
  readonly log: Log;
  readonly catalog: EngineCatalog;
  readonly dictionary: Dictionary;
  readonly clock: Clock;
  readonly slices: Slices;
  readonly limits: CircuitLimits;
  /** Where rows go near the memory limit, and from which share of it on (dataflow/cooling.ts). */
  readonly runFiles: RunFiles;
  readonly warm?: number | undefined;
  /** null: all is done in this thread. */
  readonly workers: Workers | null;
  readonly handles: ReadonlyMap<string, AnyView>;
  readonly report: (message: string) => void;
  readonly onFatal: (error: EvertError) => void;
}

export interface Counters {
  commits: number;
  records: number;
  steps: number;
  stepMs: number;
}

export class Core {
  readonly log: Log;
  readonly catalog: EngineCatalog;
  readonly dictionary: Dictionary;
  readonly clock: Clock;
  readonly slices: Slices;
  readonly workers: Workers | null;
  readonly circuit: Circuit;
  readonly runFiles: RunFiles;
  /** For what statements compute without the circuit. */
  readonly evaluation: EvaluationContext;
  readonly views: LiveViews;
  readonly stepper: Stepper;
  readonly committer: Committer;
  readonly constraints: Constraints;
  readonly tables: Tables;
  readonly durability: DurableWaiters;
  readonly indexes: Indexes;
  readonly publisher: Publisher;
  readonly subscriptions: Subscriptions;
  readonly ticker: Ticker;
  readonly sinks: Sinks;
  readonly producers: Producers;
  readonly consumers: Consumers;
  readonly schemas: Schemas;
  readonly plainTopics: PlainTopics;
  readonly stepPositions: StepPositions = new StepPositions();
  /** Changes of topics' columns, as they are applied. */
  readonly evolution: EvolvingTables = new EvolvingTables(this);
  readonly #definitions = new Definitions(this);
  readonly #readTurns: ReadTurns;
  /** Work that can wait: commits under way go before it. */
  readonly chores: Chores;
  readonly counters: Counters = { commits: 0, records: 0, steps: 0, stepMs: 0 };
  readonly #offs: readonly (() => void)[];
  readonly #onFatal: (error: EvertError) => void;
  #failure: EvertError | null = null;
  #ended: EvertError | null = null;
  /** The replay of a start, until it is at the end of the log. */
  catchUp: CatchUp | null = null;
  /** While the log is replayed the catalog is already what it will be at the end. */
  #replaying = true;

  /** Everything is empty, at epoch 0 and position 0; see startAt(). */
  constructor(parts: CoreParts) {
    this.log = parts.log;
    this.catalog = parts.catalog;
    this.plainTopics = new PlainTopics(parts.catalog);
    this.dictionary = parts.dictionary;
    this.clock = parts.clock;
    this.slices = parts.slices;
    this.#readTurns = new ReadTurns(parts.slices);
    this.chores = new Chores(() => {
      if (this.stepper.isStepping) return "step";
      return this.log.lastPosition > this.publisher.published.position ? "commit" : "nobody";
    }, parts.slices);
    this.workers = parts.workers;
    this.#onFatal = parts.onFatal;
    const { report, runFiles, warm, workers } = parts;
    const cooling = { files: runFiles, turn: () => this.chores.turn(), report, warm };
    this.circuit = new Circuit({ dictionary: parts.dictionary, ...parts.limits, cooling, parts: workers });
    this.runFiles = runFiles;
    this.circuit.guard.onInterrupted = (error) => this.#broken(error);
    const guard = new Guard();
    guard.timeoutMs = this.circuit.guard.timeoutMs;
    this.evaluation = { guard };
    this.indexes = new Indexes(parts.catalog);
    this.constraints = new Constraints(() => this.circuit.epoch);
    this.tables = new Tables(this);
    this.durability = new DurableWaiters(parts.log);
    this.publisher = new Publisher(
      (step) => {
        this.subscriptions.publish(step);
        this.sinks.publish(step);
        if (this.publisher.moments.isWhole) this.views.tellErrors();
        this.stepper.vacuum(step.epoch);
      },
      () => this.subscriptions.resume(),
      () => this.views.holdErrors(),
    );
    this.views = new LiveViews(
      {
        circuit: this.circuit,
        catalog: this.catalog,
        stepper: () => this.stepper,
        backfill: () => this.backfill,
        longWait: () => new LongWait(this.durability),
        publishedEpoch: () => this.publisher.published.epoch,
        shown: (epoch) => this.publisher.shown(epoch),
        replaced: (view) => this.subscriptions.replaced(view),
        indexes: this.indexes,
        report: parts.report,
      },
      parts.handles,
    );
    this.catalog.hasRecords = (id) => this.log.topicEnd(id) > 0;
    this.catalog.rowsOf = (id) => this.tables.store(id)?.live ?? this.views.get(id)?.node?.store.live;
    this.subscriptions = new Subscriptions({
      now: () => parts.clock.monotonicUs() / 1000,
      published: () => this.publisher.published,
      isWhole: () => this.publisher.moments.isWhole,
      resolve: (name) => {
        const live = this.views.named(name);
        const stale = this.views.staleRows(live);
        const view = stale === null ? this.views.readable(live) : stale.view;
        return { view, error: () => this.views.errorOf(live), stalePosition: stale?.position };
      },
      turn: () => this.chores.turn(),
      slices: parts.slices,
      looked: () => this.stepper.lookedFor(),
      failed: (error) => this.#broken(toEvertError(error)),
    });
    const hooks: StepperHooks = {
      // A table keeps all its columns; of a stream, only what views read is decoded.
      wants: (entry) => (entry.topicKind === "table" ? () => true : this.circuit.topics.wants(entry.id)),
      onCatalog: (batch, pause) => (this.#replaying ? undefined : this.#definitions.apply(batch, pause)),
      placed: (entry, batch) => this.#placed(entry, batch),
      mayPart: () => this.log.requirement === null,
      onPart: (epoch, position, end) => {
        this.counters.steps++;
        this.publisher.stepped(epoch, position, this.views.touched(), end);
      },
      onStepped: (epoch, position, rows, ms) => {
        this.counters.steps++;
        this.counters.records += rows;
        this.counters.stepMs += ms;
        this.constraints.stepped(position);
        this.stepPositions.stepped(epoch, position);
        this.publisher.stepped(epoch, position, this.views.touched());
        this.ticker.stepped();
      },
      // What becomes durable when rows are given back is made by the next start.
      isDurable: (position) => this.log.durablePosition >= position && this.#ended === null,
      // Replicas may be away for long. Where nothing becomes durable any more, that is told elsewhere.
      onPublished: (epoch) =>
        this.log.requirement === null ? this.publisher.shown(epoch).catch(() => {}) : null,
      onBroken: (error) => this.#broken(toEvertError(error)),
    };
    this.stepper = new Stepper(this.circuit, this.catalog, this.dictionary, hooks, parts.slices);
    this.committer = new Committer(this.log, this.stepper, this.constraints, this.durability);
    this.sinks = new Sinks(this, parts.report);
    const topicName = (id: number) => this.catalog.byId(id)?.name;
    const leastEpoch = () => firstEpochOf(epochOf(this.catalog));
    this.consumers = new Consumers(this.log, topicName, leastEpoch);
    this.producers = new Producers(this.log, topicName, leastEpoch);
    this.schemas = new Schemas(this.log);
    const entryOf = (id: number) => this.catalog.byId(id);
    this.committer.upToDate = (given) => completedAnew(this, upToDate(given, entryOf));
    this.committer.memory = new CommitRoom(this);
    this.committer.guard = (part) => refusePart(this, part);
    this.ticker = new Ticker({
      nowUs: () => this.log.nowUs(),
      nextDue: () => this.circuit.nextDue(),
      tick: () => this.#tick(),
      report: parts.report,
    });
    this.#offs = [
      this.log.onSealed((group) => {
        this.counters.commits += group.commits.length;
        this.committer.sealed();
        this.stepper.enqueue(group);
      }),
      this.log.onDurable((position) => {
        this.publisher.durable(position);
        this.stepper.durable();
        this.durability.advanced(position);
      }),
      this.log.onFailed((error) => this.#broken(toEvertError(error))),
    ];
  }

  /** Another core takes over the log. */
  retire(): void {
    this.workers?.dropAll();
    this.ticker.stop();
    this.sinks.stop();
    for (const off of this.#offs) off();
  }

  /** The stores hold what a checkpoint at this position said, or nothing yet. */
  startAt(epoch: number, position: number, timeUs: number): void {
    this.stepper.startAt(epoch, position, timeUs);
    this.publisher.startAt({ epoch, position });
    this.stepPositions.startAt(epoch, position);
  }

  /** Where a table's or a view's rows lie; null: nowhere yet. */
  storeOf(id: number): Store | null {
    return this.tables.store(id) ?? this.views.get(id)?.view?.store ?? null;
  }

  /** The program's own declaration of a topic: its Standard Schema checks records beyond their types. */
  readonly #topicHandles = new Map<string, AnyTopic>();

  get topicHandles(): ReadonlyMap<string, AnyTopic> {
    return this.#topicHandles;
  }

  declareTopic(handle: AnyTopic): void {
    this.#topicHandles.set(handle.name, handle);
    this.plainTopics.clear();
  }

  /** What a replay has to be fed: every position, of the topics there are the columns that anything keeps or reads. */
  replayOptions(from: number, to: number): LogReadOptions {
    const topics = new Set([
      CATALOG_ENTRY.id,
      TICK_ENTRY.id,
      ...this.catalog.allTopics().map(({ id }) => id),
    ]);
    return {
      from,
      to,
      topics,
      everyGroup: true,
      columns: (id) => {
        const entry = this.catalog.byId(id);
        const isStream = entry?.kind === "topic" && entry.topicKind === "stream";
        return isStream
          ? columnsAt(entry, this.views.wanted.columns(id, placedOf(entry).columns.length))
          : null;
      },
    };
  }

  /** Where rows lie. Earlier rows of a view have the id of those that take their place, if these are made by the same plan: then they go. */
  stores(): StoreHandle[] {
    const stores: StoreHandle[] = this.circuit.stores();
    const ids = new Set(stores.map(({ id }) => id));
    return [...stores, ...this.views.staleStores().filter(({ id }) => !ids.has(id))];
  }

  /** Catalog events met from now on are new. */
  replayed(): void {
    this.#replaying = false;
    if (this.workers === null) return;
    // Its views fail now, and not when something is appended.
    this.workers.onEnded = () => {
      this.stepper.kick().catch((error: unknown) => this.#broken(toEvertError(error)));
    };
  }

  /** Waits until the log is replayed. @throws EvertError why it will not be: what is known here is not all that was acknowledged. */
  async caughtUp(): Promise<void> {
    const { catchUp } = this;
    if (catchUp === null) return;
    await catchUp.ended;
    if (this.catchUp === null) return;
    throw this.#failure ?? new EvertError("shutting_down", "the database is being closed");
  }

  /** What the log's own tables say is known. A follower looks each time: it is the leader who writes them. */
  async ownKnown(): Promise<void> {
    await this.caughtUp();
    if (this.committer.refusal !== null) await this.stepper.atBoundary(() => this.loadOwn());
  }

  /** Takes what the log's own tables say. REQUIRES that everything is stepped, and that nothing is staged meanwhile. */
  async loadOwn(): Promise<void> {
    await this.producers.load(this.tables.store(PRODUCERS_ENTRY.id)!, this.stepper.epoch);
    await this.consumers.load(this.tables.store(CONSUMERS_ENTRY.id)!, this.stepper.epoch);
    await this.schemas.load(this.tables.store(SCHEMAS_ENTRY.id)!, this.stepper.epoch);
  }

  get failure(): EvertError | null {
    return this.#failure;
  }

  get position(): string {
    return String(this.publisher.published.position);
  }

  /** Waits until reads reflect options.atLeast. @throws EvertError timeout; invalid_request for what is no position. */
  async reached({ atLeast, timeoutMs }: ReadOptions): Promise<void> {
    const turn = this.#readTurns.take();
    if (turn !== null) await turn;
    if (atLeast === undefined) return;
    await this.publisher.waitFor(positionOf(atLeast), timeoutMs ?? DEFAULT_TIMEOUT_MS);
  }

  current(): { epoch: number; position: number; timeUs: number } {
    const { epoch, position, timeUs } = this.stepper;
    return { epoch, position, timeUs };
  }

  get backfill(): BackfillContext {
    return {
      log: this.log,
      catalog: this.catalog,
      dictionary: this.dictionary,
      // Of a query, behind which writers may wait. What is to be kept waits longer.
      durable: (position) => this.durability.told(position),
      current: () => this.current(),
      atBoundary: (run) => this.stepper.atBoundary(run),
      turn: () => this.chores.turn(),
      slices: this.slices,
      wants: (id, build) => this.views.wanted.buildWants(id, build),
      columns: (id, build) => columnsAt(this.#topicOf(id), this.views.wanted.buildColumns(id, build)),
      ranges: (id, build) => rangesAt(this.#topicOf(id), this.views.wanted.buildRanges(id, build)),
      columnsAt: (id, places) => {
        const columns = placedOf(this.#topicOf(id)).columns;
        const at = places.map((place) => columns[place] as number);
        return at.includes(-1) ? null : at;
      },
      workers: this.workers,
      placed: (entry, batch) => this.#placed(entry, batch),
    };
  }

  #topicOf(id: number): TopicEntry {
    const entry = this.catalog.byId(id);
    if (entry === undefined) throw new EvertError("undefined_table", "a table was dropped while it was read");
    assert(entry.kind === "topic", "what is fed is a topic");
    return entry;
  }

  #placed(entry: TopicEntry, batch: TopicBatch): TopicBatch {
    return entry.evolved === undefined ? batch : placedBatch(entry, this.log.inNewestSchema(batch));
  }

  /**
   * Commits catalog events in a group of their own and waits until they are applied. `make` runs while nobody else can change the catalog; no events:
   * nothing happens. `isFirst`: see Committer.reserve. `onStaged`: it is in the log, though it may yet wait for replicas for longer than who has
   * asked for it.
   */
  async define(
    make: () => readonly CatalogEvent[] | Promise<readonly CatalogEvent[]>,
    isFirst = false,
    onStaged: () => void = () => {},
  ): Promise<string> {
    let events: readonly CatalogEvent[] = [];
    const dropped = () => events.flatMap((event) => (event.event === "drop" ? [event.id] : []));
    const receipt = await this.committer.exclusively(
      async () => {
        events = await make();
        for (const event of events) {
          if ("id" in event) refuseOwnTable(event);
          else if (event.event === "alter") refuseOwnTable(event.entry);
        }
        const rows = events.map((event) => ({ definition: eventToJson(event) }));
        return rows.length === 0 ? null : [{ topic: CATALOG_ENTRY, op: "upsert", rows, path: "catalog" }];
      },
      {
        rider: together([this.producers.dropping(dropped), this.consumers.dropping(dropped)]),
        isFirst,
        onStaged: () => {
          if (events.length > 0) onStaged();
        },
      },
    );
    if (receipt === null) return this.position;
    await this.stepper.atBoundary(() => {});
    await this.publisher.waitFor(receipt.position, DEFAULT_TIMEOUT_MS);
    return String(receipt.position);
  }

  /** The same, where rows decide: those of all commits before are published by then. */
  async defineAfter(make: () => Promise<readonly CatalogEvent[]>, isFirst = false): Promise<string> {
    await this.#toldBefore();
    return this.define(() => this.#shownBefore().then(make), isFirst);
  }

  /**
   * What has been committed is durable, before the gate is closed for who decides by it: nobody waits behind it for replicas that are not there.
   * @throws EvertError timeout
   */
  async #toldBefore(): Promise<void> {
    if (this.committer.refusal !== null) throw this.committer.refusal;
    await this.durability.told(this.log.lastPosition);
  }

  /** Readers see what has been stepped. With the gate closed: what came in between is little. @throws EvertError timeout */
  async #shownBefore(): Promise<void> {
    const { position } = this.stepper;
    await this.durability.told(position);
    await this.publisher.waitFor(position, DEFAULT_TIMEOUT_MS);
  }

  #tick(): Promise<CommitReceipt> {
    const rows = [{ due: new Date(this.circuit.nextDue() / 1000) }];
    return this.committer.commit([{ topic: TICK_ENTRY, op: "upsert", rows, path: "tick" }]);
  }

  /** Who waits for a position, now or later, is told that it will not come: the database is being closed. */
  giveUp(error: EvertError): void {
    this.publisher.fail(error);
    this.durability.fail(error);
  }

  /** Reads are refused from now on: where rows lie is given back. */
  end(error: EvertError): void {
    this.#ended = error;
  }

  /** @throws EvertError shutting_down */
  refuseEnded(): void {
    if (this.#ended !== null) throw this.#ended;
  }

  /** Nothing more is acknowledged; reads go on with what there is. */
  fail(error: EvertError): void {
    this.#broken(error);
  }

  #broken(error: EvertError): void {
    if (this.#failure !== null) return;
    this.#failure = error;
    this.ticker.stop();
    this.sinks.stop();
    this.committer.close(error);
    this.publisher.fail(error);
    this.subscriptions.closeAll(error);
    this.durability.fail(error);
    this.#onFatal(error);
  }
}
