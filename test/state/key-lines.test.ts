/** An index made from a checkpoint's blocks, beside the rows, finds what one made from the rows finds. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { float8, int8, text } from "../../src/batch/types.ts";
import { BlockBuffer } from "../../src/state/block-buffer.ts";
import { applyBlock, captureDictionary, captureStore, nextBlock } from "../../src/state/checkpoint.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import type { HashIndex, HashIndexSpec } from "../../src/state/hash-index.ts";
import { KeyLines } from "../../src/state/key-lines.ts";
import { Store } from "../../src/state/store.ts";

const columns = [
  { type: int8, nullable: false },
  { type: text, nullable: true },
  { type: float8, nullable: false },
];
const specs: HashIndexSpec[] = [
  { columns: [0], unique: true },
  { columns: [1, 2], unique: true },
];

interface Row {
  readonly k: number;
  readonly t: string | null;
  readonly d: number;
}

function makeStore(dictionary: Dictionary): { store: Store; indexes: HashIndex[] } {
  const store = new Store("rows", columns, dictionary);
  return { store, indexes: specs.map((spec) => store.hashIndex(spec)) };
}

function put(store: Store, { k, t, d }: Row): void {
  store.reserve(1);
  const slot = store.alloc();
  const id = t === null ? 0 : store.dictionary.internString(t);
  const nulls = [null, Uint8Array.of(t === null ? 1 : 0), null];
  store.write(slot, [Float64Array.of(k), Int32Array.of(id), Float64Array.of(d)], nulls, 0);
  store.insert(slot);
}

function find([byKey, byRest]: readonly HashIndex[], dictionary: Dictionary, { k, t, d }: Row): number[] {
  const id = t === null ? 0 : dictionary.internString(t);
  return [byKey!.find(k, 0), byRest!.find(id, d, t === null ? 1 : 0)];
}

/** The blocks of everything, and of what each further step changed. */
function write(steps: readonly (readonly Row[])[]): { file: Uint8Array; slots: number } {
  const dictionary = new Dictionary();
  const { store, indexes } = makeStore(dictionary);
  const [byKey] = indexes;
  const parts: Uint8Array[] = [];
  steps.forEach((rows, i) => {
    const epoch = i + 1;
    store.begin(epoch);
    for (const row of rows) {
      let old = byKey!.find(row.k, 0);
      while (old >= 0 && !store.visible(old, epoch)) old = byKey!.next(old);
      if (old >= 0) store.kill(old);
      // Every third only leaves.
      if (old < 0 || row.k % 3 !== 0) put(store, row);
    }
    const touched = [dictionary.takeTouched(), store.takeTouched()];
    const [texts, slots] = i === 0 ? [null, null] : touched;
    const out = new BlockBuffer();
    for (const _ of captureDictionary(dictionary, texts!, out));
    for (const _ of captureStore(0, store, epoch, slots!, out));
    parts.push(out.bytes.slice(0, out.length));
    store.vacuum(epoch);
  });
  return { file: Buffer.concat(parts), slots: store.highWater };
}

function eachBlock(file: Uint8Array, apply: (kind: number, payload: Uint8Array) => void): void {
  for (let b = nextBlock(file, 0); b !== null; b = nextBlock(file, b.next)) apply(b.kind, b.payload);
}

describe("lines made elsewhere", () => {
  const row = fc.record({
    k: fc.oneof(fc.nat(60), fc.constantFrom(2 ** 40, -(2 ** 50), -0)),
    t: fc.option(fc.constantFrom("", "a", "bb", "ccc"), { nil: null }),
    d: fc.constantFrom(0, -0, 1.5, Number.NaN, 1e300),
  });

  test("find the rows of any checkpoint, and go on as any other", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(row, { maxLength: 60 }), { minLength: 1, maxLength: 5 }),
        fc.array(row, { maxLength: 200 }),
        (steps, later) => {
          const { file, slots } = write(steps);
          const dictionary = new Dictionary();
          eachBlock(file, (kind, payload) => applyBlock(kind, payload, dictionary, null));
          for (const _ of dictionary.restored());
          const restored = [null, 0, 1].map((which) => {
            const { store, indexes } = makeStore(dictionary);
            store.restoring(slots);
            eachBlock(file, (kind, payload) => applyBlock(kind, payload, null, [store]));
            const elsewhere = which === null ? null : indexes[which]!;
            for (const _ of store.restored(1, elsewhere));
            if (which === null) return { store, indexes };
            const lines = new KeyLines({ name: "rows", columns, slots, key: specs[which]!.columns });
            eachBlock(file, (kind, payload) => applyBlock(kind, payload, null, [lines]));
            elsewhere!.take(structuredClone(lines.lines()));
            return { store, indexes };
          });
          const [here, ...others] = restored;
          const compare = (rows: readonly Row[]): void => {
            for (const elsewhere of others)
              for (const one of rows) {
                const [byKey, byRest] = find(here!.indexes, dictionary, one);
                const [alsoByKey, alsoByRest] = find(elsewhere.indexes, dictionary, one);
                expect(alsoByKey).toBe(byKey);
                // Several rows may have the same rest: which of them is found does not matter.
                expect(alsoByRest! >= 0).toBe(byRest! >= 0);
              }
          };
          compare(steps.flat());
          for (const { store } of restored) {
            store.begin(2);
            for (const one of later) put(store, one);
          }
          compare([...steps.flat(), ...later]);
        },
      ),
      { numRuns: 50 },
    );
  });

  test("an index nobody has made is made afterwards", () => {
    const { file, slots } = write([Array.from({ length: 50 }, (_, k) => ({ k, t: "x", d: k }))]);
    const dictionary = new Dictionary();
    eachBlock(file, (kind, payload) => applyBlock(kind, payload, dictionary, null));
    const { store, indexes } = makeStore(dictionary);
    store.restoring(slots);
    eachBlock(file, (kind, payload) => applyBlock(kind, payload, null, [store]));
    for (const _ of store.restored(1, indexes[0]!));
    expect(indexes[0]!.find(7, 0)).toBe(-1);
    for (const _ of store.enterAll(indexes[0]!));
    for (let k = 0; k < 50; k++)
      expect(find(indexes, dictionary, { k, t: "x", d: k }).every((slot) => slot >= 0)).toBe(true);
  });

  test("a slot beyond what the manifest says is damage", () => {
    const { file, slots } = write([[{ k: 1, t: null, d: 0 }]]);
    const lines = new KeyLines({ name: "rows", columns, slots: slots - 1, key: [0] });
    expect(() => eachBlock(file, (kind, payload) => applyBlock(kind, payload, null, [lines]))).toThrow(
      "which it does not have",
    );
  });
});
