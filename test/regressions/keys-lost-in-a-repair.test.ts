/**
 * Where a page of commits in a sealed segment is damaged, its commits stay, and their idempotency keys are lost: a request that is sent again is stored once more. No report said so.
 * Found by the simulation: seeds 56 and 136, `--afterwards`.
 */
import { expect, test } from "vitest";
import { repairDirectory } from "../../src/engine/repair.ts";
import { openSealed } from "../../src/log/sealed/sealed-segment.ts";
import { parseSegmentName } from "../../src/log/segment.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test.each([true, false])("the report names commits whose keys are lost; with keys: %s", async (hasKeys) => {
  const before = new SimulatedDisk({ seed: 1 });
  let db = await openInMemory(before, { segmentBytes: 64 << 10 });
  await sql(db, "CREATE TABLE t (k int4, s text) WITH (append_only)");
  for (let k = 0; k < 60; k++)
    await db.append("t", [{ k, s: "x".repeat(2_000) }], hasKeys ? { idempotencyKey: `key ${k}` } : {});
  await db.core.log.sealed();
  await db.close();
  const disk = before.reboot("process");
  const path = disk.files().find((name) => name.endsWith("1.sealed"))!;
  const { firstPosition, generation } = parseSegmentName(path.slice(path.lastIndexOf("/") + 1))!;
  const { directory } = await openSealed(disk, path, firstPosition, generation);
  const [{ page, commits }] = directory.commitPages as [(typeof directory.commitPages)[number]];
  disk.corrupt(path, page.at + page.bytes - 1, (byte) => byte ^ 1);
  const report = await repairDirectory("/data", disk, new SimulatedClock());
  expect(report).toMatchObject({ positions: [], rows: [] });
  expect(report.keys).toEqual(hasKeys ? [{ first: 1, last: commits }] : []);
  db = await openInMemory(disk, { segmentBytes: 64 << 10 });
  expect(await rowsOf(db, "SELECT count(*) FROM t")).toEqual([["60"]]);
  await db.close();
});
