/** Work that can wait gets its turns one after the other, and short ones while somebody waits for something else. */
import { expect, it } from "vitest";
import { Chores } from "../../src/base/chores.ts";

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
  const turns = await turnsOf(new Chores(() => false), 3);
  expect(turns).toEqual([[0], [1], [2], [0], [1], [2], [0], [1], [2]]);
});

it("alone, a piece every turn", async () => {
  expect(await turnsOf(new Chores(() => false), 1)).toEqual([[0], [0], [0]]);
});

it("pieces are shorter while somebody waits", async () => {
  let isBusy = false;
  const chores = new Chores(
    () => isBusy,
    () => 1000,
  );
  const idle = await chores.turn();
  isBusy = true;
  const busy = await chores.turn();
  expect(busy).toBeGreaterThan(1000);
  expect(idle - 1000).toBeGreaterThan(2 * (busy - 1000));
});
