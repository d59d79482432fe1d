/** Requests whose answers are JSON: each tells a position, and what is to be stored is sent until it is. */
import { EvertError } from "../base/errors.ts";
import { headers as headerNames } from "../wire/http/messages.ts";
import { backoffMs, pause } from "./backoff.ts";
import { laterPosition } from "./connection.ts";
import { parseJson } from "./json.ts";
import { isJson, noJson, positionOf, type RequestInput, type Transport } from "./transport.ts";
import type { AppendOptions } from "./types.ts";

export interface RequestsOptions {
  /** How long what is to be stored is sent again. */
  readonly retryMsMax: number;
  /**
   * Whether fetch is Node's, which keeps a copy of each body that a redirect may ask for again, and bodies can be used again once it has answered.
   */
  readonly copiesBodies: boolean;
}

export class Requests {
  readonly transport: Transport;
  readonly retryMsMax: number;
  readonly copiesBodies: boolean;
  /** The latest that any answer has told. */
  position: string | undefined;
  #closed = false;

  constructor(transport: Transport, { retryMsMax, copiesBodies }: RequestsOptions) {
    this.transport = transport;
    this.retryMsMax = retryMsMax;
    this.copiesBodies = copiesBodies;
  }

  saw(position: string): void {
    this.position = laterPosition(this.position, position);
  }

  /** `exact`: numbers may have more digits than a double. */
  async json<T extends { readonly position?: string | null }>(
    path: string,
    request: RequestInput,
    exact: boolean,
  ): Promise<T> {
    return this.answerOf(await this.transport.send(path, request), request, exact);
  }

  async answerOf<T extends { readonly position?: string | null }>(
    response: Response,
    request: RequestInput,
    exact: boolean,
  ): Promise<T> {
    const text = await this.transport.text(response, request.signal);
    if (!isJson(response)) throw noJson(response, text);
    const answer = parseJson(text, exact) as T;
    const position = answer.position ?? positionOf(response);
    if (position !== undefined) this.saw(position);
    return answer;
  }

  /** Posts a body until it is stored, under one key. */
  async store<T extends { readonly position: string }>(
    path: string,
    body: string | Uint8Array<ArrayBuffer>,
    contentType: string,
    options: Pick<AppendOptions, "idempotencyKey" | "signal">,
    method: "POST" | "PUT" = "POST",
  ): Promise<T> {
    const request: RequestInput = {
      method,
      body,
      headers: {
        "content-type": contentType,
        [headerNames.idempotencyKey]: options.idempotencyKey ?? randomKey(),
      },
      signal: options.signal,
    };
    const never = new AbortController().signal;
    const until = Date.now() + this.retryMsMax;
    for (let attempt = 0; ; attempt++) {
      const refusesRedirects = this.copiesBodies && typeof body !== "string" && attempt === 0;
      try {
        return await this.json<T>(path, { ...request, refusesRedirects }, false);
      } catch (error) {
        // What a redirect may have failed is sent again at once: the next failure names it.
        if (
          refusesRedirects &&
          error instanceof EvertError &&
          error.code === "connection_failed" &&
          !this.#closed
        )
          continue;
        const again = error instanceof EvertError && error.retryable && Date.now() < until && !this.#closed;
        if (!again) throw error;
      }
      await pause(backoffMs(attempt, 2_000), options.signal ?? never);
      options.signal?.throwIfAborted();
    }
  }

  /** Nothing is sent again. */
  close(): void {
    this.#closed = true;
  }
}

/** 128 random bits. (crypto.randomUUID exists in secure contexts only; a page on a LAN address is none.) */
function randomKey(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");
}
