/** A reader takes from the event loop no more than small pieces, whether it delivers anything or not, and does not look at what cannot be its own. */
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Log, ReadOptions } from "../../src/log/log.ts";
import { SeededRandom } from "../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall } from "./harness.ts";

const COMMITS = 3_000;
/** One topic in every commit, one now and then, one in two of them. */
const BUSY = 1;
const RARE = 2;
const TWICE = 3;
const TWICE_AT = [1_000, 2_900];

let log: Log;
const disk = new SimulatedDisk({ seed: 3 });

afterEach(() => vi.restoreAllMocks());

beforeAll(async () => {
  const random = new SeededRandom(3);
  log = await openSmall(disk, { segmentBytes: 8 << 20, aheadBytesMax: 1 << 20 });
  const note = "a text that fills a frame. ".repeat(30);
  for (let i = 1; i <= COMMITS; i++) {
    const rows = [{ topicId: BUSY, id: i, note }];
    // Long stretches without it, and some with it in each.
    if (i % 700 < 20 && random.oneIn(2)) rows.push({ topicId: RARE, id: i, note });
    if (TWICE_AT.includes(i)) rows.push({ topicId: TWICE, id: i, note });
    await append(log, rows);
  }
});

interface Seen {
  readonly offsets: number[];
  readonly asked: number;
}

async function read(topics: readonly number[], from = 1, to = COMMITS): Promise<Seen> {
  let asked = 0;
  const offsets: number[] = [];
  const pause = (): null => {
    asked++;
    return null;
  };
  for await (const { batches, firstPosition, lastPosition } of log.read(optionsOf(topics, from, to, pause))) {
    expect(firstPosition).toBeGreaterThanOrEqual(from);
    expect(lastPosition).toBeLessThanOrEqual(to);
    for (const { topicId, baseOffset } of batches) offsets.push(topicId * 1e6 + baseOffset);
  }
  return { offsets, asked };
}

function optionsOf(
  topics: readonly number[],
  from: number,
  to: number,
  pause: ReadOptions["pause"],
): ReadOptions {
  return { from, to, topics: new Set(topics), ...(pause === undefined ? {} : { pause }) };
}

describe("frames without the wanted topics", () => {
  test("are leapt over: only those within reach of an index entry are looked at", async () => {
    const all = await read([BUSY]);
    expect(all.asked).toBeGreaterThanOrEqual(COMMITS);
    const twice = await read([TWICE]);
    expect(twice.offsets).toEqual([3e6, 3e6 + 1]);
    // 256 KiB behind the first entry, and what is left behind the second.
    expect(twice.asked).toBeLessThan(COMMITS / 5);
    expect((await read([])).asked).toBe(0);
  });

  test("nothing of a topic is left out, from wherever to wherever, beside whichever others", async () => {
    const random = new SeededRandom(5);
    const all = await read([BUSY, RARE, TWICE]);
    expect(all.offsets.filter((o) => o >= 2e6 && o < 3e6).length).toBeGreaterThan(30);
    const positions = new Map<number, number>();
    for await (const { batches, firstPosition } of log.read({ from: 1 }))
      for (const { topicId, baseOffset } of batches) positions.set(topicId * 1e6 + baseOffset, firstPosition);
    for (let i = 0; i < 40; i++) {
      const topics = [[RARE], [TWICE], [RARE, TWICE], [BUSY, RARE]][i % 4]!;
      const from = 1 + random.below(COMMITS);
      const to = from + random.below(COMMITS - from + 1);
      const expected = all.offsets.filter((o) => {
        const position = positions.get(o)!;
        return topics.includes(Math.floor(o / 1e6)) && position >= from && position <= to;
      });
      expect((await read(topics, from, to)).offsets).toEqual(expected);
    }
  });

  test("nor of one read by offset", async () => {
    const all = (await read([RARE])).offsets.map((o) => o - 2e6);
    for (const from of [0, 1, 7, all.length - 1]) {
      const offsets: number[] = [];
      for await (const { batches } of log.readTopic(RARE, from)) offsets.push(batches[0]!.baseOffset);
      expect(offsets).toEqual(all.slice(from));
    }
  });
});

describe("turns", () => {
  test("a reader waits where it is told to", async () => {
    let asked = 0;
    let release: () => void = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let groups = 0;
    const reading = (async () => {
      const pause = (): Promise<void> | null => (++asked === 100 ? gate : null);
      for await (const _ of log.read(optionsOf([BUSY], 1, COMMITS, pause))) groups++;
    })();
    for (let i = 0; i < 50; i++) await new Promise(setImmediate);
    expect(asked).toBe(100);
    expect(groups).toBe(99);
    release();
    await reading;
    expect(groups).toBe(COMMITS);
  });

  test("one that is told nothing takes turns of its own, also while it delivers nothing", async () => {
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => ++now);
    let turns = 0;
    let reading = true;
    const count = (): void => {
      turns++;
      if (reading) setImmediate(count);
    };
    setImmediate(count);
    // A topic of which there is nothing, but every group is wanted: each frame is looked at.
    const options = { from: 1, to: COMMITS, topics: new Set([9]), everyGroup: true };
    for await (const { batches } of log.read(options)) expect(batches).toEqual([]);
    reading = false;
    // Each look at the clock takes a millisecond here, a slice three of them.
    expect(turns).toBeGreaterThan(COMMITS / 5);
  });
});
