/**
 * Lines of NDJSON to a topic, so that none is stored twice and none is lost when a connection breaks or the server is started again.
 *
 * 1. Whole lines are gathered into chunks, each a request. One is sent as soon as nothing is on the way, so that a slow pipe's lines do not wait; while others are, the next
 *    grows to CHUNK_BYTES.
 * 2. A chunk carries a producer's number: that of its first record (docs/LOG.md). Chunks that are not answered are kept and sent again; what is stored of them is passed over.
 * 3. The first record that is refused ends it. What stands before it is stored, nothing behind it is: the number that it leaves free is never filled.
 */
import { type EvertError, toEvertError } from "../base/errors.ts";
import { Sequencer, type SequencerLink } from "../base/sequencer.ts";
import type { ChunkedProgress } from "../client/protocol.ts";

const CHUNK_BYTES = 1 << 20;
/** Chunks on the way. */
const CHUNKS_MAX = 4;
/** A line is not gathered beyond this: the server refuses it. */
const LINE_BYTES_MAX = 17 << 20;
const lineFeed = 0x0a;

export interface Chunk {
  readonly bytes: Uint8Array;
  /** Of its first line. */
  readonly line: number;
}

export class ChunkedAppend {
  readonly #topic: string;
  readonly #sequencer: Sequencer<Chunk, ChunkedProgress>;
  /** Records at the front that are not sent. */
  #skip: number;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #records = 0;
  /** Of the chunk, and of the line that is not whole. */
  #line = 1;
  #lines = 0;
  #isBlank = true;
  /** Bytes of it among the pieces. */
  #open = 0;
  #pending = 0;
  #sent = 0;
  #wake: () => void = () => {};
  /** Records that are stored by now, and where the last of them is. */
  stored = 0;
  position: string | null = null;
  /** What ended it. */
  failure: EvertError | null = null;
  /** Called then. */
  onFailure: () => void = () => {};

  /** `skip`: so many records are stored. */
  constructor(topic: string, link: SequencerLink<Chunk, ChunkedProgress>, skip: number) {
    this.#topic = topic;
    this.#sequencer = new Sequencer(link);
    this.#skip = skip;
  }

  /** Of the records that are stored, those that have not come yet. */
  get unseen(): number {
    return this.#skip;
  }

  /** Takes the next bytes; resolves when more may come. */
  async write(piece: Uint8Array): Promise<void> {
    let from = 0;
    for (let i = 0; i < piece.length; i++) {
      const byte = piece[i] as number;
      if (byte > 0x20) this.#isBlank = false;
      if (byte !== lineFeed) continue;
      this.#keep(piece.subarray(from, i + 1));
      from = i + 1;
      this.#endLine();
      if (this.#bytes < CHUNK_BYTES) continue;
      this.#send();
      await this.#room();
      if (this.failure !== null) return;
    }
    this.#keep(piece.subarray(from));
    this.#open += piece.length - from;
    if (this.#open > LINE_BYTES_MAX) {
      this.#endLine();
      this.#send();
      await this.#room();
    } else if (this.#pending === 0) this.#send();
  }

  /** The bytes have ended, or, if `isCut`, no more of them are read: what has come of a line is none then. Resolves when all has been answered, or has failed. */
  async end(isCut = false): Promise<void> {
    if (isCut) this.#send();
    else {
      if (this.#open > 0) this.#endLine();
      // With nothing to store, too, it is looked at whether the topic is there.
      if (this.#bytes > 0 || this.#sent === 0) this.#send(true);
    }
    await this.#sequencer.flush();
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    // A piece may be the reader's, which uses it again.
    this.#pieces.push(bytes.slice());
    this.#bytes += bytes.length;
  }

  #endLine(): void {
    const isRecord = !this.#isBlank;
    this.#isBlank = true;
    this.#open = 0;
    this.#lines++;
    if (!isRecord) return;
    if (this.#skip === 0) {
      this.#records++;
      return;
    }
    this.#skip--;
    this.#begin([]);
  }

  /** The next chunk begins behind the lines so far, with these pieces of a line. */
  #begin(pieces: Uint8Array[]): void {
    this.#pieces = pieces;
    this.#bytes = pieces.reduce((sum, { length }) => sum + length, 0);
    this.#line += this.#lines;
    this.#lines = 0;
    this.#records = 0;
  }

  /** Sends the whole lines that there are. */
  #send(isEmptyToo = false): void {
    if (this.failure !== null || (this.#lines === 0 && !isEmptyToo)) return;
    const all = Buffer.concat(this.#pieces);
    const whole = all.length - this.#open;
    const records = this.#records;
    const chunk: Chunk = { bytes: all.subarray(0, whole), line: this.#line };
    this.#begin(this.#open === 0 ? [] : [all.slice(whole)]);
    this.#pending++;
    this.#sent++;
    this.#sequencer
      .append(this.#topic, chunk, records)
      .then(
        ({ position }) => {
          this.stored += records;
          this.position = position ?? this.position;
        },
        (thrown: unknown) => {
          if (this.failure !== null) return;
          this.failure = toEvertError(thrown);
          this.#sequencer.end(this.failure);
          this.onFailure();
        },
      )
      .finally(() => {
        this.#pending--;
        this.#wake();
        if (this.#pending === 0) this.#send();
      });
  }

  async #room(): Promise<void> {
    while (this.#pending >= CHUNKS_MAX && this.failure === null) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
