/**
 * The loop that takes objects apart into columns, generated for one schema.
 *
 * Properties read by a name known to the code cost a nanosecond or two, by a name in a variable twenty; a call per value as much again,
 * and a call into the text encoder more than all else. So for each schema a loop is written that
 *
 * 1. reads the properties of a row by name (or takes the fallbacks of those that are not there) and checks them, converting what is not in its usual form;
 * 2. looks whether the row has properties that are no columns: usually they come in the order of the columns, else a set is asked;
 * 3. only then writes the values, into the columns' own arrays;
 * 4. strings the texts of a block of rows together, so that they are encoded, and searched for what text must not hold, in one call.
 *
 * It only does what is usual. At the first row that is not (a value is missing, no object, an unknown property, a long text) it stops and
 * says how many rows it took; a conversion that fails throws, and what was written counts for nothing. The builder then goes on
 * row by row, and there, in one place, stands what is refused and how.
 *
 * Names get into the code as quoted property names only. Where code may not be generated (a page's content security policy), there is no loop.
 */

import { layoutOf } from "./column.ts";
import type { ColumnBuilder } from "./column-builder.ts";
import { generated, objectCode, unknownCode, type ValueCode, valueCode } from "./row-code.ts";
import type { Field, Schema } from "./schema.ts";

/** The most rows the loop takes at once: then the cost of a call is spread thin, and an odd row costs few others their way. */
export const BLOCK_ROWS = 64;
/** UTF-16 units of one column's texts in a block. Three bytes of room are made for each. */
const BLOCK_UNITS = 8192;

/**
 * Writes rows[from, to) behind the rows of the columns, whose blocks are open, and returns how many it took.
 * @throws what a conversion throws.
 */
export type RowLoop = (
  rows: readonly unknown[],
  from: number,
  to: number,
  columns: readonly ColumnBuilder[],
) => number;

const loops = new WeakMap<Schema, RowLoop | null>();

/** The schema's loop; null where there can be none. */
export function rowLoopFor(schema: Schema): RowLoop | null {
  let loop = loops.get(schema);
  if (loop === undefined) loops.set(schema, (loop = makeLoop(schema)));
  return loop;
}

function makeLoop(schema: Schema): RowLoop | null {
  // Of such a column ("constructor") every object has a value; only an own one counts, which the builder looks for.
  if (schema.fields.some((field) => field.name in Object.prototype)) return null;
  const columns = schema.fields.map(columnCode);
  const names = schema.fields.map((field) => field.name);
  const convert = columns.map((column) => column.convert);
  return generated(sourceOf(columns), { names, known: new Set(names), convert });
}

/** The lines of one column; `v` holds its value, `r` is its row. */
interface ColumnCode extends ValueCode {
  /** Before the loop. */
  readonly begin: string;
  readonly write: string;
  readonly writeNull: string;
  /** After the loop, with the `taken` rows; only for texts. */
  readonly end: string;
  readonly name: string;
  readonly nullable: boolean;
}

function columnCode(field: Field, k: number): ColumnCode {
  const { name, nullable, type } = field;
  const { convert, check } = valueCode(type, k, "break;");
  const shared = { name: JSON.stringify(name), nullable, convert, check, end: "" };
  const values = {
    begin: `const a${k} = c${k}.values;`,
    write: `a${k}[r] = v${k};`,
    writeNull: `a${k}[r] = 0;`,
  };
  switch (layoutOf(type)) {
    case "int32":
    case "float64":
      return { ...shared, ...values };
    case "int64":
      return { ...shared, ...wide(k) };
    case "utf8":
      return { ...shared, ...texts(k), check: `${check} ${fits(k)}` };
    case "bits":
      return {
        ...shared,
        begin: values.begin,
        write: `if (v${k}) a${k}[r >> 3] |= 1 << (r & 7); else a${k}[r >> 3] &= ~(1 << (r & 7));`,
        writeNull: `a${k}[r >> 3] &= ~(1 << (r & 7));`,
      };
  }
}

/** A safe number as two words, anything else is a bigint. */
function wide(k: number): Pick<ColumnCode, "begin" | "write" | "writeNull"> {
  const words = (low: string, high: string): string => `w${k}[r * 2] = ${low}; w${k}[r * 2 + 1] = ${high};`;
  return {
    begin: `const a${k} = c${k}.values, w${k} = c${k}.words;`,
    write: `if (typeof v${k} === "number") { ${words(`v${k} | 0`, `Math.floor(v${k} / 4294967296)`)} } else a${k}[r] = v${k};`,
    writeNull: words("0", "0"),
  };
}

/** The block's texts so far in `t`; offsets count its UTF-16 units until the block is closed. */
function texts(k: number): Pick<ColumnCode, "begin" | "write" | "writeNull" | "end"> {
  return {
    begin: `const o${k} = c${k}.offsets; let t${k} = "";`,
    write: `t${k} += v${k}; o${k}[r + 1] = t${k}.length;`,
    writeNull: `o${k}[r + 1] = t${k}.length;`,
    end: `if (!c${k}.encodeBlock(t${k}, taken)) return 0;`,
  };
}

function fits(k: number): string {
  return `if (t${k}.length + v${k}.length > ${BLOCK_UNITS}) break;`;
}

function sourceOf(columns: readonly ColumnCode[]): string {
  const each = (line: (column: ColumnCode, k: number) => string): string =>
    columns
      .map(line)
      .filter((text) => text !== "")
      .join("\n      ");
  return `"use strict";
  const ${columns.map((_, k) => `convert${k} = convert[${k}]`).join(", ")};
  return function rowLoop(rows, from, to, columns) {
    const at = columns[0].length;
    const ${columns.map((_, k) => `c${k} = columns[${k}], f${k} = c${k}.fallback`).join(", ")};
    ${each((column) => column.begin)}
    let i = from;
    rowsOfBlock: for (; i < to; i++) {
      const row = rows[i];
      ${objectCode("break;")}
      ${each(({ name, nullable, check }, k) => {
        const isNull = `v${k} === null || v${k} === undefined`;
        const read = `let v${k} = row[${name}]; if (v${k} === undefined) v${k} = f${k};`;
        return nullable
          ? `${read} const n${k} = ${isNull}; if (!n${k}) { ${check} }`
          : `${read} if (${isNull}) break; ${check}`;
      })}
      ${unknownCode("break rowsOfBlock;")}
      const r = at + i - from;
      ${each(({ nullable, write, writeNull }, k) => (nullable ? `if (n${k}) { c${k}.nullAt(r); ${writeNull} } else { ${write} }` : write))}
    }
    const taken = i - from;
    ${each((column) => column.end)}
    return taken;
  };`;
}
