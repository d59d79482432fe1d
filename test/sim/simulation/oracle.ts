/**
 * The oracle: a plain array of commits, as the log gives them back, and what everybody was told meanwhile.
 *
 * After each crash the log is read whole, and held against what was tried and told:
 * 1. What had been read before is there as it was: what was shown once is shown for ever.
 * 2. Each commit is an attempt somebody made, whole, with just the rows it is to have after the commits before it. What was decided by reading is
 *    decided by those commits: that is serializability.
 * 3. Each attempt that was told of is there, at the position and the offsets that were told; no refused one is; none is there twice, unless under an
 *    idempotency key that was forgotten, as promised, after a day of log time.
 * 4. All that anybody read or was pushed (records, rows of views) is what these commits give at the position that was told with it.
 * 5. What is missing was let go by a rule or erased (forgetting.ts); the oracle has it still, so what was made of it is judged all the same.
 */
import type { Database } from "../../../src/engine/database.ts";
import {
  type Commit,
  isSame,
  isSameWritten,
  type Stored,
  textOf,
  Violation,
  type Written,
  withWritten,
} from "./commits.ts";
import { Forgetting } from "./forgetting.ts";
import { naive, State, type TopicName } from "./topics.ts";
import { Meanings } from "./versions.ts";

const DAY_US = 86_400_000_000;

/** What is sent, the same each time. */
export type Request = (
  db: Database,
) => Promise<{ position: string; topic?: TopicName; firstOffset?: number }>;

/** Something that was to be committed. */
export interface Attempt {
  readonly id: number;
  readonly what: string;
  readonly idempotencyKey: string | null;
  /** What it writes where the state is so; nothing: no commit. */
  readonly writes: (before: State) => readonly Written[];
  /** Why it may not stand behind these commits, or null. */
  readonly objection?: (before: readonly Commit[]) => string | null;
  /** Positions that were told; and for each, the first offset in a topic, where that was told. */
  readonly told: Map<number, { readonly topic: TopicName; readonly firstOffset: number } | null>;
  /** It was said that it is not, and will not be, stored. */
  refused: boolean;
  /** It was said that it is stored, up to this position; null: it was not. */
  doneBy: number | null;
  /** What lay up to there was stored before it began. */
  after: number;
  /** The topic that it writes may have been dropped since, and all that nobody has read yet with it. */
  mayBeDropped: boolean;
}

/** Rows of a view, as JSON and sorted, that were read as of a position. */
interface SeenView {
  readonly view: string;
  readonly position: number;
  readonly rows: readonly string[];
  readonly how: string;
  /** Where the stream that forgets began for it. */
  readonly start: number;
}

interface SeenRecord {
  readonly topic: TopicName;
  readonly offset: number;
  readonly position: number;
  readonly value: string | null;
}

/** Something that was told, and is true of the commits up to a position or not. */
interface Seen {
  readonly position: number;
  /** Why it is not, or null. */
  readonly objection: (commits: readonly Commit[]) => string | null;
}

export class Oracle {
  readonly #attempts = new Map<number, Attempt>();
  readonly #requests = new Map<Attempt, Request>();
  readonly forgetting: Forgetting = new Forgetting();
  #history: readonly Commit[] = [];
  #seenViews: SeenView[] = [];
  #seenRecords: SeenRecord[] = [];
  #seen: Seen[] = [];
  /** Whose each commit of rows is, by position. */
  readonly #whose = new Map<number, Attempt>();
  /** Rows that were let go. */
  readonly #gone = new Set<Stored>();
  /** The highest position that was told. */
  toldPosition = 0;

  begin(
    what: string,
    idempotencyKey: string | null,
    writes: (id: number) => Attempt["writes"],
    objection?: Attempt["objection"],
  ): Attempt {
    const id = this.#attempts.size + 1;
    const attempt = {
      id,
      what,
      idempotencyKey,
      writes: writes(id),
      told: new Map(),
      refused: false,
      doneBy: null,
      after: Math.max(this.#history.length, this.toldPosition),
      mayBeDropped: false,
    };
    this.#attempts.set(id, objection === undefined ? attempt : { ...attempt, objection });
    return this.#attempts.get(id) as Attempt;
  }

  /** A topic may go, with what these have written. */
  dropping(topicId: number, attempts: Iterable<Attempt>): void {
    this.forgetting.dropping(topicId);
    for (const attempt of attempts) attempt.mayBeDropped = true;
  }

  /** How many there were. */
  get attempts(): number {
    return this.#attempts.size;
  }

  get keyed(): Attempt[] {
    return [...this.#attempts.values()].filter((a) => a.idempotencyKey !== null && !a.refused);
  }

  /** Whether the row was let go, as far as has been seen. */
  isGone(record: Stored): boolean {
    return this.#gone.has(record);
  }

  get history(): readonly Commit[] {
    return this.#history;
  }

  told(attempt: Attempt, position: string, at: { topic: TopicName; firstOffset: number } | null): void {
    attempt.told.set(Number(position), at);
    this.toldPosition = Math.max(this.toldPosition, Number(position));
  }

  /** A position was told, of no matter what. */
  reached(position: number): void {
    this.toldPosition = Math.max(this.toldPosition, position);
  }

  /** What it sends, to be sent again. */
  remember(attempt: Attempt, request: Request): void {
    this.#requests.set(attempt, request);
  }

  /** Nobody sends them again. */
  forgetRequests(of: (attempt: Attempt) => boolean): void {
    for (const attempt of this.#requests.keys()) if (of(attempt)) this.#requests.delete(attempt);
  }

  /** Which key the commit was sent with; null: none, undefined: nobody knows whose it is. */
  keyAt(position: number): string | null | undefined {
    return this.#whose.get(position)?.idempotencyKey;
  }

  requestOf(attempt: Attempt): Request | undefined {
    return this.#requests.get(attempt);
  }

  /** `start`: where the stream that forgets began for it; null: that is not known, and nothing can be said of it. */
  sawView(
    view: string,
    position: number,
    rows: readonly string[],
    how: string,
    start: number | null = this.forgetting.viewStart(view),
  ): void {
    if (start !== null) this.#seenViews.push({ view, position, rows, how, start });
    this.toldPosition = Math.max(this.toldPosition, position);
  }

  sawAt(position: number, objection: Seen["objection"]): void {
    this.#seen.push({ position, objection });
  }

  /** Sent again when the log's time was so, it was taken for what nobody has sent before. When it was stored shows once the log is read. */
  hasForgotten({ what, idempotencyKey }: Attempt, position: number, nowUs: number): void {
    this.sawAt(position, (commits) => {
      const { timeUs } = commits.at(-1) as Commit;
      return nowUs - timeUs > DAY_US
        ? null
        : `the key ${idempotencyKey} of ${what}, which is at ${position}, was forgotten ${nowUs - timeUs} µs later`;
    });
  }

  sawRecord(record: SeenRecord): void {
    this.#seenRecords.push(record);
  }

  /**
   * Takes what the log holds now for what has happened. `toldBefore`: what was told when reading began, where others go on meanwhile. @throws Violation
   */
  adopt(read: readonly Commit[], toldBefore: number | null = null): void {
    const commits = [...this.#whole(read)];
    const told = toldBefore ?? this.toldPosition;
    if (commits.length < told)
      throw new Violation(`position ${told} was told, the log ends at ${commits.length}`);
    const state = new State();
    const stored = new Map<Attempt, Commit[]>();
    const ends = new Map<string, number>();
    const seen = new Map<number, SeenView[]>();
    for (const view of this.#seenViews) seen.set(view.position, [...(seen.get(view.position) ?? []), view]);
    const meanings = new Meanings();
    this.#checkViews(seen.get(0), state, meanings);
    for (const [i, commit] of commits.entries()) {
      const { position, timeUs, records } = commit;
      if (position !== i + 1) throw new Violation(`commit ${position} stands at place ${i + 1}`);
      if (i > 0 && timeUs < (commits[i - 1] as Commit).timeUs)
        throw new Violation(`the log's time falls at ${position}`);
      for (const { topic, topicId, offset } of records) {
        const which = topicId === null ? topic : `${topic} ${topicId}`;
        const end = ends.get(which) ?? 0;
        if (offset !== end) throw new Violation(`offset ${offset} of ${which} comes after ${end}`);
        ends.set(which, offset + 1);
      }
      if (records.length > 0) {
        const attempt = this.#attemptOf(commit, state, stored);
        const written = this.#checkCommit(attempt, commit, state, commits.slice(0, i));
        stored.set(attempt, [...(stored.get(attempt) ?? []), commit]);
        this.#whose.set(position, attempt);
        const isNew = i >= this.#history.length && records.some(({ topicId }) => topicId !== null);
        const whole = isNew ? withWritten(commit, written) : commit;
        commits[i] = whole;
        for (const { topic, key, value } of whole.records) state.apply(topic, key, value);
      }
      meanings.apply(commit.events);
      this.#checkViews(seen.get(position), state, meanings);
    }
    for (const attempt of this.#attempts.values()) checkTold(attempt, stored.get(attempt) ?? [], commits);
    this.#checkRecords(commits);
    for (const { position, objection } of this.#seen) {
      const said = position > commits.length ? null : objection(commits.slice(0, position));
      if (said !== null) throw new Violation(said);
    }
    this.#history = commits;
    this.#seen = this.#seen.filter(({ position }) => position > commits.length);
    this.#seenViews = this.#seenViews.filter(({ position }) => position > commits.length);
    this.#seenRecords = this.#seenRecords.filter(({ position }) => position > commits.length);
  }

  /** A copy leads from now on that ends there: what lay behind is in no history that goes on. */
  partedAfter(position: number): void {
    this.forgetting.partedAfter(position);
    this.#history = this.#history.slice(0, position);
    for (const at of this.#whose.keys()) if (at > position) this.#whose.delete(at);
    this.toldPosition = Math.min(this.toldPosition, position);
    this.#seenViews = this.#seenViews.filter((seen) => seen.position <= position);
    this.#seenRecords = this.#seenRecords.filter((seen) => seen.position <= position);
    this.#seen = this.#seen.filter((seen) => seen.position <= position);
    for (const attempt of this.#attempts.values()) {
      const { told, doneBy } = attempt;
      for (const at of told.keys()) if (at > position) told.delete(at);
      if (doneBy !== null && doneBy > position) attempt.doneBy = null;
      attempt.after = Math.min(attempt.after, position);
    }
  }

  /** What was copied from the log is what it was. @throws Violation */
  checkCopy(read: readonly Commit[]): void {
    this.#whole(read, read.length);
  }

  /**
   * Commits that were read before, as they were then, and those that are new. Of the former some rows may have been taken out: `#checkMissing`.
   */
  #whole(read: readonly Commit[], count = this.#history.length): readonly Commit[] {
    const missing: { commit: Commit; record: Stored }[] = [];
    const known = this.#history.slice(0, count).map((commit, i) => {
      const now = read[i];
      const there = new Set(now?.records.map(({ topic, offset }) => `${topic} ${offset}`));
      // A copy of before has what was dropped since, also what nobody had read until then.
      const unread = now?.records.filter((record) => this.forgetting.isDropped(record)) ?? [];
      const left =
        commit.records.length === 0 && unread.length > 0
          ? unread
          : commit.records.filter((record) => {
              if (there.has(`${record.topic} ${record.offset}`)) return true;
              missing.push({ commit, record });
              return false;
            });
      if (!isSame(now, { ...commit, records: left }))
        throw new Violation(
          `commit ${commit.position} was ${textOf(commit.records)} before, and is ${now === undefined ? "gone" : `now ${textOf(now.records)}`}`,
        );
      return commit;
    });
    this.#checkMissing(missing, read);
    return [...known, ...read.slice(known.length)];
  }

  /** Each row that is missing was let go; of the stream that forgets they are the first ones. */
  #checkMissing(missing: readonly { commit: Commit; record: Stored }[], read: readonly Commit[]): void {
    if (missing.length === 0) return;
    const { forgetting } = this;
    const keyOf = ({ topic, key }: Written): string => `${topic} ${key}`;
    const last = new Map<string, number>();
    for (const { position, records } of this.#history) {
      if (position > forgetting.horizon) break;
      for (const record of records) last.set(keyOf(record), record.offset);
    }
    let start = 0;
    for (const { commit, record } of missing) {
      // What has gone once needs no reason any more.
      if (this.#gone.has(record)) continue;
      const lastOffset = last.get(keyOf(record)) ?? -1;
      if (!forgetting.mayGo({ commit, record, lastOffset }))
        throw new Violation(`of commit ${commit.position} ${textOf([record])} is gone`);
      this.#gone.add(record);
    }
    for (const { record } of missing) if (record.topic === "old") start = Math.max(start, record.offset + 1);
    const first = read.flatMap(({ records }) => records).find(({ topic }) => topic === "old");
    if (first !== undefined && first.offset < start)
      throw new Violation(`old has a record at ${first.offset}, and none at ${start - 1}`);
  }

  /** What the topics hold by now, as far as it has been adopted. */
  now(): State {
    const state = new State();
    for (const { records } of this.#history)
      for (const { topic, key, value } of records) state.apply(topic, key, value);
    return state;
  }

  /** Whose commit it is: rows say so themselves, tombstones have nothing but their key. */
  #attemptOf(commit: Commit, before: State, stored: ReadonlyMap<Attempt, unknown>): Attempt {
    const ops = new Set(
      commit.records.flatMap(({ value }) => (value === null ? [] : [(value as { op: number }).op])),
    );
    if (ops.size > 1) throw new Violation(`commit ${commit.position} has rows of attempts ${[...ops]}`);
    for (const op of ops) {
      const attempt = this.#attempts.get(op);
      if (attempt === undefined) throw new Violation(`nobody tried what is committed at ${commit.position}`);
      return attempt;
    }
    const text = textOf(commit.records);
    const all = [...this.#attempts.values()];
    const { position } = commit;
    const mayBe = (a: Attempt): boolean =>
      !a.refused &&
      a.told.size === 0 &&
      !stored.has(a) &&
      a.after < position &&
      position <= (a.doneBy ?? position) &&
      textOf(a.writes(before)) === text;
    const found =
      all.find(({ told }) => told.has(position)) ??
      all.find((a) => a.doneBy !== null && mayBe(a)) ??
      all.find(mayBe);
    if (found === undefined) throw new Violation(`nobody tried what is deleted at ${position}`);
    return found;
  }

  /** @returns what was to be written. @throws Violation */
  #checkCommit(
    attempt: Attempt,
    commit: Commit,
    before: State,
    earlier: readonly Commit[],
  ): readonly Written[] {
    const where = `commit ${commit.position} (${attempt.what})`;
    if (attempt.refused) throw new Violation(`${where} was refused`);
    if (commit.idempotencyKey !== undefined && commit.idempotencyKey !== attempt.idempotencyKey)
      throw new Violation(`${where} has the key ${commit.idempotencyKey}, not ${attempt.idempotencyKey}`);
    const wanted = attempt.writes(before);
    if (!isSameWritten(commit.records, wanted))
      throw new Violation(`${where} is ${textOf(commit.records)}\n  and should be ${textOf(wanted)}`);
    const objection = attempt.objection?.(earlier) ?? null;
    if (objection !== null) throw new Violation(`${where}: ${objection}`);
    const at = attempt.told.get(commit.position);
    if (at == null) return wanted;
    const first = commit.records.find(({ topic }) => topic === at.topic);
    if (first !== undefined && first.offset !== at.firstOffset)
      throw new Violation(`${where} was told to begin at ${at.firstOffset}, not ${first.offset}`);
    return wanted;
  }

  #checkViews(seen: readonly SeenView[] | undefined, state: State, meanings: Meanings): void {
    for (const { view, position, rows, how, start } of seen ?? []) {
      const wanted = naive(view, state, start, meanings.of(view));
      if (JSON.stringify(rows) === JSON.stringify(wanted)) continue;
      throw new Violation(
        `${how}: ${view} at ${position} was\n  ${rows.join(" ")}\n  and should be\n  ${wanted.join(" ")}`,
      );
    }
  }

  #checkRecords(commits: readonly Commit[]): void {
    if (this.#seenRecords.length === 0) return;
    const records = new Map<string, string>();
    for (const { position, records: of } of commits) {
      for (const { topic, offset, value } of of)
        records.set(`${topic} ${offset}`, `${position} ${JSON.stringify(value)}`);
    }
    for (const { topic, offset, position, value } of this.#seenRecords) {
      if (position > commits.length) continue;
      const is = records.get(`${topic} ${offset}`);
      if (is === `${position} ${value}`) continue;
      throw new Violation(`a reader saw ${topic} ${offset}: ${position} ${value}\n  and the log has ${is}`);
    }
  }
}

function checkTold(attempt: Attempt, stored: readonly Commit[], commits: readonly Commit[]): void {
  const end = commits.length;
  const { what, told, idempotencyKey, doneBy, mayBeDropped } = attempt;
  for (const position of told.keys()) {
    if (
      position <= end &&
      // It may have come there once more, a day later, and gone with its topic before anybody read it.
      !(mayBeDropped && commits[position - 1]?.records.length === 0) &&
      !stored.some((commit) => commit.position === position)
    )
      throw new Violation(
        `${what} was told to be at ${position}, where it is not (but at [${stored.map((c) => c.position)}])`,
      );
  }
  if (doneBy !== null && doneBy <= end && stored.length === 0)
    throw new Violation(`${what} was told to be stored, and is not`);
  for (let i = 1; i < stored.length; i++) {
    const [a, b] = [stored[i - 1] as Commit, stored[i] as Commit];
    if (idempotencyKey === null || b.timeUs - a.timeUs <= DAY_US)
      throw new Violation(`${what} is stored twice, at ${a.position} and ${b.position}`);
  }
}
