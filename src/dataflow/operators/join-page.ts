/**
 * Rows of a join's larger side that are on disk in its first step: read a page at a time, they go through the same pass as those in memory, from a
 * store of their own.
 */
import type { Store } from "../../state/store.ts";
import { CHUNK_ROWS } from "../chunk.ts";
import type { Lookup, Want } from "./cold-matches.ts";
import { type JoinShape, passSource, wantSource } from "./join-code.ts";
import { binder, deltaSide, type Ground, newParts, type Parts, type Pass, type Run } from "./join-parts.ts";

export class JoinPage {
  readonly store: Store;
  /** In the order of their slots. */
  readonly rows = { slots: Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i), index: 0, length: 0 };
  readonly pass: Pass;
  readonly lookups: readonly Lookup[];
  readonly #run: Run;
  readonly #shape: JoinShape;
  readonly #ground: Ground;
  #parts: Parts | null = null;

  /** `lookups`: of the pass over rows in memory, `shape` and `ground`, too. */
  constructor(run: Run, store: Store, shape: JoinShape, ground: Ground, lookups: readonly Lookup[]) {
    const side = deltaSide(run);
    this.store = store;
    this.#run = run;
    this.#ground = { ...ground, [side]: store };
    // A row on disk has no other version.
    this.#shape = { ...shape, [side]: { ...shape[side], versioned: false } };
    const bind = binder(this.#ground);
    const want = bind(wantSource(this.#shape, side, side === "left" ? "right" : "left")) as Want;
    this.pass = bind(passSource(this.#shape, side)) as Pass;
    this.lookups = lookups.map((lookup) => ({ ...lookup, want }));
  }

  /** In memory. */
  get bytes(): number {
    return this.store.I.byteLength;
  }

  /** Whether all of its rows have been taken. */
  get isOver(): boolean {
    return this.rows.index === this.rows.length;
  }

  /** What it takes to meet the other side in parts. */
  get parts(): Parts {
    this.#parts ??= newParts(this.#run, this.#shape, this.#ground, null);
    return this.#parts;
  }

  /** So many rows have been put into it. They wait for others: their texts are counted meanwhile. */
  fill(count: number): void {
    this.rows.index = 0;
    this.rows.length = count;
    for (let slot = 0; slot < count; slot++) this.store.retain(slot);
  }

  empty(): void {
    for (let slot = 0; slot < this.rows.length; slot++) this.store.release(slot);
    this.rows.index = 0;
    this.rows.length = 0;
  }
}
