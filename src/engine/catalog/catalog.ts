/**
 * The catalog: which topics and views there are. It is itself a view of a topic (id 0): every definition is an event in the log, applied
 * in order, at start and while running. Nothing else remembers a name.
 */

import { editDistance } from "../../base/edit-distance.ts";
import { EvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import type { Schema } from "../../batch/schema.ts";
import type { SqlType } from "../../batch/types.ts";
import { evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import { type Catalog, type CatalogRelation, keyNameOf, type UniqueKey } from "../../plan/catalog.ts";
import type { Expr } from "../../plan/expression.ts";
import type { OrderItem } from "../../plan/plan.ts";
import type { Routine } from "../../plan/routines.ts";
import type { Epoch } from "../replica/epochs.ts";
import { type CatalogEvent, entryFromJson, entryToJson, eventFromJson } from "./catalog-events.ts";
import { catalogOver, catalogPinned, placedRelation } from "./catalog-over.ts";
import {
  type CatalogEntry,
  type IndexEntry,
  type RelationEntry,
  type TopicEntry,
  type TypeEntry,
  type ViewEntry,
  visibleSchema,
} from "./entries.ts";
import { CATALOG_TOPIC } from "./hidden-topics.ts";
import { Promotions, versionDefined, versionNamed } from "./promotions.ts";

export type * from "./entries.ts";

/** What a view looks like to a query that reads it; known once it has been planned. */
export interface ViewRelation {
  readonly schema: Schema;
  readonly key: readonly number[] | null;
  readonly appendOnly: boolean;
  readonly order: readonly OrderItem[];
}

/** Of what there is, a hint names so many. */
const NAMES_SHOWN = 10;

export class EngineCatalog implements Catalog {
  readonly #routines: ReadonlyMap<string, Routine>;
  readonly #entries = new Map<number, CatalogEntry>();
  readonly #byName = new Map<string, RelationEntry>();
  readonly #types = new Map<string, TypeEntry>();
  readonly #indexes = new Map<string, IndexEntry>();
  readonly #relations = new Map<number, ViewRelation>();
  #lastId = CATALOG_TOPIC;
  /** How many changes of topics it has seen: what was bound before the last may mean another thing by now. */
  alterations = 0;
  #changes = 0;

  /** What drop events were seen of; those before a checkpoint are learned afterwards (keeping.ts). */
  readonly dropped = new Set<number>();

  readonly promotions: Promotions = new Promotions();

  readonly #own: ReadonlySet<number>;
  /** Those of the log that have begun, ascending. */
  epochs: readonly Epoch[] = [];

  /** `routines`: functions that the program gives; they are no part of the log. `own`: tables that are there without an event (own-tables.ts). */
  constructor(routines: ReadonlyMap<string, Routine> = new Map(), own: readonly TopicEntry[] = []) {
    this.#routines = routines;
    this.#own = new Set(own.map(({ id }) => id));
    for (const entry of own) {
      this.#entries.set(entry.id, entry);
      this.#byName.set(entry.name, entry);
    }
  }

  /**
   * Whether records are there under the id: those of a topic whose definition was lost (log/repair) are not to become another's. Set by who has the
   * log.
   */
  hasRecords: (id: number) => boolean = () => false;

  nextId(after: number = this.#lastId): number {
    let id = after + 1;
    while (this.hasRecords(id)) id++;
    return id;
  }

  /** Ids up to this one have been given, also to what is no more. */
  reserve(id: number): void {
    this.#lastId = Math.max(this.#lastId, id);
  }

  /** Grows with every change: while it is the same, a name means the same. */
  get changes(): number {
    return this.#changes + this.promotions.changes;
  }

  apply(event: CatalogEvent): void {
    this.#changes++;
    if (event.event === "lead") {
      this.epochs = [...this.epochs, event.epoch];
      return;
    }
    if (event.event === "keep" || event.event === "dead_letters") {
      const before = this.#entries.get(event.id) as TopicEntry | undefined;
      // Its definition may be among what a repair has lost: then nobody is left whom it is said of.
      if (before === undefined) return;
      if (event.event === "keep") {
        const { keeping: _, ...entry } = before;
        const changed = event.keeping === null ? entry : { ...entry, keeping: event.keeping };
        this.#entries.set(entry.id, changed);
        this.#byName.set(entry.name, changed);
        return;
      }
      const { deadLetters: _, ...entry } = before;
      const changed = event.to === null ? entry : { ...entry, deadLetters: event.to };
      this.#entries.set(entry.id, changed);
      this.#byName.set(entry.name, changed);
      return;
    }
    if (event.event === "promote") {
      this.promote(event);
      this.promotions.show(event.name, event.version);
      return;
    }
    if (event.event === "drop") {
      this.dropped.add(event.id);
      const entry = this.#entries.get(event.id);
      if (entry === undefined) return;
      this.#entries.delete(event.id);
      this.#relations.delete(event.id);
      const names = this.#namesOf(entry);
      if (names.get(entry.name) === entry) {
        names.delete(entry.name);
        if (entry.kind === "view") this.promotions.forget(versionDefined(entry.name));
      }
      // With a relation go its indexes.
      for (const index of this.indexesOn(event.id)) {
        this.#entries.delete(index.id);
        this.#indexes.delete(index.name);
      }
      return;
    }
    if (event.event === "alter") {
      this.alterations++;
      for (const other of event.others) this.#replace(other);
    }
    this.#replace(event.entry);
  }

  /** It is decided, and shown when promotions.show() says so. */
  promote({ name, version, previous, others }: Extract<CatalogEvent, { event: "promote" }>): void {
    this.promotions.promote(name, { version, previous });
    for (const other of others) this.#replace(other);
  }

  #replace(entry: CatalogEntry): void {
    this.#changes++;
    const before = this.#entries.get(entry.id);
    if (before !== undefined && before.name !== entry.name) this.#namesOf(before).delete(before.name);
    this.#entries.set(entry.id, entry);
    this.#namesOf(entry).set(entry.name, entry);
    this.#lastId = Math.max(this.#lastId, entry.id);
  }

  /** The view with this id looks as that one does. */
  describeLike(id: number, other: number): void {
    const relation = this.#relations.get(id);
    if (relation !== undefined) this.#relations.set(other, relation);
  }

  /** One beside it that knows the same, to try what a change would make of it. */
  fork(): EngineCatalog {
    const fork = new EngineCatalog(this.#routines);
    for (const entry of this.#entries.values()) fork.apply({ event: "create", entry });
    for (const [id, relation] of this.#relations) fork.describeView(id, relation);
    for (const [name, promoted] of this.promotions.entries()) {
      fork.promotions.promote(name, promoted);
      const shown = this.promotions.shown(name);
      if (shown !== undefined) fork.promotions.show(name, shown);
    }
    fork.#lastId = this.#lastId;
    fork.rowsOf = (id) => this.rowsOf(id);
    return fork;
  }

  /** Types have names of their own; those of indexes are beside the relations'. */
  #namesOf(entry: CatalogEntry): Map<string, CatalogEntry> {
    const { kind } = entry;
    const names = kind === "type" ? this.#types : kind === "index" ? this.#indexes : this.#byName;
    return names as Map<string, CatalogEntry>;
  }

  describeView(id: number, relation: ViewRelation): void {
    this.#relations.set(id, relation);
  }

  /**
   * What the name means. A view's may mean another version of it than the one that is defined so; where that one's definition is among what a repair
   * has lost, it means nothing, since to go on with another version is for somebody to decide.
   */
  entry(name: string): RelationEntry | undefined {
    const promoted = this.promotions.shown(name);
    if (promoted !== undefined)
      return this.version(name, promoted) ?? this.version(name, this.promotions.decided(name).version);
    const defined = this.#byName.get(name);
    if (defined !== undefined) return defined;
    const version = versionNamed(name);
    return version === null ? undefined : this.version(version.base, version.version);
  }

  /** What is defined under this very name. */
  defined(name: string): RelationEntry | undefined {
    return this.#byName.get(name);
  }

  /** A version of a view. */
  version(base: string, version: number): ViewEntry | undefined {
    const entry =
      this.#byName.get(`${base}@${version}`) ?? (version === 1 ? this.#byName.get(base) : undefined);
    return entry?.kind === "view" ? entry : undefined;
  }

  /** All versions of a view, by number. */
  versions(base: string): { readonly version: number; readonly entry: ViewEntry }[] {
    const found = this.views().flatMap((entry) => {
      const name = versionDefined(entry.name);
      return name.base === base && this.#byName.get(entry.name) === entry
        ? [{ version: name.version, entry }]
        : [];
    });
    return found.sort((a, b) => a.version - b.version);
  }

  typeEntry(name: string): TypeEntry | undefined {
    return this.#types.get(name);
  }

  type(name: string): SqlType | undefined {
    return this.#types.get(name)?.type;
  }

  routine(name: string): Routine | undefined {
    return this.#routines.get(name);
  }

  byId(id: number): CatalogEntry | undefined {
    return this.#entries.get(id);
  }

  /** Those that were created. */
  topics(): TopicEntry[] {
    return this.allTopics().filter(({ id }) => !this.#own.has(id));
  }

  /** Also the log's own tables. */
  allTopics(): TopicEntry[] {
    return [...this.#entries.values()].filter((e): e is TopicEntry => e.kind === "topic");
  }

  views(): ViewEntry[] {
    return [...this.#entries.values()].filter((e): e is ViewEntry => e.kind === "view");
  }

  types(): TypeEntry[] {
    return [...this.#types.values()];
  }

  topic(name: string): TopicEntry {
    const entry = this.entry(name);
    if (entry?.kind === "topic") return entry;
    throw this.#absent("topic", name, entry);
  }

  view(name: string): ViewEntry {
    const entry = this.entry(name);
    if (entry?.kind === "view") return entry;
    throw this.#absent("view", name, entry);
  }

  /** Rows of a table or view now; undefined: unknown. Set by who has them. */
  rowsOf: (id: number) => number | undefined = () => undefined;

  relation(name: string): CatalogRelation | undefined {
    const entry = this.entry(name);
    return entry === undefined ? undefined : this.#relationOf(entry, name);
  }

  /** Of a topic or a view, whatever its name means: that of a view's first version may mean another one. */
  relationById(id: number): CatalogRelation | undefined {
    const entry = this.#entries.get(id);
    const isRelation = entry?.kind === "topic" || entry?.kind === "view";
    return isRelation ? this.#relationOf(entry, entry.name) : undefined;
  }

  #relationOf(entry: RelationEntry, name: string): CatalogRelation | undefined {
    const rows = this.rowsOf(entry.id);
    if (entry.kind === "view") {
      if (!entry.materialized) return undefined;
      const known = this.#relations.get(entry.id);
      return known === undefined ? undefined : { id: entry.id, name, kind: "view", rows, ...known };
    }
    return {
      id: entry.id,
      name,
      kind: entry.topicKind,
      schema: visibleSchema(entry),
      key: entry.hiddenRowId ? null : entry.key,
      appendOnly: entry.topicKind === "stream",
      order: [],
      rows,
      defaults: entry.defaults,
      ...(entry.keyName === undefined ? {} : { keyName: entry.keyName }),
      uniques: this.uniquesOf(entry),
      ...(entry.checks === undefined ? {} : { checkNames: entry.checks.map((check) => check.name) }),
      ...(entry.defaultTexts === undefined ? {} : { defaultTexts: entry.defaultTexts }),
      ...placedRelation(entry),
    };
  }

  /**
   * A catalog for what is written down in a view: names mean in it what they meant then; and to one that is new, what the log has decided by now. A
   * replay and a replica know nothing else, and would plan another view where a name meant what is shown.
   */
  within({ over, pinned }: ViewEntry): Catalog {
    const catalog = over === undefined ? this : catalogOver(this, over);
    const ahead = this.promotions.ahead();
    if (pinned === undefined && ahead === null) return catalog;
    return catalogPinned(catalog, this, { ...ahead, ...pinned });
  }

  /** What the name means to who changes the catalog: as has been decided, shown or not. */
  decidedEntry(name: string): RelationEntry | undefined {
    return this.promotions.has(name)
      ? this.version(name, this.promotions.decided(name).version)
      : this.entry(name);
  }

  /** What no two rows of the table share besides its key. */
  uniquesOf(entry: TopicEntry): readonly UniqueKey[] {
    const indexes = this.indexesOn(entry.id).filter((index) => index.unique);
    const byIndex = indexes.map(({ name, items, nullsNotDistinct }) => ({
      name,
      columns: items.map((i) => entry.schema.fields.findIndex((f) => f.name === i.column)),
      nullsNotDistinct,
      isIndex: true,
    }));
    return [...(entry.uniques ?? []), ...byIndex];
  }

  index(name: string): IndexEntry | undefined {
    return this.#indexes.get(name);
  }

  indexesOn(relationId: number): IndexEntry[] {
    return [...this.#indexes.values()].filter((index) => index.on === relationId);
  }

  /** The table whose key or unique constraint has the name: its index is called like it. */
  constrainedBy(name: string): TopicEntry | undefined {
    return this.topics().find((topic) => {
      const own = topic.topicKind === "table" && !topic.hiddenRowId && keyNameOf(topic) === name;
      return own || (topic.uniques ?? []).some((u) => u.name === name);
    });
  }

  /** Relations and indexes share their names. */
  isTaken(name: string): boolean {
    return (
      this.entry(name) !== undefined ||
      this.promotions.has(name) ||
      this.#indexes.has(name) ||
      this.constrainedBy(name) !== undefined
    );
  }

  /** Text of a plain view, which is written out wherever it is named. */
  inlineView(name: string): string | undefined {
    const entry = this.entry(name);
    return entry?.kind === "view" && !entry.materialized && entry.sql !== null ? entry.sql : undefined;
  }

  constant(expr: Expr): Datum | undefined {
    try {
      return evaluateExpr(expr, []);
    } catch (error) {
      if (error instanceof EvertError) return undefined;
      throw error;
    }
  }

  inside(name: string): Catalog {
    const entry = this.entry(name);
    return entry?.kind === "view" ? this.within(entry) : this;
  }

  relationNames(): string[] {
    const promoted = [...this.promotions.names()];
    const first = promoted.filter((name) => this.#byName.has(name)).map((name) => `${name}@1`);
    return [...new Set([...this.#byName.keys(), ...promoted, ...first])];
  }

  /** Everything, for a checkpoint: as the events that make it. */
  toJSON(): unknown {
    const epochs = this.epochs.map((epoch): CatalogEvent => ({ event: "lead", epoch }));
    const entries = [...this.#entries.values()].filter(({ id }) => !this.#own.has(id));
    const promoted = [...this.promotions.entries()].map(
      ([name, p]): CatalogEvent => ({ event: "promote", name, ...p, others: [] }),
    );
    return [...entries.map(entryToJson), ...epochs, ...promoted];
  }

  /** What toJSON() gave. */
  restore(json: readonly unknown[]): void {
    for (const item of json) {
      const isEvent = (item as { event?: unknown }).event !== undefined;
      this.apply(isEvent ? eventFromJson(item) : { event: "create", entry: entryFromJson(item) });
    }
  }

  #absent(what: "topic" | "view", name: string, other: RelationEntry | undefined): EvertError {
    if (other !== undefined) {
      return new EvertError("wrong_object_type", `"${name}" is a ${other.kind}, not a ${what}`, {
        hint:
          what === "topic"
            ? "A view follows from topics: append to those it reads, and read or watch it as a view."
            : "Read its records as a topic's, or query it.",
      });
    }
    if (this.promotions.has(name)) {
      const { version } = this.promotions.decided(name);
      return new EvertError(
        "undefined_table",
        `view "${name}" means version ${version}, which does not exist`,
        {
          detail: "What defined it is among what a repair has lost.",
          hint: `Make "${name}@${version}" anew, or promote another version.`,
        },
      );
    }
    const candidates = [...this.#byName.values()].filter(
      (entry) => (entry.kind === "view") === (what === "view"),
    );
    const near = nearest(
      name,
      candidates.map((entry) => entry.name),
    );
    return new EvertError("undefined_table", `${what} "${name}" does not exist`, {
      hint: near === null ? this.#someOf(what, candidates) : `Did you mean "${near}"?`,
    });
  }

  #someOf(what: "topic" | "view", candidates: readonly RelationEntry[]): string {
    const names = candidates.filter(({ id }) => !this.#own.has(id)).map(({ name }) => name);
    if (names.length === 0) return `There is no ${what} yet.`;
    const shown = names.slice(0, NAMES_SHOWN).join(", ");
    return `There ${names.length === 1 ? "is" : "are"} ${shown}${names.length > NAMES_SHOWN ? ", …" : ""}.`;
  }
}

/** The name at the smallest edit distance, if it is small. */
function nearest(name: string, names: readonly string[]): string | null {
  let best: string | null = null;
  let distance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of names) {
    const d = editDistance(name, candidate, distance - 1);
    if (d < distance) {
      distance = d;
      best = candidate;
    }
  }
  return best;
}
