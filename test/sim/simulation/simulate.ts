/**
 * One run: the real log and the real engine on a simulated disk, under a simulated clock, everything from one seed.
 *
 * 1. A database with three topics and a few views is opened, on a disk that has its own idea of what a power cut leaves.
 * 2. It lives several times. In each life some clients use it at once (writes.ts, reads.ts), something befalls the disk (faults.ts), and the process ends:
 *    it is closed, killed, or power is cut, at some change of the disk or in the moment in which somebody is told something.
 * 3. After each life the log is judged by evert's own check, the database is opened again, maybe under faults, and the oracle (oracle.ts) holds
 *    what there is against all that was told.
 * 4. At the end of a life without a crash the disk is mended: appends go on by themselves, and every view is what it is to be.
 *
 * The same seed gives the same run, turn by turn of the event loop (one-thread.ts).
 */
import "./one-thread.ts";
import { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import { openEngine } from "../../../src/engine/open-engine.ts";
import { restoreBackup } from "../../../src/engine/restore-backup.ts";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { Afterwards } from "./afterwards.ts";
import { checkAsDefined } from "./as-defined.ts";
import { checkAsWritten } from "./as-written.ts";
import { type Commit, readLog, Violation } from "./commits.ts";
import { checkConsumer, consume } from "./consumer.ts";
import { define, lookedAtViews } from "./defining.ts";
import { EarlyReaders } from "./early-readers.ts";
import { mend, type Plan, planOf, strike } from "./faults.ts";
import * as keeping from "./keeping.ts";
import { Life, newRun, type Run } from "./life.ts";
import { RunTime } from "./one-thread.ts";
import { produce } from "./producer.ts";
import * as reads from "./reads.ts";
import { Shapes } from "./shapes.ts";
import * as shaping from "./shaping.ts";
import { shownTables } from "./tables.ts";
import { BASE, type KindName, SHAPED_SETS, topicsSql, VIEW_SETS, viewsSql } from "./topics.ts";
import { changeVersions, readVersion } from "./versions.ts";
import * as writes from "./writes.ts";

export const DATA = "/data";
/** The same on each machine. */
const MEMORY_BYTES = 2 ** 30;
/** A run that has not ended by then has come to a stop. */
const TURNS_MAX = 2_000_000;

/** Of so many runs what becomes of the log after them is looked at in one, and of what that is drawn. */
const AFTERWARDS_ODDS = 10;
const AFTERWARDS = 2 ** 20;

type Operation = (life: Life, random: SeededRandom) => Promise<void>;

type Operations = Readonly<Record<string, { readonly run: Operation; readonly weight: number }>>;

/** What clients do, and how likely. */
const ALWAYS: Operations = { append: { run: writes.appendEvents, weight: 6 } };
const OPERATIONS: Operations = {
  many: { run: writes.appendMany, weight: 2 },
  retry: { run: writes.retry, weight: 2 },
  upsert: { run: writes.upsert, weight: 4 },
  remove: { run: writes.remove, weight: 2 },
  transact: { run: writes.transact, weight: 3 },
  produce: { run: produce, weight: 3 },
  consume: { run: consume, weight: 3 },
  decide: { run: writes.decide, weight: 2 },
  statement: { run: writes.statement, weight: 3 },
  read: { run: reads.readTopic, weight: 3 },
  follow: { run: reads.follow, weight: 1 },
  readView: { run: reads.readView, weight: 3 },
  query: { run: reads.query, weight: 1 },
  watch: { run: reads.watch, weight: 1 },
  checkpoint: { run: reads.checkpoint, weight: 2 },
  define: { run: define, weight: 1 },
  keep: { run: keeping.keep, weight: 1 },
  compact: { run: keeping.compact, weight: 2 },
  erase: { run: keeping.erase, weight: 1 },
  backup: { run: reads.backup, weight: 1 },
  passTime: { run: reads.passTime, weight: 1 },
};
/** Where there are topics whose columns change, also these, as often as all others. */
const SHAPING: Operations = {
  ...ALWAYS,
  shapedWrite: { run: shaping.write, weight: 14 },
  shapedRead: { run: shaping.read, weight: 7 },
  change: { run: shaping.change, weight: 10 },
};
/** Where there is a view with versions, also these. */
const VERSIONING: Operations = {
  ...ALWAYS,
  version: { run: changeVersions, weight: 14 },
  readVersion: { run: readVersion, weight: 6 },
};
const SETS = [...VIEW_SETS, ...SHAPED_SETS];

/** Which views and topics a run has; in one of three there are topics whose columns change. */
export function setOf(random: SeededRandom): { readonly set: number; readonly isShaped: boolean } {
  const isShaped = random.oneIn(3);
  const { length } = VIEW_SETS;
  return { isShaped, set: isShaped ? length + random.below(SHAPED_SETS.length) : random.below(length) };
}

export function hasVersions(set: number): boolean {
  return SETS[set]?.includes(BASE) === true;
}

export interface Outcome {
  readonly violation: Error | null;
  readonly trace: readonly string[];
  readonly commits: number;
  readonly lives: number;
}

/** Numbers of neighbouring seeds have nothing in common. */
export function scrambled(seed: number, salt: number): number {
  let h = Math.imul(seed ^ Math.imul(salt + 1, 0x9e3779b1), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 0;
}

/** `afterwards`: its log is damaged and repaired, or restored, and lived on, in each run and not in one of so many. */
export async function simulate(seed: number, { afterwards = false } = {}): Promise<Outcome> {
  await prepared();
  const trace: string[] = [];
  let stuck: (error: Error) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stuck = reject;
  });
  stopped.catch(() => {});
  let ofVisit = 0;
  const time = new RunTime((turns) => {
    if (turns === TURNS_MAX)
      stuck(new Violation(`nothing has come of it in ${turns} turns of the event loop`));
  });
  const random = new SeededRandom(scrambled(seed, 0));
  const set = random.below(SETS.length);
  const shapes = set < VIEW_SETS.length ? null : new Shapes();
  const run = newRun({
    shapes,
    clock: new SimulatedClock(),
    time,
    mood: moodOf(random, shapes !== null ? SHAPING : hasVersions(set) ? VERSIONING : ALWAYS),
    textLength: [20, 100, 600][random.below(3)] as number,
    trace: (line) => trace.push(`${time.turns} ${line}`),
    random: () => new SeededRandom(scrambled(seed, ++ofVisit)),
  });
  const lives = 2 + random.below(2);
  let violation: Error | null = null;
  try {
    const draws = new SeededRandom(scrambled(seed, AFTERWARDS));
    const isFollowed = draws.oneIn(AFTERWARDS_ODDS) || afterwards;
    await Promise.race([
      stopped,
      new Simulation(run, random, trace).live(lives, set, isFollowed ? draws : null),
    ]);
  } catch (error) {
    violation = error as Error;
  } finally {
    time.end();
  }
  return { violation, trace, commits: run.oracle.history.length, lives };
}

/** Each run leaves some out, so that others meet more often. */
function moodOf(random: SeededRandom, always: Operations): string[] {
  const others = Object.entries(OPERATIONS).filter(([name]) => !(name in always) && !random.oneIn(3));
  const chosen = [...Object.entries(always), ...others];
  return chosen.flatMap(([name, { weight }]) => Array.from({ length: weight }, () => name));
}

class Simulation {
  readonly #run: Run;
  readonly #random: SeededRandom;
  readonly #trace: string[];
  /** Of the database. */
  readonly #options: { warm?: number; answerWhileCatchingUp: boolean };
  #disk!: SimulatedDisk;
  #doubt: string | null = null;

  constructor(run: Run, random: SeededRandom, trace: string[]) {
    this.#run = run;
    this.#random = random;
    this.#trace = trace;
    this.#options = { ...(random.oneIn(3) ? { warm: 0 } : {}), answerWhileCatchingUp: random.oneIn(4) };
  }

  /** `afterwards`: what becomes of its log is drawn of it; null: that is not looked at. */
  async live(lives: number, set: number, afterwards: SeededRandom | null): Promise<void> {
    const random = this.#random;
    const tears = random.oneIn(2) ? "bytes" : "sectors";
    const names = random.oneIn(2) ? "any" : "in order";
    this.#disk = (beginnings[set] as SimulatedDisk).clone({ seed: random.u32(), tears, names });
    this.#run.trace(
      `views ${SETS[set]}; writes tear at ${tears}, names ${names}; ${JSON.stringify(this.#options)}`,
    );
    for (let life = 1; life <= lives; life++) {
      const plan = planOf(random, life === lives);
      this.#run.trace(`life ${life} of ${lives}: ${plan.said}`);
      await this.#live(plan);
      await this.#checked();
    }
    const db = await this.#open(null);
    await this.#settled(db);
    await db.close();
    await this.#checked();
    await this.#checkBackup();
    if (afterwards !== null) await new Afterwards(this.#run, this.#disk, DATA, afterwards).live();
  }

  async #live(plan: Plan): Promise<void> {
    const db = await this.#open(plan);
    const disk = this.#disk;
    const faulty = plan.faults.length > 0 || plan.roomBytes !== null || plan.readOnlyAfter !== null;
    const life = new Life(this.#run, db, disk, faulty, plan.cutOdds);
    life.fatal = this.#fatal;
    this.#onFatal = (error) => {
      life.fatal = error;
    };
    if (disk.crashed) {
      await this.#end(life, plan);
      return;
    }
    if (this.#random.oneIn(6)) await this.#goesOnInAnother(life);
    if (plan.roomBytes !== null) disk.capacityBytes = usedBytes(disk) + plan.roomBytes;
    reads.watchOn(life);
    const clients = 1 + this.#random.below(4);
    const operations = 4 + this.#random.below(20);
    let done = 0;
    const client = async (random: SeededRandom): Promise<void> => {
      while (done++ < operations && !life.isOver) {
        if (done === plan.readOnlyAfter) disk.readOnly = true;
        const name = this.#run.mood[random.below(this.#run.mood.length)] as string;
        await (SHAPING[name] ?? VERSIONING[name] ?? OPERATIONS[name])?.run(life, random);
        if (random.oneIn(2)) await life.turns(random.below(8));
      }
    };
    await Promise.all(Array.from({ length: clients }, () => client(this.#run.random())));
    await this.#end(life, plan);
  }

  /** The segment that a life before has left, maybe with a torn end, is full at once; and now and then power is cut again, maybe before it is sealed. */
  async #goesOnInAnother(life: Life): Promise<void> {
    const random = this.#random;
    life.run.trace("the log goes on in another segment");
    try {
      await keeping.turnOver(life.db);
    } catch (error) {
      life.refused("turn over", error);
    }
    if (life.isOver || random.oneIn(2)) return;
    await writes.appendEvents(life, this.#run.random());
    await life.turns(random.below(10));
    if (life.isOver) return;
    life.run.trace("power is cut before anything else");
    life.next = life.disk.reboot("power cut");
  }

  #fatal: EvertError | null = null;
  #onFatal: (error: EvertError) => void = () => {};

  /** Opens, if need be after a crash or an error of the disk on the way, and adopts what is there. `plan`: null where nothing befalls. */
  async #open(plan: Plan | null): Promise<Database> {
    const random = this.#random;
    if (plan !== null) strike(this.#disk, plan);
    for (let attempt = 1; ; attempt++) {
      const disk = this.#disk;
      const isWell = plan === null || (plan.faults.length === 0 && plan.crashAfter === 0) || attempt > 2;
      if (attempt > 2) mend(disk);
      this.#fatal = null;
      this.#onFatal = (error) => {
        this.#fatal = error;
      };
      try {
        const db = await openEngine({
          directory: DATA,
          disk,
          clock: this.#run.clock,
          random: this.#run.random(),
          checkpointIntervalMs: 0,
          segmentBytes: 64 * 1024,
          memoryLimit: MEMORY_BYTES,
          report: (line) => this.#reported(line, plan, disk),
          onFatal: (error) => {
            this.#run.trace(`fatal: ${error.message}`);
            this.#onFatal(error);
          },
          ...this.#options,
        });
        keeping.watchKeeping(this.#run, db);
        const isReplaying = this.#run.shapes !== null && db.core.catchUp !== null;
        // Their draws are their own.
        const draws = new SeededRandom(scrambled(db.core.log.lastPosition, disk.files().length));
        const early = isWell && isReplaying ? new EarlyReaders(this.#run, db, draws) : null;
        try {
          if (!disk.crashed) {
            await this.#adopt(db, disk);
            await early?.check();
          }
        } catch (error) {
          if (error instanceof Violation) throw error;
          if (isWell && !disk.crashed) throw error;
          await db.close().catch(() => {});
          throw error;
        } finally {
          early?.end();
        }
        return db;
      } catch (error) {
        if (error instanceof Violation) throw error;
        const said =
          error instanceof EvertError ? `${error.code}: ${error.message}` : String((error as Error).stack);
        this.#run.trace(`not opened: ${said}`);
        if (!(error instanceof EvertError) || (isWell && !disk.crashed))
          throw new Violation(`not opened: ${said} ${(error as EvertError).detail ?? ""}`);
        this.#disk = disk.reboot(disk.crashed && random.oneIn(2) ? "power cut" : "process");
        if (!disk.crashed && plan !== null && attempt <= 1)
          for (const fault of plan.faults) this.#disk.fail(fault);
      }
    }
  }

  /** The log is never in doubt about a checkpoint that a crash has left, unless reads fail, or a table was laid out anew since. */
  #reported(line: string, plan: Plan | null, disk: SimulatedDisk): void {
    this.#run.trace(`reported: ${line}`);
    const isLaidOutAnew = /lacks the store table:\d+ \/ rows \d/.test(line);
    const doubted = line.startsWith("the checkpoint is not used") && !isLaidOutAnew && !disk.crashed;
    if (doubted && (plan === null || plan.faults.length === 0)) this.#doubt ??= line;
  }

  async #adopt(db: Database, disk: SimulatedDisk): Promise<void> {
    const commits = await readLog(db);
    this.#run.trace(`the log has ${commits.length} commits`);
    this.#run.oracle.adopt(commits);
    this.#run.place.check(commits);
    this.#run.place.judge(this.#run.oracle.history);
    lookedAtViews(this.#run, db);
    this.#looked(db);
    this.#run.shapes?.looked(db);
    for (const { id } of db.topics()) this.#run.oracle.forgetting.isThere(id);
    await checkConsumer({ db, run: this.#run });
    if (this.#run.shapes !== null) await checkAsWritten(this.#run.oracle, DATA, disk);
  }

  /** All that has been said of rules holds or does not; nothing is under way. */
  #looked(db: Database): void {
    this.#run.place.begins(db.topic("old").start);
    this.#run.oracle.forgetting.looked(
      keeping.keepingsOf(db),
      db.views().map(({ name }) => name),
    );
  }

  /** The end of a life: by what has befallen it, or as planned. */
  async #end(life: Life, plan: Plan): Promise<void> {
    const { db, disk, run } = life;
    const random = this.#random;
    const { sealedSegments, coldBytes } = db.stats();
    run.trace(
      `the log has been sealed up to ${sealedSegments} segments; rows of tables are on disk: ${coldBytes} bytes`,
    );
    if (!life.isOver) {
      mend(disk);
      if (life.faulty) await this.#goesOn(life);
      if (!life.isOver && plan.end === "close") {
        await this.#settled(db, life).catch((error: unknown) => {
          if (error instanceof Violation || !life.isOver) throw error;
        });
      }
    }
    life.faulty ||= life.isOver;
    const { isOver } = life;
    let next = life.next;
    if (isOver || plan.end !== "close")
      next ??= disk.reboot(plan.end === "close" ? (random.oneIn(2) ? "process" : "power cut") : plan.end);
    if (next !== null) run.trace(`ends, by ${isOver ? "what befell it" : plan.end}`);
    life.ended.abort();
    const closed = db.close();
    if (next === null) {
      await closed.catch((error: unknown) => {
        if (!disk.crashed) throw new Violation(`not closed: ${(error as Error).stack}`);
      });
      next = disk.reboot(random.oneIn(2) ? "process" : "power cut");
      run.trace("closed");
    } else await closed.catch(() => {});
    await Promise.all(life.background);
    this.#disk = next;
    mend(next);
  }

  /** There is room again, or the disk fails no longer: appends go on by themselves, unless the disk has failed for good. */
  async #goesOn(life: Life): Promise<void> {
    const attempt = this.#run.oracle.begin("append when the disk is mended", null, (op) => () => [
      { topic: "ev", key: null, value: { op, part: 0, w: 0, note: null } },
    ]);
    try {
      const { position } = await life.db.append("ev", [{ op: attempt.id, part: 0, w: 0, note: null }]);
      this.#run.oracle.told(attempt, position, null);
    } catch (error) {
      if (life.fatal === null)
        throw new Violation(`the disk is mended, and appends are refused: ${(error as Error).message}`);
    }
  }

  /** Every view is what its query gives over the whole log. */
  async #settled(db: Database, life?: Life): Promise<void> {
    await db.settled();
    await db.built();
    for (const { name, status } of db.views()) {
      try {
        const { position, rowsJson } = await db.view(name).rowsJson();
        const rows: string[] = [];
        for await (const chunk of rowsJson) rows.push(...chunk);
        this.#run.oracle.sawView(name, Number(position), rows.sort(), "at rest");
      } catch (error) {
        if (life?.faulty !== true && life?.isOver !== true)
          throw new Violation(`${name}, which is ${status}: ${(error as Error).message}`);
        this.#run.trace(`${name}, which is ${status}: ${(error as Error).message}`);
      }
    }
    const commits = await readLog(db);
    this.#run.oracle.adopt(commits);
    this.#run.place.check(commits);
    await shownTables("the database", db, commits);
    checkAsDefined("the database", db);
  }

  /** What the process leaves behind is sound, as `evert check` says. */
  async #checked(): Promise<void> {
    if (this.#doubt !== null) throw new Violation(this.#doubt);
    const { damages } = await checkLog(DATA, this.#disk.clone({ seed: 1 }));
    if (damages.length > 0) throw new Violation(`evert check: ${JSON.stringify(damages)}`);
    await this.#run.place.suspect(this.#disk);
  }

  /** The backup that was told of is there, and is what the log was at its position; and at one before it. */
  async #checkBackup(): Promise<void> {
    const { backup, oracle } = this.#run;
    if (backup === null) return;
    const disk = this.#disk.clone({ seed: 1 });
    const { position } = await restoreBackup({ backup: reads.BACKUP, directory: "/restored", disk });
    if (position < backup)
      throw new Violation(`a backup of position ${backup} was told of, ${position} is there`);
    oracle.checkCopy(await this.#restored(disk, "/restored", position));
    this.#trace.push(`the backup of ${position} is restored`);
    // Of its own: runs of before are to repeat.
    const random = new SeededRandom(position);
    for (let round = 0; round < 3; round++)
      await this.#checkEarlier(disk, random, position, `/earlier ${round}`);
  }

  /** As it was at a position, or at the time of one: unless rows have been taken out since, which is said. */
  async #checkEarlier(
    disk: SimulatedDisk,
    random: SeededRandom,
    end: number,
    directory: string,
  ): Promise<void> {
    const { oracle } = this.#run;
    const wanted = 1 + random.below(end);
    const { timeUs } = oracle.history[wanted - 1]!;
    const to = random.oneIn(2) ? { position: wanted } : { timeUs };
    let position: number;
    try {
      ({ position } = await restoreBackup({ backup: reads.BACKUP, directory, disk, to }));
    } catch (error) {
      const { code, message } = error as EvertError;
      const horizon = Number(/begins at position (\d+)$/.exec(message)?.[1]);
      if (code !== "records_gone" || !(horizon > wanted)) throw error;
      this.#trace.push(`not restored to ${wanted}: ${message}`);
      return;
    }
    // Several may have one time.
    const last =
      "position" in to ? wanted : oracle.history.findLastIndex((c, i) => i < end && c.timeUs <= timeUs) + 1;
    if (position !== last)
      throw new Violation(`restored to ${JSON.stringify(to)} it has position ${position}, not ${last}`);
    const read = await this.#restored(disk, directory, position);
    // Where a topic is dropped later the log is read with its keys, which nobody has read then: they are looked at as they are written.
    oracle.checkCopy(
      read.map((commit, i) => {
        const { idempotencyKey, requestDigest } = oracle.history[i] as Commit;
        return idempotencyKey === undefined ? { ...commit, idempotencyKey, requestDigest } : commit;
      }),
    );
    await checkAsWritten(oracle, directory, disk);
    this.#trace.push(`the backup is restored to ${position}`);
  }

  /** The commits of what was restored, in which all that is made of them is right, too. */
  async #restored(disk: SimulatedDisk, directory: string, position: number): Promise<Commit[]> {
    const db = await openEngine({
      directory,
      disk,
      clock: this.#run.clock,
      checkpointIntervalMs: 0,
      segmentBytes: 64 * 1024,
      memoryLimit: MEMORY_BYTES,
    });
    const read = await readLog(db);
    if (read.length !== position) throw new Violation(`the backup of ${position} has ${read.length} commits`);
    await db.settled();
    await shownTables("what was restored", db, read);
    checkAsDefined("what was restored", db);
    await db.close();
    return read;
  }
}

function usedBytes(disk: SimulatedDisk): number {
  return disk.files().reduce((sum, path) => sum + disk.contents(path).length, 0);
}

const beginnings: SimulatedDisk[] = [];

/** A disk with the topics and one of the sets of views. */
export async function beginning(set: number): Promise<SimulatedDisk> {
  await prepared();
  return beginnings[set] as SimulatedDisk;
}

/** Disks with the topics and each set of views; made once, in a time of their own. */
async function prepared(): Promise<void> {
  if (beginnings.length > 0) return;
  const time = new RunTime(() => {});
  try {
    for (const views of SETS) beginnings.push(await begin(views));
  } finally {
    time.end();
  }
}

async function begin(views: readonly KindName[]): Promise<SimulatedDisk> {
  const disk = new SimulatedDisk({ seed: 1 });
  const options = { directory: DATA, disk, clock: new SimulatedClock(), random: new SeededRandom(1) };
  const db = await openEngine({ ...options, checkpointIntervalMs: 0, segmentBytes: 64 * 1024 });
  const { error } = await db.sql(topicsSql(views) + viewsSql(views));
  if (error !== undefined) throw new Error(error.message);
  await db.settled();
  await db.close();
  return disk.reboot("power cut");
}
