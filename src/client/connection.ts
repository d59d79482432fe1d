/**
 * The one connection of a client: every live view over one event stream.
 *
 * 1. The set of wanted views changes: after a few ms (a page mounts many at once) the stream is opened anew with the new set.
 *    Views that are current say from where they go on, so the server sends them what they missed and nothing twice.
 * 2. Events are queued as they arrive and applied together: at once when nothing was applied for `notifyIntervalMs`, else
 *    when that time is over. Then every touched view shows its new state, and only then listeners are called. So all views show
 *    one moment, and a fast stream costs a bounded number of renders.
 * 3. The stream ends, breaks, is silent for too long, or says something that does not fit: views keep their rows, say
 *    "reconnecting", and 1 is repeated after a pause that grows while attempts fail. After a misfit the view resumes from
 *    nothing, that is with a snapshot.
 * 4. A view the server refuses (it does not exist, or has failing rows) says "error" while the others go on. One that does not
 *    exist is asked for again now and then: it may be created.
 */
import { EvertError, toEvertError } from "../base/errors.ts";
import { comparePositions } from "../base/position.ts";
import {
  heartbeatMs,
  type ResetMessage,
  type SnapshotMessage,
  type StepMessage,
  type StreamErrorMessage,
} from "../wire/http/event-messages.ts";
import { contentTypes } from "../wire/http/messages.ts";
import { SseDecoder, type SseEvent } from "../wire/http/sse.ts";
import { backoffMs, pause } from "./backoff.ts";
import { parseJson } from "./json.ts";
import { errorFrom, failureOf, type Transport } from "./transport.ts";
import type { ClientOptions } from "./types.ts";
import { mayNeedDigits } from "./values.ts";
import type { ViewState } from "./view.ts";

const defaults = { notifyIntervalMs: 16, silenceMsMax: heartbeatMs * 2.5, backoffMsMax: 5_000 };
/** A page mounts its components within this time. */
const gatherMs = 4;
/** A stream that stood this long was a good one: the next pause is the shortest again. */
const stableMs = 1_000;
/** Events are applied at once when more than this is queued, whatever the clock says (timers of hidden tabs are slow). */
const queuedCharsMax = 1 << 20;
/** Pauses between two attempts to find a view that is not there. */
const missingMsMax = 30_000;

/** Why a stream was ended from this side. */
type Ended = "set changed" | "silent" | "misfit" | "closed";

export class Connection {
  readonly #transport: Transport;
  readonly #notifyIntervalMs: number;
  readonly #silenceMsMax: number;
  readonly #backoffMsMax: number;
  readonly #onPosition: (position: string) => void;

  readonly #views = new Map<string, ViewState>();
  #closed = false;
  #running = false;
  #gatherTimer: ReturnType<typeof setTimeout> | undefined;
  #missingTimer: ReturnType<typeof setTimeout> | undefined;
  #missingAttempt = 0;
  /** Ends the stream, or the pause before the next one. */
  #interrupt = new AbortController();
  #attempt = 0;
  #pausing = false;

  #queue: SseEvent[] = [];
  #queuedChars = 0;
  #flushTimer: ReturnType<typeof setTimeout> | undefined;
  #flushedAt = Number.NEGATIVE_INFINITY;
  #lastHeardAt = 0;

  constructor(transport: Transport, options: ClientOptions, onPosition: (position: string) => void) {
    this.#transport = transport;
    this.#notifyIntervalMs = options.notifyIntervalMs ?? defaults.notifyIntervalMs;
    this.#silenceMsMax = options.silenceMsMax ?? defaults.silenceMsMax;
    this.#backoffMsMax = options.backoffMsMax ?? defaults.backoffMsMax;
    this.#onPosition = onPosition;
  }

  add(view: ViewState): void {
    if (this.#closed) {
      view.fail(closedError());
      view.publish();
      return;
    }
    this.#views.set(view.name, view);
    this.#gather();
  }

  remove(view: ViewState): void {
    if (this.#views.delete(view.name)) this.#gather();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearTimeout(this.#gatherTimer);
    clearTimeout(this.#missingTimer);
    this.#dropQueue();
    this.#end("closed");
    for (const view of this.#views.values()) view.fail(closedError());
    this.#publish();
    this.#views.clear();
  }

  // ---- the loop

  #gather(): void {
    this.#gatherTimer ??= setTimeout(() => {
      this.#gatherTimer = undefined;
      if (this.#running) this.#end("set changed");
      else void this.#run();
    }, gatherMs);
  }

  /** The network is back: no need to wait out the pause. */
  readonly #online = (): void => {
    if (this.#pausing) this.#end("set changed");
  };

  #end(reason: Ended): void {
    this.#interrupt.abort(reason);
  }

  async #run(): Promise<void> {
    this.#running = true;
    // No longer than views are wanted: a client that nobody closes is not held by the page.
    globalThis.addEventListener?.("online", this.#online);
    while (!this.#closed && this.#views.size > 0) {
      this.#interrupt = new AbortController();
      const signal = this.#interrupt.signal;
      const openedAt = performance.now();
      const failure = await this.#stream(signal);
      this.#flush();
      if (signal.reason === "set changed" || this.#closed) continue;
      this.#lost(failure);
      if (performance.now() - openedAt > stableMs) this.#attempt = 0;
      const ms = backoffMs(this.#attempt++, this.#backoffMsMax);
      this.#interrupt = new AbortController();
      this.#pausing = true;
      await pause(ms, this.#interrupt.signal);
      this.#pausing = false;
    }
    globalThis.removeEventListener?.("online", this.#online);
    this.#running = false;
  }

  /** What the views say when the stream has ended by itself. */
  #lost(failure: EvertError | undefined): void {
    const fatal =
      failure !== undefined &&
      !failure.retryable &&
      failure.status < 500 &&
      failure.code !== "protocol_violation";
    for (const view of this.#views.values()) {
      if (fatal) view.fail(failure);
      else view.disconnected();
    }
    this.#publish();
  }

  /** One stream, to its end. Resolves with what ended it, or undefined for a plain end. */
  async #stream(signal: AbortSignal): Promise<EvertError | undefined> {
    const asked = [...this.#views.values()];
    const query = new URLSearchParams();
    for (const view of asked) {
      query.append("view", view.name);
      if (view.resumeFrom !== undefined) query.append("from", view.resumeFrom);
    }
    const guard = this.#guardSilence(signal);
    try {
      const response = await this.#transport.send("/v1/subscribe", {
        query,
        headers: { accept: contentTypes.eventStream },
        signal,
      });
      if (response.body === null)
        throw new EvertError("protocol_violation", "the server sent an event stream without a body");
      for (const view of asked) view.connected();
      this.#publish();
      await this.#read(response.body);
      return undefined;
    } catch (error) {
      if (signal.aborted) return undefined;
      return toEvertError(failureOf(error, this.#transport.base, undefined));
    } finally {
      clearInterval(guard);
    }
  }

  async #read(body: ReadableStream<Uint8Array>): Promise<void> {
    const utf8 = new TextDecoder();
    const decoder = new SseDecoder();
    const reader = body.getReader();
    try {
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return;
        this.#lastHeardAt = performance.now();
        for (const event of decoder.push(utf8.decode(value, { stream: true }))) {
          this.#queue.push(event);
          this.#queuedChars += event.data.length;
        }
        if (this.#queue.length > 0) this.#schedule();
      }
    } finally {
      // A body that already failed rejects the cancel as well; the first failure is on its way.
      reader.cancel().catch(() => undefined);
    }
  }

  /** Silent is what is so at two looks: behind the first one, what came while the page slept (or had no turn) has not been read yet. */
  #guardSilence(signal: AbortSignal): ReturnType<typeof setInterval> {
    this.#lastHeardAt = performance.now();
    let silentSince = Number.NaN;
    return setInterval(
      () => {
        if (signal.aborted || performance.now() - this.#lastHeardAt <= this.#silenceMsMax) return;
        if (silentSince === this.#lastHeardAt) this.#end("silent");
        else silentSince = this.#lastHeardAt;
      },
      Math.max(10, this.#silenceMsMax / 8),
    );
  }

  // ---- events

  #schedule(): void {
    const wait = this.#flushedAt + this.#notifyIntervalMs - performance.now();
    if (wait <= 0 || this.#queuedChars > queuedCharsMax) this.#flush();
    else this.#flushTimer ??= setTimeout(() => this.#flush(), wait);
  }

  #dropQueue(): void {
    clearTimeout(this.#flushTimer);
    this.#flushTimer = undefined;
    this.#queue = [];
    this.#queuedChars = 0;
  }

  #flush(): void {
    const events = this.#queue;
    this.#dropQueue();
    if (events.length === 0) return;
    for (const event of events) {
      try {
        this.#apply(event);
      } catch (error) {
        // The rest of this stream continues from a state this client is not in.
        this.#misfit(toEvertError(error));
        break;
      }
    }
    this.#publish();
    this.#flushedAt = performance.now();
  }

  /** @throws EvertError protocol_violation */
  #apply(event: SseEvent): void {
    switch (event.event) {
      case "snapshot": {
        const message = this.#parse<SnapshotMessage>(event.data, mayNeedDigits(event.data));
        const view = this.#views.get(message.view ?? "");
        if (view === undefined) return;
        view.snapshotPart(message);
        if (message.last) this.#onPosition(message.position);
        return;
      }
      case "step": {
        const message = this.#parse<StepMessage>(event.data, this.#needsDigits());
        for (const [name, changes] of Object.entries(message.views))
          this.#views.get(name)?.step(message.position, changes);
        for (const view of this.#views.values()) view.passed(message.position);
        this.#onPosition(message.position);
        return;
      }
      case "reset": {
        const message = this.#parse<ResetMessage>(event.data, false);
        for (const view of this.#named(message.view)) view.reset();
        return;
      }
      case "error": {
        const message = this.#parse<StreamErrorMessage>(event.data, false);
        const error = errorFrom(message.error);
        if (message.view === undefined) {
          // The server ends the stream with this; the loop goes on as after any end.
          if (message.final && !error.retryable && error.status < 500) this.#failAll(error);
          return;
        }
        for (const view of this.#named(message.view)) view.fail(error);
        if (error.code === "undefined_table" || error.code === "undefined_object") this.#askAgain();
        return;
      }
    }
    // Kinds of events to come are not for this client.
  }

  #parse<T>(text: string, exact: boolean): T {
    return parseJson(text, exact) as T;
  }

  #needsDigits(): boolean {
    for (const view of this.#views.values()) if (view.needsDigits) return true;
    return false;
  }

  #named(name: string | undefined): readonly ViewState[] {
    if (name === undefined) return [...this.#views.values()];
    const view = this.#views.get(name);
    return view === undefined ? [] : [view];
  }

  #failAll(error: EvertError): void {
    for (const view of this.#views.values()) view.fail(error);
  }

  #misfit(error: EvertError): void {
    for (const view of this.#views.values()) view.forget();
    console.warn(
      `evert: ${error.message}${error.detail === undefined ? "" : ` (${error.detail})`}; fetching it anew`,
    );
    this.#end("misfit");
  }

  #askAgain(): void {
    if (this.#missingTimer !== undefined || this.#closed) return;
    this.#missingTimer = setTimeout(
      () => {
        this.#missingTimer = undefined;
        const missing = [...this.#views.values()].some((view) => view.resumeFrom === undefined);
        if (!missing) this.#missingAttempt = 0;
        else if (this.#running) this.#end("set changed");
      },
      Math.min(missingMsMax, 1_000 * 2 ** Math.min(this.#missingAttempt++, 10)),
    );
  }

  #publish(): void {
    const changed = [...this.#views.values()].filter((view) => view.publish());
    for (const view of changed) view.notify();
  }
}

function closedError(): EvertError {
  return new EvertError("connection_failed", "the client has been closed", {
    hint: "Make a new one with connect().",
  });
}

/** The later of two positions; undefined is before all. */
export function laterPosition(a: string | undefined, b: string): string {
  return a === undefined || comparePositions(b, a) > 0 ? b : a;
}
