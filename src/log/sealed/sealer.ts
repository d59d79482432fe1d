/**
 * The background worker that gives full segments their sealed form, oldest first, one at a time.
 *
 * 1. It waits until the engine has said which columns every topic has (start), then takes the oldest segment that is full and of frames. The queue is
 *    the index itself, so that it needs no memory, and nobody who appends ever waits for it. While the log is not at rest each piece of work, its own
 *    or that of others who work in the background, waits for some frames of its own to become durable; only when it is far behind it does not.
 * 2. rewriteSegment writes `sealing-N`, syncs it and reads it back: in a thread beside this one where there may be one (../thread/segment-thread.ts),
 *    which nobody has to wait for.
 * 3. The file gets its name, and the directory is synced. From here on a crash leaves both forms, each complete.
 * 4. The index says "sealed": who reads from now on reads the new form.
 * 5. The frames are removed. Who has them open reads on.
 *
 * A failure leaves the segment as it was: what was begun is removed, the reason reported once and shown in the figures, and it is tried again after
 * `retryMs`, or when the next segment is full. A segment whose frames are damaged is left alone: it cannot be sealed, and `evert check` tells why.
 */
import { type Disk, joinPath } from "../../base/disk.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import type { SealingStats } from "../log.ts";
import type { LogIndex, SegmentExtent } from "../log-index.ts";
import { removeUnfinished, segmentName, unfinishedName } from "../segment.ts";
import type { SegmentThread } from "../thread/segment-thread.ts";
import type { TopicRegistry } from "../topics.ts";
import { rewriteSegment } from "./rewrite.ts";
import { sealedPath } from "./sealed-segment.ts";

export interface SealerOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly registry: TopicRegistry;
  readonly index: LogIndex;
  readonly logId: number;
  readonly thread: SegmentThread;
  /** Between a failure and the next attempt. */
  readonly retryMs: number;
  readonly report: (message: string) => void;
  /** Whether the log is not at rest: a commit is on its way to the disk, waits to be, or may follow in this turn. */
  readonly isAppending: () => boolean;
  /** Told that a segment has been sealed. */
  readonly sealed: () => void;
}

/** Frames that are left to those who append after each piece of work. Measured: docs/decisions/0029-sealed-segments.md. */
const FRAMES_LEFT = 16;
/** With more full segments than that waiting, appends come first no longer: the disk would fill several times as fast as it must. */
const WAITING_MAX = 64;

export class Sealer {
  readonly #options: SealerOptions;
  /** Segments whose frames are damaged, by first position. */
  readonly #hopeless = new Set<number>();
  #started = false;
  #stopped = false;
  #running: Promise<void> | null = null;
  #retry: NodeJS.Timeout | null = null;
  #failure: string | null = null;
  /** Frames that have become durable. */
  #frames = 0;
  /** What the last of them waits for. */
  #left = 0;
  /** Who waits for frames to become durable. */
  #leaving: { readonly until: number; readonly resolve: () => void }[] = [];

  constructor(options: SealerOptions) {
    this.#options = options;
  }

  start(): void {
    this.#started = true;
    this.wake();
  }

  /** A segment may have become full. */
  wake(): void {
    if (!this.#started || this.#stopped || this.#running !== null || this.#next() === null) return;
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    this.#running = this.#run().then((isDone) => {
      this.#running = null;
      if (isDone) this.wake();
    });
  }

  /** A frame is durable, or the log has come to rest. */
  progressed(): void {
    this.#frames++;
    if (this.#leaving.length > 0) this.#goOn(!this.#options.isAppending());
  }

  async idle(): Promise<void> {
    if (this.#running !== null) await this.#options.thread.holding(this.#running);
  }

  /** What is half done is thrown away. REQUIRES that the thread has been stopped. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#goOn(true);
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.idle();
  }

  stats(): SealingStats {
    const { segments } = this.#options.index;
    let sealed = 0;
    let originalBytes = 0;
    let bytes = 0;
    for (const extent of segments) {
      if (extent.sealed === null) continue;
      sealed++;
      originalBytes += extent.sealed.directory.originalBytes;
      bytes += extent.sealed.bytes;
    }
    const waiting = Math.max(0, segments.length - 1 - sealed);
    return { segments: sealed, waiting, originalBytes, bytes, failure: this.#failure };
  }

  /** False: the last attempt failed. */
  async #run(): Promise<boolean> {
    const { disk, directory, report } = this.#options;
    for (let next = this.#next(); next !== null && !this.#stopped; next = this.#next()) {
      try {
        await this.#seal(next);
        if (this.#hopeless.size === 0) this.#failure = null;
      } catch (thrown) {
        const error = toEvertError(thrown);
        await removeUnfinished(disk, directory, unfinishedName(next.firstPosition), report);
        if (error.code === "shutting_down") return false;
        this.#failed(next, error);
        if (error.code !== "log_damaged") return false;
      }
    }
    return true;
  }

  /** The oldest full segment of frames. The last one is still written to. */
  #next(): SegmentExtent | null {
    const { segments } = this.#options.index;
    for (let i = 0; i < segments.length - 1; i++) {
      const extent = segments[i]!;
      if (extent.sealed === null && !this.#hopeless.has(extent.firstPosition)) return extent;
    }
    return null;
  }

  async #seal(extent: SegmentExtent): Promise<void> {
    const { disk, directory, index, registry, logId, thread, isAppending } = this.#options;
    const { firstPosition } = extent;
    const checkStopped = (): void => {
      if (this.#stopped) throw new EvertError("shutting_down", "the log is being closed");
    };
    const isFarBehind = this.stats().waiting > WAITING_MAX;
    const leaveRoom = (): Promise<void> | null => (isFarBehind || !isAppending() ? null : this.#leaveRoom());
    const source = { disk, directory, registry, logId, checkStopped, leaveRoom };
    const segment = (await thread.seal(extent)) ?? (await rewriteSegment(source, extent)).segment;
    checkStopped();
    await disk.rename(joinPath(directory, unfinishedName(firstPosition)), sealedPath(directory, segment));
    await disk.syncDirectory(directory);
    index.replaceBySealed(extent, segment);
    await this.#removeFrames(firstPosition);
    this.#options.sealed();
  }

  /** What others who work in the background wait for before their next piece; null: nothing. */
  room(): Promise<void> | null {
    return this.#stopped || !this.#options.isAppending() ? null : this.#leaveRoom();
  }

  /** Until so many frames have become durable, beyond what others wait for who work in the background as well; or the log is at rest. */
  #leaveRoom(): Promise<void> {
    this.#left = Math.max(this.#left, this.#frames) + FRAMES_LEFT;
    return new Promise((resolve) => this.#leaving.push({ until: this.#left, resolve }));
  }

  /** Those go on who have waited long enough; `all`: everybody. */
  #goOn(all: boolean): void {
    if (all) this.#left = this.#frames;
    const waiting = this.#leaving;
    this.#leaving = all ? [] : waiting.filter(({ until }) => this.#frames < until);
    for (const { until, resolve } of waiting) if (all || this.#frames >= until) resolve();
  }

  /** The sealed form is in its place: frames that cannot be removed only take room, until the next start removes them. */
  async #removeFrames(firstPosition: number): Promise<void> {
    const { disk, directory, report } = this.#options;
    try {
      await disk.unlink(joinPath(directory, segmentName(firstPosition)));
      await disk.syncDirectory(directory);
    } catch (thrown) {
      report(
        `segment ${segmentName(firstPosition)} was sealed, but not removed: ${toEvertError(thrown).message}`,
      );
    }
  }

  #failed({ firstPosition }: SegmentExtent, error: EvertError): void {
    const { report, retryMs } = this.#options;
    const said = `segment ${segmentName(firstPosition)} could not be sealed: ${error.message}`;
    if (this.#failure !== said) report(`${said}; it stays as it is`);
    this.#failure = said;
    if (error.code === "log_damaged") {
      this.#hopeless.add(firstPosition);
      return;
    }
    if (this.#stopped) return;
    this.#retry = setTimeout(() => this.wake(), retryMs);
    this.#retry.unref();
  }
}
