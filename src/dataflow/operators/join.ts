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
 * In the first step of all (a view that is made of history) there was nothing before: an inner join has one of the two terms only. It looks up the
 * rows of the larger side, in the order in which they lie, in the index of the smaller.
 *
 * Order (join-phases.ts), so that every prefix is a proper multiset:
 *   dL died, (full: turned,) dL born | dR died, turned, dR born
 *
 * An inner join may have filters and projections of its own that cannot fail: each pair of rows goes through them in the pass, and what they do not
 * let through was never written. Two views that filter the same join in different ways then join twice.
 *
 * Rows on disk (state/cold) are brought back before a pass looks them up, some rows of the delta at a time (cold-matches.ts): those with a key of
 * theirs, of the other side, and where it is asked whether a key has got its first match, of the same side. Where a key has many, the pass meets them
 * in parts (match-pages.ts). In a first step, rows of the larger side that are on disk are read there, and go through the same pass from a page of
 * their own (join-page.ts).
 *
 * Fan-out is unbounded, so a pass stops when the chunk is full and goes on from (delta row, row of the key's list).
 */

import { assert } from "../../base/assert.ts";
import type { JoinType } from "../../plan/plan.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { Marks } from "../../state/marks.ts";
import type { Store } from "../../state/store.ts";
import type { Chunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Fragment } from "../kernels/code-writer.ts";
import type { Disposable } from "../kernels/operand-writer.ts";
import { LentChunk } from "../lent-chunk.ts";
import { Node, type WantedIndex } from "../node.ts";
import { ColdMatches, type Lookup, type Many, type Want } from "./cold-matches.ts";
import { Delta } from "./delta.ts";
import {
  type JoinOutput,
  type JoinShape,
  pairReader,
  passSource,
  type SideName,
  type SideShape,
  turnSource,
  wantSource,
} from "./join-code.ts";
import { JoinPage } from "./join-page.ts";
import {
  binder,
  deltaSide,
  type Ground,
  newParts,
  type Parts,
  type Pass,
  type Run,
  type Turn,
} from "./join-parts.ts";
import { firstSteps, type Phase, phasesOf, signOf } from "./join-phases.ts";
import { type JoinInput, lease, sideShape, wanted } from "./join-sides.ts";
import { type LinearSpec, outputColumns, stageFragment } from "./linear.ts";
import { type DeltaRows, MatchPages, type PartPasses, type PassState, START } from "./match-pages.ts";
import type { StoredNode } from "./stored.ts";

/** What each pair of an inner join goes through before it comes out: nothing of it can fail. */
export type PairStages = Pick<LinearSpec, "stages" | "columns">;

interface StagedPair extends Fragment, Disposable {
  /** What comes out. */
  readonly columns: readonly TypedColumn[];
}

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
  /** Made when they are needed. */
  readonly parts: Map<Run, Parts>;
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
  /** Rows of the larger side that are on disk; null: none are being read. */
  #page: JoinPage | null = null;
  #many: MatchPages | null = null;
  readonly #usual: readonly Phase[];
  #phases: readonly Phase[];
  readonly #state: PassState = { match: START, matched: false, back: new Marks(), met: new Uint8Array(0) };
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

  override get bytesElsewhere(): number {
    let bytes = this.#cold.bytes + (this.#many?.bytes ?? 0) + (this.#page?.bytes ?? 0);
    // They are kept for the next time.
    if (this.#code !== null) for (const { page } of this.#code.parts.values()) bytes += page.bytes;
    return bytes;
  }

  override get grewElsewhere(): boolean {
    return this.#many !== null || this.#page !== null;
  }

  override fetched(): void {
    this.#cold.fetched();
  }

  /** It has failed, or leaves. */
  override stop(): void {
    this.#cold.release();
    this.#many?.close();
    this.#many = null;
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
    const bind = binder(this.#ground({ leftIndex, rightIndex }));
    const lookup = (side: SideName, probed: SideName): Lookup[] => {
      const index = probed === "left" ? leftIndex : rightIndex;
      if (index === null) return [];
      const { store } = probed === "left" ? left : right;
      return [{ store, index, want: bind(wantSource(shape, side, probed)) as Want, isOwn: side === probed }];
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
      parts: new Map(),
      ...this.#deltas(),
    };
  }

  #ground({ leftIndex, rightIndex }: Pick<Ground, "leftIndex" | "rightIndex">): Ground {
    const [left, right] = [this.#left.store, this.#right.store];
    return { left, right, leftIndex, rightIndex, parameters: this.#stages?.parameters ?? new Map() };
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
    if (this.#many !== null) {
      this.#workMany(this.#many);
      return true;
    }
    if (this.#phase < 0) this.#phases = this.#phasesNow();
    for (;;) {
      const phase = this.#phases[this.#phase];
      if (phase !== undefined) {
        const delta = deltaOf(code, phase);
        if (delta.more()) {
          this.#workOff(
            delta,
            code.lookups[phase.run],
            (out) => this.#pass(code, phase, delta, out),
            (rows, many) => this.#inParts(phase, rows, many, this.#partsOf(code, phase.run)),
          );
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

  /** Takes some of the rows, whose matches are in memory then; or has them fetched. Where they are too many, some of the rows meet them in parts. */
  #workOff(
    rows: DeltaRows,
    lookups: readonly Lookup[],
    pass: (out: Chunk) => void,
    inParts: (slots: Int32Array, many: Many) => MatchPages,
  ): void {
    const ready = this.#cold.ready(rows, lookups, [this.#left.store, this.#right.store]);
    if (ready === 0) return;
    const { index, length } = rows;
    const many = this.#cold.takeMany();
    if (many !== null) {
      // The delta may be found anew meanwhile: these rows are taken.
      rows.index += ready;
      this.#many = inParts(rows.slots.slice(index, index + ready), many);
      return;
    }
    rows.length = Math.min(length, index + ready);
    const out = this.#out.take();
    pass(out);
    rows.length = length;
    this.#cold.took(rows.index - index, this.#state.match === START);
    this.emit(out);
    this.#out.giveBack();
  }

  #workMany(many: MatchPages): void {
    const out = this.#out.take();
    const reading = many.work(out);
    if (reading !== null) this.host.fetch(this, reading);
    this.emit(out);
    this.#out.giveBack();
    if (many.isOver) this.#many = null;
  }

  #inParts(
    phase: Phase,
    slots: Int32Array,
    { scan }: Many,
    parts: Parts,
    store = this.#deltaStore(phase.run),
  ): MatchPages {
    const { from, to } = this.step;
    const sign = signOf(phase);
    const epoch = phase.run === "fromLeft" && phase.isOnly !== true ? from : to;
    const bound = (pass: Pass) => (rows: DeltaRows, out: Chunk, state: PassState) =>
      pass(rows, epoch, sign, from, to, out, state);
    const { here, inPage, alone, page } = parts;
    const passes: PartPasses = {
      here: bound(here),
      inPage: bound(inPage),
      alone: alone === null ? null : bound(alone),
    };
    const { length } = slots;
    return new MatchPages(scan, page, passes, slots, store, () => this.#cold.took(length, true));
  }

  #deltaStore(run: Run): Store {
    return (deltaSide(run) === "left" ? this.#left : this.#right).store;
  }

  #partsOf(code: Code, run: Run): Parts {
    const known = code.parts.get(run);
    if (known !== undefined) return known;
    const { rowIndex } = deltaSide(run) === "left" ? this.#left : this.#right;
    const parts = newParts(run, this.#shape(), this.#ground(code), rowIndex);
    code.parts.set(run, parts);
    return parts;
  }

  /** The same for rows of the delta that are on disk. False: there are no more. */
  #workCold(code: Code, phase: Phase, delta: Delta): boolean {
    const page = () => (this.#page ??= this.#newPage(code, phase, delta));
    if (this.#page === null || this.#page.isOver) {
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
    const { rows, lookups, pass, store } = page();
    const { from, to } = this.step;
    this.#workOff(
      rows,
      lookups,
      (out) => {
        out.length = 0;
        pass(rows, to, 1, from, to, out, this.#state);
      },
      (slots, many) => this.#inParts(phase, slots, many, page().parts, store),
    );
    return true;
  }

  #leavePage(): void {
    this.#page?.empty();
    this.#page = null;
  }

  #newPage(code: Code, { run }: Phase, delta: Delta): JoinPage {
    return new JoinPage(run, delta.page(), this.#shape(), this.#ground(code), code.lookups[run]);
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

  #pass(code: Code, phase: Phase, delta: DeltaRows, out: Chunk): void {
    const { run, isOnly = false } = phase;
    const { from, to } = this.step;
    out.length = 0;
    const sign = signOf(phase);
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

function deltaOf(code: Code, { run }: Phase): Delta {
  return deltaSide(run) === "left" ? code.left : code.right;
}
