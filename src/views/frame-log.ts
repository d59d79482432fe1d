/**
 * The latest frames of one view, kept a while for those who come back: all of the last `keepMs`, and more as long as they fit into `keepBytes`. A
 * subscriber whose position is at or above `floor` can be resumed from it.
 *
 * Most frames are small and come by the thousand: each has its place in a volume, a stretch of memory that holds all there is of it, and becomes an
 * object when somebody asks. A large one, and one that is being made, has memory of its own.
 *
 *   place = position, step before, published at (three doubles); bytes, changes (int32); of each change hash and start (int32); the bytes; up to 7 of nothing
 */
import { Int32List } from "../state/memory.ts";
import type { ChangeWriter } from "./change-writer.ts";
import { Frame } from "./frames.ts";

const VOLUME_BYTES_MIN = 1024;
const VOLUME_BYTES_MAX = 64 * 1024;
/** A larger frame has memory of its own. */
const SMALL_BYTES_MAX = VOLUME_BYTES_MAX / 4;
/** Of a place, before the changes, in units of 8 bytes. */
const HEAD_UNITS = 4;

interface Step {
  readonly position: number;
  readonly after: number;
}

/** Small frames, one behind the other. */
class Volume {
  readonly state = "ready";
  readonly size: number;
  readonly #F: Float64Array;
  readonly #I: Int32Array;
  readonly #U: Uint8Array;
  /** Where each begins, in units of 8 bytes. */
  readonly #starts = new Int32List();
  /** Those before have been let go. */
  #first = 0;
  #end = 0;

  constructor(bytes: number) {
    const memory = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
    this.size = memory.byteLength;
    this.#F = new Float64Array(memory);
    this.#I = new Int32Array(memory);
    this.#U = new Uint8Array(memory);
  }

  /** Of the oldest. */
  get position(): number {
    return this.#F[this.#starts.array[this.#first] as number] as number;
  }

  get at(): number {
    return this.#F[(this.#starts.array[this.#first] as number) + 2] as number;
  }

  /** Bytes of its place. */
  get room(): number {
    const at = ((this.#starts.array[this.#first] as number) + 3) * 2;
    return unitsOf(this.#I[at] as number, this.#I[at + 1] as number) * 8;
  }

  /** Of the newest. */
  get last(): number {
    return this.#F[this.#starts.array[this.#starts.length - 1] as number] as number;
  }

  get count(): number {
    return this.#starts.length - this.#first;
  }

  /** False: there is no room. */
  keep({ position, after }: Step, at: number, { out, index, changes }: ChangeWriter): boolean {
    const unit = this.#end;
    const end = unit + unitsOf(out.at, changes);
    if (end * 8 > this.size) return false;
    this.#F[unit] = position;
    this.#F[unit + 1] = after;
    this.#F[unit + 2] = at;
    this.#I[(unit + 3) * 2] = out.at;
    this.#I[(unit + 3) * 2 + 1] = changes;
    const indexAt = (unit + HEAD_UNITS) * 2;
    for (let i = 0; i < index.length; i++) this.#I[indexAt + i] = index.array[i] as number;
    this.#U.set(out.U.subarray(0, out.at), (unit + HEAD_UNITS + changes) * 8);
    this.#starts.push(unit);
    this.#end = end;
    return true;
  }

  /** The newest. */
  newest(): Frame {
    return this.#frame(this.#starts.length - 1);
  }

  /** Those after the position, oldest first. */
  *after(position: number): Iterable<Frame> {
    let low = this.#first;
    let high = this.#starts.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      if ((this.#F[this.#starts.array[mid] as number] as number) <= position) low = mid + 1;
      else high = mid;
    }
    for (; low < this.#starts.length; low++) yield this.#frame(low);
  }

  /** Lets the oldest go. */
  shift(): void {
    this.#first++;
  }

  #frame(number: number): Frame {
    const unit = this.#starts.array[number] as number;
    const [position, after, at] = this.#F.subarray(unit, unit + 3) as unknown as [number, number, number];
    const length = this.#I[(unit + 3) * 2] as number;
    const changes = this.#I[(unit + 3) * 2 + 1] as number;
    const from = (unit + HEAD_UNITS + changes) * 8;
    return new Frame({ position, after }, at, 0, {
      bytes: this.#U.subarray(from, from + length),
      changes,
      index: this.#I,
      indexAt: (unit + HEAD_UNITS) * 2,
      room: unitsOf(length, changes) * 8,
    });
  }
}

function unitsOf(bytes: number, changes: number): number {
  return HEAD_UNITS + changes + Math.ceil(bytes / 8);
}

export class FrameLog {
  /** Of memory, not of JSON alone: a small change is as much again with what it takes to find it. */
  readonly #keepBytes: number;
  readonly #keepMs: number;
  /** Oldest first; a volume has a frame at least. */
  #entries: (Volume | Frame)[] = [];
  #bytes = 0;
  /** Every change after this position is here. */
  floor: number;

  constructor(floor: number, keepBytes: number, keepMs: number) {
    this.floor = floor;
    this.#keepBytes = keepBytes;
    this.#keepMs = keepMs;
  }

  /** Whether what was written is kept among other small frames. */
  fits({ bytes, changes }: ChangeWriter): boolean {
    return unitsOf(bytes, changes) * 8 <= SMALL_BYTES_MAX;
  }

  /** All changes of a step, as a frame that is ready. REQUIRES that it fits. */
  keep(step: Step, at: number, written: ChangeWriter): Frame {
    const needed = unitsOf(written.bytes, written.changes) * 8;
    let last = this.#entries.at(-1);
    if (!(last instanceof Volume) || !last.keep(step, at, written)) {
      // The log of a view that rarely changes is small.
      const twice = last instanceof Volume ? last.size * 2 : VOLUME_BYTES_MIN;
      last = new Volume(Math.max(needed, Math.min(twice, VOLUME_BYTES_MAX)));
      last.keep(step, at, written);
      this.#entries.push(last);
    }
    this.#bytes += needed;
    this.#trim(at);
    return last.newest();
  }

  push(frame: Frame): void {
    this.#entries.push(frame);
    if (frame.state === "ready") this.#bytes += frame.room;
    this.#trim(frame.at);
  }

  /** A frame that was pushed before it was ready is ready now. */
  grown(frame: Frame): void {
    if (!this.#entries.includes(frame)) return;
    this.#bytes += frame.room;
    this.#trim(frame.at);
  }

  /** A frame is lost, and so is what lies before it: nobody can be resumed from there. */
  drop(frame: Frame): void {
    const at = this.#entries.indexOf(frame);
    if (at < 0) return;
    for (const gone of this.#entries.splice(0, at + 1)) {
      if (gone instanceof Frame) {
        if (gone.state === "ready") this.#bytes -= gone.room;
        gone.letGo();
      } else for (; gone.count > 0; gone.shift()) this.#bytes -= gone.room;
    }
    this.floor = frame.position;
  }

  #trim(now: number): void {
    let drop = 0;
    for (;;) {
      const oldest = this.#entries[drop] as Volume | Frame;
      const isWhole = oldest instanceof Frame || oldest.count === 1;
      // The newest stays.
      if (isWhole && drop === this.#entries.length - 1) break;
      if (oldest.state === "made") break;
      const young = now - oldest.at < this.#keepMs;
      // Twice the promise is the bound: a burst inside keepMs must not grow without end.
      if (this.#bytes <= this.#keepBytes || (young && this.#bytes <= 2 * this.#keepBytes)) break;
      this.#bytes -= oldest.room;
      this.floor = oldest.position;
      if (isWhole) drop++;
      if (oldest instanceof Frame) oldest.letGo();
      else oldest.shift();
    }
    if (drop > 0) this.#entries = this.#entries.slice(drop);
  }

  /**
   * Whether the position lies within a step. Whoever was shown it saw it elsewhere, or before a restart, where commits fell into other
   * steps: no frame leads on from there.
   */
  splits(position: number): boolean {
    for (const next of this.#from(position)) return next.after < position;
    return false;
  }

  /** Frames after the position, oldest first. */
  after(position: number): Frame[] {
    return [...this.#from(position)];
  }

  *#from(position: number): Iterable<Frame> {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const mid = (low + high) >>> 1;
      const entry = this.#entries[mid] as Volume | Frame;
      if ((entry instanceof Frame ? entry.position : entry.last) <= position) low = mid + 1;
      else high = mid;
    }
    for (; low < this.#entries.length; low++) {
      const entry = this.#entries[low] as Volume | Frame;
      if (entry instanceof Frame) yield entry;
      else yield* entry.after(position);
    }
  }

  get bytes(): number {
    return this.#bytes;
  }
}
