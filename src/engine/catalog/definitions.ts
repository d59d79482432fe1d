/**
 * What the catalog's events do to what is there: rows get a place, views begin to be made, indexes are grown, names are read otherwise. Between two
 * steps, in the log's order, behind everything that was staged before them, and when they are durable.
 */
import type { Utf8Column } from "../../batch/batch.ts";
import type { Circuit } from "../../dataflow/circuit.ts";
import type { Pause, TopicBatch } from "../../log/log.ts";
import type { Store } from "../../state/store.ts";
import type { Subscriptions } from "../../views/subscriptions.ts";
import type { EvolvingTables } from "../evolution/evolving-tables.ts";
import type { Indexes } from "../indexes.ts";
import type { LiveViews } from "../live/live-views.ts";
import type { Publisher } from "../publisher.ts";
import type { Sinks } from "../sinks.ts";
import type { Stepper } from "../stepper.ts";
import type { Tables } from "../tables.ts";
import type { Committer } from "../write/committer.ts";
import type { EngineCatalog } from "./catalog.ts";
import { type CatalogEvent, eventFromJson } from "./catalog-events.ts";

/** The engine's parts that they change. */
export interface DefinitionsContext {
  readonly catalog: EngineCatalog;
  readonly circuit: Circuit;
  readonly tables: Tables;
  readonly views: LiveViews;
  readonly indexes: Indexes;
  readonly sinks: Pick<Sinks, "add" | "remove">;
  readonly evolution: EvolvingTables;
  readonly committer: Pick<Committer, "lastWritten">;
  readonly subscriptions: Pick<Subscriptions, "renamed">;
  readonly publisher: Pick<Publisher, "whenShown" | "published">;
  readonly stepper: Pick<Stepper, "epoch" | "forget">;
  /** Where a table's or a view's rows lie; null: nowhere yet. */
  storeOf(id: number): Store | null;
}

type Event<K extends CatalogEvent["event"]> = Extract<CatalogEvent, { readonly event: K }>;
type Created = Event<"create">["entry"];

export class Definitions {
  readonly #core: DefinitionsContext;

  constructor(core: DefinitionsContext) {
    this.#core = core;
  }

  /** A promise where rows are walked for it: until it resolves there is no next step. */
  apply(batch: TopicBatch, pause: Pause): Promise<void> | undefined {
    const events = [...catalogEvents(batch)];
    for (const [i, event] of events.entries()) {
      const work = this.#applied(event, pause);
      if (work === undefined) continue;
      return work.then(async () => {
        for (const later of events.slice(i + 1)) await this.#applied(later, pause);
      });
    }
    return undefined;
  }

  #applied(event: CatalogEvent, pause: Pause): Promise<void> | undefined {
    const core = this.#core;
    if (event.event === "alter") return core.evolution.apply(event, pause);
    const index = event.event === "create" && event.entry.kind === "index" ? event.entry : null;
    const store = index === null ? null : core.storeOf(index.on);
    if (index === null || store === null) return this.#apply(event);
    return core.indexes.grown(index, store, core.circuit.cooling ?? null, pause, () => this.#apply(event));
  }

  #apply(event: Exclude<CatalogEvent, Event<"alter">>): undefined {
    if (event.event === "promote") return this.#promote(event);
    if (event.event === "drop") return this.#drop(event.id);
    this.#core.catalog.apply(event);
    if (event.event === "create") this.#create(event.entry);
  }

  #create(entry: Created): void {
    const core = this.#core;
    switch (entry.kind) {
      case "type":
        return;
      case "topic":
        core.tables.add(entry);
        return;
      case "index": {
        const store = core.storeOf(entry.on);
        if (store !== null) core.indexes.hold(entry, store);
        if (entry.unique) core.tables.constrain(entry.on);
        return;
      }
      case "view":
        if (!entry.materialized) return;
        core.views.fill(core.views.add(entry));
        core.sinks.add(entry);
    }
  }

  #drop(id: number): undefined {
    const core = this.#core;
    const gone = core.catalog.byId(id);
    core.catalog.apply({ event: "drop", id });
    switch (gone?.kind) {
      case "type":
        return;
      case "index":
        core.indexes.release(id);
        if (gone.unique) core.tables.constrain(gone.on);
        return;
      case "topic":
        core.indexes.forget(id);
        core.tables.remove(id);
        core.committer.lastWritten.forget(id);
        core.stepper.forget(id);
        return;
      default:
        core.indexes.forget(id);
        core.sinks.remove(id);
        core.views.remove(id);
    }
  }

  /** Names are read as it says when the step that it comes with is published: before that they are told as of the one before. */
  #promote(event: Event<"promote">): undefined {
    const { catalog, views, subscriptions, publisher, stepper } = this.#core;
    catalog.promote(event);
    for (const other of event.others) views.redefined(other);
    const show = (): void => {
      catalog.promotions.show(event.name, event.version);
      subscriptions.renamed(event.name, publisher.published.position);
    };
    // That step may have other commits, and several may be published in one go: they are told under the name as it is read from here on.
    publisher.whenShown(stepper.epoch + 1, show);
  }
}

export function* catalogEvents({ batch }: TopicBatch): Generator<CatalogEvent> {
  const { data, offsets } = batch.columns[0] as Utf8Column;
  const decoder = new TextDecoder();
  for (let row = 0; row < batch.length; row++) {
    yield eventFromJson(JSON.parse(decoder.decode(data.subarray(offsets[row], offsets[row + 1]))));
  }
}
