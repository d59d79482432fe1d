/**
 * What a relation looks like to those who read it: now, and to a definition that was written down when its topic had other columns or another name.
 */
import { schemaOf } from "../../batch/schema.ts";
import type { Catalog, CatalogRelation, PlacedColumns } from "../../plan/catalog.ts";
import { columnsOfVersion, placedOf } from "../evolution/evolved.ts";
import type { CatalogEntry, NamedTopic, TopicEntry } from "./entries.ts";

type Hidden = Pick<CatalogRelation, "identified" | "placed">;

/** Of a topic, where circuits have its columns and what tells its rows apart, where that is not what it says itself. */
export function placedRelation(entry: TopicEntry): Hidden {
  const { schema, key, hiddenRowId, evolved } = entry;
  const placed = evolved === undefined ? null : placesOf(entry);
  const shown = placed === null ? {} : { placed: hiddenRowId ? withoutLast(placed) : placed };
  if (!hiddenRowId) return shown;
  return { ...shown, identified: { schema, key: key ?? [], ...(placed === null ? {} : { placed }) } };
}

function placesOf(entry: TopicEntry): PlacedColumns {
  const { schema, key, places } = placedOf(entry);
  return { schema, columns: places ?? entry.schema.fields.map((_, c) => c), key };
}

/** Without the hidden row id, and so without key. */
function withoutLast({ schema, columns }: PlacedColumns): PlacedColumns {
  return { schema, columns: columns.slice(0, -1), key: null };
}

/** What the catalog gives for it. */
interface Entries extends Catalog {
  byId(id: number): CatalogEntry | undefined;
}

export function catalogOver(now: Entries, over: Readonly<Record<string, NamedTopic>>): Catalog {
  const meant = (name: string): NamedTopic | undefined =>
    Object.hasOwn(over, name) ? over[name] : undefined;
  return {
    relation: (name) => {
      const named = meant(name);
      if (named === undefined) return now.relation(name);
      const entry = now.byId(named.id);
      return entry?.kind === "topic" ? relationAt(now, entry, name, named.version) : undefined;
    },
    relationNames: () => now.relationNames(),
    type: (name) => now.type?.(name),
    routine: (name) => now.routine?.(name),
    inlineView: (name) => (meant(name) === undefined ? now.inlineView?.(name) : undefined),
    inside: (name) => now.inside?.(name) ?? now,
  };
}

/** The topic under the name and with the columns that it had: what has gone since is empty, and read by nobody. */
function relationAt(
  now: Catalog,
  entry: TopicEntry,
  name: string,
  version: number,
): CatalogRelation | undefined {
  const relation = now.relation(entry.name);
  const { evolved } = entry;
  if (relation === undefined) return undefined;
  if (evolved === undefined || version === entry.schemaVersion) return { ...relation, name };
  const then = columnsOfVersion(entry, version);
  if (then === null) return undefined;
  const { fields, places } = then;
  const visible = entry.hiddenRowId ? fields.length - 1 : fields.length;
  const columns = places.slice(0, visible);
  const placed = placesOf(entry);
  const { identified: _, defaults: __, defaultTexts: ___, uniques: ____, ...read } = relation;
  return {
    ...read,
    name,
    schema: schemaOf(fields.slice(0, visible)),
    key: entry.hiddenRowId ? null : (placed.key?.map((at) => columns.indexOf(at)) ?? null),
    placed: { ...placed, columns, key: entry.hiddenRowId ? null : placed.key },
  };
}

/** Where the plain names of views mean these versions. */
export function catalogPinned(
  catalog: Catalog,
  now: Catalog,
  pinned: Readonly<Record<string, number>>,
): Catalog {
  const pin = (name: string): number | undefined => (Object.hasOwn(pinned, name) ? pinned[name] : undefined);
  return {
    relation: (name) => {
      const version = pin(name);
      if (version === undefined) return catalog.relation(name);
      const relation = now.relation(`${name}@${version}`);
      return relation === undefined ? undefined : { ...relation, name };
    },
    relationNames: () => catalog.relationNames(),
    type: (name) => catalog.type?.(name),
    routine: (name) => catalog.routine?.(name),
    inlineView: (name) => (pin(name) === undefined ? catalog.inlineView?.(name) : undefined),
    constant: (expr) => now.constant?.(expr),
    inside: (name) => catalog.inside?.(name) ?? catalog,
  };
}
