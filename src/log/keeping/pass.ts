/**
 * One pass over the sealed segments, in which rows are taken out of them.
 *
 * 1. Which segments: the sealed ones from the log's first on, as far as the rules' horizon. What lies behind stays, and nothing goes because of it.
 * 2. Retention (trimming.ts) says which topics lose all their rows of which segments.
 * 3. Compaction. The keys of the rows that no earlier pass has compared are read, from the oldest segment on, into a table: of each key the offset of
 *    its last row. When the table is full the pass ends there; the next goes on. A row whose key has a later one in the table goes. So does a delete
 *    that is old enough: of its key there is nothing before it any more, because what there was goes in this pass, in an earlier segment or in the
 *    same, or went in one before. Deletes that a copy of the log has not got yet stay. Keys are read, compared and looked up again where there is a
 *    thread for it (key-work.ts), and segments written anew there. What means something is changed here alone.
 * 4. Segments that lose rows are written anew (take-out.ts), the oldest first, and each takes its place before the next is begun: at any moment, and
 *    after a crash at any moment, a row is gone only if the one that came after it is there, and a delete only if what it deleted is not.
 */
import { joinPath } from "../../base/disk.ts";
import { KNOWN_FOR_US } from "../known-commits.ts";
import type { Position } from "../log.ts";
import type { LogIndex, SegmentExtent } from "../log-index.ts";
import { pauseOf } from "../sealed/file-writer.ts";
import { type SealedSegment, sealedPath } from "../sealed/sealed-segment.ts";
import { compactingName, removeUnfinished } from "../segment.ts";
import type { SegmentThread } from "../thread/segment-thread.ts";
import { type Holdings, holdingsOf } from "./holdings.ts";
import { type Doomed, KeyWork, type PassWork, type SegmentWish, type TopicWish } from "./key-work.ts";
import type { KeepingRules, TopicRule } from "./rules.ts";
import type { TakeOutSource } from "./take-out.ts";
import { keysOf } from "./topic-keys.ts";
import { trims } from "./trimming.ts";

/** Keys compared in one pass, about: the table takes some 60 bytes for each. */
export const KEYS_MAX = 1 << 21;

export interface PassSource extends TakeOutSource {
  readonly index: LogIndex;
  readonly thread: SegmentThread;
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
  /** Whether there are keys that found no room in the table, or other rules by now; or the thread has ended that did the work. */
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
  readonly #work: PassWork;
  /** Topics whose keys can be compared, and in which versions they are. */
  readonly #keys = new Map<number, readonly number[]>();
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
    this.#work = source.thread.pass(source.seed) ?? new KeyWork(source, source.seed);
  }

  /** @throws EvertError log_damaged, disk_full, io_error; shutting_down */
  async run(): Promise<PassResult> {
    try {
      return await this.#run();
    } finally {
      this.#work.end();
    }
  }

  async #run(): Promise<PassResult> {
    const all = eligible(this.#source.index, this.#rules.horizon);
    const sealed = all.map((extent) => extent.sealed!);
    const nowUs = this.#source.nowUs();
    const holdings = await holdingsOf(sealed, (id) => this.#concerns(id), pauseOf(this.#source));
    const { topics: going, heldBack } = await trims(this.#source, sealed, holdings, this.#rules, nowUs);
    const compacted = this.#compacted(holdings);
    /** By segment, the topics whose keys are looked at. */
    const keyed: number[][] = sealed.map(() => []);
    for (const topicId of this.#keys.keys())
      for (const { segment } of holdings.get(topicId)!) keyed[segment]!.push(topicId);
    const lookedAt = sealed.at(-1)?.lastPosition ?? 0;
    // Keys are known by the time of commits: a log at rest forgets none.
    const knownFromUs = (sealed.at(-1)?.directory.lastTimeUs ?? 0) - KNOWN_FOR_US;
    const compared = await this.#compare(sealed, keyed, compacted);
    if (compared === null) return { heldBack, isPartial: true };
    const { end, isPartial } = compared;
    for (let i = 0; i < all.length; i++) {
      const trimmed = going[i]!;
      const topics = keyed[i]!.flatMap((topicId) =>
        trimmed.has(topicId) ? [] : (this.#wishFor(topicId, i < end && compacted.has(topicId), nowUs) ?? []),
      );
      if (topics.length === 0 && trimmed.size === 0) continue;
      const horizon = trimmed.size > 0 ? Math.max(lookedAt, this.#position) : lookedAt;
      const isDone = await this.#replace(all[i]!, { trimmed, topics, horizon, knownFromUs });
      if (!isDone) return { heldBack, isPartial: true };
    }
    const cleanTo = end === 0 ? 0 : sealed[end - 1]!.lastPosition;
    for (const topicId of compacted)
      this.#clean.set(topicId, Math.max(cleanTo, this.#clean.get(topicId) ?? 0));
    return { heldBack, isPartial };
  }

  /** Topics that are to be compacted, and whose keys can be compared; the keys of those with a doomed one are known as well. */
  #compacted(holdings: Holdings): Set<number> {
    const compacted = new Set<number>();
    for (const [topicId, holding] of holdings) {
      const wanted =
        this.#rules.topics.get(topicId)?.tombstonesForUs != null && this.#only?.has(topicId) !== false;
      if (!wanted && !this.#isDoomed(topicId)) continue;
      const versions = [...new Set(holding.flatMap(({ schemaVersions }) => [...schemaVersions]))];
      if (keysOf(this.#source.registry, topicId, versions) === null) continue;
      this.#keys.set(topicId, versions);
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

  /** Fills the table; up to which segment its rows have been compared. Null: the thread that has it has ended. */
  async #compare(
    sealed: readonly SealedSegment[],
    keyed: readonly (readonly number[])[],
    compacted: ReadonlySet<number>,
  ): Promise<{ end: number; isPartial: boolean } | null> {
    let keys = 0;
    for (let i = 0; i < sealed.length; i++) {
      const segment = sealed[i]!;
      if (keys >= this.#source.keysMax) return { end: i, isPartial: true };
      const topics = keyed[i]!.filter(
        (id) => compacted.has(id) && segment.lastPosition > (this.#clean.get(id) ?? 0),
      );
      if (topics.length === 0) continue;
      const known = await this.#work.compare(
        segment,
        topics.map((topicId) => ({ topicId, schemaVersions: this.#keys.get(topicId)! })),
      );
      if (known === null) return null;
      keys = known;
    }
    return { end: sealed.length, isPartial: false };
  }

  /** Null: all the topic's rows in the segment stay. */
  #wishFor(topicId: number, compacts: boolean, nowUs: number): TopicWish | null {
    const doomed = this.#doomed.filter((d) => d.topicId === topicId);
    if (!compacts && doomed.length === 0) return null;
    const tombstonesForUs = this.#rules.topics.get(topicId)?.tombstonesForUs ?? null;
    return {
      topicId,
      schemaVersions: this.#keys.get(topicId)!,
      compacts,
      cleanTo: this.#clean.get(topicId) ?? 0,
      oldUs: tombstonesForUs === null ? Number.NEGATIVE_INFINITY : nowUs - tombstonesForUs,
      copiedTo: this.#rules.copiedTo?.() ?? Number.POSITIVE_INFINITY,
      doomed,
    };
  }

  /** A pass takes long: a view may have been made meanwhile that needs what was to go, or the rule may have been taken back. */
  #isOutdated({ trimmed, topics }: SegmentWish, filtered: readonly number[]): boolean {
    const now = this.#rulesNow();
    const compacted = topics.flatMap(({ topicId, compacts }) =>
      compacts && filtered.includes(topicId) ? [topicId] : [],
    );
    return [...trimmed, ...compacted].some(
      (id) =>
        said(now.topics.get(id)) !== said(this.#rules.topics.get(id)) ||
        now.isDropped(id) !== this.#rules.isDropped(id),
    );
  }

  /** False: the segment stays as it was, since other rules hold by now, or the thread has ended that would have written it. */
  async #replace(extent: SegmentExtent, wish: SegmentWish): Promise<boolean> {
    const { disk, directory, index, checkStopped, report } = this.#source;
    const before = extent.sealed!;
    const name = compactingName(extent.firstPosition);
    const path = joinPath(directory, name);
    const made = await this.#work.takeOut(before, wish);
    if (made === "nothing") return true;
    checkStopped();
    if (made === null) {
      await removeUnfinished(disk, directory, name, report);
      return false;
    }
    const { segment, filtered } = made;
    if (this.#isOutdated(wish, filtered)) {
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
