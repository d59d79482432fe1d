/**
 * Request bodies: bounded, streaming, valid UTF-8 or refused.
 *
 * Two bounds hold at once: one request may send `bodyBytesMax`, and all requests together may hold `BodyBudget.bytesMax`
 * at a time, so that many large ones cannot fill the memory; who comes too many is asked to try again (429). What is held for a sender
 * that falls silent is held from all others: it is given up.
 */
import { createHash, type Hash } from "node:crypto";
import { EvertError } from "../../base/errors.ts";
import { Stall } from "../../base/stall.ts";
import { contentTypes } from "../../wire/http/messages.ts";
import { type BodyFormat, invalidUtf8 } from "../../wire/http/record-decoder.ts";
import type { Asked, ServerContext } from "./context.ts";
import { type Incoming, incomingBody, isAwaited } from "./incoming.ts";

/** What else a body may be written in, beside text. */
export type BinaryFormat = "arrow" | "avro" | "avroFile";

/**
 * The body's format by its Content-Type. Anything else is refused: a page of another origin may send text/plain or a
 * form without asking, and must not be able to append.
 */
export function bodyFormat<F extends BodyFormat | BinaryFormat>(c: Asked, allowed: readonly F[]): F {
  const encoding = c.req.header("Content-Encoding");
  if (encoding !== undefined && encoding.toLowerCase() !== "identity")
    throw new EvertError("invalid_request", `a body with Content-Encoding: ${encoding} cannot be read`, {
      hint: "Send it as it is, without compression.",
    });
  const header = c.req.header("Content-Type");
  const { type, charset, format } = contentType(header);
  if (format !== undefined && charset === undefined && (allowed as readonly string[]).includes(format)) {
    return format as F;
  }
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

interface KnownType {
  readonly header: string | undefined;
  readonly type: string;
  readonly charset: string | undefined;
  readonly format: BodyFormat | BinaryFormat | undefined;
}

/** What was made of the header that came last: those who send many requests send one and the same. */
let lastType: KnownType = { header: undefined, type: "", charset: undefined, format: undefined };

function contentType(header: string | undefined): KnownType {
  if (header === lastType.header) return lastType;
  const type = (header ?? "").split(";")[0]!.trim().toLowerCase();
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(header ?? "")?.[1]?.toLowerCase();
  lastType = { header, type, charset, format: formatOf(type) };
  return lastType;
}

/** The body is JSON, by its Content-Type or by one of these others that mean it. @throws EvertError invalid_request */
export function jsonType(c: Asked, others: readonly string[]): void {
  const type = (c.req.header("Content-Type") ?? "").split(";")[0]!.trim().toLowerCase();
  if (!others.includes(type)) bodyFormat(c, ["json"]);
}

function formatOf(type: string): BodyFormat | BinaryFormat | undefined {
  if (type === contentTypes.json) return "json";
  if (type === contentTypes.arrow) return "arrow";
  if (type === contentTypes.avro) return "avro";
  if (type === contentTypes.avroFile) return "avroFile";
  return isNdjson(type) ? "ndjson" : undefined;
}

function isNdjson(type: string): boolean {
  return type === contentTypes.ndjson || type === "application/ndjson" || type === "application/jsonl";
}

/** How much of a refused body is read and dropped, and for how long, before its sender is cut off. */
const droppedBytesMax = 256 * 1024 * 1024;
const droppedMs = 5_000;

/** The body as it arrives, each chunk counted, digested and given back to the budget by `done`. */
export class BodyReader {
  readonly #server: ServerContext;
  /** The next chunk of the request, or undefined at its end. */
  readonly #next: () => Promise<Uint8Array | undefined>;
  readonly #bytesMax: number;
  readonly #hash: Hash | undefined;
  readonly #tooLarge: boolean;
  /** Null: the request is one of the web's. */
  readonly #incoming: Incoming | null;
  /** What Content-Length says, if it may come; else 0. */
  readonly declaredBytes: number;
  readonly #silenceMsMax: number;
  readonly #stall = new Stall();
  #ended = false;
  #bytes = 0;
  #held = 0;

  /**
   * `bytesMax` Infinity: a body of any length, of which nothing is held here. `digestOf`: what the digest covers besides
   * the body (a key may not be used for another request with the same body either). `silenceMsMax`: who sends nothing for so long is given up; not of what a pipe may send,
   * in its own time.
   */
  constructor(
    c: Asked,
    server: ServerContext,
    bytesMax: number,
    digestOf?: string,
    silenceMsMax: number = bytesMax === Number.POSITIVE_INFINITY ? bytesMax : server.stallMs,
  ) {
    this.#server = server;
    this.#silenceMsMax = silenceMsMax;
    this.#bytesMax = bytesMax;
    const declared = Number(c.req.header("Content-Length") ?? Number.NaN);
    this.#tooLarge = declared > bytesMax;
    this.declaredBytes = declared <= bytesMax ? declared : 0;
    const incoming = c.env?.incoming;
    this.#incoming = incoming ?? null;
    // Without a socket the request is one of the web's.
    this.#next = incoming === undefined ? streamedBody(c.req.raw) : incomingBody(incoming);
    if (digestOf !== undefined) this.#hash = createHash("sha256").update(digestOf).update("\0");
  }

  /** The next chunk, good until the one after it is asked for, or undefined at the end. @throws EvertError request_too_large, too_many_requests. */
  async read(): Promise<Uint8Array | undefined> {
    if (this.#tooLarge) throw tooLarge(this.#bytesMax);
    const value = await (this.#silenceMsMax === Number.POSITIVE_INFINITY ? this.#next() : this.#inTime());
    if (value === undefined) {
      this.#ended = true;
      return undefined;
    }
    this.#bytes += value.length;
    if (this.#bytes > this.#bytesMax) throw tooLarge(this.#bytesMax);
    if (this.#bytesMax !== Number.POSITIVE_INFINITY) {
      this.#server.bodies.hold(value.length);
      this.#held += value.length;
    }
    this.#hash?.update(value);
    return value;
  }

  #inTime(): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.#stall.start(this.#silenceMsMax, () => {
        // Nothing comes that could be read and dropped.
        this.#ended = true;
        reject(
          new EvertError("connection_failed", "the rest of the request's body did not come", {
            detail: `Nothing of it came for ${this.#silenceMsMax / 1000} seconds.`,
            hint: "Send the request again. Records that come now and then go with ?atomic=false, which waits for them.",
          }),
        );
      });
      this.#next().then(
        (value) => {
          this.#stall.stop();
          resolve(value);
        },
        (error: unknown) => {
          this.#stall.stop();
          reject(error);
        },
      );
    });
  }

  /** SHA-256 of what was asked for and of all that was read. REQUIRES: `digestOf` was given; called once. */
  digest(): string {
    return this.#hash!.digest("hex");
  }

  /**
   * Gives everything back. What was refused before its end is read on, and dropped, for a while: a client that is still
   * sending when the connection closes is told of a broken pipe and never sees the answer. Not of a body without end,
   * whose sender listens while it sends.
   */
  async done(): Promise<void> {
    this.#server.bodies.release(this.#held);
    this.#held = 0;
    if (this.#ended || this.#bytesMax === Number.POSITIVE_INFINITY) return;
    // It has not been sent, and will not be.
    if (this.#incoming !== null && isAwaited(this.#incoming)) return;
    const limit = new AbortController();
    const tooLong = new Promise<void>((resolve) => {
      limit.signal.addEventListener("abort", () => resolve());
    });
    const timer = setTimeout(() => limit.abort(), droppedMs);
    await Promise.race([this.#drop(limit.signal), tooLong]);
    clearTimeout(timer);
  }

  async #drop(signal: AbortSignal): Promise<void> {
    try {
      for (let dropped = 0; dropped < droppedBytesMax && !signal.aborted; ) {
        const value = await this.#next();
        if (value === undefined) return;
        dropped += value.length;
      }
    } catch {
      // Whoever sent it is gone; there is nobody left to tell.
    }
  }
}

function streamedBody(request: Request | undefined): () => Promise<Uint8Array | undefined> {
  const reader = request?.body?.getReader();
  return async () => (await reader?.read())?.value;
}

function tooLarge(bytesMax: number): EvertError {
  return new EvertError("request_too_large", `the body is larger than ${bytesMax} bytes`, {
    hint: "Send less at once; records can also be streamed with ?atomic=false, which commits them in chunks.",
  });
}

/** Memory of a body is given back that is so many times as large. */
const LOOSE_PART = 1.25;

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

/** The whole body as it is, in memory of its own. */
export async function bodyBytes(reader: BodyReader): Promise<Uint8Array> {
  // As long as the request says; memory that nothing comes for is none.
  let bytes = uncleared(reader.declaredBytes);
  let length = 0;
  for (let piece = await reader.read(); piece !== undefined; piece = await reader.read()) {
    if (length + piece.length > bytes.length) bytes = larger(bytes, length + piece.length);
    bytes.set(piece, length);
    length += piece.length;
  }
  // Whoever keeps the bytes keeps all of the memory.
  return length * LOOSE_PART < bytes.length ? bytes.slice(0, length) : bytes.subarray(0, length);
}

function larger(bytes: Uint8Array<ArrayBuffer>, size: number): Uint8Array<ArrayBuffer> {
  const grown = uncleared(Math.max(size, 2 * bytes.length));
  grown.set(bytes);
  return grown;
}

/** REQUIRES that nobody sees what is not written first. */
function uncleared(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer);
}
