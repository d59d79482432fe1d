/**
 * A worker as the main thread sees it: requests go out, each with what is to be done with its reply. One that ends (out of memory, a crash) answers
 * all that is open, and all that comes, with why.
 */
import { Worker as Thread } from "node:worker_threads";
import { EvertError } from "../../base/errors.ts";
import type { OperatorStats } from "../../dataflow/operator-stats.ts";
import type { Reply, Request } from "./protocol.ts";

/** Beside this file, in the source and in the package. */
const file = new URL(import.meta.url.endsWith(".ts") ? "./thread.ts" : "./thread.js", import.meta.url);

type Then = (reply: Reply | EvertError) => void;

export class Worker {
  readonly #thread: Thread;
  readonly #open: Then[] = [];
  readonly #onOperators: (part: number, operators: readonly OperatorStats[]) => void;
  #ended: EvertError | null = null;

  constructor(
    onOperators: (part: number, operators: readonly OperatorStats[]) => void,
    onEnded: (error: EvertError) => void,
  ) {
    this.#onOperators = onOperators;
    this.#thread = new Thread(file);
    this.#thread.unref();
    const end = (why: string): void => {
      if (this.#ended !== null) return;
      this.#ended = new EvertError("view_failed", "the worker thread that kept a part of it has ended", {
        detail: why,
        hint: "It is made anew at the next start, or when it is dropped and created again.",
      });
      for (const then of this.#open.splice(0)) then(this.#ended);
      onEnded(this.#ended);
    };
    this.#thread.on("message", (reply: Reply) => this.#take(reply));
    this.#thread.on("messageerror", (error) => end(error.message));
    this.#thread.on("error", (error) => end(error instanceof Error ? error.message : String(error)));
    this.#thread.on("exit", (code) => end(`It exited with code ${code}.`));
  }

  get hasEnded(): boolean {
    return this.#ended !== null;
  }

  send(request: Request, then: Then): void {
    if (this.#ended !== null) {
      then(this.#ended);
      return;
    }
    this.#thread.postMessage(request);
    // The process stays while something is under way, and for nothing else.
    if (this.#open.length === 0) this.#thread.ref();
    this.#open.push(then);
  }

  async terminate(): Promise<void> {
    await this.#thread.terminate();
  }

  #take(reply: Reply): void {
    if (reply.kind === "operators") {
      this.#onOperators(reply.part, reply.operators);
      return;
    }
    const then = this.#open.shift();
    if (this.#open.length === 0) this.#thread.unref();
    then?.(reply);
  }
}
