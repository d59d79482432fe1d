/**
 * A replica was told of a promotion of a view's version, and that the version before was dropped, before both were durable there: the drop was done, and who read the view by its plain name, at the position before, found
 * no view, or an older version. Found by the simulation of copies, seed 7201998.
 */
import { expect, it } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { started } from "../engine/replica/nodes.ts";
import { level, Node, until } from "../engine/replica/support.ts";
import { HeldLog } from "../engine/support/held-log.ts";
import { rowsOf, sql } from "../engine/support/memory.ts";

for (const [which, dropped] of [
  ["the first", "charts@1"],
  ["a later one", "charts@2"],
] as const)
  it(`a plain name means ${which} until what it is to mean is shown`, async () => {
    const leader = await started();
    const { db } = leader;
    await sql(db, "CREATE TABLE t (a int4 PRIMARY KEY); INSERT INTO t VALUES (1), (2), (3)");
    await sql(db, "CREATE MATERIALIZED VIEW charts AS SELECT a FROM t WHERE a = 1");
    await db.versions.build("charts", "SELECT a FROM t WHERE a = 2");
    await db.versions.build("charts", "SELECT a FROM t WHERE a = 3");
    if (dropped === "charts@2") await db.versions.promote("charts", 2);
    const held = new HeldLog(new SimulatedDisk());
    const follow = { url: leader.url };
    const replica = await Node.start({ follow }, held as unknown as SimulatedDisk);
    await level(db, replica.db);
    const { position } = replica.db;
    const before = await rowsOf(replica.db, "SELECT a FROM charts");
    held.writes.close();
    await db.versions.promote("charts", 3);
    const promoted = Number(db.position);
    await db.dropView(dropped);
    await until(() => replica.db.core.log.lastPosition >= promoted);
    for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(replica.db.position).toBe(position);
    expect(await rowsOf(replica.db, "SELECT a FROM charts")).toEqual(before);
    held.writes.open();
    await level(db, replica.db);
    expect(await rowsOf(replica.db, "SELECT a FROM charts")).toEqual([["3"]]);
    expect(replica.db.views().map(({ name }) => name)).not.toContain(dropped);
    await replica.stop();
  });
