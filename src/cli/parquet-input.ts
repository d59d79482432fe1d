/** Parquet to NDJSON: one row group in memory at a time, as columns; no object per row. */
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
} from "hyparquet";
import { EvertError } from "../base/errors.ts";
import type { Progress } from "./progress.ts";

const pieceChars = 64 * 1024;

type ReadOptions = Parameters<typeof parquetRead>[0];

/** What hyparquet does not bring itself, Node has. */
const compressors: ReadOptions["compressors"] = {
  ZSTD: (input) => zstdDecompressSync(input),
  GZIP: (input) => gunzipSync(input),
  BROTLI: (input) => brotliDecompressSync(input),
};

/** Times as ISO 8601, with all their digits; a time without a zone is one in UTC. */
const parsers: ReadOptions["parsers"] = {
  timestampFromMilliseconds: (ms) => isoFromMicros(ms * 1000n),
  timestampFromMicroseconds: isoFromMicros,
  timestampFromNanoseconds: (ns) => isoFromMicros(ns / 1000n),
  dateFromDays: (days) => isoFromMicros(BigInt(days) * 86_400_000_000n).slice(0, -"T00:00:00.000000Z".length),
};

function isoFromMicros(micros: bigint): string {
  const fraction = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = (micros - fraction) / 1_000_000n;
  const iso = new Date(Number(seconds) * 1000).toISOString();
  return `${iso.slice(0, -"000Z".length)}${String(fraction).padStart(6, "0")}Z`;
}

export async function parquetRows(file: string, name: string): Promise<number> {
  return Number((await open(file, name)).metadata.num_rows);
}

/** PAR1, the rows, what is in them, the length of that in four bytes, PAR1. */
const magic = "PAR1";
const leastBytes = 12;

async function open(path: string, name: string) {
  const file = await asyncBufferFromFile(path);
  const lack = await lackOf(file);
  if (lack !== null) throw notParquet(name, lack);
  try {
    return { file, metadata: (await parquetMetadataAsync(file)) as FileMetaData };
  } catch (cause) {
    throw notParquet(name, reasonOf("What it says at its end about its rows", cause), cause);
  }
}

/** What shows already at both ends that it is no Parquet; null: nothing. */
async function lackOf(file: AsyncBuffer): Promise<string | null> {
  const { byteLength } = file;
  if (byteLength === 0) return "It is empty.";
  const text = async (start: number, end: number) =>
    new TextDecoder("latin1").decode(await file.slice(start, Math.min(end, byteLength)));
  if ((await text(0, magic.length)) !== magic) return `It does not begin with ${magic}.`;
  if (byteLength >= leastBytes && (await text(byteLength - magic.length, byteLength)) === magic) return null;
  return `It does not end with ${magic}: its end is missing.`;
}

/** @param name what the user calls the file, for errors. */
export async function* parquetToNdjson(
  path: string,
  name: string,
  progress: Progress,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { file, metadata } = await open(path, name);
  const encoder = new TextEncoder();
  let rowStart = 0;
  for (const group of metadata.row_groups) {
    const rowEnd = rowStart + Number(group.num_rows);
    const names: string[] = [];
    const columns: ArrayLike<unknown>[] = [];
    try {
      await parquetRead({
        file,
        metadata,
        rowStart,
        rowEnd,
        compressors,
        parsers,
        onChunk(chunk) {
          names.push(`${names.length === 0 ? "{" : ","}${JSON.stringify(chunk.columnName)}:`);
          columns.push(chunk.columnData);
        },
      });
    } catch (cause) {
      throw notParquet(name, reasonOf(`Rows ${rowStart + 1} to ${rowEnd}`, cause), cause);
    }
    let piece = "";
    let rows = 0;
    for (let row = 0; row < rowEnd - rowStart; row++) {
      for (let i = 0; i < columns.length; i++) piece += names[i]! + valueJson(columns[i]![row]);
      piece += "}\n";
      rows++;
      if (piece.length < pieceChars) continue;
      progress.advance(0, rows);
      yield encoder.encode(piece);
      piece = "";
      rows = 0;
    }
    progress.advance(0, rows);
    if (piece !== "") yield encoder.encode(piece);
    rowStart = rowEnd;
  }
}

/** A value as JSON text, integers with all their digits. */
function valueJson(value: unknown): string {
  switch (typeof value) {
    case "bigint":
      return String(value);
    case "number":
      return Number.isFinite(value) ? String(value) : `"${value}"`;
    case "object": {
      if (value === null) return "null";
      if (value instanceof Date) return JSON.stringify(value);
      if (value instanceof Uint8Array) return JSON.stringify(`\\x${Buffer.from(value).toString("hex")}`);
      if (Array.isArray(value)) return `[${value.map(valueJson).join(",")}]`;
      const members = Object.entries(value).map(
        ([name, inner]) => `${JSON.stringify(name)}:${valueJson(inner)}`,
      );
      return `{${members.join(",")}}`;
    }
    case "undefined":
      return "null";
    default:
      return JSON.stringify(value);
  }
}

/** The reader's own words where it has some: where it stumbled over bytes that make no sense, they are of no use to who has only the file. */
function reasonOf(where: string, cause: unknown): string {
  const stumbled = cause instanceof RangeError || cause instanceof TypeError || !(cause instanceof Error);
  return `${where} cannot be read: ${stumbled ? "damaged" : cause.message}.`;
}

function notParquet(name: string, detail: string, cause?: unknown): EvertError {
  return new EvertError("invalid_text_representation", `${name} cannot be read as Parquet`, {
    detail,
    cause,
  });
}
