/**
 * How cold rows are found by other columns than those by whose hash their runs are ordered: by what a join meets them by.
 *
 * A *link* is two hashes of a row: of its values in these columns, and the one by which it is found in a run. Links lie in runs of their own, in
 * the order of the first; to run.ts they are rows of one word, the second.
 *
 * 1. Rows that go out are linked first. A link says no more than "look there": it stays where its row comes back, or moves from run to run.
 * 2. wantHash() notes a key; find() reads its links, and then the rows that they lead to come back (ColdRows.bringFound), or are read where they lie
 *    (linked-scan.ts).
 * 3. A key whose rows are all in memory is remembered (whole-keys.ts) until one of them goes: it is asked for again and again, and links that lead
 *    nowhere any more look like any other.
 * 4. Runs of links become one as those of rows do. Equal links become one link, and those stay out whose row no run's filter knows: so links are
 *    not many more than there are rows in runs.
 *
 * Columns by which rows are to be found later than rows have gone out have no links of those: until they are made (link()), nothing more goes.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { Int32List } from "../memory.ts";
import type { Rows } from "../rows.ts";
import { BlockReads, type Wanted } from "./block-reads.ts";
import { EXTENT_ROWS, type Extent } from "./extent.ts";
import { mixed } from "./filter.ts";
import type { Pause } from "./host.ts";
import type { KeptRun } from "./kept.ts";
import { Cursor } from "./merge.ts";
import { KeyHash } from "./row-codec.ts";
import { firstOf, hashAt, openExtent, Run, rowStart } from "./run.ts";
import type { RunFile, RunFiles } from "./run-files.ts";
import { alike, SMALL_PART } from "./run-sizes.ts";
import { RunWriter } from "./run-writer.ts";
import { WholeKeys } from "./whole-keys.ts";

const LINKS_PER_LOOK = 2_048;
/** Hashes put in order at once, in a millisecond or two. */
const PIECE_HASHES = 32_768;
/** Links for each cold row, about, beyond which all are put together: many lead nowhere, or are there twice. */
const LINKS_MOST = 1.4;
/** Fewer links do no harm. */
const LINKS_MIN = 16_384;

/** Whether a row of the hash may be in a run. */
export type MayBe = (hash: number) => boolean;

/** Where links lead. */
export interface Found {
  readonly links: Links;
  /** The keys that were wanted and have links, by their hashes. */
  readonly keys: readonly number[];
  /** The hashes by which rows lie in runs: as far as one piece goes ascending, and each once. */
  readonly rows: Uint32Array;
  /** There are more of them than were asked for, and nothing is told. */
  readonly isCut: boolean;
  /** These are all of each key. */
  readonly isAll: boolean;
}

export class Links {
  readonly columns: readonly number[];
  readonly key: KeyHash;
  /** Whether each cold row has a link. */
  isComplete = false;
  readonly whole: WholeKeys = new WholeKeys();
  /** Told of each row that is about to go out, by the hash of its key and its slot. */
  readonly watchers: Set<(hash: number, slot: number) => void> = new Set();
  readonly #files: RunFiles;
  readonly #reads: BlockReads = new BlockReads();
  #runs: readonly Run[] = [];
  #wanted: Wanted[] = [];
  #hashes: number[] = [];
  #nextExtent = 1;
  #isDiscarded = false;
  #merging: Promise<void> | null = null;
  /** Where those lead that are being read. */
  readonly #finding = new Set<Int32List>();

  constructor({ layout, dictionary }: Rows, columns: readonly number[], files: RunFiles) {
    this.columns = columns;
    this.key = new KeyHash(layout, columns, dictionary);
    this.#files = files;
  }

  isOf(columns: readonly number[]): boolean {
    return columns.length === this.columns.length && columns.every((c, i) => c === this.columns[i]);
  }

  get runs(): readonly Run[] {
    return this.#runs;
  }

  get #rows(): number {
    return this.#runs.reduce((rows, run) => rows + run.live, 0);
  }

  /** In memory. */
  get bytes(): number {
    let bytes = this.whole.bytes + this.#reads.bytes;
    for (const { array } of this.#finding) bytes += array.byteLength;
    for (const run of this.#runs) bytes += run.bytes;
    return bytes;
  }

  get diskBytes(): number {
    let bytes = 0;
    for (const run of this.#runs) bytes += run.diskBytes;
    return bytes;
  }

  // ---- back -------------------------------------------------------------------------------------------------------

  /** The rows of the key of this hash are about to be looked up. */
  wantHash(hash: number): void {
    if (this.whole.has(hash)) return;
    const filtered = mixed(hash | 0);
    const before = this.#wanted.length;
    for (let i = 0; i < this.#runs.length; i++) {
      const extent = (this.#runs[i] as Run).extentOf(hash);
      const block = extent === null ? -1 : extent.find(hash, filtered);
      if (block >= 0) this.#wanted.push({ extent: extent as Extent, block, hash });
    }
    if (this.#wanted.length > before) this.#hashes.push(hash);
    else this.whole.add(hash);
  }

  /** Whether something was wanted since the last find(). */
  get isWanted(): boolean {
    return this.#wanted.length > 0;
  }

  /** What was wanted since the last find() is not asked for. */
  forget(): void {
    this.#wanted = [];
    this.#hashes = [];
  }

  /**
   * Reads the links that were wanted since the last call, until there are more than `most`, but for those of a single key; of each key `mostOfKey` in
   * each run. @throws EvertError log_damaged, io_error
   */
  async find(most: number, mostOfKey: number): Promise<Found> {
    const wanted = inOrder(this.#wanted);
    const keys = [...new Set(this.#hashes)];
    if (keys.length === 1) most = Number.POSITIVE_INFINITY;
    this.#wanted = [];
    this.#hashes = [];
    const found = new Int32List();
    this.#finding.add(found);
    let isAll = true;
    const files = filesOf(wanted);
    for (const file of files) file.hold();
    try {
      await this.#reads.read(wanted, (all, from, to, block) => {
        for (let w = from; w < to && found.length <= most; w++) {
          const { hash } = all[w] as Wanted;
          const first = firstOf(block, hash);
          for (let i = first; i < block.rows && hashAt(block, i) === hash; i++) {
            if (i - first === mostOfKey) {
              isAll = false;
              break;
            }
            found.push(block.from.words[rowStart(block, i)] as number);
          }
        }
      });
      const isCut = found.length > most;
      const rows = isCut ? new Uint32Array(0) : await ascending(found);
      return { links: this, keys, rows, isCut, isAll };
    } finally {
      this.#finding.delete(found);
      for (const file of files) file.release();
    }
  }

  // ---- out --------------------------------------------------------------------------------------------------------

  /** The row in the slot goes out. */
  left(hash: number, slot: number): void {
    this.whole.gone(hash);
    for (const watcher of this.watchers) watcher(hash, slot);
  }

  /**
   * Links of `count` rows, which are yet to be added: `own` has the hashes of these columns, `rows` those by which the rows are found, ascending.
   * @throws EvertError disk_full, io_error
   */
  async write(own: Uint32Array, rows: Uint32Array, count: number, pause: Pause): Promise<Run> {
    const order = new Float64Array(count);
    for (let i = 0; i < count; i++) order[i] = (own[i] as number) * EXTENT_ROWS + i;
    order.sort();
    const file = await this.#files.create();
    try {
      const run = new Run(file);
      const writer = new RunWriter(file, count * SMALL_PART <= this.#rows);
      for (let n = 0; n < count; n++) {
        const i = (order[n] as number) % EXTENT_ROWS;
        put(writer, own[i] as number, rows[i] as number);
        if (writer.isFull) await writer.flush();
        if (n % LINKS_PER_LOOK === LINKS_PER_LOOK - 1) await pause();
      }
      await this.#end(writer, run);
      return run;
    } catch (error) {
      file.release();
      throw error;
    }
  }

  add(run: Run): void {
    if (this.#isDiscarded) run.file.release();
    else this.#runs = [...this.#runs, run];
  }

  async #end(writer: RunWriter, run: Run): Promise<void> {
    if (writer.rows === 0) return;
    const extent = await writer.endExtent(this.#nextExtent++);
    extent.allCame();
    run.add(extent);
  }

  // ---- together ---------------------------------------------------------------------------------------------------

  /** Puts runs together as long as there are too many of them, or too many links for so many cold rows; `all`: all of them. */
  async merge(cold: number, mayBe: MayBe, pause: Pause, isOver: () => boolean, all = false): Promise<void> {
    while (this.#merging !== null) await this.#merging.catch(() => {});
    const most = Math.max(LINKS_MIN, cold * LINKS_MOST);
    this.#merging = this.#merge(all || this.#rows > most, mayBe, pause, isOver).finally(() => {
      this.#merging = null;
    });
    await this.#merging;
  }

  async #merge(all: boolean, mayBe: MayBe, pause: Pause, isOver: () => boolean): Promise<void> {
    let runs = all && this.#runs.length > 0 ? this.#runs : alike(this.#runs);
    for (; runs !== null && !isOver(); runs = alike(this.#runs)) {
      const into = new Run(await this.#files.create());
      if (this.#isDiscarded) return into.file.release();
      // What has been merged is found in it, while the rest is still found where it was.
      this.#runs = [...this.#runs, into];
      for (const { file } of [...runs, into]) file.hold();
      try {
        await this.#mergeInto(runs, into, mayBe, pause, isOver);
      } finally {
        for (const { file } of [...runs, into]) file.release();
        this.#dropEmpty();
      }
    }
  }

  /** Where it is over before its end, it has done what it has done. */
  async #mergeInto(
    from: readonly Run[],
    into: Run,
    mayBe: MayBe,
    pause: Pause,
    isOver: () => boolean,
  ): Promise<void> {
    const cursors = from.map((run) => new Cursor(run));
    for (const cursor of cursors) await cursor.read();
    const most = from.reduce((rows, run) => rows + run.live, 0);
    const writer = new RunWriter(into.file, most * SMALL_PART <= this.#rows);
    const end = async (): Promise<void> => {
      await this.#end(writer, into);
      // What has gone from them takes no memory beside what has come.
      for (const [i, run] of from.entries()) run.dropBefore((cursors[i] as Cursor).extent);
    };
    let [last, lastRow] = [-1, -1];
    for (let n = 1; ; n++) {
      const next = least(cursors);
      const { hash } = next;
      if (hash === Number.POSITIVE_INFINITY) break;
      const row = rowOf(next);
      if ((hash !== last || row !== lastRow) && mayBe(row)) {
        if (writer.endsBefore(hash)) await end();
        put(writer, hash, row);
        if (writer.isFull) await writer.flush();
      }
      last = hash;
      lastRow = row;
      if (!next.step()) await next.read();
      if (n % LINKS_PER_LOOK === 0) await pause();
      if (isOver() || this.#isDiscarded) return;
    }
    await end();
  }

  #dropEmpty(): void {
    const empty = this.#runs.filter((run) => run.extents.length === 0);
    this.#runs = this.#runs.filter((run) => !empty.includes(run));
    for (const run of empty) run.file.release();
  }

  // ---- all of them ------------------------------------------------------------------------------------------------

  /** Puts in place what a checkpoint holds. @throws EvertError log_damaged, not_found */
  async restore(runs: readonly KeptRun[]): Promise<void> {
    for (const { file: name, extents } of runs) {
      const run = new Run(await this.#files.open(name));
      this.add(run);
      for (const { id, ...place } of extents) {
        const extent = await openExtent(run.file, place, id);
        extent.allCame();
        run.add(extent);
        this.#nextExtent = Math.max(this.#nextExtent, id + 1);
      }
    }
  }

  /** No row is cold any more. */
  clear(): void {
    for (const run of this.#runs) run.file.release();
    this.#runs = [];
    this.#wanted = [];
    this.#hashes = [];
    this.whole.clear();
    this.isComplete = true;
  }

  /** Nobody finds rows by it any more. */
  discard(): void {
    this.clear();
    this.#isDiscarded = true;
  }
}

export function filesOf(wanted: readonly Wanted[]): Set<RunFile> {
  return new Set(wanted.map(({ extent }) => extent.file));
}

/** Piece by piece: of more than fit one piece, some may be there again. */
async function ascending({ array, length }: Int32List): Promise<Uint32Array> {
  const rows = new Uint32Array(array.buffer, array.byteOffset, length);
  let kept = 0;
  for (let from = 0; from < length; from += PIECE_HASHES) {
    if (from > 0) await nextTurn();
    const end = Math.min(length, from + PIECE_HASHES);
    rows.subarray(from, end).sort();
    for (let i = from; i < end; i++)
      if (i === from || rows[i] !== rows[i - 1]) rows[kept++] = rows[i] as number;
  }
  return rows.subarray(0, kept);
}

/** Those of one block side by side, each once. */
export function inOrder(wanted: Wanted[]): Wanted[] {
  wanted.sort((a, b) => a.extent.id - b.extent.id || a.block - b.block || a.hash - b.hash);
  return wanted.filter((one, i) => {
    const before = wanted[i - 1];
    return before?.extent !== one.extent || before.block !== one.block || before.hash !== one.hash;
  });
}

function put(writer: RunWriter, hash: number, row: number): void {
  const { target, at } = writer.room(1);
  target.words[at] = row | 0;
  writer.put(hash, 1);
}

function rowOf(cursor: Cursor): number {
  const block = cursor.block;
  return block === null ? -1 : (block.from.words[rowStart(block, cursor.row)] as number) >>> 0;
}

/** Equal links stand one behind the other. */
function least(cursors: readonly Cursor[]): Cursor {
  let best = cursors[0] as Cursor;
  for (let i = 1; i < cursors.length; i++) {
    const cursor = cursors[i] as Cursor;
    if (cursor.hash < best.hash || (cursor.hash === best.hash && rowOf(cursor) < rowOf(best))) best = cursor;
  }
  return best;
}
