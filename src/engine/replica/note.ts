/**
 * What a data directory remembers of other copies of its log, beside the log: DATA/replica.json. Without the file it has never followed, been
 * promoted or been superseded. It is replaced atomically; what it says decides how the directory may be opened, never what is in the log.
 */
import { encodeUtf8 } from "../../base/bytes.ts";
import { type Disk, joinPath } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import type { Random } from "../../base/random.ts";
import { readWhole, replaceWhole } from "../../base/small-file.ts";

const NAME = "replica.json";
const NEW_NAME = "replica.json.new";
const BYTES_MAX = 1 << 20;

export interface ReplicaNote {
  /** This copy among the followers of a leader. */
  readonly id: string;
  /** The leader it follows; null: it leads. */
  readonly follows: string | null;
  /** The leader in whose place it was promoted last, and whether that one has been told. */
  readonly replaces: string | null;
  readonly isTold: boolean;
  /** The epoch of somebody else by which it has been superseded as a leader. */
  readonly superseded: number | null;
  /** It began with nothing, and has not had all that the leader had since: it knows the beginning of the history alone. */
  readonly isCopying: boolean;
}

/** Of a copy that neither follows nor has been promoted nor superseded. */
export function plainNote(id: string): ReplicaNote {
  return { id, follows: null, replaces: null, isTold: false, superseded: null, isCopying: false };
}

export function newNote(random: Random): ReplicaNote {
  const bytes = random.bytes(new Uint8Array(8));
  return plainNote(Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(""));
}

/** @throws EvertError log_damaged where the file is none; what the disk refuses */
async function readNote(disk: Disk, directory: string): Promise<ReplicaNote | null> {
  try {
    const bytes = await readWhole(disk, joinPath(directory, NAME), BYTES_MAX);
    if (bytes === null) return null;
    const { format, id, follows, replaces, isTold, superseded, isCopying } = JSON.parse(
      new TextDecoder().decode(bytes),
    );
    // It may have been given its name just before the process died.
    await disk.syncDirectory(directory);
    if (format !== 1 || typeof id !== "string") throw new Error("it says none of what it should");
    return {
      id,
      follows: follows ?? null,
      replaces: replaces ?? null,
      isTold: isTold === true,
      superseded: superseded ?? null,
      isCopying: isCopying === true,
    };
  } catch (cause) {
    // What the disk refuses, as a file in the directory's place, tells nothing of what is written.
    if (cause instanceof EvertError && cause.code !== "log_damaged") throw cause;
    throw new EvertError("log_damaged", `${NAME} of ${directory} is not as it was written`, {
      detail: "It says whether the directory follows a leader, or has been superseded by one.",
      hint: "If you know that it leads, remove the file; else start again with --follow and an empty directory.",
      cause,
    });
  }
}

/**
 * The note of one directory. It may be changed by several at once: each change is on top of those before it, and they are written one after the
 * other.
 */
export class KeptNote {
  readonly #disk: Disk;
  readonly #directory: string;
  #note: ReplicaNote | null;
  #written: Promise<void> = Promise.resolve();
  /** What the file says. */
  #onDisk: ReplicaNote | null;

  private constructor(disk: Disk, directory: string, note: ReplicaNote | null) {
    this.#disk = disk;
    this.#directory = directory;
    this.#note = note;
    this.#onDisk = note;
  }

  /** @throws EvertError log_damaged where there is a file that is no note */
  static async read(disk: Disk, directory: string): Promise<KeptNote> {
    return new KeptNote(disk, directory, await readNote(disk, directory));
  }

  /** null: nothing is noted. */
  get note(): ReplicaNote | null {
    return this.#note;
  }

  /** Whether the disk has what was set last. */
  get isOnDisk(): boolean {
    return this.#onDisk === this.#note;
  }

  /** Resolves when it is on the disk. It counts also where that fails: then it is to be set again. REQUIRES the directory. */
  set(note: ReplicaNote): Promise<void> {
    this.#note = note;
    const content = encodeUtf8(`${JSON.stringify({ format: 1, ...note })}\n`);
    const names = { name: NAME, temporary: NEW_NAME };
    const written = this.#written.then(async () => {
      await replaceWhole(this.#disk, this.#directory, names, content);
      this.#onDisk = note;
    });
    this.#written = written.catch(() => {});
    return written;
  }

  /** What has been set is on the disk, or its caller has been told that it is not. */
  settled(): Promise<void> {
    return this.#written;
  }
}
