/**
 * The rows of a store that are on disk and not in memory, nor in its index: its *cold* rows.
 *
 * Every row that is alive is in one place. In memory it has a slot and an entry in the store's one index; on disk it is a row of a run (run.ts)
 * whose bit is set. Rows move, one at a time and whole, between two turns of the event loop:
 *
 * 1. *Out* (spill). Rows that nobody has changed or asked for lately (hand.ts) are sorted by hash and written as a run (spilled-run.ts); then bits
 *    are set and slots freed.
 * 2. *Back* (fetch, block-reads.ts). Whoever needs a key and finds no living row of it in memory says want(), then waits for fetch(), then looks
 *    again: what is not there then is nowhere, unless something has gone out or was merged meanwhile (`moves`). All rows of the wanted hashes enter
 *    memory, whatever their keys: so no key is compared on disk. Their bits are cleared.
 * 3. *Together* (run-set.ts). Many runs become one, which moves rows too.
 *
 * Rows that are found by other columns, too, have links (links.ts), which lead to them: what is wanted by those is read first.
 *
 * A cold row is alive, and has been so for every reader; so it comes back as if it had been there from the first epoch on, and nobody can tell.
 * Its slot, though, is another. So who keeps slots over a turn of the event loop pins the store, and nothing goes out while it is pinned, but for
 * readers that follow what moves (cold-scan.ts) and say so.
 */
import { assert } from "../../base/assert.ts";
import { LIVE } from "../rows.ts";
import { BlockReads, type Wanted } from "./block-reads.ts";
import { Captures, type ColdCapture } from "./captures.ts";
import { ColdScan } from "./cold-scan.ts";
import type { Extent } from "./extent.ts";
import { Hand, type Keeper } from "./hand.ts";
import type { ColdHost, Pause } from "./host.ts";
import type { KeptLinks, KeptRun } from "./kept.ts";
import { type Linked, LinkSet } from "./link-set.ts";
import { LinkedScan } from "./linked-scan.ts";
import { type Found, filesOf, inOrder, type Links } from "./links.ts";
import { type RowBytes, rowBytes } from "./row-bytes.ts";
import { KeyHash, RowCodec } from "./row-codec.ts";
import { type Block, blockIn, firstOf, hashAt, Run, readBlocks, rowStart } from "./run.ts";
import type { RunFile, RunFiles } from "./run-files.ts";
import { RunSet } from "./run-set.ts";
import { LEAST_ROWS } from "./run-sizes.ts";
import { byHash, SPILL_ROWS, type Spilled, writeSpilled } from "./spilled-run.ts";
import { WholeKeys } from "./whole-keys.ts";

/** Of the rows in memory, the part that goes out at once, and the fewest. */
const SPILL_PART = 16;
const SPILL_MIN = LEAST_ROWS;
/** Rows that go out, or come back, between two looks at the clock. */
const PIECE_ROWS = 2_048;
/** Rows that are looked at for how long texts are. */
const TEXT_SAMPLES = 64;
/** Blocks read at once where all of them are wanted. */
const BLOCKS_AT_ONCE = 32;

export interface Crowd {
  /** How many have come back for it at once. */
  readonly rows: number;
}

export class ColdRows {
  readonly host: ColdHost;
  readonly codec: RowCodec;
  /** null: no row is found by what its run is in the order of, but by links alone. */
  readonly key: KeyHash | null;
  readonly #files: RunFiles;
  readonly #runs: RunSet;
  #wanted: Wanted[] = [];
  /** Keys of which all rows are in memory, where one may have several; null: nobody has asked for such. */
  #whole: WholeKeys | null = null;
  /** Such keys among those that are wanted. */
  #wantedKeys: number[] = [];
  readonly #links: LinkSet;
  readonly #captures = new Captures();
  /** Links whose runs are to be written anew. */
  #oldLinks = new Set<Links>();
  readonly #hand: Hand;
  readonly #reads: BlockReads;
  readonly #scans = new Set<ColdScan | LinkedScan>();
  #merging: Promise<void> | null = null;
  #filling: Promise<void> | null = null;
  /** Rows that have come back so far. */
  brought = 0;
  /** Those who need many rows together: these come back for them, and none goes meanwhile. */
  readonly crowds: Set<Crowd> = new Set();
  /** Rises whenever rows go out, or from one run to another. */
  moves = 0;
  #stopped = false;
  /** What goes out or comes back now. */
  readonly #atWork = new Set<Promise<unknown>>();
  #discarded = false;
  /** Told when rows have come back, and how many. */
  onBack: (rows: number) => void = () => {};

  /** `columns`: of the store's first index, which is unique; null: there is none. */
  constructor(host: ColdHost, files: RunFiles, columns: readonly number[] | null) {
    this.host = host;
    this.#files = files;
    this.codec = new RowCodec(host.layout, host.dictionary);
    this.key = columns === null ? null : new KeyHash(host.layout, columns, host.dictionary);
    this.#links = new LinkSet(host, files);
    // Where no row is cold any more, no link leads anywhere.
    this.#runs = new RunSet(host, files, () => this.#links.clear());
    this.#hand = new Hand(host, this.#captures);
    this.#reads = new BlockReads();
  }

  /** Cold rows. */
  get rows(): number {
    return this.#runs.rows;
  }

  get isEmpty(): boolean {
    return this.#runs.isEmpty;
  }

  /** Of rows, or of links where those are more. */
  get runs(): number {
    return Math.max(this.#runs.all.length, this.#links.runs);
  }

  /** Free slots without which the store grows when rows come back next. */
  get rowsAtOnce(): number {
    let most = 0;
    for (const { rows } of this.crowds) most = Math.max(most, rows);
    return most;
  }

  /** In memory. */
  get bytes(): number {
    const beside = this.#hand.bytes + this.#links.bytes + this.#reads.bytes + (this.#whole?.bytes ?? 0);
    return beside + this.#runs.bytes;
  }

  /** About, of the texts of a row in memory, on average: some rows are looked at. */
  get textBytes(): number {
    const { codec, host } = this;
    if (!codec.hasTexts) return 0;
    const { birthWord, deathWord, strideWords } = host.layout;
    const step = Math.max(1, Math.floor(host.highWater / TEXT_SAMPLES));
    let rows = 0;
    let bytes = 0;
    for (let slot = step >> 1; slot < host.highWater; slot += step) {
      const base = slot * strideWords;
      if (host.I[base + birthWord] === LIVE || host.I[base + deathWord] !== LIVE) continue;
      rows++;
      bytes += codec.textBytes(host, slot);
    }
    return rows === 0 ? 0 : bytes / rows;
  }

  /** Of a row on disk, on average, with its texts; 0: there is none. */
  get rowBytes(): number {
    return this.#runs.rowBytes;
  }

  /** On disk; of which rows that have come back since take their part, too. */
  get diskBytes(): number {
    return this.#links.diskBytes + this.#runs.diskBytes;
  }

  // ---- links ------------------------------------------------------------------------------------------------------

  /** By which columns rows are found besides their key, and no longer by others. */
  linkBy(columns: readonly (readonly number[])[]): void {
    this.#links.set(columns, this.isEmpty);
  }

  /** Finds rows by these columns; null: by their key alone. */
  linksBy(columns: readonly number[]): Links | null {
    return this.#links.by(columns);
  }

  /** Whether each row is found in all ways that there are, and there is one. */
  get isLinked(): boolean {
    return (this.key !== null || this.#links.all.length > 0) && this.#links.isComplete;
  }

  /** Makes the links that rows lack. @throws EvertError disk_full, io_error, log_damaged */
  link(pause: Pause): Promise<void> {
    if (this.#links.isComplete) return Promise.resolve();
    const extents = (): { readonly all: readonly Extent[]; release(): void } => {
      // Rows that are moved while these are read are where they were, too.
      const all = this.#runs.extents;
      for (const { file } of all) file.hold();
      return {
        all,
        release: () => {
          for (const { file } of all) file.release();
        },
      };
    };
    return this.#working(
      this.#links.make(extents, this.codec, this.#runs.mayHave, pause, () => this.#stopped),
    );
  }

  // ---- back -------------------------------------------------------------------------------------------------------

  /** The key of these codes has no living row in memory and is about to be looked up. */
  want(codes: ArrayLike<number>): void {
    this.wantHash((this.key as KeyHash).ofCodes(codes));
  }

  wantHash(hash: number): void {
    this.#runs.lookFor(hash, this.#wanted);
  }

  /** All rows of the key of these codes, of which a living one says nothing about the others, are about to be looked up. */
  wantAll(codes: ArrayLike<number>): void {
    const hash = (this.key as KeyHash).ofCodes(codes);
    this.#whole ??= new WholeKeys();
    if (this.#whole.has(hash)) return;
    const before = this.#wanted.length;
    this.wantHash(hash);
    if (this.#wanted.length > before) this.#wantedKeys.push(hash);
    else this.#whole.add(hash);
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
    const { moves } = this;
    const wanted = inOrder(this.#wanted);
    const keys = this.#wantedKeys;
    this.#wanted = [];
    this.#wantedKeys = [];
    return this.#working(this.#fetchAll(wanted).then(() => this.#knowWhole(keys, moves)));
  }

  /** Whether something was wanted since the last fetch(). */
  get isWanted(): boolean {
    return this.#wanted.length > 0;
  }

  /** What was wanted since the last fetch() is not asked for. */
  forget(): void {
    this.#wanted = [];
    this.#wantedKeys = [];
  }

  /** All rows of these keys have come back. `moves`: as it was when they were wanted; what has moved since may not have been found. */
  #knowWhole(keys: readonly number[], moves: number): void {
    if (this.#whole === null || this.moves !== moves) return;
    this.#whole.ensure(this.host.highWater);
    for (const key of keys) this.#whole.add(key);
  }

  /**
   * Where links lead that were wanted since the last call; null: nothing of it can be on disk. `most`: where they are more, and not of one key,
   * nothing is told; `mostOfKey`: of a key no more in each run.
   */
  find(links: Links, most: number, mostOfKey: number = Number.POSITIVE_INFINITY): Promise<Found> | null {
    return links.isWanted ? this.#working(links.find(most, mostOfKey)) : null;
  }

  async #fetchAll(wanted: readonly Wanted[]): Promise<void> {
    const { brought } = this;
    await holding(filesOf(wanted), () =>
      this.#reads.read(wanted, (all, from, to, block) => this.#admitAll(all, from, to, block)),
    );
    if (this.brought > brought) this.onBack(this.brought - brought);
  }

  /** Brings back rows from..to-1 of those that links lead to. */
  bringFound({ rows }: Pick<Found, "rows">, from = 0, to: number = rows.length): Promise<void> {
    const wanted: Wanted[] = [];
    // What is looked for now is read from runs that there are now.
    for (let i = from; i < to; i++) this.#runs.lookFor(rows[i] as number, wanted);
    return this.#working(this.#fetchAll(inOrder(wanted)));
  }

  /** All that was found has come back. `moves`: as it was before it was wanted; what has moved since may not have been found. */
  foundAll({ links, keys, isAll }: Found, moves: number): void {
    if (!isAll || this.moves !== moves) return;
    links.whole.ensure(this.host.highWater);
    for (const key of keys) links.whole.add(key);
  }

  /** Rows that links lead to, as they lie on disk now. */
  scanFound({ rows }: Found): LinkedScan {
    const scan = new LinkedScan(this.#runs.all, rows, this.#reads, () => this.#scans.delete(scan));
    this.#scans.add(scan);
    return scan;
  }

  /** The rows wanted[from..to-1] of a block that has been read. */
  #admitAll(wanted: readonly Wanted[], from: number, to: number, block: Block): void {
    if (this.#discarded) return;
    for (let w = from; w < to; w++) {
      const { extent, hash } = wanted[w] as Wanted;
      for (let i = firstOf(block, hash); i < block.rows && hashAt(block, i) === hash; i++)
        this.#admit(extent, block.firstRow + i, block.from, rowStart(block, i));
    }
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
    this.#captures.came(slot);
    for (const scan of this.#scans) scan.back.mark(slot);
  }

  /** The row in the slot was read: it stays until the hand has come by twice. */
  asked(slot: number): void {
    this.#hand.asked(slot);
  }

  /** From now on, until it is called again with false, the keeper says which rows stay in memory. */
  keepFor(keeper: Keeper, isOn: boolean): void {
    this.#hand.keepFor(keeper, isOn);
  }

  /** All rows come back, and stay while the host needs them. */
  async thaw(pause: Pause): Promise<void> {
    const buffer = rowBytes(0);
    // A merge beside it moves rows to where it has not looked.
    for (; !this.isEmpty && !this.#discarded; this.#runs.dropEmpty()) {
      await this.#merging?.catch(() => {
        // Who began it is told; all rows are where they were.
      });
      await this.#filling;
      const { extents } = this.#runs;
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
    const words = await readBlocks(extent, from, to, buffer);
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
    return !this.#captures.isEmpty;
  }

  /** Whether rows may go out now. */
  get maySpill(): boolean {
    return this.host.mayCool && this.maySpillSoon;
  }

  /** The same, but for those who hold them for a moment. */
  get maySpillSoon(): boolean {
    return this.host.mayCoolSoon && !this.#stopped && !this.#captures.needAll;
  }

  /** Up to which slot all checkpoints under way have come; Infinity: there are none. Rows behind it that they want stay. */
  get capturedTo(): number {
    return this.#captures.reached;
  }

  /**
   * Moves up to SPILL_ROWS rows out, of those that all readers at `horizon` or later see alike; how many have gone. While it works no step is begun
   * or ended, nor goes on. -1: there were some, and somebody has come to need them meanwhile. `wanted`: no more are to go. @throws EvertError
   * disk_full, io_error: all rows are where they were.
   */
  spill(horizon: number, pause: Pause, wanted: number = Number.POSITIVE_INFINITY): Promise<number> {
    return this.maySpill ? this.#working(this.#spill(horizon, pause, wanted)) : Promise.resolve(0);
  }

  async #spill(horizon: number, pause: Pause, wanted: number): Promise<number> {
    const most = Math.min(wanted, SPILL_ROWS, Math.max(SPILL_MIN, this.host.highWater / SPILL_PART));
    const slots = await this.#hand.choose(horizon, most, pause);
    if (slots.length === 0) return 0;
    if (!this.maySpill) return -1;
    const links = this.#links.all;
    const spilled = byHash(this.host, this.key, slots);
    const linked = await this.#links.ofSlots(spilled.slots, spilled.hashes, pause);
    let file: RunFile | null = null;
    let extent: Extent;
    try {
      file = await this.#files.create();
      extent = await writeSpilled(file, this.#runs.nextId(), spilled, this.host, this.codec, pause);
    } catch (error) {
      file?.release();
      for (const { run } of linked) run.file.release();
      throw error;
    }
    const run = new Run(file);
    run.add(extent);
    run.isFilling = true;
    this.#runs.add(run);
    for (const one of linked) one.links.add(one.run);
    this.#filling = this.#fill(extent, spilled, linked, () => this.#links.all === links, pause).finally(
      () => {
        run.isFilling = false;
        this.#filling = null;
      },
    );
    await this.#filling;
    if (extent.live === 0) this.#runs.dropEmpty();
    return extent.live === 0 ? -1 : extent.live;
  }

  /** Moves rows to an extent that has been written, in the order of its rows, as long as they `mayGo`. */
  async #fill(
    extent: Extent,
    { slots, hashes }: Spilled,
    linked: readonly Linked[],
    mayGo: () => boolean,
    pause: Pause,
  ): Promise<void> {
    for (let i = 0; i < slots.length && this.maySpill && mayGo(); ) {
      const end = Math.min(slots.length, i + PIECE_ROWS);
      this.moves++;
      for (; i < end; i++) {
        if (this.#hand.wasAsked(slots[i] as number)) continue;
        this.#whole?.gone(hashes[i] as number);
        for (const one of linked) one.links.left(one.own[i] as number, slots[i] as number);
        this.#dismiss(slots[i] as number, extent, i);
      }
      await pause();
    }
  }

  #dismiss(slot: number, extent: Extent, row: number): void {
    extent.came(row);
    for (const scan of this.#scans) scan.left(slot, extent, row);
    this.host.dismiss(slot);
  }

  // ---- together ---------------------------------------------------------------------------------------------------

  /** Writes all rows anew that are in runs now, as one: then the old ones' files are needed by checkpoints alone. */
  async renew(pause: Pause): Promise<void> {
    while (this.#merging !== null || this.#filling !== null) {
      await this.#filling;
      await this.#merging;
    }
    this.#runs.renew();
    this.#oldLinks = new Set(this.#links.all);
    await this.merge(pause);
  }

  /** Puts runs together as long as there are too many of them, beside everything else. REQUIRES that one call waits for the other. */
  merge(pause: Pause): Promise<void> {
    this.#merging ??= this.#merge(pause).finally(() => {
      this.#merging = null;
    });
    return this.#merging;
  }

  async #merge(pause: Pause): Promise<void> {
    const moved = () => {
      this.moves++;
    };
    await this.#runs.merge(moved, pause, () => this.#stopped);
    if (this.#discarded) return;
    for (const links of this.#links.all)
      await links.merge(
        this.rows,
        this.#runs.mayHave,
        pause,
        () => this.#stopped,
        this.#oldLinks.delete(links),
      );
  }

  // ---- all of them ------------------------------------------------------------------------------------------------

  /**
   * All rows of the store that are alive now, those in memory by the caller: `at` tells how far it has come in the slots. `columns`: those of which
   * texts are wanted; without it, all.
   */
  scan(at: () => number, columns?: readonly number[]): ColdScan {
    const codec =
      columns === undefined ? this.codec : new RowCodec(this.host.layout, this.host.dictionary, columns);
    const scan = new ColdScan(codec, this.#runs.extents, at, () => this.#scans.delete(scan));
    this.#scans.add(scan);
    return scan;
  }

  /** What a checkpoint of this moment holds, until it is released: of the slots with these marks; null: of all, and what has not changed, too. */
  capture(marks: Int32Array | null): ColdCapture {
    return this.#captures.take(this.#runs.all, this.#links.all, marks);
  }

  /** Puts in place what a checkpoint holds. @throws EvertError log_damaged, not_found */
  async restore(
    runs: readonly KeptRun[],
    here: ReadonlyMap<number, Int32Array>,
    linked: readonly KeptLinks[],
  ): Promise<void> {
    assert(this.isEmpty, "cold rows are restored once");
    for (const links of this.#links.all) {
      const kept = linked.find(({ columns }) => String(columns) === String(links.columns));
      links.isComplete = kept !== undefined;
      if (kept !== undefined) await links.restore(kept.runs);
    }
    await this.#runs.restore(runs, here);
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
    this.#runs.discard();
    this.#links.discard();
    this.#wanted = [];
    this.#wantedKeys = [];
  }
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
