/**
 * Versions of a view side by side: built, promoted, taken back and dropped while others write, read and watch. A version's number says what its query is (topics.ts), and the log says from which position on the plain name
 * means which: so it is known what is answered under each name at each position.
 */

import { EvertError } from "../../../src/base/errors.ts";
import type { CatalogEvent } from "../../../src/engine/catalog/catalog-events.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { Commit } from "./commits.ts";
import { Violation } from "./commits.ts";
import type { Life } from "./life.ts";
import { BASE, versionSql, viewSql } from "./topics.ts";

const VERSIONS_MAX = 4;

/** What refuses who would change versions while others do. */
const OF_OTHERS = new Set(["undefined_table", "duplicate_table", "not_found", "dependent_objects"]);

/** What the plain name means behind some commits, what it meant before, and which version each view that reads it by that name goes on with. */
export class Meanings {
  #current = 1;
  /** null: nothing, or what has been dropped. */
  previous: number | null = null;
  readonly #pinned = new Map<string, number>();
  readonly #versions = new Map<number, number>();

  apply(events: readonly CatalogEvent[]): void {
    for (const event of events) {
      if (event.event === "promote" && event.name === BASE) {
        this.previous = this.#current;
        this.#current = event.version;
      }
      if (event.event === "drop" && this.#versions.get(event.id) === this.previous) this.previous = null;
      if (event.event !== "create" || event.entry.kind !== "view") continue;
      const { id, name } = event.entry;
      if (name.startsWith("over")) this.#pinned.set(name, this.#current);
      const [base, version = "1"] = name.split("@");
      if (base === BASE) this.#versions.set(id, Number(version));
    }
  }

  /** The version that is read under a view's name. */
  of(view: string): number {
    const [name, version] = view.split("@");
    if (version !== undefined) return Number(version);
    return name === BASE ? this.#current : (this.#pinned.get(view) ?? 1);
  }
}

function meaningsAfter(commits: readonly Commit[]): Meanings {
  const meanings = new Meanings();
  for (const { events } of commits) meanings.apply(events);
  return meanings;
}

const meantAfter = (commits: readonly Commit[]): number => meaningsAfter(commits).of(BASE);

function versionsOf(db: Database): { readonly version: number; readonly isCurrent: boolean }[] {
  const isThere = db.views().some(({ name }) => name.split("@")[0] === BASE);
  return isThere ? db.versions.list(BASE) : [];
}

/** One more, one less, another one under the plain name, the one before; or a view that reads what the name means now. */
export async function changeVersions(life: Life, random: SeededRandom): Promise<void> {
  const { db } = life;
  const versions = versionsOf(db);
  const one = versions[random.below(versions.length)];
  if (one === undefined) return;
  const { version } = one;
  switch (random.below(9)) {
    case 0:
    case 1: {
      if (versions.length >= VERSIONS_MAX) return;
      const next = Math.max(...versions.map((v) => v.version)) + 1;
      await build(life, `${BASE}@${next}`, () => db.versions.build(BASE, versionSql(next), next));
      return;
    }
    case 2:
    case 3:
    case 4:
      await mean(life, `promote ${BASE}@${version}`, async () => ({
        ...(await db.versions.promote(BASE, version)),
      }));
      return;
    case 5:
      await rollBack(life);
      return;
    case 6: {
      const view = `over__${random.u32()}`;
      await build(life, view, () => ran(db, `CREATE MATERIALIZED VIEW ${view} AS ${viewSql(view)}`));
      return;
    }
    default:
      await drop(life, version);
  }
}

async function ran(db: Database, sql: string): Promise<{ position: string }> {
  const { error, position } = await db.sql(sql);
  if (error !== undefined) throw EvertError.from(error);
  return { position };
}

function isOfOthers(life: Life, what: string, error: unknown): boolean {
  const { code, message } = error as EvertError;
  if (!OF_OTHERS.has(code)) return life.refused(what, error);
  life.told(`${what} is refused: ${message}`);
  return true;
}

async function build(life: Life, view: string, work: () => Promise<{ position: string }>): Promise<void> {
  const { views, defined, oracle } = life.run;
  const what = `build ${view}`;
  const before = views.get(view);
  // Somebody else is about it.
  if (before !== undefined) return;
  views.set(view, null);
  defined.add(view);
  life.run.trace(`${what} begins`);
  try {
    const { position } = await work();
    views.set(view, true);
    oracle.reached(Number(position));
    life.told(`${what} is done at ${position}`);
  } catch (error) {
    if (isOfOthers(life, what, error)) views.delete(view);
  }
}

/** @returns whether it is done */
async function mean(
  life: Life,
  what: string,
  work: () => Promise<{ position: string; version: number }>,
  refused: (code: string) => void = () => {},
): Promise<{ position: number; version: number } | null> {
  const { oracle } = life.run;
  life.run.trace(`${what} begins`);
  try {
    const { position, version } = await work();
    const at = Number(position);
    oracle.reached(at);
    oracle.sawAt(at, (commits) => {
      const is = meantAfter(commits);
      return is === version
        ? null
        : `${what} was told at ${at}, and ${BASE} means ${is} there, not ${version}`;
    });
    life.told(`${what} is done at ${position}: ${version}`);
    return { position: at, version };
  } catch (error) {
    refused((error as EvertError).code);
    isOfOthers(life, what, error);
    return null;
  }
}

/** It means what it meant before the last promotion. */
async function rollBack(life: Life): Promise<void> {
  const { log } = life.db.core;
  const from = log.durablePosition;
  const done = await mean(
    life,
    `roll ${BASE} back`,
    () => life.db.versions.rollback(BASE),
    (code) => {
      // It was decided in between, where all was durable.
      if (code === "not_found") thereIsNone(life, from, log.durablePosition);
    },
  );
  if (done === null) return;
  const { position, version } = done;
  life.run.oracle.sawAt(position, (commits) => {
    const meanings = meaningsAfter(commits.slice(0, position - 1));
    return meanings.previous === version
      ? null
      : `${BASE} was rolled back to ${version} at ${position}, and meant ${meanings.previous} before`;
  });
}

/** Somewhere between these positions there was no version to go back to. */
function thereIsNone(life: Life, from: number, to: number): void {
  life.run.oracle.sawAt(to, (commits) => {
    const meanings = meaningsAfter(commits.slice(0, from));
    let wasNone = meanings.previous === null;
    for (const { events } of commits.slice(from)) {
      meanings.apply(events);
      wasNone ||= meanings.previous === null;
    }
    return wasNone
      ? null
      : `${BASE} was said to have no version to go back to between ${from} and ${to}, and has ${meanings.previous}`;
  });
}

async function drop(life: Life, version: number): Promise<void> {
  const { views, defined, oracle } = life.run;
  const view = `${BASE}@${version}`;
  const what = `drop ${view}`;
  const before = views.get(view);
  if (before === null) return;
  views.set(view, null);
  defined.add(view);
  life.run.trace(`${what} begins`);
  try {
    const { position } = await life.db.dropView(view);
    views.delete(view);
    oracle.reached(Number(position));
    oracle.sawAt(Number(position), (commits) =>
      meantAfter(commits) === version ? `${what} was not refused at ${position}, and ${BASE} means it` : null,
    );
    life.told(`${what} is done at ${position}`);
  } catch (error) {
    if (!isOfOthers(life, what, error)) return;
    if (before === undefined) views.delete(view);
    else views.set(view, before);
  }
}

/** By the plain name or that of a version, in SQL. */
export async function readVersion(life: Life, random: SeededRandom): Promise<void> {
  const { db } = life;
  const versions = versionsOf(db);
  const one = versions[random.below(versions.length)];
  if (one === undefined) return;
  const name = random.oneIn(2) ? BASE : `${BASE}@${one.version}`;
  try {
    const { error, results, position } = await db.sql(`SELECT * FROM "${name}"`);
    if (error !== undefined) throw EvertError.from(error);
    const [result] = results;
    if (result === undefined) throw new Violation(`SELECT * FROM ${name} gave nothing`);
    const rows = result.rowsJson.map((row) => {
      const values = JSON.parse(row) as unknown[];
      return JSON.stringify(Object.fromEntries(result.columns.map((column, i) => [column.name, values[i]])));
    });
    life.run.oracle.sawView(name, Number(position), rows.sort(), `SELECT * FROM ${name}`);
    life.told(`SELECT * FROM ${name}: ${rows.length} rows at ${position}`);
  } catch (error) {
    const isGone = name !== BASE && (error as EvertError).code === "undefined_table";
    if (!isGone) life.refused(`SELECT * FROM ${name}`, error);
  }
}
