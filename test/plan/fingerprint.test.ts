/** Equal plans have equal keys, different plans different ones; keys do not change from one version to the next unnoticed. */
import { describe, expect, it } from "vitest";
import { schemaOf } from "../../src/batch/schema.ts";
import { float8, int4, int8, text } from "../../src/batch/types.ts";
import * as build from "../../src/plan/build.ts";
import type { Datum, Expr, UserFunction } from "../../src/plan/expression.ts";
import { exprKey, planKey, queryKey } from "../../src/plan/fingerprint.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { PlanMaker, Random, randomWorld } from "../dataflow/random-plans.ts";

function table(id = 1, names = ["a", "b"], type = int4): Plan {
  const fields = [
    { name: names[0]!, type, nullable: false },
    { name: names[1]!, type: text, nullable: true },
  ];
  return build.source({
    id,
    name: `t${id}`,
    kind: "table",
    schema: schemaOf(fields),
    key: [0],
    appendOnly: false,
  });
}

function mapped(fn: Partial<UserFunction>, name = "x"): Plan {
  const whole: UserFunction = {
    call: (row) => row,
    source: "(row) => row",
    rows: [{ fields: [{ name: "a", column: 0 }], presentColumn: null }],
    ...fn,
  };
  return build.mapFunction(table(), whole, false, [{ name, type: int4, nullable: false }]);
}

const top = (limit: number | null, offset = 0, descending = false) =>
  build.topK(table(), {
    partition: [],
    order: [{ column: 0, descending, nullsFirst: false }],
    limit,
    offset,
  });
const join = (type: "inner" | "left", leftKeys: number[], rightKeys: number[]) =>
  build.join({ type, left: table(1), right: table(2), leftKeys, rightKeys });

describe("a plan's key", () => {
  it("is the same for the same plan made again", () => {
    for (let seed = 0; seed < 60; seed++) {
      const make = () => new PlanMaker(new Random(seed), randomWorld()).plan(3);
      expect(planKey(make())).toBe(planKey(make()));
    }
  });

  it("is the same whatever columns are called", () => {
    expect(planKey(table(1, ["x", "y"]))).toBe(planKey(table(1)));
    const renamed = build.project(table(), [build.column(table(), 0)], ["z"]);
    expect(planKey(renamed)).toBe(planKey(build.projectColumns(table(), [0])));
  });

  it("differs where anything else does", () => {
    const plans: Plan[] = [
      table(1),
      table(2),
      table(1, ["a", "b"], int8),
      build.projectColumns(table(), [0]),
      build.projectColumns(table(), [1]),
      build.projectColumns(table(), [1, 0]),
      build.distinct(table()),
      build.union([table(1), table(2)]),
      build.union([table(2), table(1)]),
      join("inner", [0], [0]),
      join("left", [0], [0]),
      join("inner", [1], [1]),
      join("inner", [0, 1], [0, 1]),
      join("inner", [], []),
      top(1),
      top(2),
      top(null),
      top(1, 1),
      top(1, 0, true),
      mapped({}),
      mapped({ source: "(row) => ({ ...row })" }),
      mapped({ rows: [{ fields: [{ name: "b", column: 0 }], presentColumn: null }] }),
      mapped({ rows: [{ fields: [{ name: "a", column: 0 }], presentColumn: 0 }] }),
      mapped({}, "y"),
    ];
    expect(new Set(plans.map(planKey)).size).toBe(plans.length);
  });

  it("does not depend on the function object, only on its source", () => {
    expect(planKey(mapped({ call: () => 1 }))).toBe(planKey(mapped({ call: () => 2 })));
  });

  it("stays what it is: a change rebuilds every view there is, and must be meant", () => {
    expect([planKey(table()), planKey(top(3)), planKey(join("left", [0], [0]))]).toMatchInlineSnapshot(`
      [
        "0f130e0c85b4d8bfcc5d5b27e7a35298",
        "4a8b4e409001ab19997dd8cea0d775f9",
        "f7bc0fb9b59e4dc651ef6736fb5bf0e6",
      ]
    `);
  });
});

describe("a constant's key", () => {
  it.each<[Datum, Datum]>([
    [1, 2],
    [0, -0],
    [Number.NaN, Number.POSITIVE_INFINITY],
    [Number.NaN, null],
    [0, null],
  ])("tells %s from %s", (a, b) => {
    const key = (value: Datum) => exprKey({ kind: "const", value, type: float8 });
    expect(key(a)).not.toBe(key(b));
  });

  it("tells types apart, and not the nullability of columns", () => {
    const key = (e: Expr) => exprKey(e);
    expect(key({ kind: "const", value: null, type: int4 })).not.toBe(
      key({ kind: "const", value: null, type: int8 }),
    );
    const column = { kind: "column", index: 1, type: int4 } as const;
    expect(key({ ...column, nullable: true })).toBe(key({ ...column, nullable: false }));
  });
});

describe("a query's key", () => {
  it("counts names, order and what is visible", () => {
    const query = { plan: table(), order: [], visible: 2 };
    const others = [
      { ...query, plan: table(1, ["x", "b"]) },
      { ...query, visible: 1 },
      { ...query, order: [{ column: 0, descending: false, nullsFirst: false }] },
    ];
    expect(new Set([query, ...others].map(queryKey)).size).toBe(4);
  });
});
