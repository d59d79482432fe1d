/**
 * What a leader sends to a follower, one message behind the other:
 *
 *   stream  := message*
 *   message := head payload                                    numbers little-endian
 *   head    := magic:u32 "EVRF" kind:u32 payloadBytes:u32 zero:u32 segment:u64 position:u64 behind:u64 payloadCrc:u32 headCrc:u32
 *   kind    := 1 hello      payload: JSON, Hello; once, at the beginning
 *            | 2 frames     payload: whole frames of the segment, as docs/LOG-FORMAT.md describes them
 *            | 3 sealed     payload: JSON, SealedFile; the segment is to be had as a file (/v1/backup/{file})
 *            | 4 heartbeat  no payload
 *
 * `position` is the leader's last durable one, `behind` how many bytes are still to come after this message. Every byte is under a checksum: headCrc
 * is the CRC-32C of the bytes of the head before it, payloadCrc that of the payload; frames have their own, and payloadCrc is 0.
 */
import { encodeUtf8 } from "../../base/bytes.ts";
import { crc32c } from "../../base/crc32c.ts";
import { EvertError } from "../../base/errors.ts";
import type { Epoch } from "./epochs.ts";

const MAGIC = 0x4652_5645;
const HEAD_BYTES = 48;
/** Larger payloads than one frame can have are none. */
const PAYLOAD_BYTES_MAX = 1 << 28;

const KINDS = ["hello", "frames", "sealed", "heartbeat"] as const;
type Kind = (typeof KINDS)[number];

export interface Hello {
  readonly logId: number;
  readonly epochs: readonly Epoch[];
  /** Whether commits wait for this follower: it tells at once what it has. */
  readonly waits: boolean;
}

export interface SealedFile {
  readonly name: string;
  readonly bytes: number;
}

export interface Message {
  readonly kind: Kind;
  readonly segment: number;
  readonly position: number;
  readonly behind: number;
  readonly payload: Uint8Array;
}

/** In two pieces: the payload is not copied. */
export function encodeMessage({ kind, segment, position, behind, payload }: Message): Uint8Array[] {
  const head = new Uint8Array(HEAD_BYTES);
  const view = new DataView(head.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, KINDS.indexOf(kind) + 1, true);
  view.setUint32(8, payload.length, true);
  view.setBigUint64(16, BigInt(segment), true);
  view.setBigUint64(24, BigInt(position), true);
  view.setBigUint64(32, BigInt(behind), true);
  view.setUint32(40, crcOf(kind, payload), true);
  view.setUint32(44, crc32c(head, 0, 44), true);
  return payload.length === 0 ? [head] : [head, payload];
}

export function jsonPayload(value: Hello | SealedFile): Uint8Array {
  return encodeUtf8(JSON.stringify(value));
}

/** REQUIRES a message of that kind, whose bytes are those that were sent. */
export function payloadOf<T extends Hello | SealedFile>({ payload }: Message): T {
  return JSON.parse(new TextDecoder().decode(payload)) as T;
}

function crcOf(kind: Kind, payload: Uint8Array): number {
  return kind === "frames" ? 0 : crc32c(payload, 0, payload.length);
}

/** Messages from the pieces of a stream, however these are cut. */
export class MessageReader {
  /** Told of each piece that comes: a message may be on its way for long. */
  onPiece: () => void = () => {};
  readonly #pieces: AsyncIterator<Uint8Array>;
  #piece: Uint8Array = new Uint8Array(0);
  #at = 0;

  constructor(pieces: AsyncIterator<Uint8Array>) {
    this.#pieces = pieces;
  }

  /** Null at the stream's end. @throws EvertError log_damaged; what the stream throws */
  async next(): Promise<Message | null> {
    const head = await this.#take(HEAD_BYTES, true);
    if (head === null) return null;
    const view = new DataView(head.buffer, head.byteOffset, HEAD_BYTES);
    const kind = KINDS[view.getUint32(4, true) - 1];
    const payloadBytes = view.getUint32(8, true);
    const isSound = view.getUint32(0, true) === MAGIC && view.getUint32(44, true) === crc32c(head, 0, 44);
    if (!isSound) throw damaged("a message's head is not sound");
    if (kind === undefined || payloadBytes > PAYLOAD_BYTES_MAX) {
      throw new EvertError(
        "format_unsupported",
        "the leader sends messages of a kind that is not known here",
        {
          hint: "Run the leader's release here, or a newer one.",
        },
      );
    }
    const payload = (await this.#take(payloadBytes, false)) as Uint8Array;
    if (crcOf(kind, payload) !== view.getUint32(40, true))
      throw damaged("a message's checksum does not match");
    return {
      kind,
      segment: Number(view.getBigUint64(16, true)),
      position: Number(view.getBigUint64(24, true)),
      behind: Number(view.getBigUint64(32, true)),
      payload,
    };
  }

  /** So many bytes, in memory of their own; null at the end of the stream, if it may end here. */
  async #take(bytes: number, mayEnd: boolean): Promise<Uint8Array | null> {
    const taken = new Uint8Array(bytes);
    for (let done = 0; done < bytes; ) {
      if (this.#at === this.#piece.length) {
        const next = await this.#pieces.next();
        if (next.done === true) {
          if (done === 0 && mayEnd) return null;
          throw new EvertError("connection_failed", "the leader's stream ended in the middle of a message");
        }
        this.onPiece();
        this.#piece = next.value;
        this.#at = 0;
        continue;
      }
      const end = Math.min(this.#piece.length, this.#at + bytes - done);
      taken.set(this.#piece.subarray(this.#at, end), done);
      done += end - this.#at;
      this.#at = end;
    }
    return taken;
  }
}

function damaged(detail: string): EvertError {
  return new EvertError("log_damaged", "what came from the leader is not as it was sent", { detail });
}
