/**
 * A promotion of a view's version is decided when it is in the log, and shown when it is published. In between
 *
 * - a view that was made over the plain name was planned on the version that was shown; a restart and a replica planned it on the one that was decided, and said it was "made by other code", or gave it other rows;
 * - a replica that had taken in two promotions showed the second one when the first was published;
 * - who watched the name was told the step of the promotion, and those published with it, as changes of the version before.
 *
 * Found by the simulation: seeds 456, and 6, 152 and 551 of copies.
 */
import { expect, test } from "vitest";
import { EngineCatalog, type ViewEntry } from "../../src/engine/catalog/catalog.ts";
import { Publisher } from "../../src/engine/publisher.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { HeldLog } from "../engine/support/held-log.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

const OVER = "CREATE MATERIALIZED VIEW over AS SELECT count(*) AS c FROM charts";

test("a view that is made while a promotion is on its way reads the version that was promoted, also after a restart", async () => {
  const disk = new SimulatedDisk();
  const told: string[] = [];
  const options = { report: (message: string) => told.push(message) };
  const held = new HeldLog(disk);
  let db = await openInMemory(held as unknown as SimulatedDisk, options);
  await sql(db, "CREATE TABLE t (a int4 PRIMARY KEY)");
  await sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT a FROM t WHERE a > 1");
  await db.versions.build("charts", "SELECT a FROM t");
  await sql(db, "INSERT INTO t VALUES (1), (2)");
  await db.settled();
  // What is decided does not become durable, and is not shown, before the second statement is there.
  held.writes.close();
  const promoted = db.versions.promote("charts", 2);
  const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
  const { lastPosition } = db.core.log;
  while (db.core.log.lastPosition === lastPosition) await nextTurn();
  const made = sql(db, OVER);
  for (let turn = 0; turn < 20; turn++) await nextTurn();
  expect(db.core.catalog.entry("charts")?.name).toBe("charts");
  held.writes.open();
  await Promise.all([promoted, made]);
  expect(await rowsOf(db, "SELECT c FROM over")).toEqual([["2"]]);
  await expect(sql(db, 'DROP MATERIALIZED VIEW "charts@2"')).rejects.toThrow("cannot drop");
  await db.versions.promote("charts", 1);
  expect(await rowsOf(db, "SELECT c FROM over")).toEqual([["2"]]);
  await db.close();
  db = await openInMemory(disk, options);
  await db.built();
  expect(await rowsOf(db, "SELECT c FROM over")).toEqual([["2"]]);
  expect(told).toEqual([]);
  await db.close();
});

function view(id: number, name: string): ViewEntry {
  const entry = {
    id,
    name,
    sql: "SELECT 1",
    params: [],
    columns: null,
    onError: "fail",
    version: null,
  } as const;
  return { kind: "view", materialized: true, fingerprint: "", ...entry };
}

test("of two promotions that are decided the first is shown when it is published", () => {
  const catalog = new EngineCatalog();
  for (const [id, name] of ["charts", "charts@2", "charts@3"].entries())
    catalog.apply({ event: "create", entry: view(id + 1, name) });
  const promotion = { event: "promote", name: "charts", others: [] } as const;
  catalog.promote({ ...promotion, version: 2, previous: 1 });
  catalog.promote({ ...promotion, version: 3, previous: 2 });
  expect([catalog.entry("charts")?.id, catalog.decidedEntry("charts")?.id]).toEqual([1, 3]);
  catalog.promotions.show("charts", 2);
  expect([catalog.entry("charts")?.id, catalog.decidedEntry("charts")?.id]).toEqual([2, 3]);
  catalog.promotions.show("charts", 3);
  expect([catalog.entry("charts")?.id, catalog.decidedEntry("charts")?.id]).toEqual([3, 3]);
});

test("what a promotion changes is changed before anybody is told of its step, or of one that is published with it", () => {
  const done: string[] = [];
  const publisher = new Publisher(
    ({ epoch }) => done.push(`${epoch} is published`),
    () => {},
  );
  for (const epoch of [1, 2, 3]) publisher.stepped(epoch, epoch, new Map());
  publisher.whenShown(2, () => done.push("2 is shown"));
  publisher.durable(1);
  publisher.durable(3);
  publisher.whenShown(3, () => done.push("3 is shown"));
  expect(done).toEqual(["1 is published", "2 is shown", "2 is published", "3 is published", "3 is shown"]);
});
