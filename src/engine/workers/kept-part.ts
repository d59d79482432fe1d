/**
 * A part in the worker that keeps it: its tasks in their order, done in slices, and what is told of them.
 *
 * What its rows have changed by goes off as it is made, in full parcels. Where too many of them are not taken, it waits: nothing piles up between the
 * threads. What goes wrong is the part's own: it is told, and the others go on.
 */
import { toEvertError } from "../../base/errors.ts";
import { PartCircuit, type PartSpec } from "../../dataflow/parts/part-circuit.ts";
import type { Reply, Task } from "./protocol.ts";

/** Parcels, and lists of errors, that may be under way. */
const UNTAKEN_MAX = 8;
/** Told when its state has grown by so much since it was told last. */
const GROWN_BYTES = 1 << 20;
/** For how much work of steps freeing what they ended may be put off while tasks wait, in milliseconds. */
const OWED_MS_MAX = 40;

/** tasks: somebody waits for it. sweep: nobody does. */
export type Need = "tasks" | "sweep" | "none";

export class KeptPart {
  readonly id: number;
  readonly #post: (reply: Reply) => void;
  #circuit: PartCircuit | null = null;
  readonly #tasks: Task[] = [];
  /** Whether the first of them has been begun. */
  #isBegun = false;
  #untaken = 0;
  #toldBytes = 0;
  #isSwept = true;
  #owedMs = 0;
  /** Whether there is something new to tell of its operators. */
  hasNews = false;

  constructor(id: number, spec: PartSpec, post: (reply: Reply) => void) {
    this.id = id;
    this.#post = post;
    this.#try(() => {
      this.#circuit = new PartCircuit(spec, {
        rows: (phase, parcel) => this.#sendOn({ kind: "rows", part: id, bytes: this.#bytes, phase, parcel }),
        errors: (errors) => this.#sendOn({ kind: "errors", part: id, bytes: this.#bytes, errors }),
      });
    });
  }

  /** Whether others wait for its steps. */
  get isLive(): boolean {
    return this.#circuit?.isLive === true;
  }

  live(): void {
    this.#circuit?.live();
  }

  add(task: Task): void {
    if (this.#circuit !== null) this.#tasks.push(task);
  }

  /** One of those has been taken. */
  taken(): void {
    this.#untaken--;
  }

  get need(): Need {
    if (this.#circuit === null) return "none";
    if (this.#tasks.length > 0) return this.#untaken < UNTAKEN_MAX ? "tasks" : "none";
    return this.#isSwept ? "none" : "sweep";
  }

  /** Works until the deadline (performance.now()), or a task is done. */
  work(deadline: number): void {
    this.#try(() => {
      const circuit = this.#circuit as PartCircuit;
      const [task] = this.#tasks;
      const mustSweep = !this.#isBegun && !this.#isSwept && this.#owedMs > OWED_MS_MAX;
      const began = performance.now();
      if (task === undefined || mustSweep) {
        this.#isSwept = circuit.sweep(deadline);
        this.#owedMs = this.#isSwept ? 0 : this.#owedMs - (performance.now() - began);
        return;
      }
      this.#work(circuit, task, deadline);
      this.#owedMs += performance.now() - began;
    });
  }

  #work(circuit: PartCircuit, task: Task, deadline: number): void {
    if (!this.#isBegun) circuit.start(task.rows, task.kind === "finish");
    this.#isBegun = true;
    const isDone = circuit.run(deadline, () => this.#untaken < UNTAKEN_MAX);
    const { bytes } = circuit;
    const part = this.id;
    if (!isDone) {
      if (bytes >= this.#toldBytes + GROWN_BYTES) this.#tell({ kind: "grown", part, bytes });
      return;
    }
    this.#tasks.shift();
    this.#isBegun = false;
    if (task.kind === "feed") {
      this.#tell({ kind: "fed", part, bytes });
      return;
    }
    const { phases, errors } = circuit.answer();
    this.#tell({ kind: "answer", part, bytes, phases, errors });
    this.#isSwept = false;
    this.hasNews = true;
  }

  get #bytes(): number {
    return this.#circuit?.bytes ?? 0;
  }

  #sendOn(some: Extract<Reply, { readonly kind: "rows" | "errors" }>): void {
    this.#untaken++;
    this.#tell(some);
  }

  #tell(reply: Extract<Reply, { readonly bytes: number }>): void {
    this.#toldBytes = reply.bytes;
    this.#post(reply);
  }

  /** What its operators have done. */
  tellOperators(): void {
    this.hasNews = false;
    this.#try(() => {
      const operators = this.#circuit?.operators();
      if (operators !== undefined) this.#post({ kind: "operators", part: this.id, operators });
    });
  }

  #try(work: () => void): void {
    try {
      work();
    } catch (thrown) {
      // What it kept goes with its circuit.
      this.#circuit = null;
      this.#tasks.length = 0;
      this.#post({ kind: "failed", part: this.id, error: toEvertError(thrown).toJSON() });
    }
  }
}
