import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bool, float8, int4, int8, numeric, type SqlType, text } from "../../src/batch/types.ts";
import * as build from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import type {
  Aggregate,
  Frame,
  FrameBound,
  OrderItem,
  Plan,
  WindowFunction,
  WindowFunctionName,
} from "../../src/plan/plan.ts";
import { type Change, drain, feedBuild, Live, World } from "./harness.ts";
import { Random } from "./random-plans.ts";

const runs = Number(process.env.EVERT_RUNS ?? 200);

const fields = [
  { name: "id", type: int4, nullable: false },
  { name: "p", type: text, nullable: true },
  { name: "x", type: int4, nullable: true },
  { name: "f", type: float8, nullable: true },
  { name: "g", type: bool, nullable: true },
];
const [ID, P, X, F] = [0, 1, 2, 3];

function world(): World {
  return new World([
    { name: "t", key: [0], fields },
    { name: "s", key: null, fields },
  ]);
}

function randomRow(random: Random, ids: number): (number | string | boolean | null)[] {
  return [
    random.below(ids),
    random.pick(["a", "b", null]),
    random.chance(15) ? null : random.below(6),
    random.chance(15) ? null : random.pick([0.1, 0.2, -1.5, 1e17, Number.NaN, 3]),
    random.pick([true, false, null]),
  ];
}

function randomChange(random: Random, ids: number): Change {
  const topic = random.chance(85) ? 0 : 1;
  const row = randomRow(random, ids);
  if (topic === 0 && random.chance(35)) return { topic, deleted: [row[0]!, null, null, null, null] };
  return { topic, row };
}

const names: readonly WindowFunctionName[] = [
  "row_number",
  "rank",
  "dense_rank",
  "percent_rank",
  "cume_dist",
  "ntile",
  "lag",
  "lead",
  "first_value",
  "last_value",
  "nth_value",
];

const small = (value: number): Expr => build.constant(value, int4) as Expr;

function randomFunction(random: Random, input: Plan, order: readonly OrderItem[]): WindowFunction {
  const frame = randomFrame(random, input, order);
  const value = build.column(input, random.pick([ID, X, F, P]));
  if (random.chance(55)) {
    const fn = random.pick(names);
    const plain = (args: Expr[], type: SqlType): WindowFunction => ({
      fn,
      args,
      aggregate: null,
      frame,
      type,
    });
    switch (fn) {
      case "row_number":
      case "rank":
      case "dense_rank":
        return plain([], int8);
      case "percent_rank":
      case "cume_dist":
        return plain([], float8);
      case "ntile":
        return plain([small(1 + random.below(4))], int4);
      case "lag":
      case "lead": {
        const x = build.column(input, X);
        const args = random.pick<Expr[]>([
          [x],
          [x, small(random.below(4) - 1)],
          [x, build.column(input, X), small(-7)],
          [x, small(2), build.column(input, ID)],
        ]);
        return plain(args, int4);
      }
      case "nth_value":
        return plain([value, small(1 + random.below(3))], value.type);
      default:
        return plain([value], value.type);
    }
  }
  const x = build.column(input, X);
  const filter = random.chance(25) ? build.column(input, 4) : null;
  const aggregate = (fn: Aggregate["fn"], arg: Expr | null, type: SqlType): WindowFunction => ({
    fn: "aggregate",
    args: [],
    aggregate: { fn, arg, filter, type, reducer: null },
    frame,
    type,
  });
  return random.pick([
    aggregate("count", null, int8),
    aggregate("count", x, int8),
    aggregate("sum", x, int8),
    aggregate("avg", x, numeric),
    aggregate("sum", build.column(input, F), float8),
    aggregate("min", x, int4),
    aggregate("max", build.column(input, P), text),
  ]);
}

function randomFrame(random: Random, input: Plan, order: readonly OrderItem[]): Frame {
  const modes: Frame["mode"][] = order.length === 0 ? ["rows", "range"] : ["rows", "range", "groups"];
  const mode = random.pick(modes);
  const type = order.length === 1 ? input.schema.fields[order[0]!.column]!.type : undefined;
  const distances =
    mode !== "range" ? int8 : type?.name === "int4" ? int8 : type?.name === "float8" ? float8 : null;
  const offset = (kind: "preceding" | "following"): FrameBound => {
    const n = random.below(3);
    if (distances === null) return { kind: "currentRow" };
    const value = distances.name === "float8" ? n * 1.5 : BigInt(n);
    return { kind, offset: { kind: "const", value, type: distances } };
  };
  const start = random.pick<() => FrameBound>([
    () => ({ kind: "unboundedPreceding" }),
    () => ({ kind: "currentRow" }),
    () => offset("preceding"),
    () => offset("following"),
  ])();
  const ends: (() => FrameBound)[] = [() => ({ kind: "unboundedFollowing" }), () => offset("following")];
  if (start.kind !== "following") ends.push(() => ({ kind: "currentRow" }));
  if (start.kind === "preceding" || start.kind === "unboundedPreceding") ends.push(() => offset("preceding"));
  return {
    mode,
    start,
    end: random.pick(ends)(),
    exclude: random.chance(70) ? "none" : random.pick(["currentRow", "group", "ties"] as const),
  };
}

function randomWindow(random: Random, w: World): Plan {
  const base = w.source(random.chance(70) ? 0 : 1);
  // Without its key a table is a bag: rows of weight two and more.
  const input = random.chance(50)
    ? base
    : build.project(
        base,
        fields.map((_, i) => (i === ID ? small(1) : build.column(base, i))),
        fields.map((f) => f.name),
      );
  const columns = random.pick([[X], [ID], [F], [X, P], [P, ID], []]);
  const order = columns.map((column) => ({
    column,
    descending: random.chance(40),
    nullsFirst: random.chance(40),
  }));
  const functions = Array.from({ length: 1 + random.below(3) }, () => randomFunction(random, input, order));
  return build.window(
    input,
    { partition: random.pick([[], [P], [P, 4]]), order, functions },
    functions.map((_, i) => `w${i}`),
  );
}

describe("windows", () => {
  test("equal their definition after every step of random histories", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const w = world();
        const live = new Live(w);
        for (let id = 10; id < 14; id++) live.add(id, randomWindow(random, w));
        const ids = random.pick([4, 12, 40]);
        for (let step = 0; step < 14; step++) {
          const count = 1 + random.below(2);
          for (let i = 0; i < count; i++) {
            const changes = step === 0 ? 25 : 1 + random.below(4);
            w.commits.push(Array.from({ length: changes }, () => randomChange(random, ids)));
          }
          live.step(count);
          live.check();
        }
      }),
      { numRuns: runs },
    );
  }, 180_000);

  test("are built beside a running circuit, and go on right once they have joined it", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const random = new Random(seed);
        const w = world();
        const live = new Live(w);
        const push = (changes: number) => {
          w.commits.push(Array.from({ length: changes }, () => randomChange(random, 30)));
          live.step();
        };
        for (let step = 0; step < 4; step++) push(8);
        const plan = randomWindow(random, w);
        const build = live.circuit.build(20, "built", plan);
        while (!build.prepare(0));
        const from = live.epoch;
        feedBuild(build, live, 0, from);
        for (let n = 0; !build.run(0); n++) if (n % 7 === 0) push(2);
        const late = live.commitsAt[from]!;
        feedBuild(build, live, late, live.epoch);
        drain(build);
        w.views.set(20, plan);
        live.views.set(20, build.finish());
        build.release();
        live.check();
        for (let step = 0; step < 5; step++) {
          push(3);
          live.check();
        }
      }),
      { numRuns: Math.ceil(runs / 4) },
    );
  }, 180_000);

  test("find their place in long partitions, forward and back", () => {
    const w = world();
    const live = new Live(w);
    const t = w.source(0);
    const order = [{ column: ID, descending: false, nullsFirst: false }];
    const running: Frame = {
      mode: "range",
      start: { kind: "unboundedPreceding" },
      end: { kind: "currentRow" },
      exclude: "none",
    };
    const over = (fn: "sum" | "min", column: number, type: SqlType): WindowFunction => ({
      fn: "aggregate",
      args: [],
      aggregate: { fn, arg: build.column(t, column), filter: null, type, reducer: null },
      frame: running,
      type,
    });
    const functions: WindowFunction[] = [
      { fn: "row_number", args: [], aggregate: null, frame: running, type: int8 },
      { fn: "dense_rank", args: [], aggregate: null, frame: running, type: int8 },
      { fn: "first_value", args: [build.column(t, X)], aggregate: null, frame: running, type: int4 },
      over("sum", F, float8),
      over("sum", X, int8),
      over("min", P, text),
    ];
    live.add(10, build.window(t, { partition: [], order, functions }, ["n", "d", "v", "s", "i", "m"]));
    live.add(11, build.window(t, { partition: [], order, functions: functions.slice(0, 2) }, ["n", "d"]));
    const random = new Random(3);
    w.commits.push(
      Array.from({ length: 900 }, (_, id) => ({ topic: 0, row: [id * 2, ...randomRow(random, 1).slice(1)] })),
    );
    live.step();
    for (let step = 0; step < 60; step++) {
      const at = random.pick([0, 1, 400, 1200, 1700, 1798, 1800 + step]) + random.below(6);
      const row = [at, ...randomRow(random, 1).slice(1)];
      const gone = [random.below(1800), null, null, null, null];
      w.commits.push(
        random.chance(50)
          ? [{ topic: 0, row }]
          : [
              { topic: 0, row },
              { topic: 0, deleted: gone },
            ],
      );
      live.step();
      if (step % 12 === 11) live.check();
    }
  });

  test("a step with more changes than are kept at once", () => {
    const w = world();
    const live = new Live(w);
    const t = w.source(0);
    const order = [{ column: X, descending: false, nullsFirst: false }];
    const frame: Frame = {
      mode: "rows",
      start: { kind: "unboundedPreceding" },
      end: { kind: "currentRow" },
      exclude: "none",
    };
    const functions: WindowFunction[] = [{ fn: "row_number", args: [], aggregate: null, frame, type: int8 }];
    live.add(10, build.window(t, { partition: [P], order, functions }, ["n"]));
    const rows = 20_000;
    const partition = (id: number) => (id % 3 === 0 ? "a" : "b");
    w.commits.push(
      Array.from({ length: rows }, (_, id) => ({ topic: 0, row: [id, partition(id), id + 1, null, null] })),
    );
    live.step();
    w.commits.push(["a", "b"].map((p, i) => ({ topic: 0, row: [rows + i, p, 0, null, null] })));
    live.step();
    const view = live.views.get(10)!;
    expect(view.store.live).toBe(rows + 2);
    const counts = { a: 1, b: 1 };
    const numbers = new Map(
      Array.from({ length: rows }, (_, id) => [id, ++counts[partition(id) as "a" | "b"]] as const),
    );
    const { I, F: doubles, layout } = view.store;
    for (let slot = 0; slot < view.store.highWater; slot++) {
      if (!view.store.visible(slot, live.epoch)) continue;
      const base = slot * layout.strideWords;
      const id = I[base + layout.words[ID]!]!;
      expect(doubles[(base + layout.words[5]!) >> 1]).toBe(numbers.get(id) ?? 1);
    }
  });
});
