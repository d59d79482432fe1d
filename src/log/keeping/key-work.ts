/**
 * What a pass does with the rows of sealed segments: it takes down the last row of each key, and writes a segment without some of its rows under a
 * name that means nothing. Nothing that anybody else looks at is changed, so it may be done in another thread (../thread/segment-thread.ts), which
 * then has the table of keys.
 */

import { assert } from "../../base/assert.ts";
import type { Position } from "../log.ts";
import type { LoadedBlock } from "../sealed/block-reader.ts";
import { pauseOf } from "../sealed/file-writer.ts";
import { type SealedSegment, sealedPath } from "../sealed/sealed-segment.ts";
import { LastRows } from "./last-rows.ts";
import { type RowFilter, type Taken, type TakeOutSource, takeOut } from "./take-out.ts";
import { keysOf, type TopicKeys } from "./topic-keys.ts";

/** A topic, and in which versions of its schema its rows are: the same in every request of a pass. */
export interface TopicVersions {
  readonly topicId: number;
  readonly schemaVersions: readonly number[];
}

/** The rows of one key that are to go, wherever they are: those up to a position. Who writes it again later has a row that stays. */
export interface Doomed {
  readonly topicId: number;
  readonly digest: Int32Array;
  readonly to: Position;
}

export interface TopicWish extends TopicVersions {
  /** Of each key only the last row that was compared stays. */
  readonly compacts: boolean;
  /** Up to which position each key has one row at most, and no row that an old delete has outlived. */
  readonly cleanTo: Position;
  /** Deletes from this time on stay. */
  readonly oldUs: number;
  /**
   * So do those of commits behind it: a copy that begins after this has, of what these deletes deleted, nothing, because it went in the segments
   * before.
   */
  readonly copiedTo: Position;
  readonly doomed: readonly Doomed[];
}

/** What is to become of a segment. */
export interface SegmentWish extends Pick<Taken, "trimmed" | "horizon" | "knownFromUs"> {
  /** Topics whose keys are looked at. */
  readonly topics: readonly TopicWish[];
}

/** Where it lies is said by its first position (compactingName). */
export interface WithoutRows {
  readonly segment: SealedSegment;
  /** Of the topics whose keys were looked at, those that lose rows. */
  readonly filtered: readonly number[];
}

/**
 * All of it may be asked of it one after the other. Null is answered where it has ended: the pass is over then, and what it has not done is
 * another's.
 */
export interface PassWork {
  /**
   * The last rows of the topics' keys, in the order of segments. Returns how many keys are known now. @throws EvertError log_damaged, io_error;
   * shutting_down
   */
  compare(segment: SealedSegment, topics: readonly TopicVersions[]): Promise<number | null>;
  /** "nothing": all rows stay. @throws EvertError log_damaged, disk_full, io_error; shutting_down */
  takeOut(segment: SealedSegment, wish: SegmentWish): Promise<WithoutRows | "nothing" | null>;
  /** What it knows is not needed any more. */
  end(): void;
}

export class KeyWork implements PassWork {
  readonly #source: TakeOutSource;
  readonly #last: LastRows;
  readonly #keys = new Map<number, TopicKeys>();

  /** `seed`: not known to those who choose keys. */
  constructor(source: TakeOutSource, seed: number) {
    this.#source = source;
    this.#last = new LastRows(seed);
  }

  async compare(segment: SealedSegment, topics: readonly TopicVersions[]): Promise<number> {
    const pause = pauseOf(this.#source);
    const last = this.#last;
    const keys = topics.map((topic) => this.#keysOf(topic));
    await this.#eachKeyBlock(segment, keys, async (its, block) => {
      while (last.roomFor < block.batch.length) await last.grow(pause);
      const { topicId } = its;
      await its.eachRow(block, pause, (_, row, digest) => last.put(topicId, digest, offsetIn(block, row)));
    });
    return last.size;
  }

  async takeOut(segment: SealedSegment, wish: SegmentWish): Promise<WithoutRows | "nothing"> {
    const { trimmed, topics, horizon, knownFromUs } = wish;
    const filtered = new Map<number, RowFilter>();
    for (const topic of topics) {
      const filter = await this.#filterFor(segment, topic);
      if (filter !== null) filtered.set(topic.topicId, filter);
    }
    if (filtered.size === 0 && trimmed.size === 0) return "nothing";
    const made = await takeOut(this.#source, segment, { trimmed, filtered, horizon, knownFromUs });
    return { segment: made, filtered: [...filtered.keys()] };
  }

  end(): void {
    // What it knows goes with it.
  }

  #keysOf({ topicId, schemaVersions }: TopicVersions): TopicKeys {
    let keys = this.#keys.get(topicId);
    if (keys === undefined) {
      const found = keysOf(this.#source.registry, topicId, schemaVersions);
      assert(found !== null, "keys are compared of topics alone that have some");
      this.#keys.set(topicId, (keys = found));
    }
    return keys;
  }

  async #eachKeyBlock(
    segment: SealedSegment,
    topics: readonly TopicKeys[],
    each: (keys: TopicKeys, block: LoadedBlock) => Promise<void>,
  ): Promise<void> {
    const { disk, directory, registry } = this.#source;
    const file = await disk.open(sealedPath(directory, segment), "read");
    try {
      for (const keys of topics)
        for await (const block of keys.blocks(file, segment, registry)) await each(keys, block);
    } finally {
      await file.close();
    }
  }

  /** Null: all the topic's rows in the segment stay. */
  async #filterFor(segment: SealedSegment, wish: TopicWish): Promise<RowFilter | null> {
    const { topicId, compacts, cleanTo, oldUs, copiedTo, doomed } = wish;
    const keys = this.#keysOf(wish);
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
    await this.#eachKeyBlock(segment, [keys], (_, block) =>
      keys.eachRow(block, pause, (of, row, digest, isDelete) => {
        if (!keeps(of, row, digest, isDelete)) goes++;
      }),
    );
    return goes === 0 ? null : { keys, keeps, isReplaced, compacts };
  }
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
