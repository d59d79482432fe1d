/**
 * The disk as the rest of Evert sees it. Implementations: node-disk.ts, and a simulated one for tests that loses power.
 *
 * Contract for implementers
 * - Every operation runs off the event loop, but for `readNow`. `read` and `write` may handle fewer bytes than asked for without any error, as the
 *   system calls do; callers use `readFully` and `writeFully`, which go on or say so.
 * - Written bytes are seen by every later read at once, and survive the death of the process; they survive a power cut only
 *   after `datasync`, or at once through a handle opened for "write-through". A power cut in between keeps any part of them, in
 *   any order, sector by sector. A directory's entries (files made, renamed, removed) survive only after `syncDirectory`.
 * - Errors are EvertErrors: `not_found` where a file or directory does not exist, `disk_full` where there is no space (or quota), `too_many_files`
 *   where something could not be opened because the process or the system has no descriptor left for it, `directory_locked`, and `io_error` for
 *   everything else.
 */
import { EvertError } from "./errors.ts";

/**
 * How a file is opened.
 * - "read": it exists.
 * - "write": reading and writing; made if it does not exist.
 * - "write-through": as "write", and a write is done when its bytes (these, not what others wrote to the file) survive a power
 *   cut: write and datasync in one. A failure of either is the write's.
 */
export type OpenMode = "read" | "write" | "write-through";

export interface DiskFile {
  readonly path: string;
  /** By which other threads of the process read the file while it is open here, through node:fs (openedFile in node-disk.ts). */
  readonly descriptor?: number;
  /** Bytes read into the front of `target`; 0 only at the end of the file. */
  read(target: Uint8Array, at: number): Promise<number>;
  /**
   * The same at once, where that is cheap for what the system has in memory: the event loop stands still meanwhile. null: read() it. Callers look at
   * how long it took, and leave it when the disk was asked (state/cold/read-pace.ts).
   */
  readNow(target: Uint8Array, at: number): number | null;
  /** Bytes of `source` written; the caller leaves it unchanged until then. */
  write(source: Uint8Array, at: number): Promise<number>;
  /** After it, what was written before the call, and the file's size, survive a power cut. A failure is final: see LOG-FORMAT. */
  datasync(): Promise<void>;
  truncate(size: number): Promise<void>;
  size(): Promise<number>;
  close(): Promise<void>;
}

/** A directory that is held open: syncing it takes nothing that the system may have run out of. */
export interface DiskDirectory {
  /** As syncDirectory. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Held until released or until the process ends, however it ends. */
export interface DiskLock {
  release(): Promise<void>;
}

export interface Disk {
  /** Whether other threads of the process find the same files by the same paths, through node:fs. */
  readonly hasPaths?: true;
  open(path: string, mode: OpenMode): Promise<DiskFile>;
  /** Names in the directory, sorted. */
  list(directory: string): Promise<string[]>;
  /** With its parents; nothing happens if it is there. */
  makeDirectory(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  unlink(path: string): Promise<void>;
  /** The directory and all that is in it. */
  removeTree(path: string): Promise<void>;
  syncDirectory(path: string): Promise<void>;
  openDirectory(path: string): Promise<DiskDirectory>;
  /** @throws EvertError directory_locked when anyone, this process included, holds it. */
  lock(path: string): Promise<DiskLock>;
}

/** Bytes that arrived, fewer than asked for only where the file ends. */
export async function readFully(
  file: Pick<DiskFile, "read">,
  target: Uint8Array,
  at: number,
): Promise<number> {
  let done = 0;
  while (done < target.length) {
    const count = await file.read(done === 0 ? target : target.subarray(done), at + done);
    if (count === 0) break;
    done += count;
  }
  return done;
}

/** Writes all of `source`: a short write is continued where it stopped. @throws EvertError if no byte can be written. */
export async function writeFully(file: DiskFile, source: Uint8Array, at: number): Promise<void> {
  let done = 0;
  while (done < source.length) {
    const count = await file.write(done === 0 ? source : source.subarray(done), at + done);
    if (count === 0) {
      throw new EvertError("io_error", `the disk took no more bytes of ${file.path}`, {
        detail: `${done} of ${source.length} bytes at ${at} were written, then a write took none and gave no error`,
      });
    }
    done += count;
  }
}

/** Joins with "/", which every platform Node runs on understands. */
export function joinPath(directory: string, name: string): string {
  return directory.endsWith("/") ? directory + name : `${directory}/${name}`;
}

const NO_SPACE = new Set(["ENOSPC", "EDQUOT"]);
const NO_DESCRIPTOR = new Set(["EMFILE", "ENFILE"]);
/** The place is wrong, not the disk. */
const NOT_HERE = new Map([
  ["EACCES", "Nothing may be written there."],
  ["EPERM", "Nothing may be written there."],
  ["EROFS", "The file system is read-only."],
  ["ENOTDIR", "A part of the path is a file, not a directory."],
]);

/** The EvertError for what a system call says. */
export function diskError(systemCode: string, action: string, path: string, cause?: unknown): EvertError {
  const message = `cannot ${action} ${path}: ${systemCode}`;
  if (systemCode === "ENOENT") return new EvertError("not_found", message, { cause });
  if (NO_SPACE.has(systemCode)) {
    return new EvertError("disk_full", message, {
      detail: "The file system, or the quota on it, has no room left.",
      hint: "Free some space; appends go on by themselves when there is room again.",
      cause,
    });
  }
  if (NO_DESCRIPTOR.has(systemCode)) {
    return new EvertError("too_many_files", message, {
      detail: "The process, or the system, has as many files and sockets open as it may.",
      hint: "Raise the limit (ulimit -n), or close connections; it goes on by itself when there are descriptors again.",
      cause,
    });
  }
  const wrongPlace = NOT_HERE.get(systemCode);
  if (wrongPlace !== undefined) {
    return new EvertError("io_error", message, {
      detail: wrongPlace,
      hint: "Choose another directory, or mend the rights on this one.",
      cause,
    });
  }
  return new EvertError("io_error", message, {
    detail: "The operating system reports that the disk failed.",
    cause,
  });
}
