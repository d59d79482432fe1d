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
import { Stall } from "../../base/stall.ts";

type Piece = string | Uint8Array;
type Next = IteratorResult<Piece | readonly Piece[]>;

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
  /** Whether the iterator has been asked for what it has not given. */
  let isAsked = false;
  /** What it gave or failed with, when nobody has taken it yet. */
  let come: (() => Next) | null = null;
  /** The message at hand, and how much of it is handed on. */
  let message: readonly Piece[] = [];
  let handed = 0;
  const stall = new Stall();
  let ended = false;
  let wake: ((why: typeof closed | null) => void) | undefined;
  const onClosing = () => wake?.(closed);

  function end(): void {
    if (ended) return;
    ended = true;
    stall.stop();
    options.closing?.removeEventListener("abort", onClosing);
    options.onEnd?.();
  }

  /** Lets go of the source. It may be waiting for its next event: its own signal, aborted in onEnd, wakes it. */
  function release(): void {
    end();
    void iterator.return?.(undefined).then(undefined, () => undefined);
  }

  function breakOff(controller: ReadableStreamDefaultController<Uint8Array>, reason: unknown): void {
    if (options.breakOff === undefined) controller.error(reason);
    else options.breakOff(reason);
    release();
  }

  /** Once for each piece, however often somebody waits for it in between: a wait would stay at its promise as long as that stays unsettled. */
  function ask(): void {
    if (isAsked) return;
    isAsked = true;
    const arrived = (outcome: () => Next): void => {
      come = outcome;
      wake?.(null);
    };
    // Failures after the reader is gone have nobody to go to.
    iterator.next().then(
      (item) => arrived(() => item),
      (error: unknown) =>
        arrived(() => {
          throw error;
        }),
    );
  }

  /** The next piece, silence after the heartbeat's time, or closed. */
  async function next(): Promise<Next | typeof silence | typeof closed> {
    if (handed < message.length) return { done: false, value: message[handed++] as Piece };
    if (options.heartbeat === undefined && options.closing === undefined) return iterator.next();
    ask();
    const interruption = come === null ? await interrupted() : null;
    if (interruption !== null && come === null) return interruption;
    const outcome = come as unknown as () => Next;
    come = null;
    isAsked = false;
    return outcome();
  }

  /** Null: the piece has come. */
  async function interrupted(): Promise<typeof silence | typeof closed | null> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve) => {
        if (options.heartbeat !== undefined) timer = setTimeout(resolve, options.heartbeat.everyMs, silence);
        wake = resolve;
        if (options.closing?.aborted) resolve(closed);
      });
    } finally {
      clearTimeout(timer);
      wake = undefined;
    }
  }

  return new ReadableStream<Uint8Array>(
    {
      start() {
        options.closing?.addEventListener("abort", onClosing);
      },
      async pull(controller) {
        stall.stop();
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
            const isLent = message.length > 1;
            controller.enqueue(
              typeof value === "string" ? encoder.encode(value) : isLent ? value.slice() : value,
            );
          }
          if (options.stallMs !== undefined) {
            stall.start(options.stallMs, () => {
              breakOff(controller, new Error("the client stopped reading"));
            });
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
