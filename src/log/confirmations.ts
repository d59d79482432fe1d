/**
 * Frames that are on this disk and do not count yet, because others are to have them too.
 *
 * Where that is required, a frame that has been written waits here, in order, until somebody confirms its position; then it becomes durable, as far
 * as anybody can tell: readers see it, and those who appended it are answered. Who has waited too long is told so; the frame stays, and becomes
 * durable when it is confirmed. A start of the log finds what is on its disk, confirmed or not.
 */
import type { EvertError } from "../base/errors.ts";
import type { Position, Requirement } from "./log.ts";
import type { WrittenFrame } from "./writer.ts";

/** A segment of frames, up to where it is stored. */
export interface StoredExtent {
  readonly firstPosition: Position;
  end: number;
}

interface Waiting {
  readonly frame: WrittenFrame;
  readonly timer: NodeJS.Timeout;
}

export class Confirmations {
  readonly #durable: (frame: WrittenFrame) => void;
  #requirement: Requirement | null = null;
  /** It has ended while frames waited: they stay on this disk, and so does what is written behind them. */
  #isLeft = false;
  readonly #waiting: Waiting[] = [];
  /** Of the frames that wait. */
  bytes = 0;

  constructor(durable: (frame: WrittenFrame) => void) {
    this.#durable = durable;
  }

  require(requirement: Requirement): void {
    this.#requirement = requirement;
  }

  get requirement(): Requirement | null {
    return this.#requirement;
  }

  get isWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** The last position on the disk; null: none waits. */
  get last(): Position | null {
    return this.#waiting.at(-1)?.frame.group.lastPosition ?? null;
  }

  /** Where the segments end that have frames here. */
  extents(): StoredExtent[] {
    const extents: StoredExtent[] = [];
    for (const { frame } of this.#waiting) {
      const firstPosition = frame.segment.firstPosition as Position;
      const end = frame.at + frame.frameBytes;
      const last = extents.at(-1);
      if (last?.firstPosition === firstPosition) last.end = end;
      else extents.push({ firstPosition, end });
    }
    return extents;
  }

  written(frame: WrittenFrame): void {
    if (this.#isLeft) return;
    const requirement = this.#requirement;
    if (requirement === null) {
      this.#durable(frame);
      return;
    }
    const late = (): void => {
      const error = requirement.late(frame.group.lastPosition);
      for (const { reject } of frame.sealed) reject(error);
    };
    this.#waiting.push({ frame, timer: setTimeout(late, requirement.timeoutMs) });
    this.bytes += frame.frameBytes;
  }

  /** Others have everything up to there. */
  confirm(position: Position): void {
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      if (first.frame.group.lastPosition > position) return;
      this.#take(first);
      this.#durable(first.frame);
    }
  }

  /** Nothing will be confirmed any more, nor has to be; what waited becomes durable for nobody here. */
  end(error: EvertError): void {
    this.#requirement = null;
    this.#isLeft ||= this.isWaiting;
    for (const waiting of this.#waiting.slice()) {
      this.#take(waiting);
      for (const { reject } of waiting.frame.sealed) reject(error);
    }
  }

  #take({ timer, frame }: Waiting): void {
    clearTimeout(timer);
    this.#waiting.shift();
    this.bytes -= frame.frameBytes;
  }
}
