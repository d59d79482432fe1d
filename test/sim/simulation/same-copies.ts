/**
 * What copies of one log have alike, where nothing is under way: all that is in the log, also what the engine wrote there itself (definitions, ticks, producers' numbers, consumers' progress), in the same schemas, at the same
 * positions, offsets and times, under the same keys; and what each of them has made of it: the catalog with each topic's schemas, where topics end, the rows of tables, what idempotency keys stand for, epochs and numbers of
 * producers, progress of consumers.
 *
 * Where one of them has let records go, what it has of that topic is compared: whether they might go judges the oracle (oracle.ts), for each copy.
 */
import type { Database } from "../../../src/engine/database.ts";
import { type Commit, isSameRow, type Stored, Violation } from "./commits.ts";
import type { Run } from "./life.ts";
import { ID as PRODUCER } from "./producer.ts";
import { shownTables } from "./tables.ts";

/** A copy, and its log as it was read whole (`readLog`). */
export interface Looked {
  readonly name: string;
  readonly db: Database;
  readonly commits: readonly Commit[];
}

/** @throws Violation */
export async function checkSame(run: Run, leader: Looked, other: Looked): Promise<void> {
  const between = `${other.name} and its leader ${leader.name}`;
  for (let i = 0; i < Math.max(leader.commits.length, other.commits.length); i++) {
    const said = difference(leader.commits[i], other.commits[i]);
    if (said !== null) throw new Violation(`the logs of ${between} differ at ${i + 1}: ${said}`);
  }
  const [theirs, own] = [await madeOf(run, leader), await madeOf(run, other)];
  for (const [what, text] of theirs)
    if (own.get(what) !== text)
      throw new Violation(`${what} of ${between} differ:\n  ${own.get(what)}\n  ${text}`);
}

/** How many commits two logs begin with that are the same: they may have parted since, and may have other topics and columns by now. */
export function samePrefix(a: readonly Commit[], b: readonly Commit[]): number {
  const most = Math.min(a.length, b.length);
  for (let i = 0; i < most; i++) if (difference(a[i], b[i], true) !== null) return i;
  return most;
}

/** Why two commits are not one, or null. `mayBeShaped`: what only one of them has of a topic whose columns change is not looked at. */
export function difference(a: Commit | undefined, b: Commit | undefined, mayBeShaped = false): string | null {
  if (a === undefined || b === undefined) return `${JSON.stringify(a)} and ${JSON.stringify(b)}`;
  for (const name of ["position", "timeUs", "segment", "idempotencyKey", "requestDigest"] as const)
    if (a[name] !== b[name]) return `${name} is ${a[name]}, and ${b[name]}`;
  for (const [one, another] of [
    [a, b],
    [b, a],
  ] as const) {
    const records = new Map(another.records.map((record) => [placeOf(record), record]));
    for (const record of one.records) {
      const same = records.get(placeOf(record));
      // Of a stream whose records are kept none is missing.
      if (same === undefined && record.topic !== "ev" && record.topic !== "made") continue;
      const isSame = same !== undefined && (mayBeShaped ? isAlike(record, same) : isOne(record, same));
      if (!isSame) return `${JSON.stringify(record)} and ${JSON.stringify(same)}`;
    }
  }
  return a.own === b.own ? null : `${a.own}\n  and\n  ${b.own}`;
}

const placeOf = ({ topic, topicId, offset }: Stored): string => `${topic} ${topicId} ${offset}`;

function isOne(a: Stored, b: Stored): boolean {
  return a.key === b.key && isSameRow(a.value, b.value) && isSameRow(b.value, a.value);
}

/** In the columns that both have. */
function isAlike(a: Stored, b: Stored): boolean {
  const common = (value: object | null, other: object | null): object | null =>
    value === null || other === null
      ? value
      : Object.fromEntries(Object.entries(value).filter(([name]) => name in other));
  return a.key === b.key && isSameRow(common(a.value, b.value), b.value);
}

async function madeOf(run: Run, { name, db, commits }: Looked): Promise<ReadonlyMap<string, string>> {
  const { catalog, log } = db.core;
  const made = new Map<string, string>();
  const defined = (catalog.toJSON() as { id?: number }[]).map((entry) => textOf(entry));
  made.set("catalogs", defined.sort().join("\n  "));
  for (const topic of catalog.allTopics()) made.set(`ends of ${topic.name}`, String(log.topicEnd(topic.id)));
  for (const topic of db.topics()) made.set(`schemas of ${topic.name}`, textOf(db.schemas(topic.name)));
  for (const [table, rows] of await shownTables(name, db, commits)) made.set(`rows of ${table}`, rows);
  for (const { idempotencyKey } of run.oracle.keyed) {
    const key = idempotencyKey as string;
    const known = log.knownCommit(key);
    // A commit's topics have no order.
    const ranges = known?.ranges.toSorted((a, b) => a.topicId - b.topicId);
    made.set(`what ${key} stands for`, textOf({ ...known, ranges }));
  }
  made.set("producers", textOf(await db.producer(PRODUCER)));
  // What its own retention has given up each copy knows alone.
  const consumers = (await db.consumers()).map(({ topics, ...consumer }) => ({
    ...consumer,
    topics: topics.map(({ lost: _, ...progress }) => progress),
  }));
  made.set("consumers", textOf(consumers));
  made.set("positions", `${log.lastPosition} ${log.durablePosition} ${db.position} ${commits.length}`);
  made.set("names of the logs", String(log.logId));
  return made;
}

/** Names in an order that does not tell who was first. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === "bigint"
      ? `${inner}n`
      : typeof inner === "object" && inner !== null && !Array.isArray(inner) && !ArrayBuffer.isView(inner)
        ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
        : inner,
  );
}
