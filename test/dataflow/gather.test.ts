/** Aggregates made of a group's rows, and sums of squares: what circuits show and PostgreSQL cannot. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { arrayOf, float8, int4, type SqlType } from "../../src/batch/types.ts";
import { ratioToDouble, unitsOf } from "../../src/dataflow/aggregates/exact-sum.ts";
import * as plan from "../../src/plan/build.ts";
import type { Datum } from "../../src/plan/expression.ts";
import type { Aggregate, AggregateFunction, Plan } from "../../src/plan/plan.ts";
import { chunksOf, drain, Live, rowsOf, World } from "./harness.ts";

/** A table (id, g, v), and a view of it grouped by g. */
function grouped(type: SqlType, aggregates: (input: Plan) => readonly Aggregate[]) {
  const world = new World([
    {
      name: "t",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "g", type: int4, nullable: false },
        { name: "v", type, nullable: true },
      ],
    },
  ]);
  const input = world.source(0);
  const made = aggregates(input);
  const live = new Live(world);
  const group = plan.group(input, [plan.column(input, 1)], made, ["g", ...made.map((_, i) => `a${i}`)]);
  const view = live.add(1, group);
  const types = view.plan.schema.fields.map((f) => f.type);
  return {
    world,
    live,
    put(rows: readonly (readonly [id: number, g: number, v: Datum])[], gone: readonly number[] = []): void {
      world.commits.push([
        ...rows.map((row) => ({ topic: 0, row })),
        ...gone.map((id) => ({ topic: 0, deleted: [id, 0, null] })),
      ]);
      live.step();
    },
    rows: () => Object.keys(rowsOf(view.store, live.epoch, types)),
  };
}

const of = (fn: AggregateFunction, input: Plan, type: SqlType): Aggregate => ({
  fn,
  arg: plan.column(input, 2),
  filter: null,
  type,
  reducer: null,
});

describe("a large group", () => {
  test("is gathered in pieces, again and again, and the others with it", () => {
    const t = grouped(int4, (input) => [of("array_agg", input, arrayOf(int4)), of("mode", input, int4)]);
    const rows = Array.from({ length: 30_000 }, (_, i) => [i, i % 3 === 0 ? 1 : 2, i % 7] as const);
    t.put([...rows, [50_000, 3, 5]]);
    const values = (g: number) => rows.filter((r) => r[1] === g).map((r) => r[2]);
    const listed = (all: readonly number[]) => {
      const times = [0, 1, 2, 3, 4, 5, 6].map((v) => all.filter((x) => x === v).length);
      return `{${all.toSorted((a, b) => a - b).join(",")}}, ${times.indexOf(Math.max(...times))}`;
    };
    expect(t.rows()).toContain(`1, ${listed(values(1))}`);
    expect(t.rows()).toContain(`2, ${listed(values(2))}`);
    expect(t.rows()).toContain("3, {5}, 5");

    t.world.commits.push([{ topic: 0, row: [1, 2, 0] }]);
    const { circuit } = t.live;
    circuit.begin(++t.live.epoch);
    for (const { chunk, ops } of chunksOf(t.world, 0, t.world.commits.slice(-1), t.live.dictionary)) {
      circuit.topics.feedTable(0, chunk, ops);
      drain(circuit);
    }
    circuit.end();
    let slices = 1;
    while (!circuit.run(0)) slices++;
    // Two walks of 20,000 rows, 8,192 at a time.
    expect(slices).toBeGreaterThanOrEqual(5);
    const changed = [...values(2).toSpliced(values(2).indexOf(1), 1), 0];
    expect(t.rows()).toContain(`2, ${listed(changed)}`);
    expect(t.rows()).toHaveLength(3);
  });
});

describe("sums of squares", () => {
  const value = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e150, max: 1e150 }),
    fc.double({ noNaN: true, min: -1000, max: 1000 }),
    fc.constantFrom(0, -0, 1e-200, 5e-324, 1e150, 0.1),
  );
  const special = fc.oneof(value, fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY));
  const functions = ["var_pop", "stddev_samp", "regr_sxx"] as const;
  const moments = () =>
    grouped(float8, (input) =>
      functions.map((fn) => ({
        ...of(fn, input, float8),
        ...(fn === "regr_sxx" ? { rest: [plan.column(input, 2)] } : {}),
      })),
    );

  test("do not depend on what was there before", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(special, fc.boolean()), { minLength: 1, maxLength: 12 }), (values) => {
        const lived = moments();
        lived.put(values.map(([v], i) => [i, 1, v] as const));
        lived.put(
          [[100, 2, 1]],
          values.flatMap(([, stays], i) => (stays ? [] : [i])),
        );
        const fresh = moments();
        fresh.put([
          ...values.flatMap(([v, stays], i) => (stays ? [[i, 1, v] as const] : [])),
          [100, 2, 1] as const,
        ]);
        expect(lived.rows()).toEqual(fresh.rows());
      }),
      { numRuns: 150 },
    );
  });

  test("are the exact rational, rounded once", () => {
    fc.assert(
      fc.property(fc.array(value, { minLength: 1, maxLength: 12 }), (values) => {
        const t = moments();
        t.put(values.map((v, i) => [i, 1, v] as const));
        const units = values.map(unitsOf);
        const n = BigInt(values.length);
        const sum = units.reduce((a, b) => a + b);
        const squares = units.reduce((a, b) => a + b * b, 0n);
        const sxx = ratioToDouble(n * squares - sum * sum, n << 2148n);
        expect(t.rows()[0]!.split(", ").at(-1)).toBe(String(sxx));
        expect(Number(t.rows()[0]!.split(", ")[1])).toBe(sxx / values.length);
      }),
      { numRuns: 150 },
    );
  });
});
