/**
 * WITH RECURSIVE: rows found by iterations, kept right when anything changes.
 *
 * Iteration 0 finds the base; iteration i + 1 finds what the step makes of the rows that iteration i has found. With UNION a row is found once,
 * by the first iteration that makes it. So a row's iteration is part of what is kept, and a change is a change of rows *at iterations*:
 *
 *   derived  (row, i) -> in how many ways the step makes the row of rows found in iteration i (the base: i = -1)
 *   found    UNION: (row, k), k = 1 + the least i for which derived has the row.  UNION ALL: derived itself, one iteration on
 *
 * 1. What changed outside is pushed into the loop (loop.ts), which makes of it what it can: changes of `derived` at any iteration.
 * 2. The least iteration k that derived was changed for is taken. Everything before k is settled, so what derived says of it now is
 *    final: rows found at k come or go, and are pushed into the loop, which derives more at k + 1.
 * 3. So on, until nothing is due.
 *
 * A row on a cycle cannot keep itself: when its first derivation goes, it goes, and with it, one iteration after the other, what was
 * made of it; only then its derivation at the next later iteration is looked at, which by then is gone unless it has another reason.
 *
 * The loop's state is not kept over a restart. The result and the inputs are: when an input changes and there is no loop, one is made and
 * run from the inputs' stores, its result takes the place of the old one, and the difference of the two is the delta.
 *
 * A recursion that makes too many rows or goes too deep is an error of this node, as data. The loop is thrown away; when rows have been taken away
 * from its inputs, it is tried again. Nothing else stops, and no state of it is larger than the limit.
 */
import { assert } from "../../base/assert.ts";
import { compiled } from "../../base/compiled.ts";
import { type ErrorBody, EvertError } from "../../base/errors.ts";
import type { Loop } from "../../plan/iterations.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { LIVE, Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import { type CompileLoop, LoopCircuit } from "../loop.ts";
import type { Source } from "../node.ts";
import { changeFunction } from "./change-code.ts";
import { DueRows } from "./due-rows.ts";
import { FirstFound } from "./first-found.ts";
import { RecursionLimit, type RecursionLimits, tooDeep, tooMany } from "./recursion-limits.ts";
import { Scan } from "./scan.ts";
import { applier, StoredNode } from "./stored.ts";

export interface RecursionInput {
  /** Pushes the input's rows. */
  readonly rows: Source;
  /** Keeps them: column i of the input is column columns[i] of the store. */
  readonly stored: StoredNode;
  readonly columns: readonly number[];
}

export interface RecursionSpec {
  readonly identity: string;
  readonly all: boolean;
  /** Of the result, all of them nullable. */
  readonly columns: readonly TypedColumn[];
  readonly loop: Loop;
  readonly inputs: readonly RecursionInput[];
  readonly limits: RecursionLimits;
  readonly compile: CompileLoop;
}

type Phase =
  /** Inputs are pushed. */
  | "feed"
  /** The result's rows are ended, before all are found anew. */
  | "clear"
  /** The inputs' stores are read. */
  | "scan"
  /** The loop derives. */
  | "derive"
  /** Rows are found at iteration #iteration. */
  | "find"
  | "done";

type Change = (
  slot: number,
  base: number,
  sign: number,
  from: number,
  to: number,
  I: Int32Array,
  F: Float64Array,
) => number;

/** Rows per call of work(). */
const CLEARED_MAX = 4096;
const NOTED_MAX = 16_384;
const ITERATION = { type: { name: "int4" }, nullable: false } as const;

export class Recursion extends StoredNode {
  readonly label: string;
  /** UNION: found rows and their iteration. UNION ALL: rows and how often they were found. */
  readonly store: Store;
  readonly weighted: boolean;
  override readonly versioned = true;
  override readonly rowIndex: HashIndex;
  readonly #spec: RecursionSpec;
  /** Columns of the recursion; the iteration is the next one. */
  readonly #width: number;
  readonly #out: Chunk;
  readonly #noNulls = new Uint8Array(CHUNK_ROWS);
  /** UNION ALL: takes what is found in. */
  readonly #addAll: ((chunk: Chunk) => void) | null;
  /** UNION: decides what is found. */
  readonly #first: FirstFound | null;
  #loop: LoopCircuit | null = null;
  #change: Change | null = null;
  #phase: Phase = "done";
  #waiting = false;
  /** Whether, and with rows taken away, an input changed in this step. */
  #changed = false;
  #shrunk = false;
  #tooMuch: ErrorBody | null = null;
  #scan: Scan | null = null;
  #at = 0;
  readonly #due: DueRows;
  #iteration = -1;
  /** UNION ALL: rows found, equal ones counted. */
  #found = 0;
  /** Entries of the derived rows' journal that were looked at. */
  #noted = 0;

  constructor(spec: RecursionSpec, dictionary: Dictionary) {
    super(spec.identity, [
      ...spec.inputs.map(({ rows }) => rows),
      ...spec.inputs.map(({ stored }): Source => ({ node: stored, kind: "store" })),
    ]);
    this.#spec = spec;
    this.label = `recursion over ${spec.inputs.map(({ stored }) => stored.label).join(", ")}`;
    this.errors = new ErrorCollection(this.label, dictionary);
    const { columns, all } = spec;
    this.#width = columns.length;
    this.weighted = all;
    this.store = new Store(this.label, all ? columns : [...columns, ITERATION], dictionary);
    this.rowIndex = this.store.hashIndex({ columns: [...columns.keys()], unique: true, exact: all });
    this.#out = createChunk([...columns, ITERATION]);
    const bag = { mode: "bag", columns, label: this.label } as const;
    this.#addAll = all ? applier(this.store, bag, this.rowIndex).apply : null;
    this.#due = new DueRows(all);
    this.#first = all ? null : new FirstFound(this.store, this.rowIndex, this.#width, this.#due);
  }

  override begin(): void {
    super.begin();
    // As after a start: what changes next makes the loop anew.
    if (this.#loop !== null && this.#loop.epoch >= this.#spec.limits.renewAfter) this.#dropLoop();
    this.#phase = "feed";
    this.#waiting = false;
    this.#changed = false;
  }

  override push(port: number, chunk: Chunk): void {
    this.#changed = true;
    const W = chunk.weights;
    for (let r = 0; r < chunk.length && !this.#shrunk; r++) if ((W[r] as number) < 0) this.#shrunk = true;
    if (this.#loop === null) return;
    this.#pushInput(this.#loop, port, chunk);
    this.#waiting = true;
    this.host.wait(this);
  }

  /** The base's rows are taken as if each of their columns could be null. */
  #pushInput(loop: LoopCircuit, port: number, chunk: Chunk): void {
    const nulls = port === 0 ? chunk.nulls.map((n) => n ?? this.#noNulls) : chunk.nulls;
    loop.pushInput(port, { ...chunk, nulls });
  }

  override work(): boolean {
    try {
      return this.#work();
    } catch (thrown) {
      if (thrown instanceof RecursionLimit) this.#giveUp(thrown.error);
      // One row more often than can be counted.
      else if (thrown instanceof EvertError && thrown.code === "out_of_memory")
        this.#giveUp(tooMany(this.#spec.limits));
      else throw thrown;
      return false;
    }
  }

  #work(): boolean {
    const loop = this.#loop;
    if (loop !== null && this.#phase !== "done" && !loop.run()) {
      this.#checkRows(loop);
      return true;
    }
    if (this.#waiting) {
      // Called amid the input; the node's own turn comes later.
      this.#waiting = false;
      return false;
    }
    switch (this.#phase) {
      case "feed":
        return this.#turn();
      case "clear":
        return this.#clear();
      case "scan":
        return this.#scanInputs();
      case "derive":
        return this.#noteDerived(loop as LoopCircuit) || this.#nextIteration(loop as LoopCircuit);
      case "find":
        return this.#find(loop as LoopCircuit);
      case "done":
        return false;
    }
  }

  /** All inputs are complete. */
  #turn(): boolean {
    const again = this.#loop === null && this.#tooMuch === null && this.#wasTooMuch();
    if (!again && (!this.#changed || (this.#tooMuch !== null && !this.#shrunk))) {
      this.#phase = "done";
      return false;
    }
    if (this.#loop !== null) {
      this.#loop.end();
      this.#phase = "derive";
      return true;
    }
    this.#phase = "clear";
    this.#at = 0;
    return true;
  }

  // ---- from the beginning -----------------------------------------------------------------------------------------

  #clear(): boolean {
    const { store } = this;
    const { deathWord, birthWord, strideWords } = store.layout;
    const end = Math.min(store.highWater, this.#at + CLEARED_MAX);
    for (; this.#at < end; this.#at++) {
      const base = this.#at * strideWords;
      if (store.I[base + birthWord] !== LIVE && store.I[base + deathWord] === LIVE) store.kill(this.#at);
    }
    if (this.#at < store.highWater) return true;
    this.#loop = new LoopCircuit(this.#spec.loop, this.#spec.compile);
    this.#change = this.#spec.all ? changeOf(this.#loop) : null;
    this.#tooMuch = null;
    this.#shrunk = false;
    this.#due.clear();
    this.#phase = "scan";
    this.#at = 0;
    return true;
  }

  #scanInputs(): boolean {
    const loop = this.#loop as LoopCircuit;
    const input = this.#spec.inputs[this.#at];
    if (input === undefined) {
      loop.end();
      this.#phase = "derive";
      return true;
    }
    const node = this.sources[this.#spec.inputs.length + this.#at]!.node as StoredNode;
    this.#scan ??= new Scan(node, input.columns, this.step.to);
    const chunk = this.#scan.next();
    if (chunk !== null) this.#pushInput(loop, this.#at, chunk);
    else {
      this.#scan = null;
      this.#at++;
    }
    return true;
  }

  // ---- iterations -------------------------------------------------------------------------------------------------

  /** What the loop has just derived is due one iteration later. Looks at some of it; false when all was looked at. */
  #noteDerived(loop: LoopCircuit): boolean {
    const { derived, epoch } = loop;
    const { birthWord, strideWords, words } = derived.layout;
    const iterationWord = words[this.#width] as number;
    const { died, born } = derived;
    const end = Math.min(died.length + born.length, this.#noted + NOTED_MAX);
    for (; this.#noted < end; this.#noted++) {
      const sign = this.#noted < died.length ? -1 : 1;
      const slot = (sign < 0 ? died.array[this.#noted] : born.array[this.#noted - died.length]) as number;
      const base = slot * strideWords;
      if (derived.I[base + birthWord] === LIVE) continue;
      const weight =
        this.#change === null ? sign : this.#change(slot, base, sign, epoch - 1, epoch, derived.I, derived.F);
      if (weight !== 0) this.#due.add((derived.I[base + iterationWord] as number) + 1, slot, weight);
    }
    if (end < died.length + born.length) return true;
    // Read; an iteration without input must not find them again.
    died.clear();
    born.clear();
    this.#noted = 0;
    return false;
  }

  #nextIteration(loop: LoopCircuit): boolean {
    this.#checkRows(loop);
    if (this.#due.isEmpty) {
      loop.vacuum(true);
      this.#iteration = -1;
      this.#due.clear();
      this.#settleErrors();
      this.#phase = "done";
      return false;
    }
    loop.vacuum(false);
    do this.#iteration++;
    while (this.#due.at(this.#iteration) === undefined && this.#iteration < this.#due.last);
    if (this.#iteration > this.#spec.limits.iterationsMax)
      throw new RecursionLimit(tooDeep(this.#spec.limits));
    this.#phase = "find";
    this.#at = 0;
    return true;
  }

  /** A chunk of what is due at this iteration. */
  #find(loop: LoopCircuit): boolean {
    const due = this.#due.at(this.#iteration);
    assert(due !== undefined, "iterations are settled in their order");
    if (this.#at >= due.slots.length) {
      this.#due.settled(this.#iteration);
      loop.end();
      this.#phase = "derive";
      return true;
    }
    const out = this.#out;
    out.length = 0;
    // A row may move from one iteration to another: two changes.
    const end = Math.min(due.slots.length, this.#at + CHUNK_ROWS / 2);
    this.store.reserve(end - this.#at + 1);
    if (this.#first !== null) this.#first.settle(loop, this.#iteration, due.slots, this.#at, end, out);
    else {
      for (let i = this.#at; i < end; i++)
        this.#pass(loop.derived, due.slots.array[i] as number, due.weights.array[i] as number);
      this.#addAll?.(out);
    }
    this.#at = end;
    if (out.length > 0) loop.pushFound(out);
    return true;
  }

  /** UNION ALL: what was derived is found. */
  #pass(derived: Store, slot: number, weight: number): void {
    const out = this.#out;
    const o = out.length++;
    derived.read(slot, out.columns, out.nulls, o);
    out.columns[this.#width]![o] = this.#iteration;
    out.weights[o] = weight;
    this.#found += weight;
  }

  // ---- errors and limits ------------------------------------------------------------------------------------------

  #checkRows(loop: LoopCircuit): void {
    const { inputs, limits } = this.#spec;
    let known = 0;
    for (let i = 0; i < inputs.length; i++)
      known += (this.sources[inputs.length + i]!.node as StoredNode).store.live;
    // The loop holds its inputs too.
    if (this.#found > limits.rowsMax || loop.rows > Math.max(limits.rowsMax, known))
      throw new RecursionLimit(tooMany(limits));
  }

  #giveUp(error: ErrorBody): void {
    this.#dropLoop();
    this.#tooMuch = error;
    this.#shrunk = false;
    this.#settleErrors();
    this.#phase = "done";
  }

  #dropLoop(): void {
    this.#loop?.dispose((store) => this.host.bury(store));
    this.#loop = null;
    this.#due.clear();
    this.#found = 0;
    this.#noted = 0;
    this.#scan = null;
    this.#iteration = -1;
  }

  /** Before a restart: the limits may be others now. */
  #wasTooMuch(): boolean {
    const own = this.errors as ErrorCollection;
    if (own.store.live === 0) return false;
    for (const { error } of own.entries()) if (error.code === "recursion_limit") return true;
    return false;
  }

  /** The node's errors become the loop's, and that it was too much. */
  #settleErrors(): void {
    const own = this.errors as ErrorCollection;
    const wanted = new Map<string, { readonly error: ErrorBody; weight: number }>();
    const add = (error: ErrorBody, weight: number): void => {
      const { code, sqlstate, message, detail, hint } = error;
      const name = JSON.stringify([code, sqlstate, message, detail ?? "", hint ?? ""]);
      const known = wanted.get(name);
      if (known === undefined) wanted.set(name, { error, weight });
      else known.weight += weight;
    };
    for (const errors of this.#loop?.errors() ?? [])
      for (const { error, weight } of errors.entries()) add(error, weight);
    if (this.#tooMuch !== null) add(this.#tooMuch, 1);
    for (const { error, weight } of [...own.entries()]) add(error, -weight);
    for (const { error, weight } of wanted.values()) if (weight !== 0) own.add(error, weight);
  }

  override dispose(): void {
    this.#dropLoop();
    super.dispose();
  }

  override code(): string[] {
    return this.#loop?.code() ?? [];
  }
}

/** How much a row in the journal of what was derived has changed. */
function changeOf({ derived, rowIndex }: LoopCircuit): Change {
  const shape = { layout: derived.layout, weighted: true, versioned: true };
  const source = `"use strict"; ${changeFunction("change", shape, "rowIndex")} return change;`;
  return compiled("rowIndex", source)(rowIndex) as Change;
}
