import { describe, expect, test } from "vitest";
import { int4, text } from "../../src/batch/types.ts";
import type { TopKSpec } from "../../src/plan/build.ts";
import * as plan from "../../src/plan/build.ts";
import { type Commit, Live, rowsOf, World } from "./harness.ts";
import { Random } from "./random-plans.ts";

const fields = [
  { name: "id", type: int4, nullable: false },
  { name: "genre", type: text, nullable: true },
  { name: "plays", type: int4, nullable: true },
];

function charts(key: readonly number[] | null): World {
  return new World([{ name: "songs", key, fields }]);
}

const byPlays = { column: 2, descending: true, nullsFirst: false };

function both(spec: Partial<TopKSpec>, key: readonly number[] | null) {
  const world = charts(key);
  const live = new Live(world);
  const view = live.add(
    10,
    plan.topK(world.source(0), { partition: [], order: [byPlays], limit: 2, offset: 0, ...spec }),
  );
  return { world, live, view };
}

describe("top-k", () => {
  test("the next one comes up when a member leaves", () => {
    const { world, live, view } = both({ partition: [1] }, [0]);
    const history: Commit[] = [
      [1, 2, 3, 4].map((id) => ({ topic: 0, row: [id, "punk", id] })),
      [{ topic: 0, deleted: [4, null, null] }],
      [{ topic: 0, row: [3, "jazz", 3] }],
      [
        { topic: 0, row: [1, "punk", 9] },
        { topic: 0, row: [1, "jazz", 9] },
      ],
    ];
    for (const commit of history) {
      world.commits.push(commit);
      live.step();
      live.check();
    }
    expect(Object.keys(rowsOf(view.store, live.epoch, [int4, text, int4]))).toEqual([
      '1, "jazz", 9',
      '2, "punk", 2',
      '3, "jazz", 3',
    ]);
  });

  test("ties are settled by the remaining columns", () => {
    const { world, live, view } = both({ limit: 1 }, [0]);
    world.commits.push([
      { topic: 0, row: [7, "b", 1] },
      { topic: 0, row: [9, "a", 1] },
      { topic: 0, row: [8, "a", 1] },
    ]);
    live.step();
    expect(Object.keys(rowsOf(view.store, live.epoch, [int4, text, int4]))).toEqual(['7, "b", 1']);
  });

  test.each([
    ["a small limit over a stream", { partition: [1], limit: 3 }, null],
    ["a large limit over a stream", { partition: [1], limit: 40 }, null],
    ["an offset over a stream", { partition: [1], limit: 3, offset: 2 }, null],
    ["an offset without a limit", { partition: [1], limit: null, offset: 3 }, [0]],
    ["no partition", { limit: 5, offset: 1 }, [0]],
    ["a limit of nothing", { limit: 0 }, null],
  ] as const)("%s", (_, spec, key) => {
    const random = new Random(5);
    const { world, live } = both(spec, key);
    for (let step = 0; step < 40; step++) {
      const changes = Array.from({ length: 1 + random.below(6) }, () => {
        const row = [
          random.below(60),
          random.pick(["a", "b", null]),
          random.chance(10) ? null : random.below(20),
        ];
        return key !== null && random.chance(30) ? { topic: 0, deleted: row } : { topic: 0, row };
      });
      world.commits.push(changes);
      live.step();
      live.check();
    }
  });

  test("over a stream keeps no more rows than can still matter", () => {
    for (const limit of [5, 50]) {
      const { world, live } = both({ limit }, null);
      for (let step = 0; step < 20; step++) {
        world.commits.push(
          Array.from({ length: 50 }, (_, i) => ({ topic: 0, row: [i, "a", (step * 7 + i * 13) % 101] })),
        );
        live.step();
        live.check();
      }
      for (const { store } of live.circuit.stores()) expect(store.live).toBeLessThanOrEqual(limit);
    }
  });

  test("a window of more than a chunk", () => {
    const { world, live, view } = both({ limit: 10_000, offset: 3 }, [0]);
    world.commits.push(Array.from({ length: 12_000 }, (_, i) => ({ topic: 0, row: [i, "a", i] })));
    live.step();
    expect(view.store.live).toBe(10_000);
    world.commits.push(Array.from({ length: 6_000 }, (_, i) => ({ topic: 0, deleted: [i * 2, null, null] })));
    live.step();
    live.check();
    expect(view.store.live).toBe(5_997);
  });
});
