import { describe, expect, test } from "vitest";
import { EngineInterrupted, Guard } from "../../../src/dataflow/kernels/guard.ts";

const callee = { said: "function f(integer)" };

function never(): never {
  for (;;);
}

function guardOf(timeoutMs: number): Guard {
  const guard = new Guard();
  guard.timeoutMs = timeoutMs;
  return guard;
}

describe("a region", () => {
  test("gives what the work gives, and throws what it throws", () => {
    const guard = guardOf(1_000);
    expect(guard.run(() => 5)).toBe(5);
    const thrown = new RangeError("no");
    expect(() =>
      guard.run(() => {
        throw thrown;
      }),
    ).toThrow(thrown);
    expect(guard.run(() => guard.run(() => 6))).toBe(6);
  });

  test("ends a function that does not return, and names it", () => {
    const guard = guardOf(50);
    const hang = () =>
      guard.run(() => {
        guard.running = callee;
        never();
      });
    expect(hang).toThrow("function f(integer) did not return within 50 ms");
    expect(guard.running).toBeNull();
    expect(hang).toThrow("function f(integer) did not return within 50 ms");
    expect(guard.run(() => 7)).toBe(7);
  });

  test("inside another is part of it", () => {
    const guard = guardOf(50);
    const hang = () =>
      guard.run(() =>
        guard.run(() => {
          guard.running = callee;
          never();
        }),
      );
    expect(hang).toThrow("function f(integer) did not return within 50 ms");
  });

  test("that ends the engine's own work says so", () => {
    expect(() => guardOf(50).run(never)).toThrow(EngineInterrupted);
  });

  test("tells the owner of the state that the engine was ended, and of functions nothing", () => {
    const told: EngineInterrupted[] = [];
    const guard = guardOf(50);
    guard.onInterrupted = (error) => told.push(error);
    const hang = () =>
      guard.run(() => {
        guard.running = callee;
        never();
      });
    expect(hang).toThrow("did not return");
    expect(told).toEqual([]);
    expect(() => guard.run(never)).toThrow(EngineInterrupted);
    expect(told).toHaveLength(1);
  });

  test("is late after a while, and nothing is late outside", () => {
    const guard = guardOf(1_000);
    expect(guard.late()).toBe(false);
    guard.run(() => {
      while (!guard.late());
    });
    expect(guard.late()).toBe(false);
  });

  test("is none where there is no limit", () => {
    const guard = guardOf(0);
    guard.run(() => {
      const until = performance.now() + 20;
      while (performance.now() < until);
      expect(guard.late()).toBe(false);
    });
  });
});
