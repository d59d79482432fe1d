import { describe, expect, it } from "vitest";
import { gathered } from "../../src/base/gathered.ts";

async function* from<T>(items: readonly T[], pause = 0): AsyncGenerator<T> {
  for (const item of items) {
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, pause));
    yield item;
  }
}

async function all<S, T>(batches: AsyncIterable<{ source: S; items: readonly T[] }>) {
  const found: [S, readonly T[]][] = [];
  for await (const { source, items } of batches) found.push([source, items]);
  return found;
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

describe("gathered", () => {
  it("takes what is there at once, up to a bound", async () => {
    const batches = await all(gathered([{ source: "a", items: from(numbers(10)) }], 4));
    expect(batches).toEqual([
      ["a", [0, 1, 2, 3]],
      ["a", [4, 5, 6, 7]],
      ["a", [8, 9]],
    ]);
  });

  it("does not wait for more than is there", async () => {
    const batches = await all(gathered([{ source: "a", items: from([1, 2], 20) }], 4));
    expect(batches).toEqual([
      ["a", [1]],
      ["a", [2]],
    ]);
  });

  it("lets each source have its turn, and keeps its order", async () => {
    const sources = ["a", "b", "c"].map((source) => ({ source, items: from(numbers(20)) }));
    const batches = await all(gathered(sources, 5));
    expect(batches.map(([source]) => source)).toEqual([..."abcabcabcabc"]);
    for (const name of "abc")
      expect(batches.flatMap(([source, items]) => (source === name ? items : []))).toEqual(numbers(20));
  });

  it("tells what came before an error, and ends the others", async () => {
    let ended = false;
    async function* failing(): AsyncGenerator<number> {
      yield 1;
      throw new Error("broken");
    }
    async function* other(): AsyncGenerator<number> {
      try {
        for (;;) {
          await new Promise((resolve) => setTimeout(resolve, 5));
          yield 0;
        }
      } finally {
        ended = true;
      }
    }
    const found: number[] = [];
    const sources = [
      { source: 0, items: other() },
      { source: 1, items: failing() },
    ];
    await expect(
      (async () => {
        for await (const { source, items } of gathered(sources, 5)) if (source === 1) found.push(...items);
      })(),
    ).rejects.toThrow("broken");
    expect(found).toEqual([1]);
    await expect.poll(() => ended).toBe(true);
  });

  it("ends its sources when it is left", async () => {
    let ended = false;
    async function* source(): AsyncGenerator<number> {
      try {
        for (let i = 0; ; i++) yield i;
      } finally {
        ended = true;
      }
    }
    for await (const _ of gathered([{ source: 0, items: source() }], 3)) break;
    await expect.poll(() => ended).toBe(true);
  });
});
