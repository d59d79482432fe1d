/** Rows that end together leave a store as rows that end one by one: same journal, marks, free slots and lists of each key. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { int4, text } from "../../src/batch/types.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { Int32Queue } from "../../src/state/memory.ts";
import { Store } from "../../src/state/store.ts";

const columns = [
  { type: int4, nullable: false },
  { type: text, nullable: false },
];

interface Step {
  readonly come: readonly number[];
  /** Which of the living end, by their place among them. */
  readonly end: readonly number[];
  /** How many steps back somebody still reads. */
  readonly behind: number;
}

class Rows {
  readonly store = new Store("rows", columns, new Dictionary());
  readonly multi = this.store.hashIndex({ columns: [0], unique: false });
  readonly #together: boolean;
  #epoch = 0;
  #living: number[] = [];

  constructor(together: boolean) {
    this.#together = together;
    this.store.takeTouched();
  }

  step({ come, end, behind }: Step): void {
    const { store } = this;
    store.begin(++this.#epoch);
    store.reserve(come.length);
    for (const a of come) {
      const slot = store.alloc();
      const id = store.dictionary.internString(`text ${a}`);
      store.write(slot, [Int32Array.of(a), Int32Array.of(id)], [null, null], 0);
      store.insert(slot);
      this.#living.push(slot);
    }
    const ending = [...new Set(end.map((n) => this.#living[n % this.#living.length]))].filter(
      (slot) => slot !== undefined,
    );
    this.#living = this.#living.filter((slot) => !ending.includes(slot));
    if (this.#together) expect(store.killAll(Int32Array.from([...ending, -1]), ending.length)).toBe(true);
    else for (const slot of ending) store.kill(slot);
    store.vacuum(this.#epoch - behind);
    store.dictionary.collect();
  }

  seen(): unknown {
    const { store, multi } = this;
    const lists = Array.from({ length: 4 }, (_, a) => {
      const list: number[] = [];
      for (let slot = multi.find(a, 0); slot >= 0; slot = multi.next(slot)) list.push(slot);
      return list;
    });
    return {
      lists,
      living: this.#living,
      born: [...store.born.array.subarray(0, store.born.length)],
      bornCount: store.bornCount,
      died: [...store.died.array.subarray(0, store.died.length)],
      live: store.live,
      free: store.freeSlots,
      hasDead: store.hasDead,
      touched: [...store.takeTouched()],
      texts: store.dictionary.size,
    };
  }
}

test("rows that end together are gone as if they had ended one by one", () => {
  const step = fc.record({
    come: fc.array(fc.nat(3), { maxLength: 12 }),
    end: fc.array(fc.nat(), { maxLength: 8 }),
    behind: fc.nat(2),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), (steps) => {
      const [single, together] = [new Rows(false), new Rows(true)];
      for (const one of steps) {
        single.step(one);
        together.step(one);
        expect(together.seen()).toEqual(single.seen());
      }
    }),
  );
});

test("what is not alive, or stands there twice, is told", () => {
  for (const slots of [
    [0, 0],
    [1, 1],
    [2, 1],
  ]) {
    const store = new Store("rows", columns, new Dictionary());
    store.reserve(3);
    for (const epoch of [1, 2]) {
      store.begin(epoch);
      for (let n = 0; n < (epoch === 1 ? 2 : 1); n++) {
        const slot = store.alloc();
        store.write(slot, [Int32Array.of(slot), Int32Array.of(0)], [null, null], 0);
        store.insert(slot);
      }
    }
    // Slot 0 and 1 were born before this step, slot 2 in it; it has ended already.
    store.kill(2);
    expect(store.killAll(Int32Array.from(slots), slots.length)).toBe(false);
  }
});

test("a queue takes many as it takes them one by one, around its end", () => {
  const batch = fc.record({ push: fc.array(fc.nat(), { maxLength: 90 }), shift: fc.nat(90) });
  fc.assert(
    fc.property(fc.array(batch, { maxLength: 12 }), (batches) => {
      const queue = new Int32Queue();
      const model: number[] = [];
      for (const { push, shift } of batches) {
        queue.pushAll(Int32Array.from([...push, -1]), push.length);
        model.push(...push);
        for (let n = 0; n < shift && model.length > 0; n++) expect(queue.shift()).toBe(model.shift());
        expect(queue.length).toBe(model.length);
      }
      while (model.length > 0) expect(queue.shift()).toBe(model.shift());
    }),
  );
});
