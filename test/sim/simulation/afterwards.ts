/**
 * What becomes of a log after a run: damaged and repaired, or restored to where it was earlier, and then lived on.
 *
 * 1. The disk is copied, and what its log has is read. A backup is taken, which is to be the older copy.
 * 2. Bits of its files are flipped, stretches of them zeroed, ends cut off, whole files lost. `evert check` says so, or nothing is missing. It is repaired (repairing.ts), with
 *    deaths of the machine in between. Or nothing is damaged, and the backup is restored to a position or a time into another directory.
 * 3. What there is then is held against what was read: each record is there as it was, or its loss is named; none is there that was not, none twice; what is lost at the end has its
 *    positions still; tables are what the records that are left make of them, and views what they are when they are computed anew; producers and consumers are what their last records say.
 * 4. Clients write to it, segments end, rows are taken out, power is cut: what was acknowledged is there. Backups are taken meanwhile onto one copy, and onto the older one, which refuses a log that
 *    is not its own any more and stays as it was, or is the log.
 * 5. The copy is restored, whole, and to an earlier position or time: all that is made of it is the same (same-copies.ts), and what is sent again (a key, the last request of a producer) has the same answer.
 *
 * Its draws are its own: the run before it is the same whether it comes or not.
 */
import { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import { openEngine } from "../../../src/engine/open-engine.ts";
import { restoreBackup } from "../../../src/engine/restore-backup.ts";
import { backupLog } from "../../../src/log/backup.ts";
import { checkLog } from "../../../src/log/check.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { type Commit, isSame, isSameWritten, readLog, type Stored, Violation } from "./commits.ts";
import { endOf } from "./consumer.ts";
import { turnOver } from "./keeping.ts";
import type { Run } from "./life.ts";
import { damageAndRepair, judgeRepaired, ownersOf } from "./repairing.ts";
import { checkSame } from "./same-copies.ts";
import { shownTables } from "./tables.ts";

const MEMORY_BYTES = 2 ** 30;
const OLDER = "/older";
const COPY = "/copy";
const PRODUCER = "after";
const CONSUMER = "after";

/** Acknowledged, and what is to be said when it is sent again. */
interface Told {
  readonly position: number;
  readonly op: number;
  readonly again: ((db: Database) => Promise<string>) | null;
  /** Of a producer: a later one has taken its place as the last. */
  readonly ofProducer: boolean;
}

export class Afterwards {
  readonly #run: Run;
  readonly #random: SeededRandom;
  readonly #told: Told[] = [];
  #directory: string;
  #disk: SimulatedDisk;
  #op = 1_000_000;

  constructor(run: Run, disk: SimulatedDisk, directory: string, random: SeededRandom) {
    this.#run = run;
    this.#random = random;
    this.#directory = directory;
    const [tears, names] = [
      random.oneIn(2) ? "bytes" : "sectors",
      random.oneIn(2) ? "any" : "in order",
    ] as const;
    this.#disk = disk.clone({ seed: random.u32(), tears, names });
  }

  /** @throws Violation */
  async live(): Promise<void> {
    const { trace } = this.#run;
    const random = this.#random;
    let db = await this.#open(this.#directory);
    const before = await readLog(db);
    const owners = await ownersOf(db);
    const older = (await this.#backup(db, OLDER)).position;
    await db.close();
    this.#disk = this.#disk.reboot("process");
    trace(`afterwards, with ${before.length} commits`);
    if (random.oneIn(3)) db = await this.#restoredEarlier(before);
    else {
      const repaired = await damageAndRepair({ ...this.#place(), before: before.length });
      // Nothing is left of it.
      if (repaired === null) return;
      this.#disk = repaired.disk;
      db = await this.#open(this.#directory);
      await judgeRepaired({ run: this.#run, db, before, report: repaired.report, owners });
    }
    await this.#goesOn(db, before, older);
  }

  #place() {
    return { run: this.#run, random: this.#random, directory: this.#directory, disk: this.#disk };
  }

  #open(directory: string): Promise<Database> {
    return openEngine({
      directory,
      disk: this.#disk,
      clock: this.#run.clock,
      random: this.#run.random(),
      checkpointIntervalMs: 0,
      segmentBytes: 64 * 1024,
      memoryLimit: MEMORY_BYTES,
      report: (line) => this.#run.trace(`reported afterwards: ${line}`),
    });
  }

  #backup(db: Database, directory: string) {
    return backupLog({ source: db.backupSource, directory, disk: this.#disk, now: 0 });
  }

  /** The log as it was, in another directory: this goes on from there. */
  async #restoredEarlier(before: readonly Commit[]): Promise<Database> {
    const to = 1 + this.#random.below(before.length);
    const directory = "/earlier";
    const position = await this.#restore(OLDER, directory, to, before);
    // What it would be restored to has gone in part: it is restored whole.
    if (position === null) await restoreBackup({ backup: OLDER, directory: "/whole", disk: this.#disk });
    this.#directory = position === null ? "/whole" : directory;
    return this.#open(this.#directory);
  }

  /** @returns the position that it has then; null where rows have been taken out since, or a repair has lost them. @throws Violation */
  async #restore(
    backup: string,
    directory: string,
    wanted: number,
    commits: readonly Commit[],
  ): Promise<number | null> {
    const { timeUs } = commits[wanted - 1] as Commit;
    const to = this.#random.oneIn(2) ? { position: wanted } : { timeUs };
    const last = "position" in to ? wanted : commits.findLastIndex((commit) => commit.timeUs <= timeUs) + 1;
    try {
      const { position } = await restoreBackup({ backup, directory, disk: this.#disk, to });
      if (position !== last)
        throw new Violation(`restored to ${JSON.stringify(to)} it has position ${position}, not ${last}`);
      this.#run.trace(`${backup} is restored to ${JSON.stringify(to)}: ${position}`);
      return position;
    } catch (error) {
      const { code, message } = error as EvertError;
      const horizon = Number(/begins at position (\d+)$/.exec(message)?.[1]);
      // A repair's losses lie before it.
      const behindLost = Number(/^records before position (\d+) are lost/.exec(message)?.[1]);
      if (code !== "records_gone" || !(horizon > wanted || behindLost <= last)) throw error;
      this.#run.trace(`not restored to ${wanted}: ${message}`);
      return null;
    }
  }

  /** Some lives, and what there is in the end; also as a copy. */
  async #goesOn(first: Database, before: readonly Commit[], older: number): Promise<void> {
    const random = this.#random;
    let db = first;
    let known = await readLog(db);
    for (let life = 1 + random.below(2); life > 0; life--) {
      const disk = this.#disk;
      if (random.oneIn(2)) disk.crashAfter(random.below(120));
      for (let i = 3 + random.below(8); i > 0 && !disk.crashed; i--) await this.#does(db);
      const how = disk.crashed || random.oneIn(2) ? "power cut" : "process";
      if (disk.crashed || random.oneIn(3)) {
        this.#disk = disk.reboot(how);
        await db.close().catch(() => {});
      } else {
        disk.crashAfter(Number.POSITIVE_INFINITY);
        await db.close();
        this.#disk = disk.reboot(how);
      }
      this.#run.trace(`and comes again after a ${how}`);
      const { damages } = await checkLog(this.#directory, this.#disk.clone({ seed: 1 }));
      if (damages.length > 0) throw new Violation(`evert check afterwards: ${JSON.stringify(damages)}`);
      db = await this.#open(this.#directory);
      known = await this.#judge(db, known);
    }
    await this.#ontoTheOlder(db, before, older);
    await this.#asCopies(db);
    await db.close();
  }

  async #does(db: Database): Promise<void> {
    try {
      await this.#doesOne(db);
    } catch (error) {
      if (error instanceof Violation || !(error instanceof EvertError)) throw error;
      this.#run.trace(`afterwards it is refused: ${error.code}: ${error.message}`);
      // What defined a table may be among what is lost.
      if (!this.#disk.crashed && error.code !== "undefined_table")
        throw new Violation(`afterwards: ${error.stack} ${error.detail}`);
    }
  }

  async #doesOne(db: Database): Promise<void> {
    const random = this.#random;
    const op = ++this.#op;
    const told = (position: string, again: Told["again"] = null, ofProducer = false): void => {
      this.#told.push({ position: Number(position), op, again, ofProducer });
      this.#run.trace(`afterwards ${op} is at ${position}`);
    };
    const rows = Array.from({ length: 1 + random.below(20) }, (_, part) => ({
      op,
      part,
      w: random.below(8),
      note: "n".repeat(random.below(400)),
    }));
    switch (random.below(9)) {
      case 0: {
        const send = async (to: Database): Promise<string> =>
          (await to.append("ev", rows, { idempotencyKey: `after ${op}` })).position;
        return told(await send(db), send);
      }
      case 1:
        return told((await db.append("acct", [{ k: random.below(8), v: 1, op, note: null }])).position);
      case 2: {
        const { epoch } = await db.registerProducer(PRODUCER);
        const send = async (to: Database): Promise<string> =>
          (await to.append("ev", rows, { producer: { id: PRODUCER, epoch, seq: 0 } })).position;
        return told(await send(db), send, true);
      }
      case 3: {
        const { epoch, topics } = await db.openConsumer(CONSUMER, ["ev"]);
        const low = topics[0]?.offset as number;
        const offset = db.core.log.topicEnd(db.core.catalog.topic("ev").id);
        if (offset <= low) return;
        const consume = [{ name: CONSUMER, epoch, topic: "ev", offset }];
        const made = { op, low, high: offset, total: 0 };
        return told((await db.transact([{ topic: "made", append: [made] }], { consume })).position);
      }
      case 4: {
        const { position } = await this.#backup(db, COPY);
        return this.#run.trace(`afterwards there is a backup of ${position}`);
      }
      case 5:
        this.#run.trace("afterwards the log goes on in another segment");
        return turnOver(db);
      case 6:
        await db.core.log.sealed();
        return void (await db.core.log.compact());
      case 7:
        return db.checkpoint();
      default:
        return told((await db.append("ev", rows)).position);
    }
  }

  /** What there was and what was told is there, and what is made of it. */
  async #judge(db: Database, known: readonly Commit[]): Promise<Commit[]> {
    const commits = await readLog(db);
    for (const commit of known) {
      const now = commits[commit.position - 1];
      const there = new Set(now?.records.map(({ topic, offset }) => `${topic} ${offset}`));
      const records = commit.records.filter(
        ({ topic, offset }) => topic === "ev" || topic === "made" || there.has(`${topic} ${offset}`),
      );
      // Rows that say how far a producer or a consumer is are replaced and go, as those of any table.
      if (now === undefined || !isSame(now, { ...commit, records, own: now.own }))
        throw new Violation(
          `afterwards commit ${commit.position} was ${JSON.stringify(commit)}\n  and is ${JSON.stringify(now)}`,
        );
    }
    for (const { position, op } of this.#told) {
      const records = commits[position - 1]?.records ?? [];
      // A row of a table may have been replaced since.
      const isGone = records.length === 0 && position <= commits.length;
      if (!isGone && !records.some(({ value }) => (value as { op?: number } | null)?.op === op))
        throw new Violation(`${op} was told to be at ${position}, and there is ${JSON.stringify(records)}`);
    }
    const places = new Map<number, number>();
    for (const { position, records } of commits)
      for (const { value } of records) {
        const { op = 0 } = (value ?? {}) as { op?: number };
        if (op <= 1_000_000) continue;
        if ((places.get(op) ?? position) !== position) throw new Violation(`${op} is stored twice`);
        places.set(op, position);
      }
    await db.settled();
    await shownTables("what goes on", db, commits);
    await checkConsumed(db, commits);
    return commits;
  }

  /** The copy of before belongs to another log, or to what this one was: it is refused, and stays what it was; or it is now what this one is. */
  async #ontoTheOlder(db: Database, before: readonly Commit[], older: number): Promise<void> {
    let isRefused = false;
    try {
      await this.#backup(db, OLDER);
    } catch (error) {
      if (!(error instanceof EvertError) || error.code === "internal") throw error;
      isRefused = true;
      this.#run.trace(`not backed up onto the older copy: ${error.code}: ${error.message}`);
    }
    const directory = "/of older";
    const { position } = await restoreBackup({ backup: OLDER, directory, disk: this.#disk });
    const copy = await this.#open(directory);
    const commits = await readLog(copy);
    if (isRefused) {
      // Opened, it lets go what it may, by the rules that held.
      const isKept = ({ topic }: Stored): boolean => topic === "ev" || topic === "made";
      const same =
        commits.length === before.length &&
        commits.every(({ timeUs, records }, i) => {
          const was = before[i] as Commit;
          return timeUs === was.timeUs && isSameWritten(records.filter(isKept), was.records.filter(isKept));
        });
      if (position !== older || !same) throw new Violation("the older copy is not what it was");
    } else await this.#checkSame(db, copy, commits);
    await copy.close();
  }

  async #asCopies(db: Database): Promise<void> {
    await this.#backup(db, COPY);
    const commits = await readLog(db);
    await restoreBackup({ backup: COPY, directory: "/again", disk: this.#disk });
    const copy = await this.#open("/again");
    await this.#checkSame(db, copy, await readLog(copy));
    await this.#sendsAgain(copy, commits.length);
    await copy.close();
    const to = 1 + this.#random.below(commits.length);
    const position = await this.#restore(COPY, "/again earlier", to, commits);
    if (position === null) return;
    const earlier = await this.#open("/again earlier");
    const read = await readLog(earlier);
    if (read.length !== position)
      throw new Violation(`restored to ${position}, it has ${read.length} commits`);
    for (const commit of read) {
      const whole = commits[commit.position - 1] as Commit;
      const there = new Set(commit.records.map(({ topic, offset }) => `${topic} ${offset}`));
      for (const record of whole.records)
        if (!there.has(`${record.topic} ${record.offset}`) && record.topicId === null)
          throw new Violation(`restored to ${position}, it lacks ${JSON.stringify(record)}`);
    }
    await earlier.settled();
    await shownTables("what was restored to earlier", earlier, read);
    await checkConsumed(earlier, read);
    await this.#sendsAgain(earlier, position);
    await earlier.close();
  }

  async #checkSame(db: Database, copy: Database, commits: readonly Commit[]): Promise<void> {
    await db.settled();
    await copy.settled();
    await checkSame(
      this.#run,
      { name: "what goes on", db, commits: await readLog(db) },
      { name: "its copy", db: copy, commits },
    );
  }

  /** It has the same answer as before. (What is behind the end was not sent, as far as this log knows.) */
  async #sendsAgain(db: Database, end: number): Promise<void> {
    const there = this.#told.filter(({ position }) => position <= end);
    const last = there.findLast(({ ofProducer }) => ofProducer);
    const registered = await db.producer(PRODUCER);
    for (const told of there) {
      if (told.again === null || (told.ofProducer && told !== last)) continue;
      let position: string;
      try {
        position = await told.again(db);
      } catch (error) {
        // It may have been registered once more before that position, without a request.
        if ((error as EvertError).code === "fenced" && told.ofProducer && registered !== null) continue;
        throw error;
      }
      if (Number(position) !== told.position)
        throw new Violation(`${told.op}, sent again, is at ${position}, and was at ${told.position}`);
    }
  }
}

/** The consumer of this part has come as far as what it has written says. */
async function checkConsumed(db: Database, commits: readonly Commit[]): Promise<void> {
  const own = commits.map((commit) => ({
    ...commit,
    records: commit.records.filter(
      ({ topic, value }) => topic === "made" && (value as { op: number }).op > 1_000_000,
    ),
  }));
  const consumer = (await db.consumers()).find(({ name }) => name === CONSUMER);
  const offset = consumer?.topics[0]?.offset ?? 0;
  if (offset !== endOf(own) && endOf(own) !== 0)
    throw new Violation(`the consumer afterwards has come to ${offset}, and has counted up to ${endOf(own)}`);
}
