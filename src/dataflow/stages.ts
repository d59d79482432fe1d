/** Stages of a fused loop: chains of filters and projects taken from plans, and moved onto the columns that are there. */
import { assert } from "../base/assert.ts";
import type { Expr } from "../plan/expression.ts";
import { isFallible, moveColumns, typeOf } from "../plan/inspect.ts";
import type { FilterPlan, Plan, ProjectPlan } from "../plan/plan.ts";
import { identityOfExpr, shortened } from "./identity.ts";
import type { Stage } from "./operators/linear.ts";

export function stageOf(plan: FilterPlan | ProjectPlan): Stage {
  return plan.kind === "filter"
    ? { kind: "filter", predicate: plan.predicate }
    : { kind: "project", exprs: plan.exprs };
}

export function stageIsFallible(stage: Stage): boolean {
  return stage.kind === "filter" ? isFallible(stage.predicate) : stage.exprs.some(isFallible);
}

export function widthOf(input: Plan, stages: readonly Stage[]): number {
  let width = input.schema.fields.length;
  for (const stage of stages) if (stage.kind === "project") width = stage.exprs.length;
  return width;
}

export function isPlain(stage: Stage): boolean {
  return stage.kind === "project" && stage.exprs.every((e) => e.kind === "column");
}

export function stagesIdentity(stages: readonly Stage[]): string {
  const each = stages.map((s) =>
    s.kind === "filter"
      ? `filter ${identityOfExpr(s.predicate)}`
      : `project ${s.exprs.map(identityOfExpr).join()}`,
  );
  return shortened(each.join(" "));
}

/** The stages over fewer columns: everything up to the first project reads the input's rows. */
export function moveFirst(
  stages: readonly Stage[],
  columns: readonly number[],
  move: (c: number) => number,
): { stages: Stage[]; columns: readonly number[] } {
  let inputRow = true;
  const moved = stages.map((stage): Stage => {
    if (!inputRow) return stage;
    if (stage.kind === "filter") return { kind: "filter", predicate: moveColumns(stage.predicate, move) };
    inputRow = false;
    return { kind: "project", exprs: stage.exprs.map((e) => moveLive(e, move)) };
  });
  return { stages: moved, columns: inputRow ? columns.map(move) : columns };
}

/** An expression nobody evaluates may read columns that are not there: it becomes a constant. */
function moveLive(expr: Expr, move: (c: number) => number): Expr {
  let missing = false;
  const moved = moveColumns(expr, (c) => {
    const to = move(c);
    if (to < 0) missing = true;
    return to;
  });
  assert(!missing || !isFallible(expr), "what is evaluated has its columns");
  return missing ? { kind: "const", value: null, type: typeOf(expr) } : moved;
}
