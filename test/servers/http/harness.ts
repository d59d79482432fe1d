/** What the tests of the HTTP server start from. */
import {
  createHttpServer,
  type HttpServer,
  type HttpServerOptions,
} from "../../../src/servers/http/server.ts";
import { decodeSseStream, type SseEvent } from "../../../src/wire/http/sse.ts";
import { FakeEngine } from "../fake-engine.ts";

export interface Answer {
  readonly status: number;
  readonly position: string | null;
  readonly body: never;
  readonly text: string;
}

/** Requests to a server. */
export class Client {
  readonly url: string;
  readonly #streams: Events[] = [];

  constructor(url: string) {
    this.url = url;
  }

  /** Ends the event streams it opened. */
  async close(): Promise<void> {
    for (const stream of this.#streams) await stream.close();
  }

  fetch(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, init);
  }

  async request(path: string, init: RequestInit = {}): Promise<Answer> {
    const response = await this.fetch(path, init);
    const text = await response.text();
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    return {
      status: response.status,
      position: response.headers.get("Evert-Position"),
      text,
      body: (isJson ? JSON.parse(text) : undefined) as never,
    };
  }

  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.request(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  }

  ndjson(path: string, body: RequestInit["body"], headers: Record<string, string> = {}): Promise<Answer> {
    return this.request(path, {
      method: "POST",
      headers: { "Content-Type": "application/x-ndjson", ...headers },
      body: body ?? null,
      ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
    } as RequestInit);
  }

  async events(path: string, headers: Record<string, string> = {}): Promise<Events> {
    const events = await Events.open(this.url + path, headers);
    this.#streams.push(events);
    return events;
  }
}

/** A server over the fake engine, and its client. */
export class Harness extends Client {
  readonly engine: FakeEngine;
  readonly server: HttpServer;

  private constructor(engine: FakeEngine, server: HttpServer) {
    super(server.url);
    this.engine = engine;
    this.server = server;
  }

  static async start(options: Partial<HttpServerOptions> = {}): Promise<Harness> {
    const engine = new FakeEngine();
    return new Harness(engine, await createHttpServer(engine, { port: 0, ...options }));
  }

  async stop(): Promise<void> {
    await this.close();
    await this.server.close();
  }

  song(id: number, name: string): Promise<Answer> {
    return this.post("/v1/topics/songs/records", { id, name });
  }
}

/** An open event stream. */
export class Events {
  readonly response: Response;
  readonly #iterator: AsyncGenerator<SseEvent, void, undefined>;
  readonly #abort: AbortController;

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
    this.#iterator = decodeSseStream(response.body!);
  }

  static async open(url: string, headers: Record<string, string>): Promise<Events> {
    const abort = new AbortController();
    const response = await fetch(url, {
      headers: { Accept: "text/event-stream", ...headers },
      signal: abort.signal,
    });
    return new Events(response, abort);
  }

  /** The next event, its data parsed; undefined at the stream's end. */
  async next(): Promise<{ event: string; id: string; data: never } | undefined> {
    const { done, value } = await this.#iterator.next();
    return done ? undefined : { event: value.event, id: value.id, data: JSON.parse(value.data) as never };
  }

  async close(): Promise<void> {
    this.#abort.abort();
    await this.#iterator.return().catch(() => undefined);
  }
}

/** Resolves once `condition` holds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}
