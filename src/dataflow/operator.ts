/**
 * What every operator is, and the order in which things come.
 *
 * Two ways data moves. Rows are *pushed* in chunks along "rows" edges. A Store is *read* along "store" edges: its consumer is told nothing,
 * but comes later in the order and reads the store's journal of the step (what was born, what died) and any of its indexes.
 *
 * A step
 * 1. begin: an operator forgets its last step and its stores take the new epoch. In the live circuit it does so when the step first concerns
 *    it (graph.ts), and is left alone otherwise.
 * 2. While the engine feeds, chunks are pushed. An operator that keeps state takes a chunk into its store at once and emits nothing;
 *    one without state passes its output on at once. One whose output may be longer than its input (a flatMap, a series) copies the
 *    chunk and asks the scheduler to be called before anything else happens.
 * 3. end: the operators concerned are called in topological order, each until it has emitted its whole delta. So when an operator's turn
 *    comes, its inputs are complete, and no input is ever kept waiting in a queue.
 *
 * Contract
 * - `push(port, chunk)`: the operator is done with the chunk when it returns.
 * - `work()` emits at most one chunk, keeps where it was, and returns true while more remains. It never waits and never
 *   pauses; between two calls the scheduler may return to the event loop.
 * - Every prefix of what an operator emits in a step, applied to its output before the step, is a proper multiset (no negative
 *   weights), and where the plan has a key, unique in it. So rows that leave are emitted before rows that come.
 * - Readers see nothing of a step before it is complete: state is versioned by epoch (see state/README.md).
 */
import type { Chunk } from "./chunk.ts";

export interface Operator {
  begin(): void;
  push(port: number, chunk: Chunk): void;
  work(): boolean;
}

/**
 * The epochs between which a step leads: everything visible at `to` that was not at `from`, and the reverse. And the log's time at both,
 * in microseconds since 1970.
 */
export interface Step {
  /** -1: before everything. */
  from: number;
  to: number;
  timeFrom: number;
  timeTo: number;
}
