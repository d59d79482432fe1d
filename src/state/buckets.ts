/**
 * The directory of a hash table that grows one bucket at a time (linear hashing, Litwin 1980).
 *
 * There are always n buckets, 2^L <= n < 2^(L+1). A hash h belongs to bucket h mod 2^(L+1), or, when that one does not exist yet, to
 * h mod 2^L. To grow, bucket n - 2^L is split: its entries whose bit L is set move to the new bucket n. So an insert
 * costs a constant amount of moving and no step ever rehashes the table.
 *
 * A bucket holds entry + 1, so that fresh zeroed memory is an empty table. Chains through the entries are their owner's;
 * it keeps their order when it splits.
 */
import { GrowingMemory } from "./memory.ts";

const INITIAL_BUCKETS = 64;

export class Buckets {
  readonly #memory = new GrowingMemory();
  /** Bucket b's first entry + 1; 0 = empty. Replaced when the directory grows. */
  B: Int32Array;
  n: number = INITIAL_BUCKETS;
  /** 2^L - 1 */
  low: number = INITIAL_BUCKETS - 1;
  /** 2^(L+1) - 1 */
  high: number = INITIAL_BUCKETS * 2 - 1;
  count = 0;

  constructor() {
    this.B = this.#memory.I;
  }

  /** An empty directory sized for `entries`: filling it then splits nothing. */
  presize(entries: number): void {
    if (this.count > 0) return;
    let n = INITIAL_BUCKETS;
    while (n * 3 < entries * 4) n *= 2;
    this.#memory.ensure(n * 4);
    this.B = this.#memory.I;
    this.n = n;
    this.low = n - 1;
    this.high = n * 2 - 1;
  }

  get bytes(): number {
    return this.n * 4;
  }

  bucketOf(hash: number): number {
    const b = hash & this.high;
    return b < this.n ? b : b & this.low;
  }

  /** Whether the next insert should be preceded by splits (load factor above 3/4). */
  get full(): boolean {
    return this.count * 4 > this.n * 3;
  }

  /** Adds bucket n and returns the bucket to split; entries whose `hash & high` is the new bucket (`n - 1` after the call) move there. */
  addBucket(): number {
    const created = this.n;
    if ((created + 1) * 4 > this.#memory.bytes) {
      this.#memory.ensure((created + 1) * 4);
      this.B = this.#memory.I;
    }
    this.n = created + 1;
    return created & this.low;
  }

  /** After the entries of a split have been moved. */
  afterSplit(): void {
    if (this.n === this.high + 1) {
      this.low = this.high;
      this.high = this.high * 2 + 1;
    }
  }
}
