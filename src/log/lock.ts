/**
 * One process per data directory. The lock is the kernel's and goes with its owner; beside it lies a note saying who that is, for
 * the one who is refused. The note may be out of date when nobody holds the lock, and is read only when somebody does.
 */
import { hostname } from "node:os";
import { decodeUtf8, encodeUtf8 } from "../base/bytes.ts";
import { type Disk, type DiskLock, joinPath, readFully, writeFully } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";

/** Where the segments lie, inside the data directory. */
export const LOG_DIRECTORY = "log";

export const LOCK_FILE = "lock";
export const OWNER_FILE = "lock.owner";
const NOTE_BYTES_MAX = 512;
const notWritable = new Set<string | undefined>(["EROFS", "EACCES", "EPERM"]);

/** REQUIRES the directory. @throws EvertError directory_locked, naming the owner */
export async function lockDirectory(disk: Disk, directory: string): Promise<DiskLock> {
  let lock: DiskLock;
  try {
    lock = await disk.lock(joinPath(directory, LOCK_FILE));
  } catch (thrown) {
    const error = toEvertError(thrown);
    if (error.code !== "directory_locked") throw error;
    throw new EvertError("directory_locked", `the data directory ${directory} is in use`, {
      detail: `It is held by ${(await readOwner(disk, directory)) ?? "another process"}.`,
      hint: "Stop that process, or use another data directory.",
      cause: error,
    });
  }
  try {
    await writeOwner(disk, directory);
  } catch (error) {
    // A disk that is full, or a copy that this user may only read, must not keep anyone from reading; the note is only a courtesy.
    const { code, cause } = toEvertError(error);
    if (code !== "disk_full" && !notWritable.has((cause as NodeJS.ErrnoException | undefined)?.code)) {
      await lock.release();
      throw error;
    }
  }
  return lock;
}

async function writeOwner(disk: Disk, directory: string): Promise<void> {
  const note = encodeUtf8(`process ${process.pid} on ${hostname()}\n`);
  const file = await disk.open(joinPath(directory, OWNER_FILE), "write");
  try {
    await file.truncate(0);
    await writeFully(file, note, 0);
  } finally {
    await file.close();
  }
}

async function readOwner(disk: Disk, directory: string): Promise<string | null> {
  try {
    const file = await disk.open(joinPath(directory, OWNER_FILE), "read");
    try {
      const bytes = new Uint8Array(NOTE_BYTES_MAX);
      const note = decodeUtf8(bytes, 0, await readFully(file, bytes, 0)).trim();
      return note === "" ? null : note;
    } finally {
      await file.close();
    }
  } catch {
    return null; // whatever is wrong with the note, the answer is that the directory is locked
  }
}
