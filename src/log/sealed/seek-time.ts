/** Which block of a topic in a sealed segment lies before a time. */
import type { DiskFile } from "../../base/disk.ts";
import { placedBlocks } from "./format.ts";
import { readRun, type SealedSegment } from "./sealed-segment.ts";

/** Offset of the first row of the topic's last block that begins before the time; 0 if none does. @throws EvertError log_damaged, io_error */
export async function blockBefore(
  file: DiskFile,
  segment: SealedSegment,
  topicId: number,
  timeUs: number,
): Promise<number> {
  const run = segment.directory.runs.find((r) => r.topicId === topicId && r.kept > 0);
  if (run === undefined) return 0;
  const { blocks } = await readRun(file, segment, run);
  const last = placedBlocks(run, blocks).findLast(({ block }) => block.firstTimeUs < timeUs);
  return last?.baseOffset ?? 0;
}
