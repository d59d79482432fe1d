/**
 * Restored to a position behind an ALTER TABLE, a log had the records of before it as if they had been written behind it: in a form that was not defined yet where they stood. A replica that came to them did not know that form, and passed them over for those of a
 * topic that is gone. Found by the simulation, seed 7000132, when it began to restore to earlier positions.
 */
import { expect, it } from "vitest";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { backupLog } from "../../src/log/backup.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { started } from "../engine/replica/nodes.ts";
import { level, Node } from "../engine/replica/support.ts";
import { openInMemory, rowsOf, sql } from "../engine/support/memory.ts";

it("a replica of a restored log has what it has", async () => {
  const disk = new SimulatedDisk();
  const db = await openInMemory(disk);
  await sql(db, "CREATE TABLE s (a int4) WITH (append_only); CREATE TABLE t (k int4 PRIMARY KEY, gone text)");
  await sql(db, "INSERT INTO s VALUES (1), (2); INSERT INTO t VALUES (1, 'x'), (2, 'y')");
  await sql(
    db,
    "ALTER TABLE s ADD COLUMN b text DEFAULT 'later'; ALTER TABLE s ALTER COLUMN a TYPE int8; ALTER TABLE t DROP COLUMN gone",
  );
  await sql(db, "INSERT INTO s VALUES (3, 'b'); INSERT INTO t VALUES (3)");
  await sql(db, "ALTER TABLE t ADD COLUMN gone int4");
  await sql(db, "INSERT INTO t VALUES (4, 4)");
  const queries = ["SELECT a, b FROM s ORDER BY a", "SELECT * FROM t ORDER BY k"];
  const all = await Promise.all(queries.map((query) => rowsOf(db, query)));
  await backupLog({ source: db.backupSource, directory: "/backup", disk, now: 0 });
  const position = Number(db.position);
  await db.close();
  await restoreBackup({ backup: "/backup", directory: "/data2", disk, to: { position } });
  const restored = new SimulatedDisk();
  for (const path of disk.files().filter((name) => name.startsWith("/data2/log/"))) {
    await restored.makeDirectory("/data/log");
    const file = await restored.open(path.replace("/data2/", "/data/"), "write");
    await file.write(disk.contents(path), 0);
    await file.datasync();
    await file.close();
  }
  for (const name of ["/data", "/data/log"]) await restored.syncDirectory(name);
  const leader = await Node.start({}, restored);
  try {
    const replica = await started({ follow: { url: leader.url } });
    await level(leader.db, replica.db);
    for (const [i, query] of queries.entries()) {
      expect(await rowsOf(leader.db, query)).toEqual(all[i]);
      expect(await rowsOf(replica.db, query)).toEqual(all[i]);
    }
  } finally {
    await leader.stop();
  }
});
