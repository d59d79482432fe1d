/** Where the rows of a part leave its circuit, as they are made. */
import type { Chunk } from "../chunk.ts";
import type { ErrorCollection } from "../error-collection.ts";
import { Node, type Source } from "../node.ts";
import { type OperatorStats, operatorStats } from "../operator-stats.ts";

export class Outlet extends Node {
  readonly label: string;
  readonly #take: (chunk: Chunk) => void;

  constructor(source: Source, take: (chunk: Chunk) => void) {
    super(`outlet of ${source.node.identity}`, [source]);
    this.label = `rows sent on of ${source.node.label}`;
    this.#take = take;
  }

  override push(_port: number, chunk: Chunk): void {
    this.#take(chunk);
  }

  /** Error collections of all that it comes from. */
  upstreamErrors(): Set<ErrorCollection> {
    const all = new Set<ErrorCollection>();
    const seen = new Set<Node>();
    const visit = (node: Node): void => {
      if (seen.has(node)) return;
      seen.add(node);
      if (node.errors !== null) all.add(node.errors);
      for (const source of node.sources) visit(source.node);
    };
    visit(this);
    return all;
  }

  operators(): OperatorStats[] {
    return operatorStats(this, new Map());
  }
}
