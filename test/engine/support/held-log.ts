/**
 * A disk on which the log can be made to wait, however fast the machine is: with its reads held, what is built from history stands
 * still; with its writes held, commits are stepped and not durable.
 */
import type { Disk, DiskDirectory, DiskFile, DiskLock, OpenMode } from "../../../src/base/disk.ts";

class Gate {
  #held: Promise<void> | null = null;
  #open = (): void => {};

  close(): void {
    this.#held ??= new Promise((resolve) => {
      this.#open = resolve;
    });
  }

  open(): void {
    this.#held = null;
    this.#open();
  }

  async pass(): Promise<void> {
    await this.#held;
  }
}

export class HeldLog implements Disk {
  /** No read of the log is answered while it is closed, not even one that was under way. */
  readonly reads = new Gate();
  readonly writes = new Gate();
  readonly #disk: Disk;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  goOn(): void {
    this.reads.open();
    this.writes.open();
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    const file = await this.#disk.open(path, mode);
    if (!path.includes("/log/")) return file;
    const read = file.read.bind(file);
    const write = file.write.bind(file);
    return Object.assign(file, {
      read: async (target: Uint8Array, at: number): Promise<number> => {
        const count = await read(target, at);
        await this.reads.pass();
        return count;
      },
      write: async (source: Uint8Array, at: number): Promise<number> => {
        await this.writes.pass();
        return write(source, at);
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

  removeTree(path: string): Promise<void> {
    return this.#disk.removeTree(path);
  }

  openDirectory(path: string): Promise<DiskDirectory> {
    return this.#disk.openDirectory(path);
  }

  syncDirectory(path: string): Promise<void> {
    return this.#disk.syncDirectory(path);
  }

  lock(path: string): Promise<DiskLock> {
    return this.#disk.lock(path);
  }
}
