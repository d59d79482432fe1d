/**
 * A step's changes of one view as they are sent to everyone who watches it: UTF-8, outside the JavaScript heap
 * (docs/decisions/0052-frames-as-bytes.md).
 *
 * A frame is in its place from the moment its step is published; its changes may be told to it later, while others go on (frame-maker.ts). It is
 * ready when all of them are there. One that would be too much to hold is lost: who waits for it begins anew.
 *
 * A large one lies in slabs: changes from the beginning on, commas between them, and from the end backwards for each change where it begins and what
 * its key hashes to. Slabs are used again when the frame has been let go and nobody reads it; a reader says so by borrow() and giveBack(). Who has
 * not begun to read by then finds it lost.
 */
import { encodeUtf8 } from "../base/bytes.ts";
import { type ChangeWriter, hashOf, KEY_AT } from "./change-writer.ts";
import { SLAB_BYTES, type Slab, type Slabs, slabOf } from "./slabs.ts";

/** With fewer changes, keys are looked for one after the other. */
const TABLE_CHANGES = 64;
const COMMA = 44;
/** Of what tells changes apart, for each: its hash, where it begins. */
const ENTRY_WORDS = 2;
const ENTRY_BYTES = ENTRY_WORDS * 4;

/** Changes that stand together. */
interface Piece {
  /** Its JSON. */
  bytes: Uint8Array;
  /** Of all changes before it. */
  readonly first: number;
  /** The entry of its n-th change is n * `step` words from `at`. */
  readonly index: Int32Array;
  readonly at: number;
  readonly step: number;
}

/** Where a frame lies that is ready. */
export interface Kept {
  readonly bytes: Uint8Array;
  readonly changes: number;
  readonly index: Int32Array;
  readonly indexAt: number;
  /** Bytes of all of it. */
  readonly room: number;
}

export class Frame {
  /** Position of the step's last commit. */
  readonly position: number;
  /** Position of the step before: its changes are those of all commits in between, and fit no state between them. */
  readonly after: number;
  /** Milliseconds (of the clock passed in) when it was published. */
  readonly at: number;
  /** Slots the step touched. */
  readonly touched: number;
  state: "made" | "ready" | "lost" = "made";
  /** Bytes of its changes. */
  length = 0;
  /** Bytes of memory that it takes once it is ready, with all that belongs to it and what is left of its last slab. */
  room = 0;
  changes = 0;
  readonly #pieces: Piece[] = [];
  readonly #store: Slabs | null;
  /** Those of #store that it has. */
  readonly #slabs: Slab[] = [];
  /** Bytes of the last slab that changes have. */
  #used = 0;
  /** Change + 1 by hash, or 0: made when a key is looked for. */
  #table: Int32Array | null = null;
  #readers = 0;
  #isLetGo = false;

  /** `from`: it is ready, and lies there; or where it will take slabs from. */
  constructor(
    step: { readonly position: number; readonly after: number },
    at: number,
    touched: number,
    from: Kept | Slabs,
  ) {
    this.position = step.position;
    this.after = step.after;
    this.at = at;
    this.touched = touched;
    this.#store = "take" in from ? from : null;
    if ("take" in from) return;
    const { bytes, changes, index, indexAt, room } = from;
    this.state = "ready";
    this.length = bytes.length;
    this.room = room;
    this.changes = changes;
    this.#pieces.push({ bytes, first: 0, index, at: indexAt, step: ENTRY_WORDS });
  }

  /** The changes as JSON, several in a piece, with commas between: an array without its brackets, cut between elements. */
  get pieces(): readonly Uint8Array[] {
    return this.#pieces.map(({ bytes }) => bytes);
  }

  /** Changes behind those that it has. They are copied. */
  add({ out: { U, at: end }, index: { array, length } }: ChangeWriter): void {
    // What is not in a slab yet: a run of changes, commas between them.
    let run = 0;
    let slab = this.#slabs.at(-1);
    for (let i = 0; i < length; i += 2) {
      const from = array[i + 1] as number;
      const to = i + 2 < length ? (array[i + 3] as number) - 1 : end;
      if (slab === undefined || this.#placeOf(from - run) + (to - from) > this.#roomIn(slab)) {
        if (slab !== undefined && from > run) this.#take(slab, U, run, from - 1);
        run = from;
        slab = this.#begin(to - from);
      }
      const { index, at, step, first } = this.#pieces.at(-1) as Piece;
      const entry = at + (this.changes - first) * step;
      index[entry] = array[i] as number;
      index[entry + 1] = this.#placeOf(from - run);
      this.changes++;
      this.length += to - from + 1;
    }
    if (slab !== undefined && length > 0) this.#take(slab, U, run, end);
  }

  /** Where in the slab that is being filled something begins that stands so far into the run. */
  #placeOf(into: number): number {
    return this.#used + (this.#used > 0 ? 1 : 0) + into;
  }

  /** Up to where a further change may reach. */
  #roomIn({ U }: Slab): number {
    const { first } = this.#pieces.at(-1) as Piece;
    return U.length - (this.changes - first + 1) * ENTRY_BYTES;
  }

  #begin(bytes: number): Slab {
    this.#cut();
    const store = this.#store as Slabs;
    const needed = bytes + ENTRY_BYTES;
    const slab = needed <= SLAB_BYTES ? store.take() : slabOf(needed);
    this.#slabs.push(slab);
    this.#used = 0;
    const { U: bytesOf, I: index } = slab;
    const at = index.length - ENTRY_WORDS;
    this.#pieces.push({ bytes: bytesOf, first: this.changes, index, at, step: -ENTRY_WORDS });
    return slab;
  }

  /** All changes are there. */
  complete(): void {
    this.#cut();
    const own = this.#shrink();
    this.room = this.#slabs.reduce((bytes, { U }) => bytes + U.length, own);
    this.state = "ready";
  }

  /** What fills less than half of the last slab gets memory of its own: so many bytes. */
  #shrink(): number {
    const piece = this.#pieces.at(-1);
    if (piece === undefined) return 0;
    const count = this.changes - piece.first;
    const bytes = this.#used + count * ENTRY_BYTES;
    if (bytes * 2 > SLAB_BYTES) return 0;
    const index = new Int32Array(count * ENTRY_WORDS);
    for (let n = 0; n < count; n++)
      for (let word = 0; word < ENTRY_WORDS; word++)
        index[n * ENTRY_WORDS + word] = piece.index[piece.at + n * piece.step + word] as number;
    this.#pieces.pop();
    this.#pieces.push({ bytes: piece.bytes.slice(), first: piece.first, index, at: 0, step: ENTRY_WORDS });
    this.#store?.give(this.#slabs.pop() as Slab);
    return bytes;
  }

  /** It is given up. REQUIRES that it was never ready. */
  lose(): void {
    this.state = "lost";
    this.#free();
  }

  /** It is not kept any longer: who asks for it from now on finds it lost. */
  letGo(): void {
    this.#isLetGo = true;
    if (this.#store === null || this.#readers > 0 || this.state === "made") return;
    this.state = "lost";
    this.#free();
  }

  /** Its pieces stay what they are until giveBack(). */
  borrow(): void {
    this.#readers++;
  }

  giveBack(): void {
    this.#readers--;
    if (this.#isLetGo) this.letGo();
  }

  #free(): void {
    for (const slab of this.#slabs) this.#store?.give(slab);
    this.#slabs.length = 0;
    this.#pieces.length = 0;
    this.#table = null;
    this.changes = 0;
  }

  /** What it says of these keys, given as JSON text: as `pieces`, in its order. */
  piecesOf(keys: Iterable<string>): readonly Uint8Array[] {
    const found: number[] = [];
    for (const key of keys) this.#find(encodeUtf8(key), found);
    return found.sort((a, b) => a - b).map((change) => this.#bytesOf(change));
  }

  /** Of the keys of its changes. */
  *hashes(): Iterable<number> {
    for (const { index, at, step, first } of this.#pieces)
      for (let n = 0; n < this.#last(first) - first; n++) yield index[at + n * step] as number;
  }

  /** Behind the last change of the piece that begins with this one. */
  #last(first: number): number {
    const next = this.#pieces[this.#pieceOf(first) + 1];
    return next?.first ?? this.changes;
  }

  #find(key: Uint8Array, found: number[]): void {
    const hash = hashOf(key);
    if (this.changes < TABLE_CHANGES) {
      let change = 0;
      for (const of of this.hashes()) {
        if (of === hash && this.#isOf(change, key)) found.push(change);
        change++;
      }
      return;
    }
    this.#table ??= this.#filed();
    const table = this.#table;
    const mask = table.length - 1;
    for (let at = hash & mask; table[at] !== 0; at = (at + 1) & mask) {
      const change = (table[at] as number) - 1;
      if (this.#isOf(change, key)) found.push(change);
    }
  }

  #filed(): Int32Array {
    const table = new Int32Array(2 ** Math.ceil(Math.log2(this.changes * 1.5)));
    const mask = table.length - 1;
    let change = 0;
    for (const hash of this.hashes()) {
      let at = hash & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = ++change;
    }
    return table;
  }

  #isOf(change: number, key: Uint8Array): boolean {
    const { bytes, index, at, step, first } = this.#pieces[this.#pieceOf(change)] as Piece;
    const from = (index[at + (change - first) * step + 1] as number) + KEY_AT;
    for (let i = 0; i < key.length; i++) if (bytes[from + i] !== key[i]) return false;
    return bytes[from + key.length] === COMMA;
  }

  #bytesOf(change: number): Uint8Array {
    const { bytes, index, at, step, first } = this.#pieces[this.#pieceOf(change)] as Piece;
    const entry = at + (change - first) * step;
    const from = index[entry + 1] as number;
    const isLast = change + 1 === this.#last(first);
    return bytes.subarray(from, isLast ? bytes.length : (index[entry + step + 1] as number) - 1);
  }

  #pieceOf(change: number): number {
    const pieces = this.#pieces;
    let low = 0;
    let high = pieces.length;
    while (high - low > 1) {
      const mid = (low + high) >>> 1;
      if ((pieces[mid] as Piece).first <= change) low = mid;
      else high = mid;
    }
    return low;
  }

  /** A run of changes into the slab. */
  #take({ U }: Slab, source: Uint8Array, from: number, to: number): void {
    if (this.#used > 0) U[this.#used++] = COMMA;
    U.set(source.subarray(from, to), this.#used);
    this.#used += to - from;
  }

  /** The last piece is whole. */
  #cut(): void {
    const piece = this.#pieces.at(-1);
    if (piece !== undefined) piece.bytes = piece.bytes.subarray(0, this.#used);
  }
}
