/** Where topics have rows: looked up once for a pass, since there may be thousands of segments and of topics. */
import type { Pause } from "../sealed/block-writer.ts";
import { HEAD_BYTES } from "../sealed/format.ts";
import type { SealedSegment } from "../sealed/sealed-segment.ts";

/** A topic in a segment. */
export interface Holding {
  /** Into the list of segments. */
  readonly segment: number;
  rows: number;
  /** Of pages and sections: each run's lie behind those of the run before. */
  bytes: number;
  /** Behind its last offset. */
  end: number;
  readonly schemaVersions: Set<number>;
  isCompacted: boolean;
}

/** By topic, in the order of segments. */
export type Holdings = ReadonlyMap<number, readonly Holding[]>;

/** What looking at a topic in a segment counts as, in bytes of other work. */
const RUN_BYTES = 64;

export async function holdingsOf(
  segments: readonly SealedSegment[],
  isWanted: (topicId: number) => boolean,
  pause: Pause,
): Promise<Holdings> {
  const holdings = new Map<number, Holding[]>();
  for (const [segment, { directory }] of segments.entries()) {
    let from = HEAD_BYTES;
    for (const { topicId, schemaVersion, section, baseOffset, rows, kept, isCompacted } of directory.runs) {
      if (kept === 0) continue;
      const sectionEnd = section.at + section.bytes;
      const bytes = sectionEnd - from;
      from = sectionEnd;
      if (!isWanted(topicId)) continue;
      let list = holdings.get(topicId);
      if (list === undefined) holdings.set(topicId, (list = []));
      let last = list.at(-1);
      if (last?.segment !== segment)
        list.push(
          (last = { segment, rows: 0, bytes: 0, end: 0, schemaVersions: new Set(), isCompacted: false }),
        );
      last.rows += kept;
      last.bytes += bytes;
      last.end = Math.max(last.end, baseOffset + rows);
      last.schemaVersions.add(schemaVersion);
      last.isCompacted ||= isCompacted;
    }
    await pause(directory.runs.length * RUN_BYTES);
  }
  return holdings;
}
