/**
 * A copy of the log that has parted from its leader's begins again: `--rejoin`.
 *
 * 1. The leader is asked whether this copy can follow. Where it can, nothing is done.
 * 2. Where the two have parted, the files of the log move to DATA/diverged-N, N being its last position, the newest first: a crash in between leaves
 *    a log that ends earlier, which is asked about once more. What is derived from the log goes.
 *
 * The directory is empty then, and follows like a new one. What was kept aside is a log of its own: moved to a directory's folder `log`, it opens.
 */
import { type Disk, joinPath } from "../../base/disk.ts";
import { toEvertError } from "../../base/errors.ts";
import { LOG_DIRECTORY, lockDirectory } from "../../log/lock.ts";
import type { LogIntake } from "../../log/log.ts";
import type { LogOptions } from "../../log/log-options.ts";
import { openLog } from "../../log/open-log.ts";
import { CATALOG_ENTRY } from "../catalog/hidden-topics.ts";
import { CHECKPOINT_DIRECTORY, removeManifest } from "../checkpoint/checkpointing.ts";
import { readCatalog } from "../checkpoint/restore.ts";
import type { Leader } from "./leader.ts";

/** @throws EvertError connection_failed where the leader does not answer */
export async function rejoin(
  options: LogOptions,
  leader: Leader,
  id: string,
  report: (message: string) => void,
): Promise<void> {
  const { disk, directory } = options;
  const end = await divergedAt(options, leader, id);
  if (end === null) return;
  const lock = await lockDirectory(disk, directory);
  try {
    // A power cut must not bring back the state of a history that is not this directory's any more.
    const checkpoint = joinPath(directory, CHECKPOINT_DIRECTORY);
    // Also where none is found: a process that died here may have removed it, and not yet on the disk.
    await disk.makeDirectory(checkpoint);
    await removeManifest(disk, checkpoint);
    const aside = joinPath(directory, await freeName(disk, directory, `diverged-${end}`));
    const from = joinPath(directory, LOG_DIRECTORY);
    await disk.makeDirectory(aside);
    for (const name of (await disk.list(from)).reverse())
      await disk.rename(joinPath(from, name), joinPath(aside, name));
    for (const path of [aside, from, directory]) await disk.syncDirectory(path);
    await disk.removeTree(checkpoint);
    report(
      `the log that has parted from the leader's is kept in ${aside}; a copy of the leader's takes its place`,
    );
  } finally {
    await lock.release();
  }
}

/** Its last position, if this copy of the log and the leader's have parted; else null. */
async function divergedAt(options: LogOptions, leader: Leader, id: string): Promise<number | null> {
  const log = await openLog({ ...options, following: { logId: () => leader.logId() } });
  try {
    const { id: topicId, schemaVersion, schema } = CATALOG_ENTRY;
    log.registerTopic({ topicId, schemaVersion, schema });
    const { epochs } = (await readCatalog(log, null, new Map())).catalog;
    const { position, timeUs } = (log.intake as LogIntake).end;
    if (position === 0) return null;
    const asking = new AbortController();
    try {
      const request = { follower: id, logId: log.logId, from: position + 1, timeUs, epochs };
      await leader.follow(request, asking.signal);
      return null;
    } catch (thrown) {
      if (toEvertError(thrown).code !== "diverged") throw thrown;
      return position;
    } finally {
      asking.abort();
    }
  } finally {
    await log.close();
  }
}

/** With a number behind it where the name is taken. */
async function freeName(disk: Disk, directory: string, wanted: string): Promise<string> {
  for (let n = 1; ; n++) {
    const name = n === 1 ? wanted : `${wanted}-${n}`;
    try {
      if ((await disk.list(joinPath(directory, name))).length === 0) return name;
    } catch (error) {
      if (toEvertError(error).code === "not_found") return name;
      throw error;
    }
  }
}
