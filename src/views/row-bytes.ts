/**
 * Rows of a Store as JSON bytes: loops generated for its columns, which read the row where it lies and write where the frame is made.
 *
 * Integers, decimals and whatever lies as text are written byte by byte, without a value in between. What is printed by longer rules (dates, doubles
 * with a fraction, arrays, integers too wide for a double) takes the way over its text, by the column's reader (row-encoder.ts).
 */
import { encodeUtf8 } from "../base/bytes.ts";
import { compiled } from "../base/compiled.ts";
import { carrierOf, isSmallNumeric, type SqlType } from "../batch/types.ts";
import { WIDE } from "../state/dictionary.ts";
import type { JsonBytes } from "./json-bytes.ts";
import type { RowEncoder } from "./row-encoder.ts";

export interface RowBytes {
  /** `{"a":1,"b":null}` */
  readonly row: (slot: number, out: JsonBytes) => void;
  /** The value of a single key column, an array of several. Only with a key. */
  readonly key: (slot: number, out: JsonBytes) => void;
  /** Whether two rows' keys lie as the same words; otherwise they may still print the same. Only with a key. */
  readonly sameKey: (a: number, b: number) => boolean;
}

/** The encoder's fields are the first columns of its store. */
export function rowBytes(encoder: RowEncoder): RowBytes {
  const { store, fields, keyColumns } = encoder;
  const { layout } = store;
  const literals: Uint8Array[] = [];
  const literal = (text: string): string => `out.raw(literals[${literals.push(encodeUtf8(text)) - 1}]);`;
  const labels: (readonly Uint8Array[])[] = [];
  const value = (column: number): string => {
    const { type } = fields[column]!;
    const word = `b + ${layout.words[column]}`;
    const nullWord = layout.nullWord[column]!;
    const code = valueCode(type, column, word, (type) => {
      const known = (type.labels ?? []).map((label) => encodeUtf8(JSON.stringify(label)));
      return `labels[${labels.push(known) - 1}]`;
    });
    if (nullWord < 0) return `{ ${code} }`;
    return `if (((I[b + ${nullWord}] >>> ${layout.nullBit[column]}) & 1) === 1) ${literal("null")} else { ${code} }`;
  };
  const names = fields.map(({ name }, i) => `${i === 0 ? "{" : ","}${JSON.stringify(name)}:`);
  const row = fields.map((_, i) => `${literal(names[i]!)} ${value(i)}`);
  row.push(literal(fields.length === 0 ? "{}" : "}"));
  const key = (keyColumns ?? []).map(value);
  const keyParts = key.length === 1 ? key : [literal("["), key.join(` ${literal(",")} `), literal("]")];
  const same = (keyColumns ?? []).flatMap((column) => {
    const { words, nullWord, nullBit } = layout;
    const word = words[column]!;
    const equal = [`I[a + ${word}] === I[b + ${word}]`];
    if (isDouble(fields[column]!.type)) equal.push(`I[a + ${word + 1}] === I[b + ${word + 1}]`);
    const at = nullWord[column]!;
    if (at >= 0) equal.push(`((I[a + ${at}] ^ I[b + ${at}]) >>> ${nullBit[column]} & 1) === 0`);
    return equal;
  });
  const start = `const b = slot * ${layout.strideWords}, I = store.I, F = store.F;`;
  const source = `"use strict"; const { store } = encoder, { dictionary } = store; return {
    row(slot, out) {
      ${start}
      ${row.join("\n      ")}
    },
    key(slot, out) {
      ${start}
      ${keyParts.join(" ")}
    },
    sameKey(left, right) {
      const a = left * ${layout.strideWords}, b = right * ${layout.strideWords}, I = store.I;
      return ${same.length === 0 ? "true" : same.join(" && ")};
    },
  };`;
  return compiled("encoder", "literals", "labels", source)(encoder, literals, labels) as RowBytes;
}

function isDouble(type: SqlType): boolean {
  const carrier = carrierOf(type);
  return carrier === "double" || carrier === "int64";
}

function valueCode(type: SqlType, column: number, word: string, labelsOf: (type: SqlType) => string): string {
  const asText = `out.string(encoder.json(slot, ${column}));`;
  const double = `const v = F[(${word}) >> 1];`;
  const stored = (method: string): string =>
    `const id = I[${word}]; out.${method}(dictionary.bytesOfTexts, dictionary.startOf(id), dictionary.length(id));`;
  switch (type.name) {
    case "int2":
    case "int4":
      return `out.integer(I[${word}]);`;
    case "int8":
      return `${double} if (v >= ${WIDE}) ${asText} else out.integer(v);`;
    case "numeric":
      if (!isSmallNumeric(type)) return stored("numeric");
      return `${double} if (v >= ${WIDE}) ${asText} else out.decimal(v, ${type.scale ?? 0});`;
    case "float4":
      // A float has seven digits to tell.
      return `${double} const n = v | 0; if (n === v && n < 1000000 && n > -1000000) out.integer(n); else ${asText}`;
    case "float8":
      // The sign of a zero is not printed.
      return `${double} const n = v | 0; if (n === v) out.integer(n); else ${asText}`;
    case "bool":
      return `out.string(I[${word}] !== 0 ? "true" : "false");`;
    case "text":
    case "varchar":
    case "bpchar":
    case "bytea":
    case "uuid":
    case "interval":
    case "jsonpath":
      return stored("text");
    case "jsonb":
      return stored("copy");
    case "enum":
      return `out.raw(${labelsOf(type)}[I[${word}]]);`;
    case "date":
    case "time":
    case "timestamp":
    case "timestamptz":
    case "json":
    case "array":
    case "record":
      return asText;
  }
}
