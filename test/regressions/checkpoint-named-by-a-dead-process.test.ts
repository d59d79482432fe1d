/**
 * A process that died between giving a checkpoint its name and syncing that left the name to chance. The next one began from the checkpoint, and let go of what it had met, while a power cut could still
 * bring back the one before. A start syncs the names of what it begins from. Found by the simulation, seed 208272.
 */
import { expect, test } from "vitest";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

test("the checkpoint of a start is there after a power cut", async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const disk = new SimulatedDisk({ seed: Math.imul(seed, 0x9e3779b1), names: "any" });
    const db = await openInMemory(disk, { warm: 0 });
    await sql(db, "CREATE TABLE t (k int4 PRIMARY KEY, v text)");
    await sql(db, "INSERT INTO t VALUES (1, 'one'), (2, 'two')");
    await db.checkpoint();
    await sql(db, "DELETE FROM t WHERE k = 1");
    await sql(db, "INSERT INTO t VALUES (3, 'three')");
    await db.settled();
    disk.crashAfter(1, /^sync directory \/data\/checkpoint/);
    await db.checkpoint().catch(() => {});
    expect(disk.crashed).toBe(true);
    const dead = disk.reboot("process");
    await db.close().catch(() => {});
    const next = await openInMemory(dead, { warm: 0 });
    const begun = next.stats().checkpointPosition;
    const cut = dead.reboot("power cut");
    await next.close().catch(() => {});
    const reports: string[] = [];
    const last = await openInMemory(cut, { warm: 0, report: (line) => reports.push(line) });
    expect(reports.filter((line) => line.startsWith("the checkpoint is not used"))).toEqual([]);
    expect(last.stats().checkpointPosition).toBe(begun);
    expect(await rowsOf(last, "SELECT k FROM t ORDER BY k")).toEqual([["2"], ["3"]]);
    await last.close();
  }
});
