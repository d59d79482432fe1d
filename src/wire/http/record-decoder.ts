/**
 * The records of an append's body, out of its bytes as they arrive: NDJSON (one JSON value per line, LF or CRLF, blank lines ignored), or JSON that is
 * one value or an array of values.
 *
 *   1. Bytes are gathered in a buffer of one piece and one unfinished record.
 *   2. The target takes records off its front, many at once, while they are as records usually are.
 *   3. Where it stops, the end of the next record is looked for (a line feed; a "," or "]" of the array), and that record is decoded, parsed and
 *      handed over as a value; what is wrong with it is said there, of its line or index. If its end has not come, more bytes are waited for,
 *      and the search goes on where it was.
 *
 * UTF-8 that is not valid is refused, not replaced: a record is stored as it was meant or not at all. A single value is one record, whose end is the
 * body's. The caller decides how long this goes on without a pause.
 */
import { decodeUtf8Strict } from "../../base/bytes.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { skipSpace, TEXT_SLACK } from "../../batch/json-bytes.ts";
import type { JsonText } from "../../batch/json-loop.ts";
import { parseJson } from "../../batch/lossless-json.ts";
import { RowRefusal } from "../../batch/row-refusal.ts";
import { prefixPath, ValueError } from "../../batch/value-error.ts";
import { closeBracket, ElementCutter } from "./json-elements.ts";

/** How a body is written. */
export type BodyFormat = "json" | "ndjson";

/** What counts the records of a body: lines from 1 in NDJSON, indexes from 0 in JSON. */
export type PlaceUnit = "line" | "index";

export function placeUnit(format: BodyFormat): PlaceUnit {
  return format === "ndjson" ? "line" : "index";
}

/** Who gets the records. */
export interface RecordTarget {
  /** Takes records off the text's front and returns how many; it may stop at any. `number`: the line or index of the first one; it takes none that is not on the next. */
  takeText(text: JsonText, number: number): number;
  /** One record and its line or index. @throws EvertError of a value that does not fit. */
  take(value: unknown, number: number): void;
  /** A record that is refused with this error, as it was sent, good until it returns. False, or none: then the error is thrown. */
  leave?(error: EvertError, bytes: Uint8Array): boolean;
}

/** The longest line or array element taken, in bytes. */
export const recordBytesMax = 16 * 1024 * 1024;

/** The buffer grows by so much at a time. */
const PIECE_BYTES = 64 * 1024;
/** A longer record is parsed by itself. */
const TEXT_BYTES_MAX = 4 * PIECE_BYTES;
/** The most records parsed one by one after the target has stopped, before it is asked again. */
const ASIDE_MAX = 64;

/** Usual buffers hold a piece and what is left of the one before. Some are kept: a fresh one for each body would be half of all garbage. */
const BUFFER_BYTES = 2 * PIECE_BYTES + TEXT_SLACK;
const BUFFERS_KEPT = 16;
/** A shorter body has one of its own length. */
const SHORT_BYTES = 8 * 1024;
const idleBuffers: Uint8Array[] = [];

function bufferFor(bytes: number, doubled: number): Uint8Array {
  if (bytes > BUFFER_BYTES) return new Uint8Array(Math.max(bytes, doubled));
  return bytes <= SHORT_BYTES ? new Uint8Array(bytes) : (idleBuffers.pop() ?? new Uint8Array(BUFFER_BYTES));
}

const lineFeed = 0x0a;
const openBracket = 0x5b;
const byteOrderMark = [0xef, 0xbb, 0xbf] as const;
const nothing = new Uint8Array(0);

export class RecordDecoder {
  readonly #unit: PlaceUnit;
  readonly #target: RecordTarget;
  readonly #recordBytesMax: number;
  readonly #cutter = new ElementCutter();
  readonly #text: JsonText;
  /** Of the record at the text's front no end was found before this place. */
  #looked = 0;
  #state: "start" | "records" | "single" | "after" = "start";
  /** What has been pushed and is not in the text yet. */
  #pushed: Uint8Array = nothing;
  #ending = false;
  /** Of the next record. */
  #number: number;
  /** Records to be parsed one by one, and how many it will be the next time. */
  #aside = 0;
  #asideNext = 1;

  /** `firstLine`: of NDJSON, what its first line counts as. */
  constructor(
    format: BodyFormat,
    target: RecordTarget,
    bytesMax: number = recordBytesMax,
    firstLine: number = 1,
  ) {
    const line = format === "ndjson";
    this.#unit = placeUnit(format);
    this.#number = line ? firstLine : 0;
    this.#target = target;
    this.#recordBytesMax = bytesMax;
    this.#text = { bytes: nothing, from: 0, to: 0, line, ended: false };
  }

  /** The next bytes of the body. REQUIRES that `advance` has been done with those before. */
  push(bytes: Uint8Array): void {
    this.#pushed = bytes;
  }

  /** The body has ended. REQUIRES as push. */
  end(): void {
    this.#ending = true;
  }

  /** Nothing more is asked of it: its buffer is somebody else's. */
  close(): void {
    const { bytes } = this.#text;
    if (bytes.length === BUFFER_BYTES && idleBuffers.length < BUFFERS_KEPT) idleBuffers.push(bytes);
    this.#text.bytes = nothing;
  }

  /** Hands records over until there are no more, or until `pause` says so: then false. @throws EvertError of the first record that is wrong. */
  advance(pause: () => boolean): boolean {
    for (;;) {
      while (this.#step()) if (pause()) return false;
      if (this.#pushed.length > 0) this.#feed();
      else if (this.#ending) return this.#finish(pause);
      else return true;
    }
  }

  /** Moves a piece of what was pushed behind the text. */
  #feed(): void {
    const text = this.#text;
    const piece = this.#pushed.subarray(0, PIECE_BYTES);
    this.#pushed = this.#pushed.subarray(piece.length);
    const kept = text.to - text.from;
    this.#makeRoom(piece.length);
    text.bytes.set(piece, kept);
    text.to = kept + piece.length;
    text.bytes[text.to] = 0;
  }

  /** The text at the front of the buffer, with so much room behind it. */
  #makeRoom(bytes: number): void {
    const text = this.#text;
    const { from, to } = text;
    const size = to - from + bytes + TEXT_SLACK;
    if (size > text.bytes.length) {
      const larger = bufferFor(size, 2 * text.bytes.length);
      larger.set(text.bytes.subarray(from, to));
      text.bytes = larger;
    } else text.bytes.copyWithin(0, from, to);
    this.#looked = Math.max(0, this.#looked - from);
    text.from = 0;
    text.to = to - from;
  }

  /** False: more bytes are needed. */
  #step(): boolean {
    switch (this.#state) {
      case "start":
        return this.#begin();
      case "records":
        return this.#records();
      case "single":
        this.#bound(this.#text.to);
        return false;
      case "after":
        return this.#after();
    }
  }

  #begin(): boolean {
    const text = this.#text;
    const { bytes, to } = text;
    if (!text.line) text.from = skipSpace(bytes, text.from, false);
    const { from } = text;
    if (from >= to) return false;
    const marked = byteOrderMark.findIndex((byte, i) => bytes[from + i] !== byte);
    if (marked === -1) {
      text.from += byteOrderMark.length;
      if (!text.line) return true;
    } else if (from + marked === to && !this.#ending) return false; // the mark may go on
    if (text.line) this.#state = "records";
    else if (bytes[from] === openBracket) {
      this.#state = "records";
      text.from++;
    } else this.#state = "single";
    this.#looked = text.from;
    return true;
  }

  #records(): boolean {
    const text = this.#text;
    if (text.from >= text.to) return false;
    // What was begun before is not tried again until all of it is there.
    let cut = this.#looked > text.from ? this.#find() : undefined;
    if (cut === -1) return false;
    if (this.#aside === 0 && text.to - text.from <= TEXT_BYTES_MAX) {
      const taken = this.#target.takeText(text, this.#number);
      if (taken > 0) {
        this.#number += taken;
        this.#asideNext = 1;
        if (text.ended) this.#state = "after";
        this.#begun();
        return true;
      }
    }
    cut ??= this.#find();
    if (cut === -1) return false;
    if (this.#aside > 0) this.#aside--;
    else {
      this.#aside = this.#asideNext - 1;
      this.#asideNext = Math.min(2 * this.#asideNext, ASIDE_MAX);
    }
    this.#one(cut);
    return true;
  }

  /** Stands at the beginning of a record. */
  #begun(): void {
    this.#looked = this.#text.from;
    this.#cutter.reset();
  }

  /** Where the record at the text's front ends, or -1. */
  #find(): number {
    const { bytes, to, line } = this.#text;
    const cut = line
      ? bytes.subarray(0, to).indexOf(lineFeed, this.#looked)
      : this.#cutter.find(bytes, this.#looked, to);
    this.#bound(cut === -1 ? to : cut);
    if (cut === -1) this.#looked = to;
    return cut;
  }

  #bound(end: number): void {
    if (end - this.#text.from <= this.#recordBytesMax) return;
    const record = this.#unit === "line" ? `line ${this.#number}` : `element ${this.#number}`;
    throw new EvertError("record_too_large", `${record} is longer than a record may be`, {
      detail: `A record may have ${this.#recordBytesMax} bytes.`,
      hint: this.#unit === "line" ? "Put each record on a line of its own." : undefined,
    });
  }

  /** Takes the record that ends before `cut`, and what it ends with. */
  #one(cut: number): void {
    const text = this.#text;
    const bytes = text.bytes.subarray(text.from, cut);
    const record = decodeUtf8Strict(bytes);
    const last = !text.line && text.bytes[cut] === closeBracket;
    text.from = cut + 1;
    this.#begun();
    if (last) this.#state = "after";
    if (record === null) {
      this.#leave(
        invalidUtf8(this.#unit === "line" ? `line ${this.#number}` : `records[${this.#number}]`),
        bytes,
      );
      this.#number++;
    } else if (text.line) {
      if (!/^\s*$/.test(record)) this.#take(record, bytes);
      this.#number++;
    } else if (record.trim() !== "") {
      this.#take(record, bytes);
      this.#number++;
    } else if (!last || this.#number > 0) throw malformed(`element ${this.#number} is empty`);
  }

  #take(record: string, bytes: Uint8Array): void {
    try {
      this.#target.take(parseJson(record), this.#number);
    } catch (thrown) {
      const error = toEvertError(thrown);
      const path = error instanceof ValueError ? error.path : "";
      this.#leave(atPlace(error, path, this.#unit, this.#number), bytes);
    }
  }

  /** @throws EvertError the error, unless the target has a place for such records */
  #leave(error: EvertError, bytes: Uint8Array): void {
    if (this.#target.leave?.(error, bytes) !== true) throw error;
  }

  #after(): boolean {
    const text = this.#text;
    text.from = skipSpace(text.bytes, text.from, false);
    if (text.from < text.to) throw malformed("there is more text after the array's end");
    return false;
  }

  #finish(pause: () => boolean): boolean {
    const text = this.#text;
    if (this.#state === "start" && text.from < text.to) {
      // A body of one or two bytes that a mark could have begun with.
      if (this.#step()) return this.advance(pause);
    }
    if (this.#state === "single") {
      text.bytes[text.to] = 0;
      const bytes = text.bytes.subarray(text.from, text.to);
      const record = decodeUtf8Strict(bytes);
      text.from = text.to;
      this.#state = "after";
      if (record === null)
        this.#leave(
          invalidUtf8(this.#unit === "line" ? `line ${this.#number}` : `records[${this.#number}]`),
          bytes,
        );
      else this.#take(record, bytes);
    } else if (this.#state === "records" && !text.line) {
      throw malformed(`the text ends inside the array, in element ${this.#number}`);
    } else if (this.#state === "records" && text.from < text.to) {
      // The last line lacks its line feed.
      this.#makeRoom(1);
      text.bytes[text.to++] = lineFeed;
      text.bytes[text.to] = 0;
      return this.advance(pause);
    }
    return true;
  }
}

function malformed(detail: string): EvertError {
  return new EvertError("invalid_text_representation", "the body is not valid JSON", { detail });
}

export function invalidUtf8(where: string, cause?: unknown): EvertError {
  return new EvertError("untranslatable_character", `${where}: the text is not valid UTF-8`, {
    sqlstate: "22021",
    hint: "Send text encoded as UTF-8.",
    cause,
  });
}

const rowPath = /^records\[(\d+)\]\.?(.*)$/s;

/** Which of the rows it was given an append refused, by what the commit was refused for, or by the path of its error (`records[3].price`); undefined: none in particular. */
export function refusedRow(error: EvertError): number | undefined {
  if (error instanceof RowRefusal) return error.part === 0 ? error.row : undefined;
  const match = error instanceof ValueError ? rowPath.exec(error.path) : null;
  return match === null ? undefined : Number(match[1]);
}

/** The same error, said of the line or the index the row came from. */
export function atPlaceOfRow(
  error: EvertError,
  unit: PlaceUnit,
  numberOf: (row: number) => number | undefined,
): EvertError {
  const row = refusedRow(error);
  const number = row === undefined ? undefined : numberOf(row);
  if (number === undefined) return error;
  const path = error instanceof ValueError ? (rowPath.exec(error.path)?.[2] ?? "") : "";
  return atPlace(error, path, unit, number);
}

/** `line 4: price: reason`, or `records[3].price: reason`. */
function atPlace(error: EvertError, path: string, unit: PlaceUnit, number: number): EvertError {
  const { code, detail, hint, sqlstate } = error;
  const reason = error instanceof ValueError ? error.reason : error.message;
  const inner = new ValueError(code, path, reason, { detail, hint, sqlstate, cause: error });
  if (unit === "index") return toEvertError(prefixPath(inner, `records[${number}]`));
  return new EvertError(code, `line ${number}: ${inner.message}`, { detail, hint, sqlstate, cause: error });
}
