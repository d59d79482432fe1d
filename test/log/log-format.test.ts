/** docs/LOG-FORMAT.md says what the code does: its example byte for byte, its arithmetic to the number. */
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { OP_DELETE } from "../../src/log/log.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { append, openSmall, room, schema, stage } from "./harness.ts";

const SEGMENT = "/data/log/00000000000000000001.log";

test("the example", async () => {
  const text = await readFile(new URL("../../docs/LOG-FORMAT.md", import.meta.url), "utf8");
  const block = /```bytes\n([\s\S]*?)```/.exec(text)![1]!;
  const expected = block
    .split("\n")
    .flatMap((line) => line.replace(/#.*/, "").trim().split(/\s+/))
    .filter((hex) => hex !== "");
  expect(expected).toHaveLength(176);

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
  second.commit();
  await log.close();
  const written = disk.contents(SEGMENT).subarray(0, expected.length);
  expect(Array.from(written, (byte) => byte.toString(16).padStart(2, "0"))).toEqual(expected);
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
