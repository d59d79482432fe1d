/**
 * A sealed segment as it is opened: its directory in memory, its sections and pages by request.
 *
 * What is read is what is asked for: 64 bytes of tail, the directory, the section of a topic, the pages of its columns. Pages of one column lie
 * one behind the other, so a stream of them is read in long stretches that begin small and double.
 */
import { type Disk, type DiskFile, joinPath, readFully } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import { systemSlices } from "../../base/slices.ts";
import type { CommitInfo, Pause } from "../log.ts";
import { turnsOfItsOwn } from "../pause.ts";
import { damaged } from "../scanner.ts";
import { sealedName } from "../segment.ts";
import { decodeCommits } from "./commits.ts";
import {
  type Directory,
  HEAD_BYTES,
  type Origin,
  type Run,
  readDirectory,
  readSection,
  readTail,
  SEALED_VERSION,
  SEALED_VERSION_SPARSE,
  type Section,
  TAIL_BYTES,
  UnknownFormat,
} from "./format.ts";
import { openPage, type Page } from "./page.ts";

const AHEAD_BYTES_MIN = 32 * 1024;
const AHEAD_BYTES_MAX = 512 * 1024;

export interface SealedSegment extends Origin {
  readonly name: string;
  readonly generation: number;
  readonly logId: number;
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Of the file. */
  readonly bytes: number;
  readonly directory: Directory;
}

/** Reads tail and directory. @throws EvertError not_found, log_damaged, format_unsupported, io_error */
export async function openSealed(
  disk: Disk,
  path: string,
  firstPosition: number,
  generation = 0,
): Promise<SealedSegment> {
  const name = sealedName(firstPosition, generation);
  const file = await disk.open(path, "read");
  try {
    const bytes = await file.size();
    const tailBytes = new Uint8Array(TAIL_BYTES);
    const tailAt = bytes - TAIL_BYTES;
    if (tailAt < HEAD_BYTES) throw damaged(name, 0, "the file is too short for a sealed segment");
    await readFully(file, tailBytes, tailAt);
    const tail = readTail(tailBytes);
    if (tail === null) throw damaged(name, tailAt, "the segment's tail is not as it was written");
    if (tail.version < SEALED_VERSION || tail.version > SEALED_VERSION_SPARSE)
      throw unsupported(name, `format version ${tail.version}`);
    if (tail.firstPosition !== firstPosition)
      throw damaged(
        name,
        tailAt,
        `the segment begins at position ${tail.firstPosition}, not where its name says`,
      );
    const raw = await readPage(file, name, tail.directory);
    const directory = parsed(name, tail.directory, () => readDirectory(raw, tail.version));
    const { commitCount, firstTimeUs } = directory;
    if (commitCount === 0) throw damaged(name, tail.directory.at, "a segment without commits");
    return {
      name,
      generation,
      logId: tail.logId,
      firstPosition,
      firstTimeUs,
      lastPosition: firstPosition + commitCount - 1,
      bytes,
      directory,
    };
  } finally {
    await file.close();
  }
}

export function sealedPath(directory: string, { name }: Pick<SealedSegment, "name">): string {
  return joinPath(directory, name);
}

/** One page by itself. @throws EvertError log_damaged, io_error */
export async function readPage(file: DiskFile, name: string, page: Page): Promise<Uint8Array> {
  const stored = new Uint8Array(page.bytes);
  const count = await readFully(file, stored, page.at);
  return (await openPage(page, stored.subarray(0, count))) ?? pageDamaged(name, page);
}

export async function readRun(file: DiskFile, segment: SealedSegment, run: Run): Promise<Section> {
  const raw = await readPage(file, segment.name, run.section);
  return parsed(segment.name, run.section, () => readSection(raw, segment));
}

/** All commits, a page at a time, from the one that holds `from` on. */
export async function* readCommitPages(
  file: DiskFile,
  segment: SealedSegment,
  from: number,
  pause: Pause = turnsOfItsOwn(systemSlices),
): AsyncGenerator<CommitInfo[], void, undefined> {
  const pages = segment.directory.commitPages;
  const stream = new PageStream(
    file,
    segment.name,
    pages.map(({ page }) => page),
    pause,
  );
  let position = segment.firstPosition;
  for (let i = 0; i < pages.length; i++) {
    const { commits, page } = pages[i]!;
    if (position + commits > from) {
      const raw = await stream.read(i);
      yield decodeCommits(raw, commits, position, segment) ?? pageDamaged(segment.name, page);
    }
    position += commits;
  }
}

/** Pages in ascending order, mostly one behind the other. */
export class PageStream {
  readonly #file: Pick<DiskFile, "read">;
  readonly #name: string;
  readonly #pages: readonly Page[];
  readonly #pause: Pause;
  #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(0);
  #from = 0;
  #aheadBytes: number;

  /** `pause` is asked before each page. `areAllWanted`: whoever asks for the first will ask for the last. */
  constructor(
    file: Pick<DiskFile, "read">,
    name: string,
    pages: readonly Page[],
    pause: Pause,
    areAllWanted = false,
  ) {
    this.#aheadBytes = areAllWanted ? AHEAD_BYTES_MAX : AHEAD_BYTES_MIN;
    this.#file = file;
    this.#name = name;
    this.#pages = pages;
    this.#pause = pause;
  }

  /** The i-th page before compression; its bytes belong to the caller. @throws EvertError log_damaged, io_error */
  async read(i: number): Promise<Uint8Array> {
    const page = this.#pages[i]!;
    if (page.at < this.#from || page.at + page.bytes > this.#from + this.#buffer.length) await this.#load(i);
    const others = this.#pause();
    if (others !== null) await others;
    const at = page.at - this.#from;
    const opened = openPage(page, this.#buffer.subarray(at, at + page.bytes));
    return (opened instanceof Promise ? await opened : opened) ?? pageDamaged(this.#name, page);
  }

  /** What was read is not needed any more: its memory is given back at once. REQUIRES that nobody has a page that is stored as it is. */
  release(): void {
    this.#buffer = new Uint8Array(this.#buffer.buffer.transfer(0));
  }

  /** Page i and what follows it without a gap, up to the stretch. */
  async #load(i: number): Promise<void> {
    const { at, bytes } = this.#pages[i]!;
    let end = at + bytes;
    for (let k = i + 1; k < this.#pages.length; k++) {
      const page = this.#pages[k]!;
      if (page.at !== end || end + page.bytes > at + this.#aheadBytes) break;
      end += page.bytes;
    }
    this.#aheadBytes = Math.min(2 * this.#aheadBytes, AHEAD_BYTES_MAX);
    const buffer = new Uint8Array(end - at);
    const count = await readFully(this.#file, buffer, at);
    this.#buffer = buffer.subarray(0, count);
    this.#from = at;
  }
}

export function pageDamaged(name: string, page: Page): never {
  throw damaged(name, page.at, "the page there is not as it was written");
}

/** What the bytes say, whose checksum is right. */
function parsed<T>(name: string, page: Page, read: () => T | null): T {
  try {
    return read() ?? pageDamaged(name, page);
  } catch (error) {
    if (error instanceof UnknownFormat) throw unsupported(name, error.message);
    throw error;
  }
}

function unsupported(name: string, what: string): EvertError {
  return new EvertError("format_unsupported", `the sealed segment ${name} holds ${what}`, {
    detail: `This release of Evert reads versions ${SEALED_VERSION} and ${SEALED_VERSION_SPARSE} of the format of sealed segments.`,
    hint: "Run the release that wrote it, or a newer one.",
  });
}
