/**
 * That nobody who needs a topic whole is given its first rows and later ones without those between. Retention gives up a topic's first rows, a
 * segment's at a time, while others read: who has read some of the first segment would go on behind the second.
 */
import { EvertError } from "../base/errors.ts";
import type { Group } from "./log.ts";
import type { LogIndex } from "./log-index.ts";
import { endOffset } from "./offsets.ts";

export class HoleWatch {
  readonly #index: LogIndex;
  /** By topic, up to where its rows have been given out. */
  readonly #ends = new Map<number, number>();
  #moves: number;

  constructor(index: LogIndex) {
    this.#index = index;
    this.#moves = index.startMoves;
  }

  /** Before the group is given out. @throws EvertError records_gone */
  next({ batches }: Group): void {
    const hasMoved = this.#index.startMoves !== this.#moves;
    for (const batch of batches) {
      const { topicId, baseOffset } = batch;
      const end = this.#ends.get(topicId);
      if (hasMoved && end !== undefined && baseOffset !== end) this.#check(topicId, end);
      this.#ends.set(topicId, endOffset(batch));
    }
  }

  /** When all has been given out. @throws EvertError records_gone */
  end(): void {
    if (this.#index.startMoves === this.#moves) return;
    for (const [topicId, end] of this.#ends) this.#check(topicId, end);
  }

  #check(topicId: number, end: number): void {
    if (this.#index.topicStart(topicId) <= end) return;
    throw new EvertError("records_gone", "records that were being read have been given up meanwhile", {
      detail: "A topic's retention has let them go.",
      hint: "Read again: it begins later by now.",
    });
  }
}
