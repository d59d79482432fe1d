/**
 * What a start reads back of a checkpoint (checkpointing.ts): the dictionary, then the rows; then indexes are made again, those of large tables in a
 * thread of their own (indexing.ts) which reads the same blocks meanwhile.
 */
import { type Disk, type DiskFile, joinPath, readFully } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import type { Slices } from "../../base/slices.ts";
import { applyBlock, nextBlock } from "../../state/checkpoint.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { Store } from "../../state/store.ts";
import type { Manifest, StoreHandle } from "./checkpointing.ts";
import type { Indexing } from "./indexing.ts";

const READ_BYTES = 4 << 20;
/** Room before a piece; blocks are smaller, but for those of very long texts. */
const HEAD_BYTES = 1 << 20;
const SLICE_MS = 3;

/**
 * Reads the blocks between the given bytes, handing each to `apply`; lets the event loop have its turn. Of two buffers one is worked off while the
 * other is filled, behind room for the beginning of a block that the piece before it ends with. @throws EvertError log_damaged.
 */
export async function readBlocks(
  file: DiskFile,
  ranges: readonly { readonly from: number; readonly to: number }[],
  slices: Slices,
  apply: (kind: number, payload: Uint8Array) => void,
): Promise<void> {
  const pieces = ranges.flatMap(piecesOf);
  // A small checkpoint takes little memory to read.
  const head = pieces.some(({ isLast }) => !isLast) ? HEAD_BYTES : 0;
  const bufferBytes = pieces.reduce((most, { from, to }) => Math.max(most, head + to - from), 0);
  const read = async (piece: Piece | undefined, buffer: Uint8Array): Promise<Uint8Array> => {
    if (piece === undefined) return buffer;
    const bytes = piece.to - piece.from;
    const got = await readFully(file, buffer.subarray(head, head + bytes), piece.from);
    if (got < bytes) throw new EvertError("log_damaged", "the checkpoint is shorter than its manifest says");
    return buffer;
  };
  let sliceEnds = slices.ends(SLICE_MS);
  let left: Uint8Array = new Uint8Array(0);
  let spare: Uint8Array = new Uint8Array(bufferBytes);
  let reading = read(pieces[0], new Uint8Array(bufferBytes));
  for (const [i, piece] of pieces.entries()) {
    const buffer = await reading;
    const end = head + piece.to - piece.from;
    let bytes: Uint8Array;
    if (left.length <= head) {
      buffer.set(left, head - left.length);
      bytes = buffer.subarray(head - left.length, end);
    } else {
      // A block that is larger than a piece.
      bytes = new Uint8Array(left.length + end - head);
      bytes.set(left);
      bytes.set(buffer.subarray(head, end), left.length);
    }
    reading = read(pieces[i + 1], spare);
    // Whoever fails below does not wait for it.
    reading.catch(() => {});
    let at = 0;
    for (let block = nextBlock(bytes, at); block !== null; block = nextBlock(bytes, at)) {
      apply(block.kind, block.payload);
      at = block.next;
      if (performance.now() < sliceEnds) continue;
      await slices.turn();
      sliceEnds = slices.ends(SLICE_MS);
    }
    left = bytes.subarray(at);
    spare = buffer;
    if (left.length > 0 && piece.isLast)
      throw new EvertError("log_damaged", "the checkpoint ends in the middle of a block");
  }
}

interface Piece {
  readonly from: number;
  readonly to: number;
  /** Of its range. */
  readonly isLast: boolean;
}

function piecesOf({ from, to }: { readonly from: number; readonly to: number }): Piece[] {
  const pieces: Piece[] = [];
  for (let at = from; at < to; at += READ_BYTES) {
    const end = Math.min(to, at + READ_BYTES);
    pieces.push({ from: at, to: end, isLast: end === to });
  }
  return pieces;
}

/** Fills the dictionary; the stores follow when the operators, which may intern constants, have been compiled. */
export async function restoreDictionary(
  disk: Disk,
  directory: string,
  manifest: Manifest,
  dictionary: Dictionary,
  slices: Slices,
): Promise<void> {
  const ranges = manifest.sections.map(({ from, rows }) => ({ from, to: rows }));
  dictionary.restoring();
  const file = await disk.open(joinPath(directory, manifest.file), "read");
  try {
    await readBlocks(file, ranges, slices, (kind, payload) => applyBlock(kind, payload, dictionary, null));
  } finally {
    await file.close();
  }
  await inSlices(dictionary.restored(), slices);
}

/**
 * Fills the stores named in the manifest, each of which must be empty; texts of others go. `indexing`: who makes indexes meanwhile; null: nobody.
 * @throws EvertError log_damaged when a store is missing.
 */
export async function restoreStores(
  disk: Disk,
  directory: string,
  manifest: Manifest,
  dictionary: Dictionary,
  stores: Iterable<StoreHandle>,
  epoch: number,
  indexing: Indexing | null,
  slices: Slices,
): Promise<void> {
  const byId = new Map([...stores].map((h) => [h.id, h.store]));
  const wanted = manifest.stores.map((s) => {
    const store = s === null ? undefined : byId.get(s.id);
    if (s === null || store === undefined) return null;
    byId.delete(s.id);
    store.restoring(s.slots);
    return store;
  });
  if (byId.size > 0) {
    throw new EvertError("log_damaged", `the checkpoint lacks the store ${[...byId.keys()][0]}`);
  }
  const runsOf = (place: number) => manifest.stores[place]?.runs ?? [];
  const path = joinPath(directory, manifest.file);
  const ranges = manifest.sections.map(({ rows, to }) => ({ from: rows, to }));
  const elsewhere = wanted.map((store, place) =>
    store === null ? null : (indexing?.indexOf(place, store) ?? null),
  );
  const here = new Map<Store, Map<number, Int32Array>>();
  const file = await disk.open(path, "read");
  try {
    await readBlocks(file, ranges, slices, (kind, payload) => applyBlock(kind, payload, null, wanted, here));
  } finally {
    await file.close();
  }
  for (const [place, store] of wanted.entries()) {
    if (store === null) continue;
    const runs = runsOf(place);
    await inSlices(store.restored(epoch, elsewhere[place]), slices);
    const links = manifest.stores[place]?.links ?? [];
    if (runs.length > 0) await store.restoreCold(runs, here.get(store) ?? new Map(), links);
  }
  await inSlices(dictionary.sweep(), slices);
  const lines = (await indexing?.lines()) ?? null;
  for (const [place, index] of elsewhere.entries()) {
    if (index === null) continue;
    const made = lines?.[place] ?? null;
    if (made !== null) index.take(made);
    else await inSlices((wanted[place] as Store).enterAll(index), slices);
  }
}

/** The slices begin anew with each call: what is called has little to do, or much. */
async function inSlices(pieces: Iterable<void>, slices: Slices): Promise<void> {
  let sliceEnds = slices.ends(SLICE_MS);
  for (const _ of pieces) {
    if (performance.now() < sliceEnds) continue;
    await slices.turn();
    sliceEnds = slices.ends(SLICE_MS);
  }
}
