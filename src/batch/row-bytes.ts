/**
 * A lone row as the bytes of a batch, as the log's frames have them (codec.ts), without columns of its own.
 *
 * Where a thousand topics get a row each, a builder, arrays and a batch for every one of them cost ten times what the row does. So for each schema code is generated that takes an
 * object apart, as the row loop does (row-loop.ts), and writes its values behind those of other rows, of whatever topics, in a buffer that they share:
 *
 * 1. the properties are read by name and checked, what is not in its usual form converted; a property that is no column is met;
 * 2. there must be room for the longest that the row may become;
 * 3. only then the values are written: a flag that no row has a weight, then, of each column, whether there is a null, and the value.
 *
 * It only does what is usual, and says whether it did. A row that it does not take is a builder's to take, or to refuse: there, in one place, stands what is refused and how.
 */
import { isWellFormed, writeUtf8 } from "../base/bytes.ts";
import { layoutOf } from "./column.ts";
import { generated, objectCode, unknownCode, valueCode } from "./row-code.ts";
import type { Field, Schema } from "./schema.ts";
import { sameType } from "./types.ts";

/** Rows lie in buffers of so many bytes, which live as long as a row in them. */
const BUFFER_BYTES = 64 * 1024;
/** Of a row that may become longer the columns are worth their cost. */
const ROW_BYTES_MAX = 8 * 1024;
/** Up to here a loop that looks at each character, 2 to 3 ns for one, is faster than two searches and what the platform encodes with, 40 ns for 20 as for 300. */
const LOOP_ENCODE_MAX = 16;

/** Bytes of rows, one behind the other. What has been written stays what it is. */
export class RowBuffer {
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(this.bytes.buffer);
  /** Where the last row begins … */
  begin = 0;
  /** … and ends. */
  end = 0;

  /** False: a row that may take so many bytes is not one for this. */
  makeRoom(bytes: number): boolean {
    if (bytes > ROW_BYTES_MAX) return false;
    if (this.end + bytes <= this.bytes.length) return true;
    this.bytes = new Uint8Array(BUFFER_BYTES);
    this.view = new DataView(this.bytes.buffer);
    this.end = 0;
    return true;
  }
}

/** Writes the row at the buffer's end, which moves behind it. False: it has not been taken, and the end is where it was. @throws what a conversion throws */
export type RowWriter = (row: unknown, target: RowBuffer) => boolean;

interface KnownWriter {
  readonly schema: Schema;
  readonly writer: RowWriter | null;
}

/** Schemas of one form share their code: of a thousand topics with a row now and then, that of none alone would ever be worth compiling well. */
export class RowWriters {
  readonly #bySource = new Map<string, KnownWriter[]>();

  /** null: there is none for rows of this schema. */
  for(schema: Schema): RowWriter | null {
    const { fields } = schema;
    // Of such a column ("constructor") every object has a value; only an own one counts, which the builder looks for.
    if (fields.some(({ name }) => name in Object.prototype)) return null;
    const source = sourceOf(fields);
    const known = this.#bySource.get(source) ?? [];
    // What the text does not say are the types that values are converted to.
    const same = known.find((one) =>
      fields.every(({ type }, k) => sameType(type, one.schema.fields[k]!.type)),
    );
    if (same !== undefined) return same.writer;
    const names = fields.map(({ name }) => name);
    const convert = fields.map(({ type }, k) => valueCode(type, k, STOP).convert);
    const writer = generated<RowWriter>(source, { names, known: new Set(names), convert, putText });
    this.#bySource.set(source, [...known, { schema, writer }]);
    return writer;
  }
}

const STOP = "return false;";

/** Of a column, beside its text: two flags, a bitmap, the value, or a length and an end. */
const COLUMN_BYTES_MAX = 16;

function sourceOf(fields: readonly Field[]): string {
  const each = (line: (field: Field, k: number) => string): string => fields.map(line).join("\n    ");
  const converts = fields.map((_, k) => `convert${k} = convert[${k}]`);
  const lengths = fields.map(({ type, nullable }, k) => {
    if (layoutOf(type) !== "utf8") return "";
    return nullable ? ` + (n${k} ? 0 : 3 * v${k}.length)` : ` + 3 * v${k}.length`;
  });
  return `"use strict";
  ${converts.length === 0 ? "" : `const ${converts.join(", ")};`}
  return function writeRow(row, target) {
    ${objectCode(STOP)}
    ${each(({ name, nullable, type }, k) => {
      const isNull = `v${k} === null || v${k} === undefined`;
      const { check } = valueCode(type, k, STOP);
      const read = `let v${k} = row[${JSON.stringify(name)}];`;
      return nullable
        ? `${read} const n${k} = ${isNull}; if (!n${k}) { ${check} }`
        : `${read} if (${isNull}) ${STOP} ${check}`;
    })}
    ${unknownCode(STOP)}
    if (!target.makeRoom(${1 + COLUMN_BYTES_MAX * fields.length}${lengths.join("")})) ${STOP}
    const { bytes, view } = target;
    let at = target.end;
    const from = at;
    bytes[at++] = 0;
    ${each((field, k) => {
      const { write, writeNull } = writeCode(field, k);
      const written = `bytes[at++] = 0; ${write}`;
      return field.nullable
        ? `if (n${k}) { bytes[at++] = 1; bytes[at++] = 0; ${writeNull} } else { ${written} }`
        : written;
    })}
    target.begin = from;
    target.end = at;
    return true;
  };`;
}

function writeCode({ type }: Field, k: number): { readonly write: string; readonly writeNull: string } {
  const zeros = (count: number): string => `bytes.fill(0, at, at += ${count});`;
  switch (layoutOf(type)) {
    case "int32":
      return { write: `view.setInt32(at, v${k}, true); at += 4;`, writeNull: zeros(4) };
    case "float64":
      return { write: `view.setFloat64(at, v${k}, true); at += 8;`, writeNull: zeros(8) };
    case "int64": {
      // A safe number as two words, anything else is a bigint.
      const words = `view.setInt32(at, v${k} | 0, true); view.setInt32(at + 4, Math.floor(v${k} / 4294967296), true);`;
      const write = `if (typeof v${k} === "number") { ${words} } else view.setBigInt64(at, v${k}, true);`;
      return { write: `${write} at += 8;`, writeNull: zeros(8) };
    }
    case "bits":
      return { write: `bytes[at++] = v${k} ? 1 : 0;`, writeNull: zeros(1) };
    case "utf8":
      return {
        write: `at = putText(v${k}, bytes, view, at); if (at < 0) ${STOP}`,
        writeNull: zeros(8),
      };
  }
}

/** Its length, the text, and where it ends; -1: it is none that may be stored. */
function putText(text: string, bytes: Uint8Array, view: DataView, at: number): number {
  const { length } = text;
  const from = at + 4;
  let end = from;
  if (length <= LOOP_ENCODE_MAX) {
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > 0x7f || unit === 0) break;
      bytes[end++] = unit;
    }
  }
  if (end < from + length) {
    if (text.includes("\0") || !isWellFormed(text)) return -1;
    end = writeUtf8(text, bytes, from);
  }
  view.setInt32(at, end - from, true);
  view.setInt32(end, end - from, true);
  return end + 4;
}
