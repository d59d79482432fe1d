/** The copies of one log, running or not: which of them leads, and how the others come to have what it has. */
import type { Database } from "../../../src/engine/database.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { readLog, Violation } from "./commits.ts";
import { type Among, Copy, type Death, turns } from "./copy.ts";
import type { Run } from "./life.ts";
import { SimulatedNetwork } from "./network.ts";
import { samePrefix } from "./same-copies.ts";

export class Fleet {
  readonly run: Run;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  readonly all: Copy[] = [];
  leader: Copy;
  /** How many others are to have a commit before it is told. */
  readonly sync: 0 | 1;

  constructor(run: Run, random: SeededRandom, begun: SimulatedDisk) {
    this.run = run;
    this.random = random;
    this.network = new SimulatedNetwork(run.random(), run.trace);
    this.sync = random.oneIn(2) ? 1 : 0;
    const { network, sync } = this;
    const among: Among = { run, random, network, sync };
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
      this.all.push(new Copy(name, disk, among, skewUs));
    }
    this.leader = this.all[0] as Copy;
  }

  /** On all clocks. */
  timePasses(us: number): void {
    for (const { clock } of this.all) clock.advance(us);
  }

  /** A turn of the event loop has passed. */
  turned(): void {
    if (this.run.shapes !== null) for (const copy of this.all) copy.turned();
  }

  get others(): Copy[] {
    return this.all.filter((copy) => copy !== this.leader);
  }

  async restartFailed(copy: Copy): Promise<void> {
    if (!copy.hasFailed) return;
    await copy.stop(this.random.oneIn(2) ? "process" : "power cut");
    if (copy === this.leader) await copy.open(null);
    else await copy.follow(this.leader);
  }

  /** It has all that the leader has; if the two have parted, it begins again. */
  async level(copy: Copy): Promise<void> {
    const leader = this.leader.db as Database;
    const info = () => (copy.db as Database).replication.info();
    const isLevel = (): boolean => {
      const { db } = copy;
      const end = leader.core.log.lastPosition;
      if (db === null || info().following?.state !== "following") return false;
      return Number(db.position) >= end && db.core.log.durablePosition >= end;
    };
    const isStopped = (): boolean => info().following?.state === "stopped";
    await this.until(
      () => isLevel() || isStopped() || copy.fatal !== null || this.leader.fatal !== null,
      `${copy.name} to be level`,
    );
    if (isLevel() && !isStopped()) return;
    if (this.leader.fatal !== null) throw new Violation(`the leader fails: ${this.leader.fatal.message}`);
    if (copy.fatal !== null) {
      await this.restartFailed(copy);
      return this.level(copy);
    }
    // It was level, and its connection has ended since.
    if (!isStopped()) return this.level(copy);
    const error = info().following?.error;
    if (error?.code !== "diverged") throw new Violation(`${copy.name} does not follow: ${error?.message}`);
    if (/has no deletes|deletes after position/.test(error.message)) return this.rejoins(copy);
    const [own, theirs] = [await readLog(copy.db as Database), await readLog(leader)];
    const same = samePrefix(own, theirs);
    if (same === own.length)
      throw new Violation(`${copy.name} is told ${error.message}, and has ${same} commits of the leader's`);
    if (!error.message.includes(`after position ${same}`))
      throw new Violation(`${copy.name} is told ${error.message}, and they part after ${same}`);
    this.run.trace(`${copy.name} has parted from ${this.leader.name} after ${same}`);
    await this.rejoins(copy);
  }

  async rejoins(copy: Copy): Promise<void> {
    await copy.stop(this.anyDeath());
    await copy.open(this.leader, true);
    await this.level(copy);
  }

  any(): Copy {
    return this.all[this.random.below(this.all.length)] as Copy;
  }

  anyDeath(): Death {
    return (["process", "power cut", "close"] as const)[this.random.below(3)] as Death;
  }

  async until(condition: () => boolean, what: string): Promise<void> {
    for (let i = 0; i < 40_000; i++) {
      if (condition()) return;
      await turns(5);
    }
    throw new Violation(`it is waited in vain for ${what}`);
  }
}

const HOUR_US = 3_600_000_000;

/** By how much somebody sets a clock. */
export function anyJump(random: SeededRandom): number {
  const jumps = [-365 * 24, -25, -1, -1 / 60, 1 / 60, 1, 25, 365 * 24];
  return (jumps[random.below(jumps.length)] as number) * HOUR_US;
}
