/** The leader as its followers reach it: over HTTP, unless the database is opened with another way. */
import { type ErrorBody, EvertError, errorCodes } from "../../base/errors.ts";
import type { Fence, FollowRequest } from "./api.ts";
import { MessageReader } from "./messages.ts";

/** How long an answer is waited for that needs no time. */
const ANSWER_MS = 10_000;

export interface Leader {
  readonly url: string;
  logId(): Promise<number>;
  /** What follows, until it ends or the signal is given. @throws EvertError diverged, not_leader, connection_failed */
  follow(request: FollowRequest, signal: AbortSignal): Promise<MessageReader>;
  /** Bytes of one of its files. @throws EvertError not_found where it has given way to another */
  file(name: string, bytes: number, signal: AbortSignal): AsyncIterable<Uint8Array>;
  /** A follower has everything up to there, durably. */
  progress(follower: string, position: number): Promise<void>;
  /** Tells it that it leads no more. @throws EvertError conflict where it knows, or has another log */
  fence(fence: Fence): Promise<void>;
}

/** @throws EvertError invalid_argument where the address is none */
export type ReachLeader = (url: string, token: string | undefined) => Leader;

export const overHttp: ReachLeader = (url, token) => new HttpLeader(url, token);

class HttpLeader implements Leader {
  readonly url: string;
  readonly #token: string | undefined;

  constructor(url: string, token: string | undefined) {
    this.url = url.replace(/\/+$/, "");
    this.#token = token;
    if (!/^https?:\/\/[^/]/.test(this.url)) {
      throw new EvertError("invalid_argument", `the leader's address is not an http address: ${url}`);
    }
  }

  async logId(): Promise<number> {
    const { logId } = (await this.#json("GET", "/v1/replication")) as { logId?: unknown };
    if (Number.isSafeInteger(logId)) return logId as number;
    throw new EvertError("protocol_violation", `${this.url} does not answer as an evert server does`);
  }

  async follow(request: FollowRequest, signal: AbortSignal): Promise<MessageReader> {
    const { follower, logId, from, timeUs, epochs } = request;
    const query = new URLSearchParams({ follower, logId: String(logId), from: String(from) });
    if (timeUs !== null) query.set("timeUs", String(timeUs));
    query.set("epochs", JSON.stringify(epochs));
    return new MessageReader(
      piecesOf(await this.#fetch("GET", `/v1/replication/log?${query}`, signal), this.url),
    );
  }

  async *file(name: string, bytes: number, signal: AbortSignal): AsyncGenerator<Uint8Array, void, undefined> {
    const path = `/v1/backup/${encodeURIComponent(name)}?from=0&to=${bytes}`;
    const pieces = piecesOf(await this.#fetch("GET", path, signal), this.url);
    for (let next = await pieces.next(); next.done !== true; next = await pieces.next()) yield next.value;
  }

  async progress(follower: string, position: number): Promise<void> {
    await this.#json("POST", "/v1/replication/progress", { follower, position: String(position) });
  }

  async fence(fence: Fence): Promise<void> {
    await this.#json("POST", "/v1/replication/fence", fence);
  }

  async #json(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await this.#fetch(method, path, AbortSignal.timeout(ANSWER_MS), body);
    try {
      return await response.json();
    } catch (cause) {
      throw unreachable(this.url, cause);
    }
  }

  async #fetch(method: string, path: string, signal: AbortSignal, body?: unknown): Promise<Response> {
    const headers: Record<string, string> = {};
    if (this.#token !== undefined) headers["Authorization"] = `Bearer ${this.#token}`;
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response: Response;
    try {
      response = await fetch(this.url + path, {
        method,
        headers,
        signal,
        redirect: "manual",
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    } catch (cause) {
      throw unreachable(this.url, cause);
    }
    if (response.ok) return response;
    const location = response.headers.get("location");
    if (response.status >= 300 && response.status < 400 && location !== null) {
      throw new EvertError("protocol_violation", `${this.url} answers with a redirect to ${location}`, {
        hint: "Give the address that it leads to.",
      });
    }
    const answer: unknown = await response.json().catch(() => null);
    const error = (answer as { error?: Partial<ErrorBody> } | null)?.error;
    if (error?.code === undefined || !(error.code in errorCodes) || typeof error.message !== "string") {
      throw new EvertError("protocol_violation", `${this.url} answers with status ${response.status}`, {
        hint: "Look at the address: does an evert server of this release answer there?",
      });
    }
    throw EvertError.from(error as ErrorBody);
  }
}

function piecesOf({ body }: Response, url: string): AsyncIterator<Uint8Array> {
  const reader = (body as ReadableStream<Uint8Array>).getReader();
  return {
    async next() {
      try {
        const { done, value } = await reader.read();
        return done ? { done, value: undefined } : { done: false, value };
      } catch (cause) {
        throw unreachable(url, cause);
      }
    },
  };
}

function unreachable(url: string, cause: unknown): EvertError {
  const inner = cause instanceof Error && cause.cause instanceof Error ? cause.cause : cause;
  return new EvertError("connection_failed", `the leader at ${url} cannot be reached`, {
    detail: inner instanceof Error ? inner.message : String(inner),
    hint: "Is it running, and is this its address?",
    cause,
  });
}
