/**
 * The parts of a set of inner joins, on their way from one part for each input to one part of all.
 *
 * Columns are those of the inputs side by side, in their written order: each lies in one part, at a place of that part's plan. A part is named by
 * the first of its inputs. A pair whose sides each lie in one part stands at the edge between the two; which edge gives the fewest
 * rows is estimated once, and again when one of its parts has grown. Joining two parts moves the edges of the second to the first.
 */
import { assert } from "../base/assert.ts";
import * as build from "./build.ts";
import { estimateJoin, estimateRows } from "./estimate.ts";
import type { Expr } from "./expression.ts";
import { columnsOf, conjunction, moveColumns } from "./inspect.ts";
import { comparable, withColumns } from "./join-keys.ts";
import type { Plan } from "./plan.ts";

/** A plan under the predicates that move down into it. */
export type PushDown = (plan: Plan, moving: readonly Expr[]) => Plan;

export interface Pair {
  readonly left: Expr;
  readonly right: Expr;
  /** The equality it was written as; null for the keys of a join, which are single columns. */
  readonly equality: Expr | null;
  /** Whether null meets null: IS NOT DISTINCT FROM. */
  readonly nullSafe: boolean;
}

interface Part {
  readonly name: number;
  plan: Plan;
  readonly columns: number[];
  /** By the other part. */
  readonly edges: Map<Part, Edge>;
}

/** What connects two parts; the first is the one that is named before the other. */
interface Edge {
  readonly first: Part;
  readonly second: Part;
  pairs: Waiting[];
  /** How many rows the two give; 0 where that is not known of all. Null: to be estimated. */
  rows: number | null;
}

/** A pair and the inputs its sides read. */
interface Waiting {
  readonly pair: Pair;
  readonly place: number;
  readonly left: readonly number[];
  readonly right: readonly number[];
}

interface Predicate {
  readonly expr: Expr;
  readonly inputs: readonly number[];
}

export class JoinParts {
  readonly #inputOf: readonly number[];
  /** By column: where it is in its part's plan. */
  readonly #at: Int32Array;
  /** By input. */
  readonly #partOf: Part[] = [];
  /** In the order of their names. */
  #parts: Part[] = [];
  #edges = new Set<Edge>();
  /** Pairs with a side that lies in more than one part. */
  #open: Waiting[];
  #predicates: Predicate[];
  #isCounted = true;
  #columns = 0;

  constructor(inputOf: readonly number[], pairs: readonly Pair[], predicates: readonly Expr[]) {
    this.#inputOf = inputOf;
    this.#at = new Int32Array(inputOf.length);
    this.#open = pairs.map((pair, place) => ({
      pair,
      place,
      left: this.#inputsOf(pair.left),
      right: this.#inputsOf(pair.right),
    }));
    this.#predicates = predicates.map((expr) => ({ expr, inputs: this.#inputsOf(expr) }));
  }

  get count(): number {
    return this.#parts.length;
  }

  /** The next input, under the predicates that read it alone. */
  add(input: Plan, pushDown: PushDown): void {
    const part: Part = { name: this.#parts.length, plan: input, columns: [], edges: new Map() };
    for (let i = 0; i < input.schema.fields.length; i++) {
      this.#at[this.#columns] = i;
      part.columns.push(this.#columns++);
    }
    this.#parts.push(part);
    this.#partOf.push(part);
    part.plan = pushDown(input, this.#takePredicates(part));
    this.#isCounted &&= estimateRows(part.plan) !== null;
    if (this.#columns === this.#inputOf.length) this.#connect();
  }

  /** Joins the two connected parts that give the fewest rows; of equals the first in written order. With nothing connected, the first two. */
  joinTwo(): void {
    let best: Edge | null = null;
    for (const edge of this.#edges) {
      edge.rows ??= this.#isCounted ? this.#rowsOf(edge) : 0;
      if (best === null || isBefore(edge, best)) best = edge;
    }
    const [first, second] = best === null ? [this.#parts[0]!, this.#parts[1]!] : [best.first, best.second];
    this.#join(first, second, best === null ? [] : this.#turned(best));
    this.#merge(first, second);
    this.#connect();
    const predicate = conjunction(this.#takePredicates(first));
    if (predicate !== undefined) first.plan = build.filter(first.plan, predicate);
  }

  /** The expression over its part's plan. */
  moved(expr: Expr): Expr {
    return moveColumns(expr, (c) => this.#at[c]!);
  }

  /** The plan of all inputs. */
  whole(): Plan {
    assert(this.#parts.length === 1, "all parts are joined");
    return this.#parts[0]!.plan;
  }

  /** Predicates that stood nowhere yet: they read no column. */
  predicates(): Expr[] {
    return this.#predicates.map((p) => p.expr);
  }

  /** Pairs that became no key: their sides never lay in two parts. */
  pairs(): Pair[] {
    return this.#open.map((w) => w.pair);
  }

  /** `plan`, with the columns of `like`. */
  inWrittenOrder(plan: Plan, like: Plan): Plan {
    const columns = like.schema.fields.map((_, i) => this.#at[i]!);
    if (columns.length === plan.schema.fields.length && columns.every((c, i) => c === i)) return plan;
    const names = like.schema.fields.map((f) => f.name);
    return build.project(
      plan,
      columns.map((c) => build.column(plan, c)),
      names,
    );
  }

  // ---- joining ----------------------------------------------------------------------------------------------------

  #rowsOf({ first, second, pairs }: Edge): number {
    const columns: [number[], number[]] = [[], []];
    for (const { pair, left, right } of pairs) {
      for (const [side, [input]] of [
        [pair.left, left],
        [pair.right, right],
      ] as const) {
        if (side.kind === "column")
          columns[this.#partOf[input!] === first ? 0 : 1].push(this.#at[side.index]!);
      }
    }
    return estimateJoin(first.plan, columns[0], second.plan, columns[1]) ?? 0;
  }

  /** The edge's pairs in written order, `left` the first part's. */
  #turned({ first, pairs }: Edge): Pair[] {
    pairs.sort((a, b) => a.place - b.place);
    return pairs.map(({ pair, left }) =>
      this.#partOf[left[0]!] === first ? pair : { ...pair, left: pair.right, right: pair.left },
    );
  }

  /** The first part's plan becomes that of both, and the second's columns go to their places in it. */
  #join(first: Part, second: Part, pairs: readonly Pair[]): void {
    if (pairs.length === 0 && this.#crossSeries(first, second)) return;
    const sides = pairs.map(({ left, right }) => comparable(this.moved(left), this.moved(right)));
    const left = withColumns(
      first.plan,
      sides.map((s) => s.left),
    );
    const right = withColumns(
      second.plan,
      sides.map((s) => s.right),
    );
    first.plan = build.join({
      type: "inner",
      left: left.plan,
      right: right.plan,
      leftKeys: left.columns,
      rightKeys: right.columns,
      nullSafe: pairs.map((p) => p.nullSafe),
    });
    const width = left.plan.schema.fields.length;
    for (const column of second.columns) this.#at[column]! += width;
  }

  #crossSeries(first: Part, second: Part): boolean {
    for (const [counted, series] of [
      [first, second],
      [second, first],
    ] as const) {
      const plan = crossSeries(counted.plan, series.plan);
      if (plan === undefined) continue;
      first.plan = plan;
      for (const column of series.columns) this.#at[column] = plan.schema.fields.length - 1;
      return true;
    }
    return false;
  }

  /** The first part has the second's columns now, and its edges. */
  #merge(first: Part, second: Part): void {
    for (const column of second.columns) first.columns.push(column);
    this.#partOf.forEach((part, input) => {
      if (part === second) this.#partOf[input] = first;
    });
    this.#parts = this.#parts.filter((part) => part !== second);
    for (const [other, edge] of second.edges) {
      this.#edges.delete(edge);
      other.edges.delete(second);
      if (other === first) continue;
      const moved = this.#edge(first, other);
      for (const pair of edge.pairs) moved.pairs.push(pair);
    }
    for (const edge of first.edges.values()) edge.rows = null;
  }

  /** Open pairs whose sides lie in one part each go to the edge between the two. */
  #connect(): void {
    this.#open = this.#open.filter((waiting) => {
      const [left, right] = [this.#onlyPart(waiting.left), this.#onlyPart(waiting.right)];
      if (left === null || right === null || left === right) return true;
      const edge = this.#edge(left, right);
      edge.pairs.push(waiting);
      edge.rows = null;
      return false;
    });
  }

  #edge(a: Part, b: Part): Edge {
    const known = a.edges.get(b);
    if (known !== undefined) return known;
    const [first, second] = a.name < b.name ? [a, b] : [b, a];
    const edge: Edge = { first, second, pairs: [], rows: null };
    a.edges.set(b, edge);
    b.edges.set(a, edge);
    this.#edges.add(edge);
    return edge;
  }

  #takePredicates(part: Part): Expr[] {
    const ready: Expr[] = [];
    this.#predicates = this.#predicates.filter(({ expr, inputs }) => {
      if (this.#onlyPart(inputs) !== part) return true;
      ready.push(this.moved(expr));
      return false;
    });
    return ready;
  }

  /** The part that has all these inputs; null where there is none. */
  #onlyPart(inputs: readonly number[]): Part | null {
    const part = inputs.length === 0 ? undefined : this.#partOf[inputs[0]!];
    if (part === undefined) return null;
    for (let i = 1; i < inputs.length; i++) if (this.#partOf[inputs[i]!] !== part) return null;
    return part;
  }

  #inputsOf(expr: Expr): number[] {
    return [...new Set([...columnsOf(expr)].map((column) => this.#inputOf[column]!))];
  }
}

function isBefore(a: Edge, b: Edge): boolean {
  if (a.rows !== b.rows) return a.rows! < b.rows!;
  return a.first !== b.first ? a.first.name < b.first.name : a.second.name < b.second.name;
}

/** Crossing with a series of constants needs no join: each row is counted out, into a last column. */
function crossSeries(plan: Plan, other: Plan): Plan | undefined {
  if (other.kind === "filter") {
    const below = crossSeries(plan, other.input);
    if (below === undefined) return undefined;
    const counted = below.schema.fields.length - 1;
    return build.filter(
      below,
      moveColumns(other.predicate, () => counted),
    );
  }
  if (other.kind !== "series" || other.input.kind !== "values" || other.input.schema.fields.length > 0)
    return undefined;
  if (other.input.rows.length !== 1) return undefined;
  return build.series(plan, other.start, other.stop, other.step, other.schema.fields[0]!.name);
}
