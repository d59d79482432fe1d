/**
 * A replica seals and compacts its own files, which have the names that the leader's have and not always the same content. A backup of the leader that went on with
 * the promoted replica took the files for those it had: what it said to be there was not what was there, and rows could have come back whose deletes were in neither.
 */
import { expect, it } from "vitest";
import { restoreBackup } from "../../src/engine/restore-backup.ts";
import { type BackupSource, backupLog, readManifest } from "../../src/log/backup.ts";
import { checkLog } from "../../src/log/check.ts";
import { SimulatedClock } from "../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../src/testing/simulated-disk.ts";
import { started } from "../engine/replica/nodes.ts";
import { level, type Node } from "../engine/replica/support.ts";
import { sql } from "../engine/support/memory.ts";

it("a backup of one server does not go on with another whose files differ", async () => {
  const clock = new SimulatedClock();
  const leader = await started({ clock });
  const tables = Array.from(
    { length: 4 },
    (_, i) => `CREATE TABLE t${i} (k int4 PRIMARY KEY, a text) WITH (compact, tombstones_for = '0 s')`,
  );
  await sql(leader.db, tables.join(";"));
  const replica = await started({ follow: { url: leader.url } });
  let n = 0;
  const fill = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++, n++)
      await leader.db.transact([
        { topic: `t${n % 4}`, upsert: [{ k: n % 50, a: `${n} `.repeat(150 + (n % 100)) }] },
      ]);
  };
  await fill(150);
  await level(leader.db, replica.db);
  await leader.db.core.log.sealed();
  await leader.db.compact();
  await fill(300);
  await sql(leader.db, "DROP TABLE t3");
  await level(leader.db, replica.db);
  await leader.db.core.log.sealed();
  await leader.db.compact();
  const disk = new SimulatedDisk();
  const sourceOf = ({ db }: Node): BackupSource => ({
    files: () => Promise.resolve(db.core.log.files()),
    read: (name: string, from: number, to: number) => db.core.log.readFile(name, from, to),
  });
  await backupLog({ source: sourceOf(leader), directory: "/backup", disk, now: 0 });
  // The same server goes on with its backup; so does a replica with the same files.
  expect((await backupLog({ source: sourceOf(leader), directory: "/backup", disk, now: 1 })).copied).toBe(0);
  const before = await readManifest(disk, "/backup");
  await leader.stop();
  await replica.db.replication.promote();
  await replica.db.core.log.sealed();
  await replica.db.compact();
  const refused = backupLog({ source: sourceOf(replica), directory: "/backup", disk, now: 2 });
  await expect(refused).rejects.toMatchObject({
    code: "invalid_request",
    message: "/backup is a backup of another server",
  });
  expect(await readManifest(disk, "/backup")).toEqual(before);
  await restoreBackup({ backup: "/backup", directory: "/restored", disk });
  await backupLog({ source: sourceOf(replica), directory: "/another", disk, now: 2 });
  await restoreBackup({ backup: "/another", directory: "/restored-2", disk });
  expect((await checkLog("/restored-2", disk)).damages).toEqual([]);
});
