/** What those who write whole segments in the background share: large writes, small syncs, and turns for others. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { type DiskFile, writeFully } from "../../base/disk.ts";
import type { Pause, PendingPage } from "./block-writer.ts";
import { type Page, pageAt } from "./page.ts";

/** Written at once; and synced at once, so that the commits' own syncs never wait for much. */
const WRITE_BYTES = 1 << 20;
/** What the buffer begins with: most files of a small log are small. */
const FIRST_BYTES = 16 * 1024;
const SYNC_BYTES = 4 << 20;
/** Work between two turns of the event loop, and between two times of leaving room to those who append: one or two milliseconds. */
const PIECE_BYTES_AT_REST = 256 * 1024;
const PIECE_BYTES = 64 * 1024;

/** Whom a worker in the background has to heed. */
export interface Manners {
  /** @throws when the log is being closed: the work ends there. */
  readonly checkStopped: () => void;
  /** What to wait for before the next piece of work, so that those who append come first; null: nobody does. */
  readonly leaveRoom: () => Promise<void> | null;
}

export function pauseOf({ checkStopped, leaveRoom }: Manners): Pause {
  let worked = 0;
  return async (bytes) => {
    checkStopped();
    worked += bytes;
    if (worked < PIECE_BYTES) return;
    const room = leaveRoom();
    if (room === null && worked < PIECE_BYTES_AT_REST) return;
    worked = 0;
    await (room ?? nextTurn());
    checkStopped();
  };
}

/** Appends to a file in large writes. */
export class FileWriter {
  readonly #file: DiskFile;
  readonly #checkStopped: () => void;
  #buffer = new Uint8Array(FIRST_BYTES);
  #buffered = 0;
  #written = 0;
  #unsynced = 0;

  constructor(file: DiskFile, checkStopped: () => void) {
    this.#file = file;
    this.#checkStopped = checkStopped;
  }

  get at(): number {
    return this.#written + this.#buffered;
  }

  async put(bytes: Uint8Array): Promise<void> {
    this.#grow(Math.min(WRITE_BYTES, this.#buffered + bytes.length));
    for (let from = 0; from < bytes.length; ) {
      const count = Math.min(bytes.length - from, this.#buffer.length - this.#buffered);
      this.#buffer.set(bytes.subarray(from, from + count), this.#buffered);
      this.#buffered += count;
      from += count;
      if (this.#buffered === WRITE_BYTES) await this.#flush();
    }
  }

  /** Puts the page where the file ends. */
  async putPage({ stored, method, rawBytes }: PendingPage): Promise<Page> {
    const page = pageAt(this.at, stored, method, rawBytes);
    await this.put(stored);
    return page;
  }

  /** What was put is on the disk. */
  async end(): Promise<void> {
    await this.#flush();
    await this.#file.datasync();
  }

  #grow(wanted: number): void {
    if (wanted <= this.#buffer.length) return;
    const grown = new Uint8Array(Math.min(WRITE_BYTES, Math.max(wanted, 4 * this.#buffer.length)));
    grown.set(this.#buffer.subarray(0, this.#buffered));
    this.#buffer = grown;
  }

  async #flush(): Promise<void> {
    this.#checkStopped();
    await writeFully(this.#file, this.#buffer.subarray(0, this.#buffered), this.#written);
    this.#written += this.#buffered;
    this.#unsynced += this.#buffered;
    this.#buffered = 0;
    if (this.#unsynced < SYNC_BYTES) return;
    await this.#file.datasync();
    this.#unsynced = 0;
  }
}
