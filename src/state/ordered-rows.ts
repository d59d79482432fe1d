/**
 * All present rows of a store in the order of an index that is to be made over them, in pieces between which the caller may do something else:
 * 1. rows are dealt out by partition, as counted;
 * 2. within a partition, runs of slots are sorted and merged pairwise. Slots mostly lie in the order in which rows came, so what is ordered by
 *    time is one run, upwards or downwards: both are found before anything is moved one by one.
 */
import type { KeyCode } from "./ordered-key.ts";
import { LIVE, type Rows } from "./rows.ts";
import { sortSlots } from "./sort-slots.ts";

export interface OrderedRows {
  readonly slots: Int32Array;
  /** By slot, the codes of its row. */
  readonly k0: Float64Array;
  readonly k1: Float64Array;
}

export function* inOrder(store: Rows, code: KeyCode): Generator<void, OrderedRows> {
  const { birthWord, strideWords } = store.layout;
  const k0 = new Float64Array(store.highWater);
  const k1 = new Float64Array(store.highWater);
  const counts = new Map<number, number>();
  let n = 0;
  for (let slot = 0; slot < store.highWater; slot++) {
    if (store.I[slot * strideWords + birthWord] === LIVE) continue;
    const partition = code.k0(slot);
    k0[slot] = partition;
    k1[slot] = code.k1(slot);
    counts.set(partition, (counts.get(partition) ?? 0) + 1);
    if ((++n & 16_383) === 0) yield;
  }
  const partitions = Float64Array.from(counts.keys()).sort();
  const starts = new Map<number, number>();
  let at = 0;
  for (const partition of partitions) {
    starts.set(partition, at);
    at += counts.get(partition) as number;
  }
  const slots = new Int32Array(n);
  for (let slot = 0; slot < store.highWater; slot++) {
    if (store.I[slot * strideWords + birthWord] === LIVE) continue;
    const to = starts.get(k0[slot] as number) as number;
    slots[to] = slot;
    starts.set(k0[slot] as number, to + 1);
    if ((slot & 16_383) === 0) yield;
  }
  const compare = (a: number, b: number): number => {
    const x = k1[a] as number;
    const y = k1[b] as number;
    return x < y ? -1 : x > y ? 1 : code.compare(a, b);
  };
  const scratch = new Int32Array(n);
  let sorted = 0;
  for (const partition of partitions) {
    const end = sorted + (counts.get(partition) as number);
    yield* sortSlots(slots.subarray(sorted, end), scratch.subarray(sorted, end), compare);
    sorted = end;
  }
  return { slots, k0, k1 };
}
