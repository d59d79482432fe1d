/**
 * A worker: keeps parts, each a circuit of its own, and does what it is asked in the order in which it is asked (protocol.ts). What goes wrong in a
 * part is the part's: it answers with the error from then on, and the others go on.
 */
import { parentPort } from "node:worker_threads";
import { assert } from "../../base/assert.ts";
import { type ErrorBody, toEvertError } from "../../base/errors.ts";
import type { PartAnswer, PartRows } from "../../dataflow/parts/link.ts";
import { PartCircuit, type PartSpec } from "../../dataflow/parts/part-circuit.ts";
import type { Reply, Request } from "./protocol.ts";

/** Between two tellings of what operators have done. */
const TELL_MS = 100;

assert(parentPort !== null, "a worker is started by the engine");
const port = parentPort;
const parts = new Map<number, KeptPart>();
/** Parts of which there is something to tell. */
const untold = new Set<KeptPart>();
let telling: NodeJS.Timeout | null = null;

class KeptPart {
  readonly id: number;
  #circuit: PartCircuit | null = null;
  #failed: ErrorBody | null = null;

  constructor(id: number, spec: PartSpec) {
    this.id = id;
    this.#try(() => {
      this.#circuit = new PartCircuit(spec);
    });
  }

  feed(rows: readonly PartRows[]): void {
    this.#try(() => this.#circuit?.feed(rows));
  }

  finish(rows: readonly PartRows[]): PartAnswer {
    const answer = this.#try(() => {
      this.#circuit?.feed(rows);
      return this.#circuit?.finish();
    });
    if (answer?.failed != null) this.#stop(answer.failed);
    return answer ?? { phases: [[], []], errors: [], bytes: 0, failed: this.#failed };
  }

  sweep(): void {
    this.#try(() => this.#circuit?.sweep());
  }

  tell(): void {
    if (this.#circuit !== null)
      reply({ kind: "operators", part: this.id, operators: this.#circuit.operators() });
  }

  #try<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (thrown) {
      this.#stop(toEvertError(thrown).toJSON());
      return undefined;
    }
  }

  /** What it kept goes with its circuit. */
  #stop(error: ErrorBody): void {
    this.#failed = error;
    this.#circuit = null;
  }
}

function reply(message: Reply): void {
  const buffers = message.kind === "answer" ? message.answer.phases.flat().map(({ buffer }) => buffer) : [];
  port.postMessage(message, buffers as ArrayBuffer[]);
}

function part(id: number): KeptPart {
  const kept = parts.get(id);
  assert(kept !== undefined, "a part is asked between its opening and its end");
  return kept;
}

function tellLater(kept: KeptPart): void {
  untold.add(kept);
  if (telling !== null) return;
  telling = setTimeout(() => {
    telling = null;
    for (const each of untold) each.tell();
    untold.clear();
  }, TELL_MS);
}

port.on("message", (request: Request) => {
  switch (request.kind) {
    case "open":
      parts.set(request.part, new KeptPart(request.part, request.spec));
      reply({ kind: "done" });
      return;
    case "feed":
      part(request.part).feed(request.rows);
      reply({ kind: "done" });
      return;
    case "finish": {
      const kept = part(request.part);
      reply({ kind: "answer", answer: kept.finish(request.rows) });
      // Meanwhile the answer is on its way.
      kept.sweep();
      tellLater(kept);
      return;
    }
    case "drop":
      untold.delete(part(request.part));
      parts.delete(request.part);
      reply({ kind: "done" });
  }
});
