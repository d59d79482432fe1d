import { describe, expect, test } from "vitest";
import { bool, float8, int4, int8, text } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import type { Aggregate, Plan } from "../../src/plan/plan.ts";
import { Live, World } from "./harness.ts";

void bool;
void float8;

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
  ]);
}

function byRegion(world: World, type: "inner" | "left"): Plan {
  const joined = plan.join({ type, left: world.source(0), right: world.source(1), leftKeys: [1], rightKeys: [0] });
  return plan.group(joined, [plan.column(joined, 4)], [count, sum(plan.column(joined, 2))], ["region", "orders", "amount"]);
}

describe("orders by region", () => {
  test.each(["inner", "left"] as const)("%s join", (type) => {
    const world = shop();
    const live = new Live(world);
    live.add(10, byRegion(world, type));
    world.commits.push(
      [{ topic: 0, row: [1, 7, 10] }],
      [{ topic: 1, row: [7, "north"] }],
      [
        { topic: 0, row: [2, 8, 5] },
        { topic: 1, row: [8, "south"] },
      ],
      [{ topic: 0, row: [2, 7, 6] }],
      [{ topic: 1, row: [7, "west"] }],
      [{ topic: 0, row: [3, null, 4] }],
      [{ topic: 1, deleted: [7, null] }],
      [{ topic: 0, deleted: [1, 0, 0] }],
      [
        { topic: 1, row: [7, "east"] },
        { topic: 1, row: [7, null] },
      ],
    );
    for (let i = 0; i < world.commits.length; i++) {
      live.step();
      live.check();
    }
    expect(live.circuit.explainCode(10)).toContain("function pass");
  });
});
