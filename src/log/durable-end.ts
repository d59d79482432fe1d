/**
 * Up to where the log is durable, and who is told.
 *
 * 1. A frame has been written: it is stored. Where others are to have it, too, it waits for them (confirmations.ts).
 * 2. Then it is durable: the index knows it, so that readers find it, the position moves, listeners are told, and each commit's promise resolves, in
 *    order.
 */
import { assert } from "../base/assert.ts";
import { Confirmations } from "./confirmations.ts";
import { Listeners } from "./listeners.ts";
import type { Position } from "./log.ts";
import type { LogIndex } from "./log-index.ts";
import type { WrittenFrame } from "./writer.ts";

export class DurableEnd {
  readonly confirmations: Confirmations = new Confirmations((frame) => this.#becomeDurable(frame));
  /** Told when the durable position has advanced. */
  readonly durable: Listeners<Position> = new Listeners();
  /** Told when the stored position has. */
  readonly stored: Listeners<Position> = new Listeners();
  readonly #index: LogIndex;
  readonly #filled: () => void;
  readonly #progressed: () => void;
  #position: Position;
  /** Whether the last frame holds commits: then closing ends the log with a closing mark. */
  needsClosingMark: boolean;

  /** `filled`: told that a segment has been begun, and the one before is full. `progressed`: that there is a frame more. */
  constructor(
    index: LogIndex,
    position: Position,
    needsClosingMark: boolean,
    told: { readonly filled: () => void; readonly progressed: () => void },
  ) {
    this.#index = index;
    this.#position = position;
    this.needsClosingMark = needsClosingMark;
    this.#filled = told.filled;
    this.#progressed = told.progressed;
  }

  get position(): Position {
    return this.#position;
  }

  /** The last position on this disk. */
  get storedPosition(): Position {
    return this.confirmations.last ?? this.#position;
  }

  /** Resolves when the position is durable; never, where the log fails before. */
  reached(position: Position): Promise<void> {
    if (this.#position >= position) return Promise.resolve();
    return new Promise((resolve) => {
      const off = this.durable.add((durable) => {
        if (durable < position) return;
        off();
        resolve();
      });
    });
  }

  written(frame: WrittenFrame): void {
    this.confirmations.written(frame);
    if (this.confirmations.isWaiting) this.needsClosingMark = true;
    this.stored.tellAll(frame.group.lastPosition);
  }

  /** A sealed segment up to there is in its place. */
  adopted(position: Position): void {
    this.#position = position;
    this.needsClosingMark = false;
    this.#filled();
    this.durable.tellAll(position);
  }

  #becomeDurable(frame: WrittenFrame): void {
    const { group, sealed } = frame;
    this.#addToIndex(frame);
    this.#progressed();
    this.#position = group.lastPosition;
    this.needsClosingMark = group.commits.length > 0;
    this.durable.tellAll(group.lastPosition);
    for (const { resolve } of sealed) resolve();
  }

  #addToIndex({ group, segment, at, frameBytes, sealed }: WrittenFrame): void {
    const index = this.#index;
    assert(segment.firstPosition !== null, "a segment with a frame has a name");
    if (index.segments.at(-1)?.firstPosition !== segment.firstPosition) {
      index.addSegment(segment.firstPosition);
      this.#filled();
    }
    const { commits, firstPosition } = group;
    const firstTimeUs = commits[0]?.timeUs ?? 0;
    index.addFrame(at, { firstPosition, firstTimeUs, commitCount: commits.length, frameBytes });
    index.addBatches(at, firstTimeUs, sealed[0]?.received?.batches ?? group.batches);
  }
}
