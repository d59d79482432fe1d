/**
 * The views as they run: planned from their definitions, filled from a checkpoint or from history, kept by the circuit, readable once
 * the epoch they joined at is published.
 *
 *   planned -> (restored | building) -> live;   at any point: failed, with the reason
 */
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { Build, Circuit, ViewNode } from "../../dataflow/circuit.ts";
import { definitionText } from "../../face/describe.ts";
import type { AnyView } from "../../face/handles.ts";
import { sourceIds } from "../../plan/inspect.ts";
import type { OptimizedQuery, Plan, Query } from "../../plan/plan.ts";
import { type Touched, takeTouched } from "../../views/step-changes.ts";
import { View } from "../../views/view.ts";
import { type BackfillContext, fillAndJoin } from "../builds/backfill.ts";
import { Wanted } from "../builds/wanted.ts";
import type { EngineCatalog, ViewEntry } from "../catalog/catalog.ts";
import type { KeptRows, StoreHandle } from "../checkpoint/checkpointing.ts";
import type { Indexes } from "../indexes.ts";
import { fingerprintOf, planView, viewEntryOf } from "../planner.ts";
import type { Stepper } from "../stepper.ts";
import type { LongWait } from "../write/long-wait.ts";

/** A view being filled from history. */
interface Filling {
  build: Build | null;
  /** 0..1 */
  progress: number;
  readonly abort: AbortController;
  /** Of what it reads and shows. */
  readonly waits: LongWait;
  done: Promise<void>;
}

/** Rows that an earlier definition of the view made: what is read until the new ones are there. Nobody changes them any more. */
export interface StaleRows {
  /** Of their store, in checkpoints. */
  readonly id: string;
  readonly view: View;
  /** What they reflect. */
  readonly position: number;
}

/** A view as the engine runs it. */
export interface LiveView {
  /** Another says the same where a topic that its text names is called otherwise since. */
  entry: ViewEntry;
  /** Null while it cannot be planned or is to be replaced, and for a plain view, whose text is written out where it is named. */
  query: OptimizedQuery | null;
  node: ViewNode | null;
  view: View | null;
  /** First epoch at which it may be read. */
  readableFrom: number;
  filling: Filling | null;
  /** Of its predecessor, while it is being filled. */
  stale: StaleRows | null;
  /** Why it cannot be kept up to date at all. */
  error: EvertError | null;
}

export interface LiveViewsContext {
  readonly circuit: Circuit;
  readonly catalog: EngineCatalog;
  readonly stepper: () => Stepper;
  readonly backfill: () => BackfillContext;
  readonly longWait: () => LongWait;
  readonly publishedEpoch: () => number;
  /** Resolves when the epoch is published. */
  readonly shown: (epoch: number) => Promise<void>;
  /** These rows are no longer what the view shows. */
  readonly replaced: (view: View) => void;
  readonly indexes: Indexes;
  readonly report: (message: string) => void;
}

/** What a view tells of errors in its rows. */
interface RowErrors {
  readonly first: EvertError | null;
  readonly count: number;
}

const NO_ERRORS: RowErrors = { first: null, count: 0 };

export class LiveViews {
  readonly #context: LiveViewsContext;
  readonly #views = new Map<number, LiveView>();
  /** Code of views defined in TypeScript, by name. */
  readonly #handles: ReadonlyMap<string, AnyView>;
  /** What of topics they read. */
  readonly wanted: Wanted;
  /** Until the program has declared its views, one that is not what it will declare is neither put into the circuit nor filled. */
  #declared = false;
  /** While what is published has a part of a commit: the errors of before, of the views that had any. */
  #errorsBefore: ReadonlyMap<LiveView, RowErrors> | null = null;

  constructor(context: LiveViewsContext, handles: ReadonlyMap<string, AnyView>) {
    this.#context = context;
    this.#handles = handles;
    this.wanted = new Wanted(context.circuit);
  }

  all(): Iterable<LiveView> {
    return this.#views.values();
  }

  get(id: number): LiveView | undefined {
    return this.#views.get(id);
  }

  /** Plans the view and tells the catalog what it looks like; an error is kept with it. */
  add(entry: ViewEntry): LiveView {
    const live: LiveView = {
      entry,
      query: null,
      node: null,
      view: null,
      readableFrom: 0,
      filling: null,
      stale: null,
      error: null,
    };
    this.#views.set(entry.id, live);
    this.#plan(live);
    return live;
  }

  /** The view is what it was, in other words. */
  redefined(entry: ViewEntry): void {
    const live = this.#views.get(entry.id);
    if (live !== undefined) live.entry = entry;
  }

  /** Takes the view away. Where another of its name has been added, that one inherits the rows it showed in place of its own. */
  remove(id: number): void {
    const live = this.#views.get(id);
    if (live === undefined) return;
    this.#views.delete(id);
    this.wanted.unplan(id);
    live.filling?.abort.abort();
    const heir = [...this.#views.values()].find((l) => l.entry.name === live.entry.name);
    if (heir !== undefined) {
      heir.stale = live.stale;
      live.stale = null;
    }
    this.#forgetStale(live);
    if (live.node !== null) this.#context.circuit.removeView(id);
    if (live.view !== null) this.#context.replaced(live.view);
  }

  /** Those who watch the old rows go on with what there is now. */
  #forgetStale(live: LiveView): void {
    const { stale } = live;
    if (stale === null) return;
    live.stale = null;
    this.#context.circuit.bury(stale.view.store);
    this.#context.replaced(stale.view);
  }

  /** Joins the circuit while that is empty, or before its stores are loaded. */
  attachEmpty(live: LiveView): void {
    const { id, name, onError } = live.entry;
    this.#attach(live, this.#context.circuit.addView(id, name, (live.query as Query).plan, { onError }));
  }

  /** The program has declared its views: starts to fill what has no rows yet and can have them, from now on also what is added. */
  fillMissing(): void {
    this.#declared = true;
    for (const live of this.#views.values()) this.fill(live);
  }

  fill(live: LiveView): void {
    if (!this.#declared || live.query === null || live.node !== null || live.filling !== null) return;
    const filling: Filling = {
      build: null,
      progress: 0,
      abort: new AbortController(),
      waits: this.#context.longWait(),
      done: Promise.resolve(),
    };
    live.filling = filling;
    live.error = null;
    this.wanted.plan(live.entry.id, live.query.plan);
    filling.done = this.#fill(live, filling).catch((thrown: unknown) => {
      live.filling = null;
      this.wanted.unplan(live.entry.id);
      if (filling.abort.signal.aborted) return;
      live.error = toEvertError(thrown);
      this.#forgetStale(live);
      this.#context.report(`view "${live.entry.name}" could not be built: ${live.error.message}`);
    });
  }

  /** What the view would be over another catalog. */
  planned(entry: ViewEntry, catalog: EngineCatalog): OptimizedQuery {
    return planView(entry, catalog, this.#handles);
  }

  /** Plans again what could not be planned for want of its code. */
  replan(id: number): void {
    const live = this.#views.get(id);
    if (live === undefined || live.query !== null) return;
    this.#plan(live);
    this.fill(live);
  }

  /** Names of those that are being filled. */
  get beingFilled(): string[] {
    return [...this.#views.values()].filter((l) => l.filling !== null).map((l) => l.entry.name);
  }

  /** Resolves when no view is being filled. */
  async settled(): Promise<void> {
    for (let filling = this.#anyFilling(); filling !== null; filling = this.#anyFilling()) await filling.done;
  }

  /** The same, for who does not wait for replicas that are not there. @throws EvertError timeout */
  async settledInTime(): Promise<void> {
    for (let filling = this.#anyFilling(); filling !== null; filling = this.#anyFilling())
      await filling.waits.inTime(filling.done);
  }

  /** Resolves when the view is not being filled (any more). @throws EvertError timeout, where that waits for replicas that are not there */
  async filled(live: LiveView): Promise<void> {
    const { filling } = live;
    if (filling !== null) await filling.waits.inTime(filling.done);
  }

  #anyFilling(): Filling | null {
    for (const { filling } of this.#views.values()) if (filling !== null) return filling;
    return null;
  }

  /** Stops all filling; what was filled so far is thrown away. */
  async abort(): Promise<void> {
    const fillings = [...this.#views.values()].flatMap((l) => (l.filling === null ? [] : [l.filling]));
    for (const filling of fillings) filling.abort.abort();
    await Promise.all(fillings.map((f) => f.done));
  }

  /** The view by name. @throws EvertError undefined_table; wrong_object_type for a topic or a plain view. */
  named(name: string): LiveView {
    const entry = this.#context.catalog.view(name);
    const live = this.#views.get(entry.id);
    if (live === undefined || !entry.materialized) {
      throw new EvertError("wrong_object_type", `view "${name}" is not materialized`, {
        hint: "Query it with SQL, or create it as a materialized view.",
      });
    }
    return live;
  }

  /** The rows that are read in place of the view's own while these are made; null when there are none, or no need of them. */
  staleRows(live: LiveView): StaleRows | null {
    // Before the program has declared its views, those of other code wait for it.
    const waits = live.filling !== null || !this.#declared;
    return waits && !this.#isReadable(live) ? live.stale : null;
  }

  /** Stores of stale rows, for checkpoints: a start that finds the view still unbuilt shows them again. */
  staleStores(): StoreHandle[] {
    return [...this.#views.values()].flatMap(({ stale }) =>
      stale === null ? [] : [{ id: stale.id, store: stale.view.store }],
    );
  }

  #isReadable(live: LiveView): boolean {
    return live.view !== null && live.readableFrom <= this.#context.publishedEpoch();
  }

  /** What readers read. @throws EvertError why there is nothing to read, or not_ready. */
  readable(live: LiveView): View {
    const error = this.#planError(live);
    if (error !== null) throw error;
    if (live.view === null || !this.#isReadable(live)) {
      const percent = Math.floor((live.filling?.progress ?? 1) * 100);
      throw new EvertError("not_ready", `view "${live.entry.name}" is being built`, {
        detail: `${percent} % of its history has been read.`,
        hint: "Ask again in a moment.",
      });
    }
    return live.view;
  }

  /** Why it is not kept, or null. */
  #planError({ entry, error }: LiveView): EvertError | null {
    if (error === null || this.#declared) return error;
    return new EvertError("not_ready", `view "${entry.name}" has not been declared yet`, {
      detail: "The log behind the checkpoint is still replayed.",
      hint: "Ask again in a moment.",
    });
  }

  /** The error that reads of the view answer with, or null. `epoch`: of which they show the rows; without it, the one that is published. */
  errorOf(live: LiveView, epoch?: number): EvertError | null {
    const error = this.#planError(live);
    if (error !== null) return error;
    if (live.node === null) return null;
    if (live.node.failed !== null || live.entry.onError === "skip") return live.node.failed;
    if (epoch === undefined && this.#errorsBefore !== null) return this.#heldOf(live).first;
    return live.node.firstError(epoch ?? this.#context.publishedEpoch());
  }

  /** How many of its rows are errors, as readers see it. */
  errorCountOf(live: LiveView): number {
    if (this.#errorsBefore !== null) return this.#heldOf(live).count;
    return live.node?.errorCount(this.#context.publishedEpoch()) ?? 0;
  }

  #heldOf(live: LiveView): RowErrors {
    return this.#errorsBefore?.get(live) ?? NO_ERRORS;
  }

  /** What is published next has a part of a commit, which may have errors that the whole has not: until tellErrors() those of now are told. */
  holdErrors(): void {
    const before = new Map<LiveView, RowErrors>();
    const epoch = this.#context.publishedEpoch();
    for (const live of this.#views.values()) {
      const count = live.node?.errorCount(epoch) ?? 0;
      if (count > 0) before.set(live, { first: live.node?.firstError(epoch) ?? null, count });
    }
    this.#errorsBefore = before;
  }

  /** What is published may be shown. */
  tellErrors(): void {
    this.#errorsBefore = null;
  }

  /** As readable(), and without errors in its rows. */
  sound(live: LiveView, epoch?: number): View {
    const view = this.readable(live);
    const error = this.errorOf(live, epoch);
    if (error !== null) throw error;
    return view;
  }

  /**
   * `epoch`: of which the query sees the rows; without it, the one that is published. @throws EvertError when a view that it reads has no rows to
   * show.
   */
  checkReadable(query: Query, epoch?: number): void {
    for (const id of sourceIds(query.plan)) {
      const live = this.#views.get(id);
      if (live !== undefined) this.sound(live, epoch);
    }
  }

  /** What the view is made of. @throws EvertError where that is not known: its code is not loaded. */
  queryOf(id: number): Query {
    const live = this.#views.get(id);
    if (live?.query == null) {
      throw live?.error ?? new EvertError("internal", `there is no view with id ${id}`);
    }
    return live.query;
  }

  /** Relations that the view's definition names. */
  reads(id: number): number[] {
    return [...(this.#views.get(id)?.query?.names ?? [])];
  }

  /** Views that the plan reads, and those that they read, each behind those it reads. */
  readBy(plan: Plan, found: Set<LiveView> = new Set()): LiveView[] {
    for (const id of sourceIds(plan)) {
      const live = this.#views.get(id);
      if (live === undefined || found.has(live)) continue;
      if (live.query !== null) this.readBy(live.query.plan, found);
      found.add(live);
    }
    return [...found];
  }

  /** Whether every view that this one reads has rows (or is to have them from the same checkpoint). */
  standsOnNodes(live: LiveView): boolean {
    return [...sourceIds((live.query as Query).plan)].every((id) => {
      const below = this.#views.get(id);
      return below === undefined || below.node !== null;
    });
  }

  /** What a complete step did to each view; also to those nobody watches: someone may begin to before the step is published. */
  touched(): Map<View, Touched> {
    const all = new Map<View, Touched>();
    for (const { view, node } of this.#views.values()) {
      // One that has stopped in the midst of the step has done it in part.
      if (view === null || node?.failed != null) continue;
      const touched = takeTouched(view.store);
      if (touched !== null) all.set(view, touched);
    }
    return all;
  }

  /**
   * View id -> fingerprint, of those whose rows are in checkpoints: one that has stopped, or has parts in other threads, is filled anew at the next
   * start.
   */
  fingerprints(): Record<string, string> {
    const views: Record<string, string> = {};
    for (const live of this.#views.values())
      if (live.node !== null && live.node.failed === null && !live.node.hasParts)
        views[live.entry.id] = live.entry.fingerprint;
    return views;
  }

  /**
   * View id -> the rows it shows at this position, or in place of them, and where they are among these stores. `position`: null where what is there
   * is not shown.
   */
  keptRows(stores: readonly StoreHandle[], position: number | null): Record<string, KeptRows> {
    const ids = new Map(stores.map(({ id, store }) => [store, id]));
    const kept: Record<string, KeptRows> = {};
    for (const live of this.#views.values()) {
      const view = live.view ?? live.stale?.view;
      const store = view === undefined ? undefined : ids.get(view.store);
      // What is not shown because of an error is not to be shown after a start either.
      const hidden = live.view !== null && this.errorOf(live, this.#context.stepper().epoch) !== null;
      const shownAt = live.view === null ? (live.stale?.position ?? null) : position;
      if (view === undefined || store === undefined || hidden || shownAt === null) continue;
      kept[live.entry.id] = {
        store,
        position: shownAt,
        columns: view.store.layout.columns.map(({ type, nullable }) => ({ type, nullable })),
        fields: view.fields,
        key: view.keyColumns,
        order: view.order,
      };
    }
    return kept;
  }

  /** Whether other threads keep a part of such a view: what they keep is in no checkpoint. */
  hasParts({ query }: LiveView): boolean {
    return query !== null && this.#context.circuit.parts.areOf(query.plan);
  }

  /** What the view is made of, in the words of the program or the statement. */
  definitionOf({ entry }: LiveView): string {
    if (entry.sql !== null) return entry.sql;
    const handle = this.#handles.get(entry.name);
    return handle === undefined ? "(its code is not loaded)" : definitionText(handle);
  }

  #plan(live: LiveView): void {
    const { entry } = live;
    if (!entry.materialized) return;
    try {
      // Afterwards a statement may give the name to another view.
      const handle = this.#declared ? undefined : this.#handles.get(entry.name);
      const declared =
        handle === undefined ? entry : viewEntryOf(entry.id, handle, this.#context.catalog, entry.pinned);
      const query = planView(declared, this.#context.catalog, this.#handles);
      if (fingerprintOf(query, declared) !== entry.fingerprint) {
        throw new EvertError("view_failed", `view "${entry.name}" was made by other code`, {
          hint: "Start with the app that defines it, or drop it.",
        });
      }
      live.query = query;
      live.error = null;
      this.wanted.plan(entry.id, query.plan);
      this.#context.catalog.describeView(entry.id, {
        schema: { fields: query.plan.schema.fields.slice(0, query.visible) },
        key: shownKey(query.plan.key, query.visible),
        appendOnly: query.plan.appendOnly,
        order: query.order,
      });
    } catch (thrown) {
      live.error = toEvertError(thrown);
    }
  }

  async #fill(live: LiveView, filling: Filling): Promise<void> {
    const { entry } = live;
    const { plan, order } = live.query as Query;
    await this.#fillBelow(plan, filling);
    const stepper = this.#context.stepper();
    await stepper.atBoundary(() => {
      const { id, name, onError } = entry;
      const orders = [order, ...this.#context.indexes.ordersOf(id)];
      filling.build = this.#context.circuit.build(id, name, plan, { onError, orders });
    });
    const build = filling.build as Build;
    this.wanted.noteBuild(build, plan);
    let joinedAt = 0;
    const join = (node: ViewNode, epoch: number): void => {
      joinedAt = stepper.position;
      this.#attach(live, node);
      live.readableFrom = epoch;
    };
    const onProgress = (fraction: number): void => {
      filling.progress = fraction;
    };
    try {
      const durable = (position: number) => filling.waits.durable(position);
      const context = { ...this.#context.backfill(), durable };
      await fillAndJoin(context, build, join, filling.abort.signal, onProgress);
    } catch (error) {
      build.cancel();
      throw error;
    }
    // An empty step publishes the epoch it joined at, however quiet the log is.
    await stepper.kick();
    await filling.waits.durable(joinedAt);
    await this.#context.shown(live.readableFrom);
    live.filling = null;
    this.#forgetStale(live);
  }

  /** A view over views waits for theirs. */
  async #fillBelow(plan: Plan, { waits }: Filling): Promise<void> {
    for (const id of sourceIds(plan)) {
      const below = this.#views.get(id);
      const filling = below?.filling ?? null;
      if (filling !== null) await waits.after(filling.waits, filling.done);
      if (below !== undefined && below.node === null) {
        throw new EvertError("view_failed", `view "${below.entry.name}", which it reads, has no rows`, {
          cause: below.error,
        });
      }
    }
  }

  #attach(live: LiveView, node: ViewNode): void {
    const query = live.query as Query;
    this.wanted.unplan(live.entry.id);
    live.node = node;
    live.view = new View({
      name: live.entry.name,
      store: node.store,
      fields: query.plan.schema.fields.slice(0, query.visible),
      keyColumns: shownKey(node.keyColumns, query.visible),
      order: query.order,
    });
    this.#context.indexes.attach(live.entry.id, node.store);
  }
}

/** A key that lies within the visible columns, or none. */
function shownKey(key: readonly number[] | null, visible: number): readonly number[] | null {
  return key?.every((c) => c < visible) === true ? key : null;
}
