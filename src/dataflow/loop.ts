/** The circuit inside a recursion: a graph of its own, stepped once per iteration, in epochs that nobody outside sees. */
import { assert } from "../base/assert.ts";
import type { EvertError } from "../base/errors.ts";
import type { Loop } from "../plan/iterations.ts";
import type { HashIndex } from "../state/hash-index.ts";
import type { Store } from "../state/store.ts";
import type { Chunk } from "./chunk.ts";
import type { ErrorCollection } from "./error-collection.ts";
import { Graph } from "./graph.ts";
import type { StoredNode } from "./operators/stored.ts";
import { streamIdentity } from "./operators/stream.ts";

/** Compiles the loop's plan into the graph, as a store with all its columns in their order. */
export type CompileLoop = (graph: Graph, derived: Loop["derived"]) => StoredNode;

export class LoopCircuit {
  /** What was derived: in how many ways, from rows of which iteration. */
  readonly derived: Store;
  /** Finds a derived row, iteration included. */
  readonly rowIndex: HashIndex;
  /** Finds the derived rows that differ in the iteration only. */
  readonly byRow: HashIndex;
  readonly #graveyard = new Set<Store>();
  /** Its time is the recursion's. */
  readonly #graph = new Graph(this.#graveyard, {
    timing: "never",
    limits: null,
    memory: null,
    stopped: null,
    eager: true,
  });
  readonly #node: StoredNode;
  readonly #loop: Loop;
  readonly #stores: readonly Store[];
  #epoch = 0;
  #open = false;

  constructor(loop: Loop, compile: CompileLoop) {
    this.#loop = loop;
    this.#node = compile(this.#graph, loop.derived);
    this.derived = this.#node.store;
    assert(this.#node.rowIndex !== null, "what is derived may be taken away");
    this.rowIndex = this.#node.rowIndex;
    const columns = loop.derived.schema.fields.map((_, i) => i).slice(0, -1);
    this.byRow = this.derived.hashIndex({ columns, unique: false });
    this.#stores = this.#graph.nodes.flatMap((node) => node.stores().map(({ store }) => store));
  }

  get epoch(): number {
    return this.#epoch;
  }

  /** Rows of input i. */
  pushInput(i: number, chunk: Chunk): void {
    this.#push(i, chunk);
  }

  /** Rows found in an iteration. */
  pushFound(chunk: Chunk): void {
    this.#push(this.#loop.found, chunk);
  }

  #push(stream: number, chunk: Chunk): void {
    if (!this.#open) {
      this.#graph.begin(this.#epoch, this.#epoch + 1);
      this.#open = true;
    }
    this.#graph.find(streamIdentity(stream))?.take(0, chunk);
  }

  /** Works a little; true when nothing that was pushed waits any more and, after end(), the iteration is complete. */
  run(): boolean {
    if (!this.#open) return true;
    const ended = this.#graph.ended;
    const done = this.#graph.run(0);
    const { failed } = this.#node;
    if (failed !== null) throw failed satisfies EvertError;
    if (done && ended) {
      this.#open = false;
      this.#epoch++;
    }
    return done;
  }

  /** All of the iteration has been pushed. */
  end(): void {
    if (this.#open) this.#graph.end();
  }

  /** The fullest of its stores. */
  get rows(): number {
    let most = 0;
    for (const store of this.#stores) if (store.live > most) most = store.live;
    return most;
  }

  /** Frees dead rows; those of what was derived only when nobody looks at them any more. */
  vacuum(derivedToo: boolean): void {
    for (const node of this.#graph.nodes) {
      for (const store of node.allStores) if (derivedToo || store !== this.derived) store.vacuum(this.#epoch);
    }
  }

  errors(): ErrorCollection[] {
    return this.#graph.nodes.flatMap((node) => (node.errors === null ? [] : [node.errors]));
  }

  code(): string[] {
    return this.#graph.nodes.flatMap((node) => node.code());
  }

  /** Ends it; its stores wait to be freed. */
  dispose(bury: (store: Store) => void): void {
    if (this.#open) this.#graph.abandon();
    for (const node of this.#graph.nodes) node.dispose();
    for (const store of this.#graveyard) bury(store);
  }
}
