/**
 * Log time: what commits are stamped with. It follows the wall clock, but never falls, and believes no leap.
 *
 * - A wall clock behind the last stamp is not followed: log time stands still until the clock has caught up.
 * - A wall clock that ran ahead of the monotonic clock by more than an hour between two stamps was set, by mistake as far as
 *   we can know: log time goes on at the monotonic clock's pace.
 * Either is reported once, when it begins. The first stamp after opening believes any later time: nobody knows how long the
 * log was closed.
 */
import type { Clock } from "../base/clock.ts";

export const FORWARD_JUMP_US_MAX = 3_600_000_000;

export interface ClockJump {
  readonly direction: "backward" | "forward";
  readonly wallUs: number;
  /** What the log took instead. */
  readonly timeUs: number;
}

export class LogTime {
  readonly #clock: Clock;
  readonly #onJump: (jump: ClockJump) => void;
  #lastUs: number;
  /** The monotonic clock when the last stamp's time was first given; null before the first. */
  #monotonicUs: number | null = null;
  #clamped: ClockJump["direction"] | null = null;

  constructor(clock: Clock, lastUs: number, onJump: (jump: ClockJump) => void) {
    this.#clock = clock;
    this.#lastUs = lastUs;
    this.#onJump = onJump;
  }

  /** What stamp() would give now. */
  peek(): number {
    const wallUs = this.#clock.wallUs();
    const lastUs = this.#lastUs;
    if (wallUs < lastUs) return lastUs;
    if (this.#monotonicUs === null) return wallUs;
    const elapsedUs = this.#clock.monotonicUs() - this.#monotonicUs;
    return wallUs > lastUs + elapsedUs + FORWARD_JUMP_US_MAX ? lastUs + elapsedUs : wallUs;
  }

  /** Commits of another log's making bring this time. */
  reached(timeUs: number): void {
    this.#lastUs = Math.max(this.#lastUs, timeUs);
  }

  stamp(): number {
    const wallUs = this.#clock.wallUs();
    // Of the many commits of one tick of the wall clock (a millisecond) the first has looked whether it leapt.
    if (wallUs === this.#lastUs && this.#monotonicUs !== null && this.#clamped === null) return wallUs;
    const monotonicUs = this.#clock.monotonicUs();
    const elapsedUs = this.#monotonicUs === null ? Number.POSITIVE_INFINITY : monotonicUs - this.#monotonicUs;
    const lastUs = this.#lastUs;
    this.#monotonicUs = monotonicUs;
    if (wallUs < lastUs) this.#clamp("backward", wallUs, lastUs);
    else if (wallUs > lastUs + elapsedUs + FORWARD_JUMP_US_MAX)
      this.#clamp("forward", wallUs, lastUs + elapsedUs);
    else {
      this.#clamped = null;
      this.#lastUs = wallUs;
    }
    return this.#lastUs;
  }

  #clamp(direction: ClockJump["direction"], wallUs: number, timeUs: number): void {
    this.#lastUs = timeUs;
    if (this.#clamped === direction) return;
    this.#clamped = direction;
    this.#onJump({ direction, wallUs, timeUs });
  }
}
