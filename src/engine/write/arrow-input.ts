/**
 * Records that come as an Arrow stream, as one part of a commit.
 *
 * Columns stay columns. Only a topic that was declared with a schema of the program's own (a Standard Schema) has its rows looked at one by
 * one: what that schema refuses in JSON, it refuses here.
 *
 * What reading a topic as Arrow gives can be appended again: the columns of a record's place (_offset, _position, _timestamp) are passed over, and
 * _deleted may be false throughout. A column of the topic's own of such a name is what it is.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { EvertError } from "../../base/errors.ts";
import { readArrow, readArrowSchema } from "../../batch/arrow.ts";
import type { Batch } from "../../batch/batch.ts";
import { BatchBuilder, checkNulls } from "../../batch/builder.ts";
import { datumAt } from "../../batch/column.ts";
import { checkCommitBytes } from "../../batch/commit-bytes.ts";
import { constantColumn } from "../../batch/constant-column.ts";
import type { Datum } from "../../batch/convert.ts";
import { rowToObject } from "../../batch/json.ts";
import { type Schema, schemaOf } from "../../batch/schema.ts";
import { prefixPath } from "../../batch/value-error.ts";
import type { AnyTopic } from "../../face/handles.ts";
import { checkedRecord } from "../../face/validate.ts";
import { visibleSchema } from "../catalog/entries.ts";
import type { Core } from "../core.ts";
import { completed, fallbacksOf } from "../evolution/fallbacks.ts";
import { DELETED_FIELD, HEAD_FIELDS } from "../records.ts";
import type { Part } from "./part.ts";

/** Rows checked between two turns of the event loop. */
const CHECKED_ROWS = 512;

/** @throws EvertError for a stream that is damaged or empty, a column the topic does not have, a value that does not fit. */
export async function arrowPart(core: Core, name: string, stream: Uint8Array): Promise<Part> {
  const topic = core.catalog.topic(name);
  const handle = core.topicHandles.get(name);
  const schema = visibleSchema(topic);
  const checked = handle !== undefined && handle.standard !== null;
  const fallbacks = fallbacksOf(core, topic);
  const given = new Set(
    checked || fallbacks !== null ? readArrowSchema(stream).fields.map((field) => field.name) : [],
  );
  const rows: unknown[] = [];
  const columns = new Columns(schema);
  refuseDeletions(stream, schema);
  const isOwn = (name: string): boolean => ownNames.has(name);
  for (const batch of readArrow(stream, schema, isOwn)) {
    if (checked) await checkRows(handle, batch, given, rows);
    else {
      columns.append(fallbacks === null ? batch : withFallbacks(batch, given, fallbacks.datums));
      await nextTurn();
    }
  }
  if (columns.length === 0 && rows.length === 0) {
    throw new EvertError("invalid_request", "the Arrow stream holds no record");
  }
  if (checked) {
    if (fallbacks === null) return { topic, op: "upsert", rows, path: "records" };
    return {
      topic,
      op: "upsert",
      rows: completed(topic, rows, fallbacks),
      given: rows,
      path: "records",
    };
  }
  return { topic, op: "batch", batch: columns.finish(), ops: null };
}

const ownNames: ReadonlySet<string> = new Set([...HEAD_FIELDS, DELETED_FIELD].map(({ name }) => name));

/** @throws EvertError where a row is a deletion, as of a table that was read. */
function refuseDeletions(stream: Uint8Array, { fields }: Schema): void {
  const { name } = DELETED_FIELD;
  const isThere = (among: Schema["fields"]): boolean => among.some((field) => field.name === name);
  if (isThere(fields) || !isThere(readArrowSchema(stream).fields)) return;
  let first = 0;
  for (const { columns, length } of readArrow(stream, schemaOf([DELETED_FIELD]), () => true)) {
    for (let row = 0; row < length; row++) {
      if (datumAt(columns[0]!, row) !== true) continue;
      throw new EvertError(
        "feature_not_supported",
        `records[${first + row}]: a deletion cannot be appended as Arrow`,
        {
          detail: `Its ${name} is true.`,
          hint: "Leave such rows out, and delete by key: DELETE /v1/topics/{topic}/records/{key}.",
        },
      );
    }
    first += length;
  }
}

/** Columns that the stream does not have, with their defaults. */
function withFallbacks(batch: Batch, given: ReadonlySet<string>, datums: readonly Datum[]): Batch {
  const columns = batch.columns.map((column, k) => {
    const { name, type } = batch.schema.fields[k]!;
    const datum = datums[k] as Datum;
    return datum === null || given.has(name) ? column : constantColumn(type, datum, batch.length);
  });
  return { ...batch, columns };
}

/** Batches as one. The usual stream has one only, which is not copied. */
class Columns {
  readonly #schema: Schema;
  #first: Batch | null = null;
  #builder: BatchBuilder | null = null;

  constructor(schema: Schema) {
    this.#schema = schema;
  }

  get length(): number {
    return this.#first?.length ?? this.#builder?.length ?? 0;
  }

  /** @throws not_null_violation. */
  append(batch: Batch): void {
    if (this.length === 0) {
      checkNulls(batch, this.#schema, 0, batch.length);
      this.#first = batch;
      return;
    }
    this.#builder ??= new BatchBuilder(this.#schema);
    if (this.#first !== null) this.#builder.appendBatch(this.#first);
    this.#first = null;
    this.#builder.appendBatch(batch);
    checkCommitBytes(this.#builder.byteLength);
  }

  /** REQUIRES that there are rows. */
  finish(): Batch {
    return this.#first ?? (this.#builder as BatchBuilder).finish();
  }
}

/** Appends the batch's rows to `out`, as the topic's own schema leaves them. A column that the stream does not have is no property. */
async function checkRows(
  handle: AnyTopic,
  batch: Batch,
  given: ReadonlySet<string>,
  out: unknown[],
): Promise<void> {
  const present = batch.schema.fields.flatMap((field, k) => (given.has(field.name) ? [k] : []));
  const schema = { fields: present.map((k) => batch.schema.fields[k]!) };
  const part = { ...batch, schema, columns: present.map((k) => batch.columns[k]!) };
  for (let i = 0; i < part.length; i++) {
    try {
      out.push(checkedRecord(handle, rowToObject(schema, part, i)));
    } catch (error) {
      throw prefixPath(error, `records[${out.length}]`);
    }
    if (i % CHECKED_ROWS === CHECKED_ROWS - 1) await nextTurn();
  }
}
