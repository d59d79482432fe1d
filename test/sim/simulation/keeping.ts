/** What is kept, and what is forgotten: rules that are set, passes that go by them, keys that are erased. What may go and what must be gone judges forgetting.ts. */
import { encodeUtf8 } from "../../../src/base/bytes.ts";
import { EvertError } from "../../../src/base/errors.ts";
import type { Column } from "../../../src/batch/batch.ts";
import { datumAt } from "../../../src/batch/column.ts";
import { TICK_ENTRY } from "../../../src/engine/catalog.ts";
import type { Database } from "../../../src/engine/database.ts";
import { keepingRules } from "../../../src/engine/keeping.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { filesWith } from "../../support/raw-files.ts";
import { type Commit, readLog, Violation } from "./commits.ts";
import type { Keepings, Rule } from "./forgetting.ts";
import type { Life, Run } from "./life.ts";
import { TOPICS, type TopicName } from "./topics.ts";

const SECOND_US = 1_000_000;

/** How the topics keep, as the catalog says. */
export function keepingsOf(db: Database): Keepings {
  const rules = new Map(
    TOPICS.map((name): [TopicName, Rule] => {
      const { retainForUs, retainBytes, tombstonesForUs } = db.topic(name).keeping ?? {};
      return [name, { retainForUs, retainBytes, tombstonesForUs }];
    }),
  );
  return { start: db.topic("old").start, rules };
}

/**
 * What goes by rules is what the oracle has seen already, so that it knows what it was. REQUIRES that it has adopted what there was when the database was opened.
 * An erased key is looked at in the moment before it goes.
 */
export function watchKeeping(run: Run, db: Database): void {
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
    oracle.adopt(await readLog(db), told);
    const { name } = db.core.catalog.byId(topicId) as { name: TopicName };
    oracle.forgetting.erasing(name, keyIn(key), to);
    return erase(topicId, key, to);
  };
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
    if (topic === "old" && change.startsWith("SET") && needs && neededAtLeast(life))
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
    if (!random.oneIn(3)) await turnOver(db);
    if (!random.oneIn(3)) await db.checkpoint();
    await db.core.log.sealed();
    const before = db.core.log.stats().keeping;
    await db.core.log.compact();
    const { rows } = db.core.log.stats().keeping;
    life.told(`compacted: ${rows - before.rows} rows; old begins at ${db.topic("old").start}`);
    life.run.oracle.forgetting.begins(db.topic("old").start);
  } catch (error) {
    life.refused("compact", error);
  }
}

/** The log goes on in a new segment. */
async function turnOver(db: Database): Promise<void> {
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
    attempt.doneBy = Number(position);
    oracle.reached(Number(position));
    oracle.forgetting.erased(topic, key, Number(position));
    for (const text of textsOf(oracle.history, topic, key, Number(position))) run.erased.add(text);
    life.told(`${name} is done, up to ${position}`);
    if (!life.isOver) await suspect(run, life.disk);
  } catch (error) {
    life.refused(name, error);
  }
}

/** The texts of the key's rows that no other row has. */
function textsOf(history: readonly Commit[], topic: TopicName, key: unknown, to: number): string[] {
  const own = new Set<string>();
  const others = new Set<string>();
  for (const { position, records } of history)
    for (const { topic: of, key: its, value } of records) {
      const note = (value as { note?: string | null } | null)?.note;
      if (note == null) continue;
      if (of === topic && its === key && position <= to) own.add(note);
      else others.add(note);
    }
  return [...own].filter((note) => !others.has(note));
}

/** Looks for erased texts in all files. Whether one that is found may be there shows when the oracle has seen what has been written since. */
export async function suspect(run: Run, disk: SimulatedDisk): Promise<void> {
  for (const text of run.erased) {
    const paths = (await filesWith(disk.clone({ seed: 1 }), encodeUtf8(text))).filter((path) =>
      path.startsWith("/data/"),
    );
    if (paths.length > 0) run.suspects.push({ text, paths });
  }
}

/** What was found, and nobody has written again. @throws Violation */
export function judgeSuspects(run: Run): void {
  const { erased, suspects } = run;
  if (erased.size === 0) return;
  const written = new Set<unknown>();
  for (const { position, records } of run.oracle.history)
    for (const { topic, key, value } of records)
      if (!run.oracle.forgetting.isErased(topic, key, position))
        written.add((value as { note?: string | null } | null)?.note);
  for (const text of [...erased]) if (written.has(text)) erased.delete(text);
  for (const { text, paths } of suspects)
    if (erased.has(text)) throw new Violation(`${JSON.stringify(text)} was erased, and is in ${paths}`);
  suspects.length = 0;
}
