/**
 * Keys of which all rows are known to be in memory: of those asked for lately, as many as there is room for.
 *
 * A table of hashes in which each has one place; who comes later has it. What is not in it is asked for once more.
 */

const ROOM_MIN = 1_024;
const ROOM_MAX = 1 << 20;
/** Rows in memory for each place. */
const ROWS_PER_PLACE = 4;

export class WholeKeys {
  /** 0: a place that nobody has. */
  #hashes = new Int32Array(ROOM_MIN);
  /** Of the hash 0, which every integer key has that is 0. */
  #isZeroWhole = false;

  get bytes(): number {
    return this.#hashes.byteLength;
  }

  /** Room for the keys of so many rows; what was known may be forgotten. */
  ensure(rows: number): void {
    const { length } = this.#hashes;
    if (rows > length * ROWS_PER_PLACE && length < ROOM_MAX) this.#hashes = new Int32Array(length * 2);
  }

  has(hash: number): boolean {
    const known = hash | 0;
    return known === 0 ? this.#isZeroWhole : this.#hashes[this.#placeOf(known)] === known;
  }

  add(hash: number): void {
    if (hash === 0) this.#isZeroWhole = true;
    else this.#hashes[this.#placeOf(hash | 0)] = hash | 0;
  }

  /** A row of it has gone. */
  gone(hash: number): void {
    if (hash === 0) this.#isZeroWhole = false;
    else if (this.has(hash)) this.#hashes[this.#placeOf(hash | 0)] = 0;
  }

  clear(): void {
    this.#hashes.fill(0);
    this.#isZeroWhole = false;
  }

  #placeOf(hash: number): number {
    return (Math.imul(hash, 0x9e3779b1) >>> 12) & (this.#hashes.length - 1);
  }
}
