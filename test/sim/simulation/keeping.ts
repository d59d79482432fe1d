/** What is kept, and what is forgotten: rules that are set, passes that go by them, keys that are erased. What may go and what must be gone judges forgetting.ts. */
import { EvertError } from "../../../src/base/errors.ts";
import type { Column } from "../../../src/batch/batch.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { TICK_ENTRY } from "../../../src/engine/catalog/hidden-topics.ts";
import type { Database } from "../../../src/engine/database.ts";
import { keepingRules } from "../../../src/engine/keeping.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { readLog, Violation } from "./commits.ts";
import type { Keepings, Rule } from "./forgetting.ts";
import type { Life, Run } from "./life.ts";
import { TOPICS, type TopicName } from "./topics.ts";

const SECOND_US = 1_000_000;

/** How the topics keep, as the catalog says. */
export function keepingsOf(db: Database): Keepings {
  const rules = new Map(
    TOPICS.map((name): [TopicName, Rule] => {
      const { retainForUs, retainBytes, tombstonesForUs, despiteViews } = db.topic(name).keeping ?? {};
      return [name, { retainForUs, retainBytes, tombstonesForUs, despiteViews }];
    }),
  );
  return { start: db.topic("old").start, rules };
}

/**
 * What goes by rules is what the oracle has seen already, so that it knows what it was. REQUIRES that it has adopted what there was when the database was opened.
 * An erased key is looked at in the moment before it goes. `isAside`: whether others go on from an earlier position, and nobody asks any more for what is here.
 */
export function watchKeeping(run: Run, db: Database, isAside: () => boolean = () => false): void {
  const { log } = db.core;
  const { oracle } = run;
  const [keep, erase] = [log.keep.bind(log), log.erase.bind(log)];
  log.keep = (rules) =>
    keep(() => {
      const said = rules();
      const horizon = Math.min(said.horizon, oracle.history.length);
      oracle.forgetting.compacting(horizon, log.nowUs());
      return { ...said, horizon };
    });
  // Where there was nothing to replay it has begun already.
  if (db.core.catchUp === null)
    log.keep(() => {
      const position = Number(db.stats().checkpointPosition);
      return keepingRules(db.core, position, () => db.replication.copiedTo());
    });
  log.erase = async (topicId, key, to) => {
    const told = oracle.toldPosition;
    const read = oracle.forgetting.ofAll(await readLog(db));
    // Of a log with copies one may have what another has not yet.
    if (!isAside() && read.length >= oracle.history.length) oracle.adopt(read, Math.min(told, read.length));
    const { name } = db.core.catalog.byId(topicId) as { name: TopicName };
    // One that is aside may have more of what all have than was read by then.
    const known = Math.max(oracle.history.length, isAside() ? oracle.forgetting.partedAt : 0);
    oracle.forgetting.erasing({ topic: name, key: keyIn(key), to: Math.min(to, known) });
    return erase(topicId, key, to);
  };
}

function isLeader(db: Database): boolean {
  return db.replication.info().role === "leader";
}

function keyIn({ columns }: Parameters<Database["core"]["log"]["erase"]>[1]): unknown {
  return datumAt(columns[0] as Column, 0);
}

const CHANGES: readonly [topic: TopicName, said: string, rule: Rule][] = [
  ["acct", "SET (tombstones_for = '1 hour')", { tombstonesForUs: 3600 * SECOND_US }],
  ["acct", "SET (tombstones_for = '1 second')", { tombstonesForUs: SECOND_US }],
  ["acct", "RESET (compact)", { tombstonesForUs: undefined }],
  ["item", "SET (tombstones_for = '0 seconds')", { tombstonesForUs: 0 }],
  ["item", "RESET (compact)", { tombstonesForUs: undefined }],
  ["old", "SET (retain_bytes = '0')", { retainBytes: 0 }],
  ["old", "SET (retain_bytes = '3000')", { retainBytes: 3000 }],
  ["old", "SET (retain_for = '1 second')", { retainForUs: SECOND_US }],
  ["old", "SET (retain_for = '2 hours')", { retainForUs: 7200 * SECOND_US }],
  ["old", "RESET (retain_for)", { retainForUs: undefined }],
  ["old", "RESET (retain_bytes)", { retainBytes: undefined }],
  ["old", "SET (retain_bytes = '0', despite_views)", { retainBytes: 0, despiteViews: true }],
  ["old", "RESET (despite_views)", { despiteViews: undefined }],
];

/** Another rule for a topic. */
export async function keep(life: Life, random: SeededRandom): Promise<void> {
  const { db, run } = life;
  const { forgetting } = run.oracle;
  const [topic, change, said] = CHANGES[random.below(CHANGES.length)] as (typeof CHANGES)[number];
  if (run.ruling.has(topic)) return;
  run.ruling.add(topic);
  const sql = `ALTER TABLE ${topic} ${change}`;
  run.trace(`${sql} begins`);
  // What holds now is one of what may hold; what holds already is said to nobody's harm.
  const before = forgetting.rulesOf(topic);
  const after = before.map((rule) => ({ ...rule, ...said }));
  const isNew = after.every((rule) => before.every((one) => JSON.stringify(one) !== JSON.stringify(rule)));
  for (const rule of after) forgetting.saying(topic, rule);
  const needs = isNew && neededAtLeast(life);
  try {
    const { error } = await db.sql(sql);
    if (error !== undefined) throw EvertError.from(error);
    life.told(`${sql} is done`);
    const mayDespite = after.some(({ despiteViews }) => despiteViews === true);
    if (topic === "old" && change.startsWith("SET") && needs && !mayDespite && neededAtLeast(life))
      throw new Violation(`${sql} was not refused, and a view needs all there is`);
  } catch (error) {
    const isNeeded = topic === "old" && (error as EvertError).code === "dependent_objects";
    if (!isNeeded) life.refused(sql, error);
    else life.told(`${sql} is refused: ${(error as EvertError).message}`);
  } finally {
    run.ruling.delete(topic);
  }
}

/** Whether a view needs all that there is of the stream. */
function neededAtLeast({ db, run }: Life): boolean {
  return db.views().some(({ name }) => name.startsWith("whole") && run.views.get(name) !== null);
}

/** Takes out what may go, now; maybe so that all there is can be looked at. */
export async function compact(life: Life, random: SeededRandom): Promise<void> {
  const { db } = life;
  try {
    if (isLeader(db) && !random.oneIn(3)) await turnOver(db);
    if (!random.oneIn(3)) await db.checkpoint();
    await db.core.log.sealed();
    const before = db.core.log.stats().keeping;
    await db.core.log.compact();
    const { rows } = db.core.log.stats().keeping;
    life.told(`compacted: ${rows - before.rows} rows; old begins at ${db.topic("old").start}`);
    life.place.begins(db.topic("old").start);
  } catch (error) {
    life.refused("compact", error);
  }
}

/** The log goes on in a new segment. */
export async function turnOver(db: Database): Promise<void> {
  const { committer, log } = db.core;
  await committer.exclusively(async () => {
    log.turnOver();
    return [{ topic: TICK_ENTRY, op: "upsert", rows: [{ due: new Date(log.nowUs() / 1000) }], path: "tick" }];
  });
}

/** A key, for good. */
export async function erase(life: Life, random: SeededRandom): Promise<void> {
  const { db, run } = life;
  const { oracle } = run;
  const k = random.below(8);
  const [topic, key]: [TopicName, unknown] = random.oneIn(4) ? ["item", `item ${k}`] : ["acct", k];
  const attempt = oracle.begin(`erase ${key} of ${topic}`, null, () => () => [{ topic, key, value: null }]);
  const name = `#${attempt.id} ${attempt.what}`;
  run.trace(`${name} begins`);
  try {
    const { position } = await db.erase(topic, key);
    // Nobody hears of it any more.
    if (life.ended.signal.aborted) return;
    attempt.doneBy = Number(position);
    oracle.reached(Number(position));
    life.place.erased({ topic, key, to: Number(position) }, oracle.history);
    life.told(`${name} is done, up to ${position}`);
    if (!life.isOver) await life.place.suspect(life.disk);
  } catch (error) {
    life.refused(name, error);
  }
}

/** On a replica: what has been deleted by now goes from its own files. Where the key has been written again it is refused. @returns whether it is done */
export async function eraseCopy(life: Life, topic: TopicName, key: unknown): Promise<boolean> {
  const { db, run, place } = life;
  const name = `erase ${key} of ${topic} on a copy`;
  run.trace(`${name} begins`);
  try {
    const { position } = await db.erase(topic, key as number | string);
    if (life.ended.signal.aborted) return false;
    place.erased({ topic, key, to: Number(position) }, run.oracle.history);
    life.told(`${name} is done, up to ${position}`);
    if (!life.isOver) await place.suspect(life.disk);
    return true;
  } catch (error) {
    life.refused(name, error);
    return false;
  }
}
