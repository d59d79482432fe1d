/**
 * Behind positions that are shown to nobody, subscribers begin anew. The frames that were kept for them, up to 128 MiB of a view, stayed as long as there was no other such gap, though nobody could
 * ever be told them.
 */
import { queryObjects } from "node:v8";
import { expect, it } from "vitest";
import { FrameLog } from "../../src/views/frame-log.ts";
import { openInMemory, sql } from "../engine/support/memory.ts";

it("lets go of frames that nobody waits for any more", async () => {
  const db = await openInMemory();
  await sql(db, "CREATE TABLE t (id int PRIMARY KEY); CREATE MATERIALIZED VIEW v AS SELECT id FROM t");
  const items = db.subscribe([{ view: "v" }])[Symbol.asyncIterator]();
  const next = async () => (await items.next()).value;
  expect(await next()).toMatchObject({ type: "snapshot" });
  const { position } = await db.append("t", [{ id: 1 }]);
  expect(await next()).toMatchObject({ type: "step", position });
  // As where rows were taken out of what a replica is fed.
  db.core.publisher.moments.lackUntil(Number(position) + 2);
  for (const id of [2, 3]) await db.append("t", [{ id }]);
  expect(await next()).toMatchObject({ type: "reset" });
  expect(await next()).toMatchObject({ type: "snapshot" });
  const after = await db.append("t", [{ id: 4 }]);
  expect(await next()).toMatchObject({ type: "step", position: after.position });
  expect(queryObjects(FrameLog, { format: "count" })).toBe(1);
  await items.return?.(undefined);
  await db.close();
});
