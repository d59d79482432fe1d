/** A server of event streams that says exactly what a test tells it to. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { ChangeMessage, SnapshotMessage } from "../../src/wire/http/event-messages.ts";

export interface Asked {
  readonly method: string;
  readonly url: URL;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

/** One stream a client has opened. */
export class Stream {
  /** [view, from] in the order asked. */
  readonly views: readonly (readonly [string, string | undefined])[];
  readonly closed: Promise<void>;
  readonly #response: ServerResponse;

  constructor(url: URL, response: ServerResponse) {
    const views: [string, string | undefined][] = [];
    for (const [name, value] of url.searchParams) {
      if (name === "view") views.push([value, undefined]);
      if (name === "from") views[views.length - 1]![1] = value;
    }
    this.views = views;
    this.#response = response;
    this.closed = new Promise((resolve) => response.on("close", () => resolve()));
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
  }

  raw(text: string | Uint8Array): void {
    this.#response.write(text);
  }

  event(event: string, data: unknown): void {
    this.raw(eventText(event, data));
  }

  snapshot(view: string, position: string, rows: readonly Row[], shape: Partial<SnapshotMessage> = {}): void {
    this.event("snapshot", snapshotOf(view, position, rows, shape));
  }

  step(position: string, views: Record<string, readonly ChangeMessage[]>): void {
    this.event("step", { position, views });
  }

  end(): void {
    this.#response.end();
  }

  /** As a server that is killed. */
  destroy(): void {
    this.#response.destroy();
  }
}

export type Row = { readonly id: number; readonly [column: string]: string | number | boolean | null };

export function snapshotOf(
  view: string,
  position: string,
  rows: readonly Row[],
  shape: Partial<SnapshotMessage> = {},
) {
  return {
    view,
    columns: [
      { name: "id", type: "int4" },
      { name: "name", type: "text" },
    ],
    keyColumns: ["id"],
    order: [],
    rows: rows.map((row) => ({ key: row.id, row })),
    position,
    last: true,
    ...shape,
  } satisfies SnapshotMessage;
}

export function eventText(event: string, data: unknown): string {
  const position = (data as { position?: string }).position;
  return `event: ${event}\n${position === undefined ? "" : `id: ${position}\n`}data: ${JSON.stringify(data)}\n\n`;
}

export const insert = (row: Row): ChangeMessage => ({ op: "insert", key: row.id, row });
export const update = (row: Row, old: Row): ChangeMessage => ({ op: "update", key: row.id, row, old });
export const remove = (old: Row): ChangeMessage => ({ op: "delete", key: old.id, old });

export type Answer = { readonly status?: number; readonly body: unknown } | "break";

export class FakeServer {
  readonly asked: Asked[] = [];
  /** What requests other than streams get. "break" destroys the socket after the request was read. */
  answer: (asked: Asked) => Answer = () => ({
    status: 404,
    body: { error: { code: "not_found", message: "no" } },
  });
  /** Refuses streams with this instead of opening them. */
  refuseStreams: Answer | undefined;

  readonly #streams: Stream[] = [];
  readonly #waiting: ((stream: Stream) => void)[] = [];
  #server: Server | undefined;
  #port = 0;

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** Listens; after a stop, on the same port again. */
  async start(): Promise<this> {
    const server = createServer((request, response) => void this.#serve(request, response));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(this.#port, "127.0.0.1", resolve);
    });
    this.#port = (server.address() as AddressInfo).port;
    return this;
  }

  async stop(): Promise<void> {
    const server = this.#server;
    if (server === undefined) return;
    this.#server = undefined;
    const stopped = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeAllConnections();
    await stopped;
  }

  /** The next stream that is opened, or was opened and not yet taken. */
  stream(): Promise<Stream> {
    const stream = this.#streams.shift();
    return stream ? Promise.resolve(stream) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url!, this.url);
    let body = "";
    for await (const chunk of request.setEncoding("utf8")) body += chunk;
    const asked = { method: request.method!, url, headers: request.headers, body };
    this.asked.push(asked);
    const stream = url.pathname === "/v1/subscribe" && this.refuseStreams === undefined;
    if (stream) {
      const opened = new Stream(url, response);
      const waiting = this.#waiting.shift();
      if (waiting) waiting(opened);
      else this.#streams.push(opened);
      return;
    }
    const answer = url.pathname === "/v1/subscribe" ? this.refuseStreams! : this.answer(asked);
    if (answer === "break") {
      response.destroy();
      return;
    }
    response.writeHead(answer.status ?? 200, { "content-type": "application/json" });
    response.end(typeof answer.body === "string" ? answer.body : JSON.stringify(answer.body));
  }
}
