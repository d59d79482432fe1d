import { test } from "vitest";
import * as ex from "../../src/plan/explain.ts";
import { Live } from "./harness.ts";
import { PlanMaker, Random, randomCommit, randomWorld } from "./random-plans.ts";
test("scratch", () => {
  const seed = Number(process.env.SEED);
  const random = new Random(seed);
  const world = randomWorld();
  const live = new Live(world);
  const maker = new PlanMaker(random, world);
  for (let id = 10; id < 13; id++) { const p = maker.plan(1 + random.below(3)); { console.log(id, ((ex as any).explainPlan(p) as string[]).join("\n")); } live.add(id, p); }
  for (let step = 0; step < 12; step++) {
    const count = random.chance(70) ? 1 : 1 + random.below(4);
    for (let i = 0; i < count; i++) { const c = randomCommit(random, world); world.commits.push(c); console.log(step, JSON.stringify(c, (k, v) => typeof v === "bigint" ? String(v)+"n" : v)); }
    const order = random.some([0, 1, 2], 3);
    live.step(count, order);
    if (process.env.CODE) console.log(live.circuit.explainCode(Number(process.env.CODE)));
    if (process.env.STORES) for (const { id, store } of live.circuit.stores()) console.log(id, store.name, "live", store.live, "born", store.born.length, "died", store.died.length);
    live.check();
  }
});
