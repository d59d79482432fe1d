/** The body of a request as Node has it: no copy of each chunk, and none of the machinery of web streams. */
import type { IncomingMessage } from "node:http";
import { EvertError } from "../../base/errors.ts";

/** What of IncomingMessage is needed; a request over HTTP/2 has it too. */
export type Incoming = Pick<
  IncomingMessage,
  "on" | "pause" | "resume" | "complete" | "readableEnded" | "destroyed" | "listenerCount"
>;

/** Requests whose sender waits to be told that their body is wanted (`Expect: 100-continue`), and what tells it. */
const awaited = new WeakMap<object, () => void>();

/** The sender is told when the body is asked for. Who is refused before then need not send it. */
export function awaitContinue(incoming: Incoming, goOn: () => void): void {
  awaited.set(incoming, goOn);
}

/** Its sender waits to be told to send the body. */
export function isAwaited(incoming: Incoming): boolean {
  return awaited.has(incoming);
}

/** Smaller chunks are left to the collector. */
const FREED_BYTES_MIN = 16 * 1024;

/**
 * Gives the next chunk, or undefined at the end. Nothing is read from the socket before it is asked for, and one chunk at a time is held, but for a last few that
 * Node has already: a chunk's memory is gone when the next one is asked for.
 */
export function incomingBody(incoming: Incoming): () => Promise<Uint8Array | undefined> {
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  let given: Uint8Array<ArrayBuffer> | undefined;
  let listening = false;
  let ended = false;
  let failure: EvertError | null = null;
  let wake: () => void = () => {};

  function listen(): void {
    listening = true;
    ended = incoming.readableEnded;
    if (incoming.destroyed) failure = brokenOff();
    awaited.get(incoming)?.();
    awaited.delete(incoming);
    incoming.on("data", (chunk: Uint8Array<ArrayBuffer>) => {
      // Node's own kind of array would be another to every loop over bytes.
      chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
      // Of a small body nothing more is to come but its end, which a pause would only put off.
      if (!incoming.complete) incoming.pause();
      wake();
    });
    incoming.on("end", () => {
      ended = true;
      wake();
    });
    incoming.on("error", (cause) => {
      failure ??= brokenOff(cause);
      wake();
    });
    incoming.on("close", () => {
      if (!ended) failure ??= brokenOff();
      wake();
    });
  }

  return async () => {
    if (!listening) listen();
    // Another listener may keep what it is given.
    if (given !== undefined && incoming.listenerCount("data") === 1) free(given);
    given = undefined;
    while (chunks.length === 0) {
      if (failure !== null) throw failure;
      if (ended) return undefined;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      incoming.resume();
      await woken;
    }
    given = chunks.shift();
    return given;
  };
}

/**
 * Left to the collector, chunks would have it go through the whole heap once for every 64 MB of them, which takes longer than to store what they hold.
 * Some share their memory with others; those stay.
 */
function free({ buffer, byteLength }: Uint8Array<ArrayBuffer>): void {
  if (byteLength >= FREED_BYTES_MIN && byteLength === buffer.byteLength) buffer.transfer(0);
}

function brokenOff(cause?: unknown): EvertError {
  return new EvertError("connection_failed", "the request was broken off before its body's end", { cause });
}
