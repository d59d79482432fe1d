/**
 * Backups of any copy, whoever leads, one onto the other, in directories of a disk that is none of theirs.
 *
 * 1. What is told to be backed up is restored at once and opened: it has the commits that this copy has up to there, what is kept for ever whole, and its tables are made of these. So files of two copies, which each
 *    compact and forget by themselves, and commits of two histories are never mixed.
 * 2. A copy that is refused has other files than the last one that came in, or other commits: never is a data directory refused that the last backup was taken of. What was there stays, and the next ones
 *    go to another directory.
 * 3. The archive's machine stops now and then amid a backup. What its manifest names is there all the same: the backup before, or the new one.
 */
import type { EvertError } from "../../../src/base/errors.ts";
import { openEngine } from "../../../src/engine/open-engine.ts";
import { restoreBackup } from "../../../src/engine/restore-backup.ts";
import { backupLog, readManifest } from "../../../src/log/backup.ts";
import { SeededRandom } from "../../../src/testing/seeded-random.ts";
import { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { type Commit, readLog, Violation } from "./commits.ts";
import type { Life, Run } from "./life.ts";
import type { Place } from "./place.ts";
import { difference } from "./same-copies.ts";
import { shownTables } from "./tables.ts";

const RESTORED = "/restored";

/** What a directory holds, as it was told or found. */
interface Kept {
  readonly position: number;
  readonly commits: readonly Commit[];
}

export class Archive {
  readonly #run: Run;
  readonly #random: SeededRandom;
  #disk: SimulatedDisk;
  #isBusy = false;
  #directories = 1;
  #kept: Kept | null = null;
  /** Of whose data directory it is; null: nobody knows, since the machine has stopped. */
  #of: Place | null = null;

  constructor(run: Run, random: SeededRandom) {
    this.#run = run;
    this.#random = random;
    this.#disk = new SimulatedDisk({ seed: random.u32(), tears: "bytes", names: "any" });
  }

  get #directory(): string {
    return `/archive ${this.#directories}`;
  }

  /** @throws Violation */
  async take(life: Life): Promise<void> {
    if (this.#isBusy) return;
    this.#isBusy = true;
    try {
      await this.#take(life);
    } finally {
      this.#isBusy = false;
    }
  }

  async #take(life: Life): Promise<void> {
    const { db, place } = life;
    const random = this.#random;
    const what = `back up into ${this.#directory}`;
    if (random.oneIn(4)) this.#disk.crashAfter(random.below(40));
    let position: number;
    try {
      const report = await backupLog({
        source: db.backupSource,
        directory: this.#directory,
        disk: this.#disk,
        now: 0,
      });
      position = report.position;
    } catch (error) {
      await this.#failed(life, what, error);
      return;
    }
    this.#disk.crashAfter(Number.POSITIVE_INFINITY);
    const kept = await this.#restored(position);
    this.#kept = kept;
    this.#of = place;
    this.#run.trace(`${what}: ${position}`);
    if (life.isOver) return;
    let commits: readonly Commit[];
    try {
      commits = await readLog(db);
    } catch (error) {
      if (life.isOver) return;
      life.refused(`read what was backed up`, error);
      return;
    }
    if (commits.length < position)
      throw new Violation(`${what}: ${position}, and there are ${commits.length}`);
    for (const [i, commit] of kept.commits.entries()) {
      const said = difference(commits[i], commit, true);
      if (said !== null) throw new Violation(`${what}: ${position} differs at ${i + 1}: ${said}`);
    }
  }

  async #failed(life: Life, what: string, error: unknown): Promise<void> {
    const { code, message } = error as EvertError;
    if (this.#disk.crashed) {
      this.#run.trace(`${what}: its machine stops`);
      this.#disk = this.#disk.reboot(this.#random.oneIn(2) ? "power cut" : "process");
      this.#of = null;
      const position = (await readManifest(this.#disk, this.#directory))?.position ?? 0;
      // Nothing had been there, and nothing is.
      if (position === 0 && this.#kept === null) return;
      const kept = await this.#restored(position);
      if (this.#kept !== null && position === this.#kept.position) this.#hasStayed(what, kept);
      else if (position < (this.#kept?.position ?? 0) && life.place === this.#of)
        throw new Violation(`${what}: it had position ${this.#kept?.position}, and has ${position}`);
      this.#kept = kept;
      return;
    }
    this.#disk.crashAfter(Number.POSITIVE_INFINITY);
    const isOther = code === "invalid_request" && / is a backup of another (server|log)$/.test(message);
    if (!isOther) {
      life.refused(what, error);
    } else {
      this.#run.trace(`${what} is refused: ${message}: ${(error as EvertError).detail}`);
      if (this.#of === life.place)
        throw new Violation(`${what} is refused, and is of this very log: ${message}`);
    }
    if (this.#kept !== null) this.#hasStayed(what, await this.#restored(this.#kept.position));
    if (!isOther) return;
    this.#directories++;
    this.#kept = null;
    this.#of = null;
  }

  /** What was there before is there. */
  #hasStayed(what: string, { commits }: Kept): void {
    for (const [i, commit] of (this.#kept as Kept).commits.entries()) {
      const said = difference(commit, commits[i], true);
      if (said !== null) throw new Violation(`${what}: what was there differs since at ${i + 1}: ${said}`);
    }
  }

  async #restored(wanted: number): Promise<Kept> {
    const disk = this.#disk.clone({ seed: 1 });
    const { position } = await restoreBackup({ backup: this.#directory, directory: RESTORED, disk });
    const db = await openEngine({
      directory: RESTORED,
      disk,
      clock: new SimulatedClock(),
      random: new SeededRandom(1),
      checkpointIntervalMs: 0,
      segmentBytes: 64 * 1024,
    });
    const commits = await readLog(db);
    if (position !== wanted || commits.length !== wanted)
      throw new Violation(
        `${this.#directory} has position ${wanted}: restored ${position}, ${commits.length} commits`,
      );
    await db.settled();
    await shownTables(`what ${this.#directory} has`, db, commits);
    await db.close();
    return { position, commits };
  }
}
