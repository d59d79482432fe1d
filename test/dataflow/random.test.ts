import fc from "fast-check";
import { describe, test } from "vitest";
import { Live } from "./harness.ts";
import { within } from "./oracle.ts";
import { PlanMaker, Random, randomCommit, randomWorld } from "./random-plans.ts";

const runs = Number(process.env.EVERT_RUNS ?? 150);

describe("random plans over random histories", () => {
  test("every view equals its naive answer after every step", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) =>
        within(() => {
          const random = new Random(seed);
          const world = randomWorld();
          const live = new Live(world);
          const maker = new PlanMaker(random, world);
          for (let id = 10; id < 13; id++) live.add(id, maker.plan(1 + random.below(3)));
          for (let step = 0; step < 12; step++) {
            const count = random.chance(70) ? 1 : 1 + random.below(4);
            for (let i = 0; i < count; i++) world.commits.push(randomCommit(random, world));
            const order = random.some([0, 1, 2], 3);
            live.step(count, order);
            live.check();
          }
        }),
      ),
      { numRuns: runs },
    );
  });
});
