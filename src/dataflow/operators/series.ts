/** generate_series, lateral: each input row with each value from start to stop. Start, stop and step were computed before, as the last columns. */
import type { SqlType } from "../../batch/types.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import { scalarError } from "../kernels/errors.ts";
import { type KernelRuntime, runtimeOf } from "../kernels/runtime.ts";
import type { Source } from "../node.ts";
import { FanOut } from "./fan-out.ts";

const zeroStep = scalarError("invalid_argument", "step size cannot equal zero");

export class Series extends FanOut {
  readonly label: string;
  protected readonly out: Chunk;
  readonly #runtime: KernelRuntime;
  /** Columns passed on; start, stop and step follow them in the input. */
  readonly #width: number;
  #running = false;
  #value: number | bigint = 0;

  constructor(
    identity: string,
    source: Source,
    input: readonly TypedColumn[],
    type: SqlType,
    dictionary: Dictionary,
  ) {
    super(identity, source, input, dictionary);
    this.label = `series over ${source.node.label}`;
    this.errors = new ErrorCollection(this.label, dictionary);
    this.#runtime = runtimeOf(dictionary);
    this.#width = input.length - 3;
    this.out = createChunk([...input.slice(0, this.#width), { type, nullable: false }]);
  }

  override begin(): void {
    super.begin();
    this.#running = false;
  }

  protected override fill(chunk: Chunk, row: number, out: Chunk): number {
    for (; row < chunk.length; row++) {
      const [start, stop, step] = [0, 1, 2].map((i) => this.#bound(chunk, this.#width + i, row));
      if (start === null || stop === null || step === null) continue;
      if (BigInt(step!) === 0n) {
        this.errors!.add(zeroStep, chunk.weights[row]!);
        continue;
      }
      if (!this.#running) this.#value = start!;
      this.#running = true;
      if (!this.#count(chunk, row, out, stop!, step!)) return row;
      this.#running = false;
    }
    return row;
  }

  /** False when the output is full before stop is reached. */
  #count(chunk: Chunk, row: number, out: Chunk, stop: number | bigint, step: number | bigint): boolean {
    const safe = [this.#value, stop, step].every((v) => typeof v === "number" && Math.abs(v) < 2 ** 51);
    let value: number | bigint = safe ? this.#value : BigInt(this.#value);
    const by = safe ? step : BigInt(step);
    for (; by > 0 ? value <= stop : value >= stop; value = (value as number) + (by as number)) {
      if (out.length === CHUNK_ROWS) {
        this.#value = value;
        return false;
      }
      const o = out.length++;
      for (let i = 0; i < this.#width; i++) {
        out.columns[i]![o] = chunk.columns[i]![row]!;
        if (out.nulls[i]) out.nulls[i]![o] = chunk.nulls[i]![row]!;
      }
      out.columns[this.#width]![o] = typeof value === "bigint" ? this.#runtime.code(value) : value;
      out.weights[o] = chunk.weights[row]!;
      out.commits[o] = chunk.commits[row]!;
    }
    return true;
  }

  #bound(chunk: Chunk, column: number, row: number): number | bigint | null {
    if (chunk.nulls[column]?.[row] === 1) return null;
    return this.#runtime.looseInteger(chunk.columns[column]![row]!);
  }
}
