/** evert append TOPIC [FILE]: NDJSON, JSON, CSV, Parquet or Avro into a topic, in chunks, as fast as the server takes it. */
import { Readable } from "node:stream";
import { type Command, Option } from "commander";
import { EvertError, toEvertError } from "../base/errors.ts";
import type { ChunkedProgress } from "../client/protocol.ts";
import { appendAvroFile } from "./append-avro.ts";
import { appendLines } from "./append-lines.ts";
import { type AppendFormat, appendFormats, openSource, type Source } from "./append-source.ts";
import { write } from "./output.ts";
import { startProgress } from "./progress.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";

interface AppendOptions extends RemoteOptions {
  readonly format?: AppendFormat;
  readonly producer?: string;
}

export function appendCommand(evert: Command): void {
  withRemote(
    evert
      .command("append <topic> [file]")
      .description("append records from a file or standard input; prints the position")
      .addOption(
        new Option("--format <format>", "default: by the file's name, else by how it begins").choices(
          appendFormats,
        ),
      )
      .option("--producer <name>", "the same name again goes on with the same records where it ended"),
  ).action(append);
}

async function append(topic: string, path: string | undefined, options: AppendOptions): Promise<void> {
  const remote = new Remote(options);
  const file = path === "-" ? undefined : path;
  const source = await openSource(remote, topic, file, options.format);
  const progress = startProgress(topic, source.total, source.unit);
  const unread = new SourceFailure();
  const pieces = unread.watch(source.open(progress));
  const lines = source.contentType === "application/x-ndjson";
  let committed: Pick<ChunkedProgress, "count" | "position"> | undefined;
  try {
    if (options.producer !== undefined && source.contentType === "application/json") {
      throw new EvertError("feature_not_supported", "an array of JSON cannot be gone on with", {
        hint: "Use NDJSON, a record per line: jq -c '.[]'.",
      });
    }
    const onCommitted = (reached: Pick<ChunkedProgress, "count" | "position">): void => {
      committed = reached;
    };
    const { contentType } = source;
    const { position } = lines
      ? await appendLines(remote, topic, { pieces, unread, source }, options.producer, onCommitted)
      : contentType === "application/avro"
        ? await appendAvroFile(remote, topic, pieces, options.producer, progress, onCommitted)
        : await remote.append(topic, contentType, Readable.from(pieces, { objectMode: false }), onCommitted);
    if (unread.error !== undefined) throw unread.error;
    progress.stop();
    if (position !== null) await write(`${position}\n`);
  } catch (thrown) {
    progress.stop();
    const error = ofHeader(toEvertError(unread.error ?? thrown), source);
    throw committed === undefined ? error : withCommitted(error, committed);
  } finally {
    await source.close();
  }
}

/** Why a source could not be read to its end. The request ends in order then, so that the server says how far it came. */
class SourceFailure {
  error: EvertError | undefined;
  /** It is ended on purpose: what that does to it is no failure. */
  isOver = false;

  async *watch(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    try {
      yield* pieces;
    } catch (thrown) {
      if (this.isOver) return;
      this.error =
        thrown instanceof EvertError
          ? thrown
          : new EvertError("io_error", "the input cannot be read", {
              detail: thrown instanceof Error ? thrown.message : String(thrown),
              cause: thrown,
            });
    }
  }
}

/** A column that there is not is the header's affair, whichever record shows it. */
function ofHeader(error: EvertError, { header }: Source): EvertError {
  if (header === undefined || error.code !== "undefined_column") return error;
  const message = error.message.replace(/^line \d+(?=:)/, `line ${header}`);
  const { detail, hint, sqlstate } = error;
  return new EvertError(error.code, message, { detail, hint, sqlstate, cause: error });
}

function withCommitted(
  error: EvertError,
  { count, position }: Pick<ChunkedProgress, "count" | "position">,
): EvertError {
  const far =
    count === 0 ? "Nothing was committed." : `Committed before that: ${count}, up to position ${position}.`;
  return new EvertError(error.code, error.message, {
    detail: error.detail === undefined ? far : `${error.detail.replace(/\.$/, "")}. ${far}`,
    hint: error.hint,
    sqlstate: error.sqlstate,
    cause: error,
  });
}
