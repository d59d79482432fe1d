/** docs/LOG-FORMAT.md says what the code does: its example of a sealed segment, byte for byte. */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { documentedBytes, documentedLog, hexOf, room } from "../harness.ts";

test("the example", async () => {
  const expected = await documentedBytes("sealed");
  expect(expected).toHaveLength(249);

  const disk = new SimulatedDisk();
  const log = await documentedLog(disk);
  // What does not fit begins the next segment, and this one is full.
  await room(log, 66_000);
  const third = log.begin();
  third.appendRow(5, { id: 9, note: "x".repeat(65_500) });
  await third.commit().durable;
  log.startSealing();
  await log.sealed();
  const written = disk.contents("/data/log/00000000000000000001.sealed");
  expect(hexOf(written)).toEqual(expected);
  await log.close();
});
