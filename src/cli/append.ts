/** evert append TOPIC [FILE]: NDJSON, JSON, CSV or Parquet into a topic, in chunks, as fast as the server takes it. */
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { extname } from "node:path";
import { Readable } from "node:stream";
import { type Command, Option } from "commander";
import { EvertError } from "../base/errors.ts";
import type { ChunkedProgress, TopicsAnswer } from "../client/protocol.ts";
import { UsageError } from "./exit.ts";
import { write } from "./output.ts";
import { type Progress, startProgress } from "./progress.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";

const formats = ["ndjson", "json", "csv", "tsv", "parquet"] as const;
type Format = (typeof formats)[number];

const extensions: Readonly<Record<string, Format>> = {
  ".ndjson": "ndjson",
  ".jsonl": "ndjson",
  ".json": "json",
  ".csv": "csv",
  ".tsv": "tsv",
  ".parquet": "parquet",
};

interface AppendOptions extends RemoteOptions {
  readonly format?: Format;
}

export function appendCommand(evert: Command): void {
  withRemote(
    evert
      .command("append <topic> [file]")
      .description("append records from a file or standard input; prints the position")
      .addOption(
        new Option("--format <format>", "default: by the file's name, else ndjson").choices(formats),
      ),
  ).action(append);
}

async function append(topic: string, file: string | undefined, options: AppendOptions): Promise<void> {
  const format = options.format ?? (file === undefined ? "ndjson" : formatOf(file));
  const remote = new Remote(options);
  const source = await openSource(remote, topic, file, format);
  const progress = startProgress(topic, source.total, source.unit);
  let committed: ChunkedProgress | undefined;
  try {
    const body = Readable.from(source.open(progress), { objectMode: false });
    const { position } = await remote.append(topic, source.contentType, body, (reached) => {
      committed = reached;
    });
    progress.stop();
    if (position !== null) await write(`${position}\n`);
  } catch (error) {
    progress.stop();
    throw error instanceof EvertError && committed !== undefined ? withCommitted(error, committed) : error;
  } finally {
    // Refused half-way, the process would otherwise wait for a sender that may go on for ever.
    if (file === undefined) process.stdin.destroy();
  }
}

function formatOf(file: string): Format {
  const format = extensions[extname(file).toLowerCase()];
  if (format !== undefined) return format;
  throw new UsageError(`what is in ${file}? Say it with --format ${formats.join("|")}.`);
}

interface Source {
  readonly contentType: string;
  /** What the progress bar counts to, if that is known. */
  readonly total: number | undefined;
  readonly unit: "bytes" | "rows";
  open(progress: Progress): AsyncIterable<Uint8Array>;
}

async function openSource(
  remote: Remote,
  topic: string,
  file: string | undefined,
  format: Format,
): Promise<Source> {
  const contentType = format === "json" ? "application/json" : "application/x-ndjson";
  if (format === "parquet") {
    if (file === undefined)
      throw new UsageError("Parquet is read from its end: give a file, not standard input");
    const { parquetRows, parquetToNdjson } = await import("./parquet-input.ts");
    const total = await parquetRows(file);
    return { contentType, total, unit: "rows", open: (progress) => parquetToNdjson(file, progress) };
  }
  const total = file === undefined ? undefined : await fileBytes(file);
  const bytes = () => (file === undefined ? process.stdin : createReadStream(file));
  if (format === "csv" || format === "tsv") {
    const { topics } = await remote.get<TopicsAnswer>("/v1/topics");
    const columns = topics.find((known) => known.name === topic)?.columns;
    if (columns === undefined) {
      throw new EvertError("undefined_table", `topic "${topic}" does not exist`, {
        hint: "evert topics lists them.",
      });
    }
    const { csvToNdjson } = await import("./csv-input.ts");
    const delimiter = format === "csv" ? "," : "\t";
    return {
      contentType,
      total,
      unit: "bytes",
      open: (progress) => csvToNdjson(bytes(), columns, delimiter, progress),
    };
  }
  return { contentType, total, unit: "bytes", open: (progress) => counted(bytes(), progress) };
}

async function fileBytes(file: string): Promise<number | undefined> {
  try {
    const info = await stat(file);
    return info.isFile() ? info.size : undefined;
  } catch (cause) {
    throw new EvertError("io_error", `cannot read ${file}`, { detail: (cause as Error).message, cause });
  }
}

async function* counted(bytes: Readable, progress: Progress): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const chunk of bytes as AsyncIterable<Uint8Array>) {
    let rows = 0;
    for (const byte of chunk) if (byte === 0x0a) rows++;
    progress.advance(chunk.length, rows);
    yield chunk;
  }
}

function withCommitted(error: EvertError, { count, position }: ChunkedProgress): EvertError {
  const far =
    count === 0 ? "Nothing was committed." : `Committed before that: ${count}, up to position ${position}.`;
  return new EvertError(error.code, error.message, {
    detail: error.detail === undefined ? far : `${error.detail}. ${far}`,
    hint: error.hint,
    sqlstate: error.sqlstate,
    cause: error,
  });
}
