/**
 * One WebSocket: what its client asks for, one message after the other, and what the engine tells of it, at the client's pace.
 *
 * - What is sent is handed to the socket piece by piece, each when the one before has been taken by the system; the engine is asked for the next event only then.
 *   So what piles up for a client that does not read is the engine's bounded affair, and one that takes nothing for `stallMs` is cut off.
 * - Messages of the client wait in a short line, and so do those whose answer it has not taken. While it is full the socket is not read, so a client that asks
 *   without reading waits for itself.
 * - A message that cannot be followed is answered with an error and changes nothing. Whatever fails otherwise ends this connection alone.
 * - An `id` is given while all that is subscribed to is whole at that position: not while an alteration is under way, between a reset and its snapshot, nor
 *   while a view shows an error or stale rows.
 */
import type WebSocket from "ws";
import type { RawData } from "ws";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { Stall } from "../../base/stall.ts";
import type {
  OpenSubscription,
  SubscribeTarget,
  SubscriptionChange,
  SubscriptionEvent,
} from "../../engine/api.ts";
import { wsMessageCharsMax, wsTargetsMax } from "../../wire/http/event-messages.ts";
import { keyFromText } from "../../wire/http/values.ts";
import {
  notText,
  parseWsMessage,
  type RequestId,
  WsRefusal,
  type WsText,
  wsDone,
  wsError,
  wsHeartbeat,
  wsReset,
  wsSnapshot,
  wsStep,
} from "../../wire/http/ws.ts";
import type { ServerContext } from "./context.ts";

/** Messages that wait before the socket is read no further, or their bytes. */
const waitingMax = 16;
const waitingBytesMax = wsMessageCharsMax;
/** Requests whose answers are not sent yet; further ones wait. */
const pendingMax = 64;
/** Of RFC 6455. */
const goingAway = 1001;
const failed = 1011;

type Call = ReturnType<typeof parseWsMessage>;

/** A request whose answer comes when what it asked for has come about. */
interface Token {
  readonly type: "subscribed" | "unsubscribed";
  readonly request: RequestId;
}

export class WsConnection {
  readonly #socket: WebSocket;
  readonly #server: ServerContext;
  readonly #stopped = new AbortController();
  readonly #subscription: OpenSubscription;
  /** By view and the key as it was given ("" with `all`), what is subscribed to. */
  readonly #targets = new Map<string, Map<string, SubscribeTarget>>();
  /** Views of which the client was not told one whole moment. */
  readonly #partial = new Set<string>();
  /** Requests that have not come about. */
  #pending = 0;
  /** Wakes who waits for some of them to come about. */
  #wake: () => void = () => {};
  #waiting: { readonly text: Buffer; readonly isBinary: boolean }[] = [];
  #waitingBytes = 0;
  #isWorking = false;
  /** Resolves when what was said before has been handed on. */
  #sent: Promise<void> = Promise.resolve();
  #sentAt = performance.now();
  #heardAt = performance.now();
  /** What #heardAt was when it was found too long ago. */
  #silentSince = Number.NaN;
  #timer: NodeJS.Timeout | undefined;

  constructor(socket: WebSocket, server: ServerContext) {
    this.#socket = socket;
    this.#server = server;
    this.#subscription = server.engine.openSubscription(this.#stopped.signal);
  }

  /** Resolves when the connection has ended. */
  async run(): Promise<void> {
    const socket = this.#socket;
    const ended = this.#server.metrics.socketOpened();
    const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()));
    socket.on("error", (error) => this.#server.logger.debug({ err: error }, "a WebSocket broke"));
    socket.on("message", (data, isBinary) => this.#take(data, isBinary));
    socket.on("pong", () => this.#heard());
    socket.on("ping", () => this.#heard());
    void closed.then(() => {
      this.#stopped.abort();
      this.#waiting = [];
      this.#wake();
    });
    const onClosing = (): void => void this.#goAway();
    this.#server.closing.addEventListener("abort", onClosing, { once: true });
    if (this.#server.closing.aborted) onClosing();
    this.#timer = setInterval(() => this.#beat(), this.#server.heartbeatMs);
    try {
      await this.#tell();
    } catch (thrown) {
      if (!this.#stopped.signal.aborted) await this.#fail(toEvertError(thrown));
    }
    await closed;
    clearInterval(this.#timer);
    this.#server.closing.removeEventListener("abort", onClosing);
    ended();
  }

  cut(): void {
    this.#socket.terminate();
  }

  // ---- what the engine tells

  async #tell(): Promise<void> {
    for await (const event of this.#subscription.events) {
      if (event.type === "altered") {
        this.#settle(event.views, event.tokens.length);
        for (const token of event.tokens as readonly Token[]) {
          this.#pending--;
          this.#wake();
          await this.#say(wsDone(token.type, token.request, event.position, this.#idAt(event.position)));
        }
      } else await this.#say(this.#textOf(event));
    }
  }

  /** What is shown, as the subscription itself says: what was told before may have been of requests that others have overtaken. */
  #settle(views: ReadonlyMap<string, boolean>, answered: number): void {
    this.#partial.clear();
    for (const [view, isWhole] of views) if (!isWhole) this.#partial.add(view);
    if (this.#pending > answered) return;
    // Those that have ended. While more is asked for, they may have been asked for again.
    for (const view of this.#targets.keys()) if (!views.has(view)) this.#targets.delete(view);
  }

  #textOf(event: SubscriptionEvent): WsText {
    switch (event.type) {
      case "snapshot":
        if (event.last && event.stale !== true) this.#partial.delete(event.view);
        else this.#partial.add(event.view);
        return wsSnapshot(event, event.last ? this.#idAt(event.position) : undefined);
      case "step":
        return wsStep(event.position, event.views, this.#idAt(event.position));
      case "reset":
        this.#partial.add(event.view);
        return wsReset(event.view, event.reason);
      case "error":
        if (event.ended === true) {
          this.#partial.delete(event.view);
          // It may have been asked for again by now.
          if (this.#pending === 0) this.#targets.delete(event.view);
        } else this.#partial.add(event.view);
        return wsError(event.error, { view: event.view, ended: event.ended });
    }
  }

  #idAt(position: string): string | undefined {
    return this.#pending === 0 && this.#partial.size === 0 ? position : undefined;
  }

  // ---- what the client asks

  #heard(): void {
    this.#heardAt = performance.now();
  }

  #take(data: RawData, isBinary: boolean): void {
    this.#heard();
    if (this.#stopped.signal.aborted) return;
    // It gives one buffer unless told otherwise.
    const text = data as Buffer;
    this.#waiting.push({ text, isBinary });
    this.#waitingBytes += text.length;
    if (this.#waiting.length >= waitingMax || this.#waitingBytes >= waitingBytesMax) this.#socket.pause();
    if (!this.#isWorking) void this.#work();
  }

  /** Never rejects: what fails has ended the connection. */
  async #work(): Promise<void> {
    this.#isWorking = true;
    try {
      for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) {
        this.#waitingBytes -= next.text.length;
        if (this.#socket.isPaused && this.#waiting.length === 0) {
          // What it has said meanwhile was not read.
          this.#heard();
          this.#socket.resume();
        }
        await this.#follow(next.text, next.isBinary);
        while (this.#pending >= pendingMax && !this.#stopped.signal.aborted)
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
      }
    } catch (thrown) {
      if (!this.#stopped.signal.aborted) await this.#fail(toEvertError(thrown));
    }
    this.#isWorking = false;
  }

  async #follow(text: Buffer, isBinary: boolean): Promise<void> {
    try {
      if (isBinary) throw notText();
      const call = parseWsMessage(String(text));
      await this.#server.engine.reached(call).catch((thrown: unknown) => {
        throw new WsRefusal(toEvertError(thrown), call.request);
      });
      if (call.type === "subscribe") await this.#subscribe(call);
      else await this.#unsubscribe(call);
    } catch (thrown) {
      if (!(thrown instanceof WsRefusal)) throw thrown;
      const { error, request } = thrown;
      if (error.code === "internal") throw error;
      await this.#say(wsError(error.toJSON(), { request }));
    }
  }

  async #subscribe(call: Call): Promise<void> {
    const changed = new Map<string, Map<string, SubscribeTarget>>();
    const said: WsText[] = [];
    for (const { view, key, from } of call.targets) {
      try {
        const { info } = this.#server.engine.view(view);
        const target =
          key === undefined ? { view, from } : { view, from, key: keyFromText(key, info.schema, info.key) };
        const known = changed.get(view) ?? new Map(this.#shown(view));
        known.set(key === undefined ? all : `=${key}`, target);
        changed.set(view, known);
      } catch (thrown) {
        const error = toEvertError(thrown);
        if (error.code === "internal") throw error;
        // The others go on.
        const ended = this.#targets.has(view) ? undefined : true;
        said.push(wsError(error.toJSON(), { view, request: call.request, ended }));
      }
    }
    let count = 0;
    for (const [view, targets] of this.#targets) if (!changed.has(view)) count += targets.size;
    for (const targets of changed.values()) count += targets.size;
    if (count > wsTargetsMax) {
      const error = new EvertError(
        "invalid_request",
        `a connection has at most ${wsTargetsMax} views and rows`,
        {
          hint: "Unsubscribe from some, or open another connection.",
        },
      );
      throw new WsRefusal(error, call.request);
    }
    for (const text of said) await this.#say(text);
    for (const [view, targets] of changed) this.#targets.set(view, new Map(targets));
    const changes = [...changed].map(([view, targets]) => ({
      view,
      targets: [...targets.values()],
      isAnew: true,
    }));
    await this.#alter(changes, call);
    // Said once: from now on the subscription itself knows how far it has come.
    for (const view of changed.keys()) {
      const targets = this.#targets.get(view);
      for (const [id, target] of targets ?? []) targets?.set(id, { ...target, from: undefined });
    }
  }

  #shown(view: string): Iterable<[string, SubscribeTarget]> {
    return this.#targets.get(view) ?? [];
  }

  async #unsubscribe(call: Call): Promise<void> {
    const changes = new Map<string, SubscriptionChange>();
    for (const { view, key } of call.targets) {
      const targets = this.#targets.get(view);
      const id = key === undefined ? all : `=${key}`;
      if (targets === undefined || !targets.delete(id)) {
        const error = new EvertError("undefined_object", `${JSON.stringify(view)} is not subscribed to`, {
          detail: key === undefined ? undefined : `Not its row with the key ${JSON.stringify(key)}.`,
        });
        await this.#say(wsError(error.toJSON(), { view, request: call.request }));
        continue;
      }
      if (targets.size === 0) this.#targets.delete(view);
      // Some rows in place of all are told anew: there may be more on the screen than what is told from now on.
      const isAnew = targets.size === 0 || id === all || changes.get(view)?.isAnew === true;
      changes.set(view, { view, targets: [...targets.values()], isAnew });
    }
    await this.#alter([...changes.values()], call);
  }

  async #alter(changes: readonly SubscriptionChange[], { type, request }: Call): Promise<void> {
    this.#pending++;
    await this.#subscription.alter(changes, { type: `${type}d`, request } satisfies Token);
  }

  // ---- the socket

  /** One message. @throws EvertError connection_failed */
  #say(text: WsText): Promise<void> {
    const sent = this.#sent.then(() => this.#write(text));
    // Whoever says the next thing is told of its own failure.
    this.#sent = sent.catch(() => {});
    return sent;
  }

  async #write(text: WsText): Promise<void> {
    for (const [i, piece] of text.entries()) {
      if (this.#socket.readyState !== this.#socket.OPEN) throw gone();
      await this.#hand(piece, i === text.length - 1);
    }
    this.#sentAt = performance.now();
  }

  #hand(piece: WsText[number], fin: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const stall = new Stall();
      stall.start(this.#server.stallMs, () => {
        this.#server.logger.debug("a WebSocket is cut off: its client stopped reading");
        this.cut();
      });
      const onClose = (): void => reject(gone());
      this.#socket.once("close", onClose);
      this.#socket.send(piece, { fin, binary: false }, (error) => {
        stall.stop();
        this.#socket.off("close", onClose);
        if (error == null) resolve();
        else reject(gone(error));
      });
    });
  }

  /** A browser does not see pings: it is told something, so that it knows a dead connection from a quiet one. */
  #beat(): void {
    const now = performance.now();
    const { heartbeatMs, stallMs } = this.#server;
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    // What it says is not read while the line is full.
    if (!this.#socket.isPaused && now - this.#heardAt > Math.max(stallMs, 3 * heartbeatMs)) {
      // Where this process has slept, what came meanwhile is read behind this look.
      if (this.#silentSince === this.#heardAt) {
        this.cut();
        return;
      }
      this.#silentSince = this.#heardAt;
    }
    this.#socket.ping();
    // A failure has closed the socket, which ends all of this.
    if (now - this.#sentAt >= heartbeatMs / 2) this.#say(wsHeartbeat).catch(() => {});
  }

  async #goAway(): Promise<void> {
    const error = new EvertError("shutting_down", "the server is shutting down", { hint: "Connect again." });
    await this.#end(error, goingAway);
  }

  async #fail(error: EvertError): Promise<void> {
    if (error.code === "internal")
      this.#server.logger.error({ err: error.cause ?? error }, "a WebSocket failed");
    await this.#end(error, failed);
  }

  async #end(error: EvertError, code: number): Promise<void> {
    // It may be gone already, and then there is nobody to tell.
    await this.#say(wsError(error.toJSON(), { final: true })).catch(() => {});
    this.#socket.close(code, error.code);
  }
}

/** Every row, among keys. */
const all = "*";

function gone(cause?: Error): EvertError {
  return new EvertError("connection_failed", "the WebSocket has been closed", { cause });
}
