/** docs/LOG-FORMAT.md says what the code does: its example byte for byte, its arithmetic to the number. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, documentedBytes, documentedLog, hexOf, openSmall, room, stage } from "./harness.ts";

const SEGMENT = "/data/log/00000000000000000001.log";

test("the example", async () => {
  const expected = await documentedBytes("bytes");
  expect(expected).toHaveLength(176);

  const disk = new SimulatedDisk();
  const log = await documentedLog(disk);
  await log.close();
  const written = disk.contents(SEGMENT).subarray(0, expected.length);
  expect(hexOf(written)).toEqual(expected);
});

const roundedUp = (bytes: number): number => Math.ceil(bytes / 8) * 8;

test("the cost of one small commit", async () => {
  const log = await openSmall(new SimulatedDisk());
  await append(log, [{ topicId: 1, id: 1, note: "ab" }]);
  // Values: 4 bytes of id, 2 of text, 4 for where it ends.
  expect(log.stats().bytes).toBe(roundedUp(64 + 2 + 9 + 1 + 6 + 4 + 2 + 4));
  await log.close();
});

test("the cost of 256 commits in one group", async () => {
  const log = await openSmall(new SimulatedDisk());
  await room(log, 256 * 20);
  const receipts = Array.from({ length: 256 }, (_, id) => stage(log, [{ topicId: 1, id, note: "ab" }]));
  await Promise.all(receipts.map(({ durable }) => durable));
  const values = 256 * (4 + 2 + 4);
  const overhead = log.stats().bytes - roundedUp(values);
  expect(overhead / 256).toBeLessThan(5);
  await log.close();
});
