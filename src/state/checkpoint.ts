/**
 * The bytes of a checkpoint: blocks that say which rows lie in which slots.
 *
 * A checkpoint file is a run of *sections*. The first holds everything; each later one what changed since the one before, so it costs
 * what changed and nothing more. A section holds, in this order, values of the dictionary, ids of it that are gone, and per store
 * rows and slots that are empty. Later blocks win. Where a section ends, and that it is whole, says the manifest (engine/checkpointing.ts).
 *
 * The checksum is zlib's CRC-32, which Node computes natively: a restart reads hundreds of megabytes of it.
 *
 *   block    := magic:u32 kind:u32 length:u32 crc32:u32 payload[length], padded to 8 bytes
 *   values   := n:u32 0:u32 (id:u32 length:u32)[n] bytes...
 *   gone     := n:u32 0:u32 id:u32[n]
 *   rows     := store:u32 strideWords:u32 n:u32 0:u32 slot:u32[n, padded to even] words:u32[n * strideWords]
 *   empty    := store:u32 n:u32 slot:u32[n]
 *
 * `store` is the store's place in the manifest's list. Rows are captured as visible at one epoch, which the caller has pinned, so capturing may take
 * many turns of the event loop while steps go on. A store's rows come back in the slots they had; indexes are built again.
 */
import { crc32 } from "node:zlib";
import { EvertError } from "../base/errors.ts";
import type { Dictionary } from "./dictionary.ts";
import type { Store } from "./store.ts";

const MAGIC = 0x4b435645; // "EVCK"
const VALUES = 1;
const GONE = 2;
const ROWS = 3;
const EMPTY = 4;
const HEADER_BYTES = 16;
const ROWS_PER_BLOCK = 4096;
const VALUE_BYTES_PER_BLOCK = 1 << 18;

/** Blocks of the dictionary's values: all of them, or those of `touched`. */
export function* captureDictionary(
  dictionary: Dictionary,
  touched: Int32Array | null,
): Generator<Uint8Array> {
  const n = dictionary.highWater;
  const marks = touched === null ? null : marksOf(touched, n);
  const gone: number[] = [];
  let values: number[] = [];
  let bytes = 0;
  // Id 0 is the empty text, which every dictionary has.
  for (let id = nextMarked(marks, 1, n); id < n; id = nextMarked(marks, id + 1, n)) {
    if (!dictionary.isLive(id)) {
      if (marks !== null) gone.push(id);
      continue;
    }
    values.push(id);
    bytes += dictionary.length(id) + 8;
    if (bytes >= VALUE_BYTES_PER_BLOCK) {
      yield valuesBlock(dictionary, values);
      // What was noted may be freed while the caller is away; it is looked at anew when its turn comes.
      values = [];
      bytes = 0;
    }
  }
  if (values.length > 0) yield valuesBlock(dictionary, values);
  // Last: an id that has been freed meanwhile is written empty, and only then may another section give it to someone else.
  if (gone.length > 0) {
    const payload = new Int32Array(2 + gone.length);
    payload[0] = gone.length;
    payload.set(gone, 2);
    yield block(GONE, new Uint8Array(payload.buffer));
  }
}

function valuesBlock(dictionary: Dictionary, ids: readonly number[]): Uint8Array {
  let size = 8 + ids.length * 8;
  for (const id of ids) size += dictionary.length(id);
  const payload = new Uint8Array(size);
  const words = new Int32Array(payload.buffer, 0, 2 + ids.length * 2);
  words[0] = ids.length;
  let at = 8 + ids.length * 8;
  ids.forEach((id, i) => {
    const value = dictionary.utf8(id);
    words[2 + i * 2] = id;
    words[3 + i * 2] = value.length;
    payload.set(value, at);
    at += value.length;
  });
  return block(VALUES, payload);
}

/** Blocks of the store's rows visible at `epoch`: all, or of the slots `touched` the rows and the empty ones. */
export function* captureStore(
  place: number,
  store: Store,
  epoch: number,
  touched: Int32Array | null,
): Generator<Uint8Array> {
  const n = store.highWater;
  const marks = touched === null ? null : marksOf(touched, n);
  const { strideWords } = store.layout;
  const rows = new Int32Array(ROWS_PER_BLOCK);
  let count = 0;
  const empty: number[] = [];
  const take = (): Uint8Array => {
    const head = 4 + ((count + 1) & ~1);
    const payload = new Int32Array(head + count * strideWords);
    payload[0] = place;
    payload[1] = strideWords;
    payload[2] = count;
    payload.set(rows.subarray(0, count), 4);
    const I = store.I;
    // Rows that were born together mostly lie together: runs of slots are copied at once.
    for (let i = 0; i < count; ) {
      const slot = rows[i] as number;
      let run = 1;
      while (i + run < count && rows[i + run] === slot + run) run++;
      payload.set(I.subarray(slot * strideWords, (slot + run) * strideWords), head + i * strideWords);
      i += run;
    }
    count = 0;
    return block(ROWS, new Uint8Array(payload.buffer));
  };
  for (let slot = nextMarked(marks, 0, n); slot < n; slot = nextMarked(marks, slot + 1, n)) {
    if (store.visible(slot, epoch)) {
      rows[count++] = slot;
      if (count === ROWS_PER_BLOCK) yield take();
    } else if (marks !== null) empty.push(slot);
  }
  if (count > 0) yield take();
  for (let from = 0; from < empty.length; from += VALUE_BYTES_PER_BLOCK) {
    const some = empty.slice(from, from + VALUE_BYTES_PER_BLOCK);
    const payload = new Int32Array(2 + some.length);
    payload[0] = place;
    payload[1] = some.length;
    payload.set(some, 2);
    yield block(EMPTY, new Uint8Array(payload.buffer));
  }
}

/** The block at the start of `bytes`, or null when more bytes are needed. @throws EvertError log_damaged. */
export function nextBlock(
  bytes: Uint8Array,
  at: number,
): { kind: number; payload: Uint8Array; next: number } | null {
  if (at + HEADER_BYTES > bytes.length) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset + at, HEADER_BYTES);
  const length = view.getUint32(8, true);
  if (view.getUint32(0, true) !== MAGIC) throw damaged("a block does not begin with the magic number");
  const end = at + HEADER_BYTES + length;
  const next = (end + 7) & ~7;
  if (next > bytes.length) return null;
  const payload = bytes.subarray(at + HEADER_BYTES, end);
  if (crc32(payload) !== view.getUint32(12, true)) throw damaged("a block's checksum does not match");
  return { kind: view.getUint32(4, true), payload, next };
}

/** Applies a block to the dictionary, or to the store at its place in `stores` (null: nobody wants that store any more). */
export function applyBlock(
  kind: number,
  payload: Uint8Array,
  dictionary: Dictionary | null,
  stores: readonly (Store | null)[] | null,
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
        dictionary.restore(words[2 + i * 2] as number, aligned.subarray(at, at + length));
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
      for (let i = 0; i < n; ) {
        const slot = words[4 + i] as number;
        let run = 1;
        while (i + run < n && words[4 + i + run] === slot + run) run++;
        store.restoreRows(slot, words.subarray(head + i * stride, head + (i + run) * stride));
        i += run;
      }
      return;
    }
    case EMPTY: {
      const store = stores?.[words[0] as number];
      if (store === null || store === undefined) return;
      for (let i = 0; i < (words[1] as number); i++) store.restoreAbsent(words[2 + i] as number);
      return;
    }
    default:
      throw damaged(`a block is of the unknown kind ${kind}`);
  }
}

function block(kind: number, payload: Uint8Array): Uint8Array {
  const size = (HEADER_BYTES + payload.length + 7) & ~7;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint32(4, kind, true);
  view.setUint32(8, payload.length, true);
  view.setUint32(12, crc32(payload), true);
  out.set(payload, HEADER_BYTES);
  return out;
}

/** A bit for each number below `end`, set for those of the list: in order and once each; to sort them would hold up the event loop. */
function marksOf(list: Int32Array, end: number): Int32Array {
  const marks = new Int32Array((end + 31) >>> 5);
  for (let i = 0; i < list.length; i++) {
    const n = list[i] as number;
    marks[n >>> 5] = (marks[n >>> 5] as number) | (1 << (n & 31));
  }
  return marks;
}

/** The first marked number from `from` on, `end` if there is none. Without marks all are. */
function nextMarked(marks: Int32Array | null, from: number, end: number): number {
  if (marks === null) return from;
  while (from < end) {
    const rest = (marks[from >>> 5] as number) >>> (from & 31);
    if (rest !== 0) return from + 31 - Math.clz32(rest & -rest);
    from = (from | 31) + 1;
  }
  return end;
}

function damaged(detail: string): EvertError {
  return new EvertError("log_damaged", "the checkpoint is damaged", {
    detail,
    hint: "It is only a copy: delete it and start again, the log rebuilds everything.",
  });
}
