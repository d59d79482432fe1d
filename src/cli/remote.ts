/** The running server a command talks to. */
import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { EvertError, toEvertError } from "../base/errors.ts";
import type { ChunkedErrorMessage, ChunkedProgress } from "../client/protocol.ts";
import { type SqlPart, sqlParts } from "../client/protocol.ts";
import {
  checkToken,
  createTransport,
  errorFrom,
  failureOf,
  isJson,
  isRedirect,
  noJson,
  redirectError,
  type Transport,
} from "../client/transport.ts";
import { parseExact } from "./exact-json.ts";
import { UsageError } from "./exit.ts";
import { patientFetch } from "./patient-fetch.ts";

const defaultUrl = "http://127.0.0.1:7400";

export interface RemoteOptions {
  readonly url?: string;
}

/** Adds the options of a command that talks to a server. */
export function withRemote(command: Command): Command {
  return command.option("--url <url>", `the server (or EVERT_URL; default ${defaultUrl})`);
}

export class Remote {
  readonly url: string;
  readonly token: string | undefined;
  readonly #transport: Transport;

  constructor(options: RemoteOptions) {
    // A variable that is set to nothing says nothing.
    const address = options.url ?? (process.env["EVERT_URL"] || defaultUrl);
    this.url = address.replace(/\/+$/, "");
    const from = options.url === undefined ? "EVERT_URL" : "--url";
    if (!/^https?:\/\/[^/]/.test(this.url) || !URL.canParse(this.url)) {
      const meant = `http://${this.url}`;
      const hint = /^[\w.-]+:\d+(\/|$)/.test(this.url) && URL.canParse(meant) ? ` (${meant}?)` : "";
      throw new UsageError(`${from} is not an http address: ${address}${hint}`);
    }
    this.token = tokenOf(process.env["EVERT_TOKEN"]);
    this.#transport = createTransport(this.url, { token: this.token, fetch: patientFetch });
  }

  /** A JSON answer, numbers with all their digits. @throws EvertError. */
  async get<T>(path: string): Promise<T> {
    const response = await this.#transport.send(path);
    const text = await this.#transport.text(response);
    if (!isJson(response)) throw noJson(response, text);
    return parseAnswer(response.status, text) as T;
  }

  /** A body as it arrives. @throws EvertError. */
  async stream(path: string, accept: string, signal?: AbortSignal): Promise<ReadableStream<Uint8Array>> {
    const response = await this.#transport.send(path, { headers: { accept }, signal });
    return this.#bodyOf(response, [accept]);
  }

  /** The answer to SQL as it arrives, also of statements that fail. By Node's own client: fetch gives up what takes its time. @throws EvertError */
  async *sql(
    sql: string,
    format: "json" | "text",
    signal: AbortSignal | undefined,
  ): AsyncGenerator<SqlPart, void, undefined> {
    const body = JSON.stringify({ sql, format });
    const { request, response } = await this.#open("/v1/sql", body, signal);
    const redirect = this.#redirectOf("/v1/sql", response);
    if (redirect !== null) {
      request.destroy();
      throw redirect;
    }
    const isJson = (response.headers["content-type"] ?? "").startsWith("application/json");
    try {
      if (!isJson) parseAnswer(response.statusCode ?? 500, await text(response));
      const parts = Readable.toWeb(response) as ReadableStream<Uint8Array>;
      yield* sqlParts(parts, (cause) => this.#brokenOff(cause));
    } finally {
      request.destroy();
    }
  }

  /** COPY … FROM STDIN. @throws EvertError. */
  async copyIn(statement: string, body: Readable): Promise<{ command: string }> {
    const { status, text } = await this.#send("POST", copyPath(statement), "application/octet-stream", body);
    const answer = parseAnswer(status, text);
    if (status >= 400) throw errorFrom((answer as { error: object }).error, status);
    return answer as { command: string };
  }

  /** COPY … TO STDOUT, as it arrives. @throws EvertError, also where the answer ends before its time. */
  async *copyOut(statement: string, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const headers = { "Content-Type": "application/octet-stream" };
    const response = await this.#transport.send(copyPath(statement), { method: "POST", headers, signal });
    const rows = this.#bodyOf(response, ["text/plain", "text/csv"]);
    try {
      yield* rows;
    } catch (cause) {
      throw this.#brokenOff(cause);
    }
  }

  /** @throws EvertError where it is something else: a page to log in at, for one, would pass for records */
  #bodyOf(response: Response, types: readonly string[]): ReadableStream<Uint8Array> {
    const type = response.headers.get("content-type") ?? "nothing that has a type";
    if (types.some((one) => type.startsWith(one))) return response.body as ReadableStream<Uint8Array>;
    response.body?.cancel().catch(() => undefined);
    throw new EvertError("protocol_violation", `the server at ${this.url} answered with ${type}`, {
      detail: `It was asked for ${types.join(" or ")}.`,
      hint: "Is this the address of an evert server?",
    });
  }

  #redirectOf(path: string, { statusCode = 500, headers }: IncomingMessage): EvertError | null {
    return isRedirect(statusCode) ? redirectError(this.url + path, this.url, headers.location) : null;
  }

  #brokenOff(cause: unknown): EvertError {
    return new EvertError("connection_failed", `the server at ${this.url} broke off its answer`, {
      detail: "Not all rows have come.",
      hint: "Its log may say why.",
      cause,
    });
  }

  delete<T>(path: string): Promise<T> {
    return this.send("DELETE", path, undefined);
  }

  /** A request whose answer is JSON. @throws EvertError. */
  async send<T>(method: string, path: string, json: unknown): Promise<T> {
    const content = json === undefined ? [undefined, undefined] : ["application/json", JSON.stringify(json)];
    const { status, text } = await this.#send(method, path, content[0], content[1]);
    const body = parseAnswer(status, text);
    if (status >= 400) throw errorFrom((body as { error: object }).error, status);
    return body as T;
  }

  /** A body of any type, whose answer is JSON. @throws EvertError. */
  async post<T>(
    path: string,
    contentType: string,
    bytes: Uint8Array,
    headers: Readonly<Record<string, string>>,
  ): Promise<T> {
    const { status, text } = await this.#send("POST", path, contentType, bytes, headers);
    const body = parseAnswer(status, text);
    if (status >= 400) throw errorFrom((body as { error: object }).error, status);
    return body as T;
  }

  /** A chunked append. @throws EvertError; `onCommitted` is told how far it came in either case. */
  async append(
    topic: string,
    contentType: string,
    body: Readable,
    onCommitted: (progress: ChunkedProgress) => void,
  ): Promise<ChunkedProgress> {
    const path = `/v1/topics/${encodeURIComponent(topic)}/records?atomic=false`;
    return this.#appended(await this.#send("POST", path, contentType, body), onCommitted);
  }

  #appended(
    { status, text }: { readonly status: number; readonly text: string },
    onCommitted: (progress: ChunkedProgress) => void,
  ): ChunkedProgress {
    const answer = parseAnswer(status, text);
    if (status < 400) {
      onCommitted(answer as ChunkedProgress);
      return answer as ChunkedProgress;
    }
    const { error, committed } = answer as Partial<ChunkedErrorMessage>;
    if (committed !== undefined) onCommitted(committed);
    throw errorFrom(error ?? {}, status);
  }

  /** A chunk of an append, of NDJSON, under a producer's number. @throws EvertError; `onCommitted` is told how far it came in either case. */
  async appendChunk(
    topic: string,
    { bytes, line }: { readonly bytes: Uint8Array; readonly line: number },
    producer: Readonly<Record<string, string>>,
    onCommitted: (progress: ChunkedProgress) => void,
  ): Promise<ChunkedProgress> {
    const path = `/v1/topics/${encodeURIComponent(topic)}/records?atomic=false&firstLine=${line}`;
    return this.#appended(
      await this.#send("POST", path, "application/x-ndjson", bytes, producer),
      onCommitted,
    );
  }

  /** JSON that is posted, with its answer, of which the body is to come. */
  #open(
    path: string,
    body: string,
    signal: AbortSignal | undefined,
  ): Promise<{ request: ClientRequest; response: IncomingMessage }> {
    return new Promise((resolve, reject) => {
      const target = new URL(this.url + path);
      const send = target.protocol === "https:" ? requestHttps : requestHttp;
      const headers: Record<string, string> = {
        Accept: "application/json",
        "Content-Type": "application/json",
      };
      if (this.token !== undefined) headers["Authorization"] = `Bearer ${this.token}`;
      const options = { method: "POST", headers, ...(signal === undefined ? {} : { signal }) };
      const request = send(target, options, (response) => resolve({ request, response }));
      request.on("error", (cause) => reject(failureOf(cause, this.url, undefined)));
      request.end(body);
    });
  }

  /**
   * By Node's own client, because fetch loses an answer that comes while the body is still on its way: an append
   * is refused at its first bad record, not at its end.
   */
  #send(
    method: string,
    path: string,
    contentType: string | undefined,
    body: string | Uint8Array | Readable | undefined,
    more: Readonly<Record<string, string>> = {},
  ): Promise<{ status: number; text: string }> {
    return new Promise((resolve, reject) => {
      const target = new URL(this.url + path);
      const send = target.protocol === "https:" ? requestHttps : requestHttp;
      const headers: Record<string, string> = { Accept: "application/json", ...more };
      if (contentType !== undefined) headers["Content-Type"] = contentType;
      if (this.token !== undefined) headers["Authorization"] = `Bearer ${this.token}`;
      let answered = false;
      const fail = (cause: unknown) => {
        if (!answered) reject(failureOf(cause, this.url, undefined));
      };
      const request = send(target, { method, headers }, (response) => {
        answered = true;
        const pieces: Buffer[] = [];
        response.on("data", (piece: Buffer) => pieces.push(piece));
        response.on("error", (cause) => reject(failureOf(cause, this.url, undefined)));
        response.on("end", () => {
          if (isStream(body)) body.destroy();
          request.destroy();
          const redirect = this.#redirectOf(path, response);
          if (redirect !== null) return reject(redirect);
          resolve({ status: response.statusCode ?? 500, text: Buffer.concat(pieces).toString("utf8") });
        });
      });
      // When the server answers and hangs up, writing fails first: the answer may still be on its way in.
      request.on("error", (cause) => setTimeout(fail, answered ? 0 : 250, cause));
      if (isStream(body)) {
        body.on("error", (cause) => {
          answered = true;
          request.destroy();
          reject(cause);
        });
        body.pipe(request);
      } else request.end(body);
    });
  }
}

/** A variable that is set to nothing says nothing. @throws UsageError */
export function tokenOf(token: string | undefined): string | undefined {
  if (token === undefined || token === "") return undefined;
  try {
    checkToken(token);
  } catch (error) {
    const { message, detail, hint } = toEvertError(error);
    throw new UsageError(`EVERT_TOKEN: ${message}. ${detail} ${hint}`);
  }
  return token;
}

function isStream(body: string | Uint8Array | Readable | undefined): body is Readable {
  return typeof body === "object" && !(body instanceof Uint8Array);
}

function copyPath(statement: string): string {
  return `/v1/copy?statement=${encodeURIComponent(statement)}`;
}

function parseAnswer(status: number, text: string): unknown {
  try {
    return parseExact(text);
  } catch (cause) {
    throw new EvertError("protocol_violation", `the server answered with status ${status} and no JSON`, {
      detail: text.slice(0, 200),
      hint: "Is this the address of an evert server?",
      cause,
    });
  }
}
