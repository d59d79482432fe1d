/** Rows that a statement is given: constants at once, and answers of queries in the form that expressions take. */
import type { Slices } from "../../base/slices.ts";
import type { Datum } from "../../batch/convert.ts";
import { carrierOf } from "../../batch/types.ts";
import { type EvaluationContext, evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import type { Plan, Query } from "../../plan/plan.ts";
import { mapInTurns } from "../turns.ts";

/** Rows of VALUES under any number of projections, or null for another plan. */
export function constantRows(plan: Plan, context: EvaluationContext): (readonly Datum[])[] | null {
  if (plan.kind === "values") return plan.rows.map((r) => r);
  if (plan.kind === "union") {
    const inputs = plan.inputs.map((input) => constantRows(input, context));
    return inputs.every((i) => i !== null) ? inputs.flat() : null;
  }
  if (plan.kind !== "project") return null;
  const rows = constantRows(plan.input, context);
  return rows === null ? null : rows.map((row) => plan.exprs.map((e) => evaluateExpr(e, row, context)));
}

/** An answer has safe integers as numbers; expressions and plans take every int8 as a bigint. */
export function wideRows(
  { plan }: Query,
  rows: readonly (readonly Datum[])[],
  slices: Slices,
): Promise<readonly (readonly Datum[])[]> {
  const wide = plan.schema.fields.map(({ type }) => carrierOf(type) === "int64");
  return mapInTurns(rows, slices, (row) =>
    row.map((d, i) => (wide[i] && typeof d === "number" ? BigInt(d) : d)),
  );
}
