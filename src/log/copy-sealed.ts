/**
 * The beginning of a log, up to a position or time, as the beginning of another one: its sealed segments as they lie, with the other's id in their
 * tails.
 *
 * Rows may have been taken out of them: so what is behind them may be appended anew, commit by commit, and they may not, since a commit's rows get
 * the next offsets then.
 */
import { type Disk, joinPath, readFully, writeFully } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { damaged } from "./scanner.ts";
import { encodeTail, readTail, TAIL_BYTES } from "./sealed/format.ts";
import { openSealed, type SealedSegment, sealedPath } from "./sealed/sealed-segment.ts";
import { listSegments, sealedName } from "./segment.ts";

const COPY_BYTES = 1 << 20;

export interface CopySealedOptions {
  readonly disk: Disk;
  /** Directories of logs; the second is empty. REQUIRES sound segments, one form of each. */
  readonly from: string;
  readonly into: string;
  readonly logId: number;
  /** The last commit wanted. */
  readonly position: number;
  readonly timeUs: number;
}

export interface CopiedSealed {
  /** Up to which it has been copied. */
  readonly position: number;
  /** Of rows that have been taken out: states before it are not to be had. */
  readonly horizon: number;
}

/** @throws EvertError records_gone: rows have been taken out since the position or time */
export async function copySealed(options: CopySealedOptions): Promise<CopiedSealed> {
  const { disk, from, into } = options;
  const sealed = await sealedFrom(disk, from);
  const horizon = Math.max(0, ...sealed.map(({ directory }) => directory.sparse?.horizon ?? 0));
  const isBefore = sealed.some(
    ({ lastPosition, directory }) => lastPosition <= horizon && directory.lastTimeUs > options.timeUs,
  );
  if (isBefore || options.position < horizon) throw recordsGone(horizon);
  let position = 0;
  for (const segment of sealed) {
    if (segment.lastPosition > options.position || segment.directory.lastTimeUs > options.timeUs) break;
    await copyAs(disk, sealedPath(from, segment), sealedPath(into, segment), segment, options.logId);
    position = segment.lastPosition;
  }
  await disk.syncDirectory(into);
  return { position, horizon };
}

/** The log's segments as far as they are sealed. */
async function sealedFrom(disk: Disk, directory: string): Promise<SealedSegment[]> {
  const sealed: SealedSegment[] = [];
  for (const { firstPosition, generations } of await listSegments(disk, directory)) {
    const [generation] = generations;
    if (generation === undefined) break;
    const path = joinPath(directory, sealedName(firstPosition, generation));
    sealed.push(await openSealed(disk, path, firstPosition, generation));
  }
  return sealed;
}

export function recordsGone(horizon: number): EvertError {
  return new EvertError("records_gone", `the backup's history begins at position ${horizon}`, {
    detail: "Records before it have been taken out, by retention or compaction, or have been erased.",
    hint: `Restore to position ${horizon} or later, or from a backup that was taken before.`,
  });
}

async function copyAs(
  disk: Disk,
  from: string,
  into: string,
  { name, bytes }: SealedSegment,
  logId: number,
): Promise<void> {
  const source = await disk.open(from, "read");
  const target = await disk.open(into, "write");
  try {
    const piece = new Uint8Array(COPY_BYTES);
    for (let at = 0; at < bytes; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, bytes - at));
      if ((await readFully(source, part, at)) < part.length) throw damaged(name, at, "the file is too short");
      await writeFully(target, part, at);
    }
    const tailBytes = new Uint8Array(TAIL_BYTES);
    await readFully(source, tailBytes, bytes - TAIL_BYTES);
    const tail = readTail(tailBytes);
    if (tail === null) throw damaged(name, bytes - TAIL_BYTES, "the segment's tail is not as it was written");
    await writeFully(target, encodeTail({ ...tail, logId }), bytes - TAIL_BYTES);
    await target.datasync();
  } finally {
    await source.close();
    await target.close();
  }
}
