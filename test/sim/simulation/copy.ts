/** One copy of a log, whether it runs or not: its disk, its clock, how it is opened and how it ends. */
import { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import { openEngine } from "../../../src/engine/open-engine.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { Violation } from "./commits.ts";
import { mend } from "./faults.ts";
import * as keeping from "./keeping.ts";
import { Life, type Run } from "./life.ts";
import type { SimulatedNetwork } from "./network.ts";
import { Place } from "./place.ts";
import { readTables } from "./shaping.ts";
import { DATA } from "./simulate.ts";

const SYNC_TIMEOUT_MS = 3_000;
const SEGMENT_BYTES = 64 * 1024;

export type Death = "process" | "power cut" | "close";

/** What copies of one run share. */
export interface Among {
  readonly run: Run;
  readonly random: SeededRandom;
  readonly network: SimulatedNetwork;
  /** How many others are to have a commit before it is told. */
  readonly sync: 0 | 1;
}

export class Copy {
  readonly name: string;
  readonly url: string;
  /** Its own: it may be set while those of others are not. */
  readonly clock: SimulatedClock;
  disk: SimulatedDisk;
  db: Database | null = null;
  life: Life | null = null;
  fatal: EvertError | null = null;
  /** Its data directory; another one where it has begun again. */
  place: Place = new Place();
  readonly #among: Among;
  /** Of its catalog, how many times columns had changed at the last look. */
  #alterations = 0;

  constructor(name: string, disk: SimulatedDisk, among: Among, skewUs: number) {
    this.name = name;
    this.url = `http://${name}`;
    this.disk = disk;
    this.#among = among;
    this.clock = new SimulatedClock();
    this.clock.setWall(this.clock.wallUs() + skewUs);
  }

  get hasFailed(): boolean {
    return this.db === null || this.disk.crashed || this.fatal !== null;
  }

  /** Opens it, if need be after its disk has failed. `leader`: whom it follows; null: it leads. */
  async open(leader: Copy | null, rejoin = false): Promise<void> {
    const { run, random, network, sync } = this.#among;
    for (let attempt = 1; ; attempt++) {
      const { disk } = this;
      if (attempt > 2) mend(disk);
      this.fatal = null;
      try {
        const db = await openEngine({
          directory: DATA,
          disk,
          clock: this.clock,
          random: run.random(),
          checkpointIntervalMs: 0,
          segmentBytes: SEGMENT_BYTES,
          reach: network.reachFrom(this.url),
          follow: leader === null ? undefined : { url: leader.url, rejoin },
          syncFollowers: sync,
          syncTimeoutMs: SYNC_TIMEOUT_MS,
          report: (line) => run.trace(`${this.name} reports: ${line}`),
          onFatal: (error) => {
            run.trace(`${this.name} fails: ${error.message}`);
            this.fatal = error;
            if (this.life !== null) this.life.fatal = error;
          },
        });
        if (rejoin) this.place = new Place();
        const life = new Life(run, db, disk, true, 0, this.place);
        keeping.watchKeeping(run, db, () => life.ended.signal.aborted);
        Object.assign(this, { db, life });
        this.#alterations = db.core.catalog.alterations;
        network.up(this.url, db);
        run.trace(`${this.name} is open, ${db.replication.info().role} at ${db.position}`);
        return;
      } catch (error) {
        run.trace(`${this.name} is not opened: ${(error as Error).message}`);
        if (!(error instanceof EvertError)) throw error;
        if (error.code === "invalid_request" || attempt > 5) throw error;
        this.disk = disk.reboot(disk.crashed && random.oneIn(2) ? "power cut" : "process");
        await turns(100);
      }
    }
  }

  /** A turn of the event loop has passed: who reads in the moment in which columns have changed here is answered as anybody. */
  turned(): void {
    const { db, life } = this;
    if (db === null || life === null || life.isOver) return;
    const { alterations } = db.core.catalog;
    if (alterations === this.#alterations) return;
    this.#alterations = alterations;
    life.errand(readTables(life));
  }

  /** Who was promoted before in place of the leader of now, and may not have told it, says that it is to follow once more. */
  async follow(leader: Copy): Promise<void> {
    try {
      await this.open(leader);
    } catch (error) {
      if ((error as EvertError).code !== "invalid_request") throw error;
      await this.open(leader, true);
    }
  }

  async stop(how: Death): Promise<void> {
    const { db, life, disk } = this;
    const { run, network } = this.#among;
    if (db === null) return;
    const isOver = disk.crashed || this.fatal !== null;
    const death = isOver && how === "close" ? "process" : how;
    run.trace(`${this.name} ends: ${death}`);
    this.db = null;
    this.life = null;
    let next: SimulatedDisk | null = death === "close" ? null : disk.reboot(death);
    network.down(this.url);
    life?.ended.abort();
    if (life !== null) life.faulty = true;
    await db.close().catch((error: unknown) => {
      if (next === null && !disk.crashed && this.fatal === null)
        throw new Violation(`${this.name} was not closed: ${(error as Error).stack}`);
    });
    await Promise.all(life?.background ?? []);
    next ??= disk.reboot("process");
    mend(next);
    this.disk = next;
    this.fatal = null;
  }
}

/** Some turns of the event loop. */
export async function turns(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise((done) => setImmediate(done));
}
