/**
 * A start that answered reads while it caught up, and then could not read what the log's own tables say, let in those who waited to write before it failed: what they
 * sent was judged by empty tables, so that a producer's request could be stored twice. Found by the simulation, with rows on disk.
 */
import { expect, it, vi } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { Core } from "../../src/engine/core.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("who waits to write is told that the start has failed", async () => {
  const disk = new SimulatedDisk();
  const first = await openInMemory(disk);
  await sql(first, "CREATE TABLE t (k int4 PRIMARY KEY)");
  await first.checkpoint();
  await first.append("t", [{ k: 1 }]);
  const again = disk.reboot("process");
  await first.close().catch(() => {});
  const damaged = new EvertError("log_damaged", "a file of rows that are not in memory is damaged");
  vi.spyOn(Core.prototype, "loadOwn").mockRejectedValueOnce(damaged);
  const fatal: unknown[] = [];
  const db = await openInMemory(again, { answerWhileCatchingUp: true, onFatal: (e) => fatal.push(e) });
  const { lastPosition } = db.core.log;
  await expect(db.append("t", [{ k: 2 }])).rejects.toMatchObject({ code: "log_damaged" });
  expect(fatal).toMatchObject([{ code: "log_damaged" }]);
  expect(db.core.log.lastPosition).toBe(lastPosition);
  await db.close().catch(() => {});
});
