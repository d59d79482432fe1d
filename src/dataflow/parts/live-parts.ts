/**
 * The parts of a circuit's plans that other threads keep, as they take part in its steps.
 *
 * 1. At a step's beginning it is known which there are. Views fail whose part has ended.
 * 2. Records of streams are handed to the parts that read them; where they have much left to take, the circuit waits.
 * 3. Parts that have all rows of the step may be given those of the next: they go ahead, and are not fed them again.
 */
import type { Batch } from "../../batch/batch.ts";
import type { Plan } from "../../plan/plan.ts";
import type { Graph } from "../graph.ts";
import { columnsOfParts, failLost, feedParts, feedPartsAhead, inletsOf } from "./feed-parts.ts";
import type { Inlet } from "./inlet.ts";
import type { PartLinks } from "./link.ts";

const NONE: ReadonlySet<number> = new Set();

export class LiveParts {
  readonly #graph: Graph;
  /** null: all is done in this thread. */
  readonly #links: PartLinks | null;
  /** As of the step. */
  #inlets: readonly Inlet[] = [];
  /** The graph's shape when they were looked for. */
  #inletsOf = 0;
  readonly #fedAhead = new Set<Inlet>();

  constructor(graph: Graph, links: PartLinks | null) {
    this.#graph = graph;
    this.#links = links;
  }

  /** A step has begun. */
  begin(): void {
    if (this.#links === null) return;
    if (this.#inletsOf !== this.#graph.shape) this.#inlets = inletsOf(this.#graph);
    this.#inletsOf = this.#graph.shape;
    failLost(this.#graph, this.#inlets);
  }

  /** Whether the step has any. */
  get isAny(): boolean {
    return this.#inlets.length > 0;
  }

  /** Whether other threads keep part of such a view. */
  areOf(plan: Plan): boolean {
    return (this.#links?.partsOf(plan).length ?? 0) > 0;
  }

  /** Which columns of the stream they read. */
  wants(topicId: number): ReadonlySet<number> {
    return this.#links === null ? NONE : columnsOfParts(inletsOf(this.#graph), topicId);
  }

  /** Hands records of a stream to those that read it. */
  feed(topicId: number, batch: Batch): void {
    feedParts(this.#inlets, topicId, batch);
  }

  /** Whether all that can be a step ahead have all of this one's rows, and none of the next one's. */
  get mayGoAhead(): boolean {
    const able = this.#inlets.filter((inlet) => inlet.isAble);
    return able.length > 0 && able.every((inlet) => inlet.mayGoAhead);
  }

  /** Hands records of the next step to those that need not wait for this one. They begin with it at goAhead(), and are not fed it again. */
  feedAhead(topicId: number, batch: Batch): void {
    feedPartsAhead(this.#inlets, topicId, batch, this.#fedAhead);
  }

  goAhead(): void {
    for (const inlet of this.#fedAhead) if (inlet.failed === null) inlet.goAhead();
    this.#fedAhead.clear();
  }
}
