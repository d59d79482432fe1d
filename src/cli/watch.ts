/**
 * evert watch VIEW [KEY]: the view, then its changes, live.
 *
 * On a terminal the rows stand as a table that follows them. In a pipe every change is a line of JSON, the rows there
 * are at first as inserts; after a lost connection it resumes where it was, and says so when it could not.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Command, Option } from "commander";
import { toEvertError } from "../base/errors.ts";
import { connect } from "../client/client.ts";
import type {
  ChangesMessage,
  ColumnMessage,
  ResetMessage,
  SnapshotMessage,
  StreamErrorMessage,
  ViewMessage,
} from "../client/protocol.ts";
import { decodeSseStream, SseDecoder } from "../client/protocol.ts";
import { errorFrom } from "../client/transport.ts";
import { parseExact, plainText } from "./exact-json.ts";
import { errorColors } from "./exit.ts";
import { outputClosed, whenOutputCloses, write } from "./output.ts";
import { Remote, type RemoteOptions, withRemote } from "./remote.ts";
import { tableText } from "./tables.ts";

interface WatchOptions extends RemoteOptions {
  readonly format?: "table" | "ndjson";
}

const reconnectMs = 1000;
/** A position from which nothing is resumed: a reset comes, and all of it. */
const NOTHING = "0";

export function watchCommand(evert: Command): void {
  withRemote(
    evert
      .command("watch <view> [key]")
      .description("show a view, or one row of it, and follow it")
      .addOption(
        new Option("--format <format>", "default: table on a terminal, else ndjson").choices([
          "table",
          "ndjson",
        ]),
      ),
  ).action(watch);
}

async function watch(view: string, key: string | undefined, options: WatchOptions): Promise<void> {
  const remote = new Remote(options);
  const format = options.format ?? (process.stdout.isTTY ? "table" : "ndjson");
  if (format === "ndjson") return watchLines(remote, view, key);
  return key === undefined ? watchTable(remote, view) : watchRow(remote, view, key);
}

/** The changes of a view, or of one row, from now on; it ends only with an error that connecting again cannot mend. */
async function* follow(remote: Remote, view: string, key: string | undefined, signal: AbortSignal) {
  const segment = key === undefined ? "" : `/${encodeURIComponent(key)}`;
  const path = `/v1/views/${encodeURIComponent(view)}/rows${segment}`;
  let from = "";
  /** Said once of each time that it is gone. */
  let isTold = false;
  for (let connected = false; ; ) {
    try {
      const query = from === "" ? "" : `?from=${encodeURIComponent(from)}`;
      const body = await remote.stream(path + query, "text/event-stream", signal);
      connected = true;
      isTold = false;
      // What is told from here on, and not to its end, does not hold when it is told once more.
      if (from === "") from = NOTHING;
      const decoder = new SseDecoder();
      for await (const event of decodeSseStream(body, decoder)) {
        if (event.id !== "") from = event.id;
        yield event;
      }
    } catch (thrown) {
      const error = toEvertError(thrown);
      if (signal.aborted) return;
      if (!connected || !error.retryable) throw error;
    }
    if (signal.aborted) return;
    if (!isTold) process.stderr.write(`${errorColors.dim("the connection ended; connecting again")}\n`);
    isTold = true;
    await sleep(reconnectMs, undefined, { signal }).catch(() => undefined);
    if (signal.aborted) return;
  }
}

async function watchLines(remote: Remote, view: string, key: string | undefined): Promise<void> {
  const stop = new AbortController();
  whenOutputCloses(() => stop.abort());
  for await (const event of follow(remote, view, key, stop.signal)) {
    await write(linesOf(event.event, event.data));
    if (outputClosed()) return;
  }
}

function linesOf(event: string, data: string): string {
  const message = parseExact(data);
  switch (event) {
    case "snapshot": {
      const { rows, position } = message as SnapshotMessage;
      return rows.map((row) => `${JSON.stringify({ position, op: "insert", ...row })}\n`).join("");
    }
    case "change": {
      const { changes, position } = message as ChangesMessage;
      return changes.map((change) => `${JSON.stringify({ position, ...change })}\n`).join("");
    }
    case "reset":
      return `${JSON.stringify({ op: "reset", reason: (message as ResetMessage).reason })}\n`;
    case "error": {
      const { error, final } = message as StreamErrorMessage;
      if (!final) return `${JSON.stringify({ op: "error", error })}\n`;
      const thrown = errorFrom(error);
      // The server says goodbye, and will be there again.
      if (thrown.retryable) return "";
      throw thrown;
    }
  }
  return "";
}

/** The whole view, drawn again whenever it changes. */
async function watchTable(remote: Remote, name: string): Promise<void> {
  const { columns } = await remote.get<ViewMessage>(`/v1/views/${encodeURIComponent(name)}`);
  const client = connect(remote.url, { token: remote.token, notifyIntervalMs: 100 });
  const live = client.view(name);
  await new Promise<void>((resolve) => {
    const draw = () => {
      const { rows, position, status, error } = live.snapshot;
      const shown = rows.slice(0, Math.max(1, (process.stdout.rows || 24) - 5));
      const cells = shown.map((row) => columns.map((column) => cellText(row[column.name])));
      const more = rows.length > shown.length ? `, ${rows.length - shown.length} more rows` : "";
      const state = error === undefined ? status : `${status}: ${error.message}`;
      redraw(`${tableText(columns, cells)}\n(${state}, position ${position ?? "-"}${more})`);
    };
    const unsubscribe = live.subscribe(draw);
    process.stdout.on("resize", draw);
    const leave = () => {
      unsubscribe();
      process.stdout.off("resize", draw);
      client.close();
      resolve();
    };
    process.once("SIGINT", leave);
    whenOutputCloses(leave);
    draw();
  });
}

/** One row, a line per column. */
async function watchRow(remote: Remote, view: string, key: string): Promise<void> {
  const { columns } = await remote.get<ViewMessage>(`/v1/views/${encodeURIComponent(view)}`);
  const stop = new AbortController();
  process.once("SIGINT", () => stop.abort());
  whenOutputCloses(() => stop.abort());
  for await (const { event, data } of follow(remote, view, key, stop.signal)) {
    const message = parseExact(data);
    if (event === "snapshot") {
      const { rows, position } = message as SnapshotMessage;
      drawRow(columns, rows[0]?.row, position);
    } else if (event === "change") {
      const { changes, position } = message as ChangesMessage;
      const last = changes.at(-1);
      drawRow(columns, last === undefined || last.op === "delete" ? undefined : last.row, position);
    } else if (event === "error") {
      const { error, final } = message as StreamErrorMessage;
      const thrown = errorFrom(error);
      // The server says goodbye, and will be there again.
      if (!final || !thrown.retryable) throw thrown;
    }
  }
}

function drawRow(
  columns: readonly ColumnMessage[],
  row: Readonly<Record<string, unknown>> | undefined,
  position: string,
): void {
  const lines = columns.map((column) => [column.name, row === undefined ? null : cellText(row[column.name])]);
  const table = tableText(
    [
      { name: "column", type: "text" },
      { name: "value", type: "text" },
    ],
    row === undefined ? [] : lines,
  );
  redraw(`${table}\n(${row === undefined ? "no such row, " : ""}position ${position})`);
}

function cellText(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  return typeof value === "bigint" ? String(value) : plainText(value);
}

/** Home, every line cleared to its end, then everything below. */
function redraw(text: string): void {
  const lines = text.split("\n").map((line) => `${line}\u001b[K\n`);
  process.stdout.write(`\u001b[H${lines.join("")}\u001b[J`);
}
