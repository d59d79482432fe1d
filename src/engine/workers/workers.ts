/**
 * The worker threads of a database: which parts they keep. A part that can be split has a shard in each of them; others go in turn to the one that
 * keeps fewest. Threads are started with the database, for each has its code to read before it can do anything, and anew when they are needed and
 * have ended: what they kept has failed by then.
 */
import { EvertError } from "../../base/errors.ts";
import type { CircuitLimits } from "../../dataflow/circuit.ts";
import type { OpenPart, PartLink, PartLinks } from "../../dataflow/parts/link.ts";
import { SharedParcels } from "../../dataflow/parts/shared-parcels.ts";
import { type PlanPart, partsOf } from "../../plan/parts.ts";
import type { Plan } from "../../plan/plan.ts";
import { RemotePart } from "./remote-part.ts";
import { Worker } from "./worker.ts";

/** More threads than that only wait for each other's memory. */
const WORKERS_MAX = 64;

/** With more to do than that, a worker leaves reading to others. */
const TASKS_BEFORE_READING = 1;

/** null: none. @throws EvertError invalid_argument. */
export function workersOf(
  count: number,
  limits: CircuitLimits,
  report: (message: string) => void,
): Workers | null {
  if (!Number.isInteger(count) || count < 0 || count > WORKERS_MAX) {
    throw new EvertError("invalid_argument", `${count} is not a number of workers`, {
      hint: `Give a whole number from 0 to ${WORKERS_MAX}; as many as there are cores beside the first is enough.`,
    });
  }
  return count === 0 ? null : new Workers(count, limits, report);
}

export class Workers implements PartLinks {
  readonly #count: number;
  readonly #limits: CircuitLimits;
  readonly #report: (message: string) => void;
  readonly #workers: (Worker | null)[];
  readonly #shared = new SharedParcels();
  readonly #parts = new Set<RemotePart>();
  readonly #cuts = new WeakMap<Plan, readonly PlanPart[]>();
  #nextPart = 1;
  #isClosing = false;
  /** A thread has ended: parts have failed. */
  onEnded: () => void = () => {};

  constructor(count: number, limits: CircuitLimits, report: (message: string) => void) {
    this.#count = count;
    this.#limits = limits;
    this.#report = report;
    this.#workers = new Array<Worker | null>(count).fill(null);
  }

  /** They read their code, while the database opens and before anybody waits for them. */
  start(): void {
    for (let i = 0; i < this.#count; i++) this.#worker(i);
  }

  partsOf(plan: Plan): readonly PlanPart[] {
    let parts = this.#cuts.get(plan);
    if (parts === undefined) this.#cuts.set(plan, (parts = partsOf(plan, this.#count)));
    return parts;
  }

  open(part: OpenPart): PartLink {
    const workers = part.isSplit ? this.#workers.map((_, i) => this.#worker(i)) : [this.#leastBusy()];
    const places = workers.map((worker) => ({ part: this.#nextPart++, worker }));
    const link: RemotePart = new RemotePart(
      part,
      places,
      { shared: this.#shared, limits: this.#limits },
      () => this.#parts.delete(link),
    );
    this.#parts.add(link);
    return link;
  }

  /** How many shards a part has that is split. */
  get count(): number {
    return this.#count;
  }

  /** Who has time to read history: little to do, and nothing to read yet. None of those that have not been started. */
  reader(): Worker | null {
    const live = this.#workers.filter((worker) => worker?.hasEnded === false);
    return live.find((worker) => worker!.readings === 0 && worker!.tasks <= TASKS_BEFORE_READING) ?? null;
  }

  /** All parts are given up: whoever they were for begins anew. */
  dropAll(): void {
    for (const part of this.#parts) part.drop();
  }

  /** How many parts are kept. */
  get parts(): number {
    return this.#parts.size;
  }

  /** Ends one thread, as a crash would. */
  async end(i: number): Promise<void> {
    await this.#workers[i]?.terminate();
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    await Promise.all(this.#workers.map((worker) => worker?.terminate()));
  }

  #leastBusy(): Worker {
    const workers = this.#workers.map((_, i) => this.#worker(i));
    const kept = (worker: Worker): number =>
      [...this.#parts].filter(({ shards }) => shards.length === 1 && shards[0]?.worker === worker).length;
    return workers.reduce((least, worker) => (kept(worker) < kept(least) ? worker : least));
  }

  #worker(i: number): Worker {
    const known = this.#workers[i];
    if (known != null && !known.hasEnded) return known;
    const worker = new Worker((error) => {
      if (this.#isClosing) return;
      this.#report(`a worker thread has ended: ${error.detail}`);
      this.onEnded();
    });
    this.#workers[i] = worker;
    return worker;
  }
}
