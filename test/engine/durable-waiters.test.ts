/** Who waits for a position to be durable: told in the order in which they came, refused when their time is over, and held no longer than that. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { DurableWaiters } from "../../src/engine/write/durable-waiters.ts";
import type { Log } from "../../src/log/log.ts";

const TIMEOUT_MS = 1000;

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function waitersFor(replicas: number): DurableWaiters {
  const late = (position: number): EvertError => new EvertError("timeout", `${position} is late`);
  const requirement = replicas === 0 ? null : { timeoutMs: TIMEOUT_MS, late };
  return new DurableWaiters({ durablePosition: 0, requirement } as unknown as Log);
}

/** What each is told, in the order in which they are. */
function heard(told: string[], name: string, wait: Promise<void>): void {
  wait.then(
    () => told.push(name),
    (error: EvertError) => told.push(`${name}: ${error.code}`),
  );
}

test("who is out of time leaves, and only those; who came later is told when it is durable", async () => {
  const waiters = waitersFor(1);
  const told: string[] = [];
  for (let i = 0; i < 5; i++) heard(told, `early ${i}`, waiters.acknowledged(7));
  heard(told, "without time", waiters.wait(7));
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
  heard(told, "later", waiters.told(7));
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS / 2);
  expect(told).toEqual([0, 1, 2, 3, 4].map((i) => `early ${i}: timeout`));
  expect(waiters.size).toBe(2);

  told.length = 0;
  waiters.advanced(7);
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  expect(told).toEqual(["without time", "later"]);
  expect(waiters.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
});

test("a position tells those who wait for it or for less, in the order in which they came", async () => {
  const waiters = waitersFor(0);
  const told: string[] = [];
  for (const position of [3, 1, 5, 2]) heard(told, `${position}`, waiters.wait(position));
  waiters.advanced(3);
  await vi.advanceTimersByTimeAsync(0);
  expect(told).toEqual(["3", "1", "2"]);
  expect(waiters.size).toBe(1);
});

test("a failure is told to all who wait, and to who comes then", async () => {
  const waiters = waitersFor(1);
  const told: string[] = [];
  heard(told, "bound to time", waiters.acknowledged(2));
  heard(told, "not bound", waiters.wait(3));
  waiters.fail(new EvertError("not_leader", "another one leads"));
  heard(told, "too late", waiters.told(2));
  await vi.advanceTimersByTimeAsync(TIMEOUT_MS);
  expect([...told].sort()).toEqual([
    "bound to time: not_leader",
    "not bound: not_leader",
    "too late: not_leader",
  ]);
  expect(waiters.size).toBe(0);
});
