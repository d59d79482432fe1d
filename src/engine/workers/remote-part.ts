/** A part that workers keep: what the circuit holds of it. Each shard is a part of its own in its worker. */
import { assert } from "../../base/assert.ts";
import { EvertError } from "../../base/errors.ts";
import type { OperatorStats } from "../../dataflow/operator-stats.ts";
import type { OpenPart, PartAnswer, PartLink, PartRows, PartSource } from "../../dataflow/parts/link.ts";
import type { Reply } from "./protocol.ts";
import type { Worker } from "./worker.ts";

/** Requests that a shard may have open before who feeds it waits. */
const OPEN_MAX = 4;

export interface ShardPlace {
  readonly part: number;
  readonly worker: Worker;
}

export class RemotePart implements PartLink {
  readonly sources: readonly PartSource[];
  readonly place: string;
  readonly shards: readonly ShardPlace[];
  readonly operators: (readonly OperatorStats[])[];
  readonly #onDropped: () => void;
  /** Finished and not asked for yet, the oldest first. */
  readonly #steps: FinishedStep[] = [];
  #open = 0;
  #room: Promise<void> | null = null;
  #hasRoom: () => void = () => {};
  #isDropped = false;

  constructor({ sources, isSplit }: OpenPart, shards: readonly ShardPlace[], onDropped: () => void) {
    this.sources = sources;
    this.shards = shards;
    this.operators = shards.map(() => []);
    this.#onDropped = onDropped;
    this.place = isSplit
      ? `${shards.length} workers, split by ${sources.map(keysOf).join(" and ")}`
      : "a worker";
  }

  get waiting(): Promise<void> | null {
    const [step] = this.#steps;
    return step === undefined || step.left === 0 ? null : step.waiting;
  }

  get room(): Promise<void> | null {
    return this.#room;
  }

  feed(rows: readonly PartRows[]): void {
    for (const { part, worker } of this.shards) {
      this.#open++;
      worker.send({ kind: "feed", part, rows }, () => this.#closed());
    }
    if (this.#open > OPEN_MAX * this.shards.length) {
      this.#room ??= new Promise((resolve) => {
        this.#hasRoom = resolve;
      });
    }
  }

  finish(rows: readonly PartRows[]): void {
    assert(!this.#isDropped, "a part that is dropped makes no step");
    let answered = (): void => {};
    const waiting = new Promise<void>((resolve) => {
      answered = resolve;
    });
    const step: FinishedStep = { answers: [], left: this.shards.length, waiting, answered };
    this.#steps.push(step);
    this.shards.forEach(({ part, worker }, shard) => {
      worker.send({ kind: "finish", part, rows }, (reply) => {
        step.answers[shard] = answerOf(reply);
        if (--step.left === 0) step.answered();
      });
    });
  }

  answers(): readonly PartAnswer[] {
    const step = this.#steps.shift();
    assert(step !== undefined && step.left === 0, "answers are there when all shards have given theirs");
    return step.answers;
  }

  drop(): void {
    if (this.#isDropped) return;
    this.#isDropped = true;
    for (const { part, worker } of this.shards) worker.send({ kind: "drop", part }, () => {});
    this.#onDropped();
  }

  #closed(): void {
    this.#open--;
    if (this.#room === null || this.#open > OPEN_MAX * this.shards.length) return;
    this.#room = null;
    this.#hasRoom();
  }
}

interface FinishedStep {
  /** By shard. */
  readonly answers: PartAnswer[];
  /** Shards that are yet to answer. */
  left: number;
  readonly waiting: Promise<void>;
  readonly answered: () => void;
}

function answerOf(reply: Reply | EvertError): PartAnswer {
  if (reply instanceof EvertError) return { phases: [[], []], errors: [], bytes: 0, failed: reply.toJSON() };
  assert(reply.kind === "answer", "a step is answered");
  return reply.answer;
}

function keysOf({ name, schema, keys }: PartSource): string {
  return (keys ?? []).map((c) => `${name}.${schema.fields[c]!.name}`).join(", ");
}
