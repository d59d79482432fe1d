/** An index made all at once is the one that is made row by row. */
import { describe, expect, test } from "vitest";
import { int4, int8 } from "../../src/batch/types.ts";
import { BucketLines, LINE_COUNT, LINE_ENTRIES, LINE_OVERFLOW } from "../../src/state/bucket-lines.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { FILLING_MIN, IndexFilling, type PieceOfSlots } from "../../src/state/index-filling.ts";
import { Store } from "../../src/state/store.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";

/** Entries of all buckets, each bucket's in the order of their numbers. */
function contents(lines: BucketLines): string[] {
  return Array.from({ length: lines.n }, (_, bucket) => {
    const found: number[] = [];
    let L = lines.B;
    for (let at = bucket << 4; at >= 0; at = (L[at + LINE_OVERFLOW]! - 1) << 4, L = lines.O) {
      for (let i = at; i < at + L[at + LINE_COUNT]!; i++) found.push(L[i + LINE_ENTRIES]!);
    }
    return found.sort((a, b) => a - b).join();
  });
}

describe("a filling", () => {
  // Fewer buckets than parts, a power of two of them, one more, and many.
  test.each([1, 100, 24 * 32, 24 * 32 + 1, 5_000, 49_152, 50_000, 120_000])("%i entries", (entries) => {
    const random = new SeededRandom(entries);
    const hashes = Int32Array.from({ length: entries }, (_, i) =>
      i % 50 === 0 ? 64 * (i % 7) : random.below(2 ** 32) | 0,
    );
    const expected = new BucketLines();
    expected.presize(entries);
    const filled = new BucketLines();
    filled.presize(entries);
    for (let i = 0; i < entries; i++) expected.insert(hashes[i]!, i);

    const hashAll = (slots: Int32Array, n: number): Int32Array =>
      slots.subarray(0, n).map((slot) => hashes[slot]!);
    const filling = new IndexFilling(filled, hashAll);
    const pieces = function* (): Generator<PieceOfSlots> {
      for (let from = 0; from < entries; from += 999) {
        const count = Math.min(999, entries - from);
        // A list has more room than there are slots.
        yield { slots: Int32Array.from({ length: 1_000 }, (_, i) => from + i), count };
      }
    };
    for (const piece of pieces()) filling.count(piece);
    let pauses = 0;
    for (const _ of filling.enter(pieces())) pauses++;
    expect(pauses).toBe(Math.ceil(entries / 999) + 256);
    expect(filled.count).toBe(entries);
    expect(filled.n).toBe(expected.n);
    expect(contents(filled)).toEqual(contents(expected));
    // It goes on as any other.
    for (let i = entries; i < entries + 5_000; i++) {
      filled.insert(i * 17, i);
      expected.insert(i * 17, i);
    }
    expect(contents(filled)).toEqual(contents(expected));
  });
});

test("a store with very many rows and gaps between them finds each after a restart", () => {
  const random = new SeededRandom(1);
  const slots = FILLING_MIN + 40_000;
  const columns = [
    { type: int8, nullable: false },
    { type: int4, nullable: false },
  ];
  const store = new Store("large", columns, new Dictionary());
  const byKey = store.hashIndex({ columns: [0], unique: true });
  const byBranch = store.hashIndex({ columns: [1], unique: false });
  store.restoring(slots);
  const { words, weightWord, strideWords: stride } = store.layout;
  const row = new Int32Array(stride);
  const keys = new Map<number, number>();
  for (let slot = 0; slot < slots; slot++) {
    if (random.oneIn(5)) continue;
    const key = slot * 3 + (slot % 2) * 2 ** 40;
    keys.set(key, slot);
    new Float64Array(row.buffer, (words[0]! >> 1) * 8, 1)[0] = key;
    row[words[1]!] = slot % 1_000;
    row[weightWord] = 1;
    store.restoreRows(Int32Array.of(slot), row, 0);
  }
  for (const _ of store.restored(1));
  expect(store.live).toBe(keys.size);
  for (const [key, slot] of keys) expect(byKey.find(key, 0)).toBe(slot);
  expect(byKey.find(-1, 0)).toBe(-1);
  let rows = 0;
  for (let branch = 0; branch < 1_000; branch++)
    for (let slot = byBranch.find(branch, 0); slot >= 0; slot = byBranch.next(slot)) rows++;
  expect(rows).toBe(keys.size);
});
