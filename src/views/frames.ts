/**
 * A step's changes of one view as they are sent to everyone who watches it, and the latest of them, kept a while for those who come back.
 *
 * A frame is in its place from the moment its step is published; its changes may be told to it later, while others go on (frame-maker.ts). It is
 * ready when all of them are there. One that would be too much to hold is lost: who waits for it begins anew.
 */
import type { EncodedChange } from "./step-changes.ts";

/**
 * Characters of changes joined into one text. Whoever writes or parses a frame can pause between two. With more than 128 KiB V8 gives a text pages of its
 * own, and a collection of the young generation does not copy it, twice, as it copies what is smaller (docs/decisions/0031-turns.md).
 */
const PIECE_CHARS = 132_000;
/** Where in a change its key stands: behind `{"op":"insert",`, and the other words are as long. */
const KEY_AT = 15;
/** With fewer changes, keys are looked for one after the other. */
const TABLE_CHANGES = 64;

export class Frame {
  /** Position of the step's last commit. */
  readonly position: number;
  /** Milliseconds (of the clock passed in) when it was published. */
  readonly at: number;
  /** Slots the step touched. */
  readonly touched: number;
  /** Position of the step before: its changes are those of all commits in between, and fit no state between them. */
  after = 0;
  state: "made" | "ready" | "lost" = "made";
  /** Characters of its changes. */
  length = 0;
  /** The changes as JSON, several in a text, with commas between: a JSON array without its brackets, cut between elements. */
  readonly pieces: string[] = [];
  /**
   * Of each change the hash of its key and where it begins in its piece, and of each piece its first change. Frames are kept for a minute: an
   * object for each of a million changes would be in the way of every garbage collection till then.
   */
  readonly #hashes: number[] = [];
  readonly #starts: number[] = [];
  readonly #firsts: number[] = [];
  /** Change + 1 by hash, or 0. It has room for as many changes as slots were touched, and fills as they come: a million are not entered at once. */
  #table: Int32Array | null = null;
  #piece: string[] = [];
  #pieceChars = 0;
  /** Of its changes, until somebody took them. */
  #keys: string[] | null = [];

  constructor(position: number, at: number, touched: number) {
    this.position = position;
    this.at = at;
    this.touched = touched;
  }

  get isEmpty(): boolean {
    return this.#hashes.length === 0;
  }

  add({ key, json }: EncodedChange): void {
    if (this.#piece.length === 0) this.#firsts.push(this.#hashes.length);
    this.#keys?.push(key);
    this.#enter(hashOf(key));
    this.#starts.push(this.#pieceChars);
    this.#piece.push(json);
    this.#pieceChars += json.length + 1;
    this.length += json.length + 1;
    if (this.#pieceChars >= PIECE_CHARS) this.#cut();
  }

  /** The keys of its changes up to now. They are not kept any longer. */
  takeKeys(): readonly string[] {
    const keys = this.#keys ?? [];
    this.#keys = null;
    return keys;
  }

  /** All changes are there. */
  complete(): void {
    this.#cut();
    this.state = "ready";
  }

  /** It is given up. */
  lose(): void {
    this.state = "lost";
    this.pieces.length = 0;
    this.#hashes.length = 0;
    this.#table = null;
    this.#starts.length = 0;
    this.#firsts.length = 0;
    this.#piece = [];
    this.length = 0;
  }

  /** What it says of these keys, as `pieces`, in its order. */
  piecesOf(keys: Iterable<string>): readonly string[] {
    const found: number[] = [];
    for (const key of keys) this.#find(key, found);
    return found.sort((a, b) => a - b).map((change) => this.#text(change));
  }

  #enter(hash: number): void {
    const hashes = this.#hashes;
    const changes = hashes.push(hash);
    if (changes < TABLE_CHANGES) return;
    if (this.#table !== null && changes * 4 <= this.#table.length * 3) {
      enter(this.#table, hashes, changes - 1);
      return;
    }
    // Equal rows without a key are many changes of one slot.
    const room = Math.max(this.touched, changes * 2) * 1.5;
    this.#table = new Int32Array(2 ** Math.ceil(Math.log2(room)));
    for (let change = 0; change < changes; change++) enter(this.#table, hashes, change);
  }

  #find(key: string, found: number[]): void {
    const hashes = this.#hashes;
    const hash = hashOf(key);
    const take = (change: number): void => {
      if (this.#text(change).startsWith(`"key":${key},`, KEY_AT)) found.push(change);
    };
    const table = this.#table;
    if (table === null) {
      for (let change = 0; change < hashes.length; change++) if (hashes[change] === hash) take(change);
      return;
    }
    const mask = table.length - 1;
    for (let at = hash & mask; table[at] !== 0; at = (at + 1) & mask) {
      const change = (table[at] as number) - 1;
      if (hashes[change] === hash) take(change);
    }
  }

  #text(change: number): string {
    const firsts = this.#firsts;
    let low = 0;
    let high = firsts.length;
    while (high - low > 1) {
      const mid = (low + high) >>> 1;
      if ((firsts[mid] as number) <= change) low = mid;
      else high = mid;
    }
    const piece = this.pieces[low] as string;
    const isLast = change + 1 === (firsts[low + 1] ?? this.#hashes.length);
    return piece.slice(
      this.#starts[change],
      isLast ? piece.length : (this.#starts[change + 1] as number) - 1,
    );
  }

  #cut(): void {
    if (this.#piece.length === 0) return;
    this.pieces.push(this.#piece.join(","));
    this.#piece = [];
    this.#pieceChars = 0;
  }
}

function enter(table: Int32Array, hashes: readonly number[], change: number): void {
  const mask = table.length - 1;
  let at = (hashes[change] as number) & mask;
  while (table[at] !== 0) at = (at + 1) & mask;
  table[at] = change + 1;
}

/** FNV-1a, its bits mixed once more for the table. */
function hashOf(key: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < key.length; i++) h = Math.imul(h ^ key.charCodeAt(i), 0x01000193);
  return h ^ (h >>> 15);
}

/**
 * The latest frames of one view: all of the last `keepMs`, and more as long as they fit into `keepBytes`. A subscriber whose position is
 * at or above `floor` can be resumed from it.
 */
export class FrameLog {
  readonly #keepBytes: number;
  readonly #keepMs: number;
  #frames: Frame[] = [];
  /** Characters of those that are ready. */
  #bytes = 0;
  /** Every change after this position is here. */
  floor: number;

  constructor(floor: number, keepBytes: number, keepMs: number) {
    this.floor = floor;
    this.#keepBytes = keepBytes;
    this.#keepMs = keepMs;
  }

  push(frame: Frame): void {
    this.#frames.push(frame);
    if (frame.state === "ready") this.#bytes += frame.length;
    this.#trim(frame.at);
  }

  /** A frame that was pushed before it was ready has grown to its length. */
  grown(frame: Frame): void {
    if (!this.#frames.includes(frame)) return;
    this.#bytes += frame.length;
    this.#trim(frame.at);
  }

  /** A frame is lost, and so is what lies before it: nobody can be resumed from there. */
  drop(frame: Frame): void {
    const at = this.#frames.indexOf(frame);
    if (at < 0) return;
    for (const { state, length } of this.#frames.splice(0, at + 1))
      if (state === "ready") this.#bytes -= length;
    this.floor = frame.position;
  }

  #trim(now: number): void {
    let drop = 0;
    // Twice the promise is the bound: a burst inside keepMs must not grow without end.
    while (drop < this.#frames.length - 1) {
      const oldest = this.#frames[drop] as Frame;
      if (oldest.state === "made") break;
      const young = now - oldest.at < this.#keepMs;
      if (this.#bytes <= this.#keepBytes || (young && this.#bytes <= 2 * this.#keepBytes)) break;
      this.#bytes -= oldest.length;
      this.floor = oldest.position;
      drop++;
    }
    if (drop > 0) this.#frames = this.#frames.slice(drop);
  }

  /**
   * Whether the position lies within a step. Whoever was shown it saw it elsewhere, or before a restart, where commits fell into other
   * steps: no frame leads on from there.
   */
  splits(position: number): boolean {
    const next = this.#frames[this.#firstAfter(position)];
    return next !== undefined && next.after < position;
  }

  /** Frames after the position, oldest first. */
  after(position: number): Frame[] {
    return this.#frames.slice(this.#firstAfter(position));
  }

  #firstAfter(position: number): number {
    let low = 0;
    let high = this.#frames.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.#frames[mid] as Frame).position <= position) low = mid + 1;
      else high = mid;
    }
    return low;
  }

  get bytes(): number {
    return this.#bytes;
  }
}
