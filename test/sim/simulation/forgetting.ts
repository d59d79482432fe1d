/**
 * What may be taken out of the log, and what must be gone. Nothing goes unless somebody has said so:
 * - of a table that is compacted: what a later row of the key has replaced, and deletes that are old enough, both up to where a start begins at the earliest;
 * - of the stream that forgets: its first records, as far as a rule lets them go and no view needs them;
 * - all that there was of a key that is erased. When that is done, nothing of it may be left.
 */
import type { Keeping } from "../../../src/plan/keeping.ts";
import type { Commit, Stored, Written } from "./commits.ts";
import { Violation } from "./commits.ts";
import type { ErasedKey } from "./place.ts";
import { named, RULES, STREAMS, type TopicName } from "./topics.ts";

export type Rule = Pick<Keeping, "retainForUs" | "retainBytes" | "tombstonesForUs" | "despiteViews">;

/** What can be seen of it in an open database. */
export interface Keepings {
  /** Where the stream that forgets begins. */
  readonly start: number;
  readonly rules: ReadonlyMap<TopicName, Rule>;
}

/** What all the records of a log tell of those that are missing. */
export interface Missing {
  readonly commit: Commit;
  readonly record: Stored;
  /** The last record of the same key that may have replaced others. */
  readonly lastOffset: number;
}

const sameRule = (a: Rule, b: Rule): boolean =>
  a.retainForUs === b.retainForUs &&
  a.retainBytes === b.retainBytes &&
  a.tombstonesForUs === b.tombstonesForUs &&
  a.despiteViews === b.despiteViews;

export class Forgetting {
  /** Up to which position rows of tables may have been taken out, because of later ones. */
  horizon = 0;
  /** Up to here, what copies that have parted since have is one history; nobody may have read all of it when they did. */
  partedAt = 0;
  /** Of a promotion that is under way. */
  #epochAhead: number | null = null;
  /** The latest time of the log that rules may have been applied at. */
  nowUs: number = Number.NEGATIVE_INFINITY;
  /** Where the stream that forgets began at the last look. */
  #lookedStart = 0;
  /** Of each topic the rules that have held since the last look, or may have. */
  readonly #rules = new Map<TopicName, Rule[]>();
  /** Keys whose rows may go, up to a position. */
  #erasing: ErasedKey[] = [];
  /** Where the stream began when a view was made; null: that is not known. */
  readonly #viewStarts = new Map<string, number | null>();
  readonly #making = new Set<string>();
  /** It was said that the stream forgets whatever views need: from then on a view that is made anew answers otherwise. */
  #despiteViews = false;
  /** Topics by id that may have been dropped. */
  readonly #dropped = new Set<number>();
  /** Views that were there all the time since the last look. */
  readonly #there = new Set<string>();

  rulesOf(topic: TopicName): readonly Rule[] {
    return this.#rules.get(topic) ?? [RULES[topic] ?? {}];
  }

  /** It is said; whether it holds is seen at the next look. */
  saying(topic: TopicName, rule: Rule): void {
    this.#rules.set(topic, [...this.rulesOf(topic), rule]);
    if (rule.despiteViews === true) this.#despiteViews = true;
  }

  /** From now on compaction may take out rows of tables up to this position. */
  compacting(horizon: number, nowUs: number): void {
    this.horizon = Math.max(this.horizon, horizon);
    this.nowUs = Math.max(this.nowUs, nowUs);
  }

  /** From now on all rows of the key up to the position may go. */
  erasing(one: ErasedKey): void {
    this.#erasing.push(one);
  }

  get erasedKeys(): readonly ErasedKey[] {
    return this.#erasing;
  }

  /** Another history is going to go on, with that epoch, from a position that is not known yet. */
  parting(epoch: number): void {
    this.partedAt = Number.POSITIVE_INFINITY;
    this.#epochAhead = epoch;
  }

  /** Of what somebody has, the commits before it goes on with an epoch that the others do not know of yet: they may have others at its positions, and have told of them. */
  ofAll(read: readonly Commit[]): readonly Commit[] {
    const begins = read.findIndex(({ events }) =>
      events.some((event) => event.event === "lead" && event.epoch.epoch === this.#epochAhead),
    );
    return begins < 0 ? read : read.slice(0, begins);
  }

  /** What lay behind the position is in no history that goes on; others will have its positions. */
  partedAfter(position: number): void {
    this.partedAt = position;
    this.#epochAhead = null;
    this.horizon = Math.min(this.horizon, position);
    this.#erasing = this.#erasing.map((e) => ({ ...e, to: Math.min(e.to, position) }));
  }

  /** From now on a topic may be gone, with all that it had. */
  dropping(topicId: number): void {
    this.#dropped.add(topicId);
  }

  /** It is there, and nothing is under way. */
  isThere(topicId: number): void {
    this.#dropped.delete(topicId);
  }

  /** Whether the row's topic may have been dropped. */
  isDropped({ topicId }: Pick<Stored, "topicId">): boolean {
    return topicId !== null && this.#dropped.has(topicId);
  }

  /** A view is being made, while the stream begins there. */
  making(view: string, start: number): void {
    this.#viewStarts.set(view, start);
    this.#making.add(view);
  }

  /** It is made by now, and the stream begins there: if it has moved meanwhile, nobody knows what the view has met. */
  made(view: string, start: number): void {
    if (this.#making.delete(view) && this.#viewStarts.get(view) !== start) this.#viewStarts.set(view, null);
  }

  /** A view may go. */
  going(view: string): void {
    this.#there.delete(view);
  }

  /** Where the stream began for the view; null: nobody knows. */
  viewStart(view: string): number | null {
    if (this.#despiteViews && named(view).from !== null) return null;
    const start = this.#viewStarts.get(view);
    return start === undefined ? 0 : start;
  }

  /**
   * Where the stream began for a query that is asked now, while it begins there; null: nobody knows. A query like a view that is there has the view's answer,
   * and that has what the stream forgot despite it.
   */
  queryStart(view: string, start: number): number | null {
    return this.#despiteViews && named(view).from !== null ? null : start;
  }

  mayGo({ commit, record, lastOffset }: Missing): boolean {
    const { topic, key, offset, value } = record;
    if (this.isDropped(record)) return true;
    if (this.#erasing.some((e) => e.topic === topic && e.key === key && commit.position <= e.to)) return true;
    if (topic === "old") return this.#mayBeForgotten(record, commit);
    if (STREAMS.has(topic) || commit.position > this.horizon) return false;
    return this.rulesOf(topic).some(({ tombstonesForUs }) => {
      if (tombstonesForUs === undefined) return false;
      return lastOffset > offset || (value === null && this.nowUs - commit.timeUs >= tombstonesForUs);
    });
  }

  #mayBeForgotten({ offset, value }: Written & { readonly offset: number }, commit: Commit): boolean {
    if (offset < this.#lookedStart) return true;
    const { op } = value as { op: number };
    const isNeeded = [...this.#there].some((view) => {
      const { from } = named(view);
      return from !== null && op >= from && offset >= (this.viewStart(view) ?? Number.POSITIVE_INFINITY);
    });
    if ((isNeeded && !this.#despiteViews) || commit.position > this.horizon) return false;
    return this.rulesOf("old").some(
      ({ retainForUs, retainBytes }) =>
        retainBytes !== undefined || (retainForUs !== undefined && this.nowUs - commit.timeUs > retainForUs),
    );
  }

  /** What is to be seen now is what has been said, and holds from here on. `views`: those that are there. */
  looked({ start, rules }: Keepings, views: Iterable<string>): void {
    this.#lookedStart = start;
    for (const [topic, rule] of rules) {
      const possible = this.rulesOf(topic);
      if (!possible.some((one) => sameRule(one, rule)))
        throw new Violation(
          `${topic} keeps ${JSON.stringify(rule)}, and was said to keep one of ${JSON.stringify(possible)}`,
        );
      this.#rules.set(topic, [rule]);
    }
    this.#there.clear();
    for (const view of views) this.#there.add(view);
  }
}
