/**
 * Backpressure: who may stage a commit now, and who has to wait.
 *
 * 1. A commit may be staged while the open group stays below `groupBytesMax` (alone in a group it may be larger) and while there
 *    is zero-filled room for the frame the group would become.
 * 2. Whoever has to wait stands in a queue. The head of it says how much room to make; nobody overtakes.
 * 3. Those let go on are promised their room until the turn is over, so that no more of them go on than there is room for. They
 *    may ask once more before they stage.
 */
import type { EvertError } from "../base/errors.ts";
import type { OpenGroup } from "./open-group.ts";
import type { Space } from "./space.ts";

/** What is made sure of beyond the size that is asked for, which is an estimate. */
const SLACK_BYTES = 16 * 1024;
const SLACK_FACTOR = 1.5;

interface Waiter {
  readonly bytes: number;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export class Admission {
  readonly #space: Space;
  readonly #openGroup: () => OpenGroup;
  readonly #groupBytesMax: number;
  #waiters: Waiter[] = [];
  /** Bytes promised in this turn. */
  #granted = 0;

  constructor(space: Space, openGroup: () => OpenGroup, groupBytesMax: number) {
    this.#space = space;
    this.#openGroup = openGroup;
    this.#groupBytesMax = groupBytesMax;
  }

  /** Null: a commit of about `bytes` may be staged now. Otherwise wait for it. */
  room(bytes: number): Promise<void> | null {
    const mayAsk = this.#waiters.length === 0 || this.#granted >= withSlack(bytes);
    return mayAsk && this.#hasRoom(bytes, 0) ? null : this.#wait(bytes);
  }

  #wait(bytes: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({ bytes, resolve, reject });
      this.admit();
    });
  }

  /** There may be more room than before: lets those go on for whom there is, in order. */
  admit(): void {
    for (let head = this.#waiters[0]; head !== undefined; head = this.#waiters[0]) {
      if (!this.#hasRoom(head.bytes, this.#granted)) break;
      this.#waiters.shift();
      if (this.#granted === 0) setImmediate(() => this.#endTurn());
      this.#granted += withSlack(head.bytes);
      head.resolve();
    }
    const head = this.#waiters[0];
    this.#space.demand(head === undefined ? 0 : this.#needed(head.bytes, this.#granted));
  }

  /** The disk is full: who waits for space is told so; who waits for the group to be sealed goes on waiting. */
  diskFull(error: EvertError): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (this.#space.fits(this.#needed(waiter.bytes, 0))) this.#waiters.push(waiter);
      else waiter.reject(error);
    }
    this.admit();
  }

  /** Nobody goes on any more. */
  refuseAll(error: EvertError): void {
    for (const { reject } of this.#waiters.splice(0)) reject(error);
  }

  #endTurn(): void {
    this.#granted = 0;
    this.admit();
  }

  #hasRoom(bytes: number, granted: number): boolean {
    const group = this.#openGroup();
    const alone = group.commits.length === 0 && granted === 0;
    if (!alone && group.bytesMax + granted + bytes > this.#groupBytesMax) return false;
    return this.#space.fits(this.#needed(bytes, granted));
  }

  /** Size of the frame if a commit of about `bytes` came on top of what is staged and promised. */
  #needed(bytes: number, granted: number): number {
    return this.#openGroup().bytesMax + granted + withSlack(bytes);
  }
}

function withSlack(bytes: number): number {
  return Math.ceil(bytes * SLACK_FACTOR) + SLACK_BYTES;
}
