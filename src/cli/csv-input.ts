/**
 * CSV with a header line to NDJSON. A cell becomes what its column's type takes: an empty cell without quotes is null,
 * `""` is an empty text. A cell that does not fit its type goes as a text, for the server to refuse by name.
 */
import { type Readable, Transform } from "node:stream";
import { type CastingContext, CsvError, parse } from "csv-parse";
import { EvertError } from "../base/errors.ts";
import type { TopicColumnMessage } from "../client/protocol.ts";
import type { Progress } from "./progress.ts";

interface CsvRecord {
  readonly record: readonly string[];
  /** `lines`: the line the record ends on. */
  readonly info: { readonly lines: number };
}

const pieceChars = 64 * 1024;

export async function* csvToNdjson(
  input: Readable,
  columns: readonly TopicColumnMessage[],
  delimiter: string,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  const types = new Map(columns.map((column) => [column.name, column.type]));
  const names: string[] = [];
  const counter = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      progress.advance(chunk.length, 0);
      done(null, chunk);
    },
  });
  const parser = parse({
    bom: true,
    info: true,
    delimiter,
    skip_empty_lines: true,
    // The parser reads ahead of the loop below: the first record gives the names here.
    cast: (value: string, context: CastingContext) => {
      if (context.records > 0) return cellJson(value, types.get(names[context.index] ?? ""), context.quoting);
      names[context.index] = value;
      return value;
    },
  });
  // Without a loop over it, an input that fails would leave the parser waiting.
  input.on("error", (error) => parser.destroy(error));
  const records = input.pipe(counter).pipe(parser) as AsyncIterable<CsvRecord>;
  const encoder = new TextEncoder();
  let prefixes: string[] | undefined;
  let piece = "";
  let rows = 0;
  let lines = 0;
  try {
    for await (const { record, info } of records) {
      if (prefixes === undefined) {
        refuseRepeated(names);
        prefixes = names.map((name, i) => `${i === 0 ? "{" : ","}${JSON.stringify(name)}:`);
        continue;
      }
      // Blank lines stand for the header and for line breaks within cells, so that an error names the line of the CSV.
      for (; lines < info.lines - 1; lines++) piece += "\n";
      lines++;
      for (let i = 0; i < prefixes.length; i++) piece += prefixes[i]! + record[i]!;
      piece += "}\n";
      rows++;
      if (piece.length < pieceChars) continue;
      progress.advance(0, rows);
      yield encoder.encode(piece);
      piece = "";
      rows = 0;
    }
  } catch (cause) {
    // As with NDJSON, what stands before the bad line is stored.
    if (piece !== "") yield encoder.encode(piece);
    throw csvError(cause);
  }
  progress.advance(0, rows);
  if (piece !== "") yield encoder.encode(piece);
}

function refuseRepeated(names: readonly string[]): void {
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated === undefined) return;
  throw new EvertError("duplicate_column", `line 1: the column "${repeated}" stands in the header twice`);
}

/** A cell as JSON text. */
export function cellJson(cell: string, type: string | undefined, quoted: boolean): string {
  if (cell === "" && !quoted) return "null";
  switch (type) {
    case "int2":
    case "int4":
    case "int8":
    case "float4":
    case "float8":
    case "numeric": {
      const trimmed = cell.trim();
      return /^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$/.test(trimmed)
        ? trimmed
        : JSON.stringify(trimmed);
    }
    case "bool": {
      const word = cell.trim().toLowerCase();
      if (/^(t|true|y|yes|on|1)$/.test(word)) return "true";
      return /^(f|false|n|no|off|0)$/.test(word) ? "false" : JSON.stringify(cell);
    }
    case "json":
    case "jsonb":
      return isJson(cell) ? cell.replace(/[\r\n]+/g, " ") : JSON.stringify(cell);
    default:
      return JSON.stringify(cell);
  }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function csvError(cause: unknown): unknown {
  if (!(cause instanceof CsvError)) return cause;
  const line = "lines" in cause && typeof cause.lines === "number" ? `line ${cause.lines}: ` : "";
  return new EvertError("invalid_text_representation", `${line}the CSV cannot be read`, {
    detail: cause.message,
    cause,
  });
}
