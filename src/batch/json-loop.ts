/**
 * The loop that takes JSON text apart into columns, generated for one schema: no object, no string and no number in between that a column does
 * not want.
 *
 * For each record of the text, which is one object:
 *
 * 1. The name of the next member is compared, byte by byte, with that of the column which followed the one before in the record before: records of one
 *    sender name their members in one order. Only another order has the name looked up.
 * 2. The value is read in the commonest JSON form of its column's type (digits, a string, a time in UTC), straight into the column's array.
 *    In any other form it is cut out, parsed and converted as a value of every append is (convert.ts).
 * 3. At the record's end, columns without a member have their fallback, or are null.
 * 4. The record is taken if it ends with what separates it from the next. Until then nothing of it counts: all was written behind the last row.
 *
 * It only takes what is right. At the first record that is not (what is no JSON, a name that is no column's or comes twice, a value that does not fit,
 * a null where none may be, a record that is not all there) it stops before it. Whoever called then takes that record in the usual way, and there,
 * in one place, stands what is refused and how; so the loop may stop at anything that is rare.
 *
 * Names get into the code as bytes only. Where code may not be generated (a page's content security policy), there is no loop.
 */
import { EMPTY_BYTES, encodeUtf8, writeUtf8 } from "../base/bytes.ts";
import { compiled } from "../base/compiled.ts";
import type { ColumnBuilder } from "./column-builder.ts";
import { fromValue } from "./convert.ts";
import {
  convertedValue,
  dayAt,
  endOfUtc,
  endOfValue,
  plainByte,
  restOfString,
  second,
  skipSpace,
  timeAt,
} from "./json-bytes.ts";
import type { Field, Schema } from "./schema.ts";
import { carrierOf, isSmallNumeric } from "./types.ts";

/** Records of JSON in bytes, and how far they have been taken. See json-bytes.ts for what must stand behind `to`. */
export interface JsonText {
  bytes: Uint8Array;
  /** Where the next record begins. The loop moves it behind the separator of the last it took. */
  from: number;
  to: number;
  /** Lines of NDJSON; else elements of an array. */
  readonly line: boolean;
  /** The bracket that closes the array has been passed. */
  ended: boolean;
}

/** Takes at most `rowsMax` records off the text, into the open blocks of the columns, and returns how many. */
export type JsonLoop = (text: JsonText, rowsMax: number, columns: readonly ColumnBuilder[]) => number;

/** With more columns the function gets so large that it is not compiled. */
const COLUMNS_MAX = 100;
/** Longer names are compared in a call. */
const UNROLLED_NAME_BYTES = 24;
const QUOTE = 0x22;

const loops = new WeakMap<Schema, JsonLoop | null>();

/** The schema's loop; null where there can be none. */
export function jsonLoopFor(schema: Schema): JsonLoop | null {
  let loop = loops.get(schema);
  if (loop === undefined) loops.set(schema, (loop = makeLoop(schema)));
  return loop;
}

function makeLoop(schema: Schema): JsonLoop | null {
  const { fields } = schema;
  // Among the names that every object has, "__proto__" would be a property like any other here and is none elsewhere.
  if (
    fields.length === 0 ||
    fields.length > COLUMNS_MAX ||
    fields.some(({ name }) => name in Object.prototype)
  )
    return null;
  const names = fields.map(nameBytes);
  const tools = {
    names,
    converters: fields.map(
      ({ type }) =>
        (value: unknown) =>
          fromValue(type, value),
    ),
    lend,
    roomier,
    viewOf,
    columnAt: (bytes: Uint8Array, at: number) => names.findIndex((name) => startsWith(bytes, at, name)),
    startsWith,
    plainByte,
    second,
    powers: Float64Array.from({ length: 23 }, (_, k) => 10 ** k),
    skipSpace,
    endOfValue,
    convertedValue,
    restOfString,
    dayAt,
    timeAt,
    endOfUtc,
    writeUtf8,
  };
  try {
    return compiled("tools", sourceOf(fields, names, Object.keys(tools)))(tools) as JsonLoop;
  } catch (error) {
    if (error instanceof EvalError) return null; // a content security policy forbids it
    throw error;
  }
}

/** As it stands in JSON, with the quote behind it. */
function nameBytes({ name }: Field): Uint8Array {
  return encodeUtf8(JSON.stringify(name)).subarray(1);
}

function startsWith(bytes: Uint8Array, at: number, name: Uint8Array): boolean {
  for (let i = 0; i < name.length; i++) if (bytes[at + i] !== name[i]) return false;
  return true;
}

/** The lines of one column. `q` is the place read at, `c` the byte there, `r` the row. */
interface ColumnCode {
  /** Before the loop. */
  readonly begin: string;
  /**
   * Reads the commonest form. Either it leaves q as it is, or puts it behind the value, has written it and says `break found`. The block
   * is left by `break common`.
   */
  readonly common: string;
  /** Writes `v`, a converted value. */
  readonly write: string;
  readonly writeNull: string;
  /** After the loop, with the `taken` rows; only for texts. */
  readonly end?: string;
}

function columnCode(field: Field, k: number): ColumnCode {
  const { type } = field;
  switch (type.name) {
    case "int4":
      return { ...plainValues(k), common: integer(10, "v > 2147483647", `a${k}[r] = negative ? -v : v;`) };
    case "int2":
      return { ...plainValues(k), common: integer(5, "v > 32767", `a${k}[r] = negative ? -v : v;`) };
    case "int8":
      return { ...wideValues(k), common: integer(15, "false", `if (negative) v = -v; ${words(k)}`) };
    case "float8":
      return {
        ...plainValues(k),
        common: decimal("false", `v /= powers[fraction]; a${k}[r] = negative ? -v : v;`),
      };
    case "numeric":
      if (isSmallNumeric(type)) {
        const scale = type.scale ?? 0;
        const refused = `fraction > ${scale} || digits - fraction + ${scale} > 15`;
        const most = 10 ** Math.min(type.precision as number, 15);
        const scaled = `v *= powers[${scale} - fraction]; if (v >= ${most}) break common; if (negative) v = -v;`;
        return { ...wideValues(k), common: decimal(refused, `${scaled} ${words(k)}`) };
      }
      return { ...textValues(k), common: type.precision === undefined ? decimalText(k) : "" };
    case "bool":
      return boolean(k);
    case "text":
      return { ...plainTextValues(k), common: string(k, "") };
    case "varchar": {
      // A character has at least one byte.
      const length = type.length === undefined ? "" : `if (d - e${k} > ${type.length}) break common;`;
      return { ...plainTextValues(k), common: string(k, length) };
    }
    case "date":
      return {
        ...plainValues(k),
        common: `if (c === 34 && bytes[q + 11] === 34) {
          const v = dayAt(bytes, q + 1);
          if (v === v) { a${k}[r] = v; q += 12; break found; }
        }`,
      };
    case "timestamptz":
      return { ...wideValues(k), common: time(k, "endOfUtc(bytes, end)") };
    case "timestamp":
      return {
        ...wideValues(k),
        common: time(k, "bytes[end] === 34 ? end + 1 : endOfUtc(bytes, end)"),
      };
  }
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return { ...plainValues(k), common: "" };
    case "int64":
      return { ...wideValues(k), common: "" };
    case "string":
      return { ...textValues(k), common: "" };
    case "bool":
      throw new Error(`${type.name} lies as a bit, as bool alone does`);
  }
}

type Values = Omit<ColumnCode, "common">;

function plainValues(k: number): Values {
  return { begin: `const a${k} = c${k}.values;`, write: `a${k}[r] = v;`, writeNull: `a${k}[r] = 0;` };
}

/** 64 bits: a safe number as two words, anything else is a bigint. */
function wideValues(k: number): Values {
  return {
    begin: `const a${k} = c${k}.values, w${k} = c${k}.words;`,
    write: `if (typeof v === "number") { ${words(k)} } else a${k}[r] = v;`,
    writeNull: `w${k}[r * 2] = 0; w${k}[r * 2 + 1] = 0;`,
  };
}

function words(k: number): string {
  return `w${k}[r * 2] = v | 0; w${k}[r * 2 + 1] = Math.floor(v * ${2 ** -32});`;
}

/**
 * Texts lie one behind the other in `d`, which is lent for as long as the loop runs; `e` is the end of the last, `b` where the first will stand in its
 * column. Behind `e` there is always room for what is left of the text: strings are copied without being asked for it. A converted text may be longer than it
 * was in JSON, and a fallback was not there at all, so room is asked for.
 */
function textValues(k: number): Values {
  return {
    begin: `const o${k} = c${k}.offsets, b${k} = o${k}[at]; let e${k} = 0, d${k} = lend(${k}, text.to - text.from);`,
    write: `d${k} = roomier(${k}, d${k}, e${k}, v.length * 3 + text.to - q); e${k} = writeUtf8(v, d${k}, e${k}); o${k}[r + 1] = b${k} + e${k};`,
    writeNull: `o${k}[r + 1] = b${k} + e${k};`,
    end: `c${k}.appendTexts(d${k}, taken);`,
  };
}

/** Texts that are copied four bytes at a time: `x` is a view of `d`. */
function plainTextValues(k: number): Values {
  const texts = textValues(k);
  return {
    ...texts,
    begin: `${texts.begin} let x${k} = viewOf(d${k});`,
    write: `${texts.write} x${k} = viewOf(d${k});`,
  };
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

const lentMax = 512 * 1024;
const lent: Uint8Array[] = [];

/** An array for the texts of column k with room for so many bytes. All loops share it. */
function lend(k: number, bytes: number): Uint8Array {
  return roomier(k, lent[k] ?? EMPTY_BYTES, 0, bytes);
}

/** `data`, or a larger one that holds its first `used` bytes, with room for so many more. Too large an array is not kept to be lent again. */
function roomier(k: number, data: Uint8Array, used: number, bytes: number): Uint8Array {
  if (used + bytes <= data.length) return data;
  const larger = new Uint8Array(Math.max(2 * data.length, used + bytes));
  larger.set(data.subarray(0, used));
  if (larger.length <= lentMax) lent[k] = larger;
  return larger;
}

function boolean(k: number): ColumnCode {
  const set = `a${k}[r >> 3] |= 1 << (r & 7);`;
  const clear = `a${k}[r >> 3] &= ~(1 << (r & 7));`;
  const word = (letters: string): string =>
    [...letters].map((letter, i) => `bytes[q + ${i}] === ${letter.charCodeAt(0)}`).join(" && ");
  return {
    begin: `const a${k} = c${k}.values;`,
    common: `if (${word("true")}) { ${set} q += 4; break found; }
        if (${word("false")}) { ${clear} q += 5; break found; }`,
    write: `if (v) { ${set} } else { ${clear} }`,
    writeNull: clear,
  };
}

/** Digits into `v`; not what goes on as a decimal, and no zero before another digit: that is no JSON. */
function integer(digitsMax: number, refused: string, write: string): string {
  return `const negative = c === 45;
        let i = negative ? q + 1 : q, v = 0;
        const from = i;
        for (let digit = bytes[i] - 48; digit >= 0 && digit <= 9; digit = bytes[++i] - 48) v = v * 10 + digit;
        if (i === from || i - from > ${digitsMax} || (bytes[from] === 48 && i - from > 1) || ${refused}) break common;
        if (bytes[i] === 46 || (bytes[i] | 32) === 101) break common;
        ${write} q = i; break found;`;
}

/** Digits with or without a fraction into `v`, up to fifteen, so that v and a power of ten up to 10^15 are exact and so is what they make. */
function decimal(refused: string, write: string): string {
  return `const negative = c === 45;
        let i = negative ? q + 1 : q, v = 0, fraction = 0;
        const from = i;
        for (let digit = bytes[i] - 48; digit >= 0 && digit <= 9; digit = bytes[++i] - 48) v = v * 10 + digit;
        let digits = i - from;
        if (digits === 0 || (bytes[from] === 48 && digits > 1)) break common;
        if (bytes[i] === 46) {
          const point = i++;
          for (let digit = bytes[i] - 48; digit >= 0 && digit <= 9; digit = bytes[++i] - 48) v = v * 10 + digit;
          fraction = i - point - 1;
          if (fraction === 0) break common;
          digits += fraction;
        }
        if (digits > 15 || (bytes[i] | 32) === 101 || ${refused}) break common;
        ${write} q = i; break found;`;
}

/** A numeric of any size is its digits, as they stand; but for a negative zero, and leading and trailing letters. */
function decimalText(k: number): string {
  return `let i = c === 45 ? q + 1 : q, ones = 0;
        const from = i;
        for (let digit = bytes[i] - 48; digit >= 0 && digit <= 9; digit = bytes[++i] - 48) ones |= digit;
        if (i === from || (bytes[from] === 48 && i - from > 1)) break common;
        if (bytes[i] === 46) {
          const point = i++;
          for (let digit = bytes[i] - 48; digit >= 0 && digit <= 9; digit = bytes[++i] - 48) ones |= digit;
          if (i === point + 1) break common;
        }
        if (i - q > 40 || (bytes[i] | 32) === 101 || (ones === 0 && c === 45)) break common;
        d${k} = roomier(${k}, d${k}, e${k}, i - q);
        while (q < i) d${k}[e${k}++] = bytes[q++];
        o${k}[r + 1] = b${k} + e${k}; break found;`;
}

/** Of the four bytes in w, one does not stand for itself: it is a quote, a backslash, a control character or none of ASCII. Rarely said of four that do. */
const someNotPlain = `(((w ^ 0x22222222) - 0x01010101 & ~(w ^ 0x22222222)
          | (w ^ 0x5c5c5c5c) - 0x01010101 & ~(w ^ 0x5c5c5c5c) | w - 0x20202020 | w) & 0x80808080) !== 0`;

function string(k: number, check: string): string {
  return `if (c !== 34) break common;
        let i = q + 1, d = e${k};
        for (let w = view.getInt32(i, true); !(${someNotPlain}); w = view.getInt32(i, true)) {
          x${k}.setInt32(d, w, true);
          i += 4;
          d += 4;
        }
        for (c = bytes[i]; plainByte[c] === 1; c = bytes[++i]) d${k}[d++] = c;
        if (c === 34) i++;
        else {
          i = restOfString(bytes, i, d${k}, d);
          if (i === -1) break records;
          d = second[0];
        }
        ${check}
        e${k} = d; o${k}[r + 1] = b${k} + d; q = i; break found;`;
}

function time(k: number, end: string): string {
  return `if (c !== 34) break common;
        const end = timeAt(bytes, view, q + 1);
        if (end === -1) break common;
        const v = second[0], i = ${end};
        if (i === -1) break common;
        ${words(k)} q = i; break found;`;
}

function sourceOf(fields: readonly Field[], names: readonly Uint8Array[], tools: readonly string[]): string {
  const columns = fields.map(columnCode);
  const each = (line: (column: ColumnCode, k: number) => string, between = "\n    "): string =>
    columns.map(line).join(between);
  const masks = Array.from({ length: Math.ceil(fields.length / 30) }, (_, m) => m);
  const mask = (k: number): string => `seen${Math.floor(k / 30)}`;
  const bit = (k: number): number => 1 << (k % 30);
  const allOf = (m: number): number => 2 ** Math.min(30, fields.length - m * 30) - 1;
  const isNull = "c === 110 && bytes[q + 1] === 117 && bytes[q + 2] === 108 && bytes[q + 3] === 108";
  const nullOrStop = (k: number): string =>
    fields[k]!.nullable ? `c${k}.nullAt(r); ${columns[k]!.writeNull}` : "break records;";
  const absent = ({ write }: ColumnCode, k: number): string => `if ((${mask(k)} & ${bit(k)}) === 0) {
          if (f${k} !== undefined) { const v = f${k}; ${write} } else { ${nullOrStop(k)} }
        }`;
  const member = ({ common, write }: ColumnCode, k: number): string => `case ${k}: {
        if (${nameDiffers(names[k]!, k)}) break;
        if ((${mask(k)} & ${bit(k)}) !== 0) break records;
        ${mask(k)} |= ${bit(k)};
        q += ${names[k]!.length + 1};
        if (bytes[q] !== 58) { q = skipSpace(bytes, q, line); if (bytes[q] !== 58) break records; }
        c = bytes[++q];
        if (c <= 32) { q = skipSpace(bytes, q, line); c = bytes[q]; }
        common: { ${common === "" ? "break common;" : common} }
        c = bytes[q];
        if (${isNull}) { q += 4; ${nullOrStop(k)} break found; }
        const end = endOfValue(bytes, q, line);
        if (end === -1) break records;
        const v = convertedValue(convert${k}, bytes, q, end);
        if (v === undefined) break records;
        ${write} q = end; break found;
      }`;
  return `"use strict";
  const { ${tools.join(", ")} } = tools;
  const ${each((_, k) => `convert${k} = converters[${k}]`, ", ")};
  // The column whose member followed that of column k - 1, or came first (0).
  const following = Int32Array.from({ length: ${fields.length + 1} }, (_, k) => k % ${fields.length});
  return function jsonLoop(text, rowsMax, columns) {
    const bytes = text.bytes, view = viewOf(bytes), line = text.line, separator = line ? 10 : 44;
    const at = columns[0].length;
    const ${each((_, k) => `c${k} = columns[${k}]`, ", ")};
    const ${each((_, k) => `f${k} = c${k}.fallback === undefined ? undefined : convert${k}(c${k}.fallback)`, ", ")};
    ${each(({ begin }) => begin)}
    let p = text.from, taken = 0;
    records: while (taken < rowsMax) {
      let q = p, c = bytes[q];
      if (c !== 123) { q = skipSpace(bytes, q, line); if (bytes[q] !== 123) break; }
      c = bytes[++q];
      if (c <= 32) { q = skipSpace(bytes, q, line); c = bytes[q]; }
      const r = at + taken;
      let ${masks.map((m) => `seen${m} = 0`).join(", ")}, last = 0;
      if (c !== 125) for (;;) {
        if (c !== 34) break records;
        let k = following[last];
        found: for (;;) {
          switch (k) {
      ${each(member, "\n      ")}
          }
          k = columnAt(bytes, q + 1);
          if (k < 0) break records;
          following[last] = k;
        }
        last = k + 1;
        c = bytes[q];
        if (c <= 32) { q = skipSpace(bytes, q, line); c = bytes[q]; }
        if (c === 125) break;
        if (c !== 44) break records;
        c = bytes[++q];
        if (c <= 32) { q = skipSpace(bytes, q, line); c = bytes[q]; }
      }
      if (${masks.map((m) => `seen${m} !== ${allOf(m)}`).join(" || ")}) {
        ${each(absent)}
      }
      c = bytes[++q];
      if (c !== separator && c <= 32) { q = skipSpace(bytes, q, line); c = bytes[q]; }
      if (c !== separator) {
        if (line || c !== 93) break;
        text.ended = true;
        rowsMax = 0;
      }
      p = q + 1;
      taken++;
    }
    text.from = p;
    ${each(({ end }) => end ?? "")}
    return taken;
  };`;
}

/**
 * Whether another name than this stands behind the quote at q. Four bytes at a time, the last four once more where they are not as many; what is behind the text may be looked at, and
 * a name does not reach there, since it has no byte 0.
 */
function nameDiffers(name: Uint8Array, k: number): string {
  if (name.length > UNROLLED_NAME_BYTES) return `!startsWith(bytes, q + 1, names[${k}])`;
  const quoted = Uint8Array.of(QUOTE, ...name);
  if (quoted.length < 4) return [...name].map((byte, i) => `bytes[q + ${i + 1}] !== ${byte}`).join(" || ");
  const { buffer, length } = quoted;
  const places = Array.from({ length: Math.ceil(length / 4) }, (_, i) => Math.min(4 * i, length - 4));
  const word = (at: number) => new DataView(buffer).getInt32(at, true);
  return places.map((at) => `view.getInt32(q + ${at}, true) !== ${word(at)}`).join(" || ");
}
