/**
 * One run of several copies of a log: a leader and one or two that follow it, each with a disk of its own, over a simulated network (network.ts). Everything from one seed.
 *
 * 1. In each round clients write to the leader and read from all, while something befalls a copy, its disk or the network; or another copy is promoted, after the leader has
 *    died, or is cut off and knows nothing of it.
 * 2. Who led before, or followed somebody else, follows the new leader, if its log is the beginning of that one's; otherwise it is told that the two have parted,
 *    and begins again from a copy.
 * 3. After each round the network is whole, and all copies hold the same log. The oracle (oracle.ts), one array of commits, is held against that: where commits wait for copies, all
 *    that was told is there, whoever leads by then; where they do not, a promotion may lose those that the new leader had not.
 * 4. On each copy every view is what it is to be; `evert check` finds nothing on any disk.
 */
import "./one-thread.ts";
import type { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { declared } from "./columns.ts";
import { type Commit, readLog, Violation } from "./commits.ts";
import { checkConsumer, isConsumption } from "./consumer.ts";
import { type Among, Copy, type Death, turns } from "./copy.ts";
import { type Operation, operationsOf } from "./copy-operations.ts";
import { lookedAtViews, partedViews } from "./defining.ts";
import { mend } from "./faults.ts";
import * as keeping from "./keeping.ts";
import { newRun, type Run } from "./life.ts";
import { SimulatedNetwork } from "./network.ts";
import { RunTime } from "./one-thread.ts";
import { checkSame, samePrefix } from "./same-copies.ts";
import { Shapes } from "./shapes.ts";
import { beginning, DATA, hasVersions, type Outcome, scrambled, setOf } from "./simulate.ts";

const TURNS_MAX = 4_000_000;
/** How fast time passes: a turn of the event loop is so long. */
const TURN_MS = 0.5;
export async function simulateCopies(seed: number): Promise<Outcome> {
  const { set, isShaped } = setOf(new SeededRandom(scrambled(seed, 0x5e7)));
  const begun = await beginning(set);
  const trace: string[] = [];
  let stuck: (error: Error) => void = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stuck = reject;
  });
  stopped.catch(() => {});
  let ofVisit = 0;
  let passed: (us: number) => void = () => {};
  const time = new RunTime((turns) => {
    time.pass(TURN_MS);
    passed(TURN_MS * 1000);
    if (turns === TURNS_MAX)
      stuck(new Violation(`nothing has come of it in ${turns} turns of the event loop`));
  });
  const random = new SeededRandom(scrambled(seed, 0));
  const run = newRun({
    shapes: isShaped ? new Shapes() : null,
    // Each copy has its own.
    clock: new SimulatedClock(),
    time,
    mood: [],
    textLength: [20, 100, 600][random.below(3)] as number,
    trace: (line) => trace.push(`${time.turns} ${line}`),
    random: () => new SeededRandom(scrambled(seed, ++ofVisit)),
  });
  const copies = new Copies(run, random, begun, hasVersions(set));
  passed = (us) => copies.timePasses(us);
  let violation: Error | null = null;
  let rounds = 0;
  try {
    rounds = await Promise.race([stopped, copies.live()]);
  } catch (error) {
    violation = error as Error;
  } finally {
    time.end();
  }
  return { violation, trace, commits: run.oracle.history.length, lives: rounds };
}

class Copies {
  readonly #run: Run;
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  readonly #all: Copy[] = [];
  #leader!: Copy;
  /** How many others are to have a commit before it is told. */
  readonly #sync: 0 | 1;
  /** What clients do, who may wait for copies that come back later. */
  #clients: Promise<void> = Promise.resolve();
  readonly #operations: ReturnType<typeof operationsOf>;

  constructor(run: Run, random: SeededRandom, begun: SimulatedDisk, withVersions: boolean) {
    this.#run = run;
    this.#random = random;
    this.#network = new SimulatedNetwork(run.random(), run.trace);
    this.#sync = random.oneIn(2) ? 1 : 0;
    this.#operations = operationsOf(run, withVersions);
    const among: Among = { run, random, network: this.#network, sync: this.#sync };
    const names = ["a", "b", "c"].slice(0, 2 + random.below(2));
    for (const [i, name] of names.entries()) {
      const options = {
        seed: random.u32(),
        tears: random.oneIn(2) ? ("bytes" as const) : ("sectors" as const),
        names: random.oneIn(2) ? ("any" as const) : ("in order" as const),
      };
      // A copy begins with nothing, or with what the leader began with.
      const disk = i === 0 || random.oneIn(2) ? begun.clone(options) : new SimulatedDisk(options);
      // Most clocks are about right.
      const skewUs = random.oneIn(4) ? anyJump(random) : random.below(2_000_000);
      this.#all.push(new Copy(name, disk, among, skewUs));
    }
  }

  /** On all clocks. */
  timePasses(us: number): void {
    for (const { clock } of this.#all) clock.advance(us);
  }

  get #others(): Copy[] {
    return this.#all.filter((copy) => copy !== this.#leader);
  }

  async live(): Promise<number> {
    const random = this.#random;
    this.#leader = this.#all[0] as Copy;
    this.#run.trace(`${this.#all.length} copies, commits wait for ${this.#sync} of them`);
    await this.#leader.open(null);
    for (const other of this.#others) await other.open(this.#leader);
    await this.#rest();
    const rounds = 2 + random.below(4);
    for (let round = 1; round <= rounds; round++) {
      const event = EVENTS[random.below(EVENTS.length)] as keyof Copies & string;
      this.#run.trace(`round ${round} of ${rounds}: ${event}`);
      await this[event as "failover"]();
      await this.#rest();
    }
    for (const copy of this.#all) {
      await copy.stop("close");
      const { damages } = await checkLog(DATA, copy.disk.clone({ seed: 1 }));
      if (damages.length > 0) throw new Violation(`evert check of ${copy.name}: ${JSON.stringify(damages)}`);
    }
    return rounds;
  }

  // ---- what befalls them ----

  async nothing(): Promise<void> {
    this.#begin();
    await this.#worked();
  }

  /** Streams end and spoil, links are cut for a while. */
  async network(): Promise<void> {
    const random = this.#random;
    this.#network.mishaps = 2 + random.below(30);
    this.#begin();
    for (let i = random.below(4); i > 0; i--) {
      await turns(random.below(400));
      const one = this.#any();
      if (random.oneIn(3)) this.#network.breakOff();
      else {
        this.#run.trace(`${one.name} is cut off`);
        this.#network.cut((from, to) => from === one.url || to === one.url);
        await turns(random.below(1500));
        this.#network.cut(() => false);
      }
    }
    await this.#worked();
  }

  /** A copy dies, at some change of its disk or at any time, and comes back. */
  async death(): Promise<void> {
    const random = this.#random;
    const one = this.#any();
    const isAtChange = random.oneIn(2);
    if (isAtChange) one.disk.crashAfter(1 + random.below(random.oneIn(2) ? 12 : 120));
    this.#begin();
    if (!isAtChange) {
      await turns(random.below(600));
      await one.stop(this.#anyDeath());
      if (one !== this.#leader && random.oneIn(2)) await one.open(this.#leader);
    }
    await this.#worked();
  }

  /** One that follows is started again and again while it catches up with what was written without it. */
  async restarts(): Promise<void> {
    const random = this.#random;
    const others = this.#others;
    const one = others[random.below(others.length)] as Copy;
    const dies = (): Promise<void> => one.stop(this.#anyDeath());
    await dies();
    this.#begin();
    if (random.oneIn(2)) await this.#worked();
    for (let i = 1 + random.below(4); i > 0; i--) {
      if (random.oneIn(2)) one.disk.crashAfter(1 + random.below(random.oneIn(2) ? 10 : 60));
      await one.follow(this.#leader);
      await turns(random.below(80));
      this.#run.trace(`${one.name} is at ${one.db?.position}, its leader at ${this.#leader.db?.position}`);
      await dies();
    }
    await this.#worked();
  }

  /** Clocks are set, forwards or backwards, each by itself; or time passes for all. Whoever starts then believes its own. */
  async clocks(): Promise<void> {
    const random = this.#random;
    this.#begin();
    for (let i = 1 + random.below(3); i > 0; i--) {
      await turns(random.below(300));
      const { clock, name } = this.#any();
      const us = anyJump(random);
      if (random.oneIn(4)) {
        this.#run.trace(`${Math.abs(us)} µs pass`);
        this.timePasses(Math.abs(us));
        this.#run.time.pass(Math.abs(us) / 1000);
      } else {
        this.#run.trace(`the clock of ${name} moves by ${us} µs`);
        clock.setWall(clock.wallUs() + us);
      }
    }
    await this.#worked();
    if (random.oneIn(2)) await this.failover();
  }

  /** A disk fails for a while. */
  async disk(): Promise<void> {
    const random = this.#random;
    const one = this.#any();
    const path = [/./, /\.sealed$/, /\.log$/, /incoming/, /checkpoint/][random.below(5)] as RegExp;
    const skip = random.below(30);
    const times = 1 + random.below(3);
    const kinds = [
      { operation: "read", flipsBit: true },
      { operation: "read", code: "EIO" },
      { operation: "write", code: "EIO" },
      { operation: "write", code: "ENOSPC" },
      { operation: "datasync", code: "EIO" },
      { operation: "rename", code: "EIO" },
      { operation: "read", bytesMax: 1000 },
    ] as const;
    const kind = kinds[random.below(kinds.length)] as (typeof kinds)[number];
    this.#run.trace(`the disk of ${one.name}: ${JSON.stringify(kind)} ${path} after ${skip}, ${times} times`);
    one.disk.fail({ ...kind, path, skip, times });
    this.#begin();
    await this.#worked();
    mend(one.disk);
  }

  /** Another copy is promoted: the leader has died, or is alone and does not know. */
  async failover(): Promise<void> {
    const random = this.#random;
    const former = this.#leader;
    const isAlone = random.oneIn(3);
    this.#begin();
    await turns(random.below(800));
    if (isAlone) {
      this.#run.trace(`${former.name} is alone`);
      this.#network.cut((from, to) => from === former.url || to === former.url);
    } else if (former.db !== null) await former.stop(this.#anyDeath());
    await this.#worked();
    for (const other of this.#others) await this.#restartFailed(other);
    const known = await this.#knownTo(this.#others);
    const heir = [...this.#others].sort((a, b) => known.get(b)! - known.get(a)!)[
      this.#sync === 1 || random.oneIn(2) ? 0 : this.#others.length - 1
    ] as Copy;
    const begins = await this.#promote(heir);
    if (this.#sync === 1 && this.#run.oracle.toldPosition >= begins)
      throw new Violation(
        `position ${this.#run.oracle.toldPosition} was told, and ${heir.name} leads from ${begins} on`,
      );
    // Who reads from the others reads what may be in no history that goes on.
    this.#run.oracle.forgetting.parting();
    for (const copy of this.#all) if (copy !== heir) copy.life?.ended.abort();
    await turns(100);
    this.#leader = heir;
    this.#partedAfter(begins - 1);
    if (isAlone) await this.#aloneStill(former);
    this.#network.mend();
    if (isAlone && random.oneIn(2)) await this.#isTold(former);
    for (const other of this.#others) {
      await other.stop(this.#anyDeath());
      await other.follow(this.#leader);
    }
  }

  /** What lay behind is lost. Who was told of it learns that from nobody, and begins again. */
  #partedAfter(position: number): void {
    const { oracle, producer, consumer } = this.#run;
    if (oracle.toldPosition > position) {
      producer.forget();
      consumer.forget();
      // Epochs that are lost are given again.
      oracle.forgetRequests(isConsumption);
    }
    oracle.partedAfter(position);
    this.#run.shapes?.parted();
    partedViews(this.#run);
  }

  /** A former leader that nobody has told: what it is given is in its own log alone. */
  async #aloneStill(former: Copy): Promise<void> {
    const { db } = former;
    if (db === null || this.#random.oneIn(2)) return;
    try {
      await db.append("ev", [{ op: -1, part: 0, w: 0, note: "of a former leader" }]);
    } catch (error) {
      this.#run.trace(`the former leader does not take it: ${(error as Error).message}`);
      return;
    }
    if (this.#sync === 1) throw new Violation("a leader without followers has acknowledged a commit");
    const { shapes } = this.#run;
    if (shapes === null || this.#random.oneIn(2)) return;
    const { error } = await db.sql(`ALTER TABLE wide ADD COLUMN ${declared(shapes.nextColumn())}`);
    this.#run.trace(`the former leader has another column: ${error?.message ?? "done"}`);
  }

  /** The new leader tells the former one. */
  async #isTold(former: Copy): Promise<void> {
    const { db } = former;
    if (db === null || former.fatal !== null || former.disk.crashed) return;
    await this.#until(() => db.replication.info().role === "superseded", `${former.name} to be told`);
    try {
      await db.append("ev", [{ op: -1, part: 0, w: 0, note: "of a fenced leader" }]);
    } catch (error) {
      if ((error as EvertError).code === "not_leader") return;
      throw error;
    }
    throw new Violation("a former leader that was told has taken a commit");
  }

  /** @returns the position at which its epoch begins */
  async #promote(heir: Copy): Promise<number> {
    const random = this.#random;
    const known = (heir.db as Database).core.catalog.epochs.length;
    // A promotion that has come half way has begun an epoch, too.
    const begins = (): number => (heir.db as Database).core.catalog.epochs[known]?.begins as number;
    // It is the leader after some twenty changes of its disk.
    if (random.oneIn(2)) heir.disk.crashAfter(1 + random.below(32));
    for (;;) {
      const db = heir.db as Database;
      try {
        const { position } = await db.replication.promote();
        this.#run.trace(`${heir.name} is promoted at ${position}`);
        heir.disk.crashAfter(Number.POSITIVE_INFINITY);
        return begins();
      } catch (error) {
        this.#run.trace(`${heir.name} is not promoted: ${(error as Error).message}`);
        if (!heir.disk.crashed && heir.fatal === null) {
          if ((error as EvertError).code !== "not_ready") throw error;
          throw new Violation(`${heir.name} cannot be promoted: ${(error as Error).message}`);
        }
      }
      await heir.stop(random.oneIn(2) ? "process" : "power cut");
      // It is the one or the other.
      try {
        await heir.open(this.#leader);
      } catch (error) {
        if ((error as EvertError).code !== "invalid_request") throw error;
        await heir.open(null);
        this.#run.trace(`${heir.name} was promoted`);
        return begins();
      }
    }
  }

  // ---- clients ----

  #begin(): void {
    this.#clients = this.#work();
    this.#clients.catch(() => {});
  }

  /** Clients are done: whoever waits for a copy that is not there is told so in time. */
  async #worked(): Promise<void> {
    await this.#clients;
  }

  async #work(): Promise<void> {
    const random = this.#random;
    const writers = 1 + random.below(3);
    const readers = 1 + random.below(2);
    const client = async (
      own: SeededRandom,
      operations: readonly Operation[],
      of: () => Copy,
    ): Promise<void> => {
      for (let left = 2 + own.below(7); left > 0; left--) {
        const { life } = of();
        if (life !== null && !life.isOver)
          await (operations[own.below(operations.length)] as Operation)(life, own);
        await turns(own.below(20));
      }
    };
    const leader = this.#leader;
    const clients: Promise<void>[] = [];
    for (let i = 0; i < writers; i++)
      clients.push(client(this.#run.random(), this.#operations.writes, () => leader));
    for (let i = 0; i < readers; i++) {
      const own = this.#run.random();
      clients.push(client(own, this.#operations.reads, () => this.#all[own.below(this.#all.length)] as Copy));
    }
    await Promise.all(clients);
  }

  // ---- copies ----

  async #restartFailed(copy: Copy): Promise<void> {
    if (!copy.hasFailed) return;
    await copy.stop(this.#random.oneIn(2) ? "process" : "power cut");
    if (copy === this.#leader) await copy.open(null);
    else await copy.follow(this.#leader);
  }

  /** All are there, have the same, and are what they should be. */
  async #rest(): Promise<void> {
    this.#network.mend();
    await this.#restartFailed(this.#leader);
    for (const copy of this.#all) copy.disk.crashAfter(Number.POSITIVE_INFINITY);
    for (const other of this.#others) await this.#restartFailed(other);
    for (const other of this.#others) await this.#level(other);
    for (const copy of this.#all) await this.#makesViewsAnew(copy);
    const leader = this.#leader.db as Database;
    for (const { life } of this.#all) await Promise.all(life?.errands.splice(0) ?? []);
    await leader.settled();
    for (const other of this.#others) await this.#level(other);
    const { oracle } = this.#run;
    const commits = await readLog(leader);
    const copies = new Map<Copy, readonly Commit[]>([[this.#leader, commits]]);
    for (const other of this.#others) {
      const copied = await readLog(other.db as Database);
      copies.set(other, copied);
      await checkSame(
        this.#run,
        { name: this.#leader.name, db: leader, commits },
        { name: other.name, db: other.db as Database, commits: copied },
      );
    }
    for (const copy of this.#all) await this.#shows(copy);
    this.#run.trace(`at rest, with ${commits.length} commits`);
    oracle.adopt(commits);
    for (const [copy, copied] of copies) {
      oracle.checkCopy(copied);
      copy.place.check(copied);
      await copy.place.suspect(copy.disk);
      copy.place.judge(oracle.history);
      const db = copy.db as Database;
      copy.place.begins(db.topic("old").start);
      await checkConsumer({ db, run: this.#run });
    }
    oracle.forgetting.looked(
      keeping.keepingsOf(leader),
      leader.views().map(({ name }) => name),
    );
    lookedAtViews(this.#run, leader);
    this.#run.shapes?.looked(leader);
    for (const { id } of leader.topics()) oracle.forgetting.isThere(id);
    if (this.#random.oneIn(3)) await this.#eraseEverywhere();
  }

  /** Where nothing is under way a replica takes out what was erased on its leader, unless the key has been written since. */
  async #eraseEverywhere(): Promise<void> {
    const { history } = this.#run.oracle;
    for (const { name, life } of this.#others) {
      for (const { topic, key, to } of this.#leader.place.erasedKeys) {
        if (life === null || (await keeping.eraseCopy(life, topic, key))) continue;
        const isSince = ({ position, records }: Commit): boolean =>
          position > to && records.some((record) => record.topic === topic && record.key === key);
        // What could not be sealed is tried again later, and erasing then.
        const waits = life.db.core.log.stats().sealing.waiting > 0;
        if (!waits && !history.some(isSince))
          throw new Violation(`${key} of ${topic} cannot be erased on ${name}`);
      }
    }
  }

  /** What a view could not read of a disk that failed it reads when it is made anew, with the next start. */
  async #makesViewsAnew(copy: Copy): Promise<void> {
    const db = copy.db as Database;
    await db.built();
    const failures = db.views().map(({ name }) => db.viewFailure(name)?.message);
    if (failures.every((failure) => failure === undefined)) return;
    this.#run.trace(`${copy.name} has views that failed: ${failures.join("; ")}`);
    await copy.stop(this.#anyDeath());
    if (copy === this.#leader) await copy.open(null);
    else await copy.follow(this.#leader);
  }

  async #shows({ name, db }: Copy): Promise<void> {
    if (db === null) return;
    await db.built();
    for (const view of db.views()) {
      const { position, rowsJson } = await db.view(view.name).rowsJson();
      const rows: string[] = [];
      for await (const chunk of rowsJson) rows.push(...chunk);
      this.#run.oracle.sawView(view.name, Number(position), rows.sort(), `at rest on ${name}`);
    }
  }

  /** It has all that the leader has; if the two have parted, it begins again. */
  async #level(copy: Copy): Promise<void> {
    const leader = this.#leader.db as Database;
    const info = () => (copy.db as Database).replication.info();
    const isLevel = (): boolean => {
      const { db } = copy;
      const end = leader.core.log.lastPosition;
      if (db === null || info().following?.state !== "following") return false;
      return Number(db.position) >= end && db.core.log.durablePosition >= end;
    };
    const isStopped = (): boolean => info().following?.state === "stopped";
    await this.#until(
      () => isLevel() || isStopped() || copy.fatal !== null || this.#leader.fatal !== null,
      `${copy.name} to be level`,
    );
    if (isLevel() && !isStopped()) return;
    if (this.#leader.fatal !== null) throw new Violation(`the leader fails: ${this.#leader.fatal.message}`);
    if (copy.fatal !== null) {
      await this.#restartFailed(copy);
      return this.#level(copy);
    }
    // It was level, and its connection has ended since.
    if (!isStopped()) return this.#level(copy);
    const error = info().following?.error;
    if (error?.code !== "diverged") throw new Violation(`${copy.name} does not follow: ${error?.message}`);
    if (/has no deletes|deletes after position/.test(error.message)) return this.#rejoins(copy);
    const [own, theirs] = [await readLog(copy.db as Database), await readLog(leader)];
    const same = samePrefix(own, theirs);
    if (same === own.length)
      throw new Violation(`${copy.name} is told ${error.message}, and has ${same} commits of the leader's`);
    if (!error.message.includes(`after position ${same}`))
      throw new Violation(`${copy.name} is told ${error.message}, and they part after ${same}`);
    this.#run.trace(`${copy.name} has parted from ${this.#leader.name} after ${same}`);
    await this.#rejoins(copy);
  }

  async #rejoins(copy: Copy): Promise<void> {
    await copy.stop(this.#anyDeath());
    await copy.open(this.#leader, true);
    await this.#level(copy);
  }

  /** Up to where each of them has the log, as an operator would ask. */
  async #knownTo(copies: readonly Copy[]): Promise<Map<Copy, number>> {
    return new Map(copies.map((copy) => [copy, (copy.db as Database).core.log.lastPosition]));
  }

  #any(): Copy {
    return this.#all[this.#random.below(this.#all.length)] as Copy;
  }

  #anyDeath(): Death {
    return (["process", "power cut", "close"] as const)[this.#random.below(3)] as Death;
  }

  async #until(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 40_000; i++) {
      if (condition()) return;
      await turns(5);
    }
    throw new Violation(`it is waited in vain for ${what}`);
  }
}

const EVENTS = [
  "nothing",
  "network",
  "death",
  "death",
  "disk",
  "failover",
  "failover",
  "restarts",
  "clocks",
] as const;

const HOUR_US = 3_600_000_000;

/** By how much somebody sets a clock. */
function anyJump(random: SeededRandom): number {
  const jumps = [-365 * 24, -25, -1, -1 / 60, 1 / 60, 1, 25, 365 * 24];
  return (jumps[random.below(jumps.length)] as number) * HOUR_US;
}
