/** Work that can wait gets its turns one after the other, and short ones while somebody waits for something else. */
import { expect, it } from "vitest";
import { Chores, type Waiting } from "../../src/base/chores.ts";
import { systemSlices } from "../../src/base/slices.ts";

/** Of so many workers with three pieces each: which did a piece in which turn of the event loop. */
async function turnsOf(chores: Chores, workers: number): Promise<number[][]> {
  const turns: number[][] = [];
  let working = true;
  const count = (): void => {
    turns.push([]);
    if (working) setImmediate(count);
  };
  count();
  await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      for (let piece = 0; piece < 3; piece++) {
        await chores.turn();
        turns.at(-1)!.push(worker);
      }
    }),
  );
  working = false;
  return turns.filter((done) => done.length > 0);
}

it("one piece a turn, everybody in order", async () => {
  const turns = await turnsOf(new Chores(() => "nobody"), 3);
  expect(turns).toEqual([[0], [1], [2], [0], [1], [2], [0], [1], [2]]);
});

it("alone, a piece every turn", async () => {
  expect(await turnsOf(new Chores(() => "nobody"), 1)).toEqual([[0], [0], [0]]);
});

it("pieces are shorter while somebody waits, and between slices of a step", async () => {
  let waiter: Waiting = "nobody";
  const chores = new Chores(() => waiter, { ...systemSlices, ends: (ms) => 1000 + ms });
  const ends: number[] = [];
  for (waiter of ["nobody", "commit", "step"] as const) ends.push((await chores.turn()) - 1000);
  const [idle, commit, step] = ends as [number, number, number];
  expect(step).toBeGreaterThan(0);
  expect(commit).toBeGreaterThan(step);
  expect(idle).toBeGreaterThan(2 * commit);
});
