import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Build } from "../../src/dataflow/circuit.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { checkView, feedBuild, Live, rowsOf } from "./harness.ts";
import { within } from "./oracle.ts";
import { PlanMaker, Random, randomCommit, randomWorld } from "./random-plans.ts";

const runs = Number(process.env.EVERT_RUNS ?? 120);

interface Building {
  readonly id: number;
  readonly plan: Plan;
  readonly build: Build;
  /** Commits it has been fed. */
  fed: number;
  running: boolean;
}

describe("views built beside a running circuit", () => {
  test("equal their naive answer, and go on equal to it once they have joined", () => {
    fc.assert(
      fc.property(fc.integer(), (seed) =>
        within(() => {
          const random = new Random(seed);
          const world = randomWorld();
          const live = new Live(world);
          const maker = new PlanMaker(random, world);
          live.add(10, maker.plan(2));
          let nextId = 11;
          let building: Building | null = null;
          for (let round = 0; round < 25; round++) {
            const count = 1 + random.below(3);
            for (let i = 0; i < count; i++) world.commits.push(randomCommit(random, world));
            live.step(count);
            live.check();
            if (building === null && random.chance(40)) {
              // Often the same plan again, so that nodes are shared.
              const plan = random.chance(30)
                ? random.pick([...world.views.values()])
                : maker.plan(1 + random.below(2));
              building = {
                id: nextId++,
                plan,
                build: live.circuit.build(nextId - 1, "b", plan),
                fed: 0,
                running: false,
              };
            }
            if (building !== null) building = advance(random, live, building);
            if (random.chance(10) && live.views.size > 1) {
              const id = random.pick([...live.views.keys()]);
              if (
                ![...world.views.values()].some((p) => JSON.stringify(p, text).includes(`"name":"v${id}"`)) &&
                building === null
              ) {
                live.circuit.removeView(id);
                live.views.delete(id);
                world.views.delete(id);
              }
            }
          }
          building?.build.cancel();
        }),
      ),
      { numRuns: runs },
    );
  });

  test("a query that is answered once leaves nothing behind", () => {
    const random = new Random(7);
    const world = randomWorld();
    const live = new Live(world);
    for (let i = 0; i < 30; i++) world.commits.push(randomCommit(random, world));
    live.step(30);
    const maker = new PlanMaker(random, world);
    const before = live.circuit.stores().map((s) => s.id);
    for (let i = 0; i < 60; i++) {
      const plan = maker.plan(3);
      const build = live.circuit.build(null, "query", plan);
      feedBuild(build, live, 0, live.epoch);
      while (!build.run(performance.now() + 5));
      expect(build.failed).toBeNull();
      checkView(world, live.fed - 1, plan, build.result, live.epoch, build);
      build.cancel();
    }
    expect(live.circuit.stores().map((s) => s.id)).toEqual(before);
    for (const { store } of live.circuit.stores())
      expect(store.hashIndexes.length + store.orderedIndexes.length).toBe(1);
  });
});

/** Runs a few slices of the build, which may take many live steps; joins it to the circuit when it has caught up. */
function advance(random: Random, live: Live, building: Building): Building | null {
  const { build } = building;
  if (!building.running) {
    feedBuild(build, live, building.fed, live.epoch);
    building.fed = live.fed;
    building.running = true;
  }
  for (let slices = random.below(6); slices >= 0; slices--) {
    if (!build.run(0)) continue;
    building.running = false;
    break;
  }
  if (building.running) return building;
  expect(build.failed).toBeNull();
  if (build.epoch < live.epoch) return building;
  checkView(live.world, live.fed - 1, building.plan, build.result, build.epoch, build);
  const view = build.finish();
  live.world.views.set(building.id, building.plan);
  live.views.set(building.id, view);
  expect(
    rowsOf(
      view.store,
      live.epoch,
      building.plan.schema.fields.map((f) => f.type),
    ),
  ).toBeDefined();
  return null;
}

function text(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
