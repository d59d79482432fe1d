import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { float8, int4, int8, numeric, text } from "../../src/batch/types.ts";
import { Dictionary, WIDE } from "../../src/state/dictionary.ts";
import type { LayoutColumn } from "../../src/state/layout.ts";
import { LIVE, Store } from "../../src/state/store.ts";

interface Row {
  a: number;
  b: number | null;
  t: string;
}

const columns: LayoutColumn[] = [
  { type: int4, nullable: false },
  { type: float8, nullable: true },
  { type: text, nullable: false },
];

function put(store: Store, row: Row): number {
  store.reserve(1);
  const slot = store.alloc();
  store.write(
    slot,
    [Int32Array.of(row.a), Float64Array.of(row.b ?? 0), Int32Array.of(store.dictionary.internString(row.t))],
    [null, Uint8Array.of(row.b === null ? 1 : 0), null],
    0,
  );
  store.insert(slot);
  return slot;
}

function get(store: Store, slot: number): Row {
  const a = new Int32Array(1);
  const b = new Float64Array(1);
  const t = new Int32Array(1);
  const n = new Uint8Array(1);
  store.read(slot, [a, b, t], [null, n, null], 0);
  return { a: a[0]!, b: n[0] === 1 ? null : b[0]!, t: store.dictionary.string(t[0]!) };
}

const arbRow = fc.record({
  a: fc.integer({ min: -4, max: 4 }),
  b: fc.option(fc.constantFrom(0, -0, 1.5, Number.NaN, 1e300, Number.POSITIVE_INFINITY), { nil: null }),
  t: fc.constantFrom("", "x", "xy", "äö", "a long text that does not fit a few bytes"),
});

function compareB(x: number | null, y: number | null): number {
  if (x === null || y === null) return x === y ? 0 : x === null ? 1 : -1; // nulls last
  if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) ? (Number.isNaN(y) ? 0 : 1) : -1;
  return x < y ? -1 : x > y ? 1 : 0;
}

function bytewise(x: string, y: string): number {
  return Buffer.compare(Buffer.from(x), Buffer.from(y));
}

describe("Store against a plain list", () => {
  test("random steps: rows, versions, hash indexes, ordered index, vacuum", () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            add: fc.array(arbRow, { maxLength: 30 }),
            remove: fc.array(fc.nat(), { maxLength: 20 }),
            vacuum: fc.boolean(),
          }),
          { maxLength: 25 },
        ),
        fc.boolean(),
        (steps, indexLate) => {
          const dictionary = new Dictionary();
          const store = new Store("t", columns, dictionary);
          const make = () => ({
            byT: store.hashIndex({ columns: [2], unique: false }),
            whole: store.hashIndex({ columns: [0, 1, 2], unique: true, exact: true }),
            ordered: store.orderedIndex({
              partition: [0],
              order: [{ column: 1, descending: true, nullsFirst: true }],
            }),
          });
          let indexes = indexLate ? null : make();
          let alive: { slot: number; row: Row }[] = [];
          let before: { slot: number; row: Row }[] = [];
          let epoch = 0;
          for (const step of steps) {
            before = [...alive];
            store.begin(++epoch);
            for (const row of step.add) alive.push({ slot: put(store, row), row });
            for (const n of step.remove) {
              if (alive.length === 0) break;
              const [gone] = alive.splice(n % alive.length, 1);
              store.kill(gone!.slot);
            }
            if (indexes === null && epoch === 3) indexes = make();
            // Versions: this step sees alive, the one before sees before.
            expect(store.live).toBe(alive.length);
            for (const { slot, row } of alive) {
              expect(store.visible(slot, epoch)).toBe(true);
              expect(get(store, slot)).toEqual(row);
            }
            for (const { slot, row } of before) {
              expect(store.visible(slot, epoch - 1)).toBe(true);
              expect(get(store, slot)).toEqual(row);
            }
            let visible = 0;
            for (let s = 0; s < store.highWater; s++) if (store.visible(s, epoch)) visible++;
            expect(visible).toBe(alive.length);
            const bornNow = alive.filter((x) => !before.some((y) => y.slot === x.slot)).map((x) => x.slot);
            const journal = [...store.born.array.subarray(0, store.born.length)].filter(
              (s) => store.I[s * store.layout.strideWords + store.layout.birthWord] !== LIVE,
            );
            expect(new Set(journal)).toEqual(new Set(bornNow));
            expect(journal.length).toBe(new Set(journal).size);
            if (indexes !== null) {
              for (const t of ["", "x", "xy", "äö", "absent"]) {
                const found: number[] = [];
                const id = dictionary.internString(t);
                for (let s = indexes.byT.find(id, 0); s >= 0; s = indexes.byT.next(s))
                  if (store.visible(s, epoch)) found.push(s);
                expect(found.sort()).toEqual(
                  alive
                    .filter((x) => x.row.t === t)
                    .map((x) => x.slot)
                    .sort(),
                );
              }
              for (const { row } of alive.slice(0, 5)) {
                const key = [
                  row.a,
                  row.b ?? 0,
                  dictionary.internString(row.t),
                  row.b === null ? 2 : 0,
                ] as const;
                const found: number[] = [];
                for (let s = indexes.whole.find(...key); s >= 0; s = indexes.whole.next(s)) found.push(s);
                expect(found.filter((s) => store.visible(s, epoch)).sort()).toEqual(
                  alive
                    .filter((x) => x.row.a === row.a && x.row.t === row.t && Object.is(x.row.b, row.b))
                    .map((x) => x.slot)
                    .sort(),
                );
              }
              for (let a = -5; a <= 4; a++) {
                const seen: Row[] = [];
                for (let p = indexes.ordered.first(a, 0); p >= 0; p = indexes.ordered.next(p)) {
                  if (store.visible(indexes.ordered.slot(p), epoch))
                    seen.push(get(store, indexes.ordered.slot(p)));
                }
                const expected = alive
                  .map((x) => x.row)
                  .filter((r) => r.a === a)
                  .sort((x, y) => -compareB(x.b, y.b) || bytewise(x.t, y.t));
                expect(seen.map((r) => [Object.is(r.b, -0) ? 0 : r.b, r.t])).toEqual(
                  expected.map((r) => [Object.is(r.b, -0) ? 0 : r.b, r.t]),
                );
              }
              let n = 0;
              for (let p = indexes.ordered.firstOfAll(); p >= 0; p = indexes.ordered.nextOfAll(p)) {
                expect(indexes.ordered.atRank(n)).toBe(p);
                expect(indexes.ordered.rank(p)).toBe(n);
                n++;
              }
              expect(n).toBe(indexes.ordered.size);
            }
            if (step.vacuum) store.vacuum(epoch);
            dictionary.collect();
          }
          // Everything goes away in the end.
          store.begin(++epoch);
          for (const { slot } of alive) store.kill(slot);
          alive = [];
          store.vacuum(epoch);
          dictionary.collect();
          expect(dictionary.size).toBe(1);
          if (indexes !== null) expect(indexes.ordered.size).toBe(0);
        },
      ),
      { numRuns: 150 },
    );
  });

  test("ordered index with thousands of entries, ascending, random and removed; rebuilt equal", () => {
    const dictionary = new Dictionary();
    const spec = { partition: [], order: [{ column: 0, descending: false, nullsFirst: false }] };
    const store = new Store("o", [{ type: int8, nullable: false }], dictionary);
    const index = store.orderedIndex(spec);
    store.begin(1);
    store.reserve(40_000);
    let seed = 7;
    const random = () => (seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff);
    const slots: { slot: number; v: number }[] = [];
    const add = (v: number) => {
      const slot = store.alloc();
      store.write(slot, [Float64Array.of(v)], [null], 0);
      store.insert(slot);
      slots.push({ slot, v });
    };
    for (let i = 0; i < 10_000; i++) add(i);
    for (let i = 0; i < 20_000; i++) add(random() % 30_000);
    const check = () => {
      const expected = slots.map((s) => s.v).sort((a, b) => a - b);
      const seen: number[] = [];
      for (let p = index.firstOfAll(); p >= 0; p = index.nextOfAll(p)) {
        seen.push(store.F[(index.slot(p) * store.layout.strideWords) >> 1]!);
      }
      expect(seen).toEqual(expected);
      for (let r = 0; r < expected.length; r += 997) {
        const p = index.atRank(r);
        expect(store.F[(index.slot(p) * store.layout.strideWords) >> 1]).toBe(expected[r]);
        expect(index.rank(p)).toBe(r);
      }
    };
    check();
    for (let i = 0; i < 25_000; i++) {
      const at = random() % slots.length;
      const [gone] = slots.splice(at, 1);
      store.kill(gone!.slot);
    }
    check();
    // A store restored from the same rows builds the same order.
    const words = store.I.slice(0, store.highWater * store.layout.strideWords);
    const again = new Store("o", [{ type: int8, nullable: false }], dictionary);
    const rebuilt = again.orderedIndex(spec);
    again.restoring(store.highWater);
    for (const { slot } of slots)
      again.restoreRows(Int32Array.of(slot), words, slot * store.layout.strideWords);
    for (const _ of again.restored(1)) void _;
    const orderOf = (s: Store, x: typeof index) => {
      const out: number[] = [];
      for (let p = x.firstOfAll(); p >= 0; p = x.nextOfAll(p))
        out.push(s.F[(x.slot(p) * s.layout.strideWords) >> 1]!);
      return out;
    };
    expect(orderOf(again, rebuilt)).toEqual(orderOf(store, index));
    expect(rebuilt.rank(rebuilt.atRank(1234))).toBe(1234);
    again.begin(2);
    again.reserve(100);
    for (let i = 0; i < 100; i++) {
      const slot = again.alloc();
      again.write(slot, [Float64Array.of(i * 100 + 0.5)], [null], 0);
      again.insert(slot);
    }
    expect(rebuilt.size).toBe(slots.length + 100);
    const sorted = orderOf(again, rebuilt);
    expect(sorted).toEqual([...sorted].sort((a, b) => a - b));
  });

  test("a hash index grows without ever losing a row, through hundreds of thousands of inserts and removals", () => {
    const dictionary = new Dictionary();
    const store = new Store(
      "h",
      [
        { type: int4, nullable: false },
        { type: int4, nullable: false },
      ],
      dictionary,
    );
    const unique = store.hashIndex({ columns: [0], unique: true });
    const multi = store.hashIndex({ columns: [1], unique: false });
    store.begin(1);
    const n = 120_000;
    const slots: number[] = [];
    for (let i = 0; i < n; i++) {
      store.reserve(1);
      const slot = store.alloc();
      store.write(slot, [Int32Array.of(i * 16), Int32Array.of(i % 7)], [null, null], 0);
      store.insert(slot);
      slots.push(slot);
    }
    for (let i = 0; i < n; i += 3) store.kill(slots[i]!);
    for (let i = 0; i < n; i++) expect(unique.find(i * 16, 0) >= 0).toBe(i % 3 !== 0);
    let total = 0;
    for (let k = 0; k < 7; k++) for (let s = multi.find(k, 0); s >= 0; s = multi.next(s)) total++;
    expect(total).toBe(store.live);
    expect(multi.find(7, 0)).toBe(-1);
  });
});

describe("Dictionary", () => {
  test("equal bytes have equal ids; unreferenced values go; canonical numerics live with their value", () => {
    const d = new Dictionary();
    const a = d.internString("hällo");
    expect(d.internString("hällo")).toBe(a);
    expect(d.string(a)).toBe("hällo");
    d.retain(a);
    const b = d.internString("gone");
    d.collect();
    expect(d.isLive(a)).toBe(true);
    expect(d.isLive(b)).toBe(false);
    const n = d.internString("10.500");
    d.retain(n);
    const c = d.canonicalNumeric(n);
    expect(d.string(c)).toBe("10.5");
    d.collect();
    expect(d.isLive(c)).toBe(true);
    d.release(n);
    d.collect();
    expect(d.isLive(c)).toBe(false);
    for (const [x, y] of [
      ["1", "1.00"],
      ["0", "-0.0"],
      ["-5.10", "-5.1"],
    ]) {
      expect(d.canonicalNumeric(d.internString(x!))).toBe(d.canonicalNumeric(d.internString(y!)));
    }
    expect(d.canonicalNumeric(d.internString("100"))).not.toBe(d.canonicalNumeric(d.internString("1")));
  });

  test("compare is byte order, wide integers come back exactly", () => {
    const d = new Dictionary();
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.string({ unit: "grapheme" }), (x, y) => {
        const sign = Math.sign(d.compare(d.internString(x), d.internString(y)));
        expect(sign).toBe(Math.sign(bytewise(x, y)));
      }),
    );
    for (const v of [2n ** 53n, -(2n ** 53n), 2n ** 63n - 1n, -(2n ** 63n)]) {
      const code = d.internBigInt(v);
      expect(code >= WIDE).toBe(true);
      expect(d.internBigInt(v)).toBe(code);
      expect(d.bigint(code)).toBe(v);
    }
  });

  test("many values: freed blocks and ids are used again", () => {
    const d = new Dictionary();
    let previous: number[] = [];
    let bytes = 0;
    for (let round = 0; round < 20; round++) {
      const ids = Array.from({ length: 2000 }, (_, i) =>
        d.internString(`value ${round} ${i} ${"x".repeat(i % 90)}`),
      );
      for (const id of ids) d.retain(id);
      for (const id of previous) d.release(id);
      d.collect();
      for (let i = 0; i < ids.length; i++)
        expect(d.string(ids[i]!)).toBe(`value ${round} ${i} ${"x".repeat(i % 90)}`);
      previous = ids;
      if (round === 3) bytes = d.bytes;
    }
    expect(d.bytes).toBeLessThan(bytes * 1.2);
    expect(d.size).toBe(2001);
  });
});

describe("numeric keys", () => {
  test("a key index ignores display scale, a whole-row index does not", () => {
    const d = new Dictionary();
    const store = new Store("n", [{ type: numeric, nullable: false }], d);
    const key = store.hashIndex({ columns: [0], unique: false });
    const exact = store.hashIndex({ columns: [0], unique: true, exact: true });
    store.begin(1);
    for (const v of ["1.0", "1.00", "2"]) {
      store.reserve(1);
      const slot = store.alloc();
      store.write(slot, [Int32Array.of(d.internString(v))], [null], 0);
      store.insert(slot);
    }
    let n = 0;
    for (let s = key.find(d.internString("1"), 0); s >= 0; s = key.next(s)) n++;
    expect(n).toBe(2);
    expect(exact.find(d.internString("1"), 0)).toBe(-1);
    expect(exact.find(d.internString("1.00"), 0)).toBeGreaterThanOrEqual(0);
  });
});
