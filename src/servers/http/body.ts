/**
 * Request bodies: bounded, streaming, valid UTF-8 or refused.
 *
 * Two bounds hold at once: one request may send `bodyBytesMax`, and all requests together may hold `BodyBudget.bytesMax`
 * at a time, so that many large ones cannot fill the memory; who comes too many is asked to try again (429).
 */
import { createHash, type Hash } from "node:crypto";
import { EvertError } from "../../base/errors.ts";
import { contentTypes } from "../../wire/http/messages.ts";
import { invalidUtf8 } from "../../wire/http/ndjson.ts";
import type { BodyFormat } from "../../wire/http/record-decoder.ts";
import type { RequestContext, ServerContext } from "./context.ts";

/**
 * The body's format by its Content-Type. Anything else is refused: a page of another origin may send text/plain or a
 * form without asking, and must not be able to append.
 */
export function bodyFormat<F extends BodyFormat | "arrow">(c: RequestContext, allowed: readonly F[]): F {
  const header = c.req.header("Content-Type");
  const type = (header ?? "").split(";")[0]!.trim().toLowerCase();
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(header ?? "")?.[1]?.toLowerCase();
  const format = formatOf(type);
  const hint = `Send Content-Type: ${allowed.map((f) => contentTypes[f]).join(" or ")}.`;
  if (format === undefined || !(allowed as readonly string[]).includes(format)) {
    const is = header === undefined ? "there is no Content-Type" : `Content-Type is ${JSON.stringify(type)}`;
    throw new EvertError("invalid_request", `the body's format is not known: ${is}`, { hint });
  }
  if (charset !== undefined && charset !== "utf-8" && charset !== "utf8") {
    throw new EvertError("invalid_request", `a body in ${charset} cannot be read`, { hint: "Send UTF-8." });
  }
  return format as F;
}

function formatOf(type: string): BodyFormat | "arrow" | undefined {
  if (type === contentTypes.json) return "json";
  if (type === contentTypes.arrow) return "arrow";
  return isNdjson(type) ? "ndjson" : undefined;
}

function isNdjson(type: string): boolean {
  return type === contentTypes.ndjson || type === "application/ndjson" || type === "application/jsonl";
}

/** A body that says it is no longer than this is read at once: the machinery of a stream costs more than it. */
const smallBytes = 16 * 1024;

/** The body as it arrives, each chunk counted, digested and given back to the budget by `done`. */
export class BodyReader {
  readonly #server: ServerContext;
  /** The next chunk of the request, or undefined at its end. */
  readonly #next: () => Promise<Uint8Array | undefined>;
  readonly #bytesMax: number;
  readonly #hash: Hash | undefined;
  #bytes = 0;
  #held = 0;

  /**
   * `bytesMax` Infinity: a body of any length, of which nothing is held here. `digestOf`: what the digest covers besides
   * the body (a key may not be used for another request with the same body either).
   * @throws EvertError request_too_large when the request says it is.
   */
  constructor(c: RequestContext, server: ServerContext, bytesMax: number, digestOf?: string) {
    this.#server = server;
    this.#bytesMax = bytesMax;
    const declared = Number(c.req.header("Content-Length") ?? Number.NaN);
    if (declared > bytesMax) throw tooLarge(bytesMax);
    this.#next = declared <= smallBytes ? wholeBody(c.req.raw) : streamedBody(c.req.raw);
    if (digestOf !== undefined) this.#hash = createHash("sha256").update(digestOf).update("\0");
  }

  /** The next chunk, or undefined at the end. @throws EvertError request_too_large, too_many_requests. */
  async read(): Promise<Uint8Array | undefined> {
    const value = await this.#next();
    if (value === undefined) return undefined;
    this.#bytes += value.length;
    if (this.#bytes > this.#bytesMax) throw tooLarge(this.#bytesMax);
    if (this.#bytesMax !== Number.POSITIVE_INFINITY) {
      this.#server.bodies.hold(value.length);
      this.#held += value.length;
    }
    this.#hash?.update(value);
    return value;
  }

  /** SHA-256 of what was asked for and of all that was read. REQUIRES: `digestOf` was given; called once. */
  digest(): string {
    return this.#hash!.digest("hex");
  }

  /**
   * Gives everything back. A rest that was not read stays where it is: cancelling it would close the connection before
   * the answer is out; the adapter drains it for a moment and closes then.
   */
  done(): void {
    this.#server.bodies.release(this.#held);
    this.#held = 0;
  }
}

function wholeBody(request: Request): () => Promise<Uint8Array | undefined> {
  let taken = false;
  return async () => {
    if (taken) return undefined;
    taken = true;
    return new Uint8Array(await request.arrayBuffer());
  };
}

function streamedBody(request: Request): () => Promise<Uint8Array | undefined> {
  const reader = request.body?.getReader();
  return async () => (await reader?.read())?.value;
}

function tooLarge(bytesMax: number): EvertError {
  return new EvertError("request_too_large", `the body is larger than ${bytesMax} bytes`, {
    hint: "Send less at once; records can also be streamed with ?atomic=false, which commits them in chunks.",
  });
}

/** The whole body as text. */
export async function bodyText(reader: BodyReader): Promise<string> {
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  const pieces: string[] = [];
  try {
    for (;;) {
      const chunk = await reader.read();
      pieces.push(chunk === undefined ? utf8.decode() : utf8.decode(chunk, { stream: true }));
      if (chunk === undefined) return pieces.join("");
    }
  } catch (error) {
    throw error instanceof TypeError ? invalidUtf8("the body", error) : error;
  }
}

/** The whole body as it is. */
export async function bodyBytes(reader: BodyReader): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
    pieces.push(piece);
    length += piece.length;
  }
  if (pieces.length === 1) return pieces[0]!;
  const whole = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
