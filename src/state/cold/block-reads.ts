/**
 * Reads the blocks in which wanted rows are.
 *
 * What the system has in memory is read at once (read-pace.ts), in slices of the event loop; from the first block on that has to be asked for, the
 * rest comes through the thread pool, in lanes.
 */
import { systemSlices } from "../../base/slices.ts";
import type { Extent } from "./extent.ts";
import { ReadPace } from "./read-pace.ts";
import { ensureWords, type RowBytes, rowBytes } from "./row-bytes.ts";
import { type Block, blockIn, blocksWords, readBlocks } from "./run.ts";

/** Reads of the thread pool at a time: more are no faster, and the log needs a thread of the pool (docs/decisions/0036-cold-rows.md). */
const LANES = 16;
const SLICE_MS = 2;
/** Of the buffer that a block is read into, which nearly all fit. */
const BLOCK_WORDS = 1_024;
/** Of one that is kept: all links of a key stand in one block, however many they are. */
const KEPT_WORDS = 16 * BLOCK_WORDS;

export interface Wanted {
  readonly extent: Extent;
  readonly block: number;
  /** Unsigned. */
  readonly hash: number;
}

/** Takes the rows of wanted[from..to-1], which are all of one block, once that has been read. */
export type TakeWanted = (wanted: readonly Wanted[], from: number, to: number, block: Block) => void;

export class BlockReads {
  readonly #pace = new ReadPace();
  /** Used again. */
  readonly #buffers: RowBytes[] = [];
  /** Being read into. */
  readonly #lent = new Set<RowBytes>();
  #sliceEnds = 0;

  /** In memory. */
  get bytes(): number {
    let bytes = 0;
    for (const buffer of this.#buffers) bytes += buffer.bytes.byteLength;
    for (const buffer of this.#lent) bytes += buffer.bytes.byteLength;
    return bytes;
  }

  #lend(): RowBytes {
    const buffer = this.#buffers.pop() ?? rowBytes(BLOCK_WORDS);
    this.#lent.add(buffer);
    return buffer;
  }

  #giveBack(buffer: RowBytes): void {
    this.#lent.delete(buffer);
    if (buffer.words.length <= KEPT_WORDS && this.#buffers.length < LANES) this.#buffers.push(buffer);
  }

  /** REQUIRES that those of one block stand side by side, and that their files stay. @throws EvertError log_damaged, io_error */
  async read(wanted: readonly Wanted[], take: TakeWanted): Promise<void> {
    let next = 0;
    await this.#with(async (buffer) => {
      while (next < wanted.length) {
        const end = endOfBlock(wanted, next);
        if (!this.#readNow(wanted, next, end, buffer, take)) break;
        next = end;
        if (performance.now() < this.#sliceEnds) continue;
        await systemSlices.turn();
        this.#sliceEnds = systemSlices.ends(SLICE_MS);
      }
    });
    const lane = async (own: RowBytes): Promise<void> => {
      while (next < wanted.length) {
        const from = next;
        next = endOfBlock(wanted, from);
        const end = next;
        const { extent, block } = wanted[from] as Wanted;
        await readBlocks(extent, block, block + 1, own);
        took(wanted, from, end, own, take);
      }
    };
    await Promise.all(Array.from({ length: Math.min(LANES, wanted.length - next) }, () => this.#with(lane)));
  }

  async #with(work: (buffer: RowBytes) => Promise<void>): Promise<void> {
    const buffer = this.#lend();
    try {
      await work(buffer);
    } finally {
      this.#giveBack(buffer);
    }
  }

  /** False: the block has to be asked for. */
  #readNow(wanted: readonly Wanted[], from: number, to: number, buffer: RowBytes, take: TakeWanted): boolean {
    const { extent, block } = wanted[from] as Wanted;
    const start = extent.blockAt(block);
    const bytes = extent.blockEnd(block) - start;
    ensureWords(buffer, bytes >>> 2);
    if (this.#pace.readNow(extent.file.file, buffer.bytes.subarray(0, bytes), start) !== bytes) return false;
    took(wanted, from, to, buffer, take);
    return true;
  }
}

function took(wanted: readonly Wanted[], from: number, to: number, buffer: RowBytes, take: TakeWanted): void {
  const { extent, block } = wanted[from] as Wanted;
  take(wanted, from, to, blockIn(extent, buffer, 0, blocksWords(extent, block, block + 1)));
}

/** Behind those of the block of which `from` is the first. */
function endOfBlock(wanted: readonly Wanted[], from: number): number {
  const { extent, block } = wanted[from] as Wanted;
  let end = from + 1;
  while (end < wanted.length && wanted[end]!.extent === extent && wanted[end]!.block === block) end++;
  return end;
}
