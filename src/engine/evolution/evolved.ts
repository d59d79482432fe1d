/**
 * A topic whose columns have been changed since it was made.
 *
 * Three things are kept apart. A column's *id* says which column it is, in every schema of the topic, and is never given again. Its position in the
 * topic's schema is where records, statements and answers have it; it moves when columns before it go. Its *place* is where circuits and stores have
 * it: places are only ever added, and one keeps its type and nullability for ever, so that a plan made before a change means the same after it, and a
 * view that reads other columns goes on as if nothing had happened. A column whose type or nullability is changed for those who read it gets a new
 * place; the old one, like that of a dropped column, is empty from then on.
 *
 * A topic that was never changed has none of this: its columns stand in their places.
 */
import type { Column } from "../../batch/batch.ts";
import { nullColumn } from "../../batch/column.ts";
import { constantColumn, emptyDatum } from "../../batch/constant-column.ts";
import { type Field, type Schema, schemaOf } from "../../batch/schema.ts";
import type { ColumnRange, LogTopic, TopicBatch } from "../../log/log.ts";
import type { EarlierSchema, TopicEntry } from "../catalog/entries.ts";

/** The columns as circuits and stores have them. */
export interface Placed {
  readonly schema: Schema;
  readonly key: readonly number[] | null;
  /** Place of each column of the topic's schema; null: each stands in its place. */
  readonly places: readonly number[] | null;
  /** Column of each place; -1: of none any more. */
  readonly columns: readonly number[];
}

type Columns = Pick<TopicEntry, "schema" | "key" | "evolved">;

const known = new WeakMap<object, Placed>();

export function placedOf(entry: Columns): Placed {
  const of = entry.evolved ?? entry.schema;
  let placed = known.get(of);
  if (placed === undefined) known.set(of, (placed = place(entry)));
  return placed;
}

function place({ schema, key, evolved }: Columns): Placed {
  const all = schema.fields.map((_, c) => c);
  if (evolved === undefined) return { schema, key, places: null, columns: all };
  const { places, placed } = evolved;
  return {
    schema: schemaOf(placed),
    key: key?.map((c) => places[c] as number) ?? null,
    places,
    columns: placed.map((_, at) => places.indexOf(at)),
  };
}

/** How many places it has more than it was made with: a table with another number of them has another store. */
export function layoutOf({ evolved }: Pick<TopicEntry, "evolved">): number {
  return evolved === undefined
    ? 0
    : evolved.placed.length - (evolved.earlier[0] as EarlierSchema).fields.length;
}

/** Where circuits have the column. */
export function placeOf(entry: Columns, column: number): number {
  return entry.evolved?.places[column] ?? column;
}

export function idsOf({ schema, evolved }: Pick<TopicEntry, "schema" | "evolved">): readonly number[] {
  return evolved?.ids ?? schema.fields.map((_, c) => c + 1);
}

/** Columns of an earlier schema as they are called there and are now; what has gone is in its place, and empty. */
export function columnsOfVersion(
  entry: Columns,
  version: number,
): {
  readonly fields: readonly Field[];
  readonly columns: readonly number[];
  readonly places: readonly number[];
} | null {
  const { schema, evolved } = entry;
  const earlier = evolved?.earlier.find((e) => e.version === version);
  if (evolved === undefined || earlier === undefined) return null;
  const columns = earlier.ids.map((id) => evolved.ids.indexOf(id));
  const places = columns.map((now, c) => (now < 0 ? earlier.places[c] : evolved.places[now]) as number);
  const fields = earlier.fields.map(({ name }, c) => {
    const now = columns[c] as number;
    const { type, nullable } = (now < 0 ? evolved.placed[places[c] as number] : schema.fields[now]) as Field;
    return { name, type, nullable };
  });
  return { fields, columns, places };
}

/** A batch in the topic's newest schema, with its columns in their places. */
export function placedBatch(entry: TopicEntry, topicBatch: TopicBatch): TopicBatch {
  if (entry.evolved === undefined) return topicBatch;
  const { schema, columns } = placedOf(entry);
  const { batch } = topicBatch;
  const placed = columns.map((column, at): Column => {
    if (column >= 0) return batch.columns[column] as Column;
    const { type, nullable } = schema.fields[at] as Field;
    return nullable ? nullColumn(type, batch.length) : constantColumn(type, emptyDatum(type), batch.length);
  });
  return { ...topicBatch, batch: { ...batch, schema, columns: placed } };
}

/** Columns of the topic's schema that stand in these places; null: all. */
export function columnsAt(entry: TopicEntry, places: ReadonlySet<number> | null): ReadonlySet<number> | null {
  if (entry.evolved === undefined || places === null) return places;
  const { columns } = placedOf(entry);
  return new Set([...places].map((at) => columns[at] as number).filter((column) => column >= 0));
}

/** The same of ranges. */
export function rangesAt(entry: TopicEntry, ranges: readonly ColumnRange[]): readonly ColumnRange[] {
  if (entry.evolved === undefined) return ranges;
  const { columns } = placedOf(entry);
  return ranges.flatMap((range) => {
    const column = columns[range.column] as number;
    return column < 0 ? [] : [{ ...range, column }];
  });
}

/** What the log is to know of the topic: all its schemas, the newest last. */
export function logTopicsOf(entry: TopicEntry): LogTopic[] {
  const { id: topicId, schema, schemaVersion, key, evolved } = entry;
  const ids = idsOf(entry);
  const keyIds = key?.map((c) => ids[c] as number) ?? null;
  const topic = (version: number, fields: Schema, columnIds: readonly number[]): LogTopic => ({
    topicId,
    schemaVersion: version,
    schema: fields,
    ...(keyIds === null ? {} : { keyColumns: keyIds.map((id) => columnIds.indexOf(id)) }),
    ...(evolved === undefined ? {} : { columnIds }),
  });
  const newest = topic(schemaVersion, schema, ids);
  if (evolved === undefined) return [newest];
  const earlier = evolved.earlier.map((e) => topic(e.version, schemaOf(e.fields), e.ids));
  return [...earlier, { ...newest, missing: evolved.missing }];
}
