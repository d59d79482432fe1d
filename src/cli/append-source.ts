/**
 * What `evert append` reads: a file or standard input, in the format that is said, that the file's name says, or that its
 * beginning shows:
 *
 *   1. `PAR1` is Parquet, `Obj` and a byte 1 an Avro file, an opening brace NDJSON, an opening bracket JSON.
 *   2. A first line that begins with the name of one of the topic's columns is the header of CSV, or of TSV if a tab follows.
 *   3. Anything else is taken for NDJSON, and refused as such.
 */
import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { EvertError } from "../base/errors.ts";
import type { TopicColumnMessage, TopicsAnswer } from "../client/protocol.ts";
import { unreadable } from "./exit.ts";
import type { Progress } from "./progress.ts";
import type { Remote } from "./remote.ts";

export const appendFormats = ["ndjson", "json", "csv", "tsv", "parquet", "avro"] as const;
export type AppendFormat = (typeof appendFormats)[number];

const extensions: Readonly<Record<string, AppendFormat>> = {
  ".ndjson": "ndjson",
  ".jsonl": "ndjson",
  ".json": "json",
  ".csv": "csv",
  ".tsv": "tsv",
  ".parquet": "parquet",
  ".avro": "avro",
};

/** A first line longer than this is no header. */
const beginningBytesMax = 64 * 1024;

export interface Source {
  readonly contentType: string;
  /** What the progress bar counts to, if that is known. */
  readonly total: number | undefined;
  readonly unit: "bytes" | "rows";
  /** The line that names the columns, of a format that has one. */
  readonly header?: number;
  open(progress: Progress): AsyncIterable<Uint8Array>;
  /** Call when done, however it ended. */
  close(): Promise<void>;
}

/** @throws EvertError when the file cannot be read, or the topic is not there. */
export async function openSource(
  remote: Remote,
  topic: string,
  file: string | undefined,
  said: AppendFormat | undefined,
): Promise<Source> {
  const total = file === undefined ? undefined : await fileBytes(file);
  const opened = file === undefined ? process.stdin : createReadStream(file);
  // A refusal half-way leaves a sender that may go on for ever: the process must not wait for it.
  const close = async () => void opened.destroy();
  try {
    const named = file === undefined ? undefined : extensions[extname(file).toLowerCase()];
    let format = said ?? named;
    let bytes: Readable = opened;
    if (format === undefined) {
      const { beginning, all } = await peek(opened);
      bytes = all;
      format = formatOf(beginning) ?? headerFormat(beginning, await columnsOf(remote, topic));
    }
    switch (format) {
      case "parquet":
        // A pipe has no size: what comes by one lies in a file first.
        return total === undefined ? await parquetPipe(bytes, close) : await parquetFile(file!, file!, close);
      case "avro": {
        const open = (progress: Progress) => counted(bytes, progress, false);
        return { contentType: "application/avro", total, unit: "bytes", open, close };
      }
      case "csv":
      case "tsv": {
        const columns = await columnsOf(remote, topic);
        const { csvToNdjson } = await import("./csv-input.ts");
        const delimiter = format === "csv" ? "," : "\t";
        const open = (progress: Progress) => csvToNdjson(bytes, columns, delimiter, progress);
        return { contentType: "application/x-ndjson", total, unit: "bytes", header: 1, open, close };
      }
      case "json":
      case "ndjson": {
        const contentType = format === "json" ? "application/json" : "application/x-ndjson";
        return { contentType, total, unit: "bytes", open: (progress) => counted(bytes, progress), close };
      }
    }
  } catch (error) {
    await close();
    throw error;
  }
}

/** The bytes of a file; undefined for a pipe and the like. */
async function fileBytes(file: string): Promise<number | undefined> {
  try {
    const info = await stat(file);
    if (info.isDirectory()) throw new Error("it is a directory");
    return info.isFile() ? info.size : undefined;
  } catch (cause) {
    throw unreadable(file, cause);
  }
}

/** The first line, as far as it has come, and everything with it. */
async function peek(input: Readable): Promise<{ beginning: Uint8Array; all: Readable }> {
  const chunks = (input as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const first: Uint8Array[] = [];
  let size = 0;
  for (let lineEnd = false; !lineEnd && size < beginningBytesMax; ) {
    const { value, done } = await chunks.next();
    if (done) break;
    first.push(value);
    size += value.length;
    lineEnd = value.includes(0x0a);
  }
  async function* all(): AsyncGenerator<Uint8Array, void, undefined> {
    yield* first;
    yield* { [Symbol.asyncIterator]: () => chunks };
  }
  return { beginning: Buffer.concat(first), all: Readable.from(all(), { objectMode: false }) };
}

function formatOf(beginning: Uint8Array): AppendFormat | undefined {
  const text = new TextDecoder().decode(beginning.subarray(0, beginningBytesMax)).trimStart();
  if (text === "" || text.startsWith("{")) return "ndjson";
  if (text.startsWith("[")) return "json";
  if (text.startsWith("Obj\u0001")) return "avro";
  return text.startsWith("PAR1") ? "parquet" : undefined;
}

function headerFormat(beginning: Uint8Array, columns: readonly TopicColumnMessage[]): AppendFormat {
  const line = new TextDecoder().decode(beginning).split(/\r?\n/, 1)[0]!;
  const delimiter = line.includes("\t") ? "\t" : ",";
  const first = line
    .split(delimiter, 1)[0]!
    .trim()
    .replace(/^"(.*)"$/, "$1");
  if (!columns.some((column) => column.name === first)) return "ndjson";
  return delimiter === "\t" ? "tsv" : "csv";
}

async function columnsOf(remote: Remote, topic: string): Promise<readonly TopicColumnMessage[]> {
  const { topics } = await remote.get<TopicsAnswer>("/v1/topics");
  const columns = topics.find((known) => known.name === topic)?.columns;
  if (columns !== undefined) return columns;
  throw new EvertError("undefined_table", `topic "${topic}" does not exist`, {
    hint: "evert topics lists them.",
  });
}

async function parquetPipe(bytes: Readable, closeInput: () => Promise<void>): Promise<Source> {
  const directory = await mkdtemp(join(tmpdir(), "evert-append-"));
  const close = async () => {
    await closeInput();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const file = join(directory, "records.parquet");
    await pipeline(bytes, createWriteStream(file, { mode: 0o600 }));
    return await parquetFile(file, "standard input", close);
  } catch (error) {
    await close();
    throw error;
  }
}

/** @param name what the user calls the file, for errors. */
async function parquetFile(file: string, name: string, close: () => Promise<void>): Promise<Source> {
  const { parquetRows, parquetToNdjson } = await import("./parquet-input.ts");
  const total = await parquetRows(file, name);
  const open = (progress: Progress) => parquetToNdjson(file, name, progress);
  return { contentType: "application/x-ndjson", total, unit: "rows", open, close };
}

async function* counted(
  bytes: Readable,
  progress: Progress,
  lines = true,
): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
    let rows = 0;
    if (lines) for (const byte of chunk) if (byte === 0x0a) rows++;
    progress.advance(chunk.length, rows);
    yield chunk;
  }
}
