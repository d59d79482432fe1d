/** A segment: one file of frames. Its name is the position of its first commit, twenty digits, so that names sort as positions do. */
import { assert } from "../base/assert.ts";
import { type Disk, type DiskDirectory, type DiskFile, joinPath, writeFully } from "../base/disk.ts";
import { EvertError, toEvertError } from "../base/errors.ts";

/** At the top of a file system. */
const FILE_SYSTEMS_OWN = "lost+found";
const NAME = /^(\d{20})(?:\.([1-9]\d{0,8}))?\.(log|sealed)$/;
const PREPARED_NAME = /^next-\d+$/;
const UNFINISHED_NAME = /^(?:sealing|compacting)-\d+$/;
/** A sealed segment that comes from a leader, until all of it is there. */
export const INCOMING_NAME = "incoming";

/** In the log's directory while files move: see repair/repair.ts. */
export const REPAIR_PLAN = "repair-plan";

/** In the log's directory from the beginning of a restore into it until its files are there. Beside the first of them it says nothing any more. */
export const RESTORE_BEGUN = "restore-begun";

/**
 * A file zero-filled ahead of use, before it is known where it will begin. Each has a number of its own: the next one may be
 * begun while the one before still waits for its name.
 */
export function preparedName(number: number): string {
  return `next-${number}`;
}

/** What was begun and not finished in the life before: it holds nothing that is not elsewhere. */
export function isLeftover(name: string): boolean {
  return (
    PREPARED_NAME.test(name) || UNFINISHED_NAME.test(name) || name === INCOMING_NAME || name === RESTORE_BEGUN
  );
}

/** What others than programs of data put into directories. */
export function isSystems(name: string): boolean {
  return name.startsWith(".") || name === FILE_SYSTEMS_OWN;
}

/** A directory that is called as ours is, with another program's files: they would lie between ours. @throws EvertError invalid_request */
export function refuseOtherFiles(logDirectory: string, names: readonly string[]): void {
  if (names.some((name) => parseSegmentName(name) !== null)) return;
  const other = names.find((name) => !isLeftover(name) && !isSystems(name) && name !== REPAIR_PLAN);
  if (other === undefined) return;
  throw new EvertError("invalid_request", `${logDirectory} has files of another program and no log`, {
    detail: `One of them is ${other}.`,
    hint: "Use another data directory: one that is not there yet, or is empty.",
  });
}

export function segmentName(firstPosition: number): string {
  return `${String(firstPosition).padStart(20, "0")}.log`;
}

/**
 * The same commits in their compact form: see sealed/format.ts. A name fixes what a file holds: each time rows are taken out of it, what is left gets
 * the next generation in its name.
 */
export function sealedName(firstPosition: number, generation = 0): string {
  const number = generation === 0 ? "" : `.${generation}`;
  return `${String(firstPosition).padStart(20, "0")}${number}.sealed`;
}

export interface SegmentFileName {
  readonly firstPosition: number;
  readonly form: "frames" | "sealed";
  /** Of the sealed form; 0 as it was made of the frames. */
  readonly generation: number;
}

/** null: no name of a file of a log. */
export function parseSegmentName(name: string): SegmentFileName | null {
  const match = NAME.exec(name);
  const firstPosition = Number(match?.[1]);
  if (match === null || !Number.isSafeInteger(firstPosition)) return null;
  const generation = Number(match[2] ?? 0);
  if (match[3] === "sealed") return { firstPosition, form: "sealed", generation };
  return generation === 0 ? { firstPosition, form: "frames", generation } : null;
}

/** A sealed segment while it is being written. */
export function unfinishedName(firstPosition: number): string {
  return `sealing-${firstPosition}`;
}

/** What is left of a sealed segment while it is being written. */
export function compactingName(firstPosition: number): string {
  return `compacting-${firstPosition}`;
}

export function isCompactingName(name: string): boolean {
  return /^compacting-\d+$/.test(name);
}

/** A file that was begun and will not be finished goes, if it is there. Where it cannot, that is reported: the next start does it. */
export async function removeUnfinished(
  disk: Disk,
  directory: string,
  name: string,
  report: (message: string) => void,
): Promise<void> {
  try {
    await disk.unlink(joinPath(directory, name));
  } catch (thrown) {
    const error = toEvertError(thrown);
    if (error.code !== "not_found")
      report(`${name} could not be removed: ${error.message}; the next start does`);
  }
}

/** A segment as the directory shows it: as frames, sealed, or, where a crash came between two names, both of them. */
export interface SegmentFiles {
  readonly firstPosition: number;
  readonly hasFrames: boolean;
  /** Of its sealed forms, the newest first. */
  readonly generations: readonly number[];
}

/** Segments in the directory, ascending. */
export async function listSegments(disk: Disk, directory: string): Promise<SegmentFiles[]> {
  const found = new Map<number, SegmentFiles>();
  for (const name of await disk.list(directory)) {
    const file = parseSegmentName(name);
    if (file === null) continue;
    const { firstPosition, form, generation } = file;
    const known = found.get(firstPosition) ?? { firstPosition, hasFrames: false, generations: [] };
    found.set(
      firstPosition,
      form === "frames"
        ? { ...known, hasFrames: true }
        : { ...known, generations: [...known.generations, generation].sort((a, b) => b - a) },
    );
  }
  return [...found.values()].sort((a, b) => a.firstPosition - b.firstPosition);
}

/**
 * A segment that is written to. Bytes [0, written) belong to frames; [written, placed) is room for groups that wait for their write;
 * [written, prepared) are zeros known to be on the disk, but for the frame in flight.
 */
export class WritableSegment {
  /** Written through: a frame's write is its sync as well. */
  readonly frames: DiskFile;
  /**
   * A second handle for the zeros: the kernel tells each handle of a failed write-back once, and what the one for frames is
   * told must not be swallowed by a sync of zeros.
   */
  readonly zeros: DiskFile;
  /** Frames are placed below it. Larger than usual for a frame that needs a segment of its own. */
  capacity: number;
  written: number;
  placed: number;
  prepared: number;
  /** Null while nothing is placed in it. */
  firstPosition: number | null;
  /** False: what is in it, if anything, is a closing mark. */
  hasCommits = false;
  /** Whether the file has its name. */
  published: boolean;
  #preparing: Promise<void> | null = null;
  #closed = false;

  constructor(
    frames: DiskFile,
    zeros: DiskFile,
    capacity: number,
    used: number,
    firstPosition: number | null,
  ) {
    this.frames = frames;
    this.zeros = zeros;
    this.capacity = capacity;
    this.written = used;
    this.placed = used;
    this.prepared = used;
    this.firstPosition = firstPosition;
    this.published = firstPosition !== null;
  }

  static async open(
    disk: Disk,
    path: string,
    capacity: number,
    used: number,
    firstPosition: number | null,
  ): Promise<WritableSegment> {
    const frames = await disk.open(path, "write-through");
    try {
      return new WritableSegment(frames, await disk.open(path, "write"), capacity, used, firstPosition);
    } catch (error) {
      await frames.close();
      throw error;
    }
  }

  /** Makes [prepared, to) zeros that are on the disk. One call at a time. */
  async prepare(zeros: Uint8Array, to: number): Promise<void> {
    this.#preparing = this.#prepare(zeros, to);
    try {
      await this.#preparing;
    } finally {
      this.#preparing = null;
    }
  }

  /** Gives the file its name, which is there after a power cut too. The first frame is written afterwards. `held`: the directory. */
  async publish(disk: Disk, directory: string, held: DiskDirectory): Promise<void> {
    assert(this.firstPosition !== null, "a segment is published when its first frame is placed");
    await disk.rename(this.frames.path, joinPath(directory, segmentName(this.firstPosition)));
    await held.sync();
    this.published = true;
  }

  /** Waits for zeros on their way: a file is not closed under a write. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled([this.#preparing]); // its error is for the one who called prepare
    await this.frames.close();
    await this.zeros.close();
  }

  async #prepare(zeros: Uint8Array, to: number): Promise<void> {
    for (let at = this.prepared; at < to; at += zeros.length) {
      await writeFully(this.zeros, to - at < zeros.length ? zeros.subarray(0, to - at) : zeros, at);
    }
    await this.zeros.datasync();
    this.prepared = to;
  }
}
