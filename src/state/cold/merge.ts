/**
 * Many runs become one, a stretch of hashes at a time, while rows go on coming back from them.
 *
 * 1. Rows that are here are taken from all sources in the order of their hashes, and written to the new run until an extent is full.
 * 2. In one turn, each row of the extent that is still here in its source is here in the extent from now on. One that came back meanwhile is nowhere
 *    in the new run.
 *
 * So at any time each row is in one place, and a merge that fails, or ends with the process, has done what it has done.
 */
import type { Extent } from "./extent.ts";
import { EXTENT_ROWS } from "./extent.ts";
import { type RowBytes, rowBytes } from "./row-bytes.ts";
import { type Block, blockIn, hashAt, type Run, readBlocks, rowEnd, rowStart } from "./run.ts";
import { RunWriter } from "./run-writer.ts";

/** Read at once from each source. */
const BLOCKS_AT_ONCE = 16;
const ROWS_PER_LOOK = 1_024;

/** The rows of a run that are here, one after the other. */
export class Cursor {
  /** Null: it has been read. */
  readonly #extents: (Extent | null)[];
  #extentAt = -1;
  extent: Extent | null = null;
  readonly #buffer: RowBytes = rowBytes(1024);
  #nextBlock = 0;
  /** Of what was read: where the next block begins, and where it ends. */
  #at = 0;
  #end = 0;
  block: Block | null = null;
  row = -1;
  /** Of the row at hand; Infinity: there is none. */
  hash = 0;

  constructor(run: Run) {
    this.#extents = [...run.extents];
  }

  /** Goes to the next row; false: blocks have to be read first. */
  step(): boolean {
    for (;;) {
      const { block, extent } = this;
      if (block !== null && extent !== null) {
        while (++this.row < block.rows) {
          if (!extent.isHere(block.firstRow + this.row)) continue;
          this.hash = hashAt(block, this.row);
          return true;
        }
        this.block = null;
      }
      if (this.extent === null || this.#at >= this.#end) return false;
      const next = blockIn(this.extent, this.#buffer, this.#at, this.#end - this.#at);
      this.block = next;
      this.#at = next.end;
      this.row = -1;
    }
  }

  /** Reads on, and goes to the next row, if there is one. */
  async read(): Promise<void> {
    do {
      while (this.extent === null || this.#nextBlock === this.extent.blocks) {
        if (this.#extentAt >= 0) this.#extents[this.#extentAt] = null;
        this.extent = this.#extents[++this.#extentAt] ?? null;
        this.#nextBlock = 0;
        if (this.extent !== null) continue;
        this.hash = Number.POSITIVE_INFINITY;
        return;
      }
      const { extent } = this;
      const from = this.#nextBlock;
      const to = Math.min(extent.blocks, from + BLOCKS_AT_ONCE);
      this.#end = await readBlocks(extent, from, to, this.#buffer);
      this.#nextBlock = to;
      this.#at = 0;
    } while (!this.step());
  }

  /** Copies the row at hand. */
  copy(writer: RunWriter): void {
    const block = this.block as Block;
    const from = rowStart(block, this.row);
    const words = rowEnd(block, this.row) - from;
    const { target, at } = writer.room(words);
    target.words.set(block.from.words.subarray(from, from + words), at);
    writer.put(this.hash, words);
  }
}

export interface MergeContext {
  /** Whether the new run has a small part of all rows there are. */
  readonly isSmall: boolean;
  /** For a new extent. */
  nextId(): number;
  /** Rows are found elsewhere from now on. */
  moved(): void;
  pause(): Promise<void> | void;
  /** It is to stop where it is. */
  isOver(): boolean;
}

/** Moves all rows that are here from `runs` to `into`, which is empty. */
export async function mergeRuns(
  runs: readonly Run[],
  into: Run,
  { isSmall, nextId, moved, pause, isOver }: MergeContext,
): Promise<void> {
  for (const run of [...runs, into]) {
    run.isMerging = true;
    run.file.hold();
  }
  try {
    const cursors = runs.map((run) => new Cursor(run));
    for (const cursor of cursors) await cursor.read();
    const writer = new RunWriter(into.file, isSmall);
    /** Where each row of the extent at hand comes from. */
    const from: Extent[] = [];
    const rows = new Int32Array(EXTENT_ROWS + 1);
    let places: Int32Array = rows;
    const end = async (): Promise<void> => {
      const extent = await writer.endExtent(nextId());
      into.add(extent);
      moved();
      for (let i = 0; i < from.length; i++) {
        const source = from[i] as Extent;
        const row = places[i] as number;
        if (!source.isHere(row)) continue;
        source.went(row);
        extent.came(i);
      }
      from.length = 0;
      // What has gone from them takes no memory beside what has come.
      for (const run of runs) run.drop();
    };
    for (let n = 1; !isOver(); n++) {
      const next = least(cursors);
      if (next.hash === Number.POSITIVE_INFINITY) break;
      if (writer.endsBefore(next.hash)) await end();
      // Rows of one hash, which stay together, may be more than an extent should have.
      if (from.length === places.length) places = doubled(places);
      places[from.length] = (next.block as Block).firstRow + next.row;
      from.push(next.extent as Extent);
      next.copy(writer);
      if (!next.step()) await next.read();
      if (writer.isFull) await writer.flush();
      if (n % ROWS_PER_LOOK === 0) await pause();
    }
    if (from.length > 0 && !isOver()) await end();
  } finally {
    for (const run of [...runs, into]) {
      run.isMerging = false;
      run.file.release();
    }
  }
}

function least(cursors: readonly Cursor[]): Cursor {
  let best = cursors[0] as Cursor;
  for (let i = 1; i < cursors.length; i++)
    if ((cursors[i] as Cursor).hash < best.hash) best = cursors[i] as Cursor;
  return best;
}

function doubled(places: Int32Array): Int32Array {
  const larger = new Int32Array(places.length * 2);
  larger.set(places);
  return larger;
}
