/** Rows in memory, written as a run: in the order of their hashes. They are there and here then, until their slots are freed. */
import { hashMore } from "../hash-index.ts";
import type { Extent } from "./extent.ts";
import type { ColdHost, Pause } from "./host.ts";
import type { KeyHash, RowCodec } from "./row-codec.ts";
import type { RunFile } from "./run-files.ts";
import { SMALL_PART } from "./run-sizes.ts";
import { RunWriter } from "./run-writer.ts";

/** At most. */
export const SPILL_ROWS = 32_768;
/** Rows written between two looks at the clock. */
const PIECE_ROWS = 2_048;

/** Slots whose rows are to be a run, and the hashes of these, which ascend. */
export interface Spilled {
  readonly slots: Int32Array;
  readonly hashes: Uint32Array;
}

/** `key`: by which rows are found in the run; null: none is, so they lie in any order. */
export function byHash(host: ColdHost, key: KeyHash | null, slots: Int32Array): Spilled {
  const keyed = new Float64Array(slots.length);
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number;
    const hash = key === null ? hashMore(slot, host.epoch) >>> 0 : key.ofSlot(host, slot);
    keyed[i] = hash * SPILL_ROWS + i;
  }
  keyed.sort();
  return {
    slots: Int32Array.from(keyed, (k) => slots[k % SPILL_ROWS] as number),
    hashes: Uint32Array.from(keyed, (k) => Math.floor(k / SPILL_ROWS)),
  };
}

/** The extent that the rows are now. @throws EvertError disk_full, io_error */
export async function writeSpilled(
  file: RunFile,
  id: number,
  { slots, hashes }: Spilled,
  host: ColdHost,
  codec: RowCodec,
  pause: Pause,
): Promise<Extent> {
  const writer = new RunWriter(file, slots.length * SMALL_PART <= host.live);
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number;
    const words = codec.words(host, slot);
    const { target, at } = writer.room(words);
    codec.encode(host, slot, target, at);
    writer.put(hashes[i] as number, words);
    if (writer.isFull) await writer.flush();
    if (i % PIECE_ROWS === PIECE_ROWS - 1) await pause();
  }
  return writer.endExtent(id);
}
