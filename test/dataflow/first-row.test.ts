/**
 * One row of each partition of rows that only come: as the naive answer has it after every step, whatever chunks the step came in, whether texts come late,
 * and whether others have indexes on the rows; and a view of them has no rows of its own.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { int4, int8, numeric, text } from "../../src/batch/types.ts";
import type { Chunk, LateTexts } from "../../src/dataflow/chunk.ts";
import * as plan from "../../src/plan/build.ts";
import type { Datum } from "../../src/plan/expression.ts";
import type { Plan } from "../../src/plan/plan.ts";
import type { Dictionary } from "../../src/state/dictionary.ts";
import { chunksOf, drain, Live, World } from "./harness.ts";

const fields = [
  { name: "a", type: text, nullable: true },
  { name: "k", type: numeric, nullable: true },
  { name: "n", type: int8, nullable: true },
  { name: "b", type: text, nullable: true },
  { name: "id", type: int4, nullable: false },
];

const latest = (input: Plan): Plan =>
  plan.topK(input, {
    partition: [1],
    order: [{ column: 2, descending: true, nullsFirst: false }],
    limit: 1,
    offset: 0,
  });

const world = () => new World([{ name: "s", key: null, fields }]);

/** Rows from .. to of the chunk. With `late`, its texts are not interned yet. */
function part(chunk: Chunk, from: number, to: number, late: boolean, dictionary: Dictionary): Chunk {
  const cut = <T extends Float64Array | Int32Array | Uint8Array>(array: T): T => array.slice(from, to) as T;
  const texts = (c: number): LateTexts => ({
    intern(rows, count, ids) {
      for (let i = 0; i < count; i++) {
        const row = from + rows[i]!;
        ids[i] = dictionary.internString(dictionary.string(chunk.columns[c]![row]!));
      }
    },
  });
  return {
    length: to - from,
    // What is in a late column's place means nothing.
    columns: chunk.columns.map((values, c) => (late && isText(c) ? cut(values).fill(7) : cut(values))),
    nulls: chunk.nulls.map((nulls) => (nulls === null ? null : cut(nulls))),
    weights: cut(chunk.weights),
    commits: cut(chunk.commits),
    late: late ? fields.map((_, c) => (isText(c) ? texts(c) : null)) : null,
  };
}

const isText = (c: number) => fields[c]!.type === text;

const someText = fc.constantFrom<Datum>("", "a", "b", "a longer text", null);
const row = fc.tuple(
  someText,
  fc.constantFrom<Datum>("1", "1.0", "1.00", "2", null),
  fc.constantFrom<Datum>(1n, 2n, 3n, 9007199254740993n, null),
  someText,
  fc.nat(3),
);
const step = fc.record({
  rows: fc.array(row, { minLength: 1, maxLength: 30 }),
  rowsPerChunk: fc.integer({ min: 1, max: 12 }),
  late: fc.boolean(),
  indexed: fc.boolean(),
});

describe("the first row of each partition", () => {
  test("is the naive answer's", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 8 }), fc.boolean(), (steps, wide) => {
        const topics = world();
        const live = new Live(topics);
        const { circuit, dictionary } = live;
        const first = latest(topics.source(0));
        // One view is the operator's own rows, the other is made of them.
        const view = live.add(10, wide ? first : plan.projectColumns(first, [3, 1]));
        for (const { rows, rowsPerChunk, late, indexed } of steps) {
          const { store } = view;
          const index = indexed ? store.hashIndex({ columns: [0], unique: false }) : null;
          topics.commits.push(rows.map((r) => ({ topic: 0, row: r })));
          const { chunk } = chunksOf(topics, 0, topics.commits.slice(-1), dictionary)[0]!;
          circuit.begin(++live.epoch);
          for (let from = 0; from < chunk.length; from += rowsPerChunk) {
            const taken = fields.every((_, c) => !isText(c) || circuit.topics.interest(0, c) === "late");
            const to = Math.min(chunk.length, from + rowsPerChunk);
            circuit.topics.feedStream(0, part(chunk, from, to, late && taken, dictionary));
            drain(circuit);
          }
          circuit.end();
          drain(circuit);
          live.fed++;
          live.commitsAt[live.epoch] = live.fed;
          live.check();
          if (index !== null) {
            for (let slot = 0; slot < store.highWater; slot++)
              if (store.visible(slot, live.epoch)) expect(found(index, slot)).toBe(true);
            store.dropIndex(index);
          }
          circuit.vacuum(live.epoch - 1);
        }
      }),
      { numRuns: 150 },
    );
  });

  test("a view of it reads the operator's rows, and leaves with it", () => {
    const topics = world();
    const live = new Live(topics);
    const view = live.add(10, latest(topics.source(0)));
    const step = (...rows: (readonly [Datum, Datum, Datum])[]) => {
      topics.commits.push(rows.map(([a, k, n], id) => ({ topic: 0, row: [a, k, n, null, id] })));
      live.step();
      live.check();
    };
    expect(live.circuit.stores().map(({ store }) => store)).toEqual([view.store]);
    expect(view.keyColumns).toEqual([1]);
    step(["a", "1", 1n], ["b", "1", 2n], ["c", "2", 1n]);
    // Written over within its step: one row is born of each partition.
    expect([view.store.born.length, view.store.died.length]).toEqual([2, 0]);
    step(["d", "1", 1n], ["e", "2", 2n], ["f", "2", 3n]);
    expect([view.store.born.length, view.store.died.length]).toEqual([1, 1]);
    expect(view.operators().map(({ operator, rowsIn, rowsOut }) => [operator, rowsIn, rowsOut])).toEqual([
      ["stream s", 6, 6],
      ["first rows", 6, 4],
    ]);
    live.circuit.removeView(10);
    expect(live.circuit.stores()).toEqual([]);
  });

  test("with fewer columns, in another order, or of rows that may go, a view has rows of its own", () => {
    const topics = world();
    const live = new Live(topics);
    const first = latest(topics.source(0));
    live.add(10, first);
    for (const [id, columns] of [
      [11, [1, 2]],
      [12, [1, 0, 2, 3, 4]],
    ] as const)
      live.add(id, plan.projectColumns(first, columns));
    const same = live.add(13, plan.projectColumns(first, [0, 1, 2, 3, 4]));
    expect(same.store).toBe(live.views.get(10)!.store);
    expect(new Set([...live.views.values()].map(({ store }) => store)).size).toBe(3);
  });
});

function found(index: { like(slot: number): number; next(slot: number): number }, slot: number): boolean {
  for (let at = index.like(slot); at >= 0; at = index.next(at)) if (at === slot) return true;
  return false;
}
