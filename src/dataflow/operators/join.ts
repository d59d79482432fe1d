/**
 * Equi-join of two stored inputs, inner, left or full.
 *
 * Let L and R be the inputs, ' marking the state after the step, dL and dR their deltas. Then
 *
 *     d(L x R) = dL x R  +  L' x dR
 *
 * so the left delta probes the right store as visible at `from`, then the right delta probes the left store as visible at `to`. All
 * four are read from the stores: nothing is copied or kept, and since versions tell old from new, the two sides may be the same
 * store and may be shared with other joins.
 *
 * A left join also gives a left row without any match, once, with nulls. dL x R gives it by itself. When the right delta takes the
 * first match to a key or the last one away, the null rows of that key's left rows go or come ("turn"). The rows of one key in the right
 * delta must turn it once: the first of them in the key's list does it.
 *
 * A full join does the same for right rows: L' x dR gives a right row alone, and where the left delta takes a first match to a key or
 * the last one away, the null rows of that key's right rows (as they were: dR has its own turn) go or come.
 *
 * In the first step of all (a view that is made of history) there was nothing before: an inner join has one of the two terms only. It looks up the rows of the
 * larger side, in the order in which they lie, in the index of the smaller.
 *
 * Order, so that every prefix is a proper multiset:
 *   dL died, (full: turned,) dL born | dR died, turned, dR born
 *
 * An inner join may have filters and projections of its own that cannot fail: each pair of rows goes through them in the pass, and what they do not let through
 * was never written. Two views that filter the same join in different ways then join twice.
 *
 * Fan-out is unbounded, so a pass stops when the chunk is full and goes on from (delta row, row of the key's list).
 */

import { assert } from "../../base/assert.ts";
import type { JoinType } from "../../plan/plan.ts";
import type { HashIndex, HashIndexSpec } from "../../state/hash-index.ts";
import type { Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Fragment } from "../kernels/code-writer.ts";
import type { Disposable } from "../kernels/operand-writer.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node, type WantedIndex } from "../node.ts";
import { Delta, type Part } from "./delta.ts";
import {
  type JoinIndex,
  type JoinOutput,
  type JoinShape,
  pairReader,
  passSource,
  type SideName,
  type SideShape,
  turnSource,
} from "./join-code.ts";
import { type LinearSpec, outputColumns, stageFragment } from "./linear.ts";
import type { StoredNode } from "./stored.ts";
import { sink } from "./touch-code.ts";

export interface JoinInput {
  readonly node: StoredNode;
  /** Columns of the store that are joined on, pairwise. */
  readonly keys: readonly number[];
}

/** What each pair of an inner join goes through before it comes out: nothing of it can fail. */
export type PairStages = Pick<LinearSpec, "stages" | "columns">;

interface StagedPair extends Fragment, Disposable {
  /** What comes out. */
  readonly columns: readonly TypedColumn[];
}

/** Where a pass stopped: START, or the row of the other side to go on with (-1: its list is at its end). */
export interface PassState {
  match: number;
  matched: boolean;
}
const START = -2;

/** Fills `out`; true when it is full and more remains at the delta's index. */
type Pass = (
  delta: Delta,
  epoch: number,
  sign: number,
  from: number,
  to: number,
  out: Chunk,
  state: PassState,
) => boolean;
type Turn = (delta: Delta, from: number, to: number, out: Chunk, state: PassState) => boolean;

interface Code {
  readonly leftIndex: HashIndex | null;
  readonly rightIndex: HashIndex | null;
  readonly fromLeft: Pass;
  readonly fromRight: Pass;
  /** For the left side's rows, and the right side's. */
  readonly turnLeft: Turn | null;
  readonly turnRight: Turn | null;
  readonly left: Delta;
  readonly right: Delta;
}

interface Phase {
  readonly run: "fromLeft" | "fromRight" | "turnLeft" | "turnRight";
  readonly part: Part;
  /** Whether it meets all of the other side, as it is after the step. */
  readonly isOnly?: boolean;
}

/** An inner join's first step, where all is new: the side with more rows, one after the other, meets the other. */
const firstSteps = {
  left: [{ run: "fromLeft", part: "born", isOnly: true }],
  right: [{ run: "fromRight", part: "born", isOnly: true }],
} as const satisfies Record<SideName, readonly Phase[]>;

/** What a step goes through. */
function phasesOf(type: JoinType): Phase[] {
  const phases: Phase[] = [{ run: "fromLeft", part: "died" }];
  if (type === "full") phases.push({ run: "turnRight", part: "died" }, { run: "turnRight", part: "born" });
  phases.push({ run: "fromLeft", part: "born" }, { run: "fromRight", part: "died" });
  if (type !== "inner") phases.push({ run: "turnLeft", part: "died" }, { run: "turnLeft", part: "born" });
  phases.push({ run: "fromRight", part: "born" });
  return phases;
}

export class Join extends Node {
  readonly label: string;
  readonly #pads: Readonly<Record<SideName, boolean>>;
  readonly #nullSafe: readonly boolean[];
  readonly #leftKeys: readonly number[];
  readonly #rightKeys: readonly number[];
  readonly #outputs: readonly JoinOutput[];
  readonly #stages: StagedPair | null;
  readonly #out: LentChunk;
  readonly #usual: readonly Phase[];
  #phases: readonly Phase[];
  readonly #state: PassState = { match: START, matched: false };
  #code: Code | null = null;
  #phase = -1;

  constructor(
    identity: string,
    type: JoinType,
    left: JoinInput,
    right: JoinInput,
    nullSafe: readonly boolean[],
    outputs: readonly JoinOutput[],
    stages: PairStages | null = null,
  ) {
    super(identity, [
      { node: left.node, kind: "store" },
      { node: right.node, kind: "store" },
    ]);
    this.#pads = { left: type !== "inner", right: type === "full" };
    this.#nullSafe = nullSafe;
    const joined = `${type} join of ${left.node.label} and ${right.node.label}`;
    this.label = stages === null ? joined : `${joined}, filtered`;
    this.#leftKeys = left.keys;
    this.#rightKeys = right.keys;
    this.#outputs = outputs;
    this.#usual = phasesOf(type);
    this.#phases = this.#usual;
    const columns = outputs.map(({ side, column }): TypedColumn => {
      const field = (side === "left" ? left : right).node.store.layout.columns[column]!;
      const padded = side === "right" ? this.#pads.left : this.#pads.right;
      return { type: field.type, nullable: field.nullable || padded };
    });
    this.#stages = stages === null ? null : this.#staged(stages, columns);
    this.#out = new LentChunk(this.#stages?.columns ?? columns);
  }

  #staged(stages: PairStages, input: readonly TypedColumn[]): StagedPair {
    assert(!this.#pads.left && !this.#pads.right, "pairs of an inner join only go through stages");
    const { left, right } = this.#sides();
    const spec = { ...stages, input };
    const row = pairReader({ left, right, outputs: this.#outputs }, input);
    const code = stageFragment(spec, this.#left.store.dictionary, row, "pair");
    return { ...code, columns: outputColumns(spec) };
  }

  get #left(): StoredNode {
    return this.sources[0]!.node as StoredNode;
  }

  get #right(): StoredNode {
    return this.sources[1]!.node as StoredNode;
  }

  override rebind(): void {
    if (this.#code !== null) this.#code = { ...this.#code, ...this.#deltas() };
  }

  override unbind(): void {
    const code = this.#code;
    if (code === null) return;
    this.#code = null;
    if (code.leftIndex !== null) this.#left.store.dropIndex(code.leftIndex);
    if (code.rightIndex !== null) this.#right.store.dropIndex(code.rightIndex);
  }

  override indexes(): WantedIndex[] {
    return [wanted(this.#left, this.#leftKeys), wanted(this.#right, this.#rightKeys)].filter(
      (w) => w !== null,
    );
  }

  /** Makes indexes and code. Done before data comes, or while a build may take its time. */
  override prepare(): void {
    if (this.#code !== null) return;
    const left = this.#left;
    const right = this.#right;
    const leftIndex = lease(left, this.#leftKeys);
    const rightIndex = lease(right, this.#rightKeys);
    const bound: ReadonlyMap<string, unknown> = this.#stages?.parameters ?? new Map();
    const bind = (source: string, rowIndex: HashIndex | null = null): unknown =>
      new Function("L", "R", "leftIndex", "rightIndex", "rowIndex", "sink", ...bound.keys(), source)(
        left.store,
        right.store,
        leftIndex,
        rightIndex,
        rowIndex,
        sink,
        ...bound.values(),
      );
    const shape = this.#shape();
    this.#code = {
      leftIndex,
      rightIndex,
      fromLeft: bind(passSource(shape, "left"), left.rowIndex) as Pass,
      fromRight: bind(passSource(shape, "right"), right.rowIndex) as Pass,
      turnLeft: this.#pads.left ? (bind(turnSource(shape, "right")) as Turn) : null,
      turnRight: this.#pads.right ? (bind(turnSource(shape, "left")) as Turn) : null,
      ...this.#deltas(),
    };
  }

  #deltas(): { left: Delta; right: Delta } {
    return { left: new Delta(this.#left, this), right: new Delta(this.#right, this) };
  }

  override begin(): void {
    super.begin();
    this.prepare();
    this.#phase = -1;
  }

  override push(): void {}

  override work(): boolean {
    const code = this.#code as Code;
    if (this.#phase < 0) this.#phases = this.#phasesNow();
    for (;;) {
      const phase = this.#phases[this.#phase];
      if (phase !== undefined) {
        const delta = deltaOf(code, phase);
        if (delta.more()) {
          const out = this.#out.take();
          this.#pass(code, phase, delta, out);
          this.emit(out);
          this.#out.giveBack();
          return true;
        }
      }
      const next = this.#phases[this.#phase + 1];
      if (next === undefined) return false;
      this.#phase++;
      this.#state.match = START;
      this.#state.matched = false;
      deltaOf(code, next).start(next.part, next.run === "turnLeft" || next.run === "turnRight");
    }
  }

  #phasesNow(): readonly Phase[] {
    if (this.step.from >= 0 || this.#pads.left) return this.#usual;
    const isLeftWalked = this.#left.store.live >= this.#right.store.live;
    const lookedUp = isLeftWalked ? this.#right : this.#left;
    // It is taken as a whole, though no row of it is walked to.
    this.activity.tookRows(
      this.sources.findIndex(({ node }) => node === lookedUp),
      lookedUp.store.live,
    );
    return firstSteps[isLeftWalked ? "left" : "right"];
  }

  override code(): string[] {
    const shape = this.#shape();
    return [
      `// ${this.label}: left delta against right rows\n${passSource(shape, "left")}`,
      `// ${this.label}: right delta against left rows\n${passSource(shape, "right")}`,
      ...(this.#pads.left ? [`// ${this.label}: left rows alone\n${turnSource(shape, "right")}`] : []),
      ...(this.#pads.right ? [`// ${this.label}: right rows alone\n${turnSource(shape, "left")}`] : []),
    ];
  }

  #pass(code: Code, { run, part, isOnly = false }: Phase, delta: Delta, out: Chunk): void {
    const { from, to } = this.step;
    out.length = 0;
    const sign = part === "died" ? -1 : 1;
    if (run === "fromLeft") code.fromLeft(delta, isOnly ? to : from, sign, from, to, out, this.#state);
    else if (run === "fromRight") code.fromRight(delta, to, sign, from, to, out, this.#state);
    else if (run === "turnLeft") (code.turnLeft as Turn)(delta, from, to, out, this.#state);
    else (code.turnRight as Turn)(delta, from, to, out, this.#state);
  }

  #shape(): JoinShape {
    return {
      ...this.#sides(),
      pads: this.#pads,
      nullSafe: this.#nullSafe,
      outputs: this.#outputs,
      stages: this.#stages,
    };
  }

  #sides(): Record<SideName, SideShape> {
    return {
      left: sideShape(this.#left, this.#leftKeys),
      right: sideShape(this.#right, this.#rightKeys),
    };
  }

  override dispose(): void {
    super.dispose();
    this.#stages?.dispose();
  }
}

function deltaOf(code: Code, phase: Phase): Delta {
  return phase.run === "fromLeft" || phase.run === "turnRight" ? code.left : code.right;
}

function sideShape(node: StoredNode, keys: readonly number[]): SideShape {
  const { store, weighted, versioned } = node;
  return { layout: store.layout, weighted, versioned, keys, index: joinIndex(node, keys) };
}

/** The order in which the join's keys stand in the side's index: the node's own key where it is one, else ascending. */
function joinIndex(node: StoredNode, keys: readonly number[]): JoinIndex {
  const key = node.key;
  if (key !== null && key.length === keys.length && key.every((k) => keys.includes(k))) {
    return { columns: key, order: key.map((k) => keys.indexOf(k)), unique: true };
  }
  const order = keys.map((_, i) => i).sort((a, b) => keys[a]! - keys[b]! || a - b);
  return { columns: order.map((i) => keys[i]!), order, unique: false };
}

function wanted(node: StoredNode, keys: readonly number[]): WantedIndex | null {
  if (keys.length === 0) return null;
  const { columns, unique } = joinIndex(node, keys);
  return { node, store: node.store, spec: { columns, unique } };
}

function lease(node: StoredNode, keys: readonly number[]): HashIndex | null {
  const want = wanted(node, keys);
  return want === null ? null : node.store.hashIndex(want.spec as HashIndexSpec);
}
