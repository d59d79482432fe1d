/**
 * Appends as Arrow streams: columns, or rows turned into columns here, in the types of the topic, so that the server copies them instead of parsing.
 * Loaded with the first such append: a page that shows views has no use for it.
 */
import { joinBytes } from "../base/bytes.ts";
import { EvertError } from "../base/errors.ts";
import { writeArrow } from "../batch/arrow-writer.ts";
import type { Batch } from "../batch/batch.ts";
import { BatchBuilder } from "../batch/builder.ts";
import { type ColumnValues, columnOf } from "../batch/column-of.ts";
import { type Schema, schemaOf } from "../batch/schema.ts";
import { text, typeFromString } from "../batch/types.ts";
import { firstStep, propertyStep } from "../batch/value-error.ts";
import type { TopicMessage } from "../wire/http/messages.ts";

/** The topic's columns. A type that its name alone does not say (an enum, a record) travels as its text. */
export function schemaOfTopic({ columns }: TopicMessage): Schema {
  return schemaOf(
    columns.map(({ name, declaredType, nullable }) => ({
      name,
      type: typeFromString(declaredType) ?? text,
      nullable,
    })),
  );
}

/** @throws EvertError for a column the topic does not have, columns of different lengths, a value that does not fit. */
export function encodeColumns(
  topic: Schema,
  columns: Readonly<Record<string, ColumnValues>>,
): Uint8Array<ArrayBuffer> {
  const given = topic.fields.filter(
    ({ name }) => Object.hasOwn(columns, name) && columns[name] !== undefined,
  );
  for (const name of Object.keys(columns)) {
    if (columns[name] === undefined || given.some((field) => field.name === name)) continue;
    throw new EvertError("undefined_column", `${firstStep(propertyStep(name))}: there is no such column`, {
      hint: `The columns are ${topic.fields.map((field) => field.name).join(", ")}.`,
    });
  }
  const [first] = given;
  const length = first === undefined ? 0 : columns[first.name]!.length;
  const made = given.map((field) => {
    const values = columns[field.name]!;
    if (values.length === length) return columnOf(field, values);
    throw new EvertError("invalid_argument", "the columns have different lengths", {
      detail: `"${first!.name}" has ${length} values, "${field.name}" has ${values.length}.`,
    });
  });
  if (length === 0) throw new EvertError("invalid_argument", "there is no record to append");
  return streamOf({ schema: schemaOf(given), length, columns: made, weights: null });
}

/** @throws EvertError that names row, column and reason. */
export function encodeRows(topic: Schema, rows: readonly unknown[]): Uint8Array<ArrayBuffer> {
  if (rows.length === 0) throw new EvertError("invalid_argument", "there is no record to append");
  const builder = new BatchBuilder(topic);
  builder.appendRows(rows, "records");
  return streamOf(builder.finish());
}

function streamOf(batch: Batch): Uint8Array<ArrayBuffer> {
  return joinBytes([...writeArrow(batch.schema, [batch])]);
}
