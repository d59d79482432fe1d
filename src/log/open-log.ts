/** Opening the log in files: its directory is locked, leftovers are removed, what a crash left is recovered. */
import { type DiskDirectory, joinPath } from "../base/disk.ts";
import { EvertError } from "../base/errors.ts";
import { FileLog } from "./file-log.ts";
import { LOG_DIRECTORY, lockDirectory } from "./lock.ts";
import type { Log } from "./log.ts";
import type { LogOptions } from "./log-options.ts";
import { type RecoveryReport, recover } from "./recovery.ts";
import { refuseUnfinished } from "./repair/unfinished.ts";
import { isLeftover, refuseOtherFiles, segmentName, WritableSegment } from "./segment.ts";

const SEGMENT_BYTES = 64 << 20;
const SEGMENT_BYTES_MIN = 64 * 1024;

/**
 * Opens the log, or makes one; recovers from a crash.
 * @throws EvertError directory_locked, log_damaged, format_unsupported, io_error
 */
export async function openLog(options: LogOptions): Promise<Log & { readonly report: RecoveryReport }> {
  const { disk, directory } = options;
  const logDirectory = joinPath(directory, LOG_DIRECTORY);
  const segmentBytes = options.segmentBytes ?? SEGMENT_BYTES;
  if (!Number.isSafeInteger(segmentBytes) || segmentBytes < SEGMENT_BYTES_MIN) {
    throw new EvertError("invalid_argument", `a segment cannot have ${segmentBytes} bytes`, {
      detail: `At least ${SEGMENT_BYTES_MIN}.`,
    });
  }
  await disk.makeDirectory(logDirectory);
  await disk.syncDirectory(directory);
  const lock = await lockDirectory(disk, directory);
  let held: DiskDirectory | null = null;
  try {
    held = await disk.openDirectory(logDirectory);
    // What was prepared or begun in the life before holds nothing, and nobody knows how much of it reached the disk.
    const names = await disk.list(logDirectory);
    refuseUnfinished(names);
    refuseOtherFiles(logDirectory, names);
    for (const name of names) {
      if (isLeftover(name)) await disk.unlink(joinPath(logDirectory, name));
    }
    // The names found may not be on the disk yet: the process before may have died between a rename and its sync.
    await disk.syncDirectory(logDirectory);
    const recovered = await recover(disk, logDirectory, options.examine);
    if (options.following !== undefined) recovered.order.logId ??= await options.following.logId();
    const last = recovered.index.segments.at(-1);
    const active =
      last === undefined || last.sealed !== null
        ? null
        : await WritableSegment.open(
            disk,
            joinPath(logDirectory, segmentName(last.firstPosition)),
            segmentBytes,
            last.end,
            last.firstPosition,
          );
    if (active !== null && last !== undefined)
      active.hasCommits = last.firstPosition <= recovered.order.lastPosition;
    return new FileLog({ ...options, segmentBytes }, logDirectory, held, recovered, active, lock);
  } catch (error) {
    await held?.close();
    await lock.release();
    throw error;
  }
}
