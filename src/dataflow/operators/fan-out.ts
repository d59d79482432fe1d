/** Operators that may make many rows of one: they keep the chunk and work it off, a full chunk of output at a time. */
import type { Dictionary } from "../../state/dictionary.ts";
import type { Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import { Node, type Source } from "../node.ts";
import { PendingRows } from "./pending.ts";

export abstract class FanOut extends Node {
  readonly #pending: PendingRows;

  constructor(identity: string, source: Source, input: readonly TypedColumn[], dictionary: Dictionary) {
    super(identity, [source]);
    this.#pending = new PendingRows(input, dictionary);
  }

  /**
   * Writes rows made of chunk[row ..] until the output is full or the chunk is used up. Gives the row to go on with; how far within it, the
   * operator remembers itself.
   */
  protected abstract fill(chunk: Chunk, row: number, out: Chunk): number;

  protected abstract readonly out: Chunk;

  override begin(): void {
    super.begin();
    this.#pending.clear();
  }

  override push(_port: number, chunk: Chunk): void {
    this.#pending.add(chunk);
    this.host.wait(this);
  }

  override work(): boolean {
    const { chunk, row } = this.#pending;
    if (chunk === undefined) return false;
    const { out } = this;
    out.length = 0;
    const next = this.fill(chunk, row, out);
    this.emit(out);
    return this.#pending.goOn(next);
  }

  override dispose(): void {
    super.dispose();
    this.#pending.clear();
  }
}
