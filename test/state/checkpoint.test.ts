import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { int4, int8, text } from "../../src/batch/types.ts";
import { BlockBuffer } from "../../src/state/block-buffer.ts";
import { applyBlock, captureDictionary, captureStore, nextBlock } from "../../src/state/checkpoint.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { Store } from "../../src/state/store.ts";

const columns = [
  { type: int4, nullable: false },
  { type: int8, nullable: true },
  { type: text, nullable: true },
];

function make(dictionary: Dictionary): { store: Store; key: ReturnType<Store["hashIndex"]> } {
  const store = new Store("s", columns, dictionary);
  const key = store.hashIndex({ columns: [0], unique: true });
  store.orderedIndex({ partition: [], order: [{ column: 2, descending: false, nullsFirst: false }] });
  return { store, key };
}

function put(store: Store, k: number, n: bigint | null, t: string | null): void {
  const { dictionary } = store;
  store.reserve(1);
  const slot = store.alloc();
  const wide = n === null ? 0 : BigInt.asIntN(53, n) === n ? Number(n) : dictionary.internBigInt(n);
  store.write(
    slot,
    [Int32Array.of(k), Float64Array.of(wide), Int32Array.of(t === null ? 0 : dictionary.internString(t))],
    [null, Uint8Array.of(n === null ? 1 : 0), Uint8Array.of(t === null ? 1 : 0)],
    0,
  );
  store.insert(slot);
}

function contents(store: Store, epoch: number): string[] {
  const rows: string[] = [];
  const k = new Int32Array(1);
  const n = new Float64Array(1);
  const t = new Int32Array(1);
  const nulls = [null, new Uint8Array(1), new Uint8Array(1)];
  for (let slot = 0; slot < store.highWater; slot++) {
    if (!store.visible(slot, epoch)) continue;
    store.read(slot, [k, n, t], nulls, 0);
    const wide = n[0]! >= 2 ** 62 ? store.dictionary.bigint(n[0]!) : n[0];
    rows.push(
      `${k[0]} ${nulls[1]![0] ? null : wide} ${nulls[2]![0] ? null : store.dictionary.string(t[0]!)}`,
    );
  }
  return rows.sort();
}

function restore(file: Uint8Array, slots: number): { store: Store; key: ReturnType<Store["hashIndex"]> } {
  const dictionary = new Dictionary();
  const each = (apply: (kind: number, payload: Uint8Array) => void): void => {
    for (let b = nextBlock(file, 0); b !== null; b = nextBlock(file, b.next)) apply(b.kind, b.payload);
  };
  dictionary.restoring();
  each((kind, payload) => applyBlock(kind, payload, dictionary, null));
  for (const _ of dictionary.restored());
  const made = make(dictionary);
  made.store.restoring(slots);
  each((kind, payload) => applyBlock(kind, payload, null, [made.store]));
  for (const _ of made.store.restored(1)) void _;
  dictionary.collect();
  return made;
}

describe("checkpoint blocks", () => {
  test("a base and any number of deltas give back the rows of the captured epoch, while later steps go on", () => {
    const step = fc.record({
      puts: fc.array(
        fc.tuple(
          fc.integer({ min: 0, max: 40 }),
          fc.option(fc.constantFrom(1n, 2n ** 60n, -(2n ** 62n), 7n), { nil: null }),
          fc.option(fc.string({ maxLength: 12 }), { nil: null }),
        ),
        { maxLength: 25 },
      ),
      removes: fc.array(fc.integer({ min: 0, max: 40 }), { maxLength: 10 }),
      checkpoint: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const dictionary = new Dictionary();
        const { store, key } = make(dictionary);
        let epoch = 0;
        let file = new Uint8Array(0);
        let captured: string[] = [];
        let slots = 0;
        let first = true;
        const apply = ({ puts, removes }: (typeof steps)[number]): void => {
          store.begin(++epoch);
          const live = (k: number): number => {
            let s = key.find(k, 0);
            while (s >= 0 && !store.visible(s, epoch)) s = key.next(s);
            return s;
          };
          for (const [k, n, t] of puts) {
            const old = live(k);
            if (old >= 0) store.kill(old);
            put(store, k, n, t);
          }
          for (const k of removes) if (live(k) >= 0) store.kill(live(k));
        };
        for (const [i, s] of steps.entries()) {
          apply(s);
          if (!s.checkpoint) {
            store.vacuum(epoch);
            dictionary.collect();
            continue;
          }
          captured = contents(store, epoch);
          const touched = store.takeTouched();
          const ids = dictionary.takeTouched();
          const pin = store.pin(epoch);
          const at = epoch;
          const out = new BlockBuffer();
          const values = captureDictionary(dictionary, first ? null : ids, out);
          const rows = captureStore(0, store, at, first ? null : touched, out);
          // A later step comes in between, and vacuum, and collection: the pin must hold what was captured.
          const next = steps[i + 1];
          if (next !== undefined) apply(next);
          store.vacuum(epoch);
          dictionary.collect();
          for (const _ of values) void _;
          for (const _ of rows) void _;
          slots = store.highWater;
          pin.release();
          file = Uint8Array.from([...file, ...out.bytes.subarray(0, out.length)]);
          first = false;
          const again = restore(file, slots);
          expect(contents(again.store, 1)).toEqual(captured);
          for (const row of captured) {
            const k = Number(row.split(" ")[0]);
            expect(again.key.find(k, 0)).toBeGreaterThanOrEqual(0);
          }
        }
      }),
      { numRuns: 120 },
    );
  });

  test("a flipped bit anywhere in a block is found", () => {
    const dictionary = new Dictionary();
    const { store } = make(dictionary);
    store.begin(1);
    for (let i = 0; i < 20; i++) put(store, i, BigInt(i), `text ${i}`);
    const out = new BlockBuffer();
    for (const _ of captureDictionary(dictionary, null, out)) void _;
    for (const _ of captureStore(0, store, 1, null, out)) void _;
    const file = out.bytes.subarray(0, out.length);
    for (let from = 0; from < file.length; from = nextBlock(file, from)!.next) {
      const block = file.slice(from, nextBlock(file, from)!.next);
      for (let byte = 0; byte < block.length; byte += 3) {
        const copy = block.slice();
        copy[byte] = copy[byte]! ^ 0x10;
        let found = false;
        try {
          const b = nextBlock(copy, 0);
          const original = nextBlock(block, 0)!;
          // A kind that was changed is refused by applyBlock; padding is nobody's.
          found = b === null || b.kind !== original.kind || byte >= 16 + original.payload.length;
        } catch {
          found = true;
        }
        expect(found, `byte ${byte}`).toBe(true);
      }
    }
  });
});
