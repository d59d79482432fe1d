/**
 * Server-sent events (WHATWG HTML, "Server-sent events"): bytes of text/event-stream <-> events.
 *
 *   stream  = [ BOM ] *event          event   = *( comment | field ) EOL
 *   comment = ":" text EOL            field   = name [ ":" [ SPACE ] text ] EOL        EOL = CRLF | LF | CR
 *
 * An event is dispatched at its blank line when it has data; an id or a retry without data only sets state.
 */
import { EvertError } from "../../base/errors.ts";

export interface SseEvent {
  /** "message" when the stream names none. */
  readonly event: string;
  readonly data: string;
  /** The last id seen up to and including this event; "" before any. */
  readonly id: string;
}

interface SseFields {
  readonly event?: string | undefined;
  readonly data: string;
  readonly id?: string | undefined;
}

/** An event as text. REQUIRES: `event` and `id` hold no line break. */
export function encodeSse(fields: SseFields): string {
  let out = "";
  if (fields.event !== undefined) out += `event: ${fields.event}\n`;
  if (fields.id !== undefined) out += `id: ${fields.id}\n`;
  // JSON text escapes its line breaks, so this is almost always one line; anything else is split as the format wants.
  if (/[\r\n]/.test(fields.data)) {
    for (const line of fields.data.split(/\r\n|\r|\n/)) out += `data: ${line}\n`;
    return `${out}\n`;
  }
  return `${out}data: ${fields.data}\n\n`;
}

export function encodeSseRetry(ms: number): string {
  return `retry: ${ms}\n\n`;
}

export function encodeSseComment(text: string): string {
  return `: ${text}\n\n`;
}

/** The most characters one event may have; a stream that sends more is broken, and buffering it would be unbounded. */
const eventCharsMax = 256 * 1024 * 1024;

/** Push text as it comes, take whole events out. */
export class SseDecoder {
  /** The id to resume from: survives events without one. */
  lastEventId = "";
  /** What the server asked for, or undefined. */
  retryMs: number | undefined;

  #event = "";
  #data: string[] = [];
  #idBuffer = "";
  #chars = 0;
  /** An unfinished line, in the pieces it came in (joining them each time would be quadratic). */
  #partial: string[] = [];
  #skipLineFeed = false;
  #start = true;

  /** Events completed by this text, in order. @throws EvertError protocol_violation when one event exceeds the bound. */
  push(text: string): SseEvent[] {
    const events: SseEvent[] = [];
    if (text.length === 0) return events;
    if (this.#start) {
      this.#start = false;
      if (text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    let from = 0;
    if (this.#skipLineFeed && text.length > 0) {
      this.#skipLineFeed = false;
      if (text.charCodeAt(0) === 0x0a) from = 1;
    }
    let lf = text.indexOf("\n", from);
    let cr = text.indexOf("\r", from);
    while (lf !== -1 || cr !== -1) {
      const isLf = cr === -1 || (lf !== -1 && lf < cr);
      const end = isLf ? lf : cr;
      let line = text.slice(from, end);
      if (this.#partial.length > 0) {
        this.#partial.push(line);
        line = this.#partial.join("");
        this.#partial.length = 0;
      }
      this.#line(line, events);
      from = end + 1;
      if (!isLf) {
        if (from === text.length) this.#skipLineFeed = true;
        else if (text.charCodeAt(from) === 0x0a) from++;
      }
      if (lf !== -1 && lf < from) lf = text.indexOf("\n", from);
      if (cr !== -1 && cr < from) cr = text.indexOf("\r", from);
    }
    if (from < text.length) {
      this.#partial.push(text.slice(from));
      this.#count(text.length - from);
    }
    return events;
  }

  #line(line: string, events: SseEvent[]): void {
    if (line === "") {
      this.#dispatch(events);
      return;
    }
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon === -1 ? line : line.slice(0, colon);
    let value = "";
    if (colon !== -1) value = line.slice(line.charCodeAt(colon + 1) === 0x20 ? colon + 2 : colon + 1);
    switch (name) {
      case "event":
        this.#event = value;
        return;
      case "data":
        this.#count(value.length);
        this.#data.push(value);
        return;
      case "id":
        if (!value.includes("\0")) this.#idBuffer = value;
        return;
      case "retry":
        if (/^[0-9]+$/.test(value)) this.retryMs = Number(value);
        return;
    }
  }

  #dispatch(events: SseEvent[]): void {
    this.lastEventId = this.#idBuffer;
    this.#chars = 0;
    if (this.#data.length > 0) {
      const data = this.#data.length === 1 ? this.#data[0]! : this.#data.join("\n");
      events.push({ event: this.#event === "" ? "message" : this.#event, data, id: this.lastEventId });
      this.#data.length = 0;
    }
    this.#event = "";
  }

  #count(chars: number): void {
    this.#chars += chars;
    if (this.#chars <= eventCharsMax) return;
    throw new EvertError("protocol_violation", "an event of the stream is larger than a client may hold", {
      detail: `One event may have ${eventCharsMax} characters.`,
    });
  }
}

/** Events of a response body. Cancels the body when the loop over it ends early. */
export async function* decodeSseStream(
  body: ReadableStream<Uint8Array>,
  decoder: SseDecoder = new SseDecoder(),
): AsyncGenerator<SseEvent, void, undefined> {
  const utf8 = new TextDecoder();
  const reader = body.getReader();
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      yield* decoder.push(utf8.decode(value, { stream: true }));
    }
    finished = true;
  } finally {
    // A body that already failed rejects the cancel as well; the first failure is on its way to the caller.
    if (!finished) await reader.cancel().catch(() => undefined);
    reader.releaseLock();
  }
}
