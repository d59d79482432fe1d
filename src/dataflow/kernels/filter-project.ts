/**
 * The fused loop of filter and project: reads a chunk, keeps the rows for which the predicate is true, and appends what the
 * expressions give to another chunk, weights and commits with them.
 *
 * All expressions of a row are evaluated before any is stored: a row whose expression fails is reported and leaves nothing.
 */
import { assert } from "../../base/assert.ts";
import type { SqlType } from "../../batch/types.ts";
import type { Expr } from "../../plan/expression.ts";
import { nullableOf, typeOf } from "../../plan/inspect.ts";
import type { Dictionary } from "../../state/dictionary.ts";
import type { Chunk, ChunkColumnSpec } from "../chunk.ts";
import { LoopCompiler, type RowReader } from "./compiler.ts";
import { type ScalarError, takeFault } from "./errors.ts";
import type { Operand } from "./operand.ts";
import type { Kernel } from "./operand-writer.ts";

export type OnError = (row: number, error: ScalarError) => void;

/**
 * Handles rows `from`.. of `input` and appends to `output` until one of them ends. Returns the first row not handled (input.length
 * when all were). `onError` gets each row that failed.
 */
export type FilterProject = (input: Chunk, from: number, output: Chunk, onError: OnError) => number;

export interface FilterProjectKernel extends Kernel<FilterProject> {
  /** What the output chunk must be made of. */
  readonly output: readonly ChunkColumnSpec[];
}

export interface FilterProjectSpec {
  readonly input: readonly ChunkColumnSpec[];
  /** null: every row. */
  readonly predicate: Expr | null;
  /** null: the input's columns as they are. */
  readonly exprs: readonly Expr[] | null;
  readonly dictionary: Dictionary;
}

export function compileFilterProject(spec: FilterProjectSpec): FilterProjectKernel {
  const exprs = spec.exprs ?? spec.input.map((c, index): Expr => ({ kind: "column", index, ...c }));
  const output = exprs.map((e): ChunkColumnSpec => ({ type: typeOf(e), nullable: nullableOf(e) }));
  const loop = new LoopCompiler(spec.dictionary);
  const { writer } = loop;
  const row = declareChunk(loop, "input", spec.input, "i");
  declareOutput(loop, output);
  writer.line("const n = input.length;");
  writer.line("const capacity = outWeights.length;");
  writer.line("let i = from;");
  writer.line("let o = output.length;");
  writer.block("for (; i < n && o < capacity; i++)", () => {
    writer.block("row:", () => {
      const scope = { row, onError: "break row;" };
      if (spec.predicate !== null) loop.require(spec.predicate, scope, "continue;");
      const values = exprs.map((expr): [Operand, SqlType] => [loop.expression(expr, scope), typeOf(expr)]);
      const stored = values.map(([value, type]) => loop.stored(value, type));
      stored.forEach((code, k) => {
        writer.line(`out${k}[o] = ${code};`);
        if (output[k]!.nullable) writer.line(`outNulls${k}[o] = ${flag(values[k]![0].isNull)};`);
      });
      writer.line("outWeights[o] = inputWeights[i];");
      writer.line("outCommits[o] = inputCommits[i];");
      writer.line("o++;");
      writer.line("continue;");
    });
    writer.line(`onError(i, ${writer.parameter(takeFault, "takeFault")}());`);
  });
  output.forEach((c, k) => {
    // A chunk may allow nulls where the expression gives none; its arrays are used again and again.
    if (!c.nullable) writer.line(`if (outNulls${k} !== null) outNulls${k}.fill(0, output.length, o);`);
  });
  writer.line("output.length = o;");
  writer.line("return i;");
  return { ...loop.finish<FilterProject>("filterProject", ["input", "from", "output", "onError"]), output };
}

/** 1 or 0 from a condition. */
function flag(isNull: string): string {
  return isNull === "false" ? "0" : isNull === "true" ? "1" : `${isNull} ? 1 : 0`;
}

/** Declares the arrays of a chunk by the name of its variable, and how a row of it is read at `index`. */
export function declareChunk(
  loop: LoopCompiler,
  name: string,
  columns: readonly ChunkColumnSpec[],
  index: string,
): RowReader {
  const { writer } = loop;
  columns.forEach((c, k) => {
    writer.line(`const ${name}${k} = ${name}.columns[${k}];`);
    if (c.nullable) writer.line(`const ${name}Nulls${k} = ${name}.nulls[${k}];`);
  });
  writer.line(`const ${name}Weights = ${name}.weights;`);
  writer.line(`const ${name}Commits = ${name}.commits;`);
  return {
    types: columns.map((c) => c.type),
    value: (k) => `${name}${k}[${index}]`,
    isNull: (k) => (columns[k]!.nullable ? `${name}Nulls${k}[${index}] !== 0` : "false"),
  };
}

function declareOutput(loop: LoopCompiler, output: readonly ChunkColumnSpec[]): void {
  const { writer } = loop;
  output.forEach((c, k) => {
    writer.line(`const out${k} = output.columns[${k}];`);
    writer.line(`const outNulls${k} = output.nulls[${k}];`);
    if (c.nullable)
      writer.line(
        `${writer.parameter(assert, "assert")}(outNulls${k} !== null, "a column with nulls has room for them");`,
      );
  });
  writer.line("const outWeights = output.weights;");
  writer.line("const outCommits = output.commits;");
}
