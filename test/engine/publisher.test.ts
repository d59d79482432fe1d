import { expect, it } from "vitest";
import { EvertError } from "../../src/base/errors.ts";
import { Publisher } from "../../src/engine/publisher.ts";
import { int4, open, sql as query, table, view } from "../../src/index.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { HeldLog } from "./support/held-log.ts";
import { openInMemory, sql } from "./support/memory.ts";

it("an epoch is shown when its last commit is durable, and not before", async () => {
  const publisher = new Publisher(
    () => {},
    () => {},
  );
  let shown = false;
  const waits = publisher.shown(2).then(() => {
    shown = true;
  });
  publisher.stepped(1, 5, new Map());
  publisher.stepped(2, 6, new Map());
  publisher.durable(5);
  await Promise.resolve();
  expect(shown).toBe(false);
  publisher.durable(6);
  await waits;
  await publisher.shown(1);
  const never = publisher.shown(3);
  publisher.fail(new EvertError("shutting_down", "over"));
  await expect(never).rejects.toThrow("over");
  await expect(publisher.shown(4)).rejects.toThrow("over");
});

it("a view is built when its rows may be read", async () => {
  const disk = new HeldLog(new SimulatedDisk());
  const db = await openInMemory(disk as unknown as SimulatedDisk);
  await sql(db, "CREATE TABLE t (k int PRIMARY KEY); INSERT INTO t VALUES (1)");
  disk.reads.close();
  const made = sql(db, "CREATE MATERIALIZED VIEW v AS SELECT k FROM t");
  while (db.views().length === 0) await new Promise((resolve) => setImmediate(resolve));
  // From here on nothing becomes durable, and the view joins at an epoch that is not.
  disk.writes.close();
  const appended = db.append("t", [{ k: 2 }]);
  let built = false;
  const waits = db.built().then(() => {
    built = true;
  });
  disk.reads.open();
  for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(built).toBe(
    db.core.publisher.published.epoch >= (db.core.views.named("v").readableFrom || Infinity),
  );
  disk.writes.open();
  await waits;
  expect((await db.view("v").rows()).rows.length).toBeGreaterThan(0);
  await Promise.all([made, appended]);
  await db.close();
});

it("an in-process subscriber is told that what it was shown no longer holds", async () => {
  const t = table("t", { key: "k", schema: { k: int4 } });
  const v = view("v", query<{ k: number }>`SELECT k FROM ${t}`);
  await using db = await open({ dir: "/data", disk: new SimulatedDisk(), topics: [t], views: [v] });
  const { position } = await db.append(t, { k: 1 });
  await db.append(t, { k: 2 });
  await db.settled();
  // Nobody watched: the steps after the position were not kept.
  const changes = db.view(v).subscribe({ from: position })[Symbol.asyncIterator]();
  const first = (await changes.next()).value;
  expect(first).toMatchObject({ reset: expect.any(String) });
  expect(first?.changes.map((c: { op: string }) => c.op)).toEqual(["insert", "insert"]);
  const next = changes.next();
  await db.append(t, { k: 3 });
  expect((await next).value).not.toHaveProperty("reset");
  await changes.return?.();
  const fresh = db.view(v).subscribe()[Symbol.asyncIterator]();
  expect((await fresh.next()).value).not.toHaveProperty("reset");
  await fresh.return?.();
});
