/** evert tail TOPIC */
import type { Command } from "commander";
import { EvertError } from "../base/errors.ts";
import { isTimeText } from "../engine/read-time.ts";
import { UsageError } from "./exit.ts";
import { outputClosed, whenOutputCloses, write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { TailConsumer } from "./tail-consumer.ts";

const lineFeed = 0x0a;

interface TailOptions extends RemoteOptions {
  readonly from?: string;
  readonly reset?: boolean;
  readonly follow?: boolean;
  readonly limit?: string;
  readonly consumer?: string;
}

export function tailCommand(evert: Command): void {
  withRemote(
    evert
      .command("tail <topic>")
      .description("print a topic's records, one JSON object per line")
      .option("--from <where>", "earliest (default), latest, an offset, a time, or how long ago (15m)")
      .option("-f, --follow", "go on with new records")
      .option("--limit <count>", "stop after so many records")
      .option(
        "--consumer <name>",
        "go on where this name has come, and remember it; --from is where a new one begins",
      )
      .option("--reset", "with --consumer: one that is known begins at --from, too"),
  ).action(tail);
}

/** As the server takes it: how long ago becomes a time, by this machine's clock, and 1970 where that is longer ago than any log is. */
function startOf(from: string): string {
  const ago = /^([0-9]{1,9})(s|m|h|d)$/.exec(from);
  if (ago !== null)
    return new Date(Math.max(0, Date.now() - Number(ago[1]) * MS[ago[2] as keyof typeof MS])).toISOString();
  // A day that no calendar has is as wrong as a word: the server's own reading says which are times.
  if (/^(earliest|latest|[0-9]{1,15})$/.test(from) || isTimeText(from)) return from;
  throw new UsageError(
    `--from must be earliest, latest, an offset, a time (2026-11-21T09:00Z) or how long ago (90s, 15m, 2h, 1d): ${from}`,
  );
}

const MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

async function tail(topic: string, options: TailOptions): Promise<void> {
  if (options.reset && options.consumer === undefined) throw new UsageError("--reset is of a --consumer");
  const from = startOf(options.from ?? "earliest");
  const query = new URLSearchParams();
  if (options.limit !== undefined) {
    if (!/^[0-9]{1,15}$/.test(options.limit))
      throw new UsageError(`--limit must be a count: ${options.limit}`);
    query.set("limit", options.limit);
  }
  if (options.follow) query.set("follow", "true");
  const remote = new Remote(options);
  const name = options.consumer;
  const start = { from, isSaid: options.from !== undefined, resets: options.reset === true };
  const consumer = name === undefined ? null : await TailConsumer.open(remote, name, topic, start);
  query.set("from", consumer === null ? from : String(consumer.offset));
  const stop = new AbortController();
  const path = `/v1/topics/${encodeURIComponent(topic)}/records?${query}`;
  whenOutputCloses(() => stop.abort());
  const body = await remote.stream(path, "application/x-ndjson", stop.signal).catch((error: unknown) => {
    if (outputClosed()) return null;
    throw error;
  });
  if (body === null) return;
  if (consumer !== null) consumer.onFailed = () => stop.abort();
  let lines = 0;
  try {
    for await (const piece of withRecords(body)) {
      const chunk = consumer === null ? piece : consumer.take(piece);
      for (const byte of chunk) if (byte === lineFeed) lines++;
      await write(chunk);
      if (outputClosed()) break;
      consumer?.printed();
    }
    await consumer?.done();
  } catch (cause) {
    if (outputClosed()) return;
    if (consumer?.failure != null) throw consumer.failure;
    throw new EvertError("connection_failed", `the connection to ${remote.url} broke`, {
      detail: printed(lines),
      cause,
    });
  } finally {
    stop.abort();
  }
  if (outputClosed() || !options.follow || lines === Number(options.limit)) return;
  throw new EvertError("connection_failed", `the server at ${remote.url} ended the stream`, {
    detail: printed(lines),
    hint:
      consumer === null
        ? "It was probably stopped. --from OFFSET goes on where this ended."
        : "It was probably stopped. The same command goes on where this ended.",
  });
}

/** Without empty lines, by which the server says that it is there. */
async function* withRecords(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
  let before = lineFeed;
  for await (const piece of body) {
    let end = 0;
    for (const byte of piece) {
      if (byte !== lineFeed || before !== lineFeed) piece[end++] = byte;
      before = byte;
    }
    if (end > 0) yield piece.subarray(0, end);
  }
}

function printed(records: number): string {
  return `${records} ${records === 1 ? "record was" : "records were"} printed.`;
}
