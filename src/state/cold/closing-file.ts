/**
 * A file that is closed once, when nothing is under way on it, and refuses what comes afterwards: the system gives its number to the next
 * file that is opened, and a late read would take that one's bytes.
 */
import type { DiskFile } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";

export class ClosingFile implements DiskFile {
  readonly path: string;
  readonly #file: DiskFile;
  #underWay = 0;
  #rested: (() => void) | null = null;
  #closing: Promise<void> | null = null;

  constructor(file: DiskFile) {
    this.path = file.path;
    this.#file = file;
  }

  read(target: Uint8Array, at: number): Promise<number> {
    return this.#do(() => this.#file.read(target, at));
  }

  readNow(target: Uint8Array, at: number): number | null {
    this.#refuse();
    return this.#file.readNow(target, at);
  }

  write(source: Uint8Array, at: number): Promise<number> {
    return this.#do(() => this.#file.write(source, at));
  }

  datasync(): Promise<void> {
    return this.#do(() => this.#file.datasync());
  }

  truncate(size: number): Promise<void> {
    return this.#do(() => this.#file.truncate(size));
  }

  size(): Promise<number> {
    return this.#do(() => this.#file.size());
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#underWay > 0)
      await new Promise<void>((resolve) => {
        this.#rested = resolve;
      });
    await this.#file.close();
  }

  #refuse(): void {
    if (this.#closing === null) return;
    throw new EvertError("shutting_down", "rows on disk cannot be read any more", {
      detail: `${this.path} has been closed.`,
    });
  }

  async #do<T>(work: () => Promise<T>): Promise<T> {
    this.#refuse();
    this.#underWay++;
    try {
      return await work();
    } finally {
      if (--this.#underWay === 0) this.#rested?.();
    }
  }
}
