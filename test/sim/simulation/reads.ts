/** What clients read, and what else goes on beside them. All that is seen is kept for the oracle. */
import { type ErrorBody, EvertError } from "../../../src/base/errors.ts";
import { backupLog } from "../../../src/log/backup.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { Client } from "../../engine/support/client.ts";
import { Violation } from "./commits.ts";
import { columnRead } from "./defining.ts";
import type { Life } from "./life.ts";
import {
  KINDS,
  type KindName,
  STREAMS,
  shapedOf,
  TOPICS,
  type TopicName,
  viewName,
  viewSql,
} from "./topics.ts";

const RECORDS_MAX = 40;
export const BACKUP = "/backup";

/** Records of a topic from some offset on, one behind the other. */
export async function readTopic(life: Life, random: SeededRandom, follow = false): Promise<void> {
  const topic = TOPICS[random.below(TOPICS.length)] as TopicName;
  const { records: end, start } = life.db.topic(topic);
  const from = random.below(end + 1);
  const name = `${follow ? "follow" : "read"} ${topic} from ${from}`;
  const signal = life.ended.signal;
  let next = from;
  try {
    for await (const record of life.db.readTopic(topic, {
      from,
      limit: 1 + random.below(RECORDS_MAX),
      follow,
      signal,
    })) {
      const { offset, position, valueJson } = record;
      if (offset < start) throw new Violation(`${name}: offset ${offset} is gone`);
      // Compaction leaves gaps in tables.
      if (STREAMS.has(topic) ? offset !== next : offset < next)
        throw new Violation(`${name}: offset ${offset} where ${next} should be`);
      next = offset + 1;
      const value = valueJson === null ? null : JSON.stringify(JSON.parse(valueJson));
      life.run.oracle.sawRecord({ topic, offset, position: Number(position), value: value ?? "null" });
      if (random.oneIn(10)) life.told(`${name} saw ${offset}`);
    }
    if (
      !follow &&
      next === from &&
      STREAMS.has(topic) &&
      end > from &&
      !life.isOver &&
      !life.faulty &&
      life.db.core.log.durablePosition === life.db.core.log.lastPosition
    )
      throw new Violation(`${name} gave nothing, and there are ${end}`);
  } catch (error) {
    if (!isGone(life, topic, next, error)) life.refused(name, error);
  }
}

/** Who asks for what is forgotten is told so, and where the stream begins. */
function isGone(life: Life, topic: TopicName, offset: number, thrown: unknown): boolean {
  const { code, message } = thrown as EvertError;
  if (topic !== "old" || code !== "records_gone") return false;
  const said = Number(/begins at offset (\d+)$/.exec(message)?.[1]);
  if (!(said > offset)) throw new Violation(`offset ${offset} of old was asked for: ${message}`);
  life.place.begins(said);
  life.told(`read old from ${offset}: ${message}`);
  return true;
}

export function follow(life: Life, random: SeededRandom): Promise<void> {
  life.beside(readTopic(life, random, true));
  return Promise.resolve();
}

function anyView(life: Life, random: SeededRandom): string | undefined {
  const views = life.db.views().filter(({ status }) => status === "live" || status === "catching_up");
  return views[random.below(views.length)]?.name;
}

/** Rows of a view, by now or when all that was told is in it. */
export async function readView(life: Life, random: SeededRandom): Promise<void> {
  const view = anyView(life, random);
  if (view === undefined) return;
  const { toldPosition } = life.run.oracle;
  const waits = random.oneIn(2) && !life.isOver;
  const name = `read ${view}${waits ? ` at ${toldPosition}` : ""}`;
  try {
    const answer = await life.db.view(view).rowsJson(waits ? { atLeast: String(toldPosition) } : {});
    const rows: string[] = [];
    for await (const chunk of answer.rowsJson) rows.push(...chunk);
    const position = Number(answer.position);
    if (waits && position < toldPosition) throw new Violation(`${name} answered as of ${position}`);
    if (answer.stale !== true) life.run.oracle.sawView(view, position, rows.sort(), name);
    life.told(`${name}: ${rows.length} rows at ${position}`);
  } catch (error) {
    if (!isOfGoneView(life, view, error)) life.refused(name, error);
  }
}

/** Somebody dropped it meanwhile, which is no surprise: on a copy that has not come so far who reads may have waited since long before. */
function isOfGoneView(life: Life, view: string, error: unknown): boolean {
  const { code } = error as { code?: string };
  if (code !== "undefined_table" && code !== "not_found" && code !== "view_failed") return false;
  if (view.includes("@")) return true;
  return view.includes("__") && (code === "view_failed" || life.run.views.get(view) !== true);
}

/** A query from scratch, over what there is. */
export async function query(life: Life, random: SeededRandom): Promise<void> {
  const names = (Object.keys(KINDS) as KindName[]).filter((kind) => !("of" in KINDS[kind]));
  const kind = names[random.below(names.length)] as KindName;
  const view = viewName(kind, 0, random.below(20));
  const column = columnRead(life, kind);
  if (column === null) return;
  const { start } = life.db.topic("old");
  const { columns, error, position, rows } = await rowsOf(life, viewSql(view, column));
  const isKnown = life.db.topic("old").start === start;
  if (error !== null && shapedOf(kind) !== null && (error as EvertError).code === "undefined_column") return;
  if (error !== null) {
    life.refused(`query ${kind}`, error);
    return;
  }
  const objects = rows.map((row) => {
    const values = JSON.parse(row) as unknown[];
    return JSON.stringify(Object.fromEntries(columns.map((column, i) => [column, values[i]])));
  });
  const { oracle } = life.run;
  const from = isKnown ? oracle.forgetting.queryStart(view, start) : null;
  oracle.sawView(view, position, objects.sort(), `query ${kind}`, from);
  life.told(`query ${kind}: ${rows.length} rows at ${position}`);
}

async function rowsOf(
  life: Life,
  sql: string,
): Promise<{ columns: string[]; error: unknown; position: number; rows: readonly string[] }> {
  try {
    const { error, results, position } = await life.db.sql(sql);
    const result = results[0];
    if (error !== undefined || result === undefined)
      return { columns: [], error: EvertError.from(error as ErrorBody), position: 0, rows: [] };
    return {
      columns: result.columns.map(({ name }) => name),
      error: null,
      position: Number(position),
      rows: result.rowsJson,
    };
  } catch (error) {
    return { columns: [], error, position: 0, rows: [] };
  }
}

/** A subscription: at each moment its views are what they are at its position. */
export function watch(life: Life, random: SeededRandom): Promise<void> {
  const there = life.db.views().flatMap(({ name }) => (name.includes("__") ? [] : [name.split("@")[0]]));
  const names = [...new Set(there as string[])].filter(() => random.oneIn(2));
  if (names.length > 0) life.beside(watching(life, names, new Client(), undefined));
  return Promise.resolve();
}

/** Goes on with what was shown in the life before. */
export function watchOn(life: Life): void {
  const { watched } = life.run;
  if (watched === null) return;
  const client = new Client().resume(watched.views, watched.position);
  life.beside(watching(life, [...watched.views.keys()], client, String(watched.position)));
}

async function watching(
  life: Life,
  names: readonly string[],
  client: Client,
  from: string | undefined,
): Promise<void> {
  const name = `watch ${names}${from === undefined ? "" : ` from ${from}`}`;
  life.run.trace(name);
  const options = from === undefined ? {} : { from };
  try {
    for await (const event of life.db.subscribe(
      names.map((view) => ({ view })),
      { ...options, signal: life.ended.signal },
    )) {
      if (event.type === "error") throw EvertError.from(event.error);
      client.apply(event);
      if (event.type === "reset" || (event.type === "snapshot" && !event.last)) continue;
      // Where several come anew, they show one moment when the last one has come.
      const shown = event.type === "snapshot" ? [event.view] : names;
      const position = client.position;
      for (const view of shown) {
        // What is told anew is shown when it has come whole.
        const rows = client.views.get(view);
        if (rows !== undefined) life.run.oracle.sawView(view, position, [...rows.values()].sort(), name);
      }
      if (event.type === "snapshot" || client.views.size < names.length) continue;
      const views = new Map(names.map((view) => [view, new Map(client.views.get(view))]));
      if (!life.isOver) life.run.watched = { views, position };
      life.told(`${name}: ${event.type} at ${position}`);
    }
  } catch (error) {
    if (error instanceof Error && !(error instanceof EvertError))
      throw new Violation(`${name}: ${error.stack}`);
    life.refused(name, error);
  }
}

export async function checkpoint(life: Life): Promise<void> {
  try {
    await life.db.checkpoint();
    life.told("checkpoint");
  } catch (error) {
    life.refused("checkpoint", error);
  }
}

export async function backup(life: Life): Promise<void> {
  const { disk, db, run } = life;
  try {
    const { position } = await backupLog({ source: db.backupSource, directory: BACKUP, disk, now: 0 });
    run.backup = position;
    life.told(`backup at ${position}`);
  } catch (error) {
    // Two at once are one too many.
    if ((error as { code?: string }).code !== "directory_locked") life.refused("backup", error);
  }
}

const HOUR_US = 3_600_000_000;
const JUMPS_US = [
  1_000,
  2_000_000,
  3 * HOUR_US,
  -HOUR_US,
  25 * HOUR_US,
  365 * 24 * HOUR_US,
  -365 * 24 * HOUR_US,
];

/** Time passes; now and then the clock is set, forwards or backwards. */
export async function passTime(life: Life, random: SeededRandom): Promise<void> {
  const { clock, time } = life.run;
  const us = JUMPS_US[random.below(random.oneIn(3) ? JUMPS_US.length : 2)] as number;
  life.run.trace(`the clock moves by ${us} µs`);
  if (us > 0 && us <= HOUR_US) {
    clock.advance(us);
    time.pass(us / 1000);
  } else clock.setWall(clock.wallUs() + us);
  await life.turns(1);
}
