/** The disk of this machine, through node:fs. System calls run in libuv's thread pool, never on the event loop. */
import fs from "node:fs";
import { dirname } from "node:path";
import { type Disk, type DiskFile, type DiskLock, diskError, type OpenMode } from "./disk.ts";
import { lockFile } from "./node-lock.ts";

/** One system call moves at most so many bytes (Linux stops at 2 GiB - 4 KiB; a round number below). */
const IO_BYTES_MAX = 1 << 30;

const { O_RDONLY, O_RDWR, O_CREAT } = fs.constants;
/**
 * Linux: a write is synced by the system call itself, as fdatasync would, its own bytes only. Saves a second way through the thread
 * pool. Other systems have no such flag, or one that promises less than their fdatasync.
 */
const O_DSYNC = process.platform === "linux" ? fs.constants.O_DSYNC : 0;

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR | O_CREAT,
  "write-through": O_RDWR | O_CREAT | O_DSYNC,
};

export const nodeDisk: Disk = {
  hasPaths: true,

  async open(path, mode) {
    const fd = await call<number>("open", path, (done) => fs.open(path, FLAGS[mode], 0o644, done));
    return new NodeFile(path, fd, mode === "write-through" && O_DSYNC === 0);
  },

  async list(directory) {
    const names = await call<string[]>("list", directory, (done) => fs.readdir(directory, done));
    return names.sort();
  },

  makeDirectory(path) {
    return makeDirectory(path);
  },

  rename(from, to) {
    return call("rename", from, (done) => fs.rename(from, to, done));
  },

  unlink(path) {
    return call("remove", path, (done) => fs.unlink(path, done));
  },

  removeTree(path) {
    return call("remove", path, (done) => fs.rm(path, { recursive: true, force: true }, done));
  },

  async syncDirectory(path) {
    // Windows has no such call; NTFS journals its directories.
    if (process.platform === "win32") return;
    const fd = await call<number>("open", path, (done) => fs.open(path, "r", done));
    try {
      await call<void>("sync", path, (done) => fs.fsync(fd, done));
    } finally {
      await call<void>("close", path, (done) => fs.close(fd, done));
    }
  },

  async openDirectory(path) {
    if (process.platform === "win32") return { sync: async () => {}, close: async () => {} };
    const fd = await call<number>("open", path, (done) => fs.open(path, "r", done));
    return {
      sync: () => call<void>("sync", path, (done) => fs.fsync(fd, done)),
      close: () => call<void>("close", path, (done) => fs.close(fd, done)),
    };
  },

  lock(path): Promise<DiskLock> {
    return lockFile(path);
  },
};

/** A file that another thread has opened, to be read. It is closed there, when nothing is being read here any more. */
export function openedFile(path: string, descriptor: number): Pick<DiskFile, "read"> {
  return new NodeFile(path, descriptor, false);
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  readonly #syncsWrites: boolean;

  constructor(path: string, fd: number, syncsWrites: boolean) {
    this.path = path;
    this.#fd = fd;
    this.#syncsWrites = syncsWrites;
  }

  get descriptor(): number {
    return this.#fd;
  }

  read(target: Uint8Array, at: number): Promise<number> {
    const length = Math.min(target.length, IO_BYTES_MAX);
    return call("read", this.path, (done) => fs.read(this.#fd, target, 0, length, at, done));
  }

  readNow(target: Uint8Array, at: number): number {
    try {
      return fs.readSync(this.#fd, target, 0, Math.min(target.length, IO_BYTES_MAX), at);
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      throw diskError(code ?? message, "read", this.path, error);
    }
  }

  write(source: Uint8Array, at: number): Promise<number> {
    const length = Math.min(source.length, IO_BYTES_MAX);
    const written = call<number>("write", this.path, (done) =>
      fs.write(this.#fd, source, 0, length, at, done),
    );
    if (!this.#syncsWrites) return written;
    return written.then((count) => this.datasync().then(() => count));
  }

  datasync(): Promise<void> {
    return call("sync", this.path, (done) => fs.fdatasync(this.#fd, done));
  }

  truncate(size: number): Promise<void> {
    return call("truncate", this.path, (done) => fs.ftruncate(this.#fd, size, done));
  }

  async size(): Promise<number> {
    const stats = await call<fs.Stats>("look at", this.path, (done) => fs.fstat(this.#fd, done));
    return stats.size;
  }

  close(): Promise<void> {
    return call("close", this.path, (done) => fs.close(this.#fd, done));
  }
}

/**
 * With its parents. Node's own way to do that goes round for ever where a directory is there and nothing can be made in it with
 * anything but "no such file" (/proc).
 */
async function makeDirectory(path: string): Promise<void> {
  const code = await tryMake(path);
  if (code === null) return;
  const parent = dirname(path);
  if (code === "ENOENT" && parent !== path) {
    await makeDirectory(parent);
    const again = await tryMake(path);
    if (again === null) return;
    throw diskError(again === "ENOENT" ? "EACCES" : again, "make", path);
  }
  throw diskError(code, "make", path);
}

/** Null when it is there now, else the system's error code. */
function tryMake(path: string): Promise<string | null> {
  return new Promise((resolve) => {
    fs.mkdir(path, (error) => {
      if (error === null) resolve(null);
      else if (error.code !== "EEXIST") resolve(error.code ?? error.message);
      else fs.stat(path, (_, stats) => resolve(stats?.isDirectory() === true ? null : "ENOTDIR"));
    });
  });
}

type Done<T> = (error: NodeJS.ErrnoException | null, value: T) => void;

function call<T>(action: string, path: string, start: (done: Done<T>) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error) reject(diskError(error.code ?? error.message, action, path, error));
      else resolve(value);
    });
  });
}
