/** The offset of the last row of each key, of several topics: an open-addressed table outside the JavaScript heap, which grows a piece at a time. */
import { DIGEST_WORDS } from "./key-digest.ts";

const SLOTS_MIN = 1024;
/** The topic, then the digest. */
const SLOT_WORDS = 1 + DIGEST_WORDS;
const FREE = -1;
/** Moved without a pause. */
const MOVED_MAX = 32_768;

export class LastRows {
  readonly #seed: number;
  #words: Int32Array;
  #offsets: Float64Array;
  #mask: number;
  /** Keys in it. */
  size = 0;

  /** `seed`: not known to those who choose keys. */
  constructor(seed: number) {
    this.#seed = seed | 0;
    this.#words = new Int32Array(SLOTS_MIN * SLOT_WORDS);
    this.#offsets = new Float64Array(SLOTS_MIN).fill(FREE);
    this.#mask = SLOTS_MIN - 1;
  }

  /** -1: there is none. */
  get(topicId: number, digest: Int32Array): number {
    return this.#offsets[this.#find(topicId, digest)]!;
  }

  /** REQUIRES that there is room for one more key. */
  put(topicId: number, digest: Int32Array, offset: number): void {
    const slot = this.#find(topicId, digest);
    if (this.#offsets[slot] === FREE) {
      this.#words[slot * SLOT_WORDS] = topicId;
      this.#words.set(digest, slot * SLOT_WORDS + 1);
      this.size++;
      this.#offsets[slot] = offset;
    } else if (offset > this.#offsets[slot]!) this.#offsets[slot] = offset;
  }

  /** Keys that may be put before it has to grow. */
  get roomFor(): number {
    return (this.#mask >> 1) - this.size;
  }

  async grow(pause: (bytes: number) => Promise<void>): Promise<void> {
    const words = this.#words;
    const offsets = this.#offsets;
    const slots = 2 * offsets.length;
    this.#words = new Int32Array(slots * SLOT_WORDS);
    this.#offsets = new Float64Array(slots).fill(FREE);
    this.#mask = slots - 1;
    const digest = new Int32Array(DIGEST_WORDS);
    for (let slot = 0; slot < offsets.length; slot++) {
      if (slot % MOVED_MAX === MOVED_MAX - 1) await pause(MOVED_MAX * SLOT_WORDS * 4);
      if (offsets[slot] === FREE) continue;
      const at = slot * SLOT_WORDS;
      digest.set(words.subarray(at + 1, at + SLOT_WORDS));
      const to = this.#find(words[at]!, digest);
      this.#words.set(words.subarray(at, at + SLOT_WORDS), to * SLOT_WORDS);
      this.#offsets[to] = offsets[slot]!;
    }
  }

  /** Its slot, or the free one where it belongs. */
  #find(topicId: number, digest: Int32Array): number {
    const words = this.#words;
    for (let slot = this.#hash(topicId, digest) & this.#mask; ; slot = (slot + 1) & this.#mask) {
      if (this.#offsets[slot] === FREE) return slot;
      const at = slot * SLOT_WORDS;
      if (
        words[at] === topicId &&
        words[at + 1] === digest[0] &&
        words[at + 2] === digest[1] &&
        words[at + 3] === digest[2] &&
        words[at + 4] === digest[3]
      )
        return slot;
    }
  }

  #hash(topicId: number, digest: Int32Array): number {
    let h = this.#seed ^ topicId;
    for (let i = 0; i < DIGEST_WORDS; i++) {
      h = Math.imul(h ^ digest[i]!, 0x9e3779b1);
      h = (h ^ (h >>> 15)) | 0;
      h = Math.imul(h, 0x85ebca77);
      h ^= h >>> 13;
    }
    return h >>> 0;
  }
}
