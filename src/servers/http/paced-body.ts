/**
 * Text or bytes from an async iterator as the body of an answer, at the pace of whoever reads it.
 *
 * The stream holds nothing: the next piece is asked for when the one before was handed to the socket, and the socket
 * asks only while it is not waiting for `drain`. So a client that stops reading stops the iterator, and what piles up
 * is the engine's bounded affair. Such a client is given up after `stallMs`.
 *
 * An array of pieces (one at least) is one message: nothing comes between them. Bytes in an array of several are copied when they are handed on, for the iterator
 * may use their memory again when it is asked for the next message, and the socket may not have written them by then.
 *
 * While the iterator is silent, `heartbeat` is sent; when `closing` is aborted, `farewell` is sent and the stream ends.
 */
type Piece = string | Uint8Array;

interface PacedBodyOptions {
  readonly heartbeat?: { readonly text: string; readonly everyMs: number };
  readonly closing?: AbortSignal;
  readonly farewell?: () => string;
  /** The text to end with when the iterator fails. Without it the connection is broken off: nobody takes the part for the whole. */
  readonly onError?: (error: unknown) => string;
  /** Breaks the connection off; the stream is cancelled by that. */
  readonly breakOff?: (reason: unknown) => void;
  readonly stallMs?: number;
  /** Called once, however the stream ends. */
  readonly onEnd?: () => void;
}

const silence = Symbol("silence");
const closed = Symbol("closed");

export function pacedBody(
  source: AsyncIterable<Piece | readonly Piece[]>,
  options: PacedBodyOptions = {},
): ReadableStream<Uint8Array> {
  const iterator = source[Symbol.asyncIterator]();
  const encoder = new TextEncoder();
  let pending: Promise<IteratorResult<Piece | readonly Piece[]>> | null = null;
  /** The message at hand, and how much of it is handed on. */
  let message: readonly Piece[] = [];
  let handed = 0;
  let stall: NodeJS.Timeout | undefined;
  let ended = false;
  let wakeClosing: (() => void) | undefined;
  const onClosing = () => wakeClosing?.();

  function end(): void {
    if (ended) return;
    ended = true;
    clearTimeout(stall);
    options.closing?.removeEventListener("abort", onClosing);
    options.onEnd?.();
  }

  /** Lets go of the source. It may be waiting for its next event: its own signal, aborted in onEnd, wakes it. */
  function release(): void {
    const waiting = pending;
    pending = null;
    end();
    // Failures after the reader is gone have nobody to go to.
    waiting?.catch(() => undefined);
    void iterator.return?.(undefined).then(undefined, () => undefined);
  }

  function breakOff(controller: ReadableStreamDefaultController<Uint8Array>, reason: unknown): void {
    if (options.breakOff === undefined) controller.error(reason);
    else options.breakOff(reason);
    release();
  }

  /** The next piece, silence after the heartbeat's time, or closed. */
  async function next(): Promise<IteratorResult<Piece | readonly Piece[]> | typeof silence | typeof closed> {
    if (handed < message.length) return { done: false, value: message[handed++] as Piece };
    pending ??= iterator.next();
    if (options.heartbeat === undefined && options.closing === undefined) return pending;
    let timer: NodeJS.Timeout | undefined;
    const interrupted = new Promise<typeof silence | typeof closed>((resolve) => {
      if (options.heartbeat !== undefined) timer = setTimeout(resolve, options.heartbeat.everyMs, silence);
      wakeClosing = () => resolve(closed);
      if (options.closing?.aborted) resolve(closed);
    });
    try {
      return await Promise.race([pending, interrupted]);
    } finally {
      clearTimeout(timer);
      wakeClosing = undefined;
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      start() {
        options.closing?.addEventListener("abort", onClosing);
      },
      async pull(controller) {
        clearTimeout(stall);
        try {
          const item = await next();
          if (ended) return;
          if (item === silence) {
            controller.enqueue(encoder.encode(options.heartbeat!.text));
          } else if (item === closed) {
            if (options.farewell !== undefined) controller.enqueue(encoder.encode(options.farewell()));
            controller.close();
            release();
            return;
          } else if (item.done) {
            controller.close();
            end();
            return;
          } else {
            let { value } = item;
            if (isMessage(value)) {
              message = value;
              handed = 1;
              value = value[0] as Piece;
            }
            pending = null;
            const isLent = message.length > 1;
            controller.enqueue(
              typeof value === "string" ? encoder.encode(value) : isLent ? value.slice() : value,
            );
          }
          if (options.stallMs !== undefined) {
            stall = setTimeout(() => {
              breakOff(controller, new Error("the client stopped reading"));
            }, options.stallMs);
            stall.unref();
          }
        } catch (error) {
          if (ended) return;
          if (options.onError === undefined) breakOff(controller, error);
          else {
            controller.enqueue(encoder.encode(options.onError(error)));
            controller.close();
          }
          end();
        }
      },
      cancel() {
        release();
      },
    },
    { highWaterMark: 0 },
  );
}

function isMessage(value: Piece | readonly Piece[]): value is readonly Piece[] {
  return Array.isArray(value);
}
