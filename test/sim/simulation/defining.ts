/** Views that clients make and drop while others write and read, and what is known of which are there. */
import { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { columnOf } from "./columns.ts";
import { Violation } from "./commits.ts";
import type { Life, Run } from "./life.ts";
import { KINDS, type KindName, SHAPED_SETS, shapedOf, VIEW_SETS, viewName, viewSql } from "./topics.ts";

/** Nothing is under way: those that were made are there, and those that were dropped are not. @throws Violation */
export function lookedAtViews({ views, oracle, defined }: Run, db: Database): void {
  const there = new Set(db.views().map(({ name }) => name));
  for (const [name, is] of views) {
    if (is === true && !there.has(name)) throw new Violation(`view ${name} was made, and is gone`);
    if (is === null && there.has(name)) {
      views.set(name, true);
      oracle.forgetting.made(name, db.topic("old").start);
    } else if (is === null) views.delete(name);
  }
  for (const name of there)
    if (/__|@/.test(name) && !views.has(name)) throw new Violation(`view ${name} was dropped, or never made`);
  defined.clear();
}

/** Some of what was done since the last look may be in no history that goes on. */
export function partedViews({ views, defined }: Run): void {
  for (const name of defined) views.set(name, null);
}

/** A view more, built from history while others write; or one less. */
export function define(life: Life, random: SeededRandom): Promise<void> {
  return defineOneOf(life, random, "late");
}

/** One that is the same on each copy of a log: not of the stream that forgets, which begins on each where that one says. */
export function defineAnywhere(life: Life, random: SeededRandom): Promise<void> {
  return defineOneOf(life, random, null);
}

async function defineOneOf(life: Life, random: SeededRandom, forgetful: "late" | null): Promise<void> {
  const { views, oracle } = life.run;
  const { forgetting } = oracle;
  const sets = life.run.shapes === null ? VIEW_SETS : [...VIEW_SETS, ...SHAPED_SETS];
  const all: KindName[] = forgetful === null ? sets.flat() : [...sets.flat(), forgetful];
  const kinds = all.filter((kind) => !("of" in KINDS[kind]) && (forgetful !== null || kind !== "whole"));
  const kind = kinds[random.below(kinds.length)] as KindName;
  const there = [...views].flatMap(([name, is]) => (is === true && name.includes("__") ? [name] : []));
  const drops = there.length > 0 && random.oneIn(2);
  const view = drops
    ? (there[random.below(there.length)] as string)
    : viewName(kind, random.u32(), random.below(oracle.attempts + 3));
  const column = columnRead(life, kind);
  if (!drops && column === null) return;
  const sql = drops
    ? `DROP MATERIALIZED VIEW ${view}`
    : `CREATE MATERIALIZED VIEW ${view} AS ${viewSql(view, column ?? "")}`;
  const before = views.get(view);
  views.set(view, null);
  life.run.defined.add(view);
  const { start } = life.db.topic("old");
  if (drops) forgetting.going(view);
  else forgetting.making(view, start);
  life.run.trace(`${sql} begins`);
  try {
    const { error } = await life.db.sql(sql);
    if (error !== undefined) throw EvertError.from(error);
    if (drops) views.delete(view);
    else views.set(view, true);
    if (!drops) forgetting.made(view, life.db.topic("old").start);
    life.told(`${sql} is done`);
  } catch (error) {
    // The column that it reads was renamed meanwhile.
    const isRenamed = shapedOf(kind) !== null && (error as EvertError).code === "undefined_column";
    if (isRenamed || life.refused(sql, error)) {
      if (before === undefined) views.delete(view);
      else views.set(view, before);
    }
  }
}

/** What the column is called that a view of the kind reads, of topics whose columns change; null: nobody knows now. Any name: it reads none. */
export function columnRead({ run }: Life, kind: KindName): string | null {
  const topic = shapedOf(kind);
  if (topic === null) return "";
  const shape = run.shapes?.of(topic);
  if (shape === undefined || shape.isBusy) return null;
  return shape.columns?.find(({ name }) => columnOf(name) === "c0")?.name ?? null;
}
