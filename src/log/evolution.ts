/**
 * From an older schema of a topic to its newest: how rows that were written before a change are read after it.
 *
 * A log never changes what was written, so a batch stays in the schema it names. Whoever decodes one hands on the batch in the newest schema, a
 * column at a time and never a row:
 *
 * - a column that both have is taken as it is; where its type was widened since, it is converted;
 * - one that came later has one value for all rows, which was decided when it was added;
 * - one that has been dropped is left out, and not even decoded.
 *
 * Columns are known by ids that are never given twice: a name may go and come back as another column.
 */
import { assert } from "../base/assert.ts";
import type { Batch, Column } from "../batch/batch.ts";
import { nullColumn } from "../batch/column.ts";
import { constantColumn } from "../batch/constant-column.ts";
import type { Datum } from "../batch/datum.ts";
import { type SqlType, sameType } from "../batch/types.ts";
import { widenColumn } from "../batch/widen.ts";
import type { ColumnRange, LogTopic, TopicBatch } from "./log.ts";

export class Evolution {
  readonly #to: LogTopic;
  /** Per column of the newest schema its place in the older, or -1. */
  readonly #from: readonly number[];
  readonly #fromTypes: readonly SqlType[];

  constructor(from: LogTopic, to: LogTopic) {
    assert(from.topicId === to.topicId, "a topic evolves by itself");
    this.#to = to;
    const before = idsOf(from);
    this.#from = idsOf(to).map((id) => before.indexOf(id));
    this.#fromTypes = from.schema.fields.map(({ type }) => type);
  }

  /** Of the newest schema. */
  get schemaVersion(): number {
    return this.#to.schemaVersion;
  }

  /** Columns of the older schema that these of the newest are made of; null: all. */
  columnsBefore(wanted: ReadonlySet<number> | null): ReadonlySet<number> {
    const columns = new Set<number>();
    this.#from.forEach((place, c) => {
      if (place >= 0 && wanted?.has(c) !== false) columns.add(place);
    });
    return columns;
  }

  /** Ranges of columns that were there and lie as they did; of the others the older rows say nothing by which to pass over them. */
  rangesBefore(ranges: readonly ColumnRange[]): ColumnRange[] {
    return ranges.flatMap((range) => {
      const column = this.#from[range.column] ?? -1;
      const isSame = column >= 0 && sameType(this.#fromTypes[column]!, this.#type(range.column));
      return isSame ? [{ ...range, column }] : [];
    });
  }

  /** REQUIRES that columnsBefore(wanted) of the batch were decoded. Columns that are not wanted are null. */
  batch(batch: Batch, wanted: ReadonlySet<number> | null = null): Batch {
    const { schema } = this.#to;
    const columns = schema.fields.map(({ type }, c): Column => {
      if (wanted?.has(c) === false) return nullColumn(type, batch.length);
      const place = this.#from[c] as number;
      if (place < 0) return constantColumn(type, this.#missing(c), batch.length);
      const column = batch.columns[place] as Column;
      return sameType(column.type, type) ? column : widenColumn(column, type);
    });
    return { ...batch, schema, columns };
  }

  topicBatch(topicBatch: TopicBatch, wanted: ReadonlySet<number> | null = null): TopicBatch {
    return { ...topicBatch, schemaVersion: this.schemaVersion, batch: this.batch(topicBatch.batch, wanted) };
  }

  #missing(column: number): Datum {
    return this.#to.missing?.[column] ?? null;
  }

  #type(column: number): SqlType {
    return this.#to.schema.fields[column]!.type;
  }
}

function idsOf({ schema, columnIds }: LogTopic): readonly number[] {
  return columnIds ?? schema.fields.map((_, c) => c + 1);
}
