/**
 * What of topics is wanted: the columns that views and builds read, and the rows that matter to a build. The rest is neither decoded nor, where
 * a segment is sealed, read.
 */
import { assert } from "../../base/assert.ts";
import type { Build } from "../../dataflow/circuit.ts";
import type { ColumnRange } from "../../log/log.ts";
import type { Plan } from "../../plan/plan.ts";
import { addReads, columnsRead, type Reads, wantsOf } from "../../plan/reads.ts";
import { type Ranges, rangesOf } from "./ranges.ts";

interface BuildReads {
  readonly reads: Reads;
  /** Of it, what is not read by other threads alone. */
  readonly readsHere: Reads;
  readonly ranges: Ranges;
}

export class Wanted {
  /** What views read of streams, those that are yet to be filled included: they may join the circuit between two records that are fed to it. */
  readonly #reads: Reads = new Map();
  /** Of it, what is not read by other threads alone. */
  readonly #readsHere: Reads = new Map();
  readonly #builds = new WeakMap<Build, BuildReads>();

  /** A view with this plan is to be kept. */
  addPlanned(plan: Plan): void {
    addReads(plan, this.#reads);
  }

  /** It has joined the circuit. `cuts`: the parts of its plan that other threads keep. */
  addJoined(plan: Plan, cuts: readonly Plan[]): void {
    addReads(plan, this.#readsHere, new Set(cuts));
  }

  /** What is to be fed to a build. */
  noteBuild(build: Build, plan: Plan): void {
    const reads: Reads = new Map();
    const readsHere: Reads = new Map();
    addReads(plan, reads);
    addReads(plan, readsHere, new Set(build.cuts));
    this.#builds.set(build, { reads, readsHere, ranges: rangesOf(plan) });
  }

  /** Columns of a stream that live views read on this thread. */
  wants(streamId: number): (column: number) => boolean {
    return wantsOf(this.#readsHere, streamId);
  }

  /** Columns of a stream that live views read, null: all of them. */
  columns(streamId: number): ReadonlySet<number> | null {
    return columnsRead(this.#reads, streamId);
  }

  /** Columns of a topic that a build reads on this thread. */
  buildWants(topicId: number, build: Build): (column: number) => boolean {
    return build.tables.includes(topicId) ? () => true : wantsOf(this.#readsOf(build).readsHere, topicId);
  }

  /** Columns of a topic that a build reads, null: all of them. */
  buildColumns(topicId: number, build: Build): ReadonlySet<number> | null {
    return build.tables.includes(topicId) ? null : columnsRead(this.#readsOf(build).reads, topicId);
  }

  /** In which rows of a stream must lie to matter to the build. */
  buildRanges(topicId: number, build: Build): readonly ColumnRange[] {
    return build.ordered ? [] : (this.#readsOf(build).ranges.get(topicId) ?? []);
  }

  #readsOf(build: Build): BuildReads {
    const noted = this.#builds.get(build);
    assert(noted !== undefined, "what a build reads is noted before it is fed");
    return noted;
  }
}
