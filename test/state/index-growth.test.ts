/** An index that grows while rows come and go finds what an index over all of them finds. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { int4 } from "../../src/batch/types.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import type { HashIndex } from "../../src/state/hash-index.ts";
import type { OrderedIndex } from "../../src/state/ordered-index.ts";
import { LIVE, Store } from "../../src/state/store.ts";

const KEYS = 3;

type Act =
  | { readonly kind: "put"; readonly key: number; readonly value: number }
  | { readonly kind: "take"; readonly key: number }
  | { readonly kind: "step" }
  | { readonly kind: "vacuum" }
  | { readonly kind: "grow"; readonly slots: number };

const key = fc.integer({ min: 0, max: KEYS - 1 });
const act: fc.Arbitrary<Act> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("put" as const), key, value: fc.integer({ min: 0, max: 9 }) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("take" as const), key }) },
  { weight: 3, arbitrary: fc.constant({ kind: "step" as const }) },
  { weight: 3, arbitrary: fc.constant({ kind: "vacuum" as const }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("grow" as const), slots: fc.integer({ min: 1, max: 4 }) }),
  },
);

/** A table of (key, value): a key has one living row. */
class Rows {
  readonly store = new Store(
    "rows",
    [
      { type: int4, nullable: false },
      { type: int4, nullable: false },
    ],
    new Dictionary(),
  );
  readonly #living = new Map<number, number>();
  #epoch = 1;

  constructor() {
    this.store.begin(1);
  }

  do(act: Exclude<Act, { kind: "grow" }>): void {
    const { store } = this;
    if (act.kind === "step") store.begin(++this.#epoch);
    else if (act.kind === "vacuum") store.vacuum(this.#epoch - 1);
    else {
      const old = this.#living.get(act.key);
      if (old !== undefined) store.kill(old);
      this.#living.delete(act.key);
      if (act.kind === "take") return;
      store.reserve(1);
      const slot = store.alloc();
      store.write(slot, [Int32Array.of(act.key), Int32Array.of(act.value)], [null, null], 0);
      store.insert(slot);
      this.#living.set(act.key, slot);
    }
  }

  birth(slot: number): number {
    return this.store.I[slot * this.store.layout.strideWords + this.store.layout.birthWord] as number;
  }

  /** Slots that hold a row, living or dead. */
  present(): number[] {
    return Array.from({ length: this.store.highWater }, (_, i) => i).filter(
      (slot) => this.birth(slot) !== LIVE,
    );
  }

  read(slot: number): [number, number] {
    const columns = [new Int32Array(1), new Int32Array(1)];
    this.store.read(slot, columns, [null, null], 0);
    return [columns[0]![0]!, columns[1]![0]!];
  }
}

function chain(index: HashIndex, k: number): number[] {
  const slots: number[] = [];
  for (let slot = index.find(k, 0); slot >= 0; slot = index.next(slot)) slots.push(slot);
  return slots;
}

describe("an index that grows", () => {
  it("finds every version, the newest first where keys are unique", () => {
    fc.assert(
      fc.property(fc.array(act, { minLength: 20, maxLength: 60 }), fc.nat(30), (acts, from) => {
        const rows = new Rows();
        const early = acts.slice(0, from);
        for (const a of early) if (a.kind !== "grow") rows.do(a);
        const unique = rows.store.growIndex({ columns: [0], unique: true });
        const multi = rows.store.growIndex({ columns: [0], unique: false });
        const ordered = rows.store.growIndex({
          partition: [],
          order: [{ column: 1, descending: false, nullsFirst: false }],
        });
        for (const a of acts.slice(from)) {
          if (a.kind === "grow") for (const g of [unique, multi, ordered]) g.advance(a.slots);
          else rows.do(a);
        }
        for (const g of [unique, multi, ordered]) while (!g.advance(1));
        const { store } = rows;
        const byKey = store.hashIndex({ columns: [0], unique: true });
        const listed = store.hashIndex({ columns: [0], unique: false });
        for (let k = 0; k < KEYS; k++) {
          const versions = rows.present().filter((slot) => rows.read(slot)[0] === k);
          const found = chain(byKey, k);
          expect([...found].sort((a, b) => a - b)).toEqual(versions);
          const births = found.map((slot) => rows.birth(slot));
          expect(births).toEqual([...births].sort((a, b) => b - a));
          expect(chain(listed, k).sort((a, b) => a - b)).toEqual(versions);
        }
        const inOrder = store.orderedIndex({
          partition: [],
          order: [{ column: 1, descending: false, nullsFirst: false }],
        }) as OrderedIndex;
        const walked: number[] = [];
        for (let at = inOrder.firstOfAll(); at >= 0; at = inOrder.next(at)) walked.push(inOrder.slot(at));
        expect([...walked].sort((a, b) => a - b)).toEqual(rows.present());
        const values = walked.map((slot) => rows.read(slot)[1]);
        expect(values).toEqual([...values].sort((a, b) => a - b));
        // Nobody has leased them but here: with the last user they go.
        for (const g of [unique, multi, ordered]) g.release();
        for (const index of [byKey, listed, inOrder]) store.dropIndex(index);
        expect([store.hashIndexes.length, store.orderedIndexes.length]).toEqual([0, 0]);
      }),
      { numRuns: 1000 },
    );
  });
});
