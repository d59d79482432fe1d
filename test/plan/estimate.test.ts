import { expect, it } from "vitest";
import { int4 } from "../../src/batch/types.ts";
import * as build from "../../src/plan/build.ts";
import { estimateJoin, estimateRows } from "../../src/plan/estimate.ts";
import type { Plan } from "../../src/plan/plan.ts";

function table(id: number, rows: number | undefined): Plan {
  const fields = ["key", "other"].map((name) => ({ name, type: int4, nullable: false }));
  return build.source({
    id,
    name: `t${id}`,
    kind: "table",
    schema: { fields },
    key: [0],
    appendOnly: false,
    rows,
  });
}

function where(plan: Plan, column: number): Plan {
  const args = [build.column(plan, column), build.constant(1, int4)];
  return build.filter(plan, { kind: "call", fn: "int4_eq", args, type: { name: "bool" } });
}

it("counts what relations had, and less behind filters", () => {
  expect(estimateRows(table(1, 1000))).toBe(1000);
  expect(estimateRows(where(table(1, 1000), 0))).toBe(1);
  expect(estimateRows(where(table(1, 1000), 1))).toBe(100);
  expect(estimateRows(build.group(table(1, 1000), [], [], []))).toBe(1);
});

it("knows nothing of what reads an uncounted relation", () => {
  expect(estimateRows(table(1, undefined))).toBeNull();
  expect(estimateRows(build.union([table(1, 10), table(2, undefined)]))).toBeNull();
  expect(estimateJoin(table(1, 10), [0], table(2, undefined), [0])).toBeNull();
});

it("gives a row that refers to a key its one partner, as often as a filter leaves it", () => {
  const [many, few] = [table(1, 1000), table(2, 10)];
  expect(estimateJoin(many, [1], few, [0])).toBe(1000);
  expect(estimateJoin(few, [0], many, [1])).toBe(1000);
  expect(estimateJoin(many, [1], where(few, 1), [0])).toBe(100);
  expect(estimateJoin(many, [], few, [])).toBe(10_000);
});

it("knows a key again where joins have repeated its rows", () => {
  const [orders, customers, suppliers] = [table(1, 1000), table(2, 100), table(3, 10)];
  const join = (left: Plan, leftKeys: number[], right: Plan, rightKeys: number[]) =>
    build.join({ type: "inner", left, right, leftKeys, rightKeys, nullSafe: leftKeys.map(() => false) });
  const inOneNation = join(customers, [1], suppliers, [1]);
  const both = estimateRows(inOneNation)!;
  // An order has one customer, who stands there once per supplier.
  expect(estimateJoin(inOneNation, [0], orders, [1])).toBe((both * 1000) / 100);
  expect(estimateJoin(inOneNation, [2], orders, [1])).toBe((both * 1000) / 10);
  expect(estimateJoin(inOneNation, [0, 2], orders, [0, 1])).toBe(both);
});
