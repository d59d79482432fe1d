/** A log is damaged and repaired, and what is left of it is held against what it was: the oracle of `evert check --repair` (afterwards.ts). */
import type { EvertError } from "../../../src/base/errors.ts";
import { CATALOG_ENTRY } from "../../../src/engine/catalog/hidden-topics.ts";
import type { Database } from "../../../src/engine/database.ts";
import { checkDirectory, type RepairReport, repairDirectory } from "../../../src/engine/repair.ts";
import { HEADER_BYTES } from "../../../src/log/frame.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { recomputed } from "../../engine/support/anew.ts";
import { isShaped } from "./columns.ts";
import { type Commit, isSameRow, readLog, type Stored, Violation } from "./commits.ts";
import type { Run } from "./life.ts";
import { shownTables } from "./tables.ts";

/** What it says is lost. */
type Lost = Pick<RepairReport, "positions" | "rows" | "keys" | "older">;

interface Place {
  readonly run: Run;
  readonly random: SeededRandom;
  readonly directory: string;
  readonly disk: SimulatedDisk;
  /** The log's last position. */
  readonly before: number;
}

/** @returns what is said to be lost (null: nothing is damaged); null where no file is left of which anything can be read. @throws Violation */
export async function damageAndRepair(
  place: Place,
): Promise<{ disk: SimulatedDisk; report: Lost | null } | null> {
  const { run, random, directory, before } = place;
  let { disk } = place;
  await damage(place);
  const { damages } = await checkDirectory(directory, disk);
  run.trace(`evert check finds ${damages.length} damages`);
  if (damages.length === 0) return { disk, report: null };
  for (let deaths = random.below(4); ; deaths--) {
    disk.crashAfter(deaths > 0 ? random.below(40) : Number.POSITIVE_INFINITY);
    try {
      const report = await repairDirectory(directory, disk, run.clock);
      disk.crashAfter(Number.POSITIVE_INFINITY);
      if (report.lastPosition !== before)
        throw new Violation(`the log ended at ${before}, and repaired at ${report.lastPosition}`);
      run.trace(
        `repaired: lost are ${JSON.stringify(report.positions)} and ${JSON.stringify(report.rows)}, of ${report.older.length} segments an earlier form stands`,
      );
      return { disk, report };
    } catch (error) {
      const { code, message, detail } = error as EvertError;
      // Who died in the last moment of a repair finds that it is done.
      const done = code === "invalid_request" ? said(disk, directory) : null;
      if (done !== null) {
        disk.crashAfter(Number.POSITIVE_INFINITY);
        return { disk, report: done };
      }
      if (!disk.crashed) {
        // To look once more is nothing that it may die of.
        disk.crashAfter(Number.POSITIVE_INFINITY);
        if (message === "nothing of the log can be read" && (await isAllDamaged(place, disk))) return null;
        throw new Violation(`not repaired: ${code}: ${message} ${detail ?? ""}`);
      }
      disk = disk.reboot(random.oneIn(2) ? "power cut" : "process");
      run.trace("the machine stops while it repairs");
    }
  }
}

/** Every file of the log is one of those that are damaged, or has nothing in it. */
async function isAllDamaged({ directory }: Place, disk: SimulatedDisk): Promise<boolean> {
  const { damages } = await checkDirectory(directory, disk);
  const damaged = new Set(damages.map(({ segment }) => segment));
  return disk
    .files()
    .filter((name) => /\/log\/\d{20}/.test(name) && name.startsWith(`${directory}/`))
    .every(
      (name) =>
        damaged.has(name.slice(name.lastIndexOf("/") + 1)) || usedOf(disk.contents(name)) <= HEADER_BYTES,
    );
}

function said(disk: SimulatedDisk, directory: string): Lost | null {
  const path = disk
    .files()
    .findLast((name) => name.startsWith(`${directory}/damaged-`) && name.endsWith("/lost.json"));
  return path === undefined ? null : (JSON.parse(Buffer.from(disk.contents(path)).toString()) as Lost);
}

/** One to three damages of files of the log. */
async function damage({ run, random, directory, disk }: Place): Promise<void> {
  for (let i = 1 + random.below(3); i > 0; i--) {
    const files = disk
      .files()
      .filter((name) => /\/log\/\d{20}/.test(name) && name.startsWith(`${directory}/`));
    const path = files[random.below(files.length)];
    // The last one is not taken: without any nothing can be kept.
    if (path === undefined) return;
    const { length } = disk.contents(path);
    const at = random.below(Math.max(1, usedOf(disk.contents(path))));
    switch (random.below(files.length > 1 ? 4 : 3)) {
      case 0:
        run.trace(`a bit of ${path} at ${at} of ${length} is flipped`);
        disk.corrupt(path, at, (byte) => byte ^ (1 << random.below(8)));
        break;
      case 1: {
        const to = Math.min(length, at + 1 + random.below(8_000));
        run.trace(`${path} has zeros from ${at} to ${to}`);
        for (let byte = at; byte < to; byte++) disk.corrupt(path, byte, () => 0);
        break;
      }
      case 2: {
        run.trace(`${path} is cut at ${at} of ${length}`);
        const file = await disk.open(path, "write");
        await file.truncate(at);
        await file.datasync();
        await file.close();
        break;
      }
      default:
        run.trace(`${path} is lost`);
        await disk.unlink(path);
        await disk.syncDirectory(`${directory}/log`);
    }
  }
}

/** Up to its last byte that is not zero: behind it lies room. */
function usedOf(bytes: Uint8Array): number {
  let used = bytes.length;
  while (used > 0 && bytes[used - 1] === 0) used--;
  return used;
}

interface Judged {
  readonly run: Run;
  readonly db: Database;
  readonly before: readonly Commit[];
  readonly report: Lost | null;
  /** What was known of producers and consumers before. */
  readonly owners: string;
}

/** @throws Violation */
export async function judgeRepaired({ run, db, before, report, owners }: Judged): Promise<void> {
  const after = await readLog(db);
  const { positions = [], rows = [], keys: lostKeys = [], older = [] } = report ?? {};
  if (after.length !== before.length)
    throw new Violation(`of ${before.length} commits ${after.length} are left`);
  const isLost = (position: number): boolean =>
    positions.some(({ first, last }) => first <= position && position <= last);
  const isNamed = (position: number, topicId: number, offset: number): boolean =>
    isLost(position) ||
    rows.some(
      (lost) =>
        lost.topicId === topicId &&
        lost.firstOffset <= offset &&
        offset <= lost.lastOffset &&
        lost.firstPosition <= position &&
        position <= lost.lastPosition,
    );
  const misses = (position: number, what: string): never => {
    throw new Violation(`of ${position} ${what} is gone, and not named`);
  };
  let isCatalogLost = false;
  let isOwnLost = false;
  for (const [i, commit] of before.entries()) {
    const now = after[i] as Commit;
    const { position } = commit;
    if (now.position !== position) throw new Violation(`commit ${now.position} stands at ${position}`);
    const keys = [now.idempotencyKey, commit.idempotencyKey];
    const isUnkeyed = lostKeys.some(({ first, last }) => first <= position && position <= last);
    const isKnown = !keys.includes(undefined) && !(isUnkeyed && now.idempotencyKey === null);
    const isOther = isKnown && keys[0] !== keys[1];
    if (!isLost(position) && isOther)
      throw new Violation(`commit ${position} has another key since the repair: ${keys}`);
    const own = new Set(linesOf(now));
    for (const line of linesOf(commit)) {
      if (own.delete(line)) continue;
      const [, topicId, offset] = (/^(\d+) of version \d+, (\d+):/.exec(line) ?? []).map(Number) as [
        number,
        number,
        number,
      ];
      if (!isNamed(position, topicId, offset)) misses(position, line);
      if (topicId === CATALOG_ENTRY.id) isCatalogLost = true;
      isOwnLost = true;
    }
    if (own.size > 0 && older.length === 0)
      throw new Violation(`${position} has since the repair ${[...own].join("\n")}`);
  }
  const { catalog } = db.core;
  for (const [i, { position, records }] of before.entries()) {
    const now = new Map((after[i] as Commit).records.map((record) => [placeOf(record), record]));
    for (const record of records) {
      const is = now.get(placeOf(record));
      now.delete(placeOf(record));
      if (isCatalogLost && (isShaped(record.topic) || catalog.entry(record.topic) === undefined)) continue;
      if (is !== undefined) {
        if (is.key !== record.key || !isSameRow(is.value, record.value))
          throw new Violation(`${JSON.stringify(record)} is ${JSON.stringify(is)} since the repair`);
        continue;
      }
      if (mayHaveGone(record, db, [...before, ...after])) continue;
      const topicId = record.topicId ?? catalog.topic(record.topic).id;
      if (!isNamed(position, topicId, record.offset)) misses(position, JSON.stringify(record));
    }
    if (now.size > 0 && older.length === 0 && !isCatalogLost)
      throw new Violation(`${position} has since the repair ${JSON.stringify([...now.values()])}`);
  }
  await db.settled();
  await db.built();
  if (isCatalogLost) {
    run.trace("definitions are lost");
    return;
  }
  await shownTables("what was repaired", db, after);
  if (!isOwnLost && older.length === 0 && (await ownersOf(db)) !== owners)
    throw new Violation(`producers and consumers were ${owners}\n  and are ${await ownersOf(db)}`);
  await checkViews(db);
}

/** By the rules of what is kept: before the damage, since the log was read, or since it was opened again. */
function mayHaveGone({ topic, key, offset }: Stored, db: Database, commits: readonly Commit[]): boolean {
  if (topic === "old") return offset < db.topic("old").start;
  const isLater = (other: Stored): boolean =>
    other.topic === topic && other.key === key && other.offset > offset;
  return (topic === "acct" || topic === "item") && commits.some(({ records }) => records.some(isLater));
}

const linesOf = ({ own }: Commit): string[] => (own === "" ? [] : own.split("\n"));
const placeOf = ({ topic, topicId, offset }: Stored): string => `${topic} ${topicId} ${offset}`;

/** Views are what their queries give, computed anew of what is left. (Of a stream that forgets a view has what there was when it was made.) */
async function checkViews(db: Database): Promise<void> {
  const names = db.views().flatMap(({ name }) => (/@|^whole|^late|^turn|^over/.test(name) ? [] : [name]));
  const queries = names.map((name) => `SELECT * FROM ${name}`);
  if (queries.length === 0) return;
  const wanted = await recomputed(db, queries);
  for (const [i, query] of queries.entries()) {
    const { results, error } = await db.sql(query);
    const rows = error === undefined ? results[0]!.rowsText() : { sqlstate: error.sqlstate };
    const text = (of: (typeof wanted)[number]): string =>
      JSON.stringify(Array.isArray(of) ? of.map((row) => JSON.stringify(row)).sort() : of);
    if (text(rows) !== text(wanted[i]!))
      throw new Violation(
        `${query} is since the repair\n  ${text(rows)}\n  and should be\n  ${text(wanted[i]!)}`,
      );
  }
}

/** What the engine knows of producers and consumers, as text. */
export async function ownersOf(db: Database): Promise<string> {
  const consumers = (await db.consumers()).map(({ name, epoch, topics }) => ({
    name,
    epoch,
    at: topics.map(({ topic, offset }) => ({ topic, offset })),
  }));
  const text = (value: unknown): string =>
    JSON.stringify(value, (_, inner: unknown) => (typeof inner === "bigint" ? `${inner}n` : inner));
  return `${text(await db.producer("producer"))} ${text(consumers)}`;
}
