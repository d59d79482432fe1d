import { describe, expect, test } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { int4, text } from "../../src/batch/types.ts";
import * as plan from "../../src/plan/build.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { type Commit, checkView, feedBuild, Live, rowsOf, World } from "./harness.ts";
import { Random } from "./random-plans.ts";

const stream = (name: string) => ({
  name,
  key: null,
  fields: [
    { name: "author", type: int4, nullable: true },
    { name: "text", type: text, nullable: false },
  ],
});

function feed(): World {
  return new World([
    stream("tweets"),
    {
      name: "profiles",
      key: [0],
      fields: [
        { name: "id", type: int4, nullable: false },
        { name: "name", type: text, nullable: false },
      ],
    },
    stream("replies"),
  ]);
}

function withNames(world: World, type: "inner" | "left", left: Plan = world.source(0)): Plan {
  return plan.asOfJoin({ type, left, right: world.source(1), leftKeys: [0], rightKeys: [0] });
}

const history: Commit[] = [
  [{ topic: 0, row: [1, "before"] }],
  [
    { topic: 1, row: [1, "Ann"] },
    { topic: 0, row: [1, "first"] },
  ],
  [{ topic: 2, row: [1, "reply"] }],
  [{ topic: 1, row: [1, "Anna"] }],
  [
    { topic: 0, row: [1, "second"] },
    { topic: 0, row: [null, "nobody"] },
  ],
  [{ topic: 1, deleted: [1, ""] }],
  [
    { topic: 0, row: [1, "after"] },
    { topic: 2, row: [1, "late reply"] },
  ],
];

describe("as-of join", () => {
  test.each([1, 2, 7])("meets the table of each record's own commit, %i commits a step", (size) => {
    for (const order of [
      [0, 1, 2],
      [2, 1, 0],
      [1, 0, 2],
    ]) {
      const world = feed();
      const live = new Live(world);
      const view = live.add(10, withNames(world, "left"));
      live.add(11, withNames(world, "inner"));
      live.add(12, withNames(world, "left", plan.union([world.source(0), world.source(2)])));
      world.commits.push(...history);
      for (let i = 0; i < history.length; i += size) {
        live.step(size, order);
        live.check();
      }
      expect(Object.keys(rowsOf(view.store, live.epoch, [int4, text, int4, text]))).toEqual([
        '1, "after", null, null',
        '1, "before", null, null',
        '1, "first", 1, "Ann"',
        '1, "second", 1, "Anna"',
        'null, "nobody", null, null',
      ]);
    }
  });

  test("beside an ordinary join of the same table", () => {
    const world = feed();
    const live = new Live(world);
    const named = withNames(world, "left");
    live.add(
      10,
      plan.join({ type: "left", left: named, right: world.source(1), leftKeys: [0], rightKeys: [0] }),
    );
    world.commits.push(...history);
    for (let i = 0; i < history.length; i++) {
      live.step();
      live.check();
    }
  });

  test("is built from history in log order", () => {
    const world = feed();
    const live = new Live(world);
    const random = new Random(3);
    for (let i = 0; i < 60; i++) {
      const id = random.below(4);
      const change = random.pick<Commit[number]>([
        { topic: 0, row: [id, String(i)] },
        { topic: 1, row: [id, `name ${i}`] },
        { topic: 1, deleted: [id, ""] },
      ]);
      world.commits.push([change]);
    }
    live.step(40);
    const joined = withNames(world, "left");
    const build = live.circuit.build(10, "named", joined);
    expect(build).toMatchObject({ ordered: true, streams: [0], tables: [1] });
    feedBuild(build, live, 0, live.epoch);
    live.step(10);
    while (!build.run(0));
    feedBuild(build, live, 40, live.epoch);
    while (!build.run(0));
    checkView(world, live.fed - 1, joined, build.result, live.epoch, build);
    world.views.set(10, joined);
    live.views.set(10, build.finish());
    live.step(10);
    live.check();
  });

  test("refuses a left side whose rows have no commit of their own", () => {
    const world = feed();
    const live = new Live(world);
    const left = plan.join({
      type: "inner",
      left: world.source(0),
      right: world.source(2),
      leftKeys: [0],
      rightKeys: [0],
    });
    expect(() => live.circuit.addView(10, "v", withNames(world, "left", left))).toThrow(EvertError);
  });
});
