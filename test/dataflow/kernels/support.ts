/** Rows of constants through compiled kernels and the interpreter, for comparison. */
import { EvertError } from "../../../src/base/errors.ts";
import { formatFloat8 } from "../../../src/batch/format/float8.ts";
import { unscaledToText } from "../../../src/batch/format/numeric.ts";
import { formatTimestamptz } from "../../../src/batch/format/timestamptz.ts";
import { carrierOf, isSmallNumeric, type SqlType } from "../../../src/batch/types.ts";
import { type Chunk, type ChunkColumnSpec, createChunk } from "../../../src/dataflow/chunk.ts";
import { evaluateExpr } from "../../../src/dataflow/kernels/evaluate.ts";
import { compileFilterProject } from "../../../src/dataflow/kernels/filter-project.ts";
import { runtimeOf } from "../../../src/dataflow/kernels/runtime.ts";
import type { CallExpr, ColumnExpr, ConstExpr, Datum, Expr } from "../../../src/plan/expression.ts";
import { type FunctionId, functionInfo, resolveCast } from "../../../src/plan/functions.ts";
import { Dictionary } from "../../../src/state/dictionary.ts";

export function column(index: number, type: SqlType, nullable = true): ColumnExpr {
  return { kind: "column", index, type, nullable };
}

export function constant(value: Datum, type: SqlType): ConstExpr {
  return { kind: "const", value, type };
}

export function call(
  fn: FunctionId,
  args: readonly Expr[],
  type: SqlType = functionInfo(fn).result,
): CallExpr {
  return { kind: "call", fn, args, type };
}

/** A branch of CASE. */
export function branch(when: Expr, then: Expr): { readonly when: Expr; readonly then: Expr } {
  return { when, then };
}

/** The datum PostgreSQL's input function reads from this text. */
export function datum(text: string | null, type: SqlType): Datum {
  if (text === null) return null;
  const found = resolveCast(null, type, "explicit");
  if (found === undefined || found.fn === null) return text;
  return evaluateExpr(call(found.fn, [constant(text, { name: "text" })], type), []);
}

/** PostgreSQL's text output. */
export function datumText(value: Datum, type: SqlType): string | null {
  if (value === null) return null;
  if (type.name === "float8") return formatFloat8(value as number);
  if (type.name === "bool") return value === true ? "t" : "f";
  if (type.name === "timestamptz") return formatTimestamptz(value as bigint);
  if (isSmallNumeric(type)) return unscaledToText(value as bigint, type.scale ?? 0);
  return String(value);
}

/** A datum, or how the expression failed. */
export type Outcome = { readonly datum: Datum } | { readonly sqlstate: string; readonly message: string };

export function interpret(expr: Expr, row: readonly Datum[], columns: readonly SqlType[] = []): Outcome {
  try {
    return { datum: evaluateExpr(expr, row, { columns }) };
  } catch (error) {
    if (!(error instanceof EvertError)) throw error;
    return { sqlstate: error.sqlstate, message: error.message };
  }
}

export function putDatum(
  dictionary: Dictionary,
  chunk: Chunk,
  c: number,
  row: number,
  type: SqlType,
  value: Datum,
): void {
  const nulls = chunk.nulls[c];
  if (nulls) nulls[row] = value === null ? 1 : 0;
  chunk.columns[c]![row] = value === null ? 0 : codeOf(dictionary, type, value);
}

function codeOf(dictionary: Dictionary, type: SqlType, value: Exclude<Datum, null>): number {
  if (typeof value === "bigint") return runtimeOf(dictionary).code(value);
  if (typeof value === "boolean") return value ? 1 : 0;
  if (typeof value === "number") return value;
  return carrierOf(type) === "string" ? dictionary.internString(value) : Number.NaN;
}

export function takeDatum(
  dictionary: Dictionary,
  chunk: Chunk,
  c: number,
  row: number,
  type: SqlType,
): Datum {
  const code = chunk.columns[c]![row]!;
  if (chunk.nulls[c]?.[row] === 1) {
    if (code !== 0) throw new Error("the value of a null is 0");
    return null;
  }
  switch (carrierOf(type)) {
    case "int32":
    case "double":
      return code;
    case "bool":
      return code === 1;
    case "int64":
      return runtimeOf(dictionary).big(code);
    case "string":
      return dictionary.string(code);
  }
}

/** The expression over all rows by one compiled kernel. */
export function runCompiled(
  expr: Expr,
  type: SqlType,
  columns: readonly ChunkColumnSpec[],
  rows: readonly (readonly Datum[])[],
): Outcome[] {
  return run({ predicate: null, exprs: [expr] }, columns, rows, (dictionary, output, o) => {
    return takeDatum(dictionary, output, 0, o, type);
  });
}

/** For each row whether the compiled predicate keeps it, or how it failed. */
export function runFilter(
  predicate: Expr,
  columns: readonly ChunkColumnSpec[],
  rows: readonly (readonly Datum[])[],
): Outcome[] {
  const outcomes = run({ predicate, exprs: null }, columns, rows, () => true);
  return Array.from(outcomes, (o) => o ?? { datum: false });
}

/** Outcomes by input row; none for a row that was filtered out. */
function run(
  what: { readonly predicate: Expr | null; readonly exprs: readonly Expr[] | null },
  columns: readonly ChunkColumnSpec[],
  rows: readonly (readonly Datum[])[],
  take: (dictionary: Dictionary, output: Chunk, row: number) => Datum,
): Outcome[] {
  const dictionary = new Dictionary();
  const input = createChunk(columns, Math.max(1, rows.length));
  rows.forEach((row, i) => {
    for (const [k, c] of columns.entries()) putDatum(dictionary, input, k, i, c.type, row[k]!);
    input.weights[i] = i + 1; // so that each output row says where it comes from
  });
  input.length = rows.length;
  const kernel = compileFilterProject({ input: columns, ...what, dictionary });
  const output = createChunk(kernel.output, Math.max(1, rows.length));
  const outcomes: Outcome[] = new Array(rows.length);
  const end = kernel.run(input, 0, output, (row, error) => {
    outcomes[row] = { sqlstate: error.sqlstate, message: error.message };
  });
  if (end !== rows.length) throw new Error("a kernel handles every row while there is room");
  for (let o = 0; o < output.length; o++)
    outcomes[output.weights[o]! - 1] = { datum: take(dictionary, output, o) };
  kernel.dispose();
  return outcomes;
}
