/**
 * What of topics is wanted: the columns that views and builds read, and the rows that matter to a build. The rest is neither decoded nor, where
 * a segment is sealed, read.
 *
 * What views read that run is asked of the circuit, whose operators say it: one that a query or a build still holds after its view has gone reads as
 * before, one that has stopped reads nothing, and nothing is noted that would have to be taken out. Noted is what views read that are yet to join it.
 */
import { assert } from "../../base/assert.ts";
import type { Build, Circuit } from "../../dataflow/circuit.ts";
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
  readonly #circuit: Pick<Circuit, "topics" | "parts">;
  /** By view: what it reads of streams, until it has joined the circuit. It may do so between two records that are fed to that. */
  readonly #planned = new Map<number, Reads>();
  readonly #builds = new WeakMap<Build, BuildReads>();

  constructor(circuit: Pick<Circuit, "topics" | "parts">) {
    this.#circuit = circuit;
  }

  /** A view with this plan is to join the circuit. */
  plan(viewId: number, plan: Plan): void {
    const reads: Reads = new Map();
    addReads(plan, reads);
    this.#planned.set(viewId, reads);
  }

  /** It has joined the circuit, or will not. */
  unplan(viewId: number): void {
    this.#planned.delete(viewId);
  }

  /** What is to be fed to a build. */
  noteBuild(build: Build, plan: Plan): void {
    const reads: Reads = new Map();
    const readsHere: Reads = new Map();
    addReads(plan, reads);
    addReads(plan, readsHere, new Set(build.cuts));
    this.#builds.set(build, { reads, readsHere, ranges: rangesOf(plan) });
  }

  /** Of a stream's so many columns those that views read or will, null: all of them. */
  columns(streamId: number, count: number): ReadonlySet<number> | null {
    const columns = new Set(this.#circuit.parts.wants(streamId));
    const wants = this.#circuit.topics.wants(streamId);
    for (let column = 0; column < count; column++) if (wants(column)) columns.add(column);
    for (const reads of this.#planned.values()) {
      const read = columnsRead(reads, streamId);
      if (read === null) return null;
      for (const column of read) columns.add(column);
    }
    return columns;
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
