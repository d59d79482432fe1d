import { beforeEach, describe, expect, test } from "vitest";
import { type ClockJump, FORWARD_JUMP_US_MAX, LogTime } from "../../src/log/log-time.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";

const START = 1_000_000_000_000_000;
const SECOND = 1_000_000;

let clock: SimulatedClock;
let jumps: ClockJump[];
const timeFrom = (lastUs: number): LogTime => new LogTime(clock, lastUs, (jump) => jumps.push(jump));
beforeEach(() => {
  clock = new SimulatedClock(START);
  jumps = [];
});

describe("log time", () => {
  test("follows the wall clock, also through hours in which nothing happens", () => {
    const time = timeFrom(0);
    expect(time.stamp()).toBe(START);
    clock.advance(SECOND);
    expect(time.stamp()).toBe(START + SECOND);
    clock.advance(100 * 3600 * SECOND);
    expect(time.stamp()).toBe(START + SECOND + 100 * 3600 * SECOND);
    expect(jumps).toEqual([]);
  });

  test("stands still while the wall clock is behind it, and says so once", () => {
    const time = timeFrom(0);
    time.stamp();
    clock.setWall(START - 10 * SECOND);
    expect(time.stamp()).toBe(START);
    clock.advance(SECOND);
    expect(time.stamp()).toBe(START);
    expect(jumps).toEqual([{ direction: "backward", wallUs: START - 10 * SECOND, timeUs: START }]);
    clock.advance(10 * SECOND);
    expect(time.stamp()).toBe(START + SECOND);
    clock.setWall(START);
    time.stamp();
    expect(jumps).toHaveLength(2);
  });

  test("does not follow a leap of more than an hour; it goes on with the monotonic clock until the wall clock is back", () => {
    const time = timeFrom(0);
    time.stamp();
    clock.setWall(START + 365 * 24 * 3600 * SECOND);
    clock.advance(SECOND);
    expect(time.stamp()).toBe(START + SECOND);
    clock.advance(SECOND);
    expect(time.stamp()).toBe(START + 2 * SECOND);
    expect(jumps.map(({ direction }) => direction)).toEqual(["forward"]);
    clock.setWall(START + 5 * SECOND);
    expect(time.stamp()).toBe(START + 5 * SECOND);
  });

  test("follows a leap of an hour", () => {
    const time = timeFrom(0);
    time.stamp();
    clock.setWall(START + FORWARD_JUMP_US_MAX);
    expect(time.stamp()).toBe(START + FORWARD_JUMP_US_MAX);
    clock.setWall(START + 2 * FORWARD_JUMP_US_MAX + 1);
    expect(time.stamp()).toBe(START + FORWARD_JUMP_US_MAX);
  });

  test("after opening believes any later time, and none before the last stamp", () => {
    expect(timeFrom(START - 1000 * 24 * 3600 * SECOND).stamp()).toBe(START);
    expect(jumps).toEqual([]);
    expect(timeFrom(START + 7).stamp()).toBe(START + 7);
    expect(jumps).toEqual([{ direction: "backward", wallUs: START, timeUs: START + 7 }]);
  });
});
