/** Passing rows on without touching them: streams, columns picked out of a chunk, unions. The arrays are shared, never copied. */
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import { type Interest, interestAlong, Node, type Source } from "../node.ts";

/** The records of a stream topic as they come. */
export class Stream extends Node {
  readonly label: string;

  constructor(id: number, name: string) {
    super(streamIdentity(id), []);
    this.label = `stream ${name}`;
  }

  override get isTopic(): boolean {
    return true;
  }

  override interest(column: number): Interest {
    return interestAlong(this.rowEdges, column);
  }

  override push(_port: number, chunk: Chunk): void {
    this.emit(chunk);
  }
}

export function streamIdentity(id: number): string {
  return `stream:${id}`;
}

/** Some of the input's columns, in another order. */
export class Pick extends Node {
  override readonly isRowForRow = true;
  readonly label: string;
  readonly #columns: readonly number[];

  constructor(identity: string, source: Source, columns: readonly number[]) {
    super(identity, [source]);
    this.label = `columns of ${source.node.label}`;
    this.#columns = columns;
  }

  override interest(column: number): Interest {
    const at = this.#columns.indexOf(column);
    if (at < 0) return "none";
    // One that comes out twice would be interned twice.
    return this.#columns.indexOf(column, at + 1) < 0 ? interestAlong(this.rowEdges, at) : "filled";
  }

  override push(_port: number, chunk: Chunk): void {
    const { late } = chunk;
    this.emit({
      length: chunk.length,
      columns: this.#columns.map((c) => chunk.columns[c]!),
      nulls: this.#columns.map((c) => chunk.nulls[c]!),
      weights: chunk.weights,
      commits: chunk.commits,
      late: late === null ? null : this.#columns.map((c) => late[c]!),
    });
  }
}

/** All rows of all inputs. */
export class Union extends Node {
  readonly label: string;
  readonly #columns: readonly TypedColumn[];
  readonly #noNulls = new Uint8Array(CHUNK_ROWS);

  constructor(identity: string, sources: readonly Source[], columns: readonly TypedColumn[]) {
    super(identity, sources);
    this.label = `union of ${sources.map((s) => s.node.label).join(", ")}`;
    this.#columns = columns;
  }

  override push(_port: number, chunk: Chunk): void {
    this.emit({
      length: chunk.length,
      columns: chunk.columns,
      // A column may be null in one input only.
      nulls: this.#columns.map((c, i) => (c.nullable ? (chunk.nulls[i] ?? this.#noNulls) : null)),
      weights: chunk.weights,
      commits: chunk.commits,
      late: null,
    });
  }
}
