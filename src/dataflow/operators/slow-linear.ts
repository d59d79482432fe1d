/**
 * Filters and projections with what may take milliseconds for a single row: a regular expression that has to try, up to its limit. 4,096 such rows
 * are 40 seconds. So the chunk is kept, and the loop (that of linear.ts) leaves it when its time is over, to go on with the next row when it is
 * called again.
 */

import { systemSlices } from "../../base/slices.ts";
import { isFallible } from "../../plan/inspect.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { Chunk } from "../chunk.ts";
import { createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { Guard } from "../kernels/guard.ts";
import type { Kernel } from "../kernels/operand-writer.ts";
import type { Source } from "../node.ts";
import { FanOut } from "./fan-out.ts";
import { compileStages, type LinearSpec, outputColumns, type Run, reporter, someExpr } from "./linear.ts";

/** After the row in which this is over, the scheduler may look at its own clock. */
const SLICE_MS = 2;

export class SlowLinear extends FanOut {
  readonly label: string;
  protected readonly out: Chunk;
  readonly #kernel: Kernel<Run>;
  readonly #guard: Guard | null;
  #ends = 0;

  constructor(spec: LinearSpec, source: Source, dictionary: Dictionary) {
    super(spec.identity, source, spec.input, dictionary);
    this.label = spec.label;
    if (someExpr(spec.stages, isFallible)) this.errors = new ErrorCollection(spec.label, dictionary);
    this.out = createChunk(outputColumns(spec));
    const isOver = (): boolean => performance.now() >= this.#ends;
    const { kernel, guard } = compileStages(spec, dictionary, reporter(this), { isOver });
    this.#kernel = kernel;
    this.#guard = guard;
  }

  protected override fill(chunk: Chunk, row: number, out: Chunk): number {
    this.#ends = systemSlices.ends(SLICE_MS);
    const run = () => this.#kernel.run(chunk, out, row);
    return this.#guard === null ? run() : this.#guard.run(run);
  }

  override dispose(): void {
    super.dispose();
    this.#kernel.dispose();
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#kernel.source}`];
  }
}
