/** A data directory whose log may be damaged: what it lacks, and how it is made one that a server starts on: the log, and what was made from it. */
import type { Clock } from "../base/clock.ts";
import { type Disk, joinPath } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { readManifest } from "../log/backup.ts";
import { type CheckReport, checkLog } from "../log/check.ts";
import type { Reached } from "../log/reached.ts";
import { type RepairReport, repairLog } from "../log/repair/repair.ts";
import { CHECKPOINT_DIRECTORY, checkpointed } from "./checkpoint/checkpointing.ts";
import { KeptNote } from "./replica/note.ts";

export type { RepairReport };

/**
 * As checkLog; what the log had come to is known from what was made of it, or from the list of a backup. @throws EvertError as checkLog; log_damaged:
 * that list is not as it was written
 */
export async function checkDirectory(directory: string, disk: Disk): Promise<CheckReport> {
  return checkLog(
    directory,
    disk,
    (await readManifest(disk, directory)) ?? (await reachedBefore(directory, disk)),
  );
}

/** How far the log had come that is led from here, as far as its checkpoint says. A replica gets from its leader what it lacks. */
async function reachedBefore(directory: string, disk: Disk): Promise<Reached | null> {
  const follows = (await KeptNote.read(disk, directory)).note?.follows ?? null;
  return follows === null ? checkpointed(disk, joinPath(directory, CHECKPOINT_DIRECTORY)) : null;
}

/** REQUIRES that no process has the directory open. @throws EvertError as repairLog; invalid_request for a replica's */
export async function repairDirectory(directory: string, disk: Disk, clock: Clock): Promise<RepairReport> {
  const leader = (await KeptNote.read(disk, directory)).note?.follows ?? null;
  if (leader !== null) {
    throw new EvertError("invalid_request", `${directory} is a replica of ${leader}`, {
      detail: "Repaired, it would follow on without what is lost here, which its leader has.",
      hint: "Start it with --follow on an empty directory. If it is to lead with what is left, since no other copy is, remove its replica.json and repair it then.",
    });
  }
  const reached = await reachedBefore(directory, disk);
  return repairLog({ directory, disk, clock, derived: [CHECKPOINT_DIRECTORY], reached });
}
