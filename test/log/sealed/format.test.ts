/** docs/LOG-FORMAT.md says what the code does: its example of a sealed segment, byte for byte. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { OP_DELETE } from "../../../src/log/log.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { openSmall, room, schema } from "../harness.ts";

test("the example", async () => {
  const text = await readFile(new URL("../../../docs/LOG-FORMAT.md", import.meta.url), "utf8");
  const block = /```sealed\n([\s\S]*?)```/.exec(text)![1]!;
  const expected = block
    .split("\n")
    .flatMap((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter((hex) => hex !== "");
  expect(expected).toHaveLength(249);

  const disk = new SimulatedDisk();
  const clock = new SimulatedClock(1_700_000_000_000_000);
  const log = await openSmall(disk, {
    clock,
    random: {
      bytes: (target) => {
        target.set([0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01]);
        return target;
      },
    },
  });
  log.registerTopic({ topicId: 5, schemaVersion: 1, schema, keyColumns: [0] });
  await room(log, 100);
  const first = log.begin({ idempotencyKey: "k1", requestDigest: "d" });
  first.appendRow(5, { id: 7, note: "ab" });
  first.commit();
  clock.advance(1500);
  const second = log.begin();
  second.appendRow(5, { id: 8 }, OP_DELETE);
  await second.commit().durable;
  // What does not fit begins the next segment, and this one is full.
  await room(log, 66_000);
  const third = log.begin();
  third.appendRow(5, { id: 9, note: "x".repeat(65_500) });
  await third.commit().durable;
  log.startSealing();
  await log.sealed();
  const written = disk.contents("/data/log/00000000000000000001.sealed");
  expect(Array.from(written, (byte) => byte.toString(16).padStart(2, "0"))).toEqual(expected);
  await log.close();
});
