/**
 * A copy of a log, of one position, in a directory of its own: while the log is written to, and again later, when only what is new is copied.
 *
 *   DIR/log/...        files of the log, as docs/LOG-FORMAT.md describes them
 *   DIR/backup.json    what of them belongs to the copy: { format, logId, position, takenAt, files: [{ name, bytes }] }
 *
 * 1. The source says which files there are, and how much of each is durable: that is one position.
 * 2. A sealed segment is copied under another name, verified, every byte, and given its name. Of a segment of frames what the copy has already stays;
 *    the rest is written behind it, and its frames are verified. Where a file has given way to its sealed form meanwhile, the source is asked anew.
 *    What the copy has already is compared first, sealed segments by their tails, those of frames by the last one: another server's may differ, and
 *    the two are not mixed. A file without commits (a closing mark alone) that the log has begun anew since is taken out of the copy, which misses
 *    nothing by it, and copied again.
 * 3. backup.json is replaced, atomically; then files go that it no longer names.
 *
 * So until the new copy is whole, backup.json names the one before, and all that it names is there.
 */
import { compareBytes, encodeUtf8 } from "../base/bytes.ts";
import { type Disk, type DiskFile, joinPath, readFully, writeFully } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";
import { type Slices, systemSlices } from "../base/slices.ts";
import { readWhole, replaceWhole } from "../base/small-file.ts";
import { HEADER_BYTES, readHeader } from "./frame.ts";
import { LOCK_FILE, LOG_DIRECTORY, lockDirectory, OWNER_FILE } from "./lock.ts";
import type { LogFile, LogFiles, Pause } from "./log.ts";
import { turnsOfItsOwn } from "./pause.ts";
import { Scanner } from "./scanner.ts";
import { readTail, TAIL_BYTES } from "./sealed/format.ts";
import { openIfSound } from "./sealed/verify.ts";
import { isSystems, parseSegmentName, type SegmentFileName } from "./segment.ts";

export const BACKUP_FILE = "backup.json";
const NEW_BACKUP_FILE = "backup.json.new";
/** What a backup that was broken off before it had a list may leave; SQLite, which holds the lock, has its journal beside it. */
const OWN_NAMES = new Set([LOG_DIRECTORY, LOCK_FILE, `${LOCK_FILE}-journal`, OWNER_FILE, NEW_BACKUP_FILE]);
const PLACES = "Back up into a new or an empty directory, or into an earlier backup of the same log.";
const FORMAT = 1;
/** A file that is being copied. */
const COPYING_NAME = "copying";
const MANIFEST_BYTES_MAX = 1 << 28;
/** How often the source is asked anew because a file has given way to its sealed form. */
const ROUNDS_MAX = 1_000;

/** A log that is copied, here or elsewhere. */
export interface BackupSource {
  files(): Promise<LogFiles>;
  /** @throws EvertError not_found where the file has given way to its sealed form */
  read(name: string, from: number, to: number): AsyncIterable<Uint8Array>;
}

export interface BackupOptions {
  readonly source: BackupSource;
  /** Made if it is not there; otherwise empty, or an earlier backup of the same log. */
  readonly directory: string;
  readonly disk: Disk;
  /** When it is taken, in milliseconds since 1970. */
  readonly now: number;
  /** How long frames are looked at before the event loop has a turn. */
  readonly slices?: Slices | undefined;
  /** Told how many bytes have been copied, and of how many. */
  readonly onProgress?: ((copied: number, total: number) => void) | undefined;
}

export interface BackupReport {
  readonly position: number;
  readonly files: number;
  readonly bytes: number;
  /** Of them, those that were not there before. */
  readonly copied: number;
}

export interface BackupManifest extends LogFiles {
  /** ISO 8601. */
  readonly takenAt: string;
}

/** @throws EvertError what the source throws; log_damaged: what came is not as it was written; the copy before stays as it was. */
export async function backupLog(options: BackupOptions): Promise<BackupReport> {
  const { disk, directory } = options;
  // Before anything is put there: what is refused stays as it was.
  const names = await namesIn(disk, directory);
  if (!names.includes(LOG_DIRECTORY)) refuseForeign(directory, names);
  await disk.makeDirectory(joinPath(directory, LOG_DIRECTORY));
  const lock = await lockDirectory(disk, directory);
  try {
    return await new Backup(options).run();
  } finally {
    await lock.release();
  }
}

/** Of a directory that is not there: none. */
async function namesIn(disk: Disk, directory: string): Promise<string[]> {
  try {
    return await disk.list(directory);
  } catch (error) {
    if (toEvertError(error).code === "not_found") return [];
    throw error;
  }
}

/** A backup among another program's files: who clears the one away takes the other, too. @throws EvertError invalid_request */
function refuseForeign(directory: string, names: readonly string[]): void {
  if (names.includes(BACKUP_FILE)) return;
  const foreign = names.find((name) => !OWN_NAMES.has(name) && !isSystems(name));
  if (foreign === undefined) return;
  throw new EvertError("invalid_request", `${directory} holds other files and is no backup`, {
    detail: `One of them is ${JSON.stringify(foreign)}.`,
    hint: PLACES,
  });
}

class Backup {
  readonly #source: BackupSource;
  readonly #disk: Disk;
  readonly #directory: string;
  readonly #logDirectory: string;
  readonly #options: BackupOptions;
  /** Frames may be a few hundred bytes, and thousands of them are read at once. */
  readonly #pause: Pause;
  /** Sound bytes of the copy's files. */
  readonly #sound = new Map<string, number>();
  #logId: number | null = null;
  #copied = 0;
  #total = 0;

  constructor(options: BackupOptions) {
    this.#options = options;
    this.#pause = turnsOfItsOwn(options.slices ?? systemSlices);
    this.#source = options.source;
    this.#disk = options.disk;
    this.#directory = options.directory;
    this.#logDirectory = joinPath(options.directory, LOG_DIRECTORY);
  }

  async run(): Promise<BackupReport> {
    await this.#begin(await this.#source.files());
    for (let round = 0; round < ROUNDS_MAX; round++) {
      const wanted = await this.#source.files();
      this.#checkLog(wanted);
      if (await this.#copyAll(wanted)) return this.#finish(wanted);
    }
    throw new EvertError("timeout", "the log's files change faster than they are copied", {
      detail: `It was asked ${ROUNDS_MAX} times which files there are. The backup is as it was before.`,
    });
  }

  /** Finds what the copy has. @throws EvertError where the directory holds something else */
  async #begin(wanted: LogFiles): Promise<void> {
    const before = await readManifest(this.#disk, this.#directory);
    if (before === null) {
      if ((await this.#disk.list(this.#logDirectory)).length > 0) {
        throw new EvertError("invalid_request", `${this.#directory} holds a log and is no backup`, {
          hint: PLACES,
        });
      }
      refuseForeign(this.#directory, await this.#disk.list(this.#directory));
      // From now on it is one: what a crash leaves here may be written over.
      await this.#writeManifest({ ...wanted, position: 0, files: [] });
    }
    this.#logId = (before ?? wanted).logId;
    for (const { name, bytes } of before?.files ?? []) this.#sound.set(name, bytes);
    const anew: string[] = [];
    for (const file of wanted.files) {
      if (parseSegmentName(file.name)?.form === "sealed") await this.#refuseOther(file);
      else if (await this.#isBegunAnew(file)) anew.push(file.name);
    }
    if (before === null || anew.length === 0) return;
    // As long as backup.json names it, it stays as it is.
    const files = before.files.filter(({ name }) => !anew.includes(name));
    await this.#writeManifest({ ...before, files }, before.takenAt);
    for (const name of anew) this.#sound.delete(name);
  }

  /**
   * Replicas take rows out of their segments by themselves: what has one name need not be the same in another server's directory. A copy with some of
   * each would have rows whose deletes are gone. @throws EvertError where that would be so
   */
  async #refuseOther({ name, bytes }: LogFile): Promise<void> {
    const known = this.#sound.get(name);
    if (known === undefined) return;
    // The checksums in a sealed segment's tail stand for all of it.
    if (known === bytes && (await this.#isTailOf(name, bytes))) return;
    throw new EvertError("invalid_request", `${this.#directory} is a backup of another server`, {
      detail: `Its ${name} is another one: each server compacts its own files.`,
      hint: "Back up into another directory.",
    });
  }

  /** @throws EvertError log_damaged: what was read is no tail, and says nothing of whose file it is */
  async #isTailOf(name: string, bytes: number): Promise<boolean> {
    const own = new Uint8Array(TAIL_BYTES);
    const file = await this.#disk.open(joinPath(this.#logDirectory, name), "read");
    try {
      await readFully(file, own, bytes - TAIL_BYTES);
    } finally {
      await file.close();
    }
    const theirs = await this.#theirs(name, bytes - TAIL_BYTES, TAIL_BYTES);
    if (theirs === null) return true;
    if (readTail(theirs) === null) throw notAsWritten(name);
    if (readTail(own) === null) throw damagedCopy(name);
    return compareBytes(own, theirs) === 0;
  }

  /**
   * A log that was restored from a backup has the id of the one it was taken of, and so has a former leader that went on by itself: what stands
   * behind the same place of one file may be of two histories, whose frames have the same sizes as often as not. The last frame that both are to have
   * tells it: its header has its time and the checksum of all that is in it.
   * @returns whether the log has begun the file anew: it may where the file had no commit yet, and the next segment has the name of this one
   * @throws EvertError where it is another one; log_damaged: the copy's frames are not as they were written
   */
  async #isBegunAnew({ name, bytes }: LogFile): Promise<boolean> {
    const known = this.#sound.get(name) ?? 0;
    const common = Math.min(known, bytes);
    if (common === 0) return false;
    const own = new Uint8Array(HEADER_BYTES);
    let last = -1;
    let end = 0;
    let commits = 0;
    const file = await this.#disk.open(joinPath(this.#logDirectory, name), "read");
    try {
      const scanner = new Scanner(file, 0, known, true);
      while (scanner.at < common) {
        await this.#pause();
        const found = await scanner.next();
        if (found.kind !== "frame") throw damagedCopy(name);
        last = found.at;
        end = scanner.at;
        commits += found.header.commitCount;
        own.set(found.bytes.subarray(found.offset, found.offset + HEADER_BYTES));
      }
    } finally {
      await file.close();
    }
    const theirs = end === common ? await this.#theirs(name, last, HEADER_BYTES) : new Uint8Array(0);
    if (theirs === null || compareBytes(own, theirs) === 0) return false;
    // What was read wrong says nothing of whose file it is.
    if (theirs.length > 0 && readHeader(theirs, 0) === null) throw notAsWritten(name);
    if (commits === 0) return true;
    throw new EvertError("invalid_request", `${this.#directory} is a backup of another server`, {
      detail: `Its ${name} has other commits than this server's: the two have parted, as after a restore.`,
      hint: "Back up into another directory.",
    });
  }

  /** So many bytes of the source's file; null: it has given way to another, and is not asked for then. */
  async #theirs(name: string, from: number, count: number): Promise<Uint8Array | null> {
    const bytes = new Uint8Array(count);
    let at = 0;
    try {
      for await (const piece of this.#source.read(name, from, from + count)) {
        if (at + piece.length > count) throw notAsWritten(name);
        bytes.set(piece, at);
        at += piece.length;
      }
    } catch (error) {
      if (error instanceof EvertError && error.code === "not_found") return null;
      throw error;
    }
    return bytes;
  }

  #checkLog({ logId }: LogFiles): void {
    if (logId === this.#logId) return;
    throw new EvertError("invalid_request", `${this.#directory} is a backup of another log`, {
      detail: "A log made anew is another one, also where it has the same topics.",
      hint: "Back up into another directory.",
    });
  }

  /** False: the source has to be asked anew. */
  async #copyAll({ files }: LogFiles): Promise<boolean> {
    // A crash may have left a last file without a frame: it is part of the log, too.
    const missing = files.filter(({ name, bytes }) => (this.#sound.get(name) ?? -1) < bytes);
    this.#total = this.#copied;
    for (const { name, bytes } of missing) this.#total += bytes - (this.#sound.get(name) ?? 0);
    this.#options.onProgress?.(this.#copied, this.#total);
    for (const file of missing) {
      try {
        await this.#copy(file);
      } catch (error) {
        if (error instanceof EvertError && error.code === "not_found") return false;
        throw error;
      }
    }
    return true;
  }

  async #copy(file: LogFile): Promise<void> {
    const name = parseSegmentName(file.name);
    if (name === null)
      throw new EvertError("log_damaged", `${JSON.stringify(file.name)} is no file of a log`);
    if (name.form === "sealed") await this.#copySealed(file, name);
    else await this.#copyFrames(file);
    this.#sound.set(file.name, file.bytes);
  }

  async #copySealed({ name, bytes }: LogFile, { firstPosition, generation }: SegmentFileName): Promise<void> {
    const path = joinPath(this.#logDirectory, COPYING_NAME);
    const file = await this.#disk.open(path, "write");
    try {
      await file.truncate(0);
      await this.#fill(file, name, 0, bytes);
    } finally {
      await file.close();
    }
    const segment = await openIfSound(this.#disk, path, firstPosition, generation);
    if (segment === null || segment.logId !== this.#logId) throw notAsWritten(name);
    await this.#disk.rename(path, joinPath(this.#logDirectory, name));
  }

  async #copyFrames({ name, bytes }: LogFile): Promise<void> {
    const from = this.#sound.get(name) ?? 0;
    const file = await this.#disk.open(joinPath(this.#logDirectory, name), "write");
    try {
      await file.truncate(from);
      await this.#fill(file, name, from, bytes);
      const scanner = new Scanner(file, from, bytes, true);
      while (scanner.at < bytes) {
        await this.#pause();
        const found = await scanner.next();
        if (found.kind !== "frame" || found.header.logId !== this.#logId) throw notAsWritten(name);
      }
    } finally {
      await file.close();
    }
  }

  async #fill(file: DiskFile, name: string, from: number, to: number): Promise<void> {
    let at = from;
    for await (const piece of this.#source.read(name, from, to)) {
      if (at + piece.length > to) throw notAsWritten(name);
      await writeFully(file, piece, at);
      at += piece.length;
      this.#copied += piece.length;
      this.#options.onProgress?.(this.#copied, this.#total);
    }
    if (at < to) throw new EvertError("connection_failed", `${name} ended ${to - at} bytes too early`);
    await file.datasync();
  }

  async #finish(wanted: LogFiles): Promise<BackupReport> {
    await this.#disk.syncDirectory(this.#logDirectory);
    await this.#writeManifest(wanted);
    const named = new Set(wanted.files.map(({ name }) => name));
    for (const name of await this.#disk.list(this.#logDirectory))
      if (!named.has(name)) await this.#disk.unlink(joinPath(this.#logDirectory, name));
    return {
      position: wanted.position,
      files: wanted.files.length,
      bytes: wanted.files.reduce((sum, { bytes }) => sum + bytes, 0),
      copied: this.#copied,
    };
  }

  async #writeManifest(
    { logId, position, files }: LogFiles,
    takenAt = new Date(this.#options.now).toISOString(),
  ): Promise<void> {
    const manifest = { format: FORMAT, logId, position, takenAt, files };
    const bytes = encodeUtf8(`${JSON.stringify(manifest, null, 1)}\n`);
    const names = { name: BACKUP_FILE, temporary: NEW_BACKUP_FILE };
    await replaceWhole(this.#disk, this.#directory, names, bytes);
  }
}

/** What belongs to a backup; null: the directory is none. @throws EvertError log_damaged, format_unsupported */
export async function readManifest(disk: Disk, directory: string): Promise<BackupManifest | null> {
  const bytes = await readWhole(disk, joinPath(directory, BACKUP_FILE), MANIFEST_BYTES_MAX);
  return bytes === null ? null : manifestOf(bytes, directory);
}

function manifestOf(bytes: Uint8Array, directory: string): BackupManifest {
  let manifest: Partial<BackupManifest> & { format?: unknown };
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw unreadable(directory);
  }
  const { format, logId, position, takenAt, files } = manifest ?? {};
  if (format !== FORMAT && typeof format === "number") {
    throw new EvertError("format_unsupported", `${directory} is a backup of format ${format}`, {
      hint: "Use the version of Evert that made it, or a later one.",
    });
  }
  const isWhole =
    format === FORMAT &&
    Number.isSafeInteger(logId) &&
    Number.isSafeInteger(position) &&
    typeof takenAt === "string" &&
    Array.isArray(files) &&
    files.every(
      ({ name, bytes }) => parseSegmentName(name) !== null && Number.isSafeInteger(bytes) && bytes >= 0,
    );
  if (!isWhole) throw unreadable(directory);
  return manifest as BackupManifest;
}

function unreadable(directory: string): EvertError {
  return new EvertError("log_damaged", `${BACKUP_FILE} of ${directory} is not as it was written`, {
    detail: "It says which files belong to the backup, and how much of each.",
  });
}

function damagedCopy(name: string): EvertError {
  return new EvertError("log_damaged", `the backup's ${name} is not as it was written`, {
    detail: "A checksum in it does not match. The backup is as it was before.",
    hint: "Try again; then back up into another directory.",
  });
}

function notAsWritten(name: string): EvertError {
  return new EvertError("log_damaged", `what came of ${name} is not as it was written`, {
    detail: "Its checksums do not match. The backup is as it was before.",
    hint: "Try again; then have evert check look at the log itself.",
  });
}
