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
 * Rows on disk (state/cold) are brought back before a pass looks them up, some rows of the delta at a time (cold-matches.ts): those with a key of theirs, of the other
 * side, and where it is asked whether a key has got its first match, of the same side. In a first step, rows of the larger side that are on disk are
 * read there, and go through the same pass from a page of their own.
 *
 * Fan-out is unbounded, so a pass stops when the chunk is full and goes on from (delta row, row of the key's list).
 */

import { assert } from "../../base/assert.ts";
import type { JoinType } from "../../plan/plan.ts";
import type { HashIndex, HashIndexSpec } from "../../state/hash-index.ts";
import type { Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Fragment } from "../kernels/code-writer.ts";
import type { Disposable } from "../kernels/operand-writer.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node, type WantedIndex } from "../node.ts";
import { ColdMatches, type Lookup, type Rows, type Want } from "./cold-matches.ts";
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
  wantSource,
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

/** Rows that a pass takes, and how far it has come. */
type DeltaRows = { -readonly [key in keyof Rows]: Rows[key] };

/** Fills `out`; true when it is full and more remains at the delta's index. */
type Pass = (
  delta: DeltaRows,
  epoch: number,
  sign: number,
  from: number,
  to: number,
  out: Chunk,
  state: PassState,
) => boolean;
type Turn = (delta: DeltaRows, from: number, to: number, out: Chunk, state: PassState) => boolean;

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
  /** What each run looks up. */
  readonly lookups: Readonly<Record<Run, readonly Lookup[]>>;
}

type Run = "fromLeft" | "fromRight" | "turnLeft" | "turnRight";

/** Rows of a side that were on disk, and the pass over them. */
interface Page {
  readonly store: Store;
  readonly rows: DeltaRows;
  /** So many rows have been put into it. */
  fill(count: number): void;
  empty(): void;
  readonly pass: Pass;
  readonly lookups: readonly Lookup[];
}

interface Phase {
  readonly run: Run;
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
  readonly #type: JoinType;
  readonly #cold = new ColdMatches(this);
  #page: Page | null = null;
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
    this.#type = type;
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

  /** While it is built from all of history, one that pads walks slots alone. */
  override readsCold(port: number): boolean {
    const keys = port === 0 ? this.#leftKeys : this.#rightKeys;
    return keys.length > 0 && (this.#type === "inner" || !this.host.eager);
  }

  override fetched(): void {
    this.#cold.fetched();
  }

  /** It has failed, or leaves. */
  override stop(): void {
    this.#cold.release();
    this.#leavePage();
    this.#code?.left.close();
    this.#code?.right.close();
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
    if (code.leftIndex !== null) this.#left.store.dropIndex(code.leftIndex, true);
    if (code.rightIndex !== null) this.#right.store.dropIndex(code.rightIndex, true);
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
    const shape = this.#shape();
    const bind = this.#binder({ left: left.store, right: right.store }, leftIndex, rightIndex);
    const lookup = (side: SideName, probed: SideName): Lookup[] => {
      const index = probed === "left" ? leftIndex : rightIndex;
      if (index === null) return [];
      const { store } = probed === "left" ? left : right;
      return [{ store, index, want: bind(wantSource(shape, side, probed)) as Want }];
    };
    const fromLeft = lookup("left", "right");
    const fromRight = lookup("right", "left");
    this.#code = {
      leftIndex,
      rightIndex,
      fromLeft: bind(passSource(shape, "left"), left.rowIndex) as Pass,
      fromRight: bind(passSource(shape, "right"), right.rowIndex) as Pass,
      turnLeft: this.#pads.left ? (bind(turnSource(shape, "right")) as Turn) : null,
      turnRight: this.#pads.right ? (bind(turnSource(shape, "left")) as Turn) : null,
      lookups: {
        fromLeft,
        fromRight,
        turnLeft: this.#pads.left ? [...fromRight, ...lookup("right", "right")] : [],
        turnRight: this.#pads.right ? [...fromLeft, ...lookup("left", "left")] : [],
      },
      ...this.#deltas(),
    };
  }

  /** Makes code over these stores. */
  #binder(
    stores: Readonly<Record<SideName, Store>>,
    leftIndex: HashIndex | null,
    rightIndex: HashIndex | null,
  ): (source: string, rowIndex?: HashIndex | null) => unknown {
    const bound: ReadonlyMap<string, unknown> = this.#stages?.parameters ?? new Map();
    return (source, rowIndex = null) =>
      new Function("L", "R", "leftIndex", "rightIndex", "rowIndex", "sink", ...bound.keys(), source)(
        stores.left,
        stores.right,
        leftIndex,
        rightIndex,
        rowIndex,
        sink,
        ...bound.values(),
      );
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
          this.#workOff(delta, code.lookups[phase.run], (out) => this.#pass(code, phase, delta, out));
          return true;
        }
        if (phase.isOnly === true && this.#workCold(code, phase, delta)) return true;
      }
      const next = this.#phases[this.#phase + 1];
      if (next === undefined) return false;
      this.#phase++;
      this.#state.match = START;
      this.#state.matched = false;
      deltaOf(code, next).start(next.part, next.run === "turnLeft" || next.run === "turnRight");
    }
  }

  /** Takes some of the rows, whose matches are in memory then; or has them fetched. */
  #workOff(rows: DeltaRows, lookups: readonly Lookup[], pass: (out: Chunk) => void): void {
    const ready = this.#cold.ready(rows, lookups, [this.#left.store, this.#right.store]);
    if (ready === 0) return;
    const { index, length } = rows;
    rows.length = Math.min(length, index + ready);
    const out = this.#out.take();
    pass(out);
    rows.length = length;
    this.#cold.took(rows.index - index, this.#state.match === START);
    this.emit(out);
    this.#out.giveBack();
  }

  /** The same for rows of the delta that are on disk. False: there are no more. */
  #workCold(code: Code, phase: Phase, delta: Delta): boolean {
    const page = () => (this.#page ??= this.#newPage(code, phase, delta));
    if (this.#page === null || this.#page.rows.index === this.#page.rows.length) {
      this.#page?.empty();
      const cold = delta.cold(() => page().store);
      if (cold === null) {
        this.#page = null;
        return false;
      }
      if (!("rows" in cold)) {
        this.host.fetch(this, cold);
        return true;
      }
      page().fill(cold.rows);
    }
    const { rows, lookups, pass } = page();
    const { from, to } = this.step;
    this.#workOff(rows, lookups, (out) => {
      out.length = 0;
      pass(rows, to, 1, from, to, out, this.#state);
    });
    return true;
  }

  #leavePage(): void {
    this.#page?.empty();
    this.#page = null;
  }

  #newPage({ leftIndex, rightIndex, lookups }: Code, { run }: Phase, delta: Delta): Page {
    const side = run === "fromLeft" ? "left" : "right";
    const store = delta.page();
    const stores = { left: this.#left.store, right: this.#right.store, [side]: store };
    const bind = this.#binder(stores, leftIndex, rightIndex);
    const shape = this.#shape();
    // A row on disk has no other version.
    const alone = { ...shape, [side]: { ...shape[side], versioned: false } };
    const want = bind(wantSource(alone, side, side === "left" ? "right" : "left")) as Want;
    const rows = { slots: Int32Array.from({ length: CHUNK_ROWS }, (_, i) => i), index: 0, length: 0 };
    return {
      store,
      rows,
      // Its rows wait for others: their texts are counted meanwhile.
      fill(count) {
        rows.index = 0;
        rows.length = count;
        for (let slot = 0; slot < count; slot++) store.retain(slot);
      },
      empty() {
        for (let slot = 0; slot < rows.length; slot++) store.release(slot);
        rows.index = 0;
        rows.length = 0;
      },
      pass: bind(passSource(alone, side)) as Pass,
      lookups: lookups[run].map((lookup) => ({ ...lookup, want })),
    };
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

  #pass(code: Code, { run, part, isOnly = false }: Phase, delta: DeltaRows, out: Chunk): void {
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
    this.stop();
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
  return { node, store: node.store, spec: { columns, unique }, bringsBack: true };
}

function lease(node: StoredNode, keys: readonly number[]): HashIndex | null {
  const want = wanted(node, keys);
  return want === null ? null : node.store.hashIndex(want.spec as HashIndexSpec, true);
}
