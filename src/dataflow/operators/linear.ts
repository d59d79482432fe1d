/**
 * Filters and projections between two operators with state, fused into one generated loop.
 *
 * The stages run in the plan's order for one row after the other. A filter's row that is not true leaves; a project's values are
 * constants of the loop's body for the stages behind it. What may fail is evaluated where the plan says, even when nobody wants its value;
 * what cannot fail only if somebody does. A row that fails becomes an error of this node.
 *
 * Texts that are only passed on may come late (Chunk.late): then those of the rows that the filters let through are interned, and no others.
 */
import { assert } from "../../base/assert.ts";
import { physicalOf } from "../../batch/types.ts";
import type { Expr } from "../../plan/expression.ts";
import { columnsOf, isFallible, mayHang, nullableOf, typeOf } from "../../plan/inspect.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import { CHUNK_ROWS, type Chunk, type LateTexts } from "../chunk.ts";
import { ErrorCollection } from "../error-collection.ts";
import type { TypedColumn } from "../js-rows.ts";
import type { Fragment } from "../kernels/code-writer.ts";
import { LoopCompiler, type RowReader } from "../kernels/compiler.ts";
import { takeFault } from "../kernels/errors.ts";
import type { Guard } from "../kernels/guard.ts";
import type { Disposable, Kernel } from "../kernels/operand-writer.ts";
import { LentChunk } from "../lent-chunk.ts";
import { type Interest, Node, type Source } from "../node.ts";

export type Stage =
  | { readonly kind: "filter"; readonly predicate: Expr }
  | { readonly kind: "project"; readonly exprs: readonly Expr[] };

/** Input rows of the rows that came out, where columns may come late. They are looked at before others are noted. */
const keptRows = new Int32Array(CHUNK_ROWS);

/** Handles rows `from`.. and gives the row to go on with: before the end only where functions of the user, or patterns, take their time. */
export type Run = (chunk: Chunk, out: Chunk, from: number) => number;

export interface LinearSpec {
  readonly identity: string;
  readonly label: string;
  readonly input: readonly TypedColumn[];
  readonly stages: readonly Stage[];
  /** Columns of the last stage's rows that come out. */
  readonly columns: readonly number[];
}

export class Linear extends Node {
  readonly label: string;
  override readonly isRowForRow: boolean;
  readonly #kernel: Kernel<Run>;
  readonly #out: LentChunk;
  /** null: no function of the user is called that may never return. */
  readonly #guard: Guard | null;
  /** By input column: where it comes out as it is, if it may come late; else null. */
  readonly #passes: readonly (readonly number[] | null)[];

  constructor(spec: LinearSpec, source: Source, dictionary: Dictionary) {
    super(spec.identity, [source]);
    this.label = spec.label;
    if (someExpr(spec.stages, isFallible)) this.errors = new ErrorCollection(spec.label, dictionary);
    this.isRowForRow = this.errors === null && spec.stages.every(({ kind }) => kind === "project");
    this.#out = new LentChunk(outputColumns(spec));
    this.#passes = passedTexts(spec);
    const kept = this.#passes.some((places) => places !== null) ? keptRows : null;
    const { kernel, guard } = compileStages(spec, dictionary, reporter(this), { kept });
    this.#kernel = kernel;
    this.#guard = guard;
  }

  override interest(column: number): Interest {
    return (this.#passes[column] ?? null) === null ? "filled" : "late";
  }

  override push(_port: number, chunk: Chunk): void {
    const out = this.#out.take();
    if (this.#guard === null) this.#kernel.run(chunk, out, 0);
    else this.#runGuarded(chunk, this.#guard, out);
    if (chunk.late !== null) this.#internLate(chunk.late, out);
    this.emit(out);
    this.#out.giveBack();
  }

  #runGuarded(chunk: Chunk, guard: Guard, out: Chunk): void {
    for (let row = 0; row < chunk.length; ) {
      const from = row;
      row = guard.run(() => this.#kernel.run(chunk, out, from));
    }
  }

  #internLate(late: readonly (LateTexts | null)[], out: Chunk): void {
    for (let c = 0; c < late.length; c++) {
      const texts = late[c] as LateTexts | null;
      if (texts === null) continue;
      const [first, ...others] = this.#passes[c] as readonly number[];
      const ids = out.columns[first as number] as Int32Array;
      texts.intern(keptRows, out.length, ids);
      for (const other of others) (out.columns[other] as Int32Array).set(ids.subarray(0, out.length));
    }
  }

  override dispose(): void {
    super.dispose();
    this.#kernel.dispose();
  }

  override code(): string[] {
    return [`// ${this.label}\n${this.#kernel.source}`];
  }
}

export function outputColumns({
  input,
  stages,
  columns,
}: Pick<LinearSpec, "input" | "stages" | "columns">): TypedColumn[] {
  let row: readonly TypedColumn[] = input;
  for (const stage of stages) {
    if (stage.kind === "project")
      row = stage.exprs.map((e) => ({ type: typeOf(e), nullable: nullableOf(e) }));
  }
  return columns.map((c) => row[c]!);
}

/**
 * By input column: the places where it comes out, if all that the loop does with it is to pass it on, and a filter may spare it that; else null. Only
 * texts.
 */
function passedTexts({
  input,
  stages,
  columns,
}: Pick<LinearSpec, "input" | "stages" | "columns">): (number[] | null)[] {
  const looked = new Set<number>();
  /** Of the row in hand: the input column that each of its columns is, -1 where it is computed. */
  let row = input.map((_, c) => c);
  const look = (expr: Expr) => {
    for (const c of columnsOf(expr)) looked.add(row[c]!);
  };
  for (const stage of stages) {
    if (stage.kind === "filter") look(stage.predicate);
    else {
      for (const expr of stage.exprs) if (expr.kind !== "column") look(expr);
      row = stage.exprs.map((e) => (e.kind === "column" ? row[e.index]! : -1));
    }
  }
  const filters = stages.some((stage) => stage.kind === "filter");
  return input.map(({ type }, c) => {
    const places = columns.flatMap((from, i) => (row[from] === c ? [i] : []));
    const passes = filters && physicalOf(type) === "ref" && !looked.has(c) && places.length > 0;
    return passes ? places : null;
  });
}

/** Per stage, which columns of the row before it are looked at by it or by what comes behind. */
export function liveColumns(stages: readonly Stage[], columns: readonly number[]): Set<number>[] {
  const live: Set<number>[] = [];
  let wanted = new Set(columns);
  for (let i = stages.length - 1; i >= 0; i--) {
    const stage = stages[i]!;
    if (stage.kind === "filter") wanted = new Set([...wanted, ...columnsOf(stage.predicate)]);
    else {
      const evaluated = stage.exprs.filter((e, at) => wanted.has(at) || isFallible(e));
      wanted = new Set(evaluated.flatMap((e) => [...columnsOf(e)]));
    }
    live[i] = wanted;
  }
  return live;
}

/** Takes the error of a row that left a loop. */
export function reporter(node: Node): (weight: number) => void {
  return (weight) => {
    const error = takeFault();
    assert(error !== null, "a row that leaves a loop left its error");
    node.errors!.add(error, weight);
  };
}

export function compileStages(
  spec: LinearSpec,
  dictionary: Dictionary,
  report: (weight: number) => void,
  { kept = null, isOver = null }: { kept?: Int32Array | null; isOver?: (() => boolean) | null },
): { readonly kernel: Kernel<Run>; readonly guard: Guard | null } {
  const loop = new LoopCompiler(dictionary);
  const { writer } = loop;
  const live = liveColumns(spec.stages, spec.columns);
  const first = live[0] ?? new Set(spec.columns);
  writer.line("const n = chunk.length, weights = chunk.weights, commits = chunk.commits;");
  writer.line("const outWeights = out.weights, outCommits = out.commits;");
  for (const c of first) {
    const nulls = spec.input[c]!.nullable ? `, inNulls${c} = chunk.nulls[${c}]` : "";
    writer.line(`const in${c} = chunk.columns[${c}]${nulls};`);
  }
  const outputs = outputColumns(spec);
  outputs.forEach((column, i) => {
    writer.line(
      `const out${i} = out.columns[${i}]${column.nullable ? `, outNulls${i} = out.nulls[${i}]` : ""};`,
    );
  });
  writer.line("let o = from === 0 ? 0 : out.length;");
  const hangs = someExpr(spec.stages, mayHang);
  const late = [
    ...(hangs ? [`${loop.guard}.late()`] : []),
    ...(isOver === null ? [] : [`${writer.parameter(isOver, "isOver")}()`]),
  ];
  writer.line("let i = from;");
  writer.block("for (; i < n; i++)", () => {
    if (late.length > 0) writer.line(`if (i > from && (${late.join(" || ")})) break;`);
    writer.block("row:", () => {
      const row = spec.stages.reduce<RowReader>(
        (reader, stage, at) =>
          compileStage(loop, stage, reader, live[at + 1] ?? new Set(spec.columns), IN_LOOP),
        chunkRow(spec.input),
      );
      outputs.forEach((column, i) => {
        const from = spec.columns[i]!;
        if (column.nullable) writer.line(`outNulls${i}[o] = ${nullByte(row.isNull(from))};`);
        writer.line(`out${i}[o] = ${row.value(from)};`);
      });
      if (kept !== null) writer.line(`${writer.parameter(kept, "kept")}[o] = i;`);
      writer.line("outWeights[o] = weights[i]; outCommits[o++] = commits[i];");
      writer.line("continue;");
    });
    writer.line(`${writer.parameter(report, "report")}(weights[i]);`);
  });
  writer.line("out.length = o;");
  writer.line("return i;");
  const kernel = loop.finish<Run>("linear", ["chunk", "out", "from"]);
  return { kernel, guard: hangs ? loop.runtime.guard : null };
}

export function someExpr(stages: readonly Stage[], test: (expr: Expr) => boolean): boolean {
  return stages.some((s) => (s.kind === "filter" ? test(s.predicate) : s.exprs.some((e) => test(e))));
}

/**
 * Stages none of which can fail, as lines within the loop of another operator: they leave the block `label` where a filter does not let the row
 * through, and otherwise end by writing the columns to row o of o0.. and z0...
 */
export function stageFragment(
  { input, stages, columns }: Pick<LinearSpec, "input" | "stages" | "columns">,
  dictionary: Dictionary,
  first: RowReader,
  label: string,
): Fragment & Disposable {
  assert(!someExpr(stages, isFallible), "a row does not fail within another operator's loop");
  const loop = new LoopCompiler(dictionary);
  const live = liveColumns(stages, columns);
  // A call may be known not to fail by its constants (plan/sound-calls.ts), which its code looks at all the same.
  const exits = { leave: `break ${label};`, onError: 'throw new Error("an expression failed that cannot");' };
  const row = stages.reduce<RowReader>(
    (reader, stage, at) => compileStage(loop, stage, reader, live[at + 1] ?? new Set(columns), exits),
    first,
  );
  outputColumns({ input, stages, columns }).forEach((column, i) => {
    if (column.nullable) loop.writer.line(`z${i}[o] = ${nullByte(row.isNull(columns[i]!))};`);
    loop.writer.line(`o${i}[o] = ${row.value(columns[i]!)};`);
  });
  return loop.fragment();
}

function nullByte(isNull: string): string {
  return isNull === "false" ? "0" : isNull === "true" ? "1" : `${isNull} ? 1 : 0`;
}

function chunkRow(input: readonly TypedColumn[]): RowReader {
  return {
    types: input.map((c) => c.type),
    value: (c) => `in${c}[i]`,
    isNull: (c) => (input[c]!.nullable ? `(inNulls${c}[i] === 1)` : "false"),
  };
}

/** Where a row goes that a filter does not let through, and one that fails. */
interface Exits {
  readonly leave: string;
  readonly onError: string;
}

const IN_LOOP: Exits = { leave: "continue;", onError: "break row;" };

function compileStage(
  loop: LoopCompiler,
  stage: Stage,
  row: RowReader,
  wanted: ReadonlySet<number>,
  { leave, onError }: Exits,
): RowReader {
  const scope = { row, onError };
  if (stage.kind === "filter") {
    loop.require(stage.predicate, scope, leave);
    return row;
  }
  const types = stage.exprs.map(typeOf);
  const operands = stage.exprs.map((expr, i) => {
    if (!wanted.has(i) && !isFallible(expr)) return null;
    const operand = loop.expression(expr, scope);
    const stored = wanted.has(i) ? loop.stored(operand, types[i]!) : "0";
    return { code: stored, isNull: operand.isNull };
  });
  return { types, value: (c) => operands[c]!.code, isNull: (c) => operands[c]!.isNull };
}
