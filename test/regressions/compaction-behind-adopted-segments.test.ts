/**
 * A replica whose last commits came in a sealed segment was taken for one that is being appended to, until frames came behind it: who works in the background left room to
 * them, and waited for ever (seed 65000296 of copies: erasing a key on a copy never ended).
 */
import { expect, it } from "vitest";
import { writeFully } from "../../src/base/disk.ts";
import type { LogIntake } from "../../src/log/log.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openSmall, room, stage } from "../log/harness.ts";
import { rules, sealAll, TABLE, topicRows } from "../log/keeping/support.ts";

it("compacts what has been adopted, though nobody appends behind it", async () => {
  const leader = await openSmall(new SimulatedDisk(), { segmentBytes: 1 << 20 });
  for (let n = 0; n < 60; n++) {
    await room(leader, 61_000);
    await stage(leader, [{ topicId: TABLE, id: 1, note: "n".repeat(60_000) }]).durable;
  }
  await sealAll(leader);
  const disk = new SimulatedDisk();
  const copy = await openSmall(disk, { following: { logId: () => Promise.resolve(leader.logId) } });
  const intake = copy.intake as LogIntake;
  const stored = leader.stored(1);
  for (let piece = await stored.next(); piece?.kind === "sealed"; piece = await stored.next()) {
    const { name, bytes } = piece.file;
    const file = await disk.open(intake.incomingPath, "write");
    await file.truncate(0);
    let at = 0;
    for await (const part of leader.readFile(name, 0, bytes)) {
      await writeFully(file, part, at);
      at += part.length;
    }
    await file.datasync();
    await file.close();
    await intake.adopt(name);
  }
  await stored.close();
  const before = copy.lastPosition;
  expect(before).toBeGreaterThan(10);

  copy.keep(rules({ [TABLE]: { tombstonesForUs: 0 } }));
  await copy.compact();
  expect((await topicRows(copy, TABLE, 0)).map(({ id }) => id)).toEqual([1]);
  expect(copy.stats().keeping.rows).toBe(before - 1);
  await copy.close();
  await leader.close();
});
