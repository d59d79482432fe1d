/**
 * What the operators behind some rows have done, in data order, for people: EXPLAIN ANALYZE and the figures of a view.
 *
 * Operators form a graph, not a tree: two views, or two places of one plan, share what is equal. So each stands once in the list, and is named by
 * its place in it.
 */
import type { Node } from "./node.ts";

export interface OperatorStats {
  readonly operator: string;
  /** The parts of the plan it works off, outermost first. */
  readonly plan: readonly string[];
  /** Places in the list. */
  readonly inputs: readonly number[];
  /**
   * own: works for these rows alone; shared: for others too; source: a topic, another view or kept rows that are only read here: what it has done is
   * told nowhere but here, and is no part of any sum.
   */
  readonly role: "own" | "shared" | "source";
  readonly rowsIn: number;
  /** The same, by input. */
  readonly taken: readonly number[];
  /** Of an operator whose output is kept: changes of that. */
  readonly rowsOut: number;
  /** Rows in its state. */
  readonly rowsKept: number;
  /** Bytes of its state, indexes included. */
  readonly bytes: number;
  /** Steps in which rows moved. */
  readonly steps: number;
  /** Its own time, without that of the operators it called; of small steps it is an estimate. */
  readonly ms: number;
}

/** `names`: rows of other views, where the list ends. */
export function operatorStats(root: Node, names: ReadonlyMap<Node, string>): OperatorStats[] {
  const places = new Map<Node, number>();
  const list: { node: Node; isSource: boolean; inputs: readonly number[] }[] = [];
  const visit = (node: Node): number => {
    const known = places.get(node);
    if (known !== undefined) return known;
    const outside = node !== root && (names.has(node) || node.host !== root.host);
    const inputs = outside ? [] : node.sources.map((source) => visit(source.node));
    const isSource = outside || isTopic(node);
    places.set(node, list.length);
    list.push({ node, isSource, inputs });
    return list.length - 1;
  };
  visit(root);
  return list.map(({ node, isSource, inputs }) => {
    const { activity } = node;
    // Whoever reads the rows that the list is about has no part in making them.
    const edges = node === root ? [] : [...node.rowEdges, ...node.storeEdges];
    const shared = node.holders > 1 || edges.some((edge) => !places.has(edge.node));
    return {
      operator: names.get(node) ?? (isTopic(node) ? node.label : node.title),
      plan: node.about,
      inputs,
      role: isSource ? "source" : shared ? "shared" : "own",
      rowsIn: activity.rowsIn,
      taken: [...activity.taken],
      rowsOut: activity.rowsOut,
      rowsKept: node.stores().reduce((sum, { store }) => sum + store.live, 0),
      bytes: node.allStores.reduce((sum, store) => sum + store.bytes, 0),
      steps: activity.steps,
      ms: activity.ms,
    };
  });
}

/** Constant rows are made by an operator of the plan; topics are there before it. */
function isTopic(node: Node): boolean {
  return node.sources.length === 0 && /^(table|stream):/.test(node.identity);
}

export interface StatsSum {
  /** Taken from topics and other views. */
  readonly rowsIn: number;
  /** Changes of the rows the list is about. */
  readonly rowsOut: number;
  readonly bytes: number;
  readonly ms: number;
}

export function sumOf(operators: readonly OperatorStats[]): StatsSum {
  let [rowsIn, bytes, ms] = [0, 0, 0];
  for (const operator of operators) {
    if (operator.role === "source") continue;
    bytes += operator.bytes;
    ms += operator.ms;
    rowsIn += operator.taken.reduce(
      (sum, rows, port) => (operators[operator.inputs[port]!]?.role === "source" ? sum + rows : sum),
      0,
    );
  }
  return { rowsIn, rowsOut: operators.at(-1)?.rowsOut ?? 0, bytes, ms };
}
