/**
 * Messages in a body of type avro/binary.
 *
 *   body    = message*                                       Avro's message framing, as its specification has it for HTTP:
 *   message = frame+ end                                     frames of a message belong together, one behind the other
 *   frame   = length (4 bytes, the first highest, not 0), so many bytes
 *   end     = 0 0 0 0
 *
 * and what the frames of one hold is what Confluent's serializers write:
 *
 *   0, id of the writer's schema (4 bytes, the first highest), the value in Avro's binary encoding
 */
import { EvertError } from "../../base/errors.ts";
import type { AvroBytes } from "./bytes.ts";

const MAGIC = 0;
const HEAD_BYTES = 5;
/** Frames of one message: who cuts one up does so into some kilobytes each. */
const FRAMES_MAX = 65_536;

/** One message: where its value begins and ends in `bytes`, and by which schema it is written; null: it names none. */
export interface Message {
  bytes: Uint8Array;
  from: number;
  to: number;
  schemaId: number | null;
}

/** Walks the messages of a body. */
export class Messages {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  readonly #message: Message;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#message = { bytes, from: 0, to: 0, schemaId: null };
  }

  /** The next, good until the one after it is asked for; undefined: there is no more. @throws EvertError where the body is cut off. */
  next(): Message | undefined {
    if (this.#at === this.#bytes.length) return undefined;
    const message = this.#message;
    const length = this.#length();
    message.bytes = this.#bytes;
    message.from = this.#at;
    message.to = this.#at + length;
    this.#at = message.to;
    if (length > 0) {
      const more = this.#length();
      if (more > 0) this.#join(message, more);
    }
    head(message);
    return message;
  }

  /** The length of the frame that begins here, which is there as a whole. */
  #length(): number {
    const left = this.#bytes.length - this.#at;
    if (left >= 4) {
      const length = this.#view.getUint32(this.#at);
      this.#at += 4;
      if (length <= left - 4) return length;
    }
    throw new EvertError("invalid_text_representation", "the body ends inside a frame", {
      detail:
        "Each message is a frame, four bytes of length and so many bytes, and an empty frame behind it.",
    });
  }

  /** A message of several frames. */
  #join(message: Message, second: number): void {
    const pieces = [this.#bytes.subarray(message.from, message.to)];
    for (let length = second; length > 0; length = this.#length()) {
      if (pieces.length === FRAMES_MAX)
        throw new EvertError("invalid_text_representation", `a message of more than ${FRAMES_MAX} frames`);
      pieces.push(this.#bytes.subarray(this.#at, this.#at + length));
      this.#at += length;
    }
    message.bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    message.from = 0;
    message.to = message.bytes.length;
    let at = 0;
    for (const piece of pieces) {
      message.bytes.set(piece, at);
      at += piece.length;
    }
  }
}

function head(message: Message): void {
  const { bytes, from, to } = message;
  message.schemaId = null;
  if (to - from < HEAD_BYTES || bytes[from] !== MAGIC) return;
  const [a, b, c, d] = [bytes[from + 1]!, bytes[from + 2]!, bytes[from + 3]!, bytes[from + 4]!];
  message.schemaId = ((a << 24) | (b << 16) | (c << 8) | d) >>> 0;
  message.from = from + HEAD_BYTES;
}

/** What is refused of a message without a head. */
export function noHead(): EvertError {
  return new EvertError(
    "invalid_text_representation",
    "the message does not begin with 0 and the id of a schema",
    {
      detail:
        "A message is a byte 0, four bytes of the writer's schema id, the first highest, and the value.",
      hint: "Write it with a serializer for a schema registry, or send an Avro file as application/avro.",
    },
  );
}

/** Begins a message, whose value is written next. Returns where it began. */
export function beginMessage(out: AvroBytes, schemaId: number): number {
  const start = out.length;
  out.u32(0);
  out.byte(MAGIC);
  out.u32(schemaId);
  return start;
}

export function endMessage(out: AvroBytes, start: number): void {
  out.setU32(start, out.length - start - 4);
  out.u32(0);
}
