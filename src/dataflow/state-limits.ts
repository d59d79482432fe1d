/**
 * What the operators of a view may keep and make before the view is stopped: a join that explodes takes neither the memory nor the time of the
 * others. It is looked at between two pieces of work, so a limit is passed by a few chunks at most. Topics are data, not derived: they have
 * no limit here.
 */
import { EvertError } from "../base/errors.ts";
import type { Node } from "./node.ts";

export interface StateLimits {
  /** Rows that one operator keeps. */
  readonly rowsMax: number;
  /** Bytes of them, with their indexes. */
  readonly bytesMax: number;
  /** Rows that one operator makes in one step: while it does, no view moves on. */
  readonly stepRowsMax: number;
}

export const STATE_LIMITS: StateLimits = {
  rowsMax: 100_000_000,
  bytesMax: 2 ** 32,
  stepRowsMax: 100_000_000,
};

/** Pieces of work between two looks. */
export const LOOK_EVERY = 16;

/** Why the operator has to stop, or null. */
export function overLimit(node: Node, limits: StateLimits): EvertError | null {
  if (node.made > limits.stepRowsMax) {
    return tooMuch(node, `makes more than ${limits.stepRowsMax} rows at once`, "stepRowsMax");
  }
  for (const store of node.allStores) {
    if (store.live > limits.rowsMax)
      return tooMuch(node, `keeps more than ${limits.rowsMax} rows`, "rowsMax");
    if (store.bytes > limits.bytesMax)
      return tooMuch(node, `keeps more than ${limits.bytesMax} bytes`, "bytesMax");
  }
  return null;
}

function tooMuch(node: Node, what: string, limit: keyof StateLimits): EvertError {
  return new EvertError("view_limit", `the query is too large: a part of it ${what}`, {
    detail: `The part: ${partOf(node)}.`,
    hint: `Join on more, or filter before. Or open the database with a higher limits.${limit}.`,
  });
}

/** What of the query the node works off, as EXPLAIN says it, and over which topics. */
function partOf(node: Node): string {
  const readers = [...node.storeEdges, ...node.rowEdges].map((edge) => edge.node);
  const known = [node, ...node.sources.map((source) => source.node), ...readers].find(
    (n) => n.about.length > 0,
  );
  const topics = [...new Set(topicsOf(node))];
  const said = known?.about.join(", ") ?? "rows";
  return topics.length === 0 ? said : `${said}, over ${topics.join(" and ")}`;
}

function topicsOf(node: Node, seen: Set<Node> = new Set()): string[] {
  if (seen.has(node)) return [];
  seen.add(node);
  if (node.isTopic) return [node.label];
  return node.sources.flatMap((source) => topicsOf(source.node, seen));
}
