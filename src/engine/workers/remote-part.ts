/** A part that workers keep: what the circuit holds of it. Each shard is a part of its own in its worker. */
import { assert } from "../../base/assert.ts";
import { EvertError } from "../../base/errors.ts";
import type { CircuitLimits } from "../../dataflow/circuit.ts";
import type { OperatorStats } from "../../dataflow/operator-stats.ts";
import type { OpenPart, PartError, PartLink, PartRows, PartSource } from "../../dataflow/parts/link.ts";
import type { Phase } from "../../dataflow/parts/part-circuit.ts";
import type { SharedParcels } from "../../dataflow/parts/shared-parcels.ts";
import type { Reply, Task } from "./protocol.ts";
import type { Worker } from "./worker.ts";

/** Feeds that a shard may have open before who feeds it waits. */
const OPEN_MAX = 4;

export interface ShardPlace {
  readonly part: number;
  readonly worker: Worker;
}

/** What a shard has said of a step. */
interface ShardStep {
  readonly phases: readonly [Arrived[], Arrived[]];
  /** Whether all of the first phase is here. */
  isInSecond: boolean;
  isDone: boolean;
  readonly errors: ArrivedErrors[];
}

interface Arrived {
  readonly parcel: Uint8Array;
  /** Whether the worker waits to hear that it is taken. */
  readonly isOwed: boolean;
}

interface ArrivedErrors {
  readonly errors: readonly PartError[];
  readonly isOwed: boolean;
}

interface Shard extends ShardPlace {
  /** Steps that it has answered. */
  answered: number;
  /** Of its state. */
  bytes: number;
  /** Parcels that it reads, task by task, the oldest first. */
  readonly reading: Uint8Array[][];
}

export class RemotePart implements PartLink {
  readonly sources: readonly PartSource[];
  readonly place: string;
  readonly shared: SharedParcels;
  readonly shards: readonly Shard[];
  readonly operators: (readonly OperatorStats[])[];
  readonly #onDropped: () => void;
  /** By shard, the oldest step first. */
  readonly #steps: ShardStep[][] = [];
  /** Steps that have gone. */
  #ended = 0;
  /** Feeds without a reply. */
  #open = 0;
  /** Bytes of parcels that are here. */
  #arrived = 0;
  #failed: EvertError | null = null;
  #news: Promise<void> | null = null;
  #hasNews: () => void = () => {};
  #isDropped = false;

  constructor(
    part: OpenPart,
    places: readonly ShardPlace[],
    { shared, limits }: { readonly shared: SharedParcels; readonly limits: CircuitLimits },
    onDropped: () => void,
  ) {
    const { plan, sources, keysMove, isSplit, isLive } = part;
    this.sources = sources;
    this.shared = shared;
    this.shards = places.map((place) => ({ ...place, answered: 0, bytes: 0, reading: [] }));
    this.operators = places.map(() => []);
    this.#onDropped = onDropped;
    this.place = isSplit
      ? `${places.length} workers, split by ${sources.map(keysOf).join(" and ")}`
      : "a worker";
    const { length: count } = places;
    this.shards.forEach(({ part: id, worker }, index) => {
      const spec = { plan, sources, keysMove, shard: { index, count }, limits, isLive };
      worker.keep(id, spec, (reply) => this.#take(index, reply));
    });
  }

  get bytes(): number {
    return this.shards.reduce((sum, { bytes }) => sum + bytes, this.#arrived);
  }

  get failed(): EvertError | null {
    return this.isComplete ? null : this.#failed;
  }

  get isComplete(): boolean {
    const [step] = this.#steps;
    return step?.every(isTaken) === true;
  }

  get hasRows(): boolean {
    const [step] = this.#steps;
    if (step === undefined) return false;
    const isIn = (phase: Phase): boolean => step.some(({ phases }) => phases[phase].length > 0);
    return isIn(0) || (isIn(1) && step.every(({ isInSecond }) => isInSecond));
  }

  get #hasErrors(): boolean {
    return this.#steps[0]?.some(({ errors }) => errors.length > 0) === true;
  }

  get waiting(): Promise<void> | null {
    const isReady = this.#failed !== null || this.hasRows || this.#hasErrors || this.isComplete;
    return isReady ? null : this.#nextNews();
  }

  get room(): Promise<void> | null {
    const isFull = this.#open > OPEN_MAX * this.shards.length;
    return isFull && this.#failed === null ? this.#nextNews() : null;
  }

  feed(rows: readonly PartRows[]): void {
    if (this.#failed !== null) return;
    for (const shard of this.shards) {
      this.#open++;
      this.#send(shard, { kind: "feed", part: shard.part, rows });
    }
  }

  finish(rows: readonly PartRows[]): void {
    assert(!this.#isDropped, "a part that is dropped makes no step");
    if (this.#failed !== null) return;
    for (const shard of this.shards) this.#send(shard, { kind: "finish", part: shard.part, rows });
  }

  #send({ worker, reading }: Shard, task: Task): void {
    const parcels = task.rows.flatMap((rows) => rows.parcels);
    for (const parcel of parcels) this.shared.hold(parcel);
    reading.push(parcels);
    worker.send(task);
  }

  /** It has done its oldest task. */
  #hasRead({ reading }: Shard): void {
    for (const parcel of reading.shift() ?? []) this.shared.release(parcel);
  }

  take(): Uint8Array | null {
    if (this.hasRows) {
      const step = this.#steps[0]!;
      for (const phase of [0, 1] as const) {
        for (const [shard, { phases }] of step.entries()) {
          const arrived = phases[phase].shift();
          if (arrived === undefined) continue;
          const { part, worker } = this.shards[shard]!;
          if (arrived.isOwed) worker.tell({ kind: "taken", part });
          this.#arrived -= arrived.parcel.length;
          return arrived.parcel;
        }
      }
    }
    if (this.failed !== null) throw this.failed;
    return null;
  }

  takeErrors(): readonly PartError[] | null {
    for (const [shard, step] of this.#steps[0]?.entries() ?? []) {
      const arrived = step.errors.shift();
      if (arrived === undefined) continue;
      const { part, worker } = this.shards[shard]!;
      if (arrived.isOwed) worker.tell({ kind: "taken", part });
      return arrived.errors;
    }
    return null;
  }

  next(): void {
    assert(this.isComplete, "a step ends when all shards have answered, and all that they said is taken");
    this.#ended++;
    this.#steps.shift();
  }

  live(): void {
    for (const { part, worker } of this.shards) worker.tell({ kind: "live", part });
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    this.#steps.length = 0;
    this.#arrived = 0;
    for (const shard of this.shards) {
      shard.bytes = 0;
      shard.worker.drop(shard.part);
    }
    this.#onDropped();
    this.#tellNews();
  }

  #take(index: number, reply: Reply): void {
    const shard = this.shards[index]!;
    if ("bytes" in reply) shard.bytes = reply.bytes;
    switch (reply.kind) {
      case "fed":
        this.#open--;
        this.#hasRead(shard);
        break;
      case "grown":
        break;
      case "rows": {
        const step = this.#stepOf(index, shard);
        if (reply.phase === 1) step.isInSecond = true;
        this.#arrive(step, reply.phase, reply.parcel, true);
        break;
      }
      case "errors":
        this.#stepOf(index, shard).errors.push({ errors: reply.errors, isOwed: true });
        break;
      case "answer": {
        const step = this.#stepOf(index, shard);
        for (const phase of [0, 1] as const)
          for (const parcel of reply.phases[phase]) this.#arrive(step, phase, parcel, false);
        if (reply.errors.length > 0) step.errors.push({ errors: reply.errors, isOwed: false });
        step.isInSecond = true;
        step.isDone = true;
        shard.answered++;
        this.#hasRead(shard);
        break;
      }
      case "failed":
        this.#failed ??= EvertError.from(reply.error);
        break;
      case "operators":
        this.operators[index] = reply.operators;
        return;
    }
    this.#tellNews();
  }

  #arrive({ phases }: ShardStep, phase: Phase, parcel: Uint8Array, isOwed: boolean): void {
    phases[phase].push({ parcel, isOwed });
    this.#arrived += parcel.length;
  }

  /** The step that the shard is in. */
  #stepOf(index: number, { answered }: Shard): ShardStep {
    const at = answered - this.#ended;
    while (this.#steps.length <= at) this.#steps.push(this.shards.map(newStep));
    return this.#steps[at]![index]!;
  }

  #nextNews(): Promise<void> {
    this.#news ??= new Promise((resolve) => {
      this.#hasNews = resolve;
    });
    return this.#news;
  }

  #tellNews(): void {
    this.#news = null;
    this.#hasNews();
  }
}

function newStep(): ShardStep {
  return { phases: [[], []], isInSecond: false, isDone: false, errors: [] };
}

function isTaken({ isDone, phases, errors }: ShardStep): boolean {
  return isDone && phases[0].length + phases[1].length + errors.length === 0;
}

function keysOf({ name, schema, keys }: PartSource): string {
  return (keys ?? []).map((c) => `${name}.${schema.fields[c]!.name}`).join(", ");
}
