/** The simulation itself: it repeats. That all it is to try does happen is looked for in the runs that are judged (seeds-1.test.ts). */
import { expect, test } from "vitest";
import { simulate } from "./simulation/simulate.ts";

test("a seed gives the same run, turn by turn, whatever ran before", async () => {
  const seeds = [3, 14, 15, 92, 65];
  const traces = new Map<number, readonly string[]>();
  for (const seed of seeds) traces.set(seed, (await simulate(seed)).trace);
  for (const seed of seeds.reverse()) expect((await simulate(seed)).trace).toEqual(traces.get(seed));
});

test("neighbouring seeds have nothing in common", async () => {
  const traces: string[] = [];
  for (let seed = 1; seed <= 20; seed++) traces.push((await simulate(seed)).trace.join("\n"));
  expect(new Set(traces).size).toBe(20);
});
