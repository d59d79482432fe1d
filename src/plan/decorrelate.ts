/**
 * Subqueries and LATERAL items as joins. After Neumann and Kemper, "Unnesting Arbitrary Queries" (BTW 2015).
 *
 * An apply evaluates its right side R once per left row. All left rows that agree in the columns R reads get the same answer, so
 *
 *     L apply R  =  L join R' on those columns (null meeting null),   R' = R over D,   D = distinct(those columns of L)
 *
 * where "R over D" (dependent.ts) gives R's rows for each row of D, with D's columns after its own. It moves down R until what is below reads
 * nothing of L any more, and is a cross join there; on the way
 * - what was an outer column becomes a column of D,
 * - a group, a distinct, the partition of a top-k or window has D's columns too,
 * - an aggregate without GROUP BY answers also where D's row has no rows: D left-joins it, and a count is 0 then,
 * - a join of two sides that both read L joins them on D's columns too.
 *
 * Where a filter equates each of the columns with something of the subquery itself (o.customer = c.id), D is not needed: that something
 * takes its place. R' then has rows for values that no left row has; the join drops them. It must not make errors of them, so this is
 * left out where R can fail; and equal must mean the same, which it does not for 1.0 and 1.00.
 *
 * Inner applies come first, so that what an outer one sees has none.
 */
import * as build from "./build.ts";
import { Dependent } from "./dependent.ts";
import type { Expr } from "./expression.ts";
import { inputsOf, isFallible, isTotal, mapChildren } from "./inspect.ts";
import { exprsOf, withInputs } from "./nodes.ts";
import { outerColumns } from "./outer-columns.ts";
import { outerJoin } from "./outer-join.ts";
import type { ApplyPlan, Plan, TableFunctionPlan } from "./plan.ts";

/** The same rows without applies. */
export function decorrelate(plan: Plan): Plan {
  // A subquery's plan may stand in several places; each is rewritten once.
  const done = new Map<Plan, Plan>();
  const visit = (at: Plan): Plan => {
    const known = done.get(at);
    if (known !== undefined) return known;
    const over = withInputs(at, inputsOf(at).map(visit));
    const made = over.kind === "apply" ? joined(unconditional(over)) : over;
    done.set(at, made);
    return made;
  };
  return visit(plan);
}

/** ON true asks nothing of the pairs. */
function unconditional(apply: ApplyPlan): ApplyPlan {
  const { residual } = apply;
  return residual?.kind === "const" && residual.value === true
    ? build.apply({ ...apply, residual: null })
    : apply;
}

function joined(apply: ApplyPlan): Plan {
  const { id, type, left, right, residual, schema } = apply;
  const columns = outerColumns(right, id);
  if (columns.length === 0) return joinOf({ type, left, right, leftKeys: [], rightKeys: [], residual });
  const simple = inlined(apply);
  if (simple !== undefined) return simple;
  const domain = domainOf(left, columns);
  const dependent = new Dependent(id, columns, domain, canFail(right)).over(right);
  const width = right.schema.fields.length;
  const plan = joinOf({
    type,
    left,
    right: dependent,
    leftKeys: columns,
    rightKeys: columns.map((_, i) => width + i),
    nullSafe: columns.map((c) => left.schema.fields[c]!.nullable),
    residual,
  });
  const shown = schema.fields.map((_, i) => i);
  const made = build.project(
    plan,
    shown.map((c) => build.column(plan, c)),
    schema.fields.map((f) => f.name),
  );
  if (type === "left" || isTotal(right)) lefts.set(made, left);
  return made;
}

/** Of what has become of an apply its left side, where all of its rows are there, whatever was put beside them. */
const lefts = new WeakMap<Plan, Plan>();

/**
 * The values for which a subquery is asked. One of several subqueries beside each other is asked for values of the rows that they all stand beside, and not of those
 * rows with what the others gave: a hundred of them would each be made of all that are before it.
 */
function domainOf(left: Plan, columns: readonly number[]): Plan {
  let at = left;
  for (;;) {
    const before = lefts.get(at);
    const width = before?.schema.fields.length ?? 0;
    if (before === undefined || columns.some((c) => c >= width)) break;
    at = before;
  }
  return build.distinct(build.projectColumns(at, columns));
}

/** A right side that reads no relation is computed beside the left row, without any join. */
function inlined({ id, type, left, right, residual, schema }: ApplyPlan): Plan | undefined {
  if (residual !== null) return undefined;
  if (type === "left" && right.kind === "tableFunction" && isBare(right.input, true)) {
    const inner = build.apply({ id, type: "inner", left, right: outerRows(right) });
    return inlined(inner);
  }
  if (!isBare(right, type === "left")) return undefined;
  const width = left.schema.fields.length;
  const over = (plan: Plan): Plan => {
    if (plan.kind === "values") return left;
    const [below] = inputsOf(plan) as [Plan];
    const input = over(below);
    const move = (e: Expr): Expr => {
      if (e.kind === "column") return build.column(input, e.index + width);
      if (e.kind === "outer" && e.apply === id) return build.column(input, e.index);
      return mapChildren(e, move);
    };
    if (plan.kind !== "project") return withInputs(plan, [input], move);
    const lefts = left.schema.fields.map((_, i) => build.column(input, i));
    const names = [...left.schema.fields, ...plan.schema.fields].map((f) => f.name);
    return build.project(input, [...lefts, ...plan.exprs.map(move)], names);
  };
  const plan = over(right);
  const names = schema.fields.map((f) => f.name);
  return build.project(
    plan,
    names.map((_, i) => build.column(plan, i)),
    names,
  );
}

/** With a row of nulls where it would give none: what a left apply asks for. */
function outerRows(plan: TableFunctionPlan): Plan {
  const ordinality = plan.ordinality ? plan.schema.fields.at(-1)!.name : null;
  return build.tableFunction(plan.input, { ...plan, ordinality, outer: true });
}

/** Whether the plan computes on one row without columns; `exactly`: and gives one row for it. */
function isBare(plan: Plan, exactly: boolean): boolean {
  switch (plan.kind) {
    case "values":
      return plan.rows.length === 1 && plan.schema.fields.length === 0;
    case "project":
      return isBare(plan.input, exactly);
    case "filter":
    case "series":
    case "tableFunction":
      return !exactly && isBare(plan.input, exactly);
    default:
      return false;
  }
}

function joinOf({ type, residual, ...spec }: build.JoinSpec & { residual: Expr | null }): Plan {
  return type === "inner" ? build.join({ type, ...spec }) : outerJoin({ type, residual, ...spec });
}

const fallible = new WeakMap<Plan, boolean>();

function canFail(plan: Plan): boolean {
  let can = fallible.get(plan);
  if (can === undefined) {
    can = exprsOf(plan).some(isFallible) || inputsOf(plan).some(canFail);
    fallible.set(plan, can);
  }
  return can;
}
