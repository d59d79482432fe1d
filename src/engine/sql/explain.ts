/**
 * EXPLAIN in words: a plan; with ANALYZE the operators that worked it off, in a query that was run for it or in a living view.
 *
 * As text, one operator a line, inputs below their consumer and indented, as PostgreSQL prints its plans; what stands above already is named and not
 * repeated. As JSON, one document in PostgreSQL's manner; operators are a list, each naming its inputs by their "Id".
 */
import { type OperatorStats, sumOf } from "../../dataflow/operator-stats.ts";
import { type ExplainedPlan, explainedPlan, explainQuery } from "../../plan/explain.ts";
import type { Query } from "../../plan/plan.ts";

/** Operators that ran, and what for. */
export interface Analyzed {
  /** Null: the query itself. */
  readonly view: string | null;
  readonly operators: readonly OperatorStats[];
}

export interface ExplainForm {
  readonly timing: boolean;
  readonly summary: boolean;
  readonly format: "text" | "json";
}

/** `change`: what is done with the query's rows, which then stands above the plan. */
export function explainPlanAs(query: Query, format: ExplainForm["format"], change: string | null): string[] {
  if (format === "json") {
    const plan = explainedPlan(query.plan);
    return jsonLines([{ Plan: planJson(change === null ? plan : { text: change, inputs: [plan] }) }]);
  }
  return change === null ? explainQuery(query) : [change, ...explainQuery(query, 1)];
}

/** `executionMs`: of the query; null where none was run. */
export function explainAnalyzed(
  parts: readonly Analyzed[],
  form: ExplainForm,
  executionMs: number | null,
): string[] {
  if (form.format === "json") return jsonLines(parts.map((part) => partJson(part, form, executionMs)));
  const lines = parts.flatMap((part, i) => [
    ...(i === 0 ? [] : [""]),
    ...(part.view === null ? [] : [`View ${part.view}, since it is kept:`]),
    ...operatorLines(part.operators, form),
    ...(form.summary && part.view !== null ? [`Sum: ${figures(sumOf(part.operators), form)}`] : []),
  ]);
  const timed = form.summary && form.timing && executionMs !== null;
  return timed ? [...lines, `Execution Time: ${executionMs.toFixed(3)} ms`] : lines;
}

function operatorLines(operators: readonly OperatorStats[], form: ExplainForm): string[] {
  const lines: string[] = [];
  const shown = new Set<number>();
  const visit = (place: number, depth: number): void => {
    const operator = operators[place] as OperatorStats;
    const { role } = operator;
    const indent = depth === 0 ? "" : `${" ".repeat(depth * 6 - 4)}->  `;
    if (shown.has(place) && role !== "source") {
      lines.push(`${indent}${operator.operator} (as above)`);
      return;
    }
    shown.add(place);
    const told = role === "source" ? sourceFigures(operator) : figures(operator, form);
    lines.push(`${indent}${operator.operator}${role === "shared" ? ", shared" : ""}  (${told})`);
    const inner = " ".repeat(depth * 6 + 2);
    for (const text of operator.plan) lines.push(`${inner}${text}`);
    for (const input of operator.inputs) visit(input, depth + 1);
  };
  visit(operators.length - 1, 0);
  return lines;
}

type Figures = Pick<OperatorStats, "rowsIn" | "rowsOut" | "bytes" | "coldBytes" | "ms"> & {
  readonly steps?: number;
};

function figures({ rowsIn, rowsOut, bytes, coldBytes, ms, steps }: Figures, form: ExplainForm): string {
  return [
    ...[`in=${rowsIn}`, `out=${rowsOut}`, `bytes=${bytes}`],
    ...coldFigure(coldBytes),
    ...(steps === undefined ? [] : [`steps=${steps}`]),
    ...(form.timing ? [`time=${ms.toFixed(3)} ms`] : []),
  ].join(" ");
}

/** Bytes on disk, where there are any. */
function coldFigure(coldBytes: number): string[] {
  return coldBytes === 0 ? [] : [`cold=${coldBytes}`];
}

/** A stream's rows are in the log. */
function sourceFigures({ operator, rowsKept, bytes, coldBytes }: OperatorStats): string {
  if (operator.startsWith("stream ")) return "read from the log";
  return [`rows=${rowsKept}`, `bytes=${bytes}`, ...coldFigure(coldBytes)].join(" ");
}

// ---- JSON -----------------------------------------------------------------------------------------------------------

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

/** PostgreSQL answers with one row of one value, on several lines. */
function jsonLines(document: Json): string[] {
  return [JSON.stringify(document, null, 2)];
}

function planJson({ text, inputs }: ExplainedPlan): Json {
  return { "Node Type": text, ...(inputs.length === 0 ? {} : { Plans: inputs.map(planJson) }) };
}

function partJson({ view, operators }: Analyzed, form: ExplainForm, executionMs: number | null): Json {
  const time = (name: string, ms: number): { readonly [name: string]: Json } =>
    form.timing ? { [name]: milliseconds(ms) } : {};
  const sum = sumOf(operators);
  const sums = {
    "Rows In": sum.rowsIn,
    "Rows Out": sum.rowsOut,
    Bytes: sum.bytes,
    "Cold Bytes": sum.coldBytes,
    ...time("Time", sum.ms),
  };
  return {
    ...(view === null ? {} : { View: view }),
    Operators: operators.map((o, id) => ({
      Id: id,
      "Node Type": o.operator,
      Plan: o.plan,
      Inputs: o.inputs,
      Role: o.role,
      "Rows Kept": o.rowsKept,
      Bytes: o.bytes,
      "Cold Bytes": o.coldBytes,
      ...(o.role === "source"
        ? {}
        : { "Rows In": o.rowsIn, "Rows Out": o.rowsOut, Steps: o.steps, ...time("Time", o.ms) }),
    })),
    ...(form.summary ? sums : {}),
    ...(form.summary && view === null && executionMs !== null ? time("Execution Time", executionMs) : {}),
  };
}

function milliseconds(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
