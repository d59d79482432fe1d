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
 */
import { datumAt } from "../../../src/batch/column.ts";
import type { Database } from "../../../src/engine/database.ts";
import { type Group, OP_DELETE } from "../../../src/log/log.ts";
import { offsetOf } from "../../../src/log/offsets.ts";
import { naive, State, TOPICS, type TopicName } from "./topics.ts";

const DAY_US = 86_400_000_000;
/** Compaction leaves a delete for so long. */
export const TOMBSTONES_FOR_US = 3_600_000_000;

/** What must not happen. */
export class Violation extends Error {}

export interface Written {
  readonly topic: TopicName;
  /** Of a table's row. */
  readonly key: unknown;
  /** null: the row with the key goes. */
  readonly value: object | null;
}

interface Stored extends Written {
  readonly offset: number;
}

export interface Commit {
  readonly position: number;
  readonly timeUs: number;
  readonly idempotencyKey: string | null;
  readonly records: readonly Stored[];
}

/** What is sent, the same each time. */
export type Request = (db: Database) => Promise<{ position: string; firstOffset?: number }>;

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
}

/** Rows of a view, as JSON and sorted, that were read as of a position. */
interface SeenView {
  readonly view: string;
  readonly position: number;
  readonly rows: readonly string[];
  readonly how: string;
}

interface SeenRecord {
  readonly topic: TopicName;
  readonly offset: number;
  readonly position: number;
  readonly value: string | null;
}

export class Oracle {
  readonly #attempts = new Map<number, Attempt>();
  readonly #requests = new Map<Attempt, Request>();
  #history: readonly Commit[] = [];
  /** Rows of tables may have been taken out up to there. */
  #horizon = 0;
  #seenViews: SeenView[] = [];
  #seenRecords: SeenRecord[] = [];
  /** The highest position that was told. */
  toldPosition = 0;

  begin(
    what: string,
    idempotencyKey: string | null,
    writes: (id: number) => Attempt["writes"],
    objection?: Attempt["objection"],
  ): Attempt {
    const id = this.#attempts.size + 1;
    const attempt = { id, what, idempotencyKey, writes: writes(id), told: new Map(), refused: false };
    this.#attempts.set(id, objection === undefined ? attempt : { ...attempt, objection });
    return this.#attempts.get(id) as Attempt;
  }

  get keyed(): Attempt[] {
    return [...this.#attempts.values()].filter((a) => a.idempotencyKey !== null && !a.refused);
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

  requestOf(attempt: Attempt): Request | undefined {
    return this.#requests.get(attempt);
  }

  sawView(view: string, position: number, rows: readonly string[], how: string): void {
    this.#seenViews.push({ view, position, rows, how });
    this.toldPosition = Math.max(this.toldPosition, position);
  }

  sawRecord(record: SeenRecord): void {
    this.#seenRecords.push(record);
  }

  /** From now on compaction may take out rows of tables up to this position. */
  compacting(horizon: number): void {
    this.#horizon = Math.max(this.#horizon, horizon);
  }

  /** Takes what the log holds now for what has happened. @throws Violation */
  adopt(read: readonly Commit[]): void {
    const commits = this.#whole(read);
    if (commits.length < this.toldPosition)
      throw new Violation(`position ${this.toldPosition} was told, the log ends at ${commits.length}`);
    const state = new State();
    const stored = new Map<Attempt, Commit[]>();
    const ends = new Map<TopicName, number>(TOPICS.map((topic) => [topic, 0]));
    const seen = new Map<number, SeenView[]>();
    for (const view of this.#seenViews) seen.set(view.position, [...(seen.get(view.position) ?? []), view]);
    this.#checkViews(seen.get(0), state);
    for (const [i, commit] of commits.entries()) {
      const { position, timeUs, records } = commit;
      if (position !== i + 1) throw new Violation(`commit ${position} stands at place ${i + 1}`);
      if (i > 0 && timeUs < (commits[i - 1] as Commit).timeUs)
        throw new Violation(`the log's time falls at ${position}`);
      for (const { topic, offset } of records) {
        if (offset !== ends.get(topic))
          throw new Violation(`offset ${offset} of ${topic} comes after ${ends.get(topic)}`);
        ends.set(topic, offset + 1);
      }
      if (records.length > 0) {
        const attempt = this.#attemptOf(commit, state, stored);
        this.#checkCommit(attempt, commit, state, commits.slice(0, i));
        stored.set(attempt, [...(stored.get(attempt) ?? []), commit]);
        for (const { topic, key, value } of records) state.apply(topic, key, value);
      }
      this.#checkViews(seen.get(position), state);
    }
    for (const attempt of this.#attempts.values()) checkTold(attempt, stored.get(attempt) ?? []);
    this.#checkRecords(commits);
    this.#history = commits;
    this.#seenViews = [];
    this.#seenRecords = [];
  }

  /** A copy leads from now on that ends there: what lay behind is in no history that goes on. */
  partedAfter(position: number): void {
    this.#history = this.#history.slice(0, position);
    this.toldPosition = Math.min(this.toldPosition, position);
    this.#seenViews = this.#seenViews.filter((seen) => seen.position <= position);
    this.#seenRecords = this.#seenRecords.filter((seen) => seen.position <= position);
    for (const { told } of this.#attempts.values())
      for (const at of told.keys()) if (at > position) told.delete(at);
  }

  /** What was copied from the log is what it was. @throws Violation */
  checkCopy(read: readonly Commit[]): void {
    this.#whole(read, read.length);
  }

  /**
   * Commits that were read before, as they were then, and those that are new. Of the former compaction may have taken rows: those of which
   * the same key has a later one up to the horizon, and tombstones.
   */
  #whole(read: readonly Commit[], count = this.#history.length): readonly Commit[] {
    const last = new Map<string, number>();
    const keyOf = ({ topic, key }: Written): string => `${topic} ${key}`;
    for (const { position, records } of this.#history) {
      if (position > this.#horizon) break;
      for (const record of records) last.set(keyOf(record), record.offset);
    }
    const newestUs = Math.max(read.at(-1)?.timeUs ?? 0, this.#history.at(-1)?.timeUs ?? 0);
    const known = this.#history.slice(0, count).map((commit, i) => {
      const now = read[i];
      const there = new Set(now?.records.map(({ topic, offset }) => `${topic} ${offset}`));
      const missing = commit.records.filter(({ topic, offset }) => !there.has(`${topic} ${offset}`));
      const mayGo = (record: Stored): boolean =>
        record.topic !== "ev" &&
        commit.position <= this.#horizon &&
        ((record.value === null && newestUs - commit.timeUs >= TOMBSTONES_FOR_US) ||
          (last.get(keyOf(record)) as number) > record.offset);
      const left = commit.records.filter((record) => !missing.includes(record));
      if (isSame(now, { ...commit, records: left }) && missing.every(mayGo)) return commit;
      const is = now === undefined ? "gone" : `now ${textOf(now.records)}`;
      throw new Violation(`commit ${commit.position} was ${textOf(commit.records)} before, and is ${is}`);
    });
    return [...known, ...read.slice(known.length)];
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
    const found =
      all.find(({ told }) => told.has(commit.position)) ??
      all.find((a) => !a.refused && a.told.size === 0 && !stored.has(a) && textOf(a.writes(before)) === text);
    if (found === undefined) throw new Violation(`nobody tried what is deleted at ${commit.position}`);
    return found;
  }

  #checkCommit(attempt: Attempt, commit: Commit, before: State, earlier: readonly Commit[]): void {
    const where = `commit ${commit.position} (${attempt.what})`;
    if (attempt.refused) throw new Violation(`${where} was refused`);
    if (commit.idempotencyKey !== attempt.idempotencyKey)
      throw new Violation(`${where} has the key ${commit.idempotencyKey}, not ${attempt.idempotencyKey}`);
    const wanted = attempt.writes(before);
    if (!isSameWritten(commit.records, wanted))
      throw new Violation(`${where} is ${textOf(commit.records)}\n  and should be ${textOf(wanted)}`);
    const objection = attempt.objection?.(earlier) ?? null;
    if (objection !== null) throw new Violation(`${where}: ${objection}`);
    const at = attempt.told.get(commit.position);
    if (at == null) return;
    const first = commit.records.find(({ topic }) => topic === at.topic);
    if (first !== undefined && first.offset !== at.firstOffset)
      throw new Violation(`${where} was told to begin at ${at.firstOffset}, not ${first.offset}`);
  }

  #checkViews(seen: readonly SeenView[] | undefined, state: State): void {
    for (const { view, position, rows, how } of seen ?? []) {
      const wanted = naive(view, state);
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
      const is = records.get(`${topic} ${offset}`);
      if (is === `${position} ${value}`) continue;
      throw new Violation(`a reader saw ${topic} ${offset}: ${position} ${value}\n  and the log has ${is}`);
    }
  }
}

function checkTold(attempt: Attempt, stored: readonly Commit[]): void {
  const { what, told, idempotencyKey } = attempt;
  for (const position of told.keys()) {
    if (!stored.some((commit) => commit.position === position))
      throw new Violation(
        `${what} was told to be at ${position}, where it is not (but at [${stored.map((c) => c.position)}])`,
      );
  }
  for (let i = 1; i < stored.length; i++) {
    const [a, b] = [stored[i - 1] as Commit, stored[i] as Commit];
    if (idempotencyKey === null || b.timeUs - a.timeUs <= DAY_US)
      throw new Violation(`${what} is stored twice, at ${a.position} and ${b.position}`);
  }
}

/** Rows of a stream in their order; of a table, a commit has one for each key. */
function textOf(records: readonly Written[]): string {
  const line = ({ topic, key, value }: Written): string =>
    topic === "ev"
      ? `ev ${JSON.stringify(value)}`
      : `${topic} ${JSON.stringify(key)} ${JSON.stringify(value)}`;
  const ofStream = records.filter(({ topic }) => topic === "ev").map(line);
  const ofTables = records.filter(({ topic }) => topic !== "ev").map(line);
  return [...ofStream, ...ofTables.sort()].join(", ");
}

function isSame(a: Commit | undefined, b: Commit): boolean {
  return (
    a !== undefined &&
    a.position === b.position &&
    a.timeUs === b.timeUs &&
    a.idempotencyKey === b.idempotencyKey &&
    a.records.length === b.records.length &&
    a.records.every(({ topic, offset, key, value }, i) => {
      const other = b.records[i] as Stored;
      return (
        topic === other.topic && offset === other.offset && key === other.key && isSameRow(value, other.value)
      );
    })
  );
}

/** Rows of one topic have the same columns. */
function isSameRow(a: object | null, b: object | null): boolean {
  if (a === null || b === null) return a === b;
  for (const name in a) if (a[name as keyof typeof a] !== b[name as keyof typeof b]) return false;
  return true;
}

/** Of a stream in their order; of a table in any: a commit has one row for each key. */
function isSameWritten(a: readonly Written[], b: readonly Written[]): boolean {
  if (a.length !== b.length) return false;
  const ofStream = b.filter(({ topic }) => topic === "ev");
  let next = 0;
  return a.every(({ topic, key, value }) => {
    if (topic === "ev") return isSameRow(value, ofStream[next++]?.value ?? null);
    return b.some((other) => other.topic === topic && other.key === key && isSameRow(value, other.value));
  });
}

/** The whole log, commit by commit. */
export async function readLog(db: Database): Promise<Commit[]> {
  const { catalog, log } = db.core;
  const topics = new Map(
    TOPICS.map((name) => {
      const { id, schema } = catalog.topic(name);
      return [id, { name, fields: schema.fields.map((field) => field.name) }];
    }),
  );
  const commits: Commit[] = [];
  for await (const group of log.read({ from: 1, everyGroup: true }))
    commits.push(...commitsOf(group, topics));
  return commits;
}

function commitsOf(
  group: Group,
  topics: ReadonlyMap<number, { readonly name: TopicName; readonly fields: readonly string[] }>,
): Commit[] {
  const records: Stored[][] = group.commits.map(() => []);
  for (const topicBatch of group.batches) {
    const { topicId, batch, ops, commitIndexes, commitEnds } = topicBatch;
    const topic = topics.get(topicId);
    if (topic === undefined) continue;
    let row = 0;
    commitIndexes.forEach((commit, i) => {
      for (; row < (commitEnds[i] as number); row++) {
        const value: Record<string, unknown> = {};
        topic.fields.forEach((field, c) => {
          const column = batch.columns[c];
          if (column !== undefined) value[field] = datumAt(column, row);
        });
        const isGone = ops?.[row] === OP_DELETE;
        const key = topic.name === "ev" ? null : value["k"];
        records[commit]?.push({
          topic: topic.name,
          offset: offsetOf(topicBatch, row),
          key,
          value: isGone ? null : value,
        });
      }
    });
  }
  return group.commits.map(({ position, timeUs, idempotencyKey }, i) => ({
    position,
    timeUs,
    idempotencyKey,
    records: (records[i] as Stored[]).sort((a, b) => TOPICS.indexOf(a.topic) - TOPICS.indexOf(b.topic)),
  }));
}
