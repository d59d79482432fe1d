/**
 * A worker as the main thread sees it: tasks go out, replies come back to the part that they are for. One that ends (out of memory, a crash) fails
 * all parts that it keeps, and gives back what it was to read.
 */
import { Worker as Thread } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { EvertError, toEvertError } from "../../base/errors.ts";
import { threadFile } from "../../base/thread-file.ts";
import type { PartSpec } from "../../dataflow/parts/part-circuit.ts";
import type { SharedRows } from "../../dataflow/parts/shared-rows.ts";
import type { Read, ReadReply, Reply, Request, Task } from "./protocol.ts";
import type { ReadTask } from "./read-history.ts";

const file = threadFile("./thread.ts", import.meta.url);

interface Kept {
  readonly take: (reply: Reply) => void;
  /** Tasks without a reply. */
  open: number;
}

interface Reading {
  readonly resolve: (rows: SharedRows | null) => void;
  readonly reject: (error: EvertError) => void;
}

export class Worker {
  readonly #thread: Thread | null;
  readonly #kept = new Map<number, Kept>();
  readonly #onEnded: (error: EvertError) => void;
  /** Tasks without a reply, of all parts. */
  #open = 0;
  readonly #readings = new Map<number, Reading>();
  #nextRead = 1;
  #ended: EvertError | null = null;

  constructor(onEnded: (error: EvertError) => void) {
    this.#onEnded = onEnded;
    this.#thread = this.#started();
  }

  /** Null: none can be started, which is as if it had ended. */
  #started(): Thread | null {
    let thread: Thread;
    try {
      thread = new Thread(file);
    } catch (error) {
      this.#end(whyOf(error as Error));
      return null;
    }
    thread.unref();
    thread.on("message", (reply: Reply | ReadReply) => {
      if ("read" in reply) this.#takeRead(reply);
      else this.#take(reply);
    });
    thread.on("messageerror", (error) => this.#end(error.message));
    thread.on("error", (error) => this.#end(whyOf(error)));
    thread.on("exit", (code) => this.#end(`It exited with code ${code}.`));
    return thread;
  }

  get hasEnded(): boolean {
    return this.#ended !== null;
  }

  /** `take` has the replies. */
  keep(part: number, spec: PartSpec, take: (reply: Reply) => void): void {
    this.#kept.set(part, { take, open: 0 });
    if (this.#ended !== null) take({ kind: "failed", part, error: this.#ended.toJSON() });
    else this.#post({ kind: "open", part, spec });
  }

  send(task: Task): void {
    const kept = this.#kept.get(task.part);
    if (kept === undefined || this.#ended !== null || !this.#post(task)) return;
    // The process stays while something is under way, and for nothing else.
    if (this.#open + this.#readings.size === 0) this.#thread?.ref();
    this.#open++;
    kept.open++;
  }

  tell(request: Extract<Request, { readonly kind: "taken" | "live" }>): void {
    if (this.#kept.has(request.part) && this.#ended === null) this.#post(request);
  }

  drop(part: number): void {
    const kept = this.#kept.get(part);
    if (kept === undefined) return;
    this.#kept.delete(part);
    this.#closed(kept, kept.open);
    if (this.#ended === null) this.#post({ kind: "drop", part });
  }

  /** What its parts have been given and have not done. */
  get tasks(): number {
    return this.#open;
  }

  /** Pieces of history that it reads. */
  get readings(): number {
    return this.#readings.size;
  }

  /** Null: it has ended before it had read them. @throws EvertError why they cannot be read. */
  read(task: ReadTask): Promise<SharedRows | null> {
    if (this.#thread === null || this.#ended !== null) return Promise.resolve(null);
    const read = this.#nextRead++;
    const rows = new Promise<SharedRows | null>((resolve, reject) => {
      this.#readings.set(read, { resolve, reject });
    });
    if (this.#open + this.#readings.size === 1) this.#thread.ref();
    this.#thread.postMessage({ kind: "read", read, task } satisfies Read);
    return rows;
  }

  #takeRead(reply: ReadReply): void {
    const reading = this.#readings.get(reply.read);
    assert(reading !== undefined, "what has been read was asked for");
    this.#readings.delete(reply.read);
    this.#mayRest();
    if (reply.kind === "read") reading.resolve(reply.rows);
    else reading.reject(EvertError.from(reply.error));
  }

  async terminate(): Promise<void> {
    await this.#thread?.terminate();
  }

  /** False: it could not be sent, and its part has failed. */
  #post(request: Exclude<Request, Read>): boolean {
    try {
      this.#thread?.postMessage(request);
      return true;
    } catch (thrown) {
      this.#take({ kind: "failed", part: request.part, error: toEvertError(thrown).toJSON() });
      return false;
    }
  }

  #take(reply: Reply): void {
    const kept = this.#kept.get(reply.part);
    // One that was dropped meanwhile.
    if (kept === undefined) return;
    if (reply.kind === "failed") this.#closed(kept, kept.open);
    if (reply.kind === "fed" || reply.kind === "answer") this.#closed(kept, 1);
    kept.take(reply);
  }

  #closed(kept: Kept, tasks: number): void {
    kept.open -= tasks;
    this.#open -= tasks;
    if (tasks > 0) this.#mayRest();
  }

  #mayRest(): void {
    if (this.#open + this.#readings.size === 0) this.#thread?.unref();
  }

  #end(why: string): void {
    if (this.#ended !== null) return;
    this.#ended = new EvertError("view_failed", "the worker thread that kept a part of it has ended", {
      detail: why,
      hint: "It is made anew at the next start, or when it is dropped and created again.",
    });
    // It may have ended for us alone: what it said could not be read.
    void this.#thread?.terminate();
    const error = this.#ended.toJSON();
    for (const part of [...this.#kept.keys()]) this.#take({ kind: "failed", part, error });
    for (const { resolve } of this.#readings.values()) resolve(null);
    this.#readings.clear();
    this.#onEnded(this.#ended);
  }
}

function whyOf(error: unknown): string {
  const why = error instanceof Error ? error.message : String(error);
  const isMissing = error instanceof Error && "code" in error && error.code === "ERR_MODULE_NOT_FOUND";
  return isMissing ? `${why}. A bundle of the program has to hold the thread's own file as well.` : why;
}
