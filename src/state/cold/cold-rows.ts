/**
 * The rows of a store that are on disk and not in memory, nor in its index: its *cold* rows.
 *
 * Every row that is alive is in one place. In memory it has a slot and an entry in the store's one index; on disk it is a row of a run (run.ts)
 * whose bit is set. Rows move, one at a time and whole, between two turns of the event loop:
 *
 * 1. *Out* (spill). A hand goes around the slots, as of a clock. It takes rows that all readers see alike, born before the horizon and not dead, and
 *    that nobody has changed or asked for since it came by last: a page of slots knows when that was, a row when it was born, and a bit
 *    says of a row that it was read, or came back, since. They are sorted by hash and written as a run; then bits are set and slots freed.
 * 2. *Back* (fetch). Whoever needs a key and finds no living row of it in memory says want(), then waits for fetch(), then looks again: what is not there
 *    then is nowhere, unless something has gone out or was merged meanwhile (`moves`). All rows of the wanted hashes enter memory, whatever
 *    their keys: so no key is compared on disk. Their bits are cleared.
 * 3. *Together* (merge.ts). Many runs become one, which moves rows too.
 *
 * A cold row is alive, and has been so for every reader; so it comes back as if it had been there from the first epoch on, and nobody can tell.
 * Its slot, though, is another. So who keeps slots over a turn of the event loop pins the store, and nothing goes out while it is pinned, but for
 * readers that follow what moves (cold-scan.ts) and say so.
 */
import { assert } from "../../base/assert.ts";
import { EvertError } from "../../base/errors.ts";
import { isMarked, Marks } from "../marks.ts";
import { Int32List } from "../memory.ts";
import { LIVE, type Rows } from "../rows.ts";
import { ColdScan } from "./cold-scan.ts";
import type { Extent, ExtentPlace } from "./extent.ts";
import { mixed } from "./filter.ts";
import { mergeRuns } from "./merge.ts";
import { ReadPace } from "./read-pace.ts";
import { KeyHash, type RowBytes, RowCodec } from "./row-codec.ts";
import { blockIn, firstOf, hashAt, openExtent, Run, readBlocks, rowStart } from "./run.ts";
import type { RunFile, RunFiles } from "./run-files.ts";
import { RunWriter, rowBytes } from "./run-writer.ts";

/** What of a store its cold rows move out of and into. */
export interface ColdHost extends Rows {
  readonly epoch: number;
  /** The oldest epoch that anybody reads, pins included, where nobody else reads before this one. */
  horizonOf(horizon: number): number;
  /** Whether rows may go out now. */
  readonly mayCool: boolean;
  readonly alloc: () => number;
  reserve(rows: number): void;
  /** Enters a row that has come back into the slot. */
  admit(slot: number): void;
  /** The row has gone out: its slot is free. */
  dismiss(slot: number): void;
}

/** Rows written as one run, at most; and which part of those in memory. */
const SPILL_ROWS = 32_768;
const SPILL_PART = 16;
const SPILL_MIN = 1_024;
/** A run is small that has no more than this part of all rows. */
const SMALL_PART = 32;
/** Slots that share the time when the hand came by last. */
const PAGE_SLOTS = 4_096;
/** Rows that go out, or come back, between two looks at the clock. */
const PIECE_ROWS = 2_048;
/** Reads of the thread pool at a time: more are no faster, and the log needs a thread of the pool (docs/decisions/0036-cold-rows.md). */
const LANES = 16;
const SLICE_MS = 2;
/** Of the buffer that a block is read into, which nearly all fit. */
const BLOCK_WORDS = 1_024;
/** Blocks read at once where all of them are wanted. */
const BLOCKS_AT_ONCE = 32;

/** Lets the event loop have a turn if the one at hand is used up. */
export type Pause = () => Promise<void> | void;

/** What a checkpoint says of a run. */
export interface KeptRun {
  readonly file: string;
  readonly extents: readonly (ExtentPlace & { readonly id: number })[];
}

/** What a checkpoint holds of cold rows: as they were when it was taken. What it has yet to find in memory stays there. */
export interface ColdCapture {
  readonly runs: readonly KeptRun[];
  /** Of extents that have changed since the last one, or of all: which rows are here. */
  readonly here: readonly { readonly id: number; readonly bits: Int32Array }[];
  /** The first slot whose row may be captured still: how far whoever captures has come. */
  at: number;
  /** Whether the row in the slot has come back since: it is captured where it was. */
  isBack(slot: number): boolean;
  /** The files survive a power cut. */
  sync(): Promise<void>;
  release(): void;
}

interface Capture {
  readonly capture: ColdCapture;
  readonly marks: Int32Array | null;
  readonly back: Marks;
}

interface Wanted {
  readonly extent: Extent;
  readonly block: number;
  readonly hash: number;
}

export class ColdRows {
  readonly host: ColdHost;
  readonly codec: RowCodec;
  readonly key: KeyHash;
  readonly #files: RunFiles;
  #runs: Run[] = [];
  #wanted: Wanted[] = [];
  #nextExtent = 1;
  // The hand: where it is, when it came by each page, and what was asked for since.
  #hand = 0;
  #passed = new Int32Array(0);
  readonly #asked = new Marks();
  readonly #scans = new Set<ColdScan>();
  readonly #captures = new Set<Capture>();
  #merging: Promise<void> | null = null;
  readonly #pace = new ReadPace();
  /** Of reads, used again. */
  readonly #buffers: RowBytes[] = [];
  /** When blocks that are read at once let the event loop have its turn. */
  #sliceEnds = 0;
  /** Rows that have come back so far. */
  brought = 0;
  /** Rises whenever rows go out, or from one run to another. */
  moves = 0;
  #stopped = false;
  /** What goes out or comes back now. */
  readonly #atWork = new Set<Promise<unknown>>();
  #discarded = false;
  /** Told when rows have come back. */
  onBack: () => void = () => {};

  /** `columns`: of the store's index. */
  constructor(host: ColdHost, files: RunFiles, columns: readonly number[]) {
    this.host = host;
    this.#files = files;
    this.codec = new RowCodec(host.layout, host.dictionary);
    this.key = new KeyHash(host.layout, columns, host.dictionary);
  }

  /** Cold rows. */
  get rows(): number {
    let rows = 0;
    for (const run of this.#runs) rows += run.live;
    return rows;
  }

  get isEmpty(): boolean {
    return this.#runs.length === 0;
  }

  get runs(): number {
    return this.#runs.length;
  }

  /** In memory. */
  get bytes(): number {
    let bytes = (this.#passed.length + this.#asked.B.length) * 4;
    for (const run of this.#runs) bytes += run.bytes;
    return bytes;
  }

  get diskBytes(): number {
    let bytes = 0;
    for (const run of this.#runs) bytes += run.file.bytes;
    return bytes;
  }

  // ---- back -------------------------------------------------------------------------------------------------------

  /** The key of these codes has no living row in memory and is about to be looked up. */
  want(codes: ArrayLike<number>): void {
    this.wantHash(this.key.ofCodes(codes));
  }

  wantHash(hash: number): void {
    const filtered = mixed(hash | 0);
    for (let i = 0; i < this.#runs.length; i++) {
      const extent = (this.#runs[i] as Run).extentOf(hash);
      const block = extent === null ? -1 : extent.find(hash, filtered);
      if (block >= 0) this.#wanted.push({ extent: extent as Extent, block, hash });
    }
  }

  /** The row that `codes` (made anew each time) are the key of comes back, if there is one and `isLiving` does not find it in memory. */
  async bring(codes: () => ArrayLike<number>, isLiving: () => boolean): Promise<void> {
    for (let seen = -1; seen !== this.moves && !isLiving(); ) {
      seen = this.moves;
      this.want(codes());
      await this.fetch();
    }
  }

  /** Brings back what was wanted since the last call; null: nothing of it can be on disk. */
  fetch(): Promise<void> | null {
    if (this.#wanted.length === 0) return null;
    const wanted = this.#wanted;
    this.#wanted = [];
    wanted.sort((a, b) => a.extent.id - b.extent.id || a.block - b.block);
    const files = new Set<RunFile>();
    for (const { extent } of wanted) files.add(extent.file);
    return this.#working(holding(files, () => this.#fetchAll(wanted)));
  }

  async #fetchAll(wanted: readonly Wanted[]): Promise<void> {
    const { brought } = this;
    await this.#fetchBlocks(wanted);
    if (this.brought > brought) this.onBack();
  }

  /** Those of one block stand side by side. */
  async #fetchBlocks(wanted: readonly Wanted[]): Promise<void> {
    let next = 0;
    const buffer = this.#buffers.pop() ?? rowBytes(BLOCK_WORDS);
    while (next < wanted.length) {
      const end = endOfBlock(wanted, next);
      if (!this.#fetchNow(wanted, next, end, buffer)) break;
      next = end;
      if (performance.now() < this.#sliceEnds) continue;
      await nextTurn();
      this.#sliceEnds = performance.now() + SLICE_MS;
    }
    this.#buffers.push(buffer);
    if (next === wanted.length) return;
    const lane = async (): Promise<void> => {
      const own = this.#buffers.pop() ?? rowBytes(BLOCK_WORDS);
      while (next < wanted.length) {
        const from = next;
        next = endOfBlock(wanted, from);
        const end = next;
        const { extent, block } = wanted[from] as Wanted;
        await this.#read(extent, block, block + 1, own);
        this.#admitAll(wanted, from, end, own);
      }
      if (this.#buffers.length < LANES) this.#buffers.push(own);
    };
    await Promise.all(Array.from({ length: Math.min(LANES, wanted.length - next) }, lane));
  }

  /** False: the block has to be asked for. */
  #fetchNow(wanted: readonly Wanted[], from: number, to: number, buffer: RowBytes): boolean {
    const { extent, block } = wanted[from] as Wanted;
    const start = extent.blockAt(block);
    const bytes = extent.blockEnd(block) - start;
    if (buffer.bytes.length < bytes) Object.assign(buffer, rowBytes(bytes >>> 2));
    if (this.#pace.readNow(extent.file.file, buffer.bytes.subarray(0, bytes), start) !== bytes) return false;
    this.#admitAll(wanted, from, to, buffer);
    return true;
  }

  /** The rows wanted of a block that has been read. */
  #admitAll(wanted: readonly Wanted[], from: number, to: number, buffer: RowBytes): void {
    if (this.#discarded) return;
    const { extent, block } = wanted[from] as Wanted;
    const words = (extent.blockEnd(block) - extent.blockAt(block)) >>> 2;
    const found = blockIn(extent, buffer, 0, words);
    for (let w = from; w < to; w++) {
      const { hash } = wanted[w] as Wanted;
      for (let i = firstOf(found, hash); i < found.rows && hashAt(found, i) === hash; i++)
        this.#admit(extent, found.firstRow + i, buffer, rowStart(found, i));
    }
  }

  async #read(extent: Extent, from: number, to: number, buffer: RowBytes): Promise<void> {
    const words = (extent.blockEnd(to - 1) - extent.blockAt(from)) >>> 2;
    if (buffer.words.length < words) Object.assign(buffer, rowBytes(words));
    await readBlocks(extent, from, to, buffer);
  }

  #admit(extent: Extent, row: number, from: RowBytes, at: number): void {
    if (!extent.isHere(row)) return;
    const { host } = this;
    host.reserve(1);
    const slot = host.alloc();
    this.codec.decode(from, at, host, slot);
    host.admit(slot);
    extent.went(row);
    this.brought++;
    this.asked(slot);
    for (const { back } of this.#captures) mark(back, slot);
    for (const scan of this.#scans) mark(scan.back, slot);
  }

  /** The row in the slot was read: it stays until the hand has come by twice. */
  asked(slot: number): void {
    mark(this.#asked, slot);
  }

  /** All rows come back, and stay while the host needs them. */
  async thaw(pause: Pause): Promise<void> {
    const buffer = rowBytes(BLOCK_WORDS);
    // A merge beside it moves rows to where it has not looked.
    for (; !this.isEmpty && !this.#discarded; this.#dropEmpty()) {
      await this.#merging?.catch(() => {
        // Who began it is told; all rows are where they were.
      });
      const extents = this.#extents();
      await holding(new Set(extents.map(({ file }) => file)), async () => {
        for (const extent of extents) {
          for (let block = 0; block < extent.blocks; block += BLOCKS_AT_ONCE) {
            const end = Math.min(extent.blocks, block + BLOCKS_AT_ONCE);
            await this.#thawBlocks(extent, block, end, buffer);
            await pause();
          }
        }
      });
    }
  }

  async #thawBlocks(extent: Extent, from: number, to: number, buffer: RowBytes): Promise<void> {
    const words = (extent.blockEnd(to - 1) - extent.blockAt(from)) >>> 2;
    await this.#read(extent, from, to, buffer);
    if (this.#discarded) return;
    for (let at = 0; at < words; ) {
      const block = blockIn(extent, buffer, at, words - at);
      for (let i = 0; i < block.rows; i++)
        this.#admit(extent, block.firstRow + i, buffer, rowStart(block, i));
      at = block.end;
    }
  }

  // ---- out --------------------------------------------------------------------------------------------------------

  /** Whether a checkpoint of it is being written. */
  get isCaptured(): boolean {
    return this.#captures.size > 0;
  }

  /** Whether rows may go out now. */
  get maySpill(): boolean {
    if (!this.host.mayCool || this.#stopped) return false;
    for (const { capture, marks } of this.#captures) if (marks === null && capture.at === 0) return false;
    return true;
  }

  /** Up to which slot all checkpoints under way have come; Infinity: there are none. Rows behind it that they want stay. */
  get capturedTo(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { capture } of this.#captures) least = Math.min(least, capture.at);
    return least;
  }

  /**
   * Moves up to SPILL_ROWS rows out, of those that all readers at `horizon` or later see alike; how many have gone. While it works no step is begun
   * or ended, nor goes on. @throws EvertError disk_full, io_error: all rows are where they were.
   */
  spill(horizon: number, pause: Pause): Promise<number> {
    return this.maySpill ? this.#working(this.#spill(horizon, pause)) : Promise.resolve(0);
  }

  async #spill(horizon: number, pause: Pause): Promise<number> {
    const slots = await this.#choose(horizon, pause);
    if (slots.length === 0 || !this.maySpill) return 0;
    const order = this.#byHash(slots);
    const file = await this.#files.create();
    let extent: Extent;
    try {
      const writer = new RunWriter(file, order.length * SMALL_PART <= this.host.live);
      for (let i = 0; i < order.length; i++) {
        const slot = order[i] as number;
        const words = this.codec.words(this.host, slot);
        const { target, at } = writer.room(words);
        this.codec.encode(this.host, slot, target, at);
        writer.put(this.key.ofSlot(this.host, slot), words);
        if (writer.isFull) await writer.flush();
        if (i % PIECE_ROWS === PIECE_ROWS - 1) await pause();
      }
      extent = await writer.endExtent(this.#nextExtent++);
    } catch (error) {
      file.release();
      throw error;
    }
    const run = new Run(file);
    run.add(extent);
    this.#runs.push(run);
    for (let i = 0; i < order.length && this.maySpill; ) {
      const end = Math.min(order.length, i + PIECE_ROWS);
      this.moves++;
      for (; i < end; i++)
        if (!hasMark(this.#asked.B, order[i] as number)) this.#dismiss(order[i] as number, extent, i);
      await pause();
    }
    if (extent.live === 0) this.#dropEmpty();
    return extent.live;
  }

  #dismiss(slot: number, extent: Extent, row: number): void {
    extent.came(row);
    for (const scan of this.#scans) scan.left(slot, extent, row);
    this.host.dismiss(slot);
  }

  /** Slots that may go out, from the hand on. Where a whole round finds none, those are taken that were spared in it. */
  async #choose(horizon: number, pause: Pause): Promise<Int32Array> {
    const { host } = this;
    const chosen = new Int32List();
    const most = Math.min(SPILL_ROWS, Math.max(SPILL_MIN, host.highWater / SPILL_PART));
    const pages = Math.ceil(host.highWater / PAGE_SLOTS);
    if (this.#passed.length < pages) {
      const passed = new Int32Array(Math.max(pages, this.#passed.length * 2));
      passed.set(this.#passed);
      this.#passed = passed;
    }
    const slots = host.highWater;
    for (let round = 0; round < 2 && chosen.length === 0; round++) {
      for (let left = slots; left > 0 && chosen.length < most; ) {
        if (this.#hand >= slots) this.#hand = 0;
        left -= this.#passPage(slots, left, horizon, chosen, most);
        await pause();
      }
    }
    return chosen.array.slice(0, chosen.length);
  }

  /** Goes on to the end of the page, by `far` slots at most, or until `most` are chosen; how many slots it has gone by. */
  #passPage(slots: number, far: number, horizon: number, chosen: Int32List, most: number): number {
    const from = this.#hand;
    const page = Math.floor(from / PAGE_SLOTS);
    const pageEnd = Math.min(slots, (page + 1) * PAGE_SLOTS);
    const end = Math.min(pageEnd, from + far);
    const { I, epoch, layout } = this.host;
    const { birthWord, deathWord, strideWords: stride } = layout;
    const marks = this.#asked.B;
    const isCaptured = this.#captures.size > 0;
    const since = this.#passed[page] as number;
    // What this step has made is in its journal.
    const youngest = Math.min(this.host.horizonOf(horizon), epoch - 1);
    let slot = from;
    for (; slot < end && chosen.length < most; slot++) {
      const base = slot * stride;
      const birth = I[base + birthWord] as number;
      if (birth > youngest || I[base + deathWord] !== LIVE) continue;
      // It cannot go: what was asked for keeps its bit until it can.
      if (isCaptured && this.#isToBeCaptured(slot)) continue;
      const word = slot >>> 5;
      const bit = 1 << (slot & 31);
      if (word < marks.length && ((marks[word] as number) & bit) !== 0) {
        marks[word] = (marks[word] as number) & ~bit;
        continue;
      }
      if (birth <= since) chosen.push(slot);
    }
    this.#hand = slot;
    if (slot === pageEnd) this.#passed[page] = epoch;
    return slot - from;
  }

  #isToBeCaptured(slot: number): boolean {
    for (const { capture, marks } of this.#captures)
      if (slot >= capture.at && (marks === null || hasMark(marks, slot))) return true;
    return false;
  }

  #byHash(slots: Int32Array): Int32Array {
    const { host, key } = this;
    const keyed = new Float64Array(slots.length);
    for (let i = 0; i < slots.length; i++) keyed[i] = key.ofSlot(host, slots[i] as number) * SPILL_ROWS + i;
    keyed.sort();
    return Int32Array.from(keyed, (k) => slots[k % SPILL_ROWS] as number);
  }

  // ---- together ---------------------------------------------------------------------------------------------------

  /** Runs that should become one now, or null: many of one size, or one of which most has gone. */
  #mergeable(): Run[] | null {
    const sizes = new Map<number, Run[]>();
    for (const run of this.#runs) {
      const { live } = run;
      if (live * 2 < run.rows && run.rows > 0) return [run];
      const size = Math.floor(Math.log(Math.max(live, SPILL_MIN) / SPILL_MIN) / Math.log(FAN_IN));
      const alike = sizes.get(size) ?? [];
      alike.push(run);
      sizes.set(size, alike);
      if (alike.length === FAN_IN) return alike;
    }
    return null;
  }

  /** Puts runs together as long as there are too many of them, beside everything else. REQUIRES that one call waits for the other. */
  merge(pause: Pause): Promise<void> {
    this.#merging ??= this.#merge(pause).finally(() => {
      this.#merging = null;
    });
    return this.#merging;
  }

  get isMerging(): boolean {
    return this.#merging !== null;
  }

  async #merge(pause: Pause): Promise<void> {
    this.#dropEmpty();
    for (let runs = this.#mergeable(); runs !== null && !this.#stopped; runs = this.#mergeable()) {
      const file = await this.#files.create();
      if (this.#discarded) return file.release();
      const merged = new Run(file);
      // What has been merged is found in it, while the rest is still found where it was.
      this.#runs.push(merged);
      try {
        await mergeRuns(runs, merged, {
          isSmall: runs.reduce((sum, run) => sum + run.live, 0) * SMALL_PART <= this.host.live,
          nextId: () => this.#nextExtent++,
          moved: () => {
            this.moves++;
          },
          pause,
          isOver: () => this.#stopped,
        });
      } finally {
        if (this.#discarded) for (const run of [...runs, merged]) run.file.release();
        else this.#dropEmpty();
      }
    }
  }

  #dropEmpty(): void {
    for (const run of this.#runs) if (!run.isMerging) run.drop();
    const empty = this.#runs.filter((run) => !run.isMerging && run.extents.length === 0);
    this.#runs = this.#runs.filter((run) => !empty.includes(run));
    for (const run of empty) run.file.release();
  }

  // ---- all of them ------------------------------------------------------------------------------------------------

  /** All rows of the store that are alive now, those in memory by the caller: `at` tells how far it has come in the slots. */
  scan(at: () => number): ColdScan {
    const scan = new ColdScan(this.codec, this.#extents(), at, () => this.#scans.delete(scan));
    this.#scans.add(scan);
    return scan;
  }

  #extents(): Extent[] {
    return this.#runs.flatMap((run) => run.extents.filter((extent) => extent.live > 0));
  }

  /** What a checkpoint of this moment holds, until it is released: of the slots with these marks; null: of all, and what has not changed, too. */
  capture(marks: Int32Array | null): ColdCapture {
    const back = new Marks();
    const runs = this.#runs
      .map((run) => ({ run, extents: run.extents.filter((extent) => extent.live > 0) }))
      .filter(({ extents }) => extents.length > 0);
    const files = runs.map(({ run }) => run.file);
    for (const file of files) file.hold();
    const here = runs.flatMap(({ extents }) =>
      extents
        .filter((extent) => marks === null || extent.changed)
        .map((extent) => {
          extent.changed = false;
          return { id: extent.id, bits: extent.here.slice() };
        }),
    );
    const capture: ColdCapture = {
      at: 0,
      runs: runs.map(({ run, extents }) => ({
        file: run.file.name,
        extents: extents.map(({ id, place }) => ({ id, ...place })),
      })),
      here,
      isBack: (slot) => hasMark(back.B, slot),
      sync: async () => {
        for (const file of files) await file.sync();
      },
      release: () => {
        if (!this.#captures.delete(captured)) return;
        for (const file of files) file.release();
      },
    };
    const captured = { capture, marks, back };
    this.#captures.add(captured);
    return capture;
  }

  /** Puts in place what a checkpoint holds. @throws EvertError log_damaged, not_found */
  async restore(runs: readonly KeptRun[], here: ReadonlyMap<number, Int32Array>): Promise<void> {
    assert(this.isEmpty, "cold rows are restored once");
    for (const { file: name, extents } of runs) {
      const file = await this.#files.open(name);
      const run = new Run(file);
      this.#runs.push(run);
      for (const { id, ...place } of extents) {
        const extent = await openExtent(file, place, id);
        const bits = here.get(id);
        if (bits === undefined)
          throw new EvertError("log_damaged", "a checkpoint lacks what it says of a run");
        extent.restoreHere(bits);
        run.add(extent);
        this.#nextExtent = Math.max(this.#nextExtent, id + 1);
      }
    }
    this.#dropEmpty();
  }

  /** Nothing goes out or together any more; ends when all is at rest. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#merging?.catch(() => {});
    while (this.#atWork.size > 0) await Promise.allSettled(this.#atWork);
  }

  /** stop() waits for it. */
  #working<T>(work: Promise<T>): Promise<T> {
    const done = work.finally(() => this.#atWork.delete(done));
    this.#atWork.add(done);
    return done;
  }

  /** Nobody reads the store any more. */
  discard(): void {
    if (this.#discarded) return;
    this.#discarded = true;
    this.#stopped = true;
    // A merge that is under way lets go of its runs when it sees it.
    for (const run of this.#runs) if (!run.isMerging) run.file.release();
    this.#runs = this.#runs.filter((run) => run.isMerging);
    this.#wanted = [];
  }
}

/** Behind those of the block of which `from` is the first. */
function endOfBlock(wanted: readonly Wanted[], from: number): number {
  const { extent, block } = wanted[from] as Wanted;
  let end = from + 1;
  while (end < wanted.length && wanted[end]!.extent === extent && wanted[end]!.block === block) end++;
  return end;
}

/** Does what it has to while the files stay. */
async function holding(files: ReadonlySet<RunFile>, work: () => Promise<unknown>): Promise<void> {
  for (const file of files) file.hold();
  try {
    await work();
  } finally {
    for (const file of files) file.release();
  }
}

/** Runs of one size that become one, of which as many again are one size. */
const FAN_IN = 4;

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function mark(marks: Marks, slot: number): void {
  marks.ensure(slot + 1);
  marks.add(slot);
}

function hasMark(marks: Int32Array, slot: number): boolean {
  return slot >>> 5 < marks.length && isMarked(marks, slot);
}
