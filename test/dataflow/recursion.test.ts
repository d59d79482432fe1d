/** Recursions over random graphs whose edges come and go, against the naive answer at every step. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { int4, int8 } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Expr } from "../../src/plan/expression.ts";
import { resolveOperator } from "../../src/plan/functions.ts";
import type { Aggregate, Plan } from "../../src/plan/plan.ts";
import { type Commit, drain, feedBuild, Live, World } from "./harness.ts";
import { Random } from "./random-plans.ts";

const runs = Number(process.env.EVERT_RUNS ?? 60);

const STARTS = 0;
const EDGES = 1;

/** Nodes to start from, and edges (from, to, length). */
function graph(): World {
  return new World([
    { name: "starts", key: [0], fields: [{ name: "node", type: int4, nullable: false }] },
    {
      name: "edges",
      key: [0, 1],
      fields: [
        { name: "from", type: int4, nullable: false },
        { name: "to", type: int4, nullable: false },
        { name: "length", type: int4, nullable: false },
      ],
    },
  ]);
}

const call = (op: string, ...args: Expr[]): Expr => {
  const { fn, resultType } = resolveOperator(op, [int4, int4]);
  return { kind: "call", fn, args, type: resultType };
};
const least = (arg: Expr): Aggregate => ({ fn: "min", arg, filter: null, type: int4, reducer: null });
const total = (arg: Expr): Aggregate => ({ fn: "sum", arg, filter: null, type: int8, reducer: null });

function recursion(base: Plan, all: boolean, step: (found: Plan) => Plan): Plan {
  const found = plan.recursiveRef(0, "r", base.schema.fields);
  return plan.recursive({ id: 0, base, step: step(found), all });
}

/** found.column = edges.from: found's columns, then the edge's. */
function follow(world: World, found: Plan, column: number): Plan {
  return plan.join({
    type: "inner",
    left: found,
    right: world.source(EDGES),
    leftKeys: [column],
    rightKeys: [0],
  });
}

/** Nodes that can be reached from a start. */
function reachable(world: World): Plan {
  return recursion(world.source(STARTS), false, (found) => plan.projectColumns(follow(world, found, 0), [2]));
}

/** Pairs of nodes with a way between them. */
function closure(world: World): Plan {
  return recursion(plan.projectColumns(world.source(EDGES), [0, 1]), false, (found) =>
    plan.projectColumns(follow(world, found, 1), [0, 3]),
  );
}

/** The shortest way to each node, of those shorter than 12. */
function shortest(world: World): Plan {
  const starts = world.source(STARTS);
  const base = plan.project(starts, [plan.column(starts, 0), plan.constant(0, int4)], ["node", "length"]);
  const ways = recursion(base, false, (found) => {
    const joined = follow(world, found, 0);
    const length = call("+", plan.column(joined, 1), plan.column(joined, 4));
    const next = plan.project(joined, [plan.column(joined, 3), length], ["node", "length"]);
    return plan.filter(next, call("<", plan.column(next, 1), plan.constant(12, int4)));
  });
  return plan.group(ways, [plan.column(ways, 0)], [least(plan.column(ways, 1))], ["node", "length"]);
}

/** How many of each part a start needs, over edges that lead to greater numbers: there are no cycles. */
function parts(world: World): Plan {
  const starts = world.source(STARTS);
  const base = plan.project(starts, [plan.column(starts, 0), plan.constant(1, int4)], ["part", "count"]);
  const needed = recursion(base, true, (found) => {
    const joined = follow(world, found, 0);
    const down = plan.filter(joined, call("<", plan.column(joined, 2), plan.column(joined, 3)));
    const count = call("*", plan.column(down, 1), plan.column(down, 4));
    return plan.project(down, [plan.column(down, 3), count], ["part", "count"]);
  });
  return plan.group(needed, [plan.column(needed, 0)], [total(plan.column(needed, 1))], ["part", "count"]);
}

const queries = { reachable, closure, shortest, parts };

function randomCommit(random: Random, nodes: number): Commit {
  const node = () => 1 + random.below(nodes);
  return Array.from({ length: 1 + random.below(random.chance(20) ? 12 : 3) }, () => {
    if (random.chance(15)) {
      const n = node();
      return random.chance(60) ? { topic: STARTS, row: [n] } : { topic: STARTS, deleted: [n] };
    }
    const edge = [node(), node(), 1 + random.below(3)];
    return random.chance(55) ? { topic: EDGES, row: edge } : { topic: EDGES, deleted: edge };
  });
}

describe("over random graphs with cycles", () => {
  test.each(Object.entries(queries))(
    "%s equals its naive answer after every step",
    (_name, make) => {
      fc.assert(
        fc.property(fc.integer(), fc.integer({ min: 2, max: 9 }), (seed, nodes) => {
          const random = new Random(seed);
          const world = graph();
          const live = new Live(world);
          live.add(10, make(world));
          for (let step = 0; step < 15; step++) {
            const count = 1 + random.below(3);
            for (let i = 0; i < count; i++) world.commits.push(randomCommit(random, nodes));
            live.step(count);
            live.check();
          }
          for (const topic of [EDGES, STARTS])
            world.commits.push(world.tableRows(topic, live.fed).map((deleted) => ({ topic, deleted })));
          live.step(2);
          live.check();
        }),
        { numRuns: runs },
      );
    },
    120_000,
  );

  test.each(Object.entries(queries))(
    "%s is the same when it is built late",
    (_name, make) => {
      fc.assert(
        fc.property(fc.integer(), (seed) => {
          const random = new Random(seed);
          const world = graph();
          const live = new Live(world);
          const query = make(world);
          const grow = (): void => {
            world.commits.push(randomCommit(random, 6));
            live.step(1);
          };
          for (let i = 0; i < 6; i++) grow();
          const build = live.circuit.build(10, "late", query);
          drain({ run: (deadline) => build.prepare(deadline) });
          feedBuild(build, live, 0, live.epoch);
          drain(build);
          for (let i = 0; i < 3; i++) grow();
          feedBuild(build, live, build.epoch, live.epoch);
          drain(build);
          world.views.set(10, query);
          live.views.set(10, build.finish());
          live.check();
          for (let i = 0; i < 8; i++) {
            grow();
            live.check();
          }
        }),
        { numRuns: runs },
      );
    },
    120_000,
  );
});

test("a long chain is followed to its end, and cut", () => {
  const world = graph();
  const live = new Live(world);
  live.add(10, reachable(world));
  const chain = Array.from({ length: 300 }, (_, i) => ({ topic: EDGES, row: [i, i + 1, 1] }));
  world.commits.push([{ topic: STARTS, row: [0] }, ...chain], [{ topic: EDGES, deleted: [150, 151, 1] }]);
  live.step(1);
  live.check();
  live.step(1);
  live.check();
  expect(live.views.get(10)!.store.live).toBe(151);
});
