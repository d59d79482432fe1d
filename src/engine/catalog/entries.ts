/** What the catalog holds: topics, views, types, indexes. */
import type { Datum } from "../../batch/convert.ts";
import { type Field, type Schema, schemaOf } from "../../batch/schema.ts";
import { int8, type SqlType } from "../../batch/types.ts";
import type { CheckConstraint, UniqueKey } from "../../plan/catalog.ts";
import type { Keeping } from "../../plan/keeping.ts";
import type { IndexItem } from "../../sql/statement.ts";

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
  /** What may be taken out of its history; absent: nothing. */
  readonly keeping?: Keeping;
  /** Id of the stream that takes what cannot be decoded; absent: that is refused. */
  readonly deadLetters?: number;
  /** Of columns that were changed; absent: they are those that it was made with. */
  readonly evolved?: Evolved;
}

/** A topic as it was when something was written down that names it or its columns. */
export interface NamedTopic {
  readonly id: number;
  readonly version: number;
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
  /** By the name in its text, topics whose columns or name have been changed since: as it was then, it is bound. Absent: none. */
  readonly over?: Readonly<Record<string, NamedTopic>>;
  /** By the name that it uses, which version of a view it reads, where the name means another since. Absent: none. */
  readonly pinned?: Readonly<Record<string, number>>;
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

/** When a schema came to be: the commit that made it. */
export interface SchemaSince {
  readonly position: number;
  readonly timeUs: number;
}

/** A schema that the topic had. */
export interface EarlierSchema {
  readonly version: number;
  /** All columns, a hidden row id last. */
  readonly fields: readonly Field[];
  readonly ids: readonly number[];
  readonly places: readonly number[];
  /** Null: with the topic. */
  readonly since: SchemaSince | null;
  /** What made it of the one before, in words. */
  readonly changes: readonly string[];
}

/** A name that a column had: records may still give it. */
export interface ColumnAlias {
  readonly name: string;
  readonly id: number;
}

export interface Evolved {
  /** Per column of the schema, its id and its place. */
  readonly ids: readonly number[];
  readonly places: readonly number[];
  /** Per column, what records from before it have there. */
  readonly missing: readonly Datum[];
  /** By place, as circuits have them. */
  readonly placed: readonly Field[];
  readonly aliases: readonly ColumnAlias[];
  /** Oldest first. */
  readonly earlier: readonly EarlierSchema[];
  readonly since: SchemaSince;
  readonly changes: readonly string[];
}

/** The columns that a topic's records have: all but the hidden row id. */
export function visibleSchema({ schema, hiddenRowId }: Pick<TopicEntry, "schema" | "hiddenRowId">): Schema {
  if (!hiddenRowId) return schema;
  let visible = visibleSchemas.get(schema);
  if (visible === undefined)
    visibleSchemas.set(schema, (visible = schemaOf(schema.fields.slice(0, -1), schema.aliases)));
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
