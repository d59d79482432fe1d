/**
 * Room for frames: zeros written and synced before any position is given.
 *
 * Why. A frame then only overwrites bytes the file system has already allocated: its fdatasync carries no metadata, and a full disk is met
 * here, before a commit is accepted, never after.
 *
 * 1. Frames go one behind the other into the *active* segment, up to its capacity. One that does not fit any more goes to the
 *    beginning of the *next* segment; what is left of the active one stays zero.
 * 2. A background loop zero-fills, a mebibyte per write, STRETCH_FACTOR times as far ahead of the last placed frame as was ever written in one
 *    stretch, without a rest between, and TOTAL_FACTOR times as far as has been written since the log was opened, but at least AHEAD_BYTES_MIN and at
 *    most `aheadBytesMax` (an idle log costs one mebibyte, a busy one never waits, and one that is written to a little at a time is seldom
 *    disturbed). When the active segment has less than that left, it goes on in the next one. The zeros take from the disk what frames could use. So
 *    they wait until the log is at rest (nothing on its way, nothing staged), and stop when it no longer is; only when half of what was ahead is used
 *    up do they go on beside the frames, in larger steps. Measured: docs/decisions/0009-zeros-ahead.md.
 * 3. `fits(n)` says whether a frame of up to n bytes can be placed now. It is monotonic: what fits keeps fitting, and so does
 *    anything smaller, until `place` is called. So a group may grow commit by commit, each asking fits(new size) first, and placing
 *    the sealed frame cannot fail. Groups that are written as one frame take less than was kept for them: the rest is given back, to those who come.
 * 4. A segment that has a closing mark and no commit is named by the position that comes next, as another would be that took its place: who copies it
 *    or follows would have the beginning of one file and the end of another. So it is not left: what comes next is placed in it, wherever else that
 *    was to go, and where it is too small it grows.
 * 5. When the disk is full, or there is no descriptor for another segment, the loop stops and says so; the next one who needs room makes it try
 *    again.
 * 6. A failure of any other kind is the disk's, and the log's end: see LOG-FORMAT.
 */
import { assert } from "../base/assert.ts";
import { type Disk, joinPath } from "../base/disk.ts";
import { type ErrorCode, type EvertError, toEvertError } from "../base/errors.ts";
import type { Group } from "./log.ts";
import { preparedName, WritableSegment } from "./segment.ts";

export const FILL_BYTES = 1 << 20;
/** Read by all, written by none. */
const ZEROS = new Uint8Array(FILL_BYTES);
/** Between two syncs, in units of FILL_BYTES: at rest, when the next frame may come at any moment, and beside frames. */
const STEP_AT_REST = 1;
const STEP_MAX = 8;
const AHEAD_BYTES_MIN = FILL_BYTES;
const STRETCH_FACTOR = 16;
const TOTAL_FACTOR = 2;

/** Nothing is lost by it, and it may pass. */
const NO_ROOM: ReadonlySet<ErrorCode> = new Set(["disk_full", "too_many_files"]);

export interface SpaceEvents {
  /** More room than before. */
  grown(): void;
  /** The disk is full, or nothing more may be opened; nobody tries again until someone demands room. */
  full(error: EvertError): void;
  failed(error: EvertError): void;
}

/** Room that is kept for a group. Where in it the frame begins is known when those before it have been written. */
export interface Placement {
  readonly segment: WritableSegment;
  readonly bytes: number;
}

/**
 * The groups placed next in a segment are written as one frame of so many bytes: where it begins. REQUIRES that all before them are written, and that
 * it is not longer than what was kept for them.
 */
export function placeFrame(placements: readonly Placement[], frameBytes: number): number {
  const { segment } = placements[0]!;
  const kept = placements.reduce((sum, { bytes }) => sum + bytes, 0);
  assert(frameBytes <= kept, "a frame is not longer than the room kept for it");
  const at = segment.written;
  segment.written += frameBytes;
  segment.placed -= kept - frameBytes;
  return at;
}

/** In which segment a frame is placed: that it does not fit into the active one alone decides, or somebody else has. */
export type Where = "anywhere" | "active" | "next";

export interface SpaceOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly segmentBytes: number;
  readonly aheadBytesMax: number;
  readonly events: SpaceEvents;
}

interface Goal {
  readonly segment: "active" | "next";
  /** What somebody waits for … */
  readonly needed: number;
  /** … and how far to go if there is room. */
  readonly to: number;
}

export class Space {
  readonly #options: SpaceOptions;
  #active: WritableSegment | null;
  /** Nothing more is placed in the active segment. */
  #ended = false;
  #next: WritableSegment | null = null;
  /** Files begun as next segments so far. */
  #prepared = 0;
  #placedBytes = 0;
  /** Placed since the log was last at rest, and the most that ever was. */
  #stretchBytes = 0;
  #stretchBytesMax = 0;
  /** Nothing was placed since the log came to rest. */
  #resting = true;
  #demand = 0;
  #demandWhere: Where = "anywhere";
  /** Why the last try made no room, though the disk works. */
  #full: EvertError | null = null;
  #stopped = false;
  #filling: Promise<void> | null = null;

  constructor(options: SpaceOptions, active: WritableSegment | null) {
    this.#options = options;
    this.#active = active;
  }

  fits(bytes: number, where: Where = "anywhere"): boolean {
    const active = this.#open;
    const to = this.#placeFor(where);
    if (to !== "next" && active !== null && active.placed + bytes <= active.prepared) return true;
    return to !== "active" && this.#next !== null && bytes <= this.#next.prepared;
  }

  /** REQUIRES fits(bytes, where). The group's first position names the segment if this frame begins one. */
  place(
    bytes: number,
    { firstPosition, commits }: Pick<Group, "firstPosition" | "commits">,
    where: Where = "anywhere",
  ): Placement {
    assert(this.fits(bytes, where), "room is made before a frame is placed");
    let active = this.#open;
    if (this.#placeFor(where) === "next" || active === null || active.placed + bytes > active.prepared) {
      active = this.#next!;
      active.firstPosition = firstPosition;
      this.#active = active;
      this.#ended = false;
      this.#next = null;
    }
    if (commits.length > 0) active.hasCommits = true;
    active.placed += bytes;
    this.#placedBytes += bytes;
    this.#stretchBytes += bytes;
    this.#stretchBytesMax = Math.max(this.#stretchBytesMax, this.#stretchBytes);
    this.#resting = false;
    this.fill();
    return { segment: active, bytes };
  }

  /** The next frame begins a segment. REQUIRES that nobody has been promised room in the active one. */
  turnOver(): void {
    this.#ended = this.#active?.hasCommits === true;
  }

  /** Whether the active segment has no commit yet: step 4. */
  get isUnused(): boolean {
    return this.#open?.hasCommits === false;
  }

  #placeFor(where: Where): Where {
    return this.isUnused ? "active" : where;
  }

  /** The active segment, if something may be placed in it. */
  get #open(): WritableSegment | null {
    return this.#ended ? null : this.#active;
  }

  /** Where the active segment begins, or null. */
  get activePosition(): number | null {
    return this.#active?.firstPosition ?? null;
  }

  /** The active segment is none any more. REQUIRES that nothing is on its way to it. */
  async abandon(): Promise<void> {
    const active = this.#active;
    this.#active = null;
    this.#ended = false;
    await active?.close();
  }

  /** Somebody waits until a frame of so many bytes fits: `grown` or `full` follows. 0: nobody waits any more. */
  demand(bytes: number, where: Where = "anywhere"): void {
    this.#demand = bytes;
    this.#demandWhere = where;
    if (bytes > 0) this.fill();
  }

  /** The log is at rest: nothing is on its way to the disk, nothing is staged. */
  rest(): void {
    this.#resting = true;
    this.#stretchBytes = 0;
    this.fill();
  }

  /** Starts the background loop if it has something to do. */
  fill(): void {
    if (this.#filling !== null || this.#stopped || this.#goal() === null) return;
    this.#filling = this.#loop();
  }

  /** Why no room could be made when it was tried last; null: there was some. */
  get full(): EvertError | null {
    return this.#full;
  }

  /** No more filling; then closes what is open. */
  async close(): Promise<void> {
    await this.stop();
    await this.#active?.close();
    await this.#next?.close();
    this.#active = null;
    this.#next = null;
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#filling;
  }

  async #loop(): Promise<void> {
    const { events } = this.#options;
    let outcome: (() => void) | null = null;
    for (let goal = this.#goal(); goal !== null && outcome === null && !this.#stopped; goal = this.#goal()) {
      try {
        await this.#reach(goal);
        this.#full = null;
        events.grown();
      } catch (thrown) {
        const error = toEvertError(thrown);
        if (!NO_ROOM.has(error.code)) {
          this.#stopped = true;
          outcome = () => events.failed(error);
          continue;
        }
        this.#full = error;
        // Whoever came to wait meanwhile may need less than was tried.
        if (goal.needed > 0 || this.#demand === 0) {
          this.#demand = 0;
          outcome = () => events.full(error);
        }
      }
    }
    this.#filling = null;
    outcome?.();
  }

  /** What to zero-fill now, or null. */
  #goal(): Goal | null {
    const active = this.#open;
    const demand = this.#demand;
    const where = this.#placeFor(this.#demandWhere);
    if (demand > 0 && !this.fits(demand, where)) {
      const needed = active === null ? 0 : active.placed + demand;
      const isActive = where === "active" || (where === "anywhere" && needed <= (active?.capacity ?? 0));
      return active !== null && isActive
        ? goal("active", active.prepared, needed, Math.max(active.capacity, needed), 1)
        : goal("next", this.#next?.prepared ?? 0, demand, Math.max(this.#options.segmentBytes, demand), 1);
    }
    if (this.#full !== null) return null;
    const busy = Math.max(this.#stretchBytesMax * STRETCH_FACTOR, this.#placedBytes * TOTAL_FACTOR);
    const ahead = Math.min(Math.max(busy, AHEAD_BYTES_MIN), this.#options.aheadBytesMax);
    const prepared = this.#next?.prepared ?? 0;
    const room = prepared + (active === null ? 0 : active.prepared - active.placed);
    if (!this.#resting && room >= ahead / 2) return null;
    // A sync disturbs the frames that are being synced meanwhile: far ahead, one serves several mebibytes.
    const step = this.#resting
      ? STEP_AT_REST
      : Math.min(Math.max(Math.floor(ahead / FILL_BYTES / 8), 1), STEP_MAX);
    const left = active === null ? 0 : active.capacity - active.placed;
    if (active !== null && active.prepared < Math.min(active.capacity, active.placed + ahead)) {
      return goal("active", active.prepared, 0, active.capacity, step);
    }
    if (prepared < Math.min(ahead - left, this.#options.segmentBytes)) {
      return goal("next", prepared, 0, this.#options.segmentBytes, step);
    }
    return null;
  }

  async #reach({ segment, needed, to }: Goal): Promise<void> {
    const target = segment === "active" ? this.#active! : await this.#openNext();
    target.capacity = Math.max(target.capacity, to);
    try {
      await target.prepare(ZEROS, to);
    } catch (thrown) {
      // The last room of a full disk is for the one who waits.
      if (toEvertError(thrown).code !== "disk_full" || needed === 0 || needed >= to) throw thrown;
      await target.prepare(ZEROS, needed);
    }
  }

  async #openNext(): Promise<WritableSegment> {
    const { disk, directory, segmentBytes } = this.#options;
    if (this.#next === null) {
      const path = joinPath(directory, preparedName(++this.#prepared));
      this.#next = await WritableSegment.open(disk, path, segmentBytes, 0, null);
    }
    return this.#next;
  }
}

function goal(segment: Goal["segment"], prepared: number, needed: number, limit: number, step: number): Goal {
  const to = Math.min(limit, (Math.floor(prepared / FILL_BYTES) + step) * FILL_BYTES);
  return { segment, needed: Math.min(needed, to), to };
}
