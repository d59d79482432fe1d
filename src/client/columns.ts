/**
 * Appends as Arrow streams: columns, or rows turned into columns here, in the types of the topic, so that the server takes them as they lie instead
 * of parsing. Loaded with the first such append: a page that shows views has no use for it.
 *
 * Memory outside the heap costs V8 more to get and to collect than it costs to fill: what an append needs is kept for the next one.
 */
import { EvertError } from "../base/errors.ts";
import { arrowStream } from "../batch/arrow-writer.ts";
import { BatchBuilder } from "../batch/builder.ts";
import { ColumnMaker, type ColumnValues } from "../batch/column-of.ts";
import { fieldIndex, type Schema, schemaOf } from "../batch/schema.ts";
import { text, typeFromString } from "../batch/types.ts";
import { firstStep, propertyStep } from "../batch/value-error.ts";
import type { TopicMessage } from "../wire/http/messages.ts";

/** Bodies that are kept to be written over, and what each may have at most. */
const BODIES_KEPT = 16;
const BODY_BYTES_KEPT_MAX = 2 << 20;
/** A body's memory is a multiple of it, so that one that is a little longer finds room, too. */
const BODY_BYTES_STEP = 64 * 1024;
const ROWS_BYTES_KEPT_MAX = 4 << 20;

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

/** Makes the bodies of appends to a topic. */
export class BodyMaker {
  readonly #topic: Schema;
  /** Columns with defaults: the server gives them to records that do not name them. */
  readonly #withDefault: readonly string[];
  readonly #makers: ReadonlyMap<string, ColumnMaker>;
  #builder: BatchBuilder | null = null;
  readonly #kept: Uint8Array<ArrayBuffer>[] = [];

  constructor(topic: Schema, withDefault: readonly string[] = []) {
    this.#topic = topic;
    this.#withDefault = withDefault;
    this.#makers = new Map(topic.fields.map((field) => [field.name, new ColumnMaker(field)]));
  }

  /** @throws EvertError for a column the topic does not have, columns of different lengths, a value that does not fit. */
  ofColumns(columns: Readonly<Record<string, ColumnValues>>): Uint8Array<ArrayBuffer> {
    const { fields } = this.#topic;
    const given = fields.filter(({ name }) => Object.hasOwn(columns, name) && columns[name] !== undefined);
    for (const name of Object.keys(columns)) {
      if (columns[name] === undefined || given.some((field) => field.name === name)) continue;
      throw new EvertError("undefined_column", `${firstStep(propertyStep(name))}: there is no such column`, {
        hint: `The columns are ${fields.map((field) => field.name).join(", ")}.`,
      });
    }
    const [first] = given;
    const length = first === undefined ? 0 : columns[first.name]!.length;
    const made = given.map(({ name }) => {
      const values = columns[name]!;
      if (values.length === length) return this.#makers.get(name)!.columnOf(values);
      throw new EvertError("invalid_argument", "the columns have different lengths", {
        detail: `"${first!.name}" has ${length} values, "${name}" has ${values.length}.`,
      });
    });
    if (length === 0) throw new EvertError("invalid_argument", "there is no record to append");
    return arrowStream({ schema: schemaOf(given), length, columns: made, weights: null }, this.#room);
  }

  /**
   * null: columns cannot say it, for some of the rows name a column that has a default and some do not.
   * @throws EvertError that names row, column and reason.
   */
  ofRows(rows: readonly unknown[]): Uint8Array<ArrayBuffer> | null {
    if (rows.length === 0) throw new EvertError("invalid_argument", "there is no record to append");
    const absent = this.#absent(rows);
    if (absent === null) return null;
    const builder = this.#builderWithout(absent);
    builder.truncate(0);
    builder.appendRows(rows, "records");
    if (builder.byteLength > ROWS_BYTES_KEPT_MAX) this.#builder = null;
    return arrowStream(builder.look(), this.#room);
  }

  /** Columns with a default that no row names; null: some rows do. */
  #absent(rows: readonly unknown[]): readonly string[] | null {
    const absent: string[] = [];
    for (const name of this.#withDefault) {
      let named = 0;
      // What is no record is refused where it is taken apart.
      for (const row of rows) if ((row as Record<string, unknown> | null)?.[name] !== undefined) named++;
      if (named === 0) absent.push(name);
      else if (named < rows.length) return null;
    }
    return absent;
  }

  #builderWithout(absent: readonly string[]): BatchBuilder {
    const { fields } = this.#topic;
    if (this.#builder?.schema.fields.length === fields.length - absent.length) {
      if (absent.every((name) => fieldIndex(this.#builder!.schema, name) === -1)) return this.#builder;
    }
    const schema =
      absent.length === 0 ? this.#topic : schemaOf(fields.filter(({ name }) => !absent.includes(name)));
    this.#builder = new BatchBuilder(schema);
    return this.#builder;
  }

  /** Nobody looks at the body any more. */
  giveBack({ buffer }: Uint8Array<ArrayBuffer>): void {
    if (buffer.byteLength <= BODY_BYTES_KEPT_MAX && this.#kept.length < BODIES_KEPT)
      this.#kept.push(new Uint8Array(buffer));
  }

  readonly #room = (bytes: number): Uint8Array<ArrayBuffer> => {
    const kept = this.#kept.pop();
    if (kept !== undefined && kept.length >= bytes) return kept.subarray(0, bytes);
    return new Uint8Array(Math.ceil(bytes / BODY_BYTES_STEP) * BODY_BYTES_STEP).subarray(0, bytes);
  };
}
