/**
 * One run of several copies of a log: a leader and one or two that follow it, each with a disk of its own, over a simulated network (network.ts). Everything from one seed.
 *
 * 1. In each round clients write to the leader and read from all, while something befalls a copy, its disk or the network; or another copy is promoted, after the leader has
 *    died, or is cut off and knows nothing of it.
 * 2. Who led before, or followed somebody else, follows the new leader, if its log is the beginning of that one's; otherwise it is told that the two have parted,
 *    and begins again from a copy.
 * 3. After each round (at-rest.ts) the network is whole, and all copies hold the same log. The oracle (oracle.ts), one array of commits, is held against that: where commits wait for copies, all
 *    that was told is there, whoever leads by then; where they do not, a promotion may lose those that the new leader had not.
 * 4. On each copy every view is what it is to be; `evert check` finds nothing on any disk.
 */
import "./one-thread.ts";
import type { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import { checkLog } from "../../../src/log/check.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { rest } from "./at-rest.ts";
import { declared } from "./columns.ts";
import { Violation } from "./commits.ts";
import { isConsumption } from "./consumer.ts";
import { type Copy, turns } from "./copy.ts";
import { type Operation, operationsOf } from "./copy-operations.ts";
import { partedViews } from "./defining.ts";
import { mend } from "./faults.ts";
import { anyJump, Fleet } from "./fleet.ts";
import { newRun, type Run } from "./life.ts";
import type { SimulatedNetwork } from "./network.ts";
import { RunTime } from "./one-thread.ts";
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
  let turned: () => void = () => {};
  const time = new RunTime((turns) => {
    time.pass(TURN_MS);
    turned();
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
  const fleet = new Fleet(run, random, begun);
  turned = () => {
    fleet.timePasses(TURN_MS * 1000);
    fleet.turned();
  };
  let violation: Error | null = null;
  let rounds = 0;
  try {
    rounds = await Promise.race([stopped, new Rounds(fleet, hasVersions(set)).live()]);
  } catch (error) {
    violation = error as Error;
  } finally {
    time.end();
  }
  return { violation, trace, commits: run.oracle.history.length, lives: rounds };
}

class Rounds {
  readonly #fleet: Fleet;
  readonly #run: Run;
  readonly #random: SeededRandom;
  readonly #network: SimulatedNetwork;
  /** What clients do, who may wait for copies that come back later. */
  #clients: Promise<void> = Promise.resolve();
  readonly #operations: ReturnType<typeof operationsOf>;

  constructor(fleet: Fleet, withVersions: boolean) {
    this.#fleet = fleet;
    this.#run = fleet.run;
    this.#random = fleet.random;
    this.#network = fleet.network;
    this.#operations = operationsOf(fleet.run, withVersions, fleet.run.random());
  }

  async live(): Promise<number> {
    const random = this.#random;
    this.#run.trace(`${this.#fleet.all.length} copies, commits wait for ${this.#fleet.sync} of them`);
    await this.#fleet.leader.open(null);
    for (const other of this.#fleet.others) await other.open(this.#fleet.leader);
    await rest(this.#fleet);
    const rounds = 2 + random.below(4);
    for (let round = 1; round <= rounds; round++) {
      const event = EVENTS[random.below(EVENTS.length)] as keyof Rounds & string;
      this.#run.trace(`round ${round} of ${rounds}: ${event}`);
      await this[event as "failover"]();
      await rest(this.#fleet);
    }
    for (const copy of this.#fleet.all) {
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
      const one = this.#fleet.any();
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
    const one = this.#fleet.any();
    const isAtChange = random.oneIn(2);
    if (isAtChange) one.disk.crashAfter(1 + random.below(random.oneIn(2) ? 12 : 120));
    this.#begin();
    if (!isAtChange) {
      await turns(random.below(600));
      await one.stop(this.#fleet.anyDeath());
      if (one !== this.#fleet.leader && random.oneIn(2)) await one.open(this.#fleet.leader);
    }
    await this.#worked();
  }

  /** One that follows is started again and again while it catches up with what was written without it. */
  async restarts(): Promise<void> {
    const random = this.#random;
    const others = this.#fleet.others;
    const one = others[random.below(others.length)] as Copy;
    const dies = (): Promise<void> => one.stop(this.#fleet.anyDeath());
    await dies();
    this.#begin();
    if (random.oneIn(2)) await this.#worked();
    for (let i = 1 + random.below(4); i > 0; i--) {
      if (random.oneIn(2)) one.disk.crashAfter(1 + random.below(random.oneIn(2) ? 10 : 60));
      await one.follow(this.#fleet.leader);
      await turns(random.below(80));
      this.#run.trace(
        `${one.name} is at ${one.db?.position}, its leader at ${this.#fleet.leader.db?.position}`,
      );
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
      const { clock, name } = this.#fleet.any();
      const us = anyJump(random);
      if (random.oneIn(4)) {
        this.#run.trace(`${Math.abs(us)} µs pass`);
        this.#fleet.timePasses(Math.abs(us));
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
    const one = this.#fleet.any();
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
    const former = this.#fleet.leader;
    const isAlone = random.oneIn(3);
    this.#begin();
    await turns(random.below(800));
    if (isAlone) {
      this.#run.trace(`${former.name} is alone`);
      this.#network.cut((from, to) => from === former.url || to === former.url);
    } else if (former.db !== null) await former.stop(this.#fleet.anyDeath());
    await this.#worked();
    for (const other of this.#fleet.others) await this.#fleet.restartFailed(other);
    const known = await this.#knownTo(this.#fleet.others);
    const heir = [...this.#fleet.others].sort((a, b) => known.get(b)! - known.get(a)!)[
      this.#fleet.sync === 1 || random.oneIn(2) ? 0 : this.#fleet.others.length - 1
    ] as Copy;
    // Who reads from the others reads what may be in no history that goes on.
    const { epochs } = (heir.db as Database).core.catalog;
    this.#run.oracle.forgetting.parting((epochs.at(-1)?.epoch ?? 0) + 1);
    const begins = await this.#promote(heir);
    if (this.#fleet.sync === 1 && this.#run.oracle.toldPosition >= begins)
      throw new Violation(
        `position ${this.#run.oracle.toldPosition} was told, and ${heir.name} leads from ${begins} on`,
      );
    for (const copy of this.#fleet.all) if (copy !== heir) copy.life?.ended.abort();
    await turns(100);
    this.#fleet.leader = heir;
    this.#partedAfter(begins - 1);
    if (isAlone) await this.#aloneStill(former);
    this.#network.mend();
    if (isAlone && random.oneIn(2)) await this.#isTold(former);
    for (const other of this.#fleet.others) {
      await other.stop(this.#fleet.anyDeath());
      await other.follow(this.#fleet.leader);
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
    if (this.#fleet.sync === 1) throw new Violation("a leader without followers has acknowledged a commit");
    const { shapes } = this.#run;
    if (shapes === null || this.#random.oneIn(2)) return;
    const { error } = await db.sql(`ALTER TABLE wide ADD COLUMN ${declared(shapes.nextColumn())}`);
    this.#run.trace(`the former leader has another column: ${error?.message ?? "done"}`);
  }

  /** The new leader tells the former one. */
  async #isTold(former: Copy): Promise<void> {
    const { db } = former;
    if (db === null || former.fatal !== null || former.disk.crashed) return;
    await this.#fleet.until(() => db.replication.info().role === "superseded", `${former.name} to be told`);
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
        await heir.open(this.#fleet.leader);
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
    const leader = this.#fleet.leader;
    const clients: Promise<void>[] = [];
    for (let i = 0; i < writers; i++)
      clients.push(client(this.#run.random(), this.#operations.writes, () => leader));
    for (let i = 0; i < readers; i++) {
      const own = this.#run.random();
      clients.push(
        client(own, this.#operations.reads, () => this.#fleet.all[own.below(this.#fleet.all.length)] as Copy),
      );
    }
    await Promise.all(clients);
  }

  /** Up to where each of them has the log, as an operator would ask. */
  async #knownTo(copies: readonly Copy[]): Promise<Map<Copy, number>> {
    return new Map(copies.map((copy) => [copy, (copy.db as Database).core.log.lastPosition]));
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
