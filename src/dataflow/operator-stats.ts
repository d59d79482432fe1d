/**
 * What the operators behind some rows have done, in data order, for people: EXPLAIN ANALYZE and the figures of a view.
 *
 * Operators form a graph, not a tree: two views, or two places of one plan, share what is equal. So each stands once in the list, and is named by
 * its place in it.
 */
import type { OperatorStats } from "./activity.ts";
import type { Node } from "./node.ts";

export type { OperatorStats } from "./activity.ts";

/** `names`: rows of other views, where the list ends. */
export function operatorStats(root: Node, names: ReadonlyMap<Node, string>): OperatorStats[] {
  const places = new Map<Node, number>();
  const list: Listed[] = [];
  const visit = (node: Node): number => {
    const known = places.get(node);
    if (known !== undefined) return known;
    const outside = node !== root && (names.has(node) || node.host !== root.host);
    const elsewhere = outside ? [] : sumOfThreads(node.operatorsElsewhere);
    const first = list.length;
    for (const done of elsewhere) list.push({ done, inputs: done.inputs.map((place) => first + place) });
    const last = elsewhere.length === 0 ? [] : [list.length - 1];
    const inputs = outside ? [] : [...node.sources.map((source) => visit(source.node)), ...last];
    const isSource = outside || isTopic(node);
    places.set(node, list.length);
    list.push({ node, isSource, inputs, bytesBelow: elsewhere.reduce((sum, { bytes }) => sum + bytes, 0) });
    return list.length - 1;
  };
  visit(root);
  const shared = sharedPlaces(list, places, root);
  return list.map((listed, place) => {
    const { inputs } = listed;
    const isShared = shared.has(place);
    if ("done" in listed) {
      const { role } = listed.done;
      return { ...listed.done, inputs, role: role === "own" && isShared ? "shared" : role };
    }
    const { node, isSource, bytesBelow } = listed;
    const { activity } = node;
    const bytesElsewhere = Math.max(0, node.bytesElsewhere - bytesBelow);
    return {
      operator: names.get(node) ?? (isTopic(node) ? node.label : node.title),
      plan: node.about,
      inputs,
      role: isSource ? "source" : isShared ? "shared" : "own",
      rowsIn: activity.rowsIn,
      taken: [...activity.taken],
      rowsOut: activity.rowsOut,
      rowsKept: node.stores().reduce((sum, { store }) => sum + store.live, 0),
      bytes: node.allStores.reduce((sum, store) => sum + store.bytes, bytesElsewhere),
      coldBytes: node.allStores.reduce((sum, store) => sum + store.coldBytes, 0),
      steps: activity.steps,
      ms: activity.ms,
    };
  });
}

/** An operator, or what one in another thread has done. */
type Listed =
  | {
      readonly node: Node;
      readonly isSource: boolean;
      readonly inputs: readonly number[];
      /** Of the state elsewhere what is told of the operators there. */
      readonly bytesBelow: number;
    }
  | { readonly done: OperatorStats; readonly inputs: readonly number[] };

/** Threads that share out one plan have the same operators: each stands once, with what all have done. */
function sumOfThreads(threads: readonly (readonly OperatorStats[])[]): OperatorStats[] {
  const told = threads.filter((operators) => operators.length > 0);
  const [first] = told;
  if (first === undefined) return [];
  return first.map((operator, place) => {
    const all = told.map((operators) => operators[place] as OperatorStats);
    const sum = (figure: "rowsIn" | "rowsOut" | "rowsKept" | "bytes" | "coldBytes" | "ms"): number =>
      all.reduce((total, each) => total + each[figure], 0);
    return {
      ...operator,
      rowsIn: sum("rowsIn"),
      taken: operator.taken.map((_, port) => all.reduce((total, each) => total + each.taken[port]!, 0)),
      rowsOut: sum("rowsOut"),
      rowsKept: sum("rowsKept"),
      bytes: sum("bytes"),
      coldBytes: sum("coldBytes"),
      steps: Math.max(...all.map(({ steps }) => steps)),
      ms: sum("ms"),
    };
  });
}

/** What somebody outside the list uses, and all that it is made from. */
function sharedPlaces(list: readonly Listed[], places: ReadonlyMap<Node, number>, root: Node): Set<number> {
  const shared = new Set<number>();
  for (let place = list.length - 1; place >= 0; place--) {
    const listed = list[place] as Listed;
    const { inputs } = listed;
    if ("node" in listed) {
      const { node } = listed;
      // Whoever reads the rows that the list is about has no part in making them.
      const edges = node === root ? [] : [...node.rowEdges, ...node.storeEdges];
      if (node.holders > 1 || edges.some((edge) => !places.has(edge.node))) shared.add(place);
    }
    if (shared.has(place)) for (const input of inputs) shared.add(input);
  }
  return shared;
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
  readonly coldBytes: number;
  readonly ms: number;
}

export function sumOf(operators: readonly OperatorStats[]): StatsSum {
  let [rowsIn, bytes, coldBytes, ms] = [0, 0, 0, 0];
  for (const operator of operators) {
    if (operator.role === "source") continue;
    bytes += operator.bytes;
    coldBytes += operator.coldBytes;
    ms += operator.ms;
    rowsIn += operator.taken.reduce(
      (sum, rows, port) => (operators[operator.inputs[port]!]?.role === "source" ? sum + rows : sum),
      0,
    );
  }
  return { rowsIn, rowsOut: operators.at(-1)?.rowsOut ?? 0, bytes, coldBytes, ms };
}
