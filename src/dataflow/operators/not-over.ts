/**
 * Changes of rows whose time is not over at the end of the step: before a store of rows in their time (temporal.ts).
 *
 * Log time never falls, so a row whose time is over is never shown again: it need not come in. Nor need it be taken away: it was never kept, or is
 * evicted in this step. That keeps history out of the state of a view that is built over it.
 */

import type { Dictionary } from "../../state/dictionary.ts";
import { WIDE } from "../../state/dictionary.ts";
import { type Chunk, createChunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import { Node, type Source } from "../node.ts";

export class NotOver extends Node {
  readonly label: string;
  readonly #until: number;
  readonly #dictionary: Dictionary;
  readonly #out: Chunk;

  /** `until`: the column of the bound, never null. */
  constructor(
    identity: string,
    source: Source,
    columns: readonly TypedColumn[],
    until: number,
    dictionary: Dictionary,
  ) {
    super(identity, [source]);
    this.label = `rows still in time of ${source.node.label}`;
    this.#until = until;
    this.#dictionary = dictionary;
    this.#out = createChunk(columns);
  }

  override push(_port: number, chunk: Chunk): void {
    const { timeTo } = this.step;
    const until = chunk.columns[this.#until] as Float64Array;
    let first = 0;
    while (first < chunk.length && this.#time(until[first] as number) > timeTo) first++;
    if (first === chunk.length) {
      this.emit(chunk);
      return;
    }
    const out = this.#out;
    out.length = 0;
    for (let row = 0; row < chunk.length; row++) {
      if (row >= first && this.#time(until[row] as number) <= timeTo) continue;
      this.#copy(chunk, row);
    }
    this.emit(out);
  }

  #copy(chunk: Chunk, row: number): void {
    const out = this.#out;
    const to = out.length++;
    for (let c = 0; c < chunk.columns.length; c++) {
      out.columns[c]![to] = chunk.columns[c]![row] as number;
      const nulls = out.nulls[c];
      if (nulls != null) nulls[to] = chunk.nulls[c]?.[row] ?? 0;
    }
    out.weights[to] = chunk.weights[row] as number;
    out.commits[to] = chunk.commits[row] as number;
  }

  /** As in temporal.ts. */
  #time(value: number): number {
    return value < WIDE ? value : Number(this.#dictionary.bigint(value));
  }
}
