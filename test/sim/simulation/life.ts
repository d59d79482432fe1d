/** One life of the process: an open database, the clients that use it at the same time, and how it ends. */

import { EvertError } from "../../../src/base/errors.ts";
import type { Database } from "../../../src/engine/database.ts";
import type { SeededRandom } from "../../../src/testing/seeded-random.ts";
import type { SimulatedClock } from "../../../src/testing/simulated-clock.ts";
import type { SimulatedDisk } from "../../../src/testing/simulated-disk.ts";
import { Violation } from "./commits.ts";
import { ConsumerState } from "./consumer.ts";
import type { RunTime } from "./one-thread.ts";
import { Oracle } from "./oracle.ts";
import { Place } from "./place.ts";
import { ProducerState } from "./producer.ts";
import type { Shapes } from "./shapes.ts";
import type { TopicName } from "./topics.ts";

/** What of a run outlasts its lives. */
export interface Run {
  readonly oracle: Oracle;
  readonly clock: SimulatedClock;
  readonly time: RunTime;
  /** Which operations clients choose from; each run has its own. */
  readonly mood: readonly string[];
  /** How long texts are, mostly. */
  readonly textLength: number;
  readonly trace: (line: string) => void;
  /** Views by name that may be there beside those of the beginning: true, they are; null, they are or are not. */
  readonly views: Map<string, true | null>;
  /** Those of them that somebody has tried to make or to drop since they were last looked at. */
  readonly defined: Set<string>;
  /** What a subscriber holds when its process ends, to go on with in the next life. */
  watched: { readonly views: Map<string, Map<string, string>>; readonly position: number } | null;
  readonly producer: ProducerState;
  readonly consumer: ConsumerState;
  /** Topics whose columns change; null: there are none in this run. */
  readonly shapes: Shapes | null;
  /** Topics whose rules are being changed. */
  readonly ruling: Set<TopicName>;
  /** Its data directory, where there is one. */
  readonly place: Place;
  /** The last backup that was told of. */
  backup: number | null;
  random(): SeededRandom;
}

/** What a run begins with. */
export function newRun(
  parts: Pick<Run, "clock" | "time" | "mood" | "textLength" | "trace" | "random"> &
    Partial<Pick<Run, "shapes">>,
): Run {
  return {
    shapes: null,
    ...parts,
    oracle: new Oracle(),
    views: new Map(),
    defined: new Set(),
    watched: null,
    backup: null,
    producer: new ProducerState(),
    consumer: new ConsumerState(),
    ruling: new Set(),
    place: new Place(),
  };
}

/** What refuses a request without fault of the disk. */
const ORDINARY = new Set([
  "conflict",
  "unique_violation",
  "too_many_requests",
  "not_ready",
  "timeout",
  "not_leader",
]);
const OF_THE_DISK = new Set([
  "io_error",
  "disk_full",
  "too_many_files",
  "log_damaged",
  "shutting_down",
  "view_failed",
]);

export class Life {
  readonly run: Run;
  readonly db: Database;
  readonly disk: SimulatedDisk;
  readonly place: Place;
  /** Whether the disk has failed, or may: then requests may be refused because of it. */
  faulty: boolean;
  /** Power is cut once in so many times that something is told; 0: never. */
  readonly cutOdds: number;
  readonly ended: AbortController = new AbortController();
  readonly background: Promise<unknown>[] = [];
  /** Of it, what comes to an end by itself. */
  readonly errands: Promise<unknown>[] = [];
  /** The machine as it comes up again, if power was cut. */
  next: SimulatedDisk | null = null;
  /** The disk has failed, and the database has said so. */
  fatal: EvertError | null = null;
  readonly #random: SeededRandom;

  constructor(
    run: Run,
    db: Database,
    disk: SimulatedDisk,
    faulty: boolean,
    cutOdds: number,
    place: Place = run.place,
  ) {
    this.run = run;
    this.db = db;
    this.disk = disk;
    this.place = place;
    this.faulty = faulty;
    this.cutOdds = cutOdds;
    this.#random = run.random();
  }

  get isOver(): boolean {
    return this.disk.crashed || this.fatal !== null || this.ended.signal.aborted;
  }

  /** Somebody was told something that is true for ever, even if power is cut in this moment. */
  told(what: string): void {
    this.run.trace(what);
    if (this.cutOdds === 0 || this.isOver || !this.#random.oneIn(this.cutOdds)) return;
    this.run.trace("power is cut in this moment");
    this.next = this.disk.reboot("power cut");
  }

  /** @returns whether it was refused for good, so that nothing of it is stored. @throws Violation where it should not have been refused. */
  refused(what: string, thrown: unknown): boolean {
    const error = thrown instanceof EvertError ? thrown : null;
    const said = error === null ? String(thrown) : `${error.code}: ${error.message}`;
    this.run.trace(`${what} is refused: ${said}`);
    if (thrown instanceof Violation) throw thrown;
    if (error === null) throw new Violation(`${what} failed with ${(thrown as Error).stack ?? said}`);
    const { code } = error;
    if (!ORDINARY.has(code) && !(OF_THE_DISK.has(code) && (this.faulty || this.isOver)))
      throw new Violation(`${what} failed with ${said} (${error.detail ?? ""})\n${error.stack}`);
    return (
      code === "conflict" ||
      code === "unique_violation" ||
      code === "disk_full" ||
      code === "too_many_requests"
    );
  }

  /** Goes on beside the clients until the life ends, which then hears of what went wrong. */
  beside(work: Promise<unknown>): void {
    work.catch(() => {});
    this.background.push(work);
  }

  /** The same, of what comes to an end by itself. */
  errand(work: Promise<unknown>): void {
    this.beside(work);
    this.errands.push(work);
  }

  /** Some turns of the event loop. */
  async turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await new Promise((done) => setImmediate(done));
  }
}
