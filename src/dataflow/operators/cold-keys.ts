/**
 * Chunks for a store of which rows are on disk: each is taken once the rows that it will look up are in memory.
 *
 * 1. A chunk's keys are looked up. Those without a living row in memory are asked for (state/cold/cold-rows.ts); where none of them can be on disk,
 *    the chunk is taken at once.
 * 2. Else it is copied, for its arrays are another's, and the host fetches. Nothing goes on meanwhile but what was under way: a chunk that is pushed
 *    to the same operator, because it came two ways, waits behind.
 * 3. When the rows are there, the chunks are taken in their order. Where runs have been merged meanwhile, what was not found may be elsewhere: it is
 *    asked for again.
 *
 * Where a key may have several rows, all of them are wanted, unless they are known to be in memory; so a chunk that waits is taken in parts, and no
 * more than some thousands of rows come back at once.
 */
import { compiled } from "../../base/compiled.ts";
import type { ColdRows } from "../../state/cold/cold-rows.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { LIVE, type Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Node } from "../node.ts";
import { PendingChunks } from "./pending.ts";
import { declareColumns, findArguments } from "./row-code.ts";

/** Wants the rows of the chunk's keys that are not in memory. */
type Missing = (chunk: Chunk, cold: ColdRows) => void;

/** What comes in along a port. */
export interface KeyedInput {
  readonly columns: readonly TypedColumn[];
  /** Where in them are the columns of the store's index, in its order. */
  readonly key: readonly number[];
  /** Whether rows that come are new: those that leave alone are looked up. */
  readonly isNew: boolean;
  /** How many rows a key may have; one, where it is not given. */
  readonly rowsPerKey?: number;
}

/** Rows that come back at once, at most, where a key may have several. */
const BROUGHT_MAX = 8_192;
/** No count of moves. */
const NONE = -1;

interface Waiting {
  readonly port: number;
  readonly chunks: PendingChunks;
}

export class ColdKeys {
  readonly #node: Node;
  readonly #store: Store;
  readonly #index: HashIndex;
  readonly #inputs: readonly (KeyedInput | null)[];
  readonly #missing: (Missing | undefined)[] = [];
  #waiting: Waiting[] = [];
  /** The chunk whose rows are there, while nothing has moved since. */
  #ready: Chunk | null = null;
  #moves = 0;

  /** `inputs`: by port; null: nothing is pushed there. */
  constructor(node: Node, store: Store, index: HashIndex, inputs: readonly (KeyedInput | null)[]) {
    this.#node = node;
    this.#store = store;
    this.#index = index;
    this.#inputs = inputs;
  }

  /** Whether the chunk has to wait: then it comes again, through Node.retake. */
  holds(port: number, chunk: Chunk): boolean {
    const { cold } = this.#store;
    if (cold === null || cold.isEmpty) return this.#isBehind(port, chunk);
    if (this.#isBehind(port, chunk)) return true;
    if (chunk === this.#ready && cold.moves === this.#moves) return false;
    const { moves } = cold;
    this.#missingOf(port)(chunk, cold);
    if (cold.isWanted && chunk.length > this.#rowsAtOnce(port)) {
      cold.forget();
      this.#moves = NONE;
      this.#keep(port, chunk);
      this.#node.host.fetch(this.#node, Promise.resolve());
      return true;
    }
    const rows = cold.fetch();
    if (rows === null) return false;
    this.#moves = moves;
    this.#keep(port, chunk);
    this.#node.host.fetch(this.#node, rows);
    return true;
  }

  #isBehind(port: number, chunk: Chunk): boolean {
    if (this.#waiting.length === 0) return false;
    this.#keep(port, chunk);
    return true;
  }

  #keep(port: number, chunk: Chunk): void {
    const most = this.#rowsAtOnce(port);
    for (let from = 0; from < chunk.length; from += most) {
      const chunks = new PendingChunks((this.#inputs[port] as KeyedInput).columns, this.#store.dictionary);
      chunks.add(chunk, from, Math.min(chunk.length, from + most));
      this.#waiting.push({ port, chunks });
    }
  }

  /** Rows of a chunk whose keys are asked for at once. */
  #rowsAtOnce(port: number): number {
    const { rowsPerKey = 1 } = this.#inputs[port] as KeyedInput;
    return rowsPerKey === 1 ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(BROUGHT_MAX / rowsPerKey));
  }

  /** The rows of the first chunk that waits are there. */
  fetched(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#ready = waiting[0]?.chunks.first ?? null;
    for (const [i, { port, chunks }] of waiting.entries()) {
      if (this.#node.failed === null) this.#node.retake(port, chunks.first as Chunk);
      chunks.clear();
      this.#ready = null;
      if (this.#waiting.length === 0) continue;
      this.#waiting.push(...waiting.slice(i + 1));
      return;
    }
  }

  /** It has failed, or leaves: what waits is taken no more, and its texts are not kept for it. */
  close(): void {
    for (const { chunks } of this.#waiting.splice(0)) chunks.clear();
  }

  #missingOf(port: number): Missing {
    return (this.#missing[port] ??= missing(this.#store, this.#index, this.#inputs[port] as KeyedInput));
  }
}

/** The loop that looks for a chunk's keys in memory. */
export function missing(store: Store, index: HashIndex, input: KeyedInput): Missing {
  const { columns, key, isNew, rowsPerKey = 1 } = input;
  const { strideWords: stride, deathWord } = store.layout;
  const codes = key.map((c, i) => `codes[${i}] = c${c}[r];`).join(" ");
  const found = `find(${findArguments(columns, key, "r")})`;
  const one = `const s = ${found};
      if (s >= 0 && I[s * ${stride} + ${deathWord}] === ${LIVE}) continue;
      ${codes}
      cold.want(codes);`;
  // Those that are there are asked for as much as those that come back.
  const several = `for (let s = ${found}; s >= 0; s = next(s)) cold.asked(s);
      ${codes}
      cold.wantAll(codes);`;
  const source = `"use strict"; const codes = new Float64Array(${key.length}); return function missing(chunk, cold) {
    const I = store.I, W = chunk.weights, { length } = chunk;
    ${declareColumns("chunk", columns)}
    for (let r = 0; r < length; r++) {
      ${isNew ? "if (W[r] > 0) continue;" : ""}
      ${rowsPerKey === 1 ? one : several}
    }
  };`;
  return compiled("store", "find", "next", source)(store, index.find, index.next) as Missing;
}
