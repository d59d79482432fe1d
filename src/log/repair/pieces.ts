/**
 * The log that can be made of what is sound: pieces one behind the other, every position in one of them, every topic's offsets in order.
 *
 * 1. Frames and sealed segments are taken by their positions. What repeats positions is passed over (where a segment is there in two forms, the one
 *    without faults comes first, and of those that are alike the newer generation, so that rows that have been taken out stay out), and so is what
 *    cannot stand behind the pieces so far, because log time would fall or a topic's offsets would.
 * 2. Positions that nothing has become a *lost* piece: commits without rows.
 * 3. Where a topic goes on behind its end, the offsets between are rows of lost commits: the last lost piece spans them. Which rows a topic has lost
 *    behind the last one that is left, nobody can tell.
 */
import type { Disk, DiskFile } from "../../base/disk.ts";
import { readCommits, readDirectory } from "../frame.ts";
import type { IndexedBatch } from "../log-index.ts";
import { Scanner } from "../scanner.ts";
import type { FramesFile, SealedFile, Survey, SurveyedFile } from "./survey.ts";

/** Bytes [from, to) of a file: frames. */
export interface FramesPiece {
  readonly kind: "frames";
  readonly file: FramesFile;
  readonly from: number;
  readonly to: number;
  readonly firstPosition: number;
  /** Behind the last. firstPosition where these are only closing marks. */
  readonly nextPosition: number;
}

export interface SealedPiece {
  readonly kind: "sealed";
  readonly file: SealedFile;
}

/** Offsets of a topic that nothing is known of. */
export interface LostRun {
  readonly topicId: number;
  readonly schemaVersion: number;
  readonly baseOffset: number;
  readonly rows: number;
}

export interface LostPiece {
  readonly kind: "lost";
  readonly firstPosition: number;
  readonly lastPosition: number;
  /** Log time of the commit before. */
  readonly timeUs: number;
  readonly runs: LostRun[];
}

export type Piece = FramesPiece | SealedPiece | LostPiece;

/** `lastPosition`: commits up to there had been durable. @throws EvertError io_error */
export async function piecesOf(disk: Disk, survey: Survey, lastPosition: number): Promise<Piece[]> {
  const pieces = new Pieces(disk);
  try {
    for (const { file, index } of inOrder(survey.files)) {
      if (file.form === "sealed") pieces.addSealed(file);
      else await pieces.addFrame(file, index);
    }
  } finally {
    await pieces.close();
  }
  pieces.lose(lastPosition);
  return pieces.made;
}

interface Item {
  readonly file: SurveyedFile;
  /** Of a frame in its file. */
  readonly index: number;
}

/** Which of several that begin at one position comes first: a closing mark has no positions; what has no faults is better than what has. */
const RANK = { mark: 0, soundSegment: 1, frame: 2, damagedSegment: 3 } as const;

function* inOrder(files: readonly SurveyedFile[]): Generator<Item> {
  const count = files.reduce((sum, file) => sum + (file.form === "sealed" ? 1 : file.at.length), 0);
  const positions = new Float64Array(count);
  const ranks = new Uint8Array(count);
  const owners = new Uint32Array(count);
  const indexes = new Uint32Array(count);
  const generations = new Uint32Array(count);
  let n = 0;
  files.forEach((file, owner) => {
    const add = (position: number, rank: number, index: number): void => {
      generations[n] = file.form === "sealed" ? file.segment.generation : 0;
      positions[n] = position;
      ranks[n] = rank;
      owners[n] = owner;
      indexes[n++] = index;
    };
    if (file.form === "sealed")
      add(file.segment.firstPosition, file.faults.length === 0 ? RANK.soundSegment : RANK.damagedSegment, 0);
    else
      for (let i = 0; i < file.at.length; i++)
        add(file.firstPositions.at(i), file.commitCounts.at(i) === 0 ? RANK.mark : RANK.frame, i);
  });
  const order = Uint32Array.from(positions, (_, i) => i).sort((a, b) => {
    return (
      positions[a]! - positions[b]! || ranks[a]! - ranks[b]! || generations[b]! - generations[a]! || a - b
    );
  });
  for (const i of order) yield { file: files[owners[i]!]!, index: indexes[i]! };
}

class Pieces {
  readonly made: Piece[] = [];
  readonly #disk: Disk;
  /** The file that frames were read from last: hardly ever do they change from one to the other and back. */
  #open: { readonly of: FramesFile; readonly file: DiskFile; readonly scanner: Scanner } | null = null;
  readonly #topicEnds = new Map<number, number>();
  #lostPieces = 0;
  /** How many lost pieces there were when the topic was last seen. */
  readonly #lostBefore = new Map<number, number>();
  #lastPosition = 0;
  #lastTimeUs = 0;

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  async close(): Promise<void> {
    await this.#open?.file.close();
  }

  async addFrame(file: FramesFile, index: number): Promise<void> {
    const firstPosition = file.firstPositions.at(index);
    const commitCount = file.commitCounts.at(index);
    // A closing mark has the position of the commit to come.
    if (firstPosition <= this.#lastPosition) return;
    const scanner = await this.#scanner(file);
    scanner.at = file.at.at(index);
    const found = await scanner.next();
    if (found.kind !== "frame") return;
    const { at, header, bytes, offset } = found;
    const commits = readCommits(bytes, offset, header);
    const batches = readDirectory(bytes, offset, header);
    if (commits === null || batches === null) return;
    if (commitCount > 0 && header.firstTimeUs < this.#lastTimeUs) return;
    if (!this.#canFollow(firstPosition, batches)) return;
    this.lose(firstPosition - 1);
    this.#takeRows(batches);
    if (commitCount > 0) this.#lastTimeUs = commits[commitCount - 1]!.timeUs;
    const to = at + header.frameBytes;
    this.#lastPosition = firstPosition + commitCount - 1;
    const before = this.made.at(-1);
    if (before?.kind === "frames" && before.file === file && before.to === at)
      this.made[this.made.length - 1] = { ...before, to, nextPosition: this.#lastPosition + 1 };
    else
      this.made.push({
        kind: "frames",
        file,
        from: at,
        to,
        firstPosition,
        nextPosition: this.#lastPosition + 1,
      });
  }

  addSealed(file: SealedFile): void {
    const { firstPosition, lastPosition, directory } = file.segment;
    if (firstPosition <= this.#lastPosition || directory.firstTimeUs < this.#lastTimeUs) return;
    if (!this.#canFollow(firstPosition, directory.runs)) return;
    this.lose(firstPosition - 1);
    this.#takeRows(directory.runs);
    this.#lastPosition = lastPosition;
    this.#lastTimeUs = directory.lastTimeUs;
    this.made.push({ kind: "sealed", file });
  }

  /** Whether each topic goes on at its end, or behind it with lost commits since it was seen. */
  #canFollow(firstPosition: number, rows: readonly IndexedBatch[]): boolean {
    const losesSome = firstPosition > this.#lastPosition + 1;
    const ends = new Map<number, number>();
    return rows.every(({ topicId, baseOffset, rows: count }) => {
      const known = ends.get(topicId);
      ends.set(topicId, baseOffset + count);
      if (known !== undefined) return baseOffset === known;
      const end = this.#topicEnds.get(topicId) ?? 0;
      if (baseOffset === end) return true;
      return baseOffset > end && (losesSome || this.#lostPieces > (this.#lostBefore.get(topicId) ?? 0));
    });
  }

  /** Positions up to this one that nothing has are lost. */
  lose(lastPosition: number): void {
    const firstPosition = this.#lastPosition + 1;
    if (lastPosition < firstPosition) return;
    this.made.push({ kind: "lost", firstPosition, lastPosition, timeUs: this.#lastTimeUs, runs: [] });
    this.#lastPosition = lastPosition;
    this.#lostPieces++;
  }

  #takeRows(rows: readonly IndexedBatch[]): void {
    for (const { topicId, schemaVersion, baseOffset, rows: count } of rows) {
      const end = this.#topicEnds.get(topicId) ?? 0;
      if (baseOffset > end) {
        const lost = this.made.findLast((piece) => piece.kind === "lost")!;
        lost.runs.push({ topicId, schemaVersion, baseOffset: end, rows: baseOffset - end });
      }
      this.#topicEnds.set(topicId, baseOffset + count);
      this.#lostBefore.set(topicId, this.#lostPieces);
    }
  }

  async #scanner(of: FramesFile): Promise<Scanner> {
    if (this.#open?.of === of) return this.#open.scanner;
    await this.#open?.file.close();
    this.#open = null;
    const file = await this.#disk.open(of.path, "read");
    const scanner = new Scanner(file, 0, await file.size(), true);
    this.#open = { of, file, scanner };
    return scanner;
  }
}
