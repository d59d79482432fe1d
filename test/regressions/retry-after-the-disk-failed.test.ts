/** A retry with the idempotency key of a commit that was staged when the disk failed waited for ever to hear that it is durable. */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("a retry is refused, as the first attempt was", async () => {
  const disk = new SimulatedDisk();
  const db = await openInMemory(disk, { onFatal: () => {} });
  await sql(db, "CREATE TABLE t (n int) WITH (append_only)");
  disk.fail({ operation: "datasync", path: /\.log$/, code: "EIO" });
  const append = () => db.append("t", [{ n: 1 }], { idempotencyKey: "one" });
  await expect(append()).rejects.toMatchObject({ code: "io_error" });
  await expect(append()).rejects.toMatchObject({ code: "io_error" });
  await db.close().catch(() => undefined);
});
