/** The fields of one of COPY's lines: text, or null. What PostgreSQL's COPY reads, to the letter. */
import { EvertError } from "../../base/errors.ts";
import type { CopyFormat } from "./format.ts";

export type CopyFields = (string | null)[];

export function copyFields(line: string, format: CopyFormat): CopyFields {
  return format.format === "csv" ? csvFields(line, format) : textFields(line, format);
}

// ---- text -------------------------------------------------------------------------------------------------------

function textFields(line: string, { delimiter, null: none }: CopyFormat): CopyFields {
  if (!line.includes("\\")) return line.split(delimiter).map((field) => (field === none ? null : field));
  const fields: CopyFields = [];
  let start = 0;
  for (let at = 0; ; at++) {
    if (at < line.length && line[at] === "\\") {
      at++;
      continue;
    }
    if (at < line.length && line[at] !== delimiter) continue;
    const raw = line.slice(start, at);
    // What stands for null is looked for before anything is unescaped.
    fields.push(raw === none ? null : unescaped(raw));
    if (at >= line.length) return fields;
    start = at + 1;
  }
}

const escapes: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};
const escapeSequence = /\\([0-7]{1,3}|x[0-9A-Fa-f]{1,2}|.|$)/gsu;

function unescaped(raw: string): string {
  if (!raw.includes("\\")) return raw;
  if (/\\(?:[0-7]|x[0-9A-Fa-f])/.test(raw)) return withBytes(raw);
  return raw.replace(escapeSequence, (_, what: string) => escapes[what] ?? what);
}

/** Numbers are of bytes: together with their neighbours they must be UTF-8. */
function withBytes(raw: string): string {
  const encoder = new TextEncoder();
  const bytes: number[] = [];
  let from = 0;
  for (const match of raw.matchAll(escapeSequence)) {
    const what = match[1]!;
    bytes.push(...encoder.encode(raw.slice(from, match.index)));
    from = match.index + match[0].length;
    if (/^[0-7]/.test(what)) bytes.push(Number.parseInt(what, 8) & 255);
    else if (/^x./.test(what)) bytes.push(Number.parseInt(what.slice(1), 16));
    else bytes.push(...encoder.encode(escapes[what] ?? what));
  }
  bytes.push(...encoder.encode(raw.slice(from)));
  try {
    if (bytes.includes(0)) throw new TypeError("a null byte");
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(new Uint8Array(bytes));
  } catch (cause) {
    throw new EvertError("untranslatable_character", 'invalid byte sequence for encoding "UTF8"', {
      sqlstate: "22021",
      cause,
    });
  }
}

// ---- csv --------------------------------------------------------------------------------------------------------

function csvFields(line: string, format: CopyFormat): CopyFields {
  const { delimiter, quote, null: none, forceNull, forceNotNull } = format;
  const value = (text: string, wasQuoted: boolean, column: number): string | null => {
    if (text !== none) return text;
    return (wasQuoted ? forceNull.includes(column) : !forceNotNull.includes(column)) ? null : text;
  };
  if (!line.includes(quote)) return line.split(delimiter).map((field, i) => value(field, false, i));
  const fields: CopyFields = [];
  for (let at = 0; ; at++) {
    const field = csvField(line, at, format);
    fields.push(value(field.text, field.wasQuoted, fields.length));
    at = field.end;
    if (at >= line.length) return fields;
  }
}

/** The field that begins at `at`, up to its delimiter or the line's end. Quotes may begin and end anywhere in it. */
function csvField(line: string, at: number, { delimiter, quote, escape: escaping }: CopyFormat) {
  let text = "";
  let wasQuoted = false;
  for (let i = at; ; ) {
    let plain = i;
    while (plain < line.length && line[plain] !== delimiter && line[plain] !== quote) plain++;
    text += line.slice(i, plain);
    if (plain >= line.length || line[plain] === delimiter) return { text, wasQuoted, end: plain };
    wasQuoted = true;
    for (i = plain + 1; ; i++) {
      if (i >= line.length) throw new EvertError("bad_copy_format", "unterminated CSV quoted field");
      const c = line[i]!;
      const next = line[i + 1];
      if (c === escaping && (next === quote || next === escaping)) {
        text += next;
        i++;
      } else if (c === quote) break;
      else text += c;
    }
    i++;
  }
}
