/**
 * Where the rows of a part leave its circuit, in the order in which they are made. Operators that work group by group, or window by window, make
 * chunks of a few rows each; to pack and to unpack these one by one would cost more than the work. So few rows wait for more, until the step's end at
 * most: up to then the texts among them are there.
 */
import type { Schema } from "../../batch/schema.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import type { ErrorCollection } from "../error-collection.ts";
import { Node, type Source } from "../node.ts";
import { type OperatorStats, operatorStats } from "../operator-stats.ts";

/** So many are not few. */
const MANY = CHUNK_ROWS / 4;

export class Outlet extends Node {
  readonly label: string;
  readonly #take: (chunk: Chunk) => void;
  readonly #few: Chunk;

  constructor(source: Source, schema: Schema, take: (chunk: Chunk) => void) {
    super(`outlet of ${source.node.identity}`, [source]);
    this.label = `rows sent on of ${source.node.label}`;
    this.#few = createChunk(schema.fields);
    this.#take = take;
  }

  override push(_port: number, chunk: Chunk): void {
    const few = this.#few;
    if (chunk.length >= MANY || few.length + chunk.length > CHUNK_ROWS) this.#flush();
    if (chunk.length >= MANY) this.#take(chunk);
    else append(few, chunk);
  }

  /** Its turn: all that it comes from has had its own. */
  override work(): boolean {
    this.#flush();
    return false;
  }

  #flush(): void {
    if (this.#few.length > 0) this.#take(this.#few);
    this.#few.length = 0;
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

/** The chunk's rows behind those that are there. */
function append(to: Chunk, { length, columns, nulls, weights }: Chunk): void {
  const at = to.length;
  to.length = at + length;
  for (let i = 0; i < length; i++) to.weights[at + i] = weights[i] as number;
  for (let c = 0; c < columns.length; c++) {
    const [target, values] = [to.columns[c]!, columns[c]!];
    for (let i = 0; i < length; i++) target[at + i] = values[i] as number;
    const [isNull, known] = [to.nulls[c] ?? null, nulls[c] ?? null];
    if (isNull === null) continue;
    for (let i = 0; i < length; i++) isNull[at + i] = known === null ? 0 : (known[i] as number);
  }
}
