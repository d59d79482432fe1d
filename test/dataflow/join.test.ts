import { describe, expect, test, vi } from "vitest";
import { int4, int8, text } from "../../src/batch/types.ts";
import { Join } from "../../src/dataflow/operators/join.ts";
import { PROBED_MAX } from "../../src/dataflow/operators/join-code.ts";
import * as plan from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import type { Aggregate, Plan } from "../../src/plan/plan.ts";
import { type Commit, Live, World } from "./harness.ts";
import type { Row } from "./oracle.ts";

const count: Aggregate = { fn: "count", arg: null, filter: null, type: int8, reducer: null };
const sum = (arg: Expr): Aggregate => ({ fn: "sum", arg, filter: null, type: int8, reducer: null });

function shop(): World {
  return new World([
    {
      name: "orders",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "customer", type: int4, nullable: true },
        { name: "amount", type: int4, nullable: false },
      ],
    },
    {
      name: "customers",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "region", type: text, nullable: true },
      ],
    },
    { name: "visits", key: null, fields: [{ name: "customer", type: int4, nullable: false }] },
  ]);
}

function byRegion(world: World, type: "inner" | "left"): Plan {
  const joined = plan.join({
    type,
    left: world.source(0),
    right: world.source(1),
    leftKeys: [1],
    rightKeys: [0],
  });
  return plan.group(
    joined,
    [plan.column(joined, 4)],
    [count, sum(plan.column(joined, 2))],
    ["region", "orders", "amount"],
  );
}

const order = (...row: Row) => ({ topic: 0, row });
const customer = (...row: Row) => ({ topic: 1, row });

describe("orders by region", () => {
  test.each(["inner", "left"] as const)("%s join", (type) => {
    const world = shop();
    const live = new Live(world);
    live.add(10, byRegion(world, type));
    const history: Commit[] = [
      [order(1, 7, 10)],
      [customer(7, "north")],
      [order(2, 8, 5), customer(8, "south")],
      [order(2, 7, 6)],
      [customer(7, "west")],
      [order(3, null, 4)],
      [{ topic: 1, deleted: [7, null] }],
      [{ topic: 0, deleted: [1, 0, 0] }],
      [customer(7, "east"), customer(7, null)],
      [{ topic: 1, deleted: [7, null] }, customer(7, "back")],
    ];
    for (const commit of history) {
      world.commits.push(commit);
      live.step();
      live.check();
    }
    expect(live.circuit.explainCode(10)).toContain("function pass");
  });

  test("a change that nets to nothing changes no version", () => {
    const world = shop();
    const live = new Live(world);
    live.add(10, byRegion(world, "inner"));
    world.commits.push([order(1, 7, 10), customer(7, "north")]);
    live.step();
    world.commits.push([order(1, 7, 99)], [order(1, 7, 10)], [customer(7, "north")]);
    live.step(3);
    live.check();
    expect(live.views.get(10)!.store.born.length).toBe(0);
    expect(live.views.get(10)!.store.died.length).toBe(0);
  });
});

describe("fan-out beyond a chunk", () => {
  test("a customer with 40,000 orders moves, leaves and comes back, one slice at a time", () => {
    const world = shop();
    const live = new Live(world);
    live.add(10, byRegion(world, "inner"));
    live.add(11, byRegion(world, "left"));
    const joined = plan.join({
      type: "left",
      left: world.source(0),
      right: world.source(1),
      leftKeys: [1],
      rightKeys: [0],
    });
    live.add(12, joined);
    world.commits.push(Array.from({ length: 40_000 }, (_, i) => order(i, i % 10 === 0 ? 2 : 1, i)));
    live.step();
    const expected = (rows: number) => {
      expect(live.views.get(12)!.failed).toBeNull();
      expect(live.views.get(12)!.store.live).toBe(rows);
    };
    expected(40_000);
    for (const change of [
      [customer(1, "a")],
      [customer(1, "b"), customer(2, "b")],
      [{ topic: 1, deleted: [1, null] }],
    ] as Commit[]) {
      world.commits.push(change);
      live.step();
      expected(40_000);
      const answers = [{ a: 36_000, null: 4_000 }, { b: 40_000 }, { b: 4_000, null: 36_000 }];
      expect(totals(live, 11)).toEqual(answers[live.fed - 2]);
    }
  });

  test("a table joined with itself on few keys", () => {
    const world = shop();
    const live = new Live(world);
    const self = plan.join({
      type: "inner",
      left: world.source(0),
      right: world.source(0),
      leftKeys: [1],
      rightKeys: [1],
    });
    live.add(
      10,
      plan.group(
        self,
        [plan.column(self, 1)],
        [count, sum(plan.column(self, 5))],
        ["customer", "pairs", "amount"],
      ),
    );
    world.commits.push(Array.from({ length: 300 }, (_, i) => order(i, i % 3, 1)));
    live.step();
    live.check();
    world.commits.push([order(0, 1, 5), { topic: 0, deleted: [1, 0, 0] }, order(301, 2, 3)]);
    live.step();
    live.check();
  });

  test("a cross join", () => {
    const world = shop();
    const live = new Live(world);
    live.add(
      10,
      plan.join({
        type: "inner",
        left: world.source(1),
        right: world.source(2),
        leftKeys: [],
        rightKeys: [],
      }),
    );
    const history: Commit[] = [
      [customer(1, "a"), { topic: 2, row: [5] }],
      [customer(2, "b"), { topic: 2, row: [5] }, { topic: 2, row: [6] }],
      [{ topic: 1, deleted: [1, null] }],
    ];
    for (const commit of history) {
      world.commits.push(commit);
      live.step();
      live.check();
    }
  });
});

describe("rows that find nothing", () => {
  const ROWS = 100_000;

  test.each([
    ["an inner join of keys that do not meet", "inner", [1], 0],
    ["a left join of them", "left", [1], ROWS],
    ["a product with rows that died", "inner", [], 0],
    ["a left product with rows that died", "left", [], 1],
  ] as const)("%s is done in pieces", (_, type, keys, rows) => {
    const world = shop();
    const live = new Live(world);
    const product = keys.length === 0;
    const [left, right] = product ? [1, 0] : [0, 1];
    const joined = plan.join({
      type,
      left: world.source(left),
      right: world.source(right),
      leftKeys: keys,
      rightKeys: product ? [] : [0],
    });
    live.add(10, joined);
    const orders = Array.from({ length: ROWS }, (__, i) => order(i, 1, i));
    world.commits.push(product ? orders : [...orders, customer(2, "a")]);
    const passes = vi.spyOn(Join.prototype, "work");
    live.step();
    if (product) {
      world.commits.push([customer(2, "a"), ...orders.map(({ row }) => ({ topic: 0, deleted: row }))]);
      live.step();
    }
    expect(live.views.get(10)!.store.live).toBe(rows);
    expect(passes.mock.calls.length).toBeGreaterThan(Math.floor(ROWS / PROBED_MAX));
    passes.mockRestore();
  });
});

/** Orders by region of a view made by byRegion. */
function totals(live: Live, id: number): { [region: string]: number } {
  const { store } = live.views.get(id)!;
  const { strideWords, words, nullWord, nullBit } = store.layout;
  const found: { [region: string]: number } = {};
  for (let slot = 0; slot < store.highWater; slot++) {
    if (!store.visible(slot, live.epoch)) continue;
    const base = slot * strideWords;
    const isNull = (store.I[base + nullWord[0]!]! >>> nullBit[0]!) & 1;
    const region = isNull === 1 ? "null" : store.dictionary.string(store.I[base + words[0]!]!);
    found[region] = store.F[(base + words[1]!) >> 1]!;
  }
  return found;
}
