/** When topics were last written: whoever has read a topic's rows asks whether they can be others by now. */
import { ById } from "../../base/by-id.ts";
import { SINK_ENTRY, TICK_ENTRY } from "../catalog/hidden-topics.ts";
import type { Commits } from "../step-positions.ts";
import type { Part } from "./part.ts";

export class LastWritten {
  /** By topic, the last commit noted here that wrote to it. */
  readonly #byTopic = new ById<number>();
  /** What was committed up to here was so before anything was noted. */
  #beganAt: number;
  #decided: Commits | null;
  /** Where it is one commit: it alone, at this position. */
  #decidedAt = 0;

  /** Of a log that ends at the position. */
  constructor(position: number) {
    this.#beganAt = position;
    this.#decided = { after: 0, to: position };
  }

  /**
   * Commits (after, to], the last of which that somebody decided: none of the engine's own, such as the passing of time and what views write to
   * topics.
   */
  get decided(): Commits {
    return this.#decided ?? { after: this.#decidedAt - 1, to: this.#decidedAt };
  }

  /** The commits, (after, to], of which one was the last that wrote to the topic. */
  of(topicId: number): Commits {
    const last = this.#byTopic.get(topicId);
    return last === undefined ? { after: 0, to: this.#beganAt } : { after: last - 1, to: last };
  }

  /** A commit of these parts; `ridden`: what the engine put into it. */
  note(position: number, parts: readonly Part[], ridden: readonly Part[] | null): void {
    if (ridden !== null) for (const { topic } of ridden) this.#byTopic.set(topic.id, position);
    for (const { topic, bySink } of parts) {
      this.#byTopic.set(topic.id, position);
      if (bySink !== undefined || topic === TICK_ENTRY || topic === SINK_ENTRY) continue;
      this.#decided = null;
      this.#decidedAt = position;
    }
  }

  /** The log ends at the position, with commits that were not noted: when each topic was last written is not known. */
  startAt(position: number): void {
    this.#beganAt = position;
    this.#byTopic.clear();
    this.#decided = { after: 0, to: position };
  }

  /** The topic is gone. */
  forget(topicId: number): void {
    this.#byTopic.delete(topicId);
  }
}
