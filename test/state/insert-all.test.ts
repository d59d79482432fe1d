/** Rows entered together leave a store as rows entered one by one: same rows of each key (in any order), journal and counts, also while an index grows. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { float8, int4, text } from "../../src/batch/types.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { Store } from "../../src/state/store.ts";

const columns = [
  { type: int4, nullable: false },
  { type: float8, nullable: true },
  { type: text, nullable: false },
];

interface Row {
  readonly a: number;
  readonly b: number | null;
  readonly t: string;
}

const row = fc.record({
  a: fc.nat(5),
  b: fc.option(fc.nat(3), { nil: null }),
  t: fc.constantFrom("x", "y", "zz"),
});

class Rows {
  readonly store = new Store("rows", columns, new Dictionary());
  readonly multi = this.store.hashIndex({ columns: [0], unique: false });
  readonly unique = this.store.hashIndex({ columns: [0, 1, 2], unique: true });
  readonly ordered = this.store.orderedIndex({
    partition: [0],
    order: [{ column: 1, descending: false, nullsFirst: false }],
  });
  #growth: ReturnType<Store["growIndex"]> | null = null;
  #epoch = 0;

  step(rows: readonly Row[], together: boolean, killed: number): void {
    const { store } = this;
    store.begin(++this.#epoch);
    if (this.#epoch === 2) this.#growth = store.growIndex({ columns: [2], unique: false });
    store.reserve(rows.length);
    const slots = rows.map(({ a, b, t }) => {
      const slot = store.alloc();
      const values = [
        Int32Array.of(a),
        Float64Array.of(b ?? 0),
        Int32Array.of(store.dictionary.internString(t)),
      ];
      store.write(slot, values, [null, Uint8Array.of(b === null ? 1 : 0), null], 0);
      return slot;
    });
    if (together) store.insertAll(Int32Array.from([...slots, 7, 7]), slots.length);
    else for (const slot of slots) store.insert(slot);
    this.#growth?.advance(3);
    for (const slot of slots.slice(0, killed)) store.kill(slot);
    store.vacuum(this.#epoch);
    store.dictionary.collect();
  }

  seen(): unknown {
    const { store, multi, ordered } = this;
    const lists = Array.from({ length: 6 }, (_, a) => {
      const list: number[] = [];
      for (let slot = multi.find(a, 0); slot >= 0; slot = multi.next(slot)) list.push(slot);
      return list.sort((x, y) => x - y);
    });
    const order: number[] = [];
    for (let at = ordered.firstOfAll(); at >= 0; at = ordered.next(at)) order.push(ordered.slot(at));
    const { born, live, bytes, dictionary } = store;
    const grown = store.hashIndexes.map(({ spec }) => spec.columns);
    return {
      lists,
      order,
      born: [...born.array.subarray(0, born.length)],
      live,
      bytes,
      grown,
      texts: dictionary.size,
    };
  }
}

test("rows entered together are there as if they had come one by one", () => {
  const steps = fc.array(fc.tuple(fc.array(row, { maxLength: 60 }), fc.nat(40)), { maxLength: 6 });
  fc.assert(
    fc.property(steps, (history) => {
      const [single, together] = [new Rows(), new Rows()];
      for (const [rows, killed] of history) {
        single.step(rows, false, killed);
        together.step(rows, true, killed);
        expect(together.seen()).toEqual(single.seen());
      }
    }),
  );
});

test("the same, past what an index takes for small", () => {
  const rows = Array.from({ length: 40_000 }, (_, i): Row => ({ a: i % 6, b: i, t: "x" }));
  const [single, together] = [new Rows(), new Rows()];
  for (const part of [rows, rows.slice(0, 500)]) {
    single.step(part, false, 10);
    together.step(part, true, 10);
  }
  expect(together.seen()).toEqual(single.seen());
});
