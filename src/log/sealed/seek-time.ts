/** Which block of a topic in a sealed segment lies before a time. */
import type { Disk } from "../../base/disk.ts";
import { readRun, type SealedSegment } from "./sealed-segment.ts";

/** Offset of the first row of the topic's last block that begins before the time; 0 if none does. @throws EvertError log_damaged, io_error */
export async function blockBefore(
  disk: Disk,
  path: string,
  segment: SealedSegment,
  topicId: number,
  timeUs: number,
): Promise<number> {
  const run = segment.directory.runs.find((r) => r.topicId === topicId);
  if (run === undefined) return 0;
  const file = await disk.open(path, "read");
  try {
    const { blocks } = await readRun(file, segment, run);
    let found = 0;
    let offset = run.baseOffset;
    for (const { firstTimeUs, rows } of blocks) {
      if (firstTimeUs >= timeUs) break;
      found = offset;
      offset += rows;
    }
    return found;
  } finally {
    await file.close();
  }
}
