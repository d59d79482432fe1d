/**
 * The durable log as it is stored, for whoever copies it or follows: bytes of its files; and, from a position on, piece by piece, what a follower
 * lacks.
 *
 * Of a segment of frames a piece is some of its frames, one behind the other, as they stand. They are not looked at beyond their headers: who takes
 * them over verifies every byte. A sealed segment is a piece by itself, named and not read. A segment that is sealed while its frames are being
 * handed on is handed on to its end: who has the file open reads on.
 */
import { type Disk, type DiskFile, joinPath, readFully } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import type { StoredExtent } from "./confirmations.ts";
import { HEADER_BYTES, readHeader } from "./frame.ts";
import type { LogFile, Position, StoredPiece, StoredPieces } from "./log.ts";
import type { LogIndex, SegmentExtent } from "./log-index.ts";
import { damaged } from "./scanner.ts";
import type { SealedSegment } from "./sealed/sealed-segment.ts";
import { segmentName } from "./segment.ts";

/** Of a file, read at once. */
const READ_BYTES = 256 * 1024;

interface StoredSource {
  readonly disk: Disk;
  readonly directory: string;
  readonly index: LogIndex;
}

export function fileOf({ firstPosition, end, sealed }: SegmentExtent): LogFile {
  return { name: sealed === null ? segmentName(firstPosition) : sealed.name, bytes: end };
}

export async function* readFileOf(
  { disk, directory, index }: StoredSource,
  name: string,
  from: number,
  to: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  const known = index.segments.map(fileOf).find((file) => file.name === name);
  if (known === undefined) throw new EvertError("not_found", `the log has no file ${JSON.stringify(name)}`);
  if (!(0 <= from && from <= to && to <= known.bytes)) {
    throw new EvertError("invalid_argument", `bytes ${from} to ${to} are not in ${name}`, {
      detail: `It has ${known.bytes}.`,
    });
  }
  const file = await disk.open(joinPath(directory, name), "read");
  try {
    for (let at = from; at < to; ) {
      const piece = new Uint8Array(Math.min(READ_BYTES, to - at));
      if ((await readFully(file, piece, at)) < piece.length)
        throw new EvertError("io_error", `${name} ends before byte ${to}`);
      yield piece;
      at += piece.length;
    }
  } finally {
    await file.close();
  }
}

interface StoredTail extends StoredSource {
  /** Segments with frames that are stored and do not count as durable yet, ascending. */
  readonly waiting: () => readonly StoredExtent[];
}

/** A segment, up to where it is stored. */
interface Extent extends StoredExtent {
  readonly sealed: SealedSegment | null;
}

/** A segment whose frames are being handed on. */
interface Opened {
  readonly firstPosition: Position;
  readonly file: DiskFile;
  at: number;
}

export class StoredLog implements StoredPieces {
  readonly #source: StoredTail;
  /** The first position that has not been handed on. */
  #next: Position;
  #opened: Opened | null = null;

  constructor(source: StoredTail, from: Position) {
    this.#source = source;
    this.#next = from;
  }

  async next(): Promise<StoredPiece | null> {
    for (;;) {
      const opened = this.#opened ?? (await this.#open());
      if (opened === null) return null;
      if ("kind" in opened) return opened;
      const piece = await this.#frames(opened);
      if (piece !== null) return piece;
      if (this.#extent()?.firstPosition === opened.firstPosition) return null;
      await this.close();
    }
  }

  get behind(): number {
    const current = this.#opened?.firstPosition ?? this.#extent()?.firstPosition ?? 0;
    let bytes = -(this.#opened?.at ?? 0);
    for (const { end } of this.#extentsFrom(current)) bytes += end;
    return Math.max(0, bytes);
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = null;
    await opened?.file.close();
  }

  /** Segments from the one on that the position lies in, ascending. */
  #extentsFrom(position: Position): Extent[] {
    const { index, waiting } = this.#source;
    const from = index.segments.findLastIndex(({ firstPosition }) => firstPosition <= position);
    const extents: Extent[] = index.segments.slice(Math.max(0, from)).map((segment) => ({ ...segment }));
    for (const { firstPosition, end } of waiting()) {
      const known = extents.find((extent) => extent.firstPosition === firstPosition);
      if (known === undefined) extents.push({ firstPosition, end, sealed: null });
      else known.end = end;
    }
    return extents;
  }

  /** The segment that the next position lies in, or will; undefined: none does. */
  #extent(): Extent | undefined {
    return this.#extentsFrom(this.#next).findLast(({ firstPosition }) => firstPosition <= this.#next);
  }

  async #open(): Promise<Opened | StoredPiece | null> {
    const { disk, directory, index } = this.#source;
    for (;;) {
      const extent = this.#extent();
      if (extent === undefined) return null;
      const { firstPosition, sealed } = extent;
      if (sealed !== null) {
        const last = sealed.lastPosition;
        if (last < this.#next) return null;
        this.#next = last + 1;
        return { kind: "sealed", segment: firstPosition, last, file: fileOf(extent) };
      }
      const found = index.seekPosition(this.#next);
      const isThere = found !== null && index.segments[found.segment]?.firstPosition === firstPosition;
      try {
        const file = await disk.open(joinPath(directory, segmentName(firstPosition)), "read");
        this.#opened = { firstPosition, file, at: isThere ? found.at : 0 };
        return this.#opened;
      } catch (error) {
        // Sealed between the two lines above: then the index knows by now.
        const isGone = error instanceof EvertError && error.code === "not_found";
        if (!isGone || this.#extent()?.sealed === null) throw error;
      }
    }
  }

  /** Frames from the next position on, as many as are read at once; null: there are none yet. */
  async #frames(opened: Opened): Promise<StoredPiece | null> {
    const { firstPosition: segment, file } = opened;
    const name = segmentName(segment);
    for (let size = READ_BYTES; ; ) {
      const extent = this.#extentsFrom(segment).find(({ firstPosition }) => firstPosition === segment);
      if (extent === undefined) return null;
      const { sealed } = extent;
      if (sealed !== null && sealed.lastPosition < this.#next) return null;
      // Where the frames of a segment end that has been sealed is not known any more: behind its last commit.
      const rest = sealed === null ? extent.end - opened.at : size;
      if (rest <= 0) return null;
      const asked = size;
      const bytes = new Uint8Array(Math.min(asked, rest));
      const length = await readFully(file, bytes, opened.at);
      let from = 0;
      let to = 0;
      let last: Position | null = null;
      while (to + HEADER_BYTES <= length) {
        const header = readHeader(bytes, to);
        if (header === null) throw damaged(name, opened.at + to, "the frame there is not as it was written");
        const { firstPosition, commitCount, frameBytes } = header;
        if (to + frameBytes > length) {
          if (to === 0) size = Math.max(size, frameBytes);
          break;
        }
        to += frameBytes;
        const lastOfFrame = firstPosition + commitCount - 1;
        if (commitCount === 0 || lastOfFrame < this.#next) {
          if (last === null) from = to;
          continue;
        }
        if (last === null && firstPosition !== this.#next) throw notHere(this.#next, firstPosition);
        last = lastOfFrame;
        if (sealed !== null && last === sealed.lastPosition) break;
      }
      if (to === 0 && size === asked)
        throw damaged(name, opened.at, "the frame there is not as it was written");
      opened.at += to;
      if (last !== null) {
        this.#next = last + 1;
        return { kind: "frames", segment, last, bytes: bytes.subarray(from, to) };
      }
    }
  }
}

function notHere(wanted: Position, found: Position): EvertError {
  return new EvertError("diverged", `no frame of this log begins at position ${wanted}`, {
    detail: `The one that holds it begins at ${found}: the two logs were not written by one leader.`,
  });
}
