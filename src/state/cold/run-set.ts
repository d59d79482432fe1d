/**
 * The runs of a store: where its cold rows lie. A row is looked for in each of them, so many become one (merge.ts), and those without rows leave.
 */
import { EvertError } from "../../base/errors.ts";
import type { Wanted } from "./block-reads.ts";
import type { Extent } from "./extent.ts";
import { mixed } from "./filter.ts";
import type { ColdHost, Pause } from "./host.ts";
import type { KeptRun } from "./kept.ts";
import { mergeRuns } from "./merge.ts";
import { openExtent, Run } from "./run.ts";
import type { RunFiles } from "./run-files.ts";
import { alike, SMALL_PART } from "./run-sizes.ts";

export class RunSet {
  readonly #host: ColdHost;
  readonly #files: RunFiles;
  #all: Run[] = [];
  /** Those that are to be written anew. */
  #old: ReadonlySet<Run> = new Set();
  #nextExtent = 1;
  /** Told when no row is in any. */
  readonly #emptied: () => void;
  #discarded = false;

  constructor(host: ColdHost, files: RunFiles, emptied: () => void) {
    this.#host = host;
    this.#files = files;
    this.#emptied = emptied;
  }

  get all(): readonly Run[] {
    return this.#all;
  }

  get isEmpty(): boolean {
    return this.#all.length === 0;
  }

  /** Rows that are here. */
  get rows(): number {
    let rows = 0;
    for (const run of this.#all) rows += run.live;
    return rows;
  }

  /** In memory. */
  get bytes(): number {
    let bytes = 0;
    for (const run of this.#all) bytes += run.bytes;
    return bytes;
  }

  /** Of a row on disk, on average; 0: there is none. */
  get rowBytes(): number {
    let rows = 0;
    for (const run of this.#all) rows += run.rows;
    return rows === 0 ? 0 : this.diskBytes / rows;
  }

  get diskBytes(): number {
    let bytes = 0;
    for (const run of this.#all) bytes += run.diskBytes;
    return bytes;
  }

  /** Those in which there are rows. */
  get extents(): Extent[] {
    return this.#all.flatMap((run) => run.extents.filter((extent) => extent.live > 0));
  }

  /** For a new extent of one of them. */
  nextId(): number {
    return this.#nextExtent++;
  }

  add(run: Run): void {
    this.#all.push(run);
  }

  /** Adds to `wanted` where rows of the hash may be. */
  lookFor(hash: number, wanted: Wanted[]): void {
    const filtered = mixed(hash | 0);
    for (let i = 0; i < this.#all.length; i++) {
      const extent = (this.#all[i] as Run).extentOf(hash);
      const block = extent === null ? -1 : extent.find(hash, filtered);
      if (block >= 0) wanted.push({ extent: extent as Extent, block, hash });
    }
  }

  /** Whether a row of the hash may be in one of them. */
  readonly mayHave = (hash: number): boolean => {
    const filtered = mixed(hash | 0);
    return this.#all.some((run) => run.extentOf(hash)?.mayHave(filtered, run.isFilling) === true);
  };

  /** All that are there now are to be written anew, by the next merge(). */
  renew(): void {
    this.#old = new Set(this.#all);
  }

  /** Those that should become one now, or null: many of one size, or one of which most has gone. */
  #mergeable(): Run[] | null {
    const old = this.#all.filter((run) => this.#old.has(run));
    this.#old = new Set();
    if (old.length > 0) return old;
    const whole = this.#all.filter((run) => !run.isFilling);
    const sparse = whole.find((run) => run.live * 2 < run.rows && run.rows > 0);
    return sparse === undefined ? alike(whole) : [sparse];
  }

  /** Puts them together as long as there are too many. `moved`: told when rows are found elsewhere. REQUIRES that one call waits for the other. */
  async merge(moved: () => void, pause: Pause, isOver: () => boolean): Promise<void> {
    this.dropEmpty();
    for (let runs = this.#mergeable(); runs !== null && !isOver(); runs = this.#mergeable()) {
      const file = await this.#files.create();
      if (this.#discarded) return file.release();
      const merged = new Run(file);
      // What has been merged is found in it, while the rest is still found where it was.
      this.#all.push(merged);
      try {
        await mergeRuns(runs, merged, {
          isSmall: runs.reduce((sum, run) => sum + run.live, 0) * SMALL_PART <= this.#host.live,
          nextId: () => this.nextId(),
          moved,
          pause,
          isOver,
        });
      } finally {
        if (this.#discarded) for (const run of [...runs, merged]) run.file.release();
        else this.dropEmpty();
      }
    }
  }

  /** Those without rows leave. */
  dropEmpty(): void {
    for (const run of this.#all) if (!run.isMerging && !run.isFilling) run.drop();
    const empty = this.#all.filter((run) => !run.isMerging && run.extents.length === 0);
    this.#all = this.#all.filter((run) => !empty.includes(run));
    for (const run of empty) run.file.release();
    if (this.isEmpty) this.#emptied();
  }

  /** Puts in place what a checkpoint holds. @throws EvertError log_damaged, not_found */
  async restore(runs: readonly KeptRun[], here: ReadonlyMap<number, Int32Array>): Promise<void> {
    for (const { file: name, extents } of runs) {
      const file = await this.#files.open(name);
      const run = new Run(file);
      this.#all.push(run);
      for (const { id, ...place } of extents) {
        const extent = await openExtent(file, place, id);
        const bits = here.get(id);
        if (bits === undefined)
          throw new EvertError("log_damaged", "a checkpoint lacks what it says of a run");
        extent.restoreHere(bits);
        run.add(extent);
        this.#nextExtent = Math.max(this.#nextExtent, id + 1);
      }
    }
    this.dropEmpty();
  }

  /** Nobody reads them any more. */
  discard(): void {
    this.#discarded = true;
    // A merge that is under way lets go of its runs when it sees it.
    for (const run of this.#all) if (!run.isMerging) run.file.release();
    this.#all = this.#all.filter((run) => run.isMerging);
  }
}
