/** A collection without a key takes the rows of a chunk together: of equal rows it has the sum, whatever was there and in whichever form they came. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { int8, numeric } from "../../src/batch/types.ts";
import { createChunk } from "../../src/dataflow/chunk.ts";
import { applier } from "../../src/dataflow/operators/stored.ts";
import { Dictionary } from "../../src/state/dictionary.ts";
import { Store } from "../../src/state/store.ts";

const columns = [
  { type: int8, nullable: false },
  { type: numeric, nullable: true },
];

const row = fc.record({
  k: fc.nat(25),
  n: fc.constantFrom("1", "1.0", null),
  weight: fc.integer({ min: 1, max: 3 }),
});
type Row = typeof row extends fc.Arbitrary<infer R> ? R : never;
const steps = fc.array(fc.array(fc.array(row, { minLength: 1, maxLength: 9 }), { maxLength: 3 }), {
  maxLength: 10,
});

/** bag: told apart by their text; distinct and set: by their value, in the form that came first. */
const nameOf = (mode: string, { k, n }: Row) => `${k}, ${mode === "bag" || n === null ? n : Number(n)}`;

describe.each(["bag", "distinct", "set"] as const)("%s", (mode) => {
  test("has each row as often as it came", () => {
    fc.assert(
      fc.property(steps, fc.boolean(), (history, indexed) => {
        const dictionary = new Dictionary();
        const store = new Store("rows", columns, dictionary);
        const index = store.hashIndex({ columns: [0, 1], unique: true, exact: mode === "bag" });
        const other = indexed ? store.hashIndex({ columns: [0], unique: false }) : null;
        const { apply } = applier(store, { mode, columns, label: "rows" }, index);
        const expected = new Map<string, { weight: number; form: string }>();
        for (const [at, chunks] of history.entries()) {
          store.begin(at + 1);
          for (const rows of chunks) {
            const chunk = createChunk(columns, rows.length);
            chunk.length = rows.length;
            rows.forEach((r, i) => {
              chunk.columns[0]![i] = r.k;
              chunk.columns[1]![i] = r.n === null ? 0 : dictionary.internString(r.n);
              chunk.nulls[1]![i] = r.n === null ? 1 : 0;
              chunk.weights[i] = r.weight;
              const known = expected.get(nameOf(mode, r));
              if (known === undefined)
                expected.set(nameOf(mode, r), { weight: r.weight, form: `${r.k}, ${r.n}` });
              else known.weight += r.weight;
            });
            apply(chunk);
          }
          const seen = [];
          const read = [new Float64Array(1), new Int32Array(1)];
          const nulls = [null, new Uint8Array(1)];
          for (let slot = 0; slot < store.highWater; slot++) {
            if (!store.visible(slot, at + 1)) continue;
            store.read(slot, read, nulls, 0);
            const n = nulls[1]![0] === 1 ? null : dictionary.string(read[1]![0]!);
            seen.push([`${read[0]![0]}, ${n}`, mode === "set" ? 1 : store.weight(slot)]);
            if (other !== null) expect(listOf(other, slot)).toContain(slot);
          }
          const wanted = [...expected.values()].map(({ form, weight }) => [
            form,
            mode === "set" ? 1 : weight,
          ]);
          expect(seen.sort()).toEqual(wanted.sort());
          expect(store.live).toBe(expected.size);
          store.vacuum(at + 1);
          dictionary.collect();
        }
      }),
      { numRuns: 200 },
    );
  });
});

function listOf(index: { like(slot: number): number; next(slot: number): number }, slot: number): number[] {
  const list: number[] = [];
  for (let at = index.like(slot); at >= 0; at = index.next(at)) list.push(at);
  return list;
}
