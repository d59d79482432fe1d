/**
 * A replica takes a leader that is silent for ten seconds for gone, but waited five minutes for the answer to begin, and for each piece of a file; and a message that took longer than ten seconds
 * on its way, as a large commit over a slow line, was given up and asked for anew, and given up.
 */
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type { Core } from "../../src/engine/core.ts";
import { Follower } from "../../src/engine/replica/follower.ts";
import type { Leader } from "../../src/engine/replica/leader.ts";
import {
  encodeMessage,
  type Hello,
  jsonPayload,
  type Message,
  MessageReader,
  type SealedFile,
} from "../../src/engine/replica/messages.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => vi.useRealTimers());

function bytesOf(kind: Message["kind"], value: Hello | SealedFile): Uint8Array {
  const pieces = encodeMessage({ kind, segment: 1, position: 9, behind: 0, payload: jsonPayload(value) });
  return Buffer.concat(pieces);
}
const hello = bytesOf("hello", { logId: 7, epochs: [], waits: false });

function never(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
}

async function following(leader: Partial<Leader>) {
  const reports: string[] = [];
  const disk = new SimulatedDisk();
  await disk.makeDirectory("/d");
  const core = {
    log: {
      intake: { end: { position: 0, timeUs: 0 }, incomingPath: "/d/incoming" },
      onDurable: () => () => {},
      logId: 7,
      durablePosition: 0,
    },
    catalog: { epochs: [] },
    clock: { monotonicUs: () => 0 },
    stepper: { position: 0 },
    publisher: { moments: { isWhole: true } },
    failure: null,
  } as unknown as Core;
  const options = { core, disk, id: "a", report: (text: string) => reports.push(text), onLevel: () => {} };
  const follower = new Follower({
    ...options,
    leader: { ...others, ...leader },
  });
  follower.start();
  return { follower, reports };
}

const others: Leader = {
  url: "http://a",
  logId: async () => 7,
  follow: () => expect.unreachable(),
  file: () => expect.unreachable(),
  progress: async () => {},
  fence: async () => {},
};

/** Pieces, each so many milliseconds after the one before; then silence. */
function reader(pieces: readonly Uint8Array[], everyMs: number, signal: AbortSignal): MessageReader {
  const left = [...pieces];
  return new MessageReader({
    next: async () => {
      const value = left.shift();
      if (value === undefined) return never(signal);
      await new Promise((resolve) => setTimeout(resolve, everyMs));
      return { done: false, value };
    },
  });
}

it("is given up where its answer does not begin", async () => {
  const { follower, reports } = await following({
    follow: (_, signal) => never(signal),
  });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reports).toEqual([expect.stringContaining("nothing has been heard of it for 10 seconds")]);
  await follower.stop({ abort: true });
});

it("is given up where a file does not come", async () => {
  const sealed = bytesOf("sealed", { name: "00000001", bytes: 100 });
  const { follower, reports } = await following({
    follow: async (_, signal) => reader([hello, sealed], 0, signal),
    async *file(_name, _bytes, signal) {
      yield new Uint8Array(10);
      yield await never(signal);
    },
  });
  await vi.waitFor(async () => {
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reports).toEqual([expect.stringContaining("nothing has been heard of it for 10 seconds")]);
  });
  await follower.stop({ abort: true });
});

it("is heard where the replica itself has slept: what came meanwhile is read first", async () => {
  let come: () => void = () => {};
  const { follower, reports } = await following({
    follow: async (_, signal) =>
      new MessageReader({
        next: () =>
          new Promise((resolve, reject) => {
            come = () => resolve({ done: false, value: hello });
            signal.addEventListener("abort", () => reject(signal.reason));
          }),
      }),
  });
  for (let n = 0; n < 100; n++) await Promise.resolve();
  for (let night = 0; night < 3; night++) {
    // After a sleep, all that is due is called before anything is read, each timer once.
    vi.advanceTimersToNextTimer();
    come();
    for (let n = 0; n < 100; n++) await Promise.resolve();
    expect(reports).toEqual([]);
  }
  await vi.advanceTimersByTimeAsync(10_000);
  expect(reports).toEqual([expect.stringContaining("nothing has been heard of it for 10 seconds")]);
  await follower.stop({ abort: true });
});

it("is heard where a message takes its time", async () => {
  const pieces = [0, 20, 40, 60].map((at, i, all) => hello.subarray(at, all[i + 1] ?? hello.length));
  const { follower, reports } = await following({
    follow: async (_, signal) => reader(pieces, 6_000, signal),
  });
  await vi.advanceTimersByTimeAsync(24_000);
  expect(reports).toEqual([]);
  expect(follower.status()).toMatchObject({ state: "following" });
  await follower.stop({ abort: true });
});
