/**
 * Rows of the log for whoever wants them all and no commits: of sealed segments piece by piece, so that threads can read them side by side; for the
 * rest it is said between which positions they lie.
 *
 * A piece's file stays open until all pieces of its segment have been given back. So it is read to its end, whatever takes the segment's place
 * meanwhile.
 */
import { assert } from "../base/assert.ts";
import type { DiskFile } from "../base/disk.ts";
import type { HistoryOptions, HistoryPart } from "./log.ts";
import { mayHoldAny, openSegment, type ReaderSource } from "./reader.ts";
import type { SealedSource } from "./sealed/groups.ts";
import { type PieceRequest, piecesOf } from "./sealed/pieces.ts";

/** REQUIRES a durable `to`. */
export async function* readHistory(
  source: ReaderSource,
  { from, to, columns, ranges }: HistoryOptions,
): AsyncGenerator<HistoryPart, void, undefined> {
  const { segments } = source.index;
  const topics = new Set(columns.keys());
  // What lies in pieces ends before it.
  let next = from;
  const start = source.index.seekPosition(from)?.segment ?? segments.length;
  // Elsewhere a thread finds no file.
  const end = source.disk.hasPaths === true ? segments.length : start;
  for (let i = start; i < end && segments[i]!.firstPosition <= to; i++) {
    const { sealed } = segments[i]!;
    if (sealed === null || sealed.firstPosition < from || sealed.lastPosition > to) continue;
    if (next < sealed.firstPosition) yield { kind: "groups", from: next, to: sealed.firstPosition - 1 };
    next = sealed.firstPosition;
    const wanted = wantedNow(source, { columns, ranges });
    if (wanted === null) continue;
    next = sealed.lastPosition + 1;
    if (mayHoldAny(segments[i]!, topics)) yield* piecesIn(source, i, wanted);
  }
  if (next <= to) yield { kind: "groups", from: next, to };
}

/** By the schemas of now: one that comes while a file is opened has its columns elsewhere. Null: there are columns that are gone. */
function wantedNow(
  { index, registry }: ReaderSource,
  { columns, ranges }: Pick<HistoryOptions, "columns" | "ranges">,
): PieceRequest[] | null {
  const requests: PieceRequest[] = [];
  for (const [topicId, wanted] of columns) {
    const now = wanted();
    if (now === null) return null;
    requests.push({
      topicId,
      from: index.topicStart(topicId),
      columns: now,
      to: registry.newest(topicId),
      ranges: ranges(topicId),
    });
  }
  return requests;
}

/** What was sealed stays so. */
async function openSealed(source: ReaderSource, segment: number): Promise<SealedSource> {
  const opened = await openSegment(source, segment);
  assert(opened.kind === "sealed", "frames take the place of no sealed segment");
  return opened.source;
}

async function* piecesIn(
  source: ReaderSource,
  at: number,
  requests: readonly PieceRequest[],
): AsyncGenerator<HistoryPart, void, undefined> {
  const opened = await openSealed(source, at);
  const { file, segment } = opened;
  const { path, descriptor } = file;
  assert(descriptor !== undefined, "a file that has a path can be read by any thread");
  const shared = new SharedFile(file);
  const release = (): void => shared.release();
  try {
    for (const request of requests) {
      for (const piece of await piecesOf(opened, request)) {
        shared.hold();
        yield {
          kind: "piece",
          piece,
          file: { path, descriptor },
          lastPosition: segment.lastPosition,
          release,
        };
      }
    }
  } finally {
    release();
  }
}

/** Closed by the last of those who hold it. Whoever opened it does. */
class SharedFile {
  readonly #file: DiskFile;
  #holders = 1;

  constructor(file: DiskFile) {
    this.#file = file;
  }

  hold(): void {
    this.#holders++;
  }

  release(): void {
    // It was only read: nothing is lost where it cannot be closed.
    if (--this.#holders === 0) this.#file.close().catch(() => {});
  }
}
