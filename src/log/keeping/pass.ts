/**
 * One pass over the sealed segments, in which rows are taken out of them.
 *
 * 1. Which segments: the sealed ones from the log's first on, as far as the rules' horizon. What lies behind stays, and nothing goes because of it.
 * 2. Retention (trimming.ts) says which topics lose all their rows of which segments.
 * 3. Compaction. The keys of the rows that no earlier pass has compared are read, from the oldest segment on, into a table: of each key the offset of its last row. When the
 *    table is full the pass ends there; the next goes on. A row whose key has a later one in the table goes. So does a delete that is old enough: of its key there is nothing
 *    before it any more, because what there was goes in this pass, in an earlier segment or in the same, or went in one before.
 *    Deletes that a copy of the log has not got yet stay.
 * 4. Segments that lose rows are written anew (take-out.ts), the oldest first, and each takes its place before the next is begun: at any moment, and after a crash at any
 *    moment, a row is gone only if the one that came after it is there, and a delete only if what it deleted is not.
 */
import { joinPath } from "../../base/disk.ts";
import { KNOWN_FOR_US } from "../known-commits.ts";
import type { Position } from "../log.ts";
import type { LogIndex, SegmentExtent } from "../log-index.ts";
import type { LoadedBlock } from "../sealed/block-reader.ts";
import { pauseOf } from "../sealed/file-writer.ts";
import { type SealedSegment, sealedPath } from "../sealed/sealed-segment.ts";
import { type Holdings, holdingsOf } from "./holdings.ts";
import { LastRows } from "./last-rows.ts";
import type { KeepingRules, TopicRule } from "./rules.ts";
import { type RowFilter, type Taken, type TakeOutSource, takeOut } from "./take-out.ts";
import { keysOf, type TopicKeys } from "./topic-keys.ts";
import { trims } from "./trimming.ts";

/** Keys compared in one pass, about: the table takes some 60 bytes for each. */
export const KEYS_MAX = 1 << 21;

/** The rows of one key that are to go, wherever they are: those up to a position. Who writes it again later has a row that stays. */
export interface Doomed {
  readonly topicId: number;
  readonly digest: Int32Array;
  readonly to: Position;
}

export interface PassSource extends TakeOutSource {
  readonly index: LogIndex;
  readonly seed: number;
  readonly keysMax: number;
  readonly nowUs: () => number;
  /** Told that frames or a sealed form could not be removed, which does no harm. */
  readonly report: (message: string) => void;
}

/** By topic: up to which position each key has one row at most, and no row that an old delete has outlived. */
export type CleanTo = Map<number, Position>;

export interface PassRules {
  readonly known: KeepingRules;
  /** As they are by then. */
  readonly now: () => KeepingRules;
  /** What they come from is durable, and not behind it: a topic may have been dropped by this commit. */
  readonly position: Position;
}

export interface PassResult {
  readonly heldBack: ReadonlyMap<number, readonly string[]>;
  /** Whether there are keys that found no room in the table, or other rules by now. */
  readonly isPartial: boolean;
}

/** The sealed segments from the first on, up to the horizon. */
export function eligible({ segments }: LogIndex, horizon: Position): SegmentExtent[] {
  const end = segments.findIndex(({ sealed }) => sealed === null || sealed.lastPosition > horizon);
  return segments.slice(0, end < 0 ? segments.length : end);
}

export interface PassWish {
  readonly doomed?: readonly Doomed[];
  /** Of the topics that are to be compacted these alone; null: all. */
  readonly only?: ReadonlySet<number> | null;
}

export class Pass {
  readonly #source: PassSource;
  readonly #rules: KeepingRules;
  readonly #rulesNow: () => KeepingRules;
  readonly #position: Position;
  readonly #clean: CleanTo;
  readonly #doomed: readonly Doomed[];
  readonly #only: ReadonlySet<number> | null;
  readonly #last: LastRows;
  readonly #keys = new Map<number, TopicKeys>();
  /** What has been done so far, also if it fails. */
  readonly made = { segments: 0, rows: 0, bytes: 0 };

  constructor(
    source: PassSource,
    { known, now, position }: PassRules,
    clean: CleanTo,
    { doomed = [], only = null }: PassWish = {},
  ) {
    this.#source = source;
    this.#rules = known;
    this.#rulesNow = now;
    this.#position = position;
    this.#clean = clean;
    this.#doomed = doomed;
    this.#only = only;
    this.#last = new LastRows(source.seed);
  }

  /** @throws EvertError log_damaged, disk_full, io_error; shutting_down */
  async run(): Promise<PassResult> {
    const all = eligible(this.#source.index, this.#rules.horizon);
    const sealed = all.map((extent) => extent.sealed!);
    const nowUs = this.#source.nowUs();
    const holdings = await holdingsOf(sealed, (id) => this.#concerns(id), pauseOf(this.#source));
    const going = await trims(this.#source, sealed, holdings, this.#rules, nowUs);
    const compacted = this.#compacted(holdings);
    /** By segment, the topics whose keys are looked at. */
    const keyed: number[][] = sealed.map(() => []);
    for (const topicId of this.#keys.keys())
      for (const { segment } of holdings.get(topicId)!) keyed[segment]!.push(topicId);
    const lookedAt = sealed.at(-1)?.lastPosition ?? 0;
    // Keys are known by the time of commits: a log at rest forgets none.
    const knownFromUs = (sealed.at(-1)?.directory.lastTimeUs ?? 0) - KNOWN_FOR_US;
    const { end, isPartial } = await this.#compare(sealed, keyed, compacted);
    for (let i = 0; i < all.length; i++) {
      const filtered = new Map<number, RowFilter>();
      const trimmed = going.topics[i]!;
      for (const topicId of keyed[i]!) {
        const compacts = i < end && compacted.has(topicId);
        const filter = trimmed.has(topicId)
          ? null
          : await this.#filterFor(sealed[i]!, topicId, compacts, nowUs);
        if (filter !== null) filtered.set(topicId, filter);
      }
      if (filtered.size === 0 && trimmed.size === 0) continue;
      const horizon = trimmed.size > 0 ? Math.max(lookedAt, this.#position) : lookedAt;
      const isDone = await this.#replace(all[i]!, { trimmed, filtered, horizon, knownFromUs });
      if (!isDone) return { heldBack: going.heldBack, isPartial: true };
    }
    const cleanTo = end === 0 ? 0 : sealed[end - 1]!.lastPosition;
    for (const topicId of compacted)
      this.#clean.set(topicId, Math.max(cleanTo, this.#clean.get(topicId) ?? 0));
    return { heldBack: going.heldBack, isPartial };
  }

  /** Topics that are to be compacted, and whose keys can be compared; the keys of those with a doomed one are known as well. */
  #compacted(holdings: Holdings): Set<number> {
    const compacted = new Set<number>();
    for (const [topicId, holding] of holdings) {
      const wanted =
        this.#rules.topics.get(topicId)?.tombstonesForUs != null && this.#only?.has(topicId) !== false;
      if (!wanted && !this.#isDoomed(topicId)) continue;
      const versions = new Set(holding.flatMap(({ schemaVersions }) => [...schemaVersions]));
      const keys = keysOf(this.#source.registry, topicId, versions);
      if (keys === null) continue;
      this.#keys.set(topicId, keys);
      if (wanted) compacted.add(topicId);
    }
    return compacted;
  }

  #isDoomed(topicId: number): boolean {
    return this.#doomed.some((doomed) => doomed.topicId === topicId);
  }

  #concerns(topicId: number): boolean {
    return (
      this.#rules.topics.has(topicId) ||
      this.#isDoomed(topicId) ||
      this.#rules.isDropped(topicId) ||
      this.#source.index.topicStart(topicId) > 0
    );
  }

  /** Fills the table; up to which segment its rows have been compared. */
  async #compare(
    sealed: readonly SealedSegment[],
    keyed: readonly (readonly number[])[],
    compacted: ReadonlySet<number>,
  ): Promise<{ end: number; isPartial: boolean }> {
    const pause = pauseOf(this.#source);
    const last = this.#last;
    for (let i = 0; i < sealed.length; i++) {
      const segment = sealed[i]!;
      if (last.size >= this.#source.keysMax) return { end: i, isPartial: true };
      const topics = keyed[i]!.filter(
        (id) => compacted.has(id) && segment.lastPosition > (this.#clean.get(id) ?? 0),
      );
      await this.#eachKeyBlock(segment, topics, async (keys, block) => {
        while (last.roomFor < block.batch.length) await last.grow(pause);
        const { topicId } = keys;
        await keys.eachRow(block, pause, (_, row, digest) => last.put(topicId, digest, offsetIn(block, row)));
      });
    }
    return { end: sealed.length, isPartial: false };
  }

  async #eachKeyBlock(
    segment: SealedSegment,
    topics: readonly number[],
    each: (keys: TopicKeys, block: LoadedBlock) => Promise<void>,
  ): Promise<void> {
    if (topics.length === 0) return;
    const { disk, directory, registry } = this.#source;
    const file = await disk.open(sealedPath(directory, segment), "read");
    try {
      for (const topicId of topics) {
        const keys = this.#keys.get(topicId)!;
        for await (const block of keys.blocks(file, segment, registry)) await each(keys, block);
      }
    } finally {
      await file.close();
    }
  }

  /** Null: all the topic's rows in the segment stay. */
  async #filterFor(
    segment: SealedSegment,
    topicId: number,
    compacts: boolean,
    nowUs: number,
  ): Promise<RowFilter | null> {
    const doomed = this.#doomed.filter((d) => d.topicId === topicId);
    if (!compacts && doomed.length === 0) return null;
    const keys = this.#keys.get(topicId)!;
    const tombstonesForUs = this.#rules.topics.get(topicId)?.tombstonesForUs ?? null;
    const oldUs = tombstonesForUs === null ? Number.NEGATIVE_INFINITY : nowUs - tombstonesForUs;
    const cleanTo = this.#clean.get(topicId) ?? 0;
    // A copy that begins after this has, of what these deletes deleted, nothing: it went in the segments before.
    const copiedTo = this.#rules.copiedTo?.() ?? Number.POSITIVE_INFINITY;
    const last = this.#last;
    const isDoomed = (block: LoadedBlock, row: number, digest: Int32Array): boolean =>
      doomed.some(
        (d) =>
          d.digest.every((word, i) => word === digest[i]) && block.positions[commitOf(block, row)]! <= d.to,
      );
    const isReplaced: RowFilter["isReplaced"] = (block, row, digest) =>
      compacts && last.get(topicId, digest) > offsetIn(block, row) && !isDoomed(block, row, digest);
    const keeps: RowFilter["keeps"] = (block, row, digest, isDelete) => {
      if (isDoomed(block, row, digest)) return false;
      if (!compacts) return true;
      const offset = offsetIn(block, row);
      const lastOffset = last.get(topicId, digest);
      if (lastOffset > offset) return false;
      if (!isDelete) return true;
      const commit = commitOf(block, row);
      const isOnly = lastOffset === offset || block.positions[commit]! <= cleanTo;
      return !isOnly || block.timesUs[commit]! >= oldUs || block.positions[commit]! > copiedTo;
    };
    let goes = 0;
    const pause = pauseOf(this.#source);
    await this.#eachKeyBlock(segment, [topicId], (_, block) =>
      keys.eachRow(block, pause, (of, row, digest, isDelete) => {
        if (!keeps(of, row, digest, isDelete)) goes++;
      }),
    );
    return goes === 0 ? null : { keys, keeps, isReplaced, compacts };
  }

  /** A pass takes long: a view may have been made meanwhile that needs what was to go, or the rule may have been taken back. */
  #isOutdated({ trimmed, filtered }: Taken): boolean {
    const now = this.#rulesNow();
    const compacted = [...filtered].flatMap(([topicId, { compacts }]) => (compacts ? [topicId] : []));
    return [...trimmed, ...compacted].some(
      (id) =>
        said(now.topics.get(id)) !== said(this.#rules.topics.get(id)) ||
        now.isDropped(id) !== this.#rules.isDropped(id),
    );
  }

  /** False: the segment stays as it was, since other rules hold by now. */
  async #replace(extent: SegmentExtent, taken: Taken): Promise<boolean> {
    const { disk, directory, index, checkStopped, report } = this.#source;
    const before = extent.sealed!;
    const { path, segment } = await takeOut(this.#source, before, taken);
    checkStopped();
    if (this.#isOutdated(taken)) {
      await disk.unlink(path);
      return false;
    }
    await disk.rename(path, sealedPath(directory, segment));
    await disk.syncDirectory(directory);
    index.replaceBySealed(extent, segment);
    this.made.segments++;
    this.made.rows += rowsIn(before) - rowsIn(segment);
    this.made.bytes += before.bytes - segment.bytes;
    try {
      await disk.unlink(joinPath(directory, before.name));
      await disk.syncDirectory(directory);
    } catch (thrown) {
      report(`${before.name} has given way to ${segment.name}, but was not removed: ${String(thrown)}`);
    }
    return true;
  }
}

/** What a rule says, and who needs what; but for the ends of ranges, which follow the time. */
function said(rule: TopicRule | undefined): string {
  if (rule === undefined) return "";
  const { retainForUs, retainBytes, tombstonesForUs, neededBy } = rule;
  const needs = neededBy.map(({ name, ranges }) => [name, ranges.map(({ column }) => column)]);
  return JSON.stringify([retainForUs, retainBytes, tombstonesForUs, needs]);
}

function rowsIn({ directory }: SealedSegment): number {
  return directory.runs.reduce((sum, { kept }) => sum + kept, 0);
}

function offsetIn({ offsets, baseOffset }: LoadedBlock, row: number): number {
  return offsets === null ? baseOffset + row : offsets[row]!;
}

/** Which of the block's commits the row is of. */
function commitOf({ ends }: LoadedBlock, row: number): number {
  let from = 0;
  for (let to = ends.length - 1; from < to; ) {
    const middle = (from + to) >> 1;
    if (ends[middle]! <= row) from = middle + 1;
    else to = middle;
  }
  return from;
}
