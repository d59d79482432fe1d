import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bool, int4, int8, text } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Expr, UserFunction } from "../../src/plan/expression.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { drain, feedBuild, Live, rowsOf, World } from "./harness.ts";
import { PlanMaker, Random, randomCommit, randomWorld } from "./random-plans.ts";

function table(): World {
  return new World([
    {
      name: "t",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "v", type: int4, nullable: false },
        { name: "s", type: text, nullable: false },
      ],
    },
  ]);
}

const reciprocal = (input: Plan): Expr => ({
  kind: "call",
  fn: "int4_div",
  args: [plan.constant(100, int4), plan.column(input, 1)],
  type: int4,
});

describe("steps", () => {
  test("one big step equals many small ones, whatever order the topics come in", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const world = randomWorld();
        const small = new Live(world);
        const big = new Live(world);
        const maker = new PlanMaker(random, world);
        for (let id = 10; id < 13; id++) {
          const made = maker.plan(1 + random.below(3));
          small.add(id, made);
          big.add(id, made);
        }
        for (let i = 0; i < 15; i++) world.commits.push(randomCommit(random, world));
        for (let i = 0; i < 15; i++) small.step(1, random.some([0, 1, 2], 3));
        big.step(15, random.some([0, 1, 2], 3));
        for (const [id, view] of small.views) {
          const types = view.plan.schema.fields.map((f) => f.type);
          const other = big.views.get(id)!;
          expect(rowsOf(other.store, big.epoch, types)).toEqual(rowsOf(view.store, small.epoch, types));
          expect(other.errorCount()).toBe(view.errorCount());
        }
      }),
      { numRuns: Number(process.env.EVERT_RUNS ?? 80) },
    );
  });

  test("readers see the last complete step while the next one runs", () => {
    const world = table();
    const live = new Live(world);
    const view = live.add(
      10,
      plan.group(
        world.source(0),
        [],
        [{ fn: "count", arg: null, filter: null, type: int8, reducer: null }],
        ["n"],
      ),
    );
    world.commits.push([{ topic: 0, row: [1, 1, "a"] }]);
    live.step();
    const before = rowsOf(view.store, live.epoch, [int8]);
    world.commits.push([{ topic: 0, row: [2, 1, "a"] }]);
    live.step();
    expect(rowsOf(view.store, live.epoch - 1, [int8])).toEqual(before);
  });
});

describe("errors are data", () => {
  test("they appear with the row, are counted, and heal with it", () => {
    const world = table();
    const live = new Live(world);
    const input = world.source(0);
    const divided = plan.project(input, [plan.column(input, 0), reciprocal(input)], ["id", "r"]);
    const failing = live.add(10, divided);
    const skipping = live.add(
      11,
      plan.filter(divided, {
        kind: "call",
        fn: "int4_gt",
        args: [plan.column(divided, 1), plan.constant(10, int4)],
        type: bool,
      }),
      "skip",
    );
    const reading = live.add(12, plan.projectColumns(world.viewSource(11), [0]));
    world.commits.push([1, 2, 0, 0].map((v, id) => ({ topic: 0, row: [id, v, "x"] })));
    live.step();
    expect(failing.errorCount()).toBe(2);
    expect(failing.firstError()).toMatchObject({ sqlstate: "22012", message: "division by zero" });
    expect(skipping.errorCount()).toBe(2);
    expect(rowsOf(skipping.store, live.epoch, [int4, int4])).toEqual({ "0, 100": 1, "1, 50": 1 });
    // What a view skips is no error of those who read it.
    expect(reading.errorCount()).toBe(0);
    world.commits.push([
      { topic: 0, row: [2, 5, "x"] },
      { topic: 0, deleted: [3, 0, ""] },
    ]);
    live.step();
    expect(failing.errorCount()).toBe(0);
    expect(failing.firstError()).toBeNull();
    live.check();
  });

  test("a query tells the errors of its own epoch, also of what it shares with a view that heals meanwhile", () => {
    const world = table();
    const live = new Live(world);
    const input = world.source(0);
    const divided = plan.project(input, [plan.column(input, 0), reciprocal(input)], ["id", "r"]);
    live.add(10, divided);
    world.commits.push([{ topic: 0, row: [1, 0, "x"] }]);
    live.step();
    const build = live.circuit.build(null, "query", divided, { asOf: live.epoch });
    build.hold(live.epoch);
    const at = live.epoch;
    world.commits.push([{ topic: 0, row: [1, 5, "x"] }]);
    live.step();
    live.circuit.vacuum(live.epoch);
    feedBuild(build, live, 0, at);
    drain(build);
    expect(build.errorCount()).toBe(1);
    expect(build.firstError()).toMatchObject({ sqlstate: "22012" });
    build.cancel();
  });

  test("the oldest error is told first", () => {
    const world = table();
    const live = new Live(world);
    const input = world.source(0);
    const parsed: Expr = { kind: "call", fn: "text_to_int4", args: [plan.column(input, 2)], type: int4 };
    const view = live.add(10, plan.project(input, [parsed], ["n"]));
    for (const s of ["z", "a"]) {
      world.commits.push([{ topic: 0, row: [s.charCodeAt(0), 1, s] }]);
      live.step();
    }
    expect(view.firstError()?.message).toContain('"z"');
    expect(view.errorCount()).toBe(2);
  });

  test("a function that does not repeat itself stops its view by name, and no other", () => {
    const world = table();
    const live = new Live(world);
    let calls = 0;
    const fn: UserFunction = {
      call: () => ({ n: calls++ }),
      source: "counter",
      rows: [{ fields: [{ name: "id", column: 0 }], presentColumn: null }],
    };
    const bad = live.add(
      10,
      plan.mapFunction(world.source(0), fn, false, [{ name: "n", type: int4, nullable: false }]),
    );
    const good = live.add(11, plan.projectColumns(world.source(0), [0]));
    world.commits.push([{ topic: 0, row: [1, 1, "a"] }]);
    live.step();
    world.commits.push([{ topic: 0, deleted: [1, 0, ""] }]);
    live.step();
    expect(bad.failed).toMatchObject({ code: "nondeterministic_view" });
    expect(good.failed).toBeNull();
    expect(good.store.live).toBe(0);
    world.commits.push([{ topic: 0, row: [2, 1, "a"] }]);
    live.step();
    expect(good.store.live).toBe(1);
    expect(() => live.circuit.addView(12, "late", plan.projectColumns(world.source(0), [0]))).toThrow(
      /built/,
    );
    live.circuit.removeView(10);
    expect(live.circuit.stores().some((s) => s.id.includes("map of"))).toBe(false);
  });
});

describe("sharing", () => {
  test("equal parts of views are one, and leave with the last view that has them", () => {
    const world = table();
    const live = new Live(world);
    const self = (columns: number[]) => {
      const input = plan.filter(world.source(0), {
        kind: "call",
        fn: "int4_gt",
        args: [plan.column(world.source(0), 1), plan.constant(0, int4)],
        type: bool,
      });
      return plan.projectColumns(
        plan.join({ type: "inner", left: input, right: world.source(0), leftKeys: [1], rightKeys: [1] }),
        columns,
      );
    };
    live.add(10, self([0, 3]));
    const alone = live.circuit.stores().length;
    live.add(11, self([0, 3]));
    expect(live.circuit.stores().length).toBe(alone);
    live.add(12, self([3, 0]));
    // Only the result is another.
    expect(live.circuit.stores().length).toBe(alone + 1);
    world.commits.push([1, 2, 3].map((id) => ({ topic: 0, row: [id, id % 2, "a"] })));
    live.step();
    live.check();
    const { store } = live.circuit.stores()[0]!;
    expect(store.hashIndexes.length).toBe(2);
    for (const id of [10, 11, 12]) live.circuit.removeView(id);
    expect(live.circuit.stores().length).toBe(1);
    expect(store.hashIndexes.length).toBe(1);
  });

  test("closures of one text are not one function", () => {
    const world = table();
    const live = new Live(world);
    const times = (factor: number): Plan => {
      const fn: UserFunction = {
        call: (row) => ({ n: (row as { id: number }).id * factor }),
        source: "times",
        rows: [{ fields: [{ name: "id", column: 0 }], presentColumn: null }],
      };
      return plan.mapFunction(world.source(0), fn, false, [{ name: "n", type: int4, nullable: false }]);
    };
    live.add(10, times(2));
    live.add(11, times(3));
    world.commits.push([{ topic: 0, row: [5, 1, "a"] }]);
    live.step();
    expect([10, 11].map((id) => Object.keys(rowsOf(live.views.get(id)!.store, live.epoch, [int4])))).toEqual([
      ["10"],
      ["15"],
    ]);
    const ids = live.circuit.stores().map((s) => s.id);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test("closures of one text are not one key", () => {
    const world = table();
    const live = new Live(world);
    const byRemainder = (divisor: number): Plan => {
      const fn: UserFunction = {
        call: (row) => (row as { id: number }).id % divisor,
        source: "remainder",
        rows: [{ fields: [{ name: "id", column: 0 }], presentColumn: null }],
      };
      const count = { fn: "count", arg: null, filter: null, type: int8, reducer: null } as const;
      return plan.group(world.source(0), [{ kind: "js", fn, type: int4 }], [count], ["k", "n"]);
    };
    live.add(10, byRemainder(2));
    live.add(11, byRemainder(3));
    world.commits.push([1, 2, 3, 4].map((id) => ({ topic: 0, row: [id, 1, "a"] })));
    live.step();
    live.check();
  });

  test("stores are called the same after a restart", () => {
    const ids = [1, 2].map(() => {
      const world = randomWorld();
      const live = new Live(world);
      const maker = new PlanMaker(new Random(11), world);
      for (let id = 10; id < 20; id++) live.add(id, maker.plan(3));
      return live.circuit.stores().map((s) => s.id);
    });
    expect(ids[0]).toEqual(ids[1]);
    expect(new Set(ids[0]).size).toBe(ids[0]!.length);
  });

  test("text that nobody holds any more is freed", () => {
    const world = table();
    const live = new Live(world);
    const input = world.source(0);
    const marked: Expr = {
      kind: "call",
      fn: "text_concat",
      args: [plan.column(input, 2), plan.constant("!", text)],
      type: text,
    };
    const longest = { fn: "max", arg: marked, filter: null, type: text, reducer: null } as const;
    live.add(10, plan.group(input, [plan.column(input, 1)], [longest], ["v", "s"]));
    world.commits.push([]);
    live.step();
    const before = live.dictionary.size;
    for (let round = 0; round < 5; round++) {
      world.commits.push(
        Array.from({ length: 50 }, (_, id) => ({ topic: 0, row: [id, id % 5, `text ${round} ${id}`] })),
      );
      live.step();
      live.check();
    }
    world.commits.push(Array.from({ length: 50 }, (_, id) => ({ topic: 0, deleted: [id, 0, ""] })));
    live.step();
    for (let i = 0; i < 3; i++) {
      live.circuit.vacuum(live.epoch);
      live.circuit.begin(++live.epoch);
      live.circuit.end();
      drain(live.circuit);
    }
    expect(live.dictionary.size).toBe(before);
  });
});

describe("user functions, series and constants", () => {
  test("a flatMap of more than a chunk, and one that fails half-way", () => {
    const world = table();
    const live = new Live(world);
    const rows = [{ fields: [{ name: "v", column: 1 }], presentColumn: null }];
    const fn: UserFunction = {
      call: (row) =>
        (function* () {
          const { v } = row as { v: number };
          for (let i = 0; i < Math.abs(v); i++) yield { n: v < 0 && i === 2 ? "no number" : i };
        })(),
      source: "many",
      rows,
    };
    const view = live.add(
      10,
      plan.mapFunction(world.source(0), fn, true, [{ name: "n", type: int4, nullable: false }]),
    );
    world.commits.push([
      { topic: 0, row: [1, 10_000, "a"] },
      { topic: 0, row: [2, -5, "a"] },
      { topic: 0, row: [3, 10_000, "a"] },
    ]);
    live.step();
    expect(view.store.live).toBe(10_000);
    expect(view.errorCount()).toBe(1);
    expect(view.firstError()?.message).toMatch(/^column "n": a function of the view returned/);
    world.commits.push([1, 2, 3].map((id) => ({ topic: 0, deleted: [id, 0, ""] })));
    live.step();
    expect(view.store.live).toBe(0);
    expect(view.errorCount()).toBe(0);
  });

  test("a series of more than a chunk, backwards, empty, and without a step", () => {
    const world = table();
    const live = new Live(world);
    const input = world.source(0);
    const view = live.add(
      10,
      plan.series(input, plan.constant(0, int4), plan.column(input, 1), plan.column(input, 0), "n"),
    );
    world.commits.push([
      { topic: 0, row: [1, 9_000, "up"] },
      { topic: 0, row: [-3, -10, "down"] },
      { topic: 0, row: [2, -1, "empty"] },
      { topic: 0, row: [0, 5, "no step"] },
    ]);
    live.step();
    live.check();
    expect(view.store.live).toBe(9_005);
    expect(view.firstError()).toMatchObject({ sqlstate: "22023" });
    world.commits.push([{ topic: 0, row: [1, 8_999, "up"] }]);
    live.step();
    live.check();
  });
});

test("rows of more nullable columns than a word has bits", () => {
  const fields = Array.from({ length: 70 }, (_, i) => ({
    name: `c${i}`,
    type: i % 2 === 0 ? int4 : text,
    nullable: true,
  }));
  const world = new World([
    { name: "wide", key: null, fields },
    { name: "table", key: [0], fields: [{ name: "id", type: int4, nullable: false }, ...fields] },
  ]);
  const live = new Live(world);
  const columns = fields.map((_, i) => i + 1);
  live.add(10, world.source(0));
  live.add(11, plan.distinct(world.source(0)));
  live.add(12, plan.projectColumns(world.source(1), columns));
  live.add(13, plan.distinct(plan.projectColumns(world.source(1), columns)));
  const keys = columns.map((c) => plan.column(world.source(1), c));
  live.add(14, plan.group(world.source(1), keys, [], columns.map(String)));
  const random = new Random(1);
  const row = () => fields.map((f) => (random.chance(97) ? null : f.type === int4 ? 1 : "x"));
  for (let step = 0; step < 30; step++) {
    const changes = Array.from({ length: 5 }, () => {
      const id = random.below(8);
      if (random.chance(30)) return { topic: 0, row: row() };
      return random.chance(30) ? { topic: 1, deleted: [id, ...row()] } : { topic: 1, row: [id, ...row()] };
    });
    world.commits.push(changes);
    live.step();
    live.check();
  }
});
