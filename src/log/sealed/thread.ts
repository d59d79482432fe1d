/**
 * Rewriting in a thread beside this one (sealing-thread.ts), on a disk whose files any thread finds: what a segment takes of the processor, 7 ns for each byte, is taken from
 * nobody who appends or reads.
 *
 * The thread writes `sealing-N`, syncs it and reads it back, as rewriteSegment does here. Giving it its name, what the index hears and taking the frames away
 * stay here, in their order. So a crash of the process, or the end of the thread, leaves at most a file that means nothing.
 *
 * A thread that ends by itself (memory, a crash) is said once, and all is done here from then on.
 */
import { availableParallelism } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Disk } from "../../base/disk.ts";
import { type ErrorBody, EvertError } from "../../base/errors.ts";
import { threadFile } from "../../base/thread-file.ts";
import type { LogTopic } from "../log.ts";
import type { SegmentExtent } from "../log-index.ts";
import type { TopicRegistry } from "../topics.ts";
import type { SealedSegment } from "./sealed-segment.ts";

const file = threadFile("./sealing-thread.ts", import.meta.url);

/** A thread without work is kept so long: starting one takes as long as sealing a small segment. */
const IDLE_MS = 10_000;

export interface ThreadData {
  readonly directory: string;
  readonly logId: number;
  /** An Int32 that is not 0 once the log is being closed. */
  readonly stop: SharedArrayBuffer;
}

export interface RewriteRequest extends Pick<SegmentExtent, "firstPosition" | "end"> {
  /** Those that the thread has not been told of. */
  readonly topics: readonly LogTopic[];
}

export type RewriteAnswer =
  | { readonly kind: "written"; readonly segment: SealedSegment }
  | { readonly kind: "failed"; readonly error: ErrorBody };

export interface SealingThreadOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly registry: TopicRegistry;
  readonly logId: number;
  readonly report: (message: string) => void;
}

interface Running {
  readonly worker: Worker;
  readonly known: Set<LogTopic>;
  /** Who waits for its answer; null: nobody. Null is answered where it has ended. */
  asked: ((answer: RewriteAnswer | null) => void) | null;
}

export class SealingThread {
  readonly #options: SealingThreadOptions;
  readonly #stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  /** Whether threads are of any use here. */
  #isUsable: boolean;
  #running: Running | null = null;
  #idle: NodeJS.Timeout | null = null;
  /** Somebody waits for the end of what it does: the process stays for it. */
  #isAwaited = false;

  constructor(options: SealingThreadOptions) {
    this.#options = options;
    this.#isUsable = options.disk.hasPaths === true && availableParallelism() > 1;
  }

  /**
   * What rewriteSegment gives, with its file under the name that means nothing; null: there is no thread that could. One at a time.
   * @throws EvertError as rewriteSegment does; shutting_down
   */
  async rewrite({ firstPosition, end }: SegmentExtent): Promise<SealedSegment | null> {
    // Starting a thread takes some milliseconds: of a turn of its own, not of that of the frame with which the segment was full.
    if (this.#isUsable && this.#running === null) await nextTurn();
    const running = this.#started();
    if (running === null) return null;
    const topics = [...this.#options.registry.all()].filter((topic) => !running.known.has(topic));
    for (const topic of topics) running.known.add(topic);
    const answer = await new Promise<RewriteAnswer | null>((resolve) => {
      running.asked = resolve;
      running.worker.postMessage({ firstPosition, end, topics } satisfies RewriteRequest);
    });
    if (answer === null) return null;
    running.asked = null;
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS);
    this.#idle.unref();
    if (answer.kind === "failed") throw EvertError.from(answer.error);
    return answer.segment;
  }

  /** The process stays until what is being written is there. */
  await(isAwaited: boolean): void {
    this.#isAwaited = isAwaited;
    if (isAwaited) this.#running?.worker.ref();
    else this.#running?.worker.unref();
  }

  /** What is under way is given up at its next piece. */
  stop(): void {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    this.#isUsable = false;
  }

  /** Ends when there is no thread any more. REQUIRES that nothing is asked of it. */
  async close(): Promise<void> {
    this.stop();
    await this.#end();
  }

  #started(): Running | null {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (!this.#isUsable || this.#running !== null) return this.#running;
    const { directory, logId } = this.#options;
    const data: ThreadData = { directory, logId, stop: this.#stop };
    let worker: Worker;
    try {
      worker = new Worker(file, { workerData: data });
    } catch (error) {
      this.#failed(error);
      return null;
    }
    const running: Running = { worker, known: new Set(), asked: null };
    this.#running = running;
    if (!this.#isAwaited) worker.unref();
    let why: unknown = null;
    worker.on("message", (answer: RewriteAnswer) => running.asked?.(answer));
    worker.on("messageerror", (error) => {
      why = error;
      void worker.terminate();
    });
    worker.on("error", (error) => {
      why = error;
    });
    // Only now does it write nothing more.
    worker.on("exit", (code) => {
      if (this.#running !== running) return;
      this.#running = null;
      this.#failed(why ?? new Error(`it exited with code ${code}`));
      running.asked?.(null);
    });
    return running;
  }

  async #end(): Promise<void> {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    const running = this.#running;
    this.#running = null;
    await running?.worker.terminate();
  }

  #failed(error: unknown): void {
    this.#isUsable = false;
    const why = error instanceof Error ? error.message : String(error);
    this.#options.report(`the thread that seals segments has ended: ${why}; they are sealed without it`);
  }
}
