/**
 * The catalog: which topics and views there are. It is itself a view of a topic (id 0): every definition is an event in the log, applied
 * in order, at start and while running. Nothing else remembers a name.
 */

import { editDistance } from "../base/edit-distance.ts";
import { EvertError } from "../base/errors.ts";
import type { Datum } from "../batch/convert.ts";
import { type Field, type Schema, schemaOf } from "../batch/schema.ts";
import { int8, jsonb, type SqlType, text, timestamptz } from "../batch/types.ts";
import {
  type Catalog,
  type CatalogRelation,
  type CheckConstraint,
  keyNameOf,
  type UniqueKey,
} from "../plan/catalog.ts";
import type { OrderItem } from "../plan/plan.ts";
import type { Routine } from "../plan/routines.ts";
import type { IndexItem } from "../sql/statement.ts";

export const CATALOG_TOPIC = 0;
/** Name of the hidden key column of a table without primary key. */
export const ROW_ID = "__row_id";

export interface TopicEntry {
  readonly kind: "topic";
  readonly id: number;
  readonly name: string;
  readonly topicKind: "stream" | "table";
  /** All columns, a hidden row id last. */
  readonly schema: Schema;
  readonly schemaVersion: number;
  /** Column positions; a table always has one (the hidden row id, if no other). */
  readonly key: readonly number[] | null;
  readonly hiddenRowId: boolean;
  /** Values of columns an INSERT leaves out; null for none. */
  readonly defaults: readonly Datum[];
  /** Name of the primary key, where it has one of its own. */
  readonly keyName?: string;
  /** UNIQUE; absent: none. */
  readonly uniques?: readonly UniqueKey[];
  /** CHECK, by name; absent: none. */
  readonly checks?: readonly CheckConstraint[];
  /** Per column, the text of a default that is no constant, or null; absent: there are none. */
  readonly defaultTexts?: readonly (string | null)[];
}

export interface ViewEntry {
  readonly kind: "view";
  readonly id: number;
  readonly name: string;
  /** The SQL of its query, or null when it is defined in TypeScript. */
  readonly sql: string | null;
  /** Values of its $1, $2 ...: JSON values. */
  readonly params: readonly unknown[];
  /** Names for its columns, when given. */
  readonly columns: readonly string[] | null;
  readonly materialized: boolean;
  readonly onError: "fail" | "skip";
  /** Changing it forces a rebuild. */
  readonly version: string | null;
  /** Of the plan, its functions' source and the schemas below: what a checkpoint's rows were made by. */
  readonly fingerprint: string;
  /** Id of the topic that its rows are appended to; absent: none. */
  readonly sink?: number;
  /** Relation id -> rows it had when the view was made: it is planned with them ever after, and so always in the same way. */
  readonly rows?: Readonly<Record<string, number>>;
}

/** A type made by CREATE TYPE. Types have names of their own: a table may be called like one. */
export interface TypeEntry {
  readonly kind: "type";
  readonly id: number;
  readonly name: string;
  readonly type: SqlType;
}

/** An index that was declared. */
export interface IndexEntry {
  readonly kind: "index";
  readonly id: number;
  readonly name: string;
  /** The relation's id. */
  readonly on: number;
  readonly items: readonly IndexItem[];
  readonly unique: boolean;
  readonly nullsNotDistinct: boolean;
}

/** What has rows. */
export type RelationEntry = TopicEntry | ViewEntry;
export type CatalogEntry = RelationEntry | TypeEntry | IndexEntry;

/** The topic that the catalog itself lies in. No catalog names it. */
export const CATALOG_ENTRY: TopicEntry = {
  kind: "topic",
  id: CATALOG_TOPIC,
  name: "(catalog)",
  topicKind: "stream",
  schema: schemaOf([{ name: "definition", type: jsonb, nullable: false }]),
  schemaVersion: 1,
  key: null,
  hiddenRowId: false,
  defaults: [null],
};

/** Where ticks lie: commits that bring nothing but their time (ticker.ts). No catalog names it, and no row of it is read. */
export const TICK_ENTRY: TopicEntry = {
  kind: "topic",
  id: 2 ** 31 - 1,
  name: "(ticks)",
  topicKind: "stream",
  schema: schemaOf([{ name: "due", type: timestamptz, nullable: false }]),
  schemaVersion: 1,
  key: null,
  hiddenRowId: false,
  defaults: [null],
};

/** Where it lies what each commit of a sink was caused by (sinks.ts). No catalog names it, and no row of it is read. */
export const SINK_ENTRY: TopicEntry = {
  kind: "topic",
  id: 2 ** 31 - 2,
  name: "(sinks)",
  topicKind: "stream",
  schema: schemaOf([
    { name: "view", type: text, nullable: false },
    { name: "position", type: int8, nullable: false },
  ]),
  schemaVersion: 1,
  key: null,
  hiddenRowId: false,
  defaults: [null, null],
};

export type CatalogEvent =
  | { readonly event: "create"; readonly entry: CatalogEntry }
  | { readonly event: "drop"; readonly id: number };

/** What a view looks like to a query that reads it; known once it has been planned. */
export interface ViewRelation {
  readonly schema: Schema;
  readonly key: readonly number[] | null;
  readonly appendOnly: boolean;
  readonly order: readonly OrderItem[];
}

export class EngineCatalog implements Catalog {
  readonly #routines: ReadonlyMap<string, Routine>;
  readonly #entries = new Map<number, CatalogEntry>();
  readonly #byName = new Map<string, RelationEntry>();
  readonly #types = new Map<string, TypeEntry>();
  readonly #indexes = new Map<string, IndexEntry>();
  readonly #relations = new Map<number, ViewRelation>();
  #lastId = CATALOG_TOPIC;

  /** `routines`: functions that the program gives; they are no part of the log. */
  constructor(routines: ReadonlyMap<string, Routine> = new Map()) {
    this.#routines = routines;
  }

  nextId(): number {
    return this.#lastId + 1;
  }

  apply(event: CatalogEvent): void {
    if (event.event === "drop") {
      const entry = this.#entries.get(event.id);
      if (entry === undefined) return;
      this.#entries.delete(event.id);
      this.#relations.delete(event.id);
      const names = this.#namesOf(entry);
      if (names.get(entry.name) === entry) names.delete(entry.name);
      // With a relation go its indexes.
      for (const index of this.indexesOn(event.id)) {
        this.#entries.delete(index.id);
        this.#indexes.delete(index.name);
      }
      return;
    }
    const { entry } = event;
    this.#entries.set(entry.id, entry);
    this.#namesOf(entry).set(entry.name, entry);
    this.#lastId = Math.max(this.#lastId, entry.id);
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

  entry(name: string): RelationEntry | undefined {
    return this.#byName.get(name);
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

  topics(): TopicEntry[] {
    return [...this.#entries.values()].filter((e): e is TopicEntry => e.kind === "topic");
  }

  views(): ViewEntry[] {
    return [...this.#entries.values()].filter((e): e is ViewEntry => e.kind === "view");
  }

  types(): TypeEntry[] {
    return [...this.#types.values()];
  }

  topic(name: string): TopicEntry {
    const entry = this.#byName.get(name);
    if (entry?.kind === "topic") return entry;
    throw this.#absent("topic", name, entry);
  }

  view(name: string): ViewEntry {
    const entry = this.#byName.get(name);
    if (entry?.kind === "view") return entry;
    throw this.#absent("view", name, entry);
  }

  /** Rows of a table or view now; undefined: unknown. Set by who has them. */
  rowsOf: (id: number) => number | undefined = () => undefined;

  relation(name: string): CatalogRelation | undefined {
    const entry = this.#byName.get(name);
    if (entry === undefined) return undefined;
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
      ...(entry.hiddenRowId ? { identified: { schema: entry.schema, key: entry.key ?? [] } } : {}),
    };
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
    return this.#byName.has(name) || this.#indexes.has(name) || this.constrainedBy(name) !== undefined;
  }

  /** Text of a plain view, which is written out wherever it is named. */
  inlineView(name: string): string | undefined {
    const entry = this.#byName.get(name);
    return entry?.kind === "view" && !entry.materialized && entry.sql !== null ? entry.sql : undefined;
  }

  relationNames(): string[] {
    return [...this.#byName.keys()];
  }

  /** Everything, for a checkpoint. */
  toJSON(): unknown {
    return [...this.#entries.values()].map(entryToJson);
  }

  #absent(what: "topic" | "view", name: string, other: RelationEntry | undefined): EvertError {
    if (other !== undefined) {
      return new EvertError("wrong_object_type", `"${name}" is a ${other.kind}, not a ${what}`);
    }
    const candidates = [...this.#byName.values()].filter(
      (entry) => (entry.kind === "view") === (what === "view"),
    );
    const near = nearest(
      name,
      candidates.map((entry) => entry.name),
    );
    return new EvertError("undefined_table", `${what} "${name}" does not exist`, {
      hint: near === null ? undefined : `Did you mean "${near}"?`,
    });
  }
}

/** The columns that a topic's records have: all but the hidden row id. */
export function visibleSchema({ schema, hiddenRowId }: Pick<TopicEntry, "schema" | "hiddenRowId">): Schema {
  if (!hiddenRowId) return schema;
  let visible = visibleSchemas.get(schema);
  if (visible === undefined) visibleSchemas.set(schema, (visible = schemaOf(schema.fields.slice(0, -1))));
  return visible;
}

/** One for each, as loops are generated once for each. */
const visibleSchemas = new WeakMap<Schema, Schema>();

export function newTopic(
  id: number,
  name: string,
  topicKind: "stream" | "table",
  fields: readonly Field[],
  key: readonly number[] | null,
  defaults: readonly Datum[] = [],
  constraints: Pick<TopicEntry, "keyName" | "uniques" | "checks"> = {},
): TopicEntry {
  const hiddenRowId = topicKind === "table" && key === null;
  const all = hiddenRowId ? [...fields, { name: ROW_ID, type: int8, nullable: false }] : fields;
  return {
    kind: "topic",
    id,
    name,
    topicKind,
    schema: schemaOf(all),
    schemaVersion: 1,
    key: topicKind === "stream" ? null : hiddenRowId ? [fields.length] : key,
    hiddenRowId,
    defaults: fields.map((_, i) => defaults[i] ?? null),
    ...constraints,
  };
}

/** JSON form of a definition; bigints of defaults as strings. */
export function eventToJson(event: CatalogEvent): unknown {
  return event.event === "drop" ? event : { event: "create", entry: entryToJson(event.entry) };
}

function entryToJson(entry: CatalogEntry): unknown {
  if (entry.kind !== "topic") return entry;
  return {
    ...entry,
    defaults: entry.defaults.map((d) => (typeof d === "bigint" ? { bigint: String(d) } : d)),
  };
}

export function eventFromJson(json: unknown): CatalogEvent {
  const event = json as { event: "drop"; id: number } | { event: "create"; entry: unknown };
  return event.event === "drop"
    ? { event: "drop", id: event.id }
    : { event: "create", entry: entryFromJson(event.entry) };
}

export function entryFromJson(json: unknown): CatalogEntry {
  const entry = json as CatalogEntry;
  if (entry.kind !== "topic") return entry;
  const fields = entry.schema.fields.map((f) => ({
    name: f.name,
    type: f.type as SqlType,
    nullable: f.nullable,
  }));
  const defaults = (entry.defaults as readonly unknown[]).map((d) =>
    d !== null && typeof d === "object" ? BigInt((d as { bigint: string }).bigint) : (d as Datum),
  );
  return { ...entry, schema: schemaOf(fields), defaults };
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
