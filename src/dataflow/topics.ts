/**
 * The topics of a circuit: where the log's records come in, and where the rows of tables lie.
 *
 * - A stream keeps nothing: what it is fed goes on to who reads it. Who reads which of its columns, and how, is asked before they are decoded.
 * - A table keeps its rows. When it gets more columns it is laid out anew, beside what was made before then: that goes on with the rows it
 *   has, and whoever feeds a table feeds those too, until nobody reads them.
 */
import { assert } from "../base/assert.ts";
import { ById } from "../base/by-id.ts";
import type { Schema } from "../batch/schema.ts";
import type { Dictionary } from "../state/dictionary.ts";
import type { Store } from "../state/store.ts";
import type { Chunk } from "./chunk.ts";
import type { Graph } from "./graph.ts";
import type { Interest } from "./node.ts";
import { Stream } from "./operators/stream.ts";
import { Table, type TableSpec } from "./operators/table.ts";
import type { NamedNode } from "./row-keepers.ts";

export interface TableSource {
  /** The table's rows, unique by its key. */
  readonly store: Store;
}

export interface LaidOutAnew extends TableSource {
  /** The rows as they were. */
  readonly before: Store;
  /** The new ones are there, and are the table's from now on. */
  take(): void;
}

export class Topics {
  readonly #graph: Graph;
  readonly #dictionary: Dictionary;
  readonly #tables = new Map<number, Table>();
  readonly #streams = new ById<Stream>();
  /** By id: the same tables, as they were laid out before they had all their columns. */
  readonly #older = new Map<number, readonly Table[]>();
  /** By stream: see wants(). */
  readonly #wants = new Map<number, (column: number) => boolean>();
  /** The graph's shape then. */
  #wantsOf = 0;

  constructor(graph: Graph, dictionary: Dictionary) {
    this.#graph = graph;
    this.#dictionary = dictionary;
  }

  addStream(id: number, name: string): void {
    const stream = this.#graph.add(new Stream(id, name));
    stream.holders++;
    this.#streams.set(id, stream);
  }

  addTable(id: number, name: string, schema: Schema, key: readonly number[], layout = 0): TableSource {
    assert(!this.#graph.running, "topics are added between steps");
    const table = this.#graph.add(new Table({ id, name, schema, key, layout }, this.#dictionary));
    table.holders++;
    this.#tables.set(id, table);
    return table;
  }

  /**
   * The table is to have more columns: a store for its rows, which is to hold all of them, born with the last step, which was `epoch`, before it
   * takes the place of the one there is. What was made before then goes on with the rows it has, which are fed what the new ones are, as far as they
   * have the columns; they leave with the last who reads them.
   */
  layOutAnew(spec: TableSpec, epoch: number): LaidOutAnew {
    assert(!this.#graph.running, "tables are laid out between steps");
    const { id } = spec;
    const before = this.table(id);
    const table = new Table(spec, this.#dictionary);
    const { store } = table;
    store.begin(epoch);
    return {
      store,
      before: before.store,
      take: () => {
        this.#graph.rename(before, `earlier ${before.identity} of ${before.layout}`);
        this.#graph.add(table);
        table.holders++;
        this.#tables.set(id, table);
        this.#older.set(id, [...(this.#older.get(id) ?? []), before]);
        before.holders--;
        this.#graph.release(before);
      },
    };
  }

  /** How many times the table was laid out otherwise and somebody still reads those rows. */
  olderOf(id: number): number {
    const all = this.#older.get(id);
    if (all === undefined) return 0;
    const left = all.filter((table) => this.#graph.find(table.identity) === table);
    if (left.length === 0) this.#older.delete(id);
    else this.#older.set(id, left);
    return left.length;
  }

  /** A topic that no view reads any more leaves. */
  remove(id: number): void {
    const node = this.#tables.get(id) ?? this.#streams.get(id);
    assert(node !== undefined, "the topic is in the circuit");
    this.#tables.delete(id);
    this.#streams.delete(id);
    this.#older.delete(id);
    node.holders--;
    this.#graph.release(node);
  }

  table(id: number): Table {
    const table = this.#tables.get(id);
    assert(table !== undefined, "a plan's table is in the circuit");
    return table;
  }

  get tables(): NamedNode[] {
    return [...this.#tables].map(([id, node]) => ({ id, node }));
  }

  // ---- what is read of streams ------------------------------------------------------------------------------------

  /** How the views look at a stream's column: "late" ones may be fed as Chunk.late. */
  interest(id: number, column: number): Interest {
    return this.#streams.get(id)?.interest(column) ?? "none";
  }

  /**
   * Which columns of the stream its operators look at in this thread, those that only queries and builds still hold included: the others need not be
   * decoded.
   */
  wants(id: number): (column: number) => boolean {
    // A step of one row asks for each column of its topic, and a column nobody wants is one that all views are asked about.
    if (this.#wantsOf !== this.#graph.shape) this.#wants.clear();
    this.#wantsOf = this.#graph.shape;
    let wants = this.#wants.get(id);
    if (wants === undefined) {
      const known: boolean[] = [];
      wants = (column) => (known[column] ??= this.interest(id, column) !== "none");
      this.#wants.set(id, wants);
    }
    return wants;
  }

  /** Whether anything here takes the stream's records in: where nothing does, they need not be fed. */
  takesStream(id: number): boolean {
    return this.#streams.get(id)?.rowEdges.some(({ node }) => node.failed === null) === true;
  }

  /** Whether the topic is a stream whose records nothing here takes in. */
  passesOver(id: number): boolean {
    return this.#streams.get(id)?.consumers === 0;
  }

  // ---- what comes in ----------------------------------------------------------------------------------------------

  feedStream(id: number, chunk: Chunk): void {
    this.#graph.timer.fed(chunk.length);
    this.#streams.get(id)?.take(0, chunk);
  }

  /** Row r of the chunk is a deletion by key when ops[opsFrom + r] is 1; null: all upserts. */
  feedTable(id: number, chunk: Chunk, ops: Uint8Array | null, opsFrom = 0): void {
    this.#graph.timer.fed(chunk.length);
    this.#feed(this.table(id), chunk, ops, opsFrom);
  }

  /** The same for rows as they were laid out before, once the circuit has nothing left to do; `at`: which of olderOf() many. */
  feedOlder(id: number, at: number, chunk: Chunk, ops: Uint8Array | null, opsFrom: number): void {
    this.#feed(this.#older.get(id)![at] as Table, chunk, ops, opsFrom);
  }

  #feed(table: Table, chunk: Chunk, ops: Uint8Array | null, opsFrom: number): void {
    this.#graph.activate(table);
    table.feed(chunk, ops, opsFrom);
  }
}
