import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { bool, float8, int4, int8, jsonb, numeric, type SqlType, text } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Datum, Expr, UserFunction } from "../../src/plan/expression.ts";
import type { Aggregate, AggregateFunction, Plan } from "../../src/plan/plan.ts";
import { Live, rowsOf, World } from "./harness.ts";

/** A table (id, g, v) with v of the given type, and one view over it. */
function grouped(type: SqlType, aggregates: (input: Plan) => Aggregate[], keys = true) {
  const world = new World([
    {
      name: "t",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "g", type: int4, nullable: true },
        { name: "v", type, nullable: true },
      ],
    },
  ]);
  const input = world.source(0);
  const made = aggregates(input);
  const names = [...(keys ? ["g"] : []), ...made.map((_, i) => `a${i}`)];
  const live = new Live(world);
  const view = live.add(10, plan.group(input, keys ? [plan.column(input, 1)] : [], made, names));
  const types = view.plan.schema.fields.map((f) => f.type);
  return {
    world,
    live,
    view,
    step(...changes: (readonly [id: number, g: number | null, v: Datum] | { readonly gone: number })[]) {
      world.commits.push(
        changes.map((c) =>
          "gone" in c ? { topic: 0, deleted: [c.gone, null, null] } : { topic: 0, row: c },
        ),
      );
      live.step();
    },
    rows: () => Object.keys(rowsOf(view.store, live.epoch, types)),
  };
}

const over = (fn: AggregateFunction, arg: Expr, type: SqlType, filter: Expr | null = null): Aggregate => ({
  fn,
  arg,
  filter,
  type,
  reducer: null,
});

describe("sums of integers", () => {
  test("beyond 2^53 and back are exact", () => {
    const { step, rows, live } = grouped(int8, (t) => [
      over("sum", plan.column(t, 2), numeric),
      over("avg", plan.column(t, 2), numeric),
    ]);
    step([1, 1, 9223372036854775807n], [2, 1, 9223372036854775807n], [3, 1, 9007199254740993n]);
    live.check();
    expect(rows()).toEqual(["1, 18455751272964292607, 6151917090988097536"]);
    step({ gone: 1 }, { gone: 2 });
    expect(rows()).toEqual(["1, 9007199254740993, 9007199254740993.0000"]);
    step([3, 1, -5n]);
    expect(rows()).toEqual(["1, -5, -5.0000000000000000"]);
    live.check();
  });

  test("that overflow int8 are an error until they fit again", () => {
    const { step, rows, view } = grouped(int8, (t) => [over("sum", plan.column(t, 2), int8)]);
    step([1, 1, 9223372036854775807n], [2, 2, 1n]);
    expect(view.errorCount()).toBe(0);
    step([3, 1, 1n]);
    expect(view.errorCount()).toBe(1);
    expect(view.firstError()).toMatchObject({ sqlstate: "22003", message: "bigint out of range" });
    expect(rows()).toEqual(["2, 1"]);
    step([3, 1, -1n]);
    expect(view.errorCount()).toBe(0);
    expect(view.firstError()).toBeNull();
    expect(rows()).toEqual(["1, 9223372036854775806", "2, 1"]);
  });

  test("equal big integer arithmetic over random histories", () => {
    const value = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.bigInt({ min: -100n, max: 100n }),
    );
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(fc.nat(6), fc.nat(1), fc.option(value)), { minLength: 1 }), {
          maxLength: 6,
        }),
        (steps) => {
          const { step, live } = grouped(int8, (t) => [
            over("sum", plan.column(t, 2), numeric),
            over("avg", plan.column(t, 2), numeric),
            over("avg", plan.column(t, 2), float8),
            over("min", plan.column(t, 2), int8),
            over("max", plan.column(t, 2), int8),
          ]);
          for (const changes of steps) {
            step(
              ...changes.map(([id, g, v]) =>
                g === 1 && v === null && id === 0 ? { gone: id } : ([id, g, v] as const),
              ),
            );
            live.check();
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("sums of floats", () => {
  test("do not depend on what was there before", () => {
    const { step, rows } = grouped(float8, (t) => [
      over("sum", plan.column(t, 2), float8),
      over("avg", plan.column(t, 2), float8),
    ]);
    step([1, 1, 0.1], [2, 1, 0.2], [3, 1, 0.3]);
    expect(rows()).toEqual(["1, 0.6, 0.2"]);
    step([4, 1, 1e300], [5, 1, Number.NaN]);
    expect(rows()).toEqual(["1, NaN, NaN"]);
    step({ gone: 4 }, { gone: 5 });
    expect(rows()).toEqual(["1, 0.6, 0.2"]);
  });

  test("that overflow are an error", () => {
    const { step, rows, view } = grouped(float8, (t) => [over("sum", plan.column(t, 2), float8)]);
    step([1, 1, 1e308], [2, 1, 1e308]);
    expect(view.firstError()).toMatchObject({ sqlstate: "22003", message: "value out of range: overflow" });
    step([2, 1, Number.POSITIVE_INFINITY]);
    expect(view.errorCount()).toBe(0);
    expect(rows()).toEqual(["1, Infinity"]);
  });
});

describe("numeric", () => {
  test("sums print the largest scale among the rows present", () => {
    const { step, rows, live } = grouped(numeric, (t) => [
      over("sum", plan.column(t, 2), numeric),
      over("avg", plan.column(t, 2), numeric),
    ]);
    step([1, 1, "1.5"], [2, 1, "2.250"]);
    expect(rows()).toEqual(["1, 3.750, 1.8750000000000000"]);
    step({ gone: 2 });
    expect(rows()).toEqual(["1, 1.5, 1.50000000000000000000"]);
    step([2, 1, "NaN"], [3, 2, "123456789012345678901234567890.1"]);
    expect(rows()).toEqual([
      "1, NaN, NaN",
      "2, 123456789012345678901234567890.1, 123456789012345678901234567890.1",
    ]);
    live.check();
  });

  test("equal values are one group, whatever their scale", () => {
    const world = new World([
      { name: "s", key: null, fields: [{ name: "n", type: numeric, nullable: false }] },
    ]);
    const live = new Live(world);
    const input = world.source(0);
    const count: Aggregate = { fn: "count", arg: null, filter: null, type: int8, reducer: null };
    const view = live.add(10, plan.group(input, [plan.column(input, 0)], [count], ["n", "count"]));
    const distinct = live.add(11, plan.distinct(input));
    for (const n of ["1.0", "1.00", "1"]) {
      world.commits.push([{ topic: 0, row: [n] }]);
      live.step();
    }
    expect(Object.keys(rowsOf(view.store, live.epoch, [numeric, int8]))).toEqual(["1.0, 3"]);
    expect(distinct.store.live).toBe(1);
  });
});

describe("min and max", () => {
  test("give the next value when the best one goes", () => {
    const { step, rows, live } = grouped(text, (t) => [
      over("min", plan.column(t, 2), text),
      over("max", plan.column(t, 2), text),
    ]);
    step([1, 1, "b"], [2, 1, "a"], [3, 1, "c"], [4, 2, null]);
    expect(rows()).toEqual(['1, "a", "c"', "2, null, null"]);
    step({ gone: 2 }, [3, 2, "c"]);
    expect(rows()).toEqual(['1, "b", "b"', '2, "c", "c"']);
    step({ gone: 1 });
    live.check();
  });

  test("know NaN and nulls", () => {
    const { step, rows } = grouped(float8, (t) => [
      over("min", plan.column(t, 2), float8),
      over("max", plan.column(t, 2), float8),
    ]);
    step([1, 1, Number.NaN], [2, 1, 1], [3, 1, null], [4, 2, Number.NaN]);
    expect(rows()).toEqual(["1, 1, NaN", "2, NaN, NaN"]);
  });
});

describe("an aggregate without groups", () => {
  test("has its row before there is any data, and never loses it", () => {
    const { step, rows, live } = grouped(
      int4,
      (t) => [over("count", plan.column(t, 2), int8), over("sum", plan.column(t, 2), int8)],
      false,
    );
    live.circuit.begin(++live.epoch);
    live.circuit.end();
    while (!live.circuit.run(0));
    expect(rows()).toEqual(["0, null"]);
    step([1, 1, 5]);
    expect(rows()).toEqual(["1, 5"]);
    step({ gone: 1 });
    expect(rows()).toEqual(["0, null"]);
  });
});

describe("FILTER", () => {
  test("leaves rows out of one aggregate only", () => {
    const positive = (t: Plan): Expr => ({
      kind: "call",
      fn: "int4_gt",
      args: [plan.column(t, 2), plan.constant(0, int4)],
      type: bool,
    });
    const { step, live } = grouped(int4, (t) => [
      over("sum", plan.column(t, 2), int8, positive(t)),
      { fn: "count", arg: null, filter: positive(t), type: int8, reducer: null },
      over("min", plan.column(t, 2), int4, positive(t)),
      over("max", plan.column(t, 2), int4),
    ]);
    step([1, 1, -5], [2, 1, 3], [3, 1, null]);
    live.check();
    step({ gone: 2 });
    live.check();
  });
});

describe("reduce", () => {
  const rows = [{ fields: [{ name: "v", column: 2 }], presentColumn: null }];
  const fold = (call: (total: number, row: { v: number }) => unknown): UserFunction => ({
    call: call as UserFunction["call"],
    source: String(call),
    rows,
  });
  const reducer = {
    initial: { sum: 0 },
    add: fold((acc, row) => {
      if (row.v === 13) throw new RangeError("unlucky");
      return { sum: (acc as unknown as { sum: number }).sum + row.v };
    }),
    remove: fold((acc, row) => ({ sum: (acc as unknown as { sum: number }).sum - row.v })),
    source: "reduce",
    routine: null,
  };
  const aggregate: Aggregate = { fn: "reduce", arg: null, filter: null, type: jsonb, reducer };

  test("adds and removes", () => {
    const { step, rows: printed, live } = grouped(int4, () => [aggregate]);
    step([1, 1, 5], [2, 1, 6], [3, 2, 7]);
    expect(printed()).toEqual(['1, {"sum": 11}', '2, {"sum": 7}']);
    step([1, 2, 5], { gone: 2 });
    expect(printed()).toEqual(['2, {"sum": 12}']);
    live.check();
  });

  test("a row that fails is an error of its own and heals", () => {
    const { step, rows: printed, view, live } = grouped(int4, () => [aggregate]);
    step([1, 1, 5], [2, 1, 13]);
    expect(view.errorCount()).toBe(1);
    expect(view.firstError()).toMatchObject({
      sqlstate: "38000",
      message: "a function of the view failed: RangeError: unlucky",
    });
    expect(printed()).toEqual(['1, {"sum": 5}']);
    step([3, 1, 1]);
    step([2, 1, 14]);
    expect(view.errorCount()).toBe(0);
    expect(printed()).toEqual(['1, {"sum": 20}']);
    live.check();
  });

  test("an accumulator JSON cannot say is an error", () => {
    const { step, view } = grouped(int4, () => [
      { ...aggregate, reducer: { ...reducer, add: fold(() => ({ sum: Number.NaN })) } },
    ]);
    step([1, 1, 5]);
    expect(view.firstError()?.message).toMatch(/accumulator of a reduce cannot be kept/);
  });
});

describe("over rows that only come", () => {
  const world = (type: SqlType) =>
    new World([
      {
        name: "s",
        key: null,
        fields: [
          { name: "g", type: int4, nullable: true },
          { name: "v", type, nullable: true },
        ],
      },
    ]);
  /** Changes that the step made to the group's rows; the group stands before the view's own rows. */
  const changes = (live: Live): number => {
    const groups = live.circuit.stores().find(({ id }) => id.endsWith("/ groups"))!.store;
    return groups.bornCount + groups.died.length;
  };

  test.each([
    ["max", int8, [3n, 2n, 3n, null, -9223372036854775807n], [4n, 9223372036854775807n]],
    ["min", int8, [3n, 4n, 3n, null, 9223372036854775807n], [2n, -9223372036854775807n]],
    ["max", float8, [3, 2, null, 3], [4, Number.NaN]],
    ["min", float8, [-0, 0, Number.NaN, null], [-1]],
    ["max", text, ["b", "a", "", null], ["c"]],
  ] as [AggregateFunction, SqlType, Datum[], Datum[]][])(
    "%s of %j: a row that changes nothing makes no version of its group",
    (fn, type, [first, ...idle], raising) => {
      const events = world(type);
      const live = new Live(events);
      const input = events.source(0);
      live.add(
        10,
        plan.group(input, [plan.column(input, 0)], [over(fn, plan.column(input, 1), type)], ["g", "m"]),
      );
      const step = (...values: Datum[]) => {
        events.commits.push(values.map((v) => ({ topic: 0, row: [1, v] })));
        live.step();
        live.check();
        return changes(live);
      };
      expect(step(first!)).toBe(1);
      for (const value of idle) expect(step(value)).toBe(0);
      expect(step(...idle)).toBe(0);
      for (const value of raising) expect(step(value)).toBe(2);
      expect(step(...idle, first!)).toBe(0);
    },
  );

  test("a group without aggregates is made once", () => {
    const events = world(int4);
    const live = new Live(events);
    const input = events.source(0);
    live.add(10, plan.group(input, [plan.column(input, 0)], [], ["g"]));
    const step = (g: number | null) => {
      events.commits.push([{ topic: 0, row: [g, 1] }]);
      live.step();
      live.check();
      return changes(live);
    };
    expect([step(1), step(null), step(1), step(null), step(2)]).toEqual([1, 1, 0, 0, 1]);
  });

  test("an aggregate that counts its rows beside one that does not", () => {
    const events = world(int4);
    const live = new Live(events);
    const input = events.source(0);
    const v = plan.column(input, 1);
    live.add(
      10,
      plan.group(
        input,
        [plan.column(input, 0)],
        [over("max", v, int4), over("count", v, int8)],
        ["g", "m", "n"],
      ),
    );
    for (const value of [3, 2, null, 3, 5]) {
      events.commits.push([{ topic: 0, row: [1, value] }]);
      live.step();
      live.check();
    }
  });
});
