/**
 * As-of join: each left row meets the right table as it stood at the row's own commit.
 *
 * Left rows and the table's changes of a step come in whatever order the topics are fed, each in commit order. They are kept until the
 * step's input has ended (or the engine says that no more comes for the commits so far), then merged: all changes of commits up to a
 * left row's are applied to a private table before the row looks its match up. So nothing of it can be shared with
 * ordinary joins, which see a table as of a step.
 */
import { compiled } from "../../base/compiled.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { HashIndex } from "../../state/hash-index.ts";
import { LIVE, Store } from "../../state/store.ts";
import { CHUNK_ROWS, type Chunk, createChunk } from "../chunk.ts";
import type { TypedColumn } from "../js-rows.ts";
import { lostRow } from "../lost-row.ts";
import { Node, type NodeStore, type Source } from "../node.ts";
import { PendingChunks } from "./pending.ts";
import { declareColumns, equalsRow, findArguments, readers, writeRow } from "./row-code.ts";

export interface AsOfJoinSpec {
  readonly identity: string;
  readonly type: "inner" | "left";
  readonly left: readonly TypedColumn[];
  readonly right: readonly TypedColumn[];
  readonly leftKeys: readonly number[];
  readonly rightKeys: readonly number[];
  /** What comes out, from the input chunks. */
  readonly outputs: readonly { readonly side: "left" | "right"; readonly column: number }[];
}

/** Applies changes chunk[r ..] while their commit is at most `commit`; gives the next r. */
type Apply = (chunk: Chunk, r: number, commit: number) => number;
/** Joins left rows order[i ..] while the output has room and their commit is at most `commit`; gives the next i. */
type Probe = (chunk: Chunk, r: number, commit: number, out: Chunk) => number;

interface Code {
  readonly apply: Apply;
  readonly probe: Probe;
}

export class AsOfJoin extends Node {
  readonly label: string;
  readonly store: Store;
  readonly #index: HashIndex;
  readonly #left: PendingChunks;
  readonly #right: PendingChunks;
  readonly #out: Chunk;
  readonly #apply: Apply;
  readonly #probe: Probe;
  readonly #source: string;
  /** Left rows in commit order; null until the merge begins. */
  #runs: Run[] | null = null;
  #run = 0;
  #rightChunk = 0;
  #rightRow = 0;

  constructor(spec: AsOfJoinSpec, left: Source, right: Source, dictionary: Dictionary) {
    super(spec.identity, [left, right]);
    this.label = `as-of ${spec.type} join of ${left.node.label} and ${right.node.label}`;
    this.store = new Store(this.label, spec.right, dictionary);
    this.#index = this.store.hashIndex({ columns: spec.rightKeys, unique: true });
    this.#left = new PendingChunks(spec.left, dictionary);
    this.#right = new PendingChunks(spec.right, dictionary);
    this.#out = createChunk(
      spec.outputs.map(({ side, column }) =>
        side === "left"
          ? spec.left[column]!
          : { ...spec.right[column]!, nullable: spec.right[column]!.nullable || spec.type === "left" },
      ),
    );
    this.#source = joinSource(this.store, spec);
    const make = compiled("store", "find", "lost", this.#source);
    const code = make(this.store, this.#index.find, () => lostRow(this.label)) as Code;
    this.#apply = code.apply;
    this.#probe = code.probe;
  }

  override stores(): NodeStore[] {
    return [{ part: "table", store: this.store }];
  }

  override begin(): void {
    super.begin();
    this.#clear();
  }

  override push(port: number, chunk: Chunk): void {
    (port === 0 ? this.#left : this.#right).add(chunk);
  }

  /** All input of the commits so far is here: joins it now rather than at the end of the step. */
  boundary(): void {
    this.host.wait(this);
  }

  override work(): boolean {
    this.#runs ??= inCommitOrder(this.#left.chunks);
    const run = this.#runs[this.#run];
    if (run === undefined) {
      this.#applyUpTo(Number.POSITIVE_INFINITY);
      this.#clear();
      return false;
    }
    const out = this.#out;
    out.length = 0;
    while (run.row < run.end) {
      const commit = run.chunk.commits[run.row]!;
      this.#applyUpTo(commit);
      const before = run.row;
      run.row = this.#probe(run.chunk, before, commit, out);
      if (run.row === before) break;
    }
    if (run.row === run.end) this.#run++;
    this.emit(out);
    return true;
  }

  override dispose(): void {
    super.dispose();
    this.#clear();
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#source}`];
  }

  #applyUpTo(commit: number): void {
    for (;;) {
      const chunk = this.#right.chunks[this.#rightChunk];
      if (chunk === undefined) return;
      this.#rightRow = this.#apply(chunk, this.#rightRow, commit);
      if (this.#rightRow < chunk.length) return;
      this.#rightChunk++;
      this.#rightRow = 0;
    }
  }

  #clear(): void {
    this.#left.clear();
    this.#right.clear();
    this.#runs = null;
    this.#run = 0;
    this.#rightChunk = 0;
    this.#rightRow = 0;
  }
}

/** Rows chunk[row .. end) of the left side. */
interface Run {
  readonly chunk: Chunk;
  row: number;
  readonly end: number;
}

/** Whole chunks where they follow each other; the inputs of a union do not, and are cut at each commit and sorted. */
function inCommitOrder(chunks: readonly Chunk[]): Run[] {
  const whole = chunks.map((chunk): Run => ({ chunk, row: 0, end: chunk.length }));
  const follow = whole.every(
    ({ chunk }, i) => i === 0 || whole[i - 1]!.chunk.commits[whole[i - 1]!.end - 1]! <= chunk.commits[0]!,
  );
  if (follow) return whole;
  const runs: Run[] = [];
  for (const { chunk, end } of whole) {
    for (let row = 0, next = 0; row < end; row = next) {
      next = row + 1;
      while (next < end && chunk.commits[next] === chunk.commits[row]) next++;
      runs.push({ chunk, row, end: next });
    }
  }
  return runs.sort((a, b) => a.chunk.commits[a.row]! - b.chunk.commits[b.row]!);
}

function joinSource(store: Store, spec: AsOfJoinSpec): string {
  const { layout } = store;
  const { strideWords: stride, deathWord } = layout;
  const { read, isNull } = readers(layout, "I", "F");
  const outer = spec.type === "left";
  const nullable = ({ side, column }: AsOfJoinSpec["outputs"][number]) =>
    side === "left" ? spec.left[column]!.nullable : spec.right[column]!.nullable || outer;
  const declareOut = spec.outputs
    .map(
      (output, i) => `const o${i} = out.columns[${i}]${nullable(output) ? `, z${i} = out.nulls[${i}]` : ""};`,
    )
    .join(" ");
  const copy = (matched: boolean) =>
    spec.outputs
      .map((output, i) => {
        const { side, column } = output;
        if (side === "left")
          return `o${i}[o] = c${column}[r];${nullable(output) ? ` z${i}[o] = n${column}[r];` : ""}`;
        if (!matched) return `o${i}[o] = 0; z${i}[o] = 1;`;
        return `o${i}[o] = ${read(column, "b")};${nullable(output) ? ` z${i}[o] = ${isNull(column, "b")};` : ""}`;
      })
      .join(" ");
  const nullKey = spec.leftKeys.filter((k) => spec.left[k]!.nullable).map((k) => `n${k}[r] === 1`);
  const key = [...spec.leftKeys.map((k) => `c${k}[r]`), "0"].join(", ");
  return `"use strict";
  function apply(chunk, r, commit) {
    store.reserve(chunk.length - r);
    const I = store.I, F = store.F, W = chunk.weights, C = chunk.commits, n = chunk.length;
    ${declareColumns("chunk", spec.right)}
    for (; r < n && C[r] <= commit; r++) {
      if (W[r] > 0) {
        const t = store.alloc(), b = t * ${stride};
        ${writeRow(layout, "b", "r")}
        store.insert(t);
        continue;
      }
      const s = find(${findArguments(spec.right, spec.rightKeys, "r")}), b = s * ${stride};
      if (s < 0 || I[b + ${deathWord}] !== ${LIVE} || !(${equalsRow(layout, "b", "r")})) throw lost();
      store.kill(s);
    }
    return r;
  }
  function probe(chunk, r, commit, out) {
    const I = store.I, F = store.F, W = chunk.weights, C = chunk.commits, n = chunk.length;
    ${declareColumns("chunk", spec.left)}
    ${declareOut}
    let o = out.length;
    for (; r < n && o < ${CHUNK_ROWS} && C[r] === commit; r++) {
      let s = ${nullKey.length === 0 ? "" : `${nullKey.join(" || ")} ? -1 : `}find(${key});
      const b = s * ${stride};
      if (s >= 0 && I[b + ${deathWord}] !== ${LIVE}) s = -1;
      if (s < 0) { ${outer ? copy(false) : "continue;"} } else { ${copy(true)} }
      out.weights[o] = W[r];
      out.commits[o++] = C[r];
    }
    out.length = o;
    return r;
  }
  return { apply, probe };`;
}
