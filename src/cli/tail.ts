/** evert tail TOPIC */
import type { Command } from "commander";
import { EvertError } from "../base/errors.ts";
import { UsageError } from "./exit.ts";
import { outputClosed, whenOutputCloses, write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";

interface TailOptions extends RemoteOptions {
  readonly from: string;
  readonly follow?: boolean;
  readonly limit?: string;
}

export function tailCommand(evert: Command): void {
  withRemote(
    evert
      .command("tail <topic>")
      .description("print a topic's records, one JSON object per line")
      .option("--from <where>", "earliest, latest or an offset", "earliest")
      .option("-f, --follow", "go on with new records")
      .option("--limit <count>", "stop after so many records"),
  ).action(tail);
}

async function tail(topic: string, options: TailOptions): Promise<void> {
  if (!/^(earliest|latest|[0-9]{1,15})$/.test(options.from)) {
    throw new UsageError(`--from must be earliest, latest or an offset: ${options.from}`);
  }
  const query = new URLSearchParams({ from: options.from });
  if (options.limit !== undefined) {
    if (!/^[0-9]{1,15}$/.test(options.limit))
      throw new UsageError(`--limit must be a count: ${options.limit}`);
    query.set("limit", options.limit);
  }
  if (options.follow) query.set("follow", "true");
  const remote = new Remote(options);
  const stop = new AbortController();
  const path = `/v1/topics/${encodeURIComponent(topic)}/records?${query}`;
  const body = await remote.stream(path, "application/x-ndjson", stop.signal);
  whenOutputCloses(() => stop.abort());
  let lines = 0;
  try {
    for await (const chunk of body) {
      for (const byte of chunk) if (byte === 0x0a) lines++;
      await write(chunk);
      if (outputClosed()) break;
    }
  } catch (cause) {
    if (outputClosed()) return;
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
    hint: "It was probably stopped. --from OFFSET goes on where this ended.",
  });
}

function printed(records: number): string {
  return `${records} ${records === 1 ? "record was" : "records were"} printed.`;
}
