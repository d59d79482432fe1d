/** A view in the circuit: its result rows, and the errors of everything upstream of it. */
import type { EvertError } from "../base/errors.ts";
import { sourcesOf } from "../plan/inspect.ts";
import type { Plan } from "../plan/plan.ts";
import type { Store } from "../state/store.ts";
import type { ErrorCollection } from "./error-collection.ts";
import type { Node } from "./node.ts";
import { type OperatorStats, operatorStats } from "./operator-stats.ts";
import type { StoredNode } from "./operators/stored.ts";
import { Inlet } from "./parts/inlet.ts";

export type OnError = "fail" | "skip";

export interface ViewNode {
  readonly id: number;
  readonly name: string;
  readonly plan: Plan;
  /** What of it other threads have been given. */
  readonly cuts: readonly Plan[];
  readonly onError: OnError;
  /** Its rows: columns as in plan.schema. Unique by keyColumns, or else by all columns, with a weight. */
  readonly store: Store;
  readonly keyColumns: readonly number[] | null;
  /** Why it stopped; its rows are then not to be shown. Null while it works. */
  readonly failed: EvertError | null;
  /** Rows left out because an expression failed, as of the epoch: one that is published, or a later one; without it, the last complete one. */
  errorCount(at?: number): number;
  /** The error that has been there longest of those that there were at the epoch. */
  firstError(at?: number): EvertError | null;
  /** Whether other threads keep part of what it is made from. */
  readonly hasParts: boolean;
  /** What its operators have done since they were made; its rows are the last. */
  operators(): OperatorStats[];
}

export class View implements ViewNode {
  readonly id: number;
  readonly name: string;
  readonly plan: Plan;
  readonly cuts: readonly Plan[];
  readonly onError: OnError;
  /** Replaced when an equal node takes its place. */
  node: StoredNode;
  /** By id, the views that the plan reads: asked of each watched view at each step, whether it has an error. */
  readonly #sourceViews: readonly number[];
  readonly #others: (id: number) => View | undefined;
  /** Last complete epoch. */
  readonly #now: () => number;

  constructor(
    spec: Pick<View, "id" | "name" | "plan" | "cuts" | "onError" | "node">,
    others: (id: number) => View | undefined,
    now: () => number,
  ) {
    this.id = spec.id;
    this.name = spec.name;
    this.plan = spec.plan;
    this.#sourceViews = sourceViews(spec.plan);
    this.cuts = spec.cuts;
    this.onError = spec.onError;
    this.node = spec.node;
    this.#others = others;
    this.#now = now;
  }

  get store(): Store {
    return this.node.store;
  }

  get keyColumns(): readonly number[] | null {
    return this.node.key;
  }

  get failed(): EvertError | null {
    return this.node.failed;
  }

  errorCount(at: number = this.#now()): number {
    let count = 0;
    for (const errors of this.errors()) if (!errors.isEmpty) count += errors.count(at);
    return count;
  }

  firstError(at: number = this.#now()): EvertError | null {
    let best: { error: EvertError; since: number } | null = null;
    for (const errors of this.errors()) {
      if (errors.isEmpty) continue;
      const first = errors.first(at);
      if (first === null) continue;
      if (
        best === null ||
        first.since < best.since ||
        (first.since === best.since && first.error.message < best.error.message)
      )
        best = first;
    }
    return best?.error ?? null;
  }

  get hasParts(): boolean {
    return [...this.nodes()].some((node) => node instanceof Inlet);
  }

  operators(): OperatorStats[] {
    const names = this.#inputs().map((view): [Node, string] => [view.node, `view ${view.name}`]);
    return operatorStats(this.node, new Map(names));
  }

  /** Nodes it is computed by, in no order, down to sources and other views. */
  nodes(): Set<Node> {
    const stops = new Set<Node>();
    for (const view of this.#inputs()) stops.add(view.node);
    const seen = new Set<Node>();
    const visit = (node: Node): void => {
      if (seen.has(node) || (stops.has(node) && node !== this.node)) return;
      seen.add(node);
      for (const source of node.sources) visit(source.node);
    };
    visit(this.node);
    return seen;
  }

  /** Error collections upstream. A view that skips its errors keeps them to itself. */
  errors(): Set<ErrorCollection> {
    const all = new Set<ErrorCollection>();
    for (const node of this.nodes()) if (node.errors !== null) all.add(node.errors);
    for (const view of this.#inputs()) {
      if (view.onError === "fail") for (const errors of view.errors()) all.add(errors);
    }
    return all;
  }

  #inputs(): View[] {
    return this.#sourceViews.map((id) => this.#others(id)).filter((view) => view !== undefined);
  }
}

function sourceViews(plan: Plan): number[] {
  return [...new Set(sourcesOf(plan).flatMap(({ relation, id }) => (relation === "view" ? [id] : [])))];
}
