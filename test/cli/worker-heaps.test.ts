import { expect, it } from "vitest";
import { workerRoomMib } from "../../src/cli/worker-heaps.ts";

const GIB = 2 ** 30;

it("gives each worker room, of what state may take a small part in all", () => {
  expect(workerRoomMib(3, 8 * GIB)).toBe(256);
  expect(workerRoomMib(3, 2 * GIB)).toBe(85);
  expect(workerRoomMib(16, 8 * GIB)).toBe(64);
});

it("leaves the collector alone where there are no workers, or little memory", () => {
  expect(workerRoomMib(0, 8 * GIB)).toBe(0);
  expect(workerRoomMib(3, GIB / 2)).toBe(0);
});
