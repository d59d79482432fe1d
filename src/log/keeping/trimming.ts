/**
 * Retention: which topics lose all their rows of which segments.
 *
 * A topic loses its oldest rows, a segment's at a time, so that what stays is whole from its start on. Rows of a segment go when the segment's last
 * commit is older than the rule says, or when the rows behind them take as many bytes as the rule says. Where somebody still needs one of them, they
 * stay, and so does everything behind. Rows before the topic's start, which a replica may have where it took over later segments, are given out to
 * nobody (log/reader.ts): they go in any case.
 */
import type { Disk } from "../../base/disk.ts";
import type { LogIndex } from "../log-index.ts";
import type { Run } from "../sealed/format.ts";
import { mayHold } from "../sealed/ranges.ts";
import { readRun, type SealedSegment, sealedPath } from "../sealed/sealed-segment.ts";
import type { TopicRegistry } from "../topics.ts";
import type { Holding, Holdings } from "./holdings.ts";
import type { KeepingRules, Need } from "./rules.ts";

export interface Trims {
  /** By segment, in the order they were given. */
  readonly topics: readonly Set<number>[];
  /** By topic, whose needs hold rows back. */
  readonly heldBack: ReadonlyMap<number, readonly string[]>;
}

interface Source {
  readonly disk: Disk;
  readonly directory: string;
  readonly registry: TopicRegistry;
  readonly index: LogIndex;
}

/** `segments`: sealed ones, from the log's first on, and what they hold. @throws EvertError log_damaged, io_error */
export async function trims(
  source: Source,
  segments: readonly SealedSegment[],
  holdings: Holdings,
  rules: KeepingRules,
  nowUs: number,
): Promise<Trims> {
  const topics = segments.map(() => new Set<number>());
  const heldBack = new Map<number, readonly string[]>();
  for (const [topicId, holding] of holdings) {
    const needs = rules.topics.get(topicId)?.neededBy ?? [];
    const start = source.index.topicStart(topicId);
    for (const { segment, end } of mayGo(topicId, holding, segments, rules, nowUs, start)) {
      const names =
        needs.length === 0 || end <= start ? [] : await needing(source, segments[segment]!, topicId, needs);
      if (names.length > 0) {
        heldBack.set(topicId, names);
        break;
      }
      topics[segment]!.add(topicId);
    }
  }
  return { topics, heldBack };
}

/** Whether there is something to look at more closely. */
export function anyTrims(
  segments: readonly SealedSegment[],
  holdings: Holdings,
  rules: KeepingRules,
  nowUs: number,
  index: LogIndex,
): boolean {
  for (const [topicId, holding] of holdings)
    if (mayGo(topicId, holding, segments, rules, nowUs, index.topicStart(topicId)).length > 0) return true;
  return false;
}

/** In which segments the topic's rows may go, the oldest first. */
function mayGo(
  topicId: number,
  holding: readonly Holding[],
  segments: readonly SealedSegment[],
  rules: KeepingRules,
  nowUs: number,
  start: number,
): readonly Holding[] {
  if (rules.isDropped(topicId)) return holding;
  const before = holding.filter(({ end }) => end <= start);
  const { retainForUs = null, retainBytes = null } = rules.topics.get(topicId) ?? {};
  if (retainForUs === null && retainBytes === null) return before;
  let behind = holding.reduce((sum, { bytes }) => sum + bytes, 0);
  const stays = holding.findIndex(({ segment, bytes }) => {
    behind -= bytes;
    const isOld = retainForUs !== null && segments[segment]!.directory.lastTimeUs < nowUs - retainForUs;
    return !isOld && !(retainBytes !== null && behind >= retainBytes);
  });
  return stays < 0 ? holding : holding.slice(0, Math.max(stays, before.length));
}

async function needing(
  { disk, directory, registry }: Source,
  segment: SealedSegment,
  topicId: number,
  needs: readonly Need[],
): Promise<string[]> {
  const names = needs.filter(({ ranges }) => ranges.length === 0).map(({ name }) => name);
  const others = needs.filter(({ ranges }) => ranges.length > 0);
  if (others.length === 0) return names;
  const runs = segment.directory.runs.filter((run: Run) => run.topicId === topicId && run.kept > 0);
  const file = await disk.open(sealedPath(directory, segment), "read");
  try {
    for (const run of runs) {
      const { blocks } = await readRun(file, segment, run);
      const evolution = registry.evolution(topicId, run.schemaVersion);
      for (const { name, ranges } of others) {
        // Ranges are of the newest schema's columns; of a column that rows do not have nothing is known.
        const before = evolution?.rangesBefore(ranges) ?? ranges;
        if (!names.includes(name) && blocks.some((block) => mayHold(block, before))) names.push(name);
      }
    }
  } finally {
    await file.close();
  }
  return names;
}
