/** evert append TOPIC [FILE]: NDJSON, JSON, CSV, Parquet or Avro into a topic, in chunks, as fast as the server takes it. */
import { Readable } from "node:stream";
import { type Command, Option } from "commander";
import { EvertError, toEvertError } from "../base/errors.ts";
import { appendAvroFile } from "./append-avro.ts";
import { appendLines, type Committed, isUnanswered, producerId } from "./append-lines.ts";
import { type AppendFormat, appendFormats, openSource, type Source } from "./append-source.ts";
import { Interrupted } from "./exit.ts";
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
  const interruption = onInterrupt(() => {
    // No more is read; what has been sent is answered.
    unread.isOver = true;
    void source.close();
  });
  const id = source.contentType === "application/json" ? undefined : producerId(options.producer);
  let committed: Committed | undefined;
  try {
    if (options.producer !== undefined && id === undefined) {
      throw new EvertError("feature_not_supported", "an array of JSON cannot be gone on with", {
        hint: "Use NDJSON, a record per line: jq -c '.[]'.",
      });
    }
    const onCommitted = (reached: Committed): void => {
      committed = reached;
    };
    const { contentType } = source;
    const { signal } = interruption;
    const { position, passedOver = 0 }: Committed =
      id === undefined
        ? await remote.append(topic, contentType, Readable.from(pieces, { objectMode: false }), onCommitted)
        : contentType === "application/avro"
          ? await appendAvroFile(remote, topic, pieces, id, progress, signal, onCommitted)
          : await appendLines(remote, topic, { pieces, unread, source }, id, signal, onCommitted);
    if (unread.error !== undefined) throw unread.error;
    if (!interruption.signal.aborted) {
      progress.stop();
      if (position !== null) await write(`${position}\n`);
      if (id !== undefined && passedOver > 0) process.stderr.write(`${passedOverText(passedOver, id)}\n`);
    }
  } catch (thrown) {
    if (!interruption.signal.aborted) {
      progress.stop();
      const error = ofHeader(toEvertError(unread.error ?? thrown), source);
      throw withCommitted(error, committed, id);
    }
  } finally {
    interruption.end();
    await source.close();
  }
  const { name } = interruption;
  if (name === null) return;
  progress.stop();
  throw new Interrupted(name, farText(committed), id === undefined ? undefined : goingOn(id));
}

/** The first signal ends the command in order, a second one at once. */
function onInterrupt(run: () => void): {
  readonly signal: AbortSignal;
  readonly name: NodeJS.Signals | null;
  end(): void;
} {
  const signals = ["SIGINT", "SIGTERM"] as const;
  const controller = new AbortController();
  const state = { signal: controller.signal, name: null as NodeJS.Signals | null, end };
  function end(): void {
    for (const signal of signals) process.off(signal, ask);
  }
  function ask(name: NodeJS.Signals): void {
    end();
    state.name = name;
    controller.abort();
    run();
  }
  for (const signal of signals) process.on(signal, ask);
  return state;
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
  committed: Committed | undefined,
  id: string | undefined,
): EvertError {
  const isOpen = committed?.isOpen ?? (committed === undefined && isUnanswered(error));
  // Nothing has been sent.
  if (committed === undefined && !(isOpen && id === undefined)) return error;
  const far = isOpen
    ? farText(committed)
    : committed?.count === 0
      ? "Nothing was committed."
      : `Committed before that: ${committed?.count}, up to position ${committed?.position}.`;
  const hints = [error.hint, isOpen && id !== undefined ? goingOn(id) : undefined];
  const hint = hints.filter((text) => text !== undefined).join(" ");
  return new EvertError(error.code, error.message, {
    detail: error.detail === undefined ? far : `${error.detail.replace(/\.$/, "")}. ${far}`,
    hint: hint === "" ? undefined : hint,
    sqlstate: error.sqlstate,
    cause: error,
  });
}

/** Where it was broken off. */
function farText(committed: Committed | undefined): string {
  if (committed === undefined) return "How much has been committed is not known.";
  const { count, position, isOpen = false } = committed;
  const records = count === 1 ? "1 record was" : `${count === 0 ? "no" : count} records were`;
  const known = count === 0 ? `${records} committed` : `${records} committed, up to position ${position}`;
  return isOpen ? `As far as is known ${known}: what was not answered may be, too.` : `${upper(known)}.`;
}

/** They are counted, not compared: who gave the name to other records is to learn of it. */
function passedOverText(count: number, id: string): string {
  const records = count === 1 ? "the first record was" : `the first ${count} records were`;
  return `note: ${records} passed over: an earlier run stored as many as ${id}. Other records need another --producer.`;
}

function upper(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function goingOn(id: string): string {
  return `The same records with --producer ${id}: it goes on behind those that are stored.`;
}
