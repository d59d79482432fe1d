/**
 * What the catalog's topic says: a definition, or a change of one, as an event, and its form in JSON, in which it stands in the log and in
 * checkpoints.
 */
import { EvertError } from "../../base/errors.ts";
import type { Datum } from "../../batch/convert.ts";
import { schemaOf } from "../../batch/schema.ts";
import type { SqlType } from "../../batch/types.ts";
import type { Keeping } from "../../plan/keeping.ts";
import type { Epoch } from "../replica/epochs.ts";
import type { CatalogEntry, TopicEntry, ViewEntry } from "./entries.ts";

export type CatalogEvent =
  | { readonly event: "create"; readonly entry: CatalogEntry }
  /** A follower has become the leader. */
  | { readonly event: "lead"; readonly epoch: Epoch }
  /** From now on a topic keeps other records; null: all. */
  | { readonly event: "keep"; readonly id: number; readonly keeping: Keeping | null }
  /** From now on what cannot be decoded of a topic's appends goes to that one; null: it is refused. */
  | { readonly event: "dead_letters"; readonly id: number; readonly to: number | null }
  /** A topic has another name or other columns; and what else says so in other words since, by id: indexes, views. */
  | { readonly event: "alter"; readonly entry: TopicEntry; readonly others: readonly CatalogEntry[] }
  /** A view's plain name means another version of it. `others`: views that read it by that name, and go on with the version that they read. */
  | {
      readonly event: "promote";
      readonly name: string;
      readonly version: number;
      readonly previous: number | null;
      readonly others: readonly ViewEntry[];
    }
  | { readonly event: "drop"; readonly id: number };

/** JSON form of a definition; bigints of defaults as strings. */
export function eventToJson(event: CatalogEvent): unknown {
  if (event.event !== "create" && event.event !== "alter") return event;
  const entry = entryToJson(event.entry);
  return event.event === "create"
    ? { event: "create", entry }
    : { event: "alter", entry, others: event.others.map(entryToJson) };
}

export function entryToJson(entry: CatalogEntry): unknown {
  if (entry.kind !== "topic") return entry;
  const { evolved } = entry;
  return {
    ...entry,
    defaults: entry.defaults.map(datumToJson),
    ...(evolved === undefined ? {} : { evolved: { ...evolved, missing: evolved.missing.map(datumToJson) } }),
  };
}

function datumToJson(datum: Datum): unknown {
  return typeof datum === "bigint" ? { bigint: String(datum) } : datum;
}

function datumFromEntry(json: unknown): Datum {
  return json !== null && typeof json === "object"
    ? BigInt((json as { bigint: string }).bigint)
    : (json as Datum);
}

export function eventFromJson(json: unknown): CatalogEvent {
  const event = json as
    | (CatalogEvent & { event: "drop" | "lead" | "keep" | "dead_letters" | "promote" })
    | { event: "create"; entry: unknown }
    | { event: "alter"; entry: unknown; others: readonly unknown[] };
  switch (event.event) {
    case "drop":
    case "lead":
    case "keep":
    case "dead_letters":
    case "promote":
      return event;
    case "create":
      return { event: "create", entry: entryFromJson(event.entry) };
    case "alter": {
      const entry = entryFromJson(event.entry) as TopicEntry;
      return { event: "alter", entry, others: event.others.map(entryFromJson) };
    }
    default:
      throw new EvertError("format_unsupported", "the catalog says what this release does not know", {
        detail: `An event is called "${(event as { event: string }).event}".`,
        hint: "Run the release that wrote it, or a newer one.",
      });
  }
}

export function entryFromJson(json: unknown): CatalogEntry {
  const entry = json as CatalogEntry;
  if (entry.kind !== "topic") return entry;
  const fields = entry.schema.fields.map((f) => ({
    name: f.name,
    type: f.type as SqlType,
    nullable: f.nullable,
  }));
  const defaults = entry.defaults.map(datumFromEntry);
  const { evolved } = entry;
  const changed =
    evolved === undefined ? {} : { evolved: { ...evolved, missing: evolved.missing.map(datumFromEntry) } };
  return { ...entry, schema: schemaOf(fields, entry.schema.aliases), defaults, ...changed };
}
