/**
 * What an aggregate makes of a changing set of rows: a group-by's accumulator, its state in a store of one row, with loops that add rows of the
 * window's input to it, and take them away again.
 */
import { compiled } from "../../base/compiled.ts";
import { float8 } from "../../batch/types.ts";
import type { LayoutColumn } from "../../state/layout.ts";
import { Store } from "../../state/store.ts";
import { type Accumulator, type Place, setReference } from "../aggregates/accumulator.ts";
import { createChunk } from "../chunk.ts";
import type { ScalarError } from "../kernels/errors.ts";
import type { Guard } from "../kernels/guard.ts";
import { runtimeOf } from "../kernels/runtime.ts";
import { readers } from "../operators/row-code.ts";

interface Outcome {
  value: number;
  isNull: number;
  error: ScalarError | null;
}

interface Code {
  /** Takes rows slots[from..to-1] in with weight `w`; gives the place to go on with. */
  readonly take: (slots: Int32Array, from: number, to: number, w: number) => number;
  readonly result: (into: Outcome) => void;
}

const ROWS = 0;
const COUNT = 1;
const STATE = 2;

export class FrameSum {
  readonly outcome: Outcome = { value: 0, isNull: 1, error: null };
  readonly #store: Store;
  readonly #accumulator: Accumulator;
  readonly #code: Code;
  readonly #slot: number;
  /** null: no function of the user is called. */
  readonly #guard: Guard | null;

  /** `args`: columns of the input's store; none: every row counts. */
  constructor(accumulator: Accumulator, input: Store, args: readonly number[]) {
    this.#accumulator = accumulator;
    const counter: LayoutColumn = { type: float8, nullable: false };
    const { dictionary } = input;
    const columns = [counter, counter, ...accumulator.columns];
    this.#store = new Store("a window's frame", columns, dictionary);
    this.#store.reserve(1);
    this.#slot = this.#store.alloc();
    this.#store.insert(this.#slot);
    accumulator.boxed?.bind(this.#store, columns.length - 1);
    this.#guard = accumulator.mayHang ? runtimeOf(dictionary).guard : null;
    this.#code = frameCode(accumulator, this.#store, this.#slot, input, args);
    this.clear();
  }

  add(slots: Int32Array, from: number, to: number): void {
    this.#take(slots, from, to, 1);
  }

  remove(slots: Int32Array, from: number, to: number): void {
    this.#take(slots, from, to, -1);
  }

  #take(slots: Int32Array, from: number, to: number, w: number): void {
    const guard = this.#guard;
    if (guard === null) this.#code.take(slots, from, to, w);
    else
      for (let at = from; at < to; ) {
        const next = at;
        at = guard.run(() => this.#code.take(slots, next, to, w));
      }
  }

  /** The result for the rows that are in, to be read from `outcome`. */
  result(): Outcome {
    this.outcome.error = null;
    if (this.#guard === null) this.#code.result(this.outcome);
    else this.#guard.run(() => this.#code.result(this.outcome));
    return this.outcome;
  }

  /** No rows. */
  clear(): void {
    const { layout, I } = this.#store;
    const base = this.#slot * layout.strideWords;
    layout.columns.forEach((column, i) => {
      if (layout.physical[i] === "ref" && column.nullable) setReference(this.#store, this.#slot, i, null);
    });
    I.fill(0, base, base + layout.weightWord);
    layout.columns.forEach((column, i) => {
      const word = base + (layout.nullWord[i] as number);
      if (column.nullable) I[word] = (I[word] as number) | (1 << (layout.nullBit[i] as number));
    });
    this.#accumulator.boxed?.begin();
  }

  /** The state as it is, to come back to. */
  save(): FrameState {
    this.#accumulator.boxed?.settle(this.#slot);
    const { layout, I, dictionary } = this.#store;
    const base = this.#slot * layout.strideWords;
    const words = I.slice(base, base + layout.weightWord);
    for (const id of this.#references(words)) dictionary.retain(id);
    return words;
  }

  restore(state: FrameState): void {
    this.clear();
    const { layout, I, dictionary } = this.#store;
    for (const id of this.#references(state)) dictionary.retain(id);
    I.set(state, this.#slot * layout.strideWords);
  }

  drop(state: FrameState): void {
    for (const id of this.#references(state)) this.#store.dictionary.release(id);
  }

  #references(words: Int32Array): number[] {
    const { layout } = this.#store;
    return layout.columns.flatMap((_, i) =>
      layout.physical[i] === "ref" ? [words[layout.words[i] as number] as number] : [],
    );
  }
}

export type FrameState = Int32Array;

function frameCode(
  accumulator: Accumulator,
  store: Store,
  slot: number,
  input: Store,
  args: readonly number[],
): Code {
  const { layout } = store;
  const bound = new Map<string, unknown>();
  const place: Place = {
    layout,
    state: accumulator.columns.map((_, i) => STATE + i),
    arg: args.length === 0 ? -1 : 0,
    rest: args.slice(1).map((_, i) => i + 1),
    argNullable: args.length > 0,
    count: args.length === 0 ? ROWS : COUNT,
    mayBeEmpty: true,
    bind(value) {
      for (const [name, known] of bound) if (known === value) return name;
      const name = `f${bound.size}`;
      bound.set(name, value);
      return name;
    },
  };
  const cells = createChunk(
    args.map((c) => ({ ...(input.layout.columns[c] as LayoutColumn), nullable: true })),
    1,
  );
  const { read, isNull } = readers(input.layout, "XI", "XF");
  const counter = (column: number) => `F[(b >> 1) + ${(layout.words[column] as number) >> 1}]`;
  const head = `const I = store.I, F = store.F, g = ${slot}, b = g * ${layout.strideWords};`;
  const reads = args.map((c, i) => {
    const nulls = i > 0 ? ` n${i}[0] = ${isNull(c, "a")};` : "";
    return `c${i}[0] = ${read(c, "a")};${nulls}`;
  });
  const late = accumulator.mayHang ? "if (x > from && guard.late()) break;" : "";
  const skip = args.length === 0 ? "" : `if (${isNull(args[0]!, "a")} === 1) continue;`;
  const source = `"use strict";
  ${args.map((_, i) => `const c${i} = cells.columns[${i}], n${i} = cells.nulls[${i}];`).join(" ")}
  return {
    take(slots, from, to, w) {
      ${head}
      const XI = input.I, XF = input.F, r = 0;
      let x = from;
      for (; x < to; x++) {
        ${late}
        const a = slots[x] * ${input.layout.strideWords};
        ${counter(ROWS)} += w;
        ${skip}
        ${counter(COUNT)} += w;
        ${reads.join(" ")}
        ${accumulator.add(place)}
      }
      return x;
    },
    result(into) {
      ${head}
      let value = 0, isNull = 0, error = null;
      ${accumulator.result(place)}
      into.value = value; into.isNull = isNull; into.error = error;
    },
  };`;
  const known = {
    store,
    input,
    dictionary: store.dictionary,
    cells,
    guard: runtimeOf(store.dictionary).guard,
  };
  const make = compiled(...Object.keys(known), ...bound.keys(), source);
  return make(...Object.values(known), ...bound.values()) as Code;
}
