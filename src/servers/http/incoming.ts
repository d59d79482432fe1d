/** The body of a request as Node has it: no copy of each chunk, and none of the machinery of web streams. */
import type { IncomingMessage } from "node:http";
import { EvertError } from "../../base/errors.ts";

/** What of IncomingMessage is needed; a request over HTTP/2 has it too. */
export type Incoming = Pick<IncomingMessage, "on" | "pause" | "resume" | "readableEnded" | "destroyed">;

/** Gives the next chunk, or undefined at the end. Nothing is read before it is asked for, and one chunk at a time is held. */
export function incomingBody(incoming: Incoming): () => Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let listening = false;
  let ended = false;
  let failure: EvertError | null = null;
  let wake: () => void = () => {};

  function listen(): void {
    listening = true;
    ended = incoming.readableEnded;
    if (incoming.destroyed) failure = brokenOff();
    incoming.on("data", (chunk: Uint8Array) => {
      // Node's own kind of array would be another to every loop over bytes.
      chunks.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.length));
      incoming.pause();
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
    while (chunks.length === 0) {
      if (failure !== null) throw failure;
      if (ended) return undefined;
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      incoming.resume();
      await woken;
    }
    return chunks.shift();
  };
}

function brokenOff(cause?: unknown): EvertError {
  return new EvertError("connection_failed", "the request was broken off before its body's end", { cause });
}
