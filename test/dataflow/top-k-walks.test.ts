/** A window of very many rows is walked once, in pieces: not from its first row on for every chunk that comes out. */
import { afterEach, expect, it, vi } from "vitest";
import { int4 } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import { OrderedIndex } from "../../src/state/ordered-index.ts";
import { chunksOf, drain, Live, rowsOf, World } from "./harness.ts";

const ROWS = 50_000;

afterEach(() => vi.restoreAllMocks());

it.each([
  ["of all rows", { limit: 1_000_000, offset: 0 }, ROWS],
  ["behind an offset", { limit: 20_000, offset: 25_000 }, 20_000],
  ["with ties", { limit: 30_000, offset: 0, ties: true }, 30_000],
])("%s", (_, window, shown) => {
  const world = new World([
    {
      name: "t",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "v", type: int4, nullable: false },
      ],
    },
  ]);
  const input = world.source(0);
  const live = new Live(world);
  const order = [{ column: 1, descending: true, nullsFirst: true }];
  const view = live.add(1, plan.topK(input, { partition: [], order, ...window }));
  const next = vi.spyOn(OrderedIndex.prototype, "next");
  const { circuit } = live;

  /** The commit as one step; in how many pieces its end was done, and how often a walk went on to a next row. */
  const step = (rows: readonly (readonly [number, number])[]): { pieces: number; steps: number } => {
    world.commits.push(rows.map((row) => ({ topic: 0, row })));
    circuit.begin(++live.epoch);
    for (const { chunk, ops } of chunksOf(world, 0, world.commits.slice(-1), live.dictionary)) {
      circuit.topics.feedTable(0, chunk, ops);
      drain(circuit);
    }
    circuit.end();
    next.mockClear();
    let pieces = 1;
    while (!circuit.run(0)) pieces++;
    return { pieces, steps: next.mock.calls.length };
  };

  const filled = step(Array.from({ length: ROWS }, (_, i) => [i, i * 2] as const));
  // Once for the rows that leave, once for those that come, and a look for the partition.
  expect(filled.steps).toBeLessThan(3 * ROWS);
  expect(filled.pieces).toBeGreaterThan(shown / 4_096);
  const changed = step([[7, 2 * ROWS + 1]]);
  expect(changed.steps).toBeLessThan(3 * ROWS);
  // 16,384 rows looked at in each.
  expect(changed.pieces).toBeGreaterThan((2 * Math.min(ROWS, window.offset + window.limit)) / 16_384);

  const values = Array.from({ length: ROWS }, (_, i) => (i === 7 ? 2 * ROWS + 1 : i * 2)).sort(
    (a, b) => b - a,
  );
  const wanted = new Set(values.slice(window.offset, window.offset + window.limit));
  const found = Object.keys(rowsOf(view.store, live.epoch, [int4, int4])).map((row) =>
    Number(row.split(", ")[1]),
  );
  expect(found).toHaveLength(shown);
  expect(new Set(found)).toEqual(wanted);
});
