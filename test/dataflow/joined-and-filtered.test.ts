/** Filters and projections that are part of an inner join: the rows are those of the plan worked out from nothing, after every step. */
import { expect, test } from "vitest";
import { bool, float8, int4, int8, text } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import type { FunctionId } from "../../src/plan/functions.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { type Change, Live, World } from "./harness.ts";
import { Random } from "./random-plans.ts";

const WORDS = ["", "a", "b", "über", "a long text that is no number"];

function shop(): World {
  return new World([
    {
      name: "orders",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "customer", type: int4, nullable: true },
        { name: "amount", type: int8, nullable: true },
        { name: "note", type: text, nullable: true },
      ],
    },
    {
      name: "customers",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "limit", type: int8, nullable: true },
        { name: "name", type: text, nullable: false },
        { name: "vip", type: bool, nullable: true },
      ],
    },
    {
      name: "visits",
      key: null,
      fields: [
        { name: "customer", type: int4, nullable: false },
        { name: "score", type: float8, nullable: false },
      ],
    },
  ]);
}

/** Wide ones have a code of their own in columns of int8. */
function amount(random: Random): bigint | null {
  return random.chance(15) ? null : BigInt(random.below(6)) + (random.chance(30) ? 2n ** 60n : 0n);
}

function change(random: Random): Change {
  switch (random.below(5)) {
    case 0:
    case 1:
      return {
        topic: 0,
        row: [
          random.below(20),
          random.chance(10) ? null : random.below(6),
          amount(random),
          random.chance(20) ? null : random.pick(WORDS),
        ],
      };
    case 2:
      return {
        topic: 1,
        row: [
          random.below(6),
          amount(random),
          random.pick(WORDS),
          random.chance(20) ? null : random.chance(50),
        ],
      };
    case 3:
      return { topic: 2, row: [random.below(6), random.below(5) / 2] };
    default:
      return random.chance(70)
        ? { topic: 0, deleted: [random.below(20), null, null, null] }
        : { topic: 1, deleted: [random.below(6), null, "", null] };
  }
}

const call = (fn: FunctionId, ...args: Expr[]): Expr => ({ kind: "call", fn, args, type: bool });

/** Conditions over both sides, none of which can fail. Columns: orders 0..3, customers 4..7. */
function conditions(of: Plan): Expr[] {
  const [id, , amount, note, customer, limit, name, vip] = of.schema.fields.map((_, i) => plan.column(of, i));
  return [
    call("int8_le", amount!, limit!),
    call("text_ne", note!, name!),
    { kind: "or", args: [vip!, call("int4_gt", id!, customer!)] },
    { kind: "and", args: [{ kind: "not", arg: vip! }, call("text_eq", name!, plan.constant("über", text))] },
    { kind: "or", args: [{ kind: "isNull", arg: note! }, call("int8_eq", amount!, limit!)] },
  ];
}

function views(world: World): Plan[] {
  const joined = plan.join({
    type: "inner",
    left: world.source(0),
    right: world.source(1),
    leftKeys: [1],
    rightKeys: [0],
  });
  const filtered = conditions(joined).map((condition) => plan.filter(joined, condition));
  const [first] = filtered;
  const projected = plan.project(
    first!,
    [plan.column(first!, 6), { kind: "isNull", arg: plan.column(first!, 3) }, plan.column(first!, 2)],
    ["name", "bare", "amount"],
  );
  const twice = plan.filter(projected, plan.column(projected, 1));
  const visits = plan.join({
    type: "inner",
    left: world.source(2),
    right: world.source(0),
    leftKeys: [0],
    rightKeys: [1],
  });
  const scored = plan.filter(visits, call("float8_gt", plan.column(visits, 1), plan.constant(0.5, float8)));
  return [...filtered, projected, twice, scored, plan.projectColumns(filtered[3]!, [7, 3])];
}

test.each([1, 2, 3, 4, 5, 6])("random histories, seed %i", (seed) => {
  const random = new Random(seed);
  const world = shop();
  const live = new Live(world);
  const plans = views(world);
  for (const [i, view] of plans.entries()) live.add(10 + i, view);
  for (let step = 0; step < 60; step++) {
    const commits = 1 + random.below(3);
    for (let c = 0; c < commits; c++)
      world.commits.push(Array.from({ length: 1 + random.below(6) }, () => change(random)));
    live.step(commits);
    live.check();
  }
  for (const i of plans.keys()) expect(live.circuit.explainCode(10 + i)).toContain("pair: {");
});

test("what may fail stays outside: its error is a row's, and the join is that of others, too", () => {
  const world = shop();
  const live = new Live(world);
  const joined = plan.join({
    type: "inner",
    left: world.source(0),
    right: world.source(1),
    leftKeys: [1],
    rightKeys: [0],
  });
  const quotient: Expr = {
    kind: "call",
    fn: "int4_div",
    args: [plan.constant(6, int4), plan.column(joined, 4)],
    type: int4,
  };
  live.add(10, plan.filter(joined, call("int4_gt", quotient, plan.constant(1, int4))), "skip");
  expect(live.circuit.explainCode(10)).not.toContain("pair: {");
});
