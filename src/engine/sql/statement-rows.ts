/** Rows that a statement is given or asks for: constants at once, and answers of queries in the form that expressions take. */
import type { Slices } from "../../base/slices.ts";
import type { Datum } from "../../batch/convert.ts";
import { carrierOf } from "../../batch/types.ts";
import { type EvaluationContext, evaluateExpr } from "../../dataflow/kernels/evaluate.ts";
import * as build from "../../plan/build.ts";
import type { CatalogRelation } from "../../plan/catalog.ts";
import type { Expr } from "../../plan/expression.ts";
import { sourcesOf } from "../../plan/inspect.ts";
import { withLookups } from "../../plan/lookup.ts";
import { optimize } from "../../plan/optimize.ts";
import type { Plan, Query } from "../../plan/plan.ts";
import { relationPlan } from "../../plan/relation-plan.ts";
import type { Core } from "../core.ts";
import { rowsThrough } from "../queries/adhoc.ts";
import { mapInTurns } from "../turns.ts";
import type { FoundRows } from "../write/changes.ts";
import type { Row } from "../write/table-rows.ts";

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

/** FindStored, for one relation. REQUIRES that nobody commits meanwhile. */
export function storedRows(
  core: Core,
  relation: CatalogRelation,
  where: Expr,
  { kept, byLookupOnly, signal }: FoundRows & { readonly signal: AbortSignal | undefined },
): Promise<readonly Row[]> | null {
  const rows = { ...relation, ...relation.identified };
  const plan = optimize(build.filter(relationPlan(rows), where));
  const asked: Query = { plan, order: [], visible: rows.schema.fields.length };
  const query = withLookups(asked, (id) => core.indexes.of(id));
  if (byLookupOnly && sourcesOf(query.plan).some(({ lookup }) => lookup === undefined)) return null;
  const wide = rows.schema.fields.map(({ type }) => carrierOf(type) === "int64");
  const datums = rows.schema.fields.map((): Datum => null);
  const keptWide = (row: Row): Row => {
    for (let i = 0; i < datums.length; i++) {
      const datum = row[i] as Datum;
      datums[i] = wide[i] && typeof datum === "number" ? BigInt(datum) : datum;
    }
    return kept(datums);
  };
  const { epoch, position } = core.stepper;
  return rowsThrough(core, query, { epoch, position }, keptWide, signal);
}
