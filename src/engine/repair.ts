/** A data directory whose log is damaged, made one that a server starts on: the log, and what was made from it. */
import type { Clock } from "../base/clock.ts";
import type { Disk } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { type RepairReport, repairLog } from "../log/repair/repair.ts";
import { CHECKPOINT_DIRECTORY } from "./checkpoint/checkpointing.ts";
import { KeptNote } from "./replica/note.ts";

export type { RepairReport };

/** REQUIRES that no process has the directory open. @throws EvertError as repairLog; invalid_request for a replica's */
export async function repairDirectory(directory: string, disk: Disk, clock: Clock): Promise<RepairReport> {
  const leader = (await KeptNote.read(disk, directory)).note?.follows ?? null;
  if (leader !== null) {
    throw new EvertError("invalid_request", `${directory} is a replica of ${leader}`, {
      detail: "Repaired, it would follow on without what is lost here, which its leader has.",
      hint: "Start it with --follow on an empty directory. If it is to lead with what is left, since no other copy is, remove its replica.json and repair it then.",
    });
  }
  return repairLog({ directory, disk, clock, derived: [CHECKPOINT_DIRECTORY] });
}
