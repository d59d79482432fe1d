/**
 * Segments are rewritten in a thread beside this one (thread.ts), on a disk whose files any thread finds: what sealing takes of the processor, 7 ns
 * for each byte, and what comparing keys and taking rows out takes is taken from nobody who appends or reads.
 *
 * The thread writes `sealing-N` or `compacting-N`, syncs it and reads it back, by the same functions as it is done here. Giving it its name, what the
 * index hears and taking away what it was made of stay here, in their order. So a crash of the process, or the end of the thread, leaves at most a
 * file that means nothing.
 *
 * A thread that ends by itself (memory, a crash) is said once, and all is done here from then on.
 */
import { availableParallelism } from "node:os";
import { setImmediate as nextTurn } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import type { Disk } from "../../base/disk.ts";
import { EvertError } from "../../base/errors.ts";
import { threadFile } from "../../base/thread-file.ts";
import type { PassWork } from "../keeping/key-work.ts";
import type { LogTopic } from "../log.ts";
import type { FrameExtent } from "../sealed/rewrite.ts";
import type { SealedSegment } from "../sealed/sealed-segment.ts";
import type { TopicRegistry } from "../topics.ts";
import type { Answer, Answered, Asked, Kind, Request, SegmentFile, ThreadData } from "./requests.ts";

const file = threadFile("./thread.ts", import.meta.url);

/** A thread without work is kept so long: starting one takes as long as sealing a small segment. */
const IDLE_MS = 10_000;

export interface SegmentThreadOptions {
  readonly disk: Disk;
  readonly directory: string;
  readonly registry: TopicRegistry;
  readonly logId: number;
  readonly report: (message: string) => void;
  /** What to wait for before the next piece of work, so that those who append come first; null: nobody does. */
  readonly leaveRoom: () => Promise<void> | null;
}

interface Running {
  readonly worker: Worker;
  /** Topics that it has not been told of. */
  untold: LogTopic[];
  /** Who waits for its answers, by request. Null is answered where it has ended. */
  readonly asked: Map<number, (answer: Answer | null) => void>;
  /** Passes that it keeps a table for. */
  readonly passes: Set<number>;
}

export class SegmentThread {
  readonly #options: SegmentThreadOptions;
  readonly #stop = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
  /** Whether threads are of any use here. */
  #isUsable: boolean;
  #running: Running | null = null;
  #idle: NodeJS.Timeout | null = null;
  /** Of requests and passes. */
  #lastId = 0;
  /** Those who wait for the end of what it does: the process stays for them. */
  #waiting = 0;
  #closing: Promise<void> | null = null;

  constructor(options: SegmentThreadOptions) {
    this.#options = options;
    this.#isUsable = options.disk.hasPaths === true && availableParallelism() > 1;
    options.registry.registered = (topic) => this.#running?.untold.push(topic);
  }

  /**
   * What rewriteSegment gives, with its file under the name that means nothing; null: there is no thread that could.
   * @throws EvertError as rewriteSegment does; shutting_down
   */
  async seal({ firstPosition, end }: FrameExtent): Promise<SealedSegment | null> {
    const running = await this.#start();
    return running && this.#ask(running, { kind: "seal", extent: { firstPosition, end } });
  }

  /** Where the work of a pass is done in the thread; null: there is none that could. */
  pass(seed: number): PassWork | null {
    if (!this.#isUsable) return null;
    const pass = ++this.#lastId;
    /** The thread that has the pass's table: no other can go on with it. */
    let starting: Promise<Running | null> | null = null;
    const its = async (): Promise<Running | null> => {
      const running = await (starting ??= this.#start());
      if (running === null || running !== this.#running) return null;
      running.passes.add(pass);
      return running;
    };
    let tookMs = 0;
    const ask = async <W extends Asked["compare"] | Asked["takeOut"]>(
      work: W,
    ): Promise<Answered[W["kind"]] | null> => {
      await this.#leaveRoom(tookMs);
      const running = await its();
      if (running === null) return null;
      const began = performance.now();
      const answer = await this.#ask(running, work);
      tookMs = performance.now() - began;
      return answer;
    };
    return {
      compare: (of, topics) => ask({ kind: "compare", pass, seed, segment: fileOf(of), topics }),
      takeOut: (of, wish) => ask({ kind: "takeOut", pass, seed, segment: fileOf(of), wish }),
      end: () => {
        const running = this.#running;
        if (running?.passes.delete(pass) !== true) return;
        running.worker.postMessage({ kind: "passEnded", pass } satisfies Request);
        this.#restIfDone();
      },
    };
  }

  /** A pass is in no hurry: while others append it works half of the time. */
  async #leaveRoom(tookMs: number): Promise<void> {
    const ends = performance.now() + tookMs;
    while (performance.now() < ends) {
      const room = this.#options.leaveRoom();
      if (room === null) return;
      await room;
    }
  }

  /** The process stays until this is done. */
  async holding<T>(work: Promise<T>): Promise<T> {
    if (this.#waiting++ === 0) this.#running?.worker.ref();
    try {
      return await work;
    } finally {
      if (--this.#waiting === 0) this.#running?.worker.unref();
    }
  }

  /** What is under way is given up at its next piece. */
  stop(): void {
    Atomics.store(new Int32Array(this.#stop), 0, 1);
    this.#isUsable = false;
  }

  /** Ends when there is no thread any more. REQUIRES that nothing is asked of it. */
  close(): Promise<void> {
    this.stop();
    this.#closing ??= this.#end();
    return this.#closing;
  }

  /** Null: there is none, and none can be started. */
  async #start(): Promise<Running | null> {
    // Starting a thread takes some milliseconds: of a turn of its own, not of that of the frame with which the segment was full.
    if (this.#isUsable && this.#running === null) await nextTurn();
    this.#stay();
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
    const untold = [...this.#options.registry.all()];
    const running: Running = { worker, untold, asked: new Map(), passes: new Set() };
    this.#running = running;
    if (this.#waiting === 0) worker.unref();
    let why: unknown = null;
    worker.on("message", (answer: Answer) => running.asked.get(answer.id)?.(answer));
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
      for (const resolve of running.asked.values()) resolve(null);
    });
    return running;
  }

  /** Null: the thread has ended meanwhile. */
  async #ask<W extends Asked[Kind]>(running: Running, work: W): Promise<Answered[W["kind"]] | null> {
    const topics = running.untold;
    running.untold = [];
    // An answer to somebody else may have let it rest since it was looked for.
    this.#stay();
    const id = ++this.#lastId;
    const answer = await new Promise<Answer | null>((resolve) => {
      running.asked.set(id, resolve);
      running.worker.postMessage({ kind: "work", id, topics, work } satisfies Request);
    });
    running.asked.delete(id);
    if (answer === null) return null;
    this.#restIfDone();
    if (answer.kind === "failed") throw EvertError.from(answer.error);
    return answer.result as Answered[W["kind"]];
  }

  #restIfDone(): void {
    const running = this.#running;
    if (running === null || running.asked.size > 0 || running.passes.size > 0 || this.#idle !== null) return;
    this.#idle = setTimeout(() => void this.#end(), IDLE_MS);
    this.#idle.unref();
  }

  #stay(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
  }

  async #end(): Promise<void> {
    this.#stay();
    const running = this.#running;
    this.#running = null;
    await running?.worker.terminate();
  }

  #failed(error: unknown): void {
    this.#isUsable = false;
    const why = error instanceof Error ? error.message : String(error);
    this.#options.report(
      `the thread that rewrites segments has ended: ${why}; they are rewritten without it`,
    );
  }
}

function fileOf({ firstPosition, generation }: SealedSegment): SegmentFile {
  return { firstPosition, generation };
}
