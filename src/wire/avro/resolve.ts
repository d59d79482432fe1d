/**
 * A writer's schema resolved to a topic's columns, by Avro's rules of resolution; once for a schema, and then run for every record.
 *
 * 1. Each column takes the writer's field of its name, or of a name that it had before (its aliases). The record's own name does not matter: the topic is named
 *    by the request.
 * 2. A column without such a field has its default, or is null, if it takes nulls; a field without a column is passed over.
 * 3. A field's type becomes the column's as Avro promotes types: int to long, float and double; long to float and double; float to double; string and
 *    bytes to each other. Of a union each branch by itself: one that does not fit is no fault before a value is of it.
 * 4. Meanings that Avro has under several logical types are the same here: milliseconds become microseconds, a fixed becomes a decimal or a uuid, a decimal of fewer
 *    digits one of more. A meaning that the column does not have is refused, and so is one that would be rounded.
 *
 * The columns' own arrays are written; a record becomes no object.
 */
import { EvertError } from "../../base/errors.ts";
import type { ColumnBuilder } from "../../batch/column-builder.ts";
import { nullRefused } from "../../batch/convert.ts";
import type { Field, Schema } from "../../batch/schema.ts";
import type { Utf8Builder } from "../../batch/utf8-builder.ts";
import { firstStep, prefixPath, propertyStep } from "../../batch/value-error.ts";
import type { Cursor } from "./cursor.ts";
import { skipValue, takesNoBytes } from "./skip.ts";
import { readText, reject, type ValueReader, valueReader } from "./values.ts";
import type { AvroField, AvroNode } from "./writer-schema.ts";

/** Reads one value into a column, or passes it over. */
type Step = (cursor: Cursor, column: ColumnBuilder) => void;

export interface Resolved {
  /** One record: every column gets one value. @throws EvertError with the path of the value that does not fit. */
  read(cursor: Cursor, columns: readonly ColumnBuilder[]): void;
  /** What a writer of the schema could send and would be refused: branches of unions, nulls, symbols. Empty: nothing. */
  readonly doubts: readonly string[];
}

/** `withDefault`: columns that have one, if they are built with it (BatchBuilder.setFallbacks). @throws EvertError datatype_mismatch: no record of the writer's could be stored, and why. */
export function resolveWriter(
  writer: AvroNode,
  schema: Schema,
  withDefault: readonly string[] = [],
): Resolved {
  if (writer.kind !== "record") throw unresolved([`it is of type ${writer.kind}, not a record`]);
  if (takesNoBytes(writer)) throw unresolved(["its records have no value"]);
  const faults: string[] = [];
  const doubts: string[] = [];
  const taken = new Map<AvroField, number>();
  const steps: { readonly step: Step; readonly column: number; readonly path: string }[] = [];
  const missing: number[] = [];
  schema.fields.forEach((field, k) => {
    const from = writerField(writer.fields, schema, field.name);
    if (from !== undefined) taken.set(from, k);
    else if (field.nullable || withDefault.includes(field.name)) missing.push(k);
    else faults.push(`it has no field for column ${JSON.stringify(field.name)}, which takes no nulls`);
  });
  // All nulls would be by the rules, and is nobody's intention.
  if (taken.size === 0) faults.push("it has none of the columns");
  for (const from of writer.fields) {
    const column = taken.get(from) ?? -1;
    if (column === -1) {
      if (takesNoBytes(from.type)) continue;
      steps.push({ step: (cursor) => skipValue(cursor, from.type), column: 0, path: "" });
      continue;
    }
    const field = schema.fields[column] as Field;
    const outcome = columnStep(from.type, field, doubts);
    if (typeof outcome === "string") faults.push(`column ${JSON.stringify(field.name)}: ${outcome}`);
    else steps.push({ step: outcome, column, path: firstStep(propertyStep(field.name)) });
  }
  if (faults.length > 0) throw unresolved(faults);
  const read = (cursor: Cursor, columns: readonly ColumnBuilder[]): void => {
    let i = 0;
    try {
      for (; i < steps.length; i++) {
        const { step, column } = steps[i]!;
        step(cursor, columns[column]!);
      }
    } catch (error) {
      throw prefixPath(error, steps[i]!.path);
    }
    for (let m = 0; m < missing.length; m++) {
      const column = columns[missing[m] as number]!;
      if (column.fallback !== undefined) column.append(column.fallback);
      else if (column.nullable) column.appendNull();
      else throw prefixPath(nullRefused("", true), firstStep(propertyStep(column.name)));
    }
  };
  return { read, doubts };
}

function writerField(
  fields: readonly AvroField[],
  { aliases = [] }: Schema,
  column: string,
): AvroField | undefined {
  const names = [column, ...aliases.filter((alias) => alias.column === column).map(({ name }) => name)];
  for (const name of names) {
    const found = fields.find((field) => field.name === name);
    if (found !== undefined) return found;
  }
  return undefined;
}

function unresolved(faults: readonly string[]): EvertError {
  return new EvertError(
    "datatype_mismatch",
    "the writer's schema cannot be resolved to the topic's columns",
    {
      detail: `${faults.join("; ")}.`,
      hint: "Write with a schema that has these fields, or change the columns: ALTER TABLE … ALTER COLUMN …, DROP NOT NULL, ADD COLUMN.",
    },
  );
}

/** Why it cannot be, or the step. What single values may be refused for goes to `doubts`. */
function columnStep(writer: AvroNode, field: Field, doubts: string[]): Step | string {
  const { name, nullable, type } = field;
  const doubt = (reason: string): void => {
    doubts.push(`column ${JSON.stringify(name)}: ${reason}`);
  };
  if (writer.kind === "null")
    return nullStep(nullable) ?? "it takes no nulls, and the writer sends nothing else";
  if (writer.kind !== "union") {
    const made = valueReader(writer, type, doubt);
    return typeof made === "string" ? made : stepOf(writer, made, field);
  }
  const reasons: string[] = [];
  const steps = writer.branches.map((branch): Step => {
    const step =
      branch.kind === "null"
        ? (nullStep(nullable) ?? "it takes no nulls")
        : columnStep(branch, field, doubts);
    if (typeof step !== "string") return step;
    reasons.push(step);
    return () =>
      reject(branch.kind === "null" ? nullRefused("", false) : new EvertError("datatype_mismatch", step));
  });
  if (reasons.length === steps.length) return reasons.join(", ") || "a union of nothing has no value";
  reasons.forEach(doubt);
  return (cursor, column) => {
    (steps[cursor.choice(steps.length, "branches")] as Step)(cursor, column);
  };
}

function nullStep(nullable: boolean): Step | undefined {
  return nullable ? (_, column) => column.appendNull() : undefined;
}

/** REQUIRES that the value is none that takes what the column does not: push takes it as it is. */
function stepOf(writer: AvroNode, read: ValueReader, { type }: Field): Step {
  if (type.name === "text" && (writer.kind === "string" || writer.kind === "bytes"))
    return (cursor, column) => readText(cursor, column as Utf8Builder);
  return (cursor, column) => {
    (column as { push(value: unknown): void }).push(read(cursor));
  };
}
