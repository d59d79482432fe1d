/** A disk whose reads of the log can be made to wait: what is built from history then stands still, however fast the machine. */
import type { Disk, DiskFile, DiskLock } from "../../../src/base/disk.ts";

export class HeldReads implements Disk {
  readonly #disk: Disk;
  #held: Promise<void> | null = null;
  #release = (): void => {};

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  /** No read of the log is answered from now on, not even one that is under way. */
  hold(): void {
    this.#held ??= new Promise((resolve) => {
      this.#release = resolve;
    });
  }

  goOn(): void {
    this.#held = null;
    this.#release();
  }

  async open(path: string, mode: "read" | "write"): Promise<DiskFile> {
    const file = await this.#disk.open(path, mode);
    if (!path.includes("/log/")) return file;
    const read = file.read.bind(file);
    return Object.assign(file, {
      read: async (target: Uint8Array, at: number): Promise<number> => {
        const count = await read(target, at);
        await this.#held;
        return count;
      },
    });
  }

  list(directory: string): Promise<string[]> {
    return this.#disk.list(directory);
  }

  makeDirectory(path: string): Promise<void> {
    return this.#disk.makeDirectory(path);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  unlink(path: string): Promise<void> {
    return this.#disk.unlink(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path);
  }

  lock(path: string): Promise<DiskLock> {
    return this.#disk.lock(path);
  }
}
