/**
 * The bytes of a checkpoint: blocks that say which rows lie in which slots.
 *
 * A checkpoint file is a run of *sections*. The first holds everything; each later one what changed since the one before, so it costs what changed
 * and nothing more. A section holds, in this order, values of the dictionary, ids of it that are gone, and per store rows and slots that are empty.
 * Later blocks win. Where a section ends, and that it is whole, says the manifest (engine/checkpoint/checkpointing.ts).
 *
 * The checksum is zlib's CRC-32, which Node computes natively: a restart reads hundreds of megabytes of it.
 *
 *   block    := magic:u32 kind:u32 length:u32 crc32:u32 payload[length], padded to 8 bytes
 *   values   := n:u32 0:u32 (id:u32 length:u32)[n] bytes...
 *   gone     := n:u32 0:u32 id:u32[n]
 *   rows     := store:u32 strideWords:u32 n:u32 0:u32 slot:u32[n, padded to even] words:u32[n * strideWords]
 *   empty    := store:u32 n:u32 slot:u32[n]
 *   here     := store:u32 extent:u32 bits:u32...          which rows of an extent are cold (cold/extent.ts)
 *
 * `store` is the store's place in the manifest's list. Rows are captured as visible at one epoch, which the caller has pinned, so capturing may take
 * many turns of the event loop while steps go on. A store's rows come back in the slots they had; indexes are built again.
 *
 * A capture is a generator: it puts blocks into the buffer it was given and yields after each, and wherever it has looked at many slots in vain, so
 * that its caller decides when to write and when to let others work.
 */
import { crc32 } from "node:zlib";
import { EvertError } from "../base/errors.ts";
import { BLOCK_HEADER_BYTES, BLOCK_MAGIC, type BlockBuffer } from "./block-buffer.ts";
import type { ColdCapture } from "./cold/captures.ts";
import type { Dictionary } from "./dictionary.ts";
import { isMarked, nextMarked } from "./marks.ts";
import { SHORT_RUN_WORDS, type Store } from "./store.ts";

const VALUES = 1;
const GONE = 2;
const ROWS = 3;
const EMPTY = 4;
const HERE = 5;
const ITEMS_PER_BLOCK = 4096;
const VALUE_BYTES_PER_BLOCK = 1 << 18;
/** Slots or ids looked at between two yields. */
const LOOKS_PER_YIELD = 16_384;

/** Blocks of the dictionary's values: all of them, or those of the marked ids. */
export function* captureDictionary(
  dictionary: Dictionary,
  marks: Int32Array | null,
  out: BlockBuffer,
): Generator<void> {
  const n = marks === null ? dictionary.highWater : Math.min(dictionary.highWater, marks.length * 32);
  const values = new Int32Array(ITEMS_PER_BLOCK);
  const gone = new Int32Array(ITEMS_PER_BLOCK);
  let valueCount = 0;
  let goneCount = 0;
  let bytes = 0;
  let looks = 0;
  // What is noted is written before the next yield, for it may be freed while the caller is away. Ids given to others meanwhile are marked again.
  const write = (): void => {
    if (valueCount > 0) valuesBlock(dictionary, values.subarray(0, valueCount), bytes, out);
    if (goneCount > 0) {
      const at = out.begin(8 + goneCount * 4);
      out.words[at] = goneCount;
      out.words[at + 1] = 0;
      out.words.set(gone.subarray(0, goneCount), at + 2);
      out.end(GONE, 8 + goneCount * 4);
    }
    valueCount = goneCount = bytes = looks = 0;
  };
  // Id 0 is the empty text, which every dictionary has.
  for (let id = nextMarked(marks, 1, n); id < n; id = nextMarked(marks, id + 1, n)) {
    if (!isMarked(marks, id)) looks = LOOKS_PER_YIELD;
    else if (dictionary.isLive(id)) {
      values[valueCount++] = id;
      bytes += dictionary.length(id);
    } else if (marks !== null) gone[goneCount++] = id;
    if (
      ++looks >= LOOKS_PER_YIELD ||
      valueCount === ITEMS_PER_BLOCK ||
      goneCount === ITEMS_PER_BLOCK ||
      bytes >= VALUE_BYTES_PER_BLOCK
    ) {
      write();
      yield;
    }
  }
  write();
}

function valuesBlock(dictionary: Dictionary, ids: Int32Array, bytes: number, out: BlockBuffer): void {
  const n = ids.length;
  const size = 8 + n * 8 + bytes;
  const start = out.begin(size);
  const { words } = out;
  words[start] = n;
  words[start + 1] = 0;
  let at = (start + 2 + n * 2) * 4;
  for (let i = 0; i < n; i++) {
    const id = ids[i] as number;
    const length = dictionary.length(id);
    words[start + 2 + i * 2] = id;
    words[start + 3 + i * 2] = length;
    dictionary.copyTo(id, out.bytes, at);
    at += length;
  }
  out.end(VALUES, size);
}

/** Blocks of the store's rows visible at `epoch`: all, or of the marked slots the rows and the empty ones. */
export function* captureStore(
  place: number,
  store: Store,
  epoch: number,
  marks: Int32Array | null,
  out: BlockBuffer,
  cold: ColdCapture | null = null,
): Generator<void> {
  const n = marks === null ? store.highWater : Math.min(store.highWater, marks.length * 32);
  const { birthWord, deathWord, strideWords: stride } = store.layout;
  const rows = new Int32Array(Math.min(ITEMS_PER_BLOCK, n));
  const empty = new Int32Array(Math.min(ITEMS_PER_BLOCK, n));
  let rowCount = 0;
  let emptyCount = 0;
  let looks = 0;
  for (let slot = nextMarked(marks, 0, n); slot < n; ) {
    // Steps that come while the caller is away may grow the store.
    const { I } = store;
    looks = 0;
    while (
      slot < n &&
      looks < LOOKS_PER_YIELD &&
      rowCount < ITEMS_PER_BLOCK &&
      emptyCount < ITEMS_PER_BLOCK
    ) {
      const b = slot * stride;
      if (!isMarked(marks, slot)) looks = LOOKS_PER_YIELD;
      else if (
        (I[b + birthWord] as number) <= epoch &&
        epoch < (I[b + deathWord] as number) &&
        // What came back since the epoch is captured where it was.
        cold?.isBack(slot) !== true
      )
        rows[rowCount++] = slot;
      else if (marks !== null) empty[emptyCount++] = slot;
      looks++;
      slot = nextMarked(marks, slot + 1, n);
    }
    if (rowCount === ITEMS_PER_BLOCK || (slot >= n && rowCount > 0)) {
      rowsBlock(place, store, rows.subarray(0, rowCount), out);
      rowCount = 0;
    }
    if (emptyCount === ITEMS_PER_BLOCK || (slot >= n && emptyCount > 0)) {
      const at = out.begin(8 + emptyCount * 4);
      out.words[at] = place;
      out.words[at + 1] = emptyCount;
      out.words.set(empty.subarray(0, emptyCount), at + 2);
      out.end(EMPTY, 8 + emptyCount * 4);
      emptyCount = 0;
    }
    if (cold !== null) cold.at = rowCount > 0 ? (rows[0] as number) : slot;
    yield;
  }
  if (cold !== null) cold.at = Number.POSITIVE_INFINITY;
}

/** Blocks of what is cold. */
export function* captureCold(place: number, { here }: ColdCapture, out: BlockBuffer): Generator<void> {
  for (const { id, bits } of here) {
    const size = 8 + bits.length * 4;
    const at = out.begin(size);
    out.words[at] = place;
    out.words[at + 1] = id;
    out.words.set(bits, at + 2);
    out.end(HERE, size);
    yield;
  }
}

function rowsBlock(place: number, store: Store, slots: Int32Array, out: BlockBuffer): void {
  const stride = store.layout.strideWords;
  const n = slots.length;
  const head = 4 + ((n + 1) & ~1);
  const size = (head + n * stride) * 4;
  const start = out.begin(size);
  const { words } = out;
  const { I } = store;
  words[start] = place;
  words[start + 1] = stride;
  words[start + 2] = n;
  words[start + 3] = 0;
  words.set(slots, start + 4);
  if ((n & 1) === 1) words[start + 4 + n] = 0;
  let to = start + head;
  // Rows that were born together mostly lie together: long runs of slots are copied at once.
  for (let i = 0; i < n; ) {
    const slot = slots[i] as number;
    let run = 1;
    while (i + run < n && slots[i + run] === slot + run) run++;
    const from = slot * stride;
    const length = run * stride;
    if (length >= SHORT_RUN_WORDS) words.set(I.subarray(from, from + length), to);
    else for (let w = 0; w < length; w++) words[to + w] = I[from + w] as number;
    to += length;
    i += run;
  }
  out.end(ROWS, size);
}

/** The block at the start of `bytes`, or null when more bytes are needed. @throws EvertError log_damaged. */
export function nextBlock(
  bytes: Uint8Array,
  at: number,
): { kind: number; payload: Uint8Array; next: number } | null {
  if (at + BLOCK_HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, BLOCK_HEADER_BYTES);
  const length = view.getUint32(8, true);
  if (view.getUint32(0, true) !== BLOCK_MAGIC) throw damaged("a block does not begin with the magic number");
  const end = at + BLOCK_HEADER_BYTES + length;
  const next = (end + 7) & ~7;
  if (next > bytes.length) return null;
  const payload = bytes.subarray(at + BLOCK_HEADER_BYTES, end);
  if (crc32(payload) !== view.getUint32(12, true)) throw damaged("a block's checksum does not match");
  return { kind: view.getUint32(4, true), payload, next };
}

/** Where rows of a checkpoint go. */
export type RowTarget = Pick<Store, "name" | "layout" | "restoreRows" | "restoreAbsent">;

/**
 * Applies a block to the dictionary, or to the store at its place in `stores` (null: nobody wants that store any more). What it says of an extent is
 * noted in `here`, by store and extent.
 */
export function applyBlock<Target extends RowTarget>(
  kind: number,
  payload: Uint8Array,
  dictionary: Dictionary | null,
  stores: readonly (Target | null)[] | null,
  here: Map<Target, Map<number, Int32Array>> | null = null,
): void {
  // Blocks are padded to 8 bytes within the file; a copy aligns them wherever the reader's buffer put them.
  const aligned = payload.byteOffset % 4 === 0 ? payload : payload.slice();
  const words = new Int32Array(aligned.buffer, aligned.byteOffset, aligned.length >>> 2);
  switch (kind) {
    case VALUES: {
      if (dictionary === null) return;
      const n = words[0] as number;
      let at = 8 + n * 8;
      for (let i = 0; i < n; i++) {
        const length = words[3 + i * 2] as number;
        dictionary.restore(words[2 + i * 2] as number, aligned, at, at + length);
        at += length;
      }
      return;
    }
    case GONE: {
      if (dictionary === null) return;
      for (let i = 0; i < (words[0] as number); i++) dictionary.forget(words[2 + i] as number);
      return;
    }
    case ROWS: {
      const store = stores?.[words[0] as number];
      if (store === null || store === undefined) return;
      const stride = words[1] as number;
      if (stride !== store.layout.strideWords) throw damaged(`rows of ${store.name} have another width`);
      const n = words[2] as number;
      const head = 4 + ((n + 1) & ~1);
      store.restoreRows(words.subarray(4, 4 + n), words, head);
      return;
    }
    case EMPTY: {
      const store = stores?.[words[0] as number];
      if (store === null || store === undefined) return;
      for (let i = 0; i < (words[1] as number); i++) store.restoreAbsent(words[2 + i] as number);
      return;
    }
    case HERE: {
      const store = stores?.[words[0] as number];
      if (store === null || store === undefined || here === null) return;
      const extents = here.get(store) ?? new Map<number, Int32Array>();
      here.set(store, extents.set(words[1] as number, words.slice(2)));
      return;
    }
    default:
      throw damaged(`a block is of the unknown kind ${kind}`);
  }
}

function damaged(detail: string): EvertError {
  return new EvertError("log_damaged", "the checkpoint is damaged", {
    detail,
    hint: "It is only a copy: delete it and start again, the log rebuilds everything.",
  });
}
